"""Asset checks of tables, generated from their declarations.

Belongs here: which checks a table gets and how each is judged, naming the days of a run, results
that the gate can read. Does not belong here: which tables there are, what one group of them is
checked for besides (`FurtherCheck`s of that group), and drift (`drift.py`).
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import dagster as dg
import pyarrow as pa

from resources.days import days_between
from resources.engine import Engine, EngineError
from resources.gate import FAILED_DAYS, FIRST_DAY, LAST_DAY
from resources.lake import PARTITION_COLUMN, Lake
from resources.sql import Query, quote_name
from resources.tables import Table

asset_key = dg.AssetKey.from_user_string

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
PARTITION = "dagster/partition"
# Same weekdays that a day's rows are compared with.
WEEKS = 4
# Rows of a weekday under which its mean tells little: a table of a row now and then.
FEW = 10
DESCRIPTIONS = {
    "schema": "Every partition is there, whole, and has the declared columns and types.",
    "keys": "No key is null or comes twice within a day.",
    "bounds": "Every value lies within its declared bounds or closed list.",
    "volume": "The day's rows lie near the mean of the same weekday in the 4 weeks before.",
}
# What nothing is made from until it holds; the others warn.
BLOCKING = ("schema", "keys", "bounds")


def run_days(context: dg.AssetCheckExecutionContext, there: Sequence[date]) -> list[date]:
    """The days a check run is about: those of its run, or the last one when run by hand."""
    tags = context.run.tags
    if RANGE_START in tags:
        first, last = (date.fromisoformat(tags[name]) for name in (RANGE_START, RANGE_END))
        return days_between(first, last)
    if PARTITION in tags:
        return [date.fromisoformat(tags[PARTITION])]
    return list(there[-1:])


@dataclass(frozen=True)
class Outcome:
    """What one check found.

    Attributes:
        problem: What is wrong, or "" when it holds.
        failed_days: The days it is wrong on, where they can be told apart.
        metadata: Figures for the UI.
        note: What to say when it holds.
    """

    problem: str = ""
    failed_days: Sequence[date] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
    note: str = ""


def result(
    key: dg.AssetCheckKey, outcome: Outcome, days: Sequence[date], *, warn: bool
) -> dg.AssetCheckResult:
    """A check result that says which days it is about; one that warns does not block."""
    metadata = dict(outcome.metadata)
    if days:
        metadata |= {FIRST_DAY: days[0].isoformat(), LAST_DAY: days[-1].isoformat()}
    if outcome.failed_days:
        metadata[FAILED_DAYS] = [day.isoformat() for day in outcome.failed_days]
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=not outcome.problem,
        severity=dg.AssetCheckSeverity.WARN if warn else dg.AssetCheckSeverity.ERROR,
        description=outcome.problem or outcome.note or None,
        metadata=metadata,  # type: ignore[arg-type] # plain values, which Dagster wraps
    )


@dataclass(frozen=True)
class FurtherCheck:
    """A check of a table besides those that every table gets.

    Attributes:
        description: What holds, a sentence.
        judge: Judges the days of a run.
        blocking: Whether what is made from the table waits for it; otherwise it warns.
    """

    table: Table
    name: str
    description: str
    judge: Callable[["CheckedTable"], Outcome]
    blocking: bool = False

    @property
    def spec(self) -> dg.AssetCheckSpec:
        """The check as Dagster declares it."""
        return dg.AssetCheckSpec(
            self.name,
            asset=self.table.asset_key,
            description=self.description,
            blocking=self.blocking,
        )


class CheckedTable:
    """The days of a table that a run is about, counted in one scan for all its checks.

    Attributes:
        days: The days to judge.
        resources: The check's resources, by name.
    """

    def __init__(self, context: dg.AssetCheckExecutionContext, table: Table) -> None:
        self.table = table
        self.resources: Any = context.resources
        self.lake: Lake = self.resources.lake.lake
        self.days = run_days(context, self.lake.days(table.key))

    @cached_property
    def engine(self) -> Engine:
        """Runs SQL over the table."""
        engine: Engine = self.resources.engine.engine([self.table])
        return engine

    @cached_property
    def counts(self) -> dict[date, dict[str, float]]:
        """Rows, keys and illegal values by day."""
        measures = keys_measures(self.table.unique) if self.table.unique else {}
        measures |= {f"bad_{name}": sql for name, sql in self.table.bounds.items()}
        return daily_counts(self.engine, self.table, measures, self.days)

    def judge(self, check: str) -> Outcome:
        """Judge one of the generated checks."""
        if check == "schema":
            return schema_outcome(self.lake, self.table, self.days)
        if check == "volume":
            last = self.days[-1]
            back = {*range(8), *(7 * week for week in range(1, WEEKS + 1))}
            days = [last - timedelta(days=number) for number in sorted(back)]
            there = set(self.lake.days(self.table.key)) & set(days)
            rows = self.lake.row_counts(self.table.key, there)
            return volume_outcome(rows, last)
        if check == "keys":
            return keys_outcome(self.counts, self.table.unique)
        bad = {
            day: {name: row[f"bad_{name}"] for name in self.table.bounds}
            for day, row in self.counts.items()
        }
        return bounds_outcome(bad, self.table.bounds)


def check_specs(table: Table) -> list[dg.AssetCheckSpec]:
    """The checks that a table gets from its declaration."""
    if not table.checked:
        return []
    names = ["schema"]
    names += ["keys"] if table.unique else []
    names += ["bounds"] if table.bounds else []
    names += ["volume"] if table.steady else []
    return [
        dg.AssetCheckSpec(
            name,
            asset=table.asset_key,
            description=DESCRIPTIONS[name],
            blocking=name in BLOCKING,
        )
        for name in names
    ]


def blocking_keys(
    tables: Iterable[str], further: Iterable[FurtherCheck] = ()
) -> list[dg.AssetCheckKey]:
    """The checks that must pass before anything is made from tables `<group>/<noun>`.

    One that a table does not get never ran, and blocks nothing.
    """
    return [
        *(dg.AssetCheckKey(asset_key(table), check) for table in tables for check in BLOCKING),
        *(check.spec.key for check in further if check.blocking),
    ]


def table_checks(
    name: str,
    tables: Sequence[Table],
    *,
    further: Sequence[FurtherCheck] = (),
    resources: Iterable[str] = (),
) -> dg.AssetChecksDefinition:
    """Every check of some tables, and further ones, which may need resources of their own."""
    own = {check.spec.key: check for check in further}
    by_key = {asset_key(table.key): table for table in tables}
    by_key |= {key.asset_key: check.table for key, check in own.items()}
    specs = [spec for table in tables for spec in check_specs(table)]

    def judged(about: CheckedTable, key: dg.AssetCheckKey) -> Outcome:
        try:
            return own[key].judge(about) if key in own else about.judge(key.name)
        except EngineError:
            # a query of a column that is not there says nothing of how to get it
            older = older_outcome(about.lake, about.table, about.days)
            if not older.problem:
                raise
            return older

    @dg.multi_asset_check(
        name=name,
        specs=[*specs, *(check.spec for check in further)],
        can_subset=True,
        required_resource_keys={"lake", "engine", *resources},
    )
    def checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        checked: dict[dg.AssetKey, CheckedTable] = {}
        for key in sorted(context.selected_asset_check_keys):
            table = by_key[key.asset_key]
            if key.asset_key not in checked:
                checked[key.asset_key] = CheckedTable(context, table)
            about = checked[key.asset_key]
            if not about.days:
                outcome = Outcome(f"{table.key} has no partition")
            else:
                outcome = judged(about, key)
            blocking = own[key].blocking if key in own else key.name in BLOCKING
            yield result(key, outcome, about.days, warn=not blocking)

    return checks


def daily_counts(
    engine: Engine, table: Table, measures: Mapping[str, str], days: Sequence[date]
) -> dict[date, dict[str, float]]:
    """Aggregates of each day, SQL by name; a day whose partition is empty is not there."""
    columns = ", ".join(f"{sql} AS {quote_name(name)}" for name, sql in measures.items())
    query = Query(
        f"check of {table.key}",
        f"SELECT {PARTITION_COLUMN}, {columns} FROM {table.sql_name} "
        f"WHERE {PARTITION_COLUMN} BETWEEN :first AND :last "
        f"GROUP BY {PARTITION_COLUMN} ORDER BY {PARTITION_COLUMN}",
    )
    rows = engine.select(query, {"first": days[0], "last": days[-1]}).to_pylist()
    return {row.pop(PARTITION_COLUMN): row for row in rows}


def schema_outcome(lake: Lake, table: Table, days: Sequence[date]) -> Outcome:
    """Whether the partitions are there, whole, and have the declared columns."""

    def fault(day: date) -> str:
        try:
            have = lake.schema(table.key, day)
        except RuntimeError as error:
            return str(error)
        if have.equals(table.arrow):
            return ""
        return _older(have, table, day) or f"partition {day} does not have the declared columns"

    filled, there = set(lake.filled_days(table.key)), set(lake.days(table.key))
    empty = [day for day in days if day in there - filled]
    # days without rows share files: one of them is read
    asked = [day for day in days if day not in set(empty[1:])]
    bad = {day: why for day, why in zip(asked, lake.each(asked, fault), strict=True) if why}
    if bad:
        return Outcome(f"{table.key}: {next(iter(bad.values()))}", sorted(bad))
    return Outcome(metadata={"partitions": len(days), "columns": len(table.columns)})


def older_outcome(lake: Lake, table: Table, days: Sequence[date]) -> Outcome:
    """Whether the partitions that are there have every column that this release declares."""
    there = sorted(set(days) & set(lake.filled_days(table.key)))
    faults = lake.each(there, lambda day: _older(lake.schema(table.key, day), table, day))
    bad = {day: why for day, why in zip(there, faults, strict=True) if why}
    if bad:
        return Outcome(f"not judged: {table.key}: {next(iter(bad.values()))}", sorted(bad))
    return Outcome()


def _older(have: pa.Schema, table: Table, day: date) -> str:
    lacks = [name for name in table.names if name not in have.names]
    if not lacks:
        return ""
    return (
        f"partition {day} is of an older release, which had no {', '.join(lacks)}: materialise it "
        "again, or let `make run REINGEST=1` make all of them anew"
    )


def keys_measures(key: Sequence[str]) -> dict[str, str]:
    """Aggregates that tell null and repeated keys."""
    quoted = [quote_name(column) for column in key]
    distinct = quoted[0] if len(quoted) == 1 else f"({', '.join(quoted)})"
    return {
        "rows": "count(*)",
        "keys": f"count(DISTINCT {distinct})",
        "null_keys": f"count(*) FILTER (WHERE {' OR '.join(f'{q} IS NULL' for q in quoted)})",
    }


def keys_outcome(counts: Mapping[date, Mapping[str, float]], key: Sequence[str]) -> Outcome:
    """Whether every day's keys are there and unique."""
    bad = [day for day, row in counts.items() if row["null_keys"] or row["keys"] != row["rows"]]
    rows = int(sum(row["rows"] for row in counts.values()))
    if bad:
        return Outcome(
            f"null or repeated keys ({', '.join(key)}) on {_listed(bad)}", bad, {"rows": rows}
        )
    return Outcome(metadata={"rows": rows})


def bounds_outcome(counts: Mapping[date, Mapping[str, float]], names: Iterable[str]) -> Outcome:
    """Whether no value is out of its bounds, from counts of values that are."""
    totals = {name: int(sum(row[name] for row in counts.values())) for name in names}
    wrong = {name: total for name, total in totals.items() if total}
    if wrong:
        bad = [day for day, row in counts.items() if any(row[name] for name in wrong)]
        listed = ", ".join(f"{name} ({total} rows)" for name, total in wrong.items())
        return Outcome(f"out of bounds: {listed}", bad, wrong)
    return Outcome(metadata={"columns_with_bounds": len(totals)})


def volume_outcome(rows: Mapping[date, int], day: date) -> Outcome:
    """Whether a day's rows lie within half to double of what days like it had.

    Days like it are the same weekdays of the `WEEKS` before: a quiet weekend is no alarm and an
    ordinary Monday as quiet as a Sunday is. With only one of them, or with few rows on them, it
    must also lie far from the mean of the 7 days before: they tell too little alone.
    """
    before = [rows[d] for d in (day - timedelta(days=n) for n in range(1, 8)) if d in rows]
    alike = [rows[d] for d in (day - timedelta(weeks=n) for n in range(1, WEEKS + 1)) if d in rows]
    now = rows.get(day, 0)
    figures: dict[str, float] = {"rows": now, "days_before": len(before)}
    if len(before) < 7 or not any((*before, *alike)):
        return Outcome(metadata=figures, note="not judged: fewer than 7 earlier days with rows")
    week, weekday = sum(before) / len(before), sum(alike) / len(alike)
    figures |= {"mean_before": round(week, 1), "mean_of_weekday": round(weekday, 1)}
    usual = _near(now, weekday) or ((len(alike) == 1 or weekday < FEW) and _near(now, week))
    if not usual:
        return Outcome(
            f"{now:,} rows on {day}, a {day:%A}; the {len(alike)} before had {weekday:,.0f} on "
            f"average, the 7 days before {week:,.0f}",
            [day],
            figures,
        )
    return Outcome(metadata=figures)


def _near(rows: int, mean: float) -> bool:
    """Whether a count is half to double a mean; small ones vary by chance."""
    # four standard deviations of a Poisson count are allowed
    chance = 4 * math.sqrt(mean)
    return mean / 2 - chance <= rows <= mean * 2 + chance


def _listed(days: Sequence[date]) -> str:
    more = f" and {len(days) - 3} more days" if len(days) > 3 else ""
    return ", ".join(day.isoformat() for day in days[:3]) + more
