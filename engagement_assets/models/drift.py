"""How far features moved since a model was trained on them, as checks of the features.

Belongs here: the snapshot to compare with, which a model's card names, and the comparison. Does not
belong here: what a feature is checked for without a model (`features/checks.py`).
"""

from datetime import date, timedelta

import dagster as dg
import pyarrow as pa

from engagement_assets.features.catalogue import (
    CUSTOMER_FEATURES,
    CUSTOMER_FEATURES_TABLE,
    FEATURES,
)
from engagement_assets.features.drift import feature_drift, still_there
from engagement_assets.learning import markdown
from engagement_assets.models.churn.spec import SPEC as CHURN
from resources.checks import CheckedTable, FurtherCheck, Outcome, table_checks
from resources.drift import Drift
from resources.lake import Lake
from resources.registry import ModelRegistry

NULL_SHARE_STEP = 0.1
# Customers stay but for erasures; fewer, and it is another population or a cut-off table.
LEAST_STILL_THERE = 0.5
# Without a champion, snapshots further apart are not compared.
MOST_DAYS_APART = 31


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


def moved_since(
    lake: Lake, before: pa.Table, now: pa.Table, *, reference: date, day: date
) -> dict[str, Drift]:
    """Return how far each feature moved between two snapshots, the farthest beyond its limit first.

    Args:
        lake: Where the first day of the history is seen.
        before: Rows of `features/customer_features` of the reference.
        now: Those of the day.
        reference: The day of the earlier one.
        day: The day of the later one.
    """
    first = lake.days("source/customers")[0]
    moved = feature_drift(
        before,
        now,
        elapsed_days=(day - reference).days,
        history_days=(reference - first).days + 1,
    )
    return dict(sorted(moved.items(), key=lambda pair: -pair[1].index / pair[1].limit))


def drift(checked: CheckedTable) -> Outcome:
    """Judge whether no feature's distribution moved against the reference snapshot."""
    reference, day = _reference(checked), checked.days[-1]
    if reference is None:
        return Outcome(note="not judged: there is no earlier snapshot to compare with")
    now, before = _snapshots(checked, reference)
    if not now.num_rows or not before.num_rows:
        return Outcome(note="not judged: a snapshot is empty")
    worst = moved_since(checked.lake, before, now, reference=reference, day=day)
    table = markdown.table(
        ["feature", "PSI", "limit"],
        [
            (name, f"{moved.index:.3f}", f"{moved.limit:.3f}")
            for name, moved in list(worst.items())[:10]
        ],
    )
    figures = {
        "reference": reference.isoformat(),
        "largest_psi": max((round(v.index, 4) for v in worst.values()), default=0.0),
        "psi": dg.MetadataValue.md(table),
    }
    moved = [f"{name} {v.index:.2f}" for name, v in worst.items() if v.beyond]
    there = still_there(before, now)
    if there < LEAST_STILL_THERE:
        moved.insert(0, f"only {there:.0%} of the customers are still there")
    if moved:
        return Outcome(f"drift since {reference} (PSI): {', '.join(moved)}", [day], figures)
    filled = [
        name
        for name in FEATURES
        if name not in worst and now.column(name).null_count < now.num_rows
    ]
    if filled:
        note = f"without a value at {reference}, so no model uses it until it is trained again: "
        return Outcome(note=note + ", ".join(filled), metadata=figures)
    return Outcome(metadata=figures)


def _reference(checked: CheckedTable) -> date | None:
    """Return the champion's training snapshot, or the latest of the month before the day.

    A day before that snapshot, landed again, has nothing to be compared with, and of two months
    that lie far apart the difference says nothing about the data.
    """
    last = checked.days[-1]
    registry: ModelRegistry = checked.resources.registry.registry
    version = registry.champion(CHURN.name)
    if version is not None:
        trained = date.fromisoformat(registry.card(CHURN.name, version)["training_snapshot"])
        if checked.lake.exists(CUSTOMER_FEATURES, trained):
            return trained if trained < last else None
    days = checked.lake.days(CUSTOMER_FEATURES)
    earlier = [day for day in days if timedelta(0) < last - day <= timedelta(days=MOST_DAYS_APART)]
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
            "No feature moved against the champion's training snapshot by a population stability "
            "index over 0.25, nor what chance gives on so few customers, beyond what the calendar "
            "alone explains.",
            drift,
        ),
    ],
    resources=["registry"],
)
