"""Asset checks of the daily signal tables, generated from their declarations.

Belongs here: which checks a signal gets. Does not belong here: how a signal is made.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

import dagster as dg

from engagement_assets.signals.schemas import (
    CUSTOMER_SENTIMENT,
    INFLUENCERS,
    NETWORK_METRICS,
    SENTIMENT_ALERTS,
    SENTIMENT_SCORES,
    SIGNAL_SCHEMAS,
)
from engagement_assets.signals.tables import declared_schemas
from resources.checks import (
    Outcome,
    bounds_outcome,
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
from resources.lake import Lake
from resources.platform import EngineResource, LakeResource

BLOCKING = ("schema", "keys", "bounds")
DESCRIPTIONS = {
    "schema": "The partition is there, whole, and has the declared columns.",
    "keys": "No key is null or comes twice within a day.",
    "bounds": "Every value lies within its declared range.",
    "volume": "The day's rows lie near the mean of the 7 days before.",
}
SHARE = (0.0, 1.0)
SCORE = (-1.0, 1.0)


@dataclass(frozen=True)
class Rules:
    """What holds for the rows of one signal table.

    Attributes:
        key: Columns that name a row.
        bounds: Least and greatest legal value by column.
        volume: Whether its rows a day should be alike from day to day.
    """

    key: tuple[str, ...]
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)
    volume: bool = False


RULES: dict[str, Rules] = {
    SENTIMENT_SCORES: Rules(
        ("text_id",),
        {
            "score": SCORE,
            **{
                f"p_{name}": SHARE
                for name in (
                    "negative", "neutral", "positive", "anger", "joy", "optimism", "sadness",
                )
            },
        },
        volume=True,
    ),
    SENTIMENT_ALERTS: Rules(("text_id",), {"score": SCORE}),
    CUSTOMER_SENTIMENT: Rules(
        ("customer_id",), {"avg_sentiment_score": SCORE, "negative_share": SHARE}
    ),
    NETWORK_METRICS: Rules(
        ("customer_id",),
        dict.fromkeys(
            (
                "influence_score", "betweenness_centrality", "eigenvector_centrality", "pagerank",
                "clustering",
            ),
            SHARE,
        ),
    ),
    INFLUENCERS: Rules(("rank",), {"influence_score": SHARE}),
}  # fmt: skip


def _names(rules: Rules) -> list[str]:
    return [*BLOCKING, *(["volume"] if rules.volume else [])]


SIGNAL_CHECKS = [
    dg.AssetCheckSpec(
        name,
        asset=table.split("/"),
        description=DESCRIPTIONS[name],
        blocking=name in BLOCKING,
    )
    for table, rules in RULES.items()
    for name in _names(rules)
]
BLOCKING_KEYS = [
    spec.key
    for spec in SIGNAL_CHECKS
    if spec.blocking and spec.asset_key.to_user_string() in (CUSTOMER_SENTIMENT, NETWORK_METRICS)
]
"""What must hold before features read the signals."""


@dg.multi_asset_check(name="signal_checks", specs=SIGNAL_CHECKS, can_subset=True)
def signal_checks(
    context: dg.AssetCheckExecutionContext, lake: LakeResource, engine: EngineResource
) -> Iterator[dg.AssetCheckResult]:
    """Check the days of this run."""
    run = engine.engine(declared_schemas())
    for key in sorted(context.selected_asset_check_keys):
        table = key.asset_key.to_user_string()
        days = run_days(context, lake.lake.days(table))
        outcome = judge(run, lake.lake, table, key.name, days)
        yield result(key, outcome, days, warn=key.name not in BLOCKING)


def judge(engine: Engine, lake: Lake, table: str, check: str, days: Sequence[date]) -> Outcome:
    """What one check of one signal table finds."""
    rules = RULES[table]
    if check == "schema":
        return schema_outcome(engine, table, SIGNAL_SCHEMAS[table], days)
    if check == "volume":
        there = [day for day in lake.days(table) if day <= days[-1]]
        rows = {day: lake.row_count(table, day) for day in there[-8:]}
        return volume_outcome(rows, days[-1])
    measures = bounds_measures(rules) if check == "bounds" else keys_measures(rules.key)
    counts = daily_counts(engine, table, measures, days)
    return (
        bounds_outcome(counts, measures) if check == "bounds" else keys_outcome(counts, rules.key)
    )


def bounds_measures(rules: Rules) -> dict[str, str]:
    """SQL counts of values out of their range, by column; NaN counts as such."""
    measures = {
        name: violations_sql(name, minimum=low, maximum=high, further=[f'isnan("{name}")'])
        for name, (low, high) in rules.bounds.items()
    }
    return {name: sql for name, sql in measures.items() if sql is not None}
