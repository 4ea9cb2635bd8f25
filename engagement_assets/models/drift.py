"""How far features moved since a model was trained on them, as checks of the features.

Belongs here: the snapshot to compare with, which a model's card names, and the comparison. Does not
belong here: what a feature is checked for without a model (`features/checks.py`).
"""

from datetime import date

import dagster as dg

from engagement_assets.features.catalogue import (
    CUSTOMER_FEATURES,
    CUSTOMER_FEATURES_TABLE,
    FEATURES,
)
from engagement_assets.lifecycle.spec import ModelSpec
from engagement_assets.models.churn.spec import SPEC as CHURN
from resources.checks import CheckedTable, FurtherCheck, Outcome, column_drift, table_checks
from resources.lake import Lake
from resources.registry import ModelRegistry

NULL_SHARE_STEP = 0.1


def reference_day(spec: ModelSpec, registry: ModelRegistry, lake: Lake, day: date) -> date | None:
    """The snapshot to compare with: the champion's training snapshot, or the one before."""
    version = registry.champion(spec.name)
    if version is not None:
        trained = date.fromisoformat(registry.card(spec.name, version)["training_snapshot"])
        if lake.exists(CUSTOMER_FEATURES, trained):
            return trained
    earlier = [there for there in lake.days(CUSTOMER_FEATURES) if there < day]
    return earlier[-1] if earlier else None


def _reference(checked: CheckedTable) -> date | None:
    registry = checked.resources.registry.registry
    return reference_day(CHURN, registry, checked.lake, checked.days[-1])


def _null_share(checked: CheckedTable) -> Outcome:
    return null_share_outcome(checked.lake, checked.days[-1], _reference(checked))


def _drift(checked: CheckedTable) -> Outcome:
    return drift_outcome(checked.lake, checked.days[-1], _reference(checked))


def null_share_outcome(lake: Lake, day: date, reference: date | None) -> Outcome:
    """Whether no feature lost values against the reference snapshot."""
    if reference is None:
        return Outcome(note="not judged: there is no earlier snapshot to compare with")
    now, before = (lake.read(CUSTOMER_FEATURES, days=[d]) for d in (day, reference))
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
        return Outcome(f"share of nulls rose since {reference}: {rises}", [day], figures)
    return Outcome(metadata=figures)


def drift_outcome(lake: Lake, day: date, reference: date | None) -> Outcome:
    """Whether no feature's distribution moved against the reference snapshot."""
    if reference is None or reference == day:
        return Outcome(note="not judged: there is no other snapshot to compare with")
    now, before = (lake.read(CUSTOMER_FEATURES, days=[d]) for d in (day, reference))
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


drift_checks = table_checks(
    "feature_drift_checks",
    [],
    further=[
        FurtherCheck(
            CUSTOMER_FEATURES_TABLE,
            "null_share",
            "No feature's share of nulls rose by more than 10 points against the reference "
            "snapshot.",
            _null_share,
        ),
        FurtherCheck(
            CUSTOMER_FEATURES_TABLE,
            "drift",
            "No feature's population stability index against the champion's training snapshot "
            "exceeds 0.25, nor what chance gives on so few customers.",
            _drift,
        ),
    ],
    resources=["registry"],
)
