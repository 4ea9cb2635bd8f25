"""Asset checks of the raw tables, generated from the contract.

Belongs here: which checks a table gets. Does not belong here: the rules on single rows, which
ingestion applies before anything is written (`rules.py`).
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta

import dagster as dg

from engagement_assets.source.contract import RECORDED_AT, TABLES, SourceTable
from engagement_assets.source.quarantine import intake_of_day, total
from engagement_assets.source.resource import SourceResource
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
    "schema": "Every partition is there, whole, and has the contract's columns and types.",
    "keys": "No key is null or comes twice within a day.",
    "bounds": "Every value lies within the contract's bounds and closed lists.",
    "volume": "The day's rows lie near the mean of the 7 days before.",
    "freshness": "The partition's latest event lies on its own day.",
}


def table_checks(table: SourceTable) -> list[dg.AssetCheckSpec]:
    """The checks of one table."""
    names = ["schema", "keys"]
    if bounds_measures(table):
        names.append("bounds")
    names.append("volume")
    if table.required and not table.versioned:
        # a day without sign-ups is a quiet day; one without sessions is a broken feed
        names.append("freshness")
    return [
        dg.AssetCheckSpec(
            name,
            asset=["source", table.name],
            description=DESCRIPTIONS[name],
            blocking=name in BLOCKING,
        )
        for name in names
    ]


def row_key(table: SourceTable) -> tuple[str, ...]:
    """Columns that name a row: the key, and for a versioned table when the version was recorded."""
    return (*table.key, RECORDED_AT.name) if table.versioned else table.key


def bounds_measures(table: SourceTable) -> dict[str, str]:
    """SQL counts of values that break the contract, by column."""
    measures = {
        field.name: violations_sql(
            field.name,
            minimum=field.minimum,
            maximum=field.maximum,
            allowed=field.allowed,
            further=[f'"{field.name}" < "{table.event_time}"'] if field.not_before_event else [],
        )
        for field in table.fields
    }
    return {name: sql for name, sql in measures.items() if sql is not None}


QUARANTINE_SHARE = dg.AssetCheckSpec(
    "quarantine_share",
    asset=["source", "quarantine"],
    description="Not too large a share of the day's rows breaks the contract; the limit is a "
    "setting, 1 % unless said otherwise.",
    blocking=True,
)
SPECS = [*(spec for table in TABLES.values() for spec in table_checks(table)), QUARANTINE_SHARE]


@dg.multi_asset_check(name="source_checks", specs=SPECS, can_subset=True)
def source_checks(
    context: dg.AssetCheckExecutionContext,
    source: SourceResource,
    lake: LakeResource,
    engine: EngineResource,
) -> Iterator[dg.AssetCheckResult]:
    """Check the days of this run."""
    there = lake.lake.days("source/sessions")
    days = run_days(context, there)
    selected = context.selected_asset_check_keys
    run = engine.engine({f"source.{name}": table.schema for name, table in TABLES.items()})
    for table in TABLES.values():
        wanted = [key for key in selected if key.asset_key.path == ["source", table.name]]
        judge = _TableJudge(run, table, days)
        for key in sorted(wanted):
            yield result(key, judge.judge(key.name), days, warn=key.name not in BLOCKING)
    for key in selected:
        if key.name == QUARANTINE_SHARE.name:
            outcome = quarantine_outcome(
                lake.lake, days, limit=source.settings.quarantine_share_limit
            )
            yield result(key, outcome, days, warn=False)


class _TableJudge:
    """Answers the checks of one table from as few scans as possible."""

    def __init__(self, engine: Engine, table: SourceTable, days: Sequence[date]) -> None:
        self.engine, self.table, self.days = engine, table, days
        self.name = f"source/{table.name}"
        self._counts: dict[date, dict[str, float]] | None = None

    def judge(self, check: str) -> Outcome:
        judges: dict[str, Callable[[], Outcome]] = {
            "schema": lambda: schema_outcome(self.engine, self.name, self.table.schema, self.days),
            "keys": lambda: keys_outcome(self.counts, row_key(self.table)),
            "bounds": lambda: bounds_outcome(
                {
                    day: {name: row[f"bad_{name}"] for name in bounds_measures(self.table)}
                    for day, row in self.counts.items()
                },
                bounds_measures(self.table),
            ),
            "volume": self.volume,
            "freshness": self.freshness,
        }
        return judges[check]()

    @property
    def counts(self) -> dict[date, dict[str, float]]:
        if self._counts is None:
            measures = keys_measures(row_key(self.table)) | {
                f"bad_{name}": sql for name, sql in bounds_measures(self.table).items()
            }
            measures["latest"] = f'max("{self.table.event_time}")'
            self._counts = daily_counts(self.engine, self.name, measures, self.days)
        return self._counts

    def volume(self) -> Outcome:
        last = self.days[-1]
        lake = self.engine.lake
        rows = {
            day: lake.row_count(self.name, day)
            for day in (last - timedelta(days=n) for n in range(8))
            if lake.exists(self.name, day)
        }
        return volume_outcome(rows, last)

    def freshness(self) -> Outcome:
        stale = [
            day
            for day in self.days
            if day not in self.counts or self.counts[day]["latest"].date() < day  # type: ignore[attr-defined] # a timestamp
        ]
        if self.days[-1] in stale:
            return Outcome(
                f"nothing happened on {self.days[-1]}, as far as this table knows", stale
            )
        return Outcome(metadata={"days_without_events": len(stale)})


def quarantine_outcome(lake: Lake, days: Sequence[date], *, limit: float) -> Outcome:
    """Whether on every day the share of rows in quarantine is within the limit."""
    intakes = {day: total(intake_of_day(lake, day)) for day in days}
    bad = [day for day, intake in intakes.items() if intake.share > limit]
    worst = max((intake.share for intake in intakes.values()), default=0.0)
    figures = {"worst_share": worst, "limit": limit}
    if bad:
        return Outcome(
            f"{worst:.1%} of a day's rows are in quarantine, more than {limit:.1%}; read "
            "source/quarantine for the reasons",
            bad,
            figures,
        )
    return Outcome(metadata=figures)
