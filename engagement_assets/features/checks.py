"""Asset checks of features and labels, generated from the catalogue.

Belongs here: which checks a snapshot gets. Does not belong here: what a feature is.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date

import dagster as dg

from engagement_assets.features.catalogue import (
    CUSTOMER_FEATURES,
    CUSTOMER_FEATURES_SCHEMA,
    FEATURES,
)
from engagement_assets.features.labels import LABELS
from engagement_assets.features.snapshot import declared_schemas
from engagement_assets.source.contract import TABLES
from engagement_assets.source.resource import SourceResource
from resources.checks import (
    Outcome,
    bounds_outcome,
    column_drift,
    daily_counts,
    keys_measures,
    keys_outcome,
    result,
    run_days,
    schema_outcome,
    violations_sql,
    volume_outcome,
)
from resources.engine import Engine
from resources.io_managers import RegistryResource
from resources.lake import Lake
from resources.platform import EngineResource, LakeResource

KEY = ["customer_id"]
ASSET = CUSTOMER_FEATURES.split("/")
NULL_SHARE_STEP = 0.1
BLOCKING = ("schema", "keys", "bounds")
DESCRIPTIONS = {
    "schema": "The partition is there, whole, and has the catalogue's columns and types.",
    "keys": "Every customer stands there once.",
    "bounds": "Every feature lies within the catalogue's range or closed list.",
    "volume": "The number of customers lies near that of the 7 days before.",
    "null_share": "No feature's share of nulls rose by more than 10 points against the reference "
    "snapshot.",
    "drift": "No feature's population stability index against the champion's training snapshot "
    "exceeds 0.25, nor what chance gives on so few customers.",
    "sources_present": "No optional source table is missing; otherwise this says which features "
    "are null because of it.",
}
FEATURE_CHECKS = [
    dg.AssetCheckSpec(name, asset=ASSET, description=text, blocking=name in BLOCKING)
    for name, text in DESCRIPTIONS.items()
]
# A churn rate outside this range says that a table is broken rather than that customers changed.
CHURN_RATE_RANGE = (0.002, 0.8)
LABEL_CHECKS = [
    dg.AssetCheckSpec(
        name,
        asset=label.table.split("/"),
        description=text,
        blocking=True,
    )
    for label in LABELS.values()
    for name, text in (
        ("keys", "Every customer stands there once."),
        ("label_rate", "The label is there and its mean is plausible."),
    )
]
BLOCKING_KEYS = [spec.key for spec in FEATURE_CHECKS if spec.blocking]


def bounds_measures() -> dict[str, str]:
    """SQL counts of values that break the catalogue, by feature."""
    measures = {
        feature.name: violations_sql(
            feature.name,
            minimum=feature.minimum,
            maximum=feature.maximum,
            allowed=feature.allowed,
            further=[] if feature.nullable else [f'"{feature.name}" IS NULL'],
        )
        for feature in FEATURES.values()
    }
    return {name: sql for name, sql in measures.items() if sql is not None}


def reference_day(registry: RegistryResource, lake: Lake, day: date) -> date | None:
    """The snapshot to compare with: the churn champion's training snapshot, or the one before."""
    version = registry.registry.champion("churn")
    if version is not None:
        trained = date.fromisoformat(registry.registry.card("churn", version)["training_snapshot"])
        if lake.exists(CUSTOMER_FEATURES, trained):
            return trained
    earlier = [there for there in lake.days(CUSTOMER_FEATURES) if there < day]
    return earlier[-1] if earlier else None


@dg.multi_asset_check(name="feature_checks", specs=FEATURE_CHECKS, can_subset=True)
def feature_checks(
    context: dg.AssetCheckExecutionContext,
    source: SourceResource,
    lake: LakeResource,
    engine: EngineResource,
    registry: RegistryResource,
) -> Iterator[dg.AssetCheckResult]:
    """Check the snapshots of this run."""
    days = run_days(context, lake.lake.days(CUSTOMER_FEATURES))
    run = engine.engine(declared_schemas())
    reference = reference_day(registry, lake.lake, days[-1])
    rows = {d: lake.lake.row_count(CUSTOMER_FEATURES, d) for d in lake.lake.days(CUSTOMER_FEATURES)}
    judges: dict[str, Callable[[], Outcome]] = {
        "schema": lambda: schema_outcome(run, CUSTOMER_FEATURES, CUSTOMER_FEATURES_SCHEMA, days),
        "keys": lambda: keys_outcome(_count(run, keys_measures(KEY), days), KEY),
        "bounds": lambda: bounds_outcome(_count(run, bounds_measures(), days), bounds_measures()),
        "volume": lambda: volume_outcome(rows, days[-1]),
        "null_share": lambda: null_share_outcome(lake.lake, days[-1], reference),
        "drift": lambda: drift_outcome(lake.lake, days[-1], reference),
        "sources_present": lambda: sources_outcome(source.reader.provides()),
    }
    for key in sorted(context.selected_asset_check_keys):
        yield result(key, judges[key.name](), days, warn=key.name not in BLOCKING)


def _count(
    engine: Engine, measures: dict[str, str], days: Sequence[date]
) -> dict[date, dict[str, float]]:
    counts = daily_counts(engine, CUSTOMER_FEATURES, measures, days)
    return {day: counts[day] for day in days if day in counts}


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
        told = ", ".join(f"{name} {a:.0%} to {b:.0%}" for name, (a, b) in lost.items())
        return Outcome(f"share of nulls rose since {reference}: {told}", [day], figures)
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


def sources_outcome(provided: frozenset[str]) -> Outcome:
    """Which optional source tables are missing, and what is null because of it."""
    missing = [name for name in TABLES if name not in provided]
    lost = {
        table: [f.name for f in FEATURES.values() if f"source/{table}" in f.needs]
        for table in missing
    }
    if missing:
        told = "; ".join(
            f"{table} (null: {', '.join(names) or 'no feature'})" for table, names in lost.items()
        )
        return Outcome(f"the source has no table {told}", (), {"missing": len(missing)})
    return Outcome(metadata={"missing": 0})


@dg.multi_asset_check(name="label_checks", specs=LABEL_CHECKS, can_subset=True)
def label_checks(
    context: dg.AssetCheckExecutionContext, lake: LakeResource, engine: EngineResource
) -> Iterator[dg.AssetCheckResult]:
    """Check the labels of this run."""
    labels = {label.table.replace("/", "."): label.schema for label in LABELS.values()}
    run = engine.engine(labels)
    for key in sorted(context.selected_asset_check_keys):
        label = LABELS[key.asset_key.path[1]]
        days = run_days(context, lake.lake.days(label.table))
        measures = keys_measures(KEY) | {"mean": f"avg({label.name})"}
        counts = daily_counts(run, label.table, measures, days)
        if key.name == "keys":
            outcome = keys_outcome(counts, KEY)
        else:
            outcome = label_rate_outcome(label.name, {d: row["mean"] for d, row in counts.items()})
        yield result(key, outcome, days, warn=False)


def label_rate_outcome(name: str, means: dict[date, float]) -> Outcome:
    """Whether the mean of a label is there and plausible."""
    if not means:
        return Outcome(f"{name} has no rows")
    figures = {"mean": float(next(reversed(list(means.values()))) or 0.0)}
    if name == "churn_30_day":
        low, high = CHURN_RATE_RANGE
        bad = [day for day, mean in means.items() if mean is None or not low <= mean <= high]
        if bad:
            return Outcome(f"churn rate outside {low:.1%} to {high:.0%} on {bad[0]}", bad, figures)
    missing = [day for day, mean in means.items() if mean is None]
    if missing:
        return Outcome(f"{name} is null for everybody on {missing[0]}", missing, figures)
    return Outcome(metadata=figures)
