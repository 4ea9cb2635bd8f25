"""How far features moved since a model was trained on them, as checks of the features.

Belongs here: the snapshot to compare with, which a model's card names, and the comparison. Does not
belong here: what a feature is checked for without a model (`features/checks.py`).
"""

from datetime import date

import dagster as dg
import pyarrow as pa

from engagement_assets.features.catalogue import (
    CUSTOMER_FEATURES,
    CUSTOMER_FEATURES_TABLE,
    FEATURES,
)
from engagement_assets.models.churn.spec import SPEC as CHURN
from resources.checks import CheckedTable, FurtherCheck, Outcome, column_drift, table_checks
from resources.registry import ModelRegistry

NULL_SHARE_STEP = 0.1


def null_share(checked: CheckedTable) -> Outcome:
    """Judge whether no feature lost values against the reference snapshot."""
    reference = _reference(checked)
    if reference is None:
        return Outcome(note="not judged: there is no earlier snapshot to compare with")
    now, before = _snapshots(checked, reference)
    if not now.num_rows or not before.num_rows:
        return Outcome(note="not judged: a snapshot is empty")
    shares = {
        name: (
            before.column(name).null_count / before.num_rows,
            now.column(name).null_count / now.num_rows,
        )
        for name in FEATURES
    }
    lost = {name: pair for name, pair in shares.items() if pair[1] - pair[0] > NULL_SHARE_STEP}
    figures = {
        "reference": reference.isoformat(),
        "features_null": sum(s[1] == 1 for s in shares.values()),
    }
    if lost:
        rises = ", ".join(f"{name} {a:.0%} to {b:.0%}" for name, (a, b) in lost.items())
        problem = f"share of nulls rose since {reference}: {rises}"
        return Outcome(problem, [checked.days[-1]], figures)
    return Outcome(metadata=figures)


def drift(checked: CheckedTable) -> Outcome:
    """Judge whether no feature's distribution moved against the reference snapshot."""
    reference, day = _reference(checked), checked.days[-1]
    if reference is None or reference == day:
        return Outcome(note="not judged: there is no other snapshot to compare with")
    now, before = _snapshots(checked, reference)
    if not now.num_rows or not before.num_rows:
        return Outcome(note="not judged: a snapshot is empty")
    indices = {
        name: column_drift(before.column(name), now.column(name))
        for name in FEATURES
        if before.column(name).null_count < before.num_rows
    }
    worst = sorted(indices.items(), key=lambda pair: -pair[1].index)
    table = "\n".join(
        ["| feature | PSI |", "|---|---:|", *(f"| {n} | {v.index:.3f} |" for n, v in worst[:10])]
    )
    figures = {
        "reference": reference.isoformat(),
        "largest_psi": round(worst[0][1].index, 4) if worst else 0.0,
        "psi": dg.MetadataValue.md(table),
    }
    moved = [f"{name} {v.index:.2f}" for name, v in worst if v.index > v.limit]
    if moved:
        return Outcome(f"drift since {reference} (PSI): {', '.join(moved)}", [day], figures)
    return Outcome(metadata=figures)


def _reference(checked: CheckedTable) -> date | None:
    """Return the champion's training snapshot, or the one before the day."""
    registry: ModelRegistry = checked.resources.registry.registry
    version = registry.champion(CHURN.name)
    if version is not None:
        trained = date.fromisoformat(registry.card(CHURN.name, version)["training_snapshot"])
        if checked.lake.exists(CUSTOMER_FEATURES, trained):
            return trained
    earlier = [day for day in checked.lake.days(CUSTOMER_FEATURES) if day < checked.days[-1]]
    return earlier[-1] if earlier else None


def _snapshots(checked: CheckedTable, reference: date) -> list[pa.Table]:
    """Return the features of the day and of the reference."""
    days = (checked.days[-1], reference)
    return [checked.lake.read(CUSTOMER_FEATURES, days=[day]) for day in days]


drift_checks = table_checks(
    "feature_drift_checks",
    [],
    further=[
        FurtherCheck(
            CUSTOMER_FEATURES_TABLE,
            "null_share",
            "No feature's share of nulls rose by more than 10 points against the reference "
            "snapshot.",
            null_share,
        ),
        FurtherCheck(
            CUSTOMER_FEATURES_TABLE,
            "drift",
            "No feature's population stability index against the champion's training snapshot "
            "exceeds 0.25, nor what chance gives on so few customers.",
            drift,
        ),
    ],
    resources=["registry"],
)
