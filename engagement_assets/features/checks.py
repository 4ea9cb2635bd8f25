"""Asset checks of features and labels.

Belongs here: what they are checked for besides their declaration. Does not belong here: what a
feature is, and how far features moved since a model was trained (`models/drift.py`).
"""

from datetime import date

from engagement_assets.features.catalogue import (
    CUSTOMER_FEATURES,
    CUSTOMER_FEATURES_TABLE,
    FEATURE_TABLES,
    FEATURES,
)
from engagement_assets.features.labels import LABELS
from engagement_assets.source.contract import TABLES
from resources.checks import (
    CheckedTable,
    FurtherCheck,
    Outcome,
    blocking_keys,
    daily_counts,
    table_checks,
)
from resources.sql import quote_name


def _sources_present(checked: CheckedTable) -> Outcome:
    return sources_outcome(checked.resources.source.reader.provides())


def _label_rate(checked: CheckedTable) -> Outcome:
    name = checked.table.noun
    mean = {"mean": f"avg({quote_name(name)})"}
    counts = daily_counts(checked.engine, checked.table, mean, checked.days)
    return label_rate_outcome(name, {day: row["mean"] for day, row in counts.items()})


def sources_outcome(provided: frozenset[str]) -> Outcome:
    """Which optional source tables are missing, and what is null because of it.

    A note: a source without them is legal, and was mapped so.
    """
    missing = [name for name in TABLES if name not in provided]
    lost = {
        table: [f.name for f in FEATURES.values() if f"source/{table}" in f.needs]
        for table in missing
    }
    if missing:
        listed = "; ".join(
            f"{table} (null: {', '.join(names) or 'no feature'})" for table, names in lost.items()
        )
        note = f"the source has no table {listed}"
        return Outcome(note=note, metadata={"missing": len(missing)})
    return Outcome(metadata={"missing": 0})


def label_rate_outcome(name: str, means: dict[date, float]) -> Outcome:
    """Whether the mean of a label is there and its model can be learnt from it.

    It blocks nothing: the model that learns the label refuses it itself, and no other.
    """
    if not means:
        return Outcome(f"{name} has no rows")
    figures = {"mean": float(next(reversed(list(means.values()))) or 0.0)}
    missing = [day for day, mean in means.items() if mean is None]
    if missing:
        return Outcome(f"{name} is null for everybody on {missing[0]}", missing, figures)
    refused = {day: LABELS[name].unlearnable(float(mean)) for day, mean in means.items()}
    bad = [day for day, reason in refused.items() if reason is not None]
    if bad:
        return Outcome(
            f"nothing is learnt from {name} of {bad[0]}: {refused[bad[0]]}", bad, figures
        )
    return Outcome(metadata=figures)


FEATURE_BLOCKING = blocking_keys([CUSTOMER_FEATURES])
CHECKS = [
    table_checks(
        "feature_checks",
        list(FEATURE_TABLES.values()),
        further=[
            FurtherCheck(
                CUSTOMER_FEATURES_TABLE,
                "sources_present",
                "Says which optional source tables are missing, and which features are null for "
                "it.",
                _sources_present,
            )
        ],
        resources=["source"],
    ),
    table_checks(
        "label_checks",
        list(LABELS.values()),
        further=[
            FurtherCheck(
                label,
                "label_rate",
                "The label is there and its model can be learnt from values of this mean.",
                _label_rate,
            )
            for label in LABELS.values()
        ],
    ),
]
