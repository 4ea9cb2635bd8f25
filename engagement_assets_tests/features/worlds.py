"""Small worlds: rows of the raw tables, written to a lake as ingestion would.

Belongs here: making rows and lakes, and reading snapshots back. Does not belong here: what the
features should be (`reference.py` and the tests).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.features.snapshot import (
    land_feature_table,
    land_snapshot,
)
from engagement_assets.features.tables import KNOWN_TABLES
from engagement_assets.signals.tables import (
    CUSTOMER_SENTIMENT,
    NETWORK_METRICS,
)
from engagement_assets.source.contract import REQUIRED_TABLES, TABLES
from engagement_assets.source.known import known_sql
from engagement_assets.source.versions import REVISIONS
from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.sql import Query, SqlFolder
from resources.tables import Table, by_sql_name


class ParsedSqlFolder(SqlFolder):
    """A folder that parses each file once, since many small snapshots are made here."""

    @lru_cache(maxsize=64)  # noqa: B019 - one folder, as long as the process
    def query(self, name: str) -> Query:
        """Read and parse `<group>/<table>` once."""
        return super().query(name)


SQL = ParsedSqlFolder(Path(__file__).resolve().parents[2] / "sql", known_sql)
S = date(2025, 3, 31)  # a Monday
FIRST_DAY = S - timedelta(days=34)
LAST_INSTANT = datetime.combine(S, time.max)
FIRST_INSTANT_AFTER = LAST_INSTANT + timedelta(microseconds=1)


def at(days_before: int, hour: int = 12, minute: int = 0) -> datetime:
    """A time that many days before S; negative days lie after it."""
    return datetime.combine(S - timedelta(days=days_before), time(hour, minute))


@dataclass
class World:
    """Rows of the raw tables and of the signals.

    `sentiment` and `network` are rows by partition day. A row may carry `partition`, the day it is
    filed under, where that shall not be the day of its `recorded_at`.
    """

    tables: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    sentiment: dict[date, list[dict[str, Any]]] = field(default_factory=dict)
    network: dict[date, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: str, when: datetime, **values: Any) -> None:
        """Add a row; it is recorded when it happens unless `recorded_at` says otherwise."""
        contract = TABLES[table]
        row: dict[str, Any] = dict.fromkeys(contract.names)
        row |= {name: f"{table}-{len(self.tables[table])}" for name in contract.row_key}
        row |= {contract.event_time: when, "recorded_at": when} | values
        if table in {"gig_applications", "job_ratings"}:
            row["listing_id"] = values.get("listing_id", "listing")
        self.tables[table].append(row)

    def customer(self, customer_id: str, when: datetime | None = None, **values: Any) -> None:
        """Add a version of a customer, signed up on the first day unless told otherwise."""
        self.add("customers", when or at(34), customer_id=customer_id, **values)

    def session(self, customer_id: str, when: datetime, **values: Any) -> None:
        """Add a session, ten minutes long unless told otherwise."""
        self.add(
            "sessions", when, **{"customer_id": customer_id, "duration_seconds": 600.0, **values}
        )

    def copy(self) -> "World":
        """A world with copies of the rows."""
        tables = defaultdict(
            list, {name: [dict(r) for r in rows] for name, rows in self.tables.items()}
        )
        return World(tables, dict(self.sentiment), dict(self.network))

    def write(self, root: Path, *, last_day: date = S) -> Lake:
        """Write the lake: the required tables for every day, the others where they have rows."""
        lake = Lake(str(root))
        for name, contract in TABLES.items():
            by_day: dict[date, list[dict[str, Any]]] = defaultdict(list)
            for row in self.tables.get(name, ()):
                by_day[row.get("partition", row["recorded_at"].date())].append(row)
            days = set(by_day)
            if name in REQUIRED_TABLES:
                days |= set(days_between(FIRST_DAY, max({last_day, *days})))
            for day in sorted(days):
                if day not in by_day:
                    lake.write_empty(contract, day=day)
                    continue
                rows = pa.Table.from_pylist(by_day[day], schema=contract.arrow)
                lake.write(contract, rows, day=day)
        for day, rows in self._revisions().items():
            lake.write(REVISIONS, pa.Table.from_pylist(rows, schema=REVISIONS.arrow), day=day)
        for table, signal in (
            (CUSTOMER_SENTIMENT, self.sentiment),
            (NETWORK_METRICS, self.network),
        ):
            for day, rows in signal.items():
                full = pa.Table.from_pylist([_filled(table, row) for row in rows], table.arrow)
                lake.write(table, full, day=day)
        return lake

    def _revisions(self) -> dict[date, list[dict[str, Any]]]:
        """What ingestion notes of a customer who comes again later."""
        seen: set[str] = set()
        revisions: dict[date, list[dict[str, Any]]] = defaultdict(list)
        for row in sorted(self.tables.get("customers", ()), key=lambda row: row["recorded_at"]):
            who, known = row["customer_id"], row["recorded_at"]
            if row["signed_up_at"].date() > known.date():
                continue  # ingestion puts it aside
            if who in seen:
                revisions[known.date()].append(
                    {
                        "table": "customers",
                        "row_key": who,
                        "customer_id": who,
                        "replaces_before": known,
                        "recorded_at": known,
                    }
                )
            seen.add(who)
        return revisions


def _filled(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """A row with something in the columns that no feature reads."""
    anything = {"float64": 0.5, "int64": 1, "timestamp": at(0)}
    needed = [c for c in table.columns if not c.nullable and c.name not in row]
    return row | {column.name: anything[column.type] for column in needed}


def days_between(first: date, last: date) -> Iterable[date]:
    """All days from the first to the last."""
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def engine(lake: Lake, threads: int = 2) -> DuckDBEngine:
    """The engine as the platform uses it."""
    return DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES), threads=threads)


def snapshot(
    world: World, root: Path, *, on: date = S, last_day: date = S
) -> dict[str, dict[str, Any]]:
    """Write a world, land its snapshot and read the 49 features back, by customer."""
    lake = world.write(root, last_day=last_day)
    land_snapshot(engine(lake), SQL, on)
    return rows_of(lake, CUSTOMER_FEATURES, on)


def group_snapshot(
    world: World, root: Path, group: str, *, on: date = S, last_day: date = S
) -> dict[str, dict[str, Any]]:
    """Write a world, land one group of its features and read it back, by customer."""
    lake = world.write(root, last_day=last_day)
    land_feature_table(engine(lake), SQL, f"features/{group}", on)
    return rows_of(lake, f"features/{group}", on)


def rows_of(lake: Lake, table: str, day: date) -> dict[str, dict[str, Any]]:
    """Rows of a partition by customer."""
    rows = lake.read(table, days=[day]).to_pylist()
    actual = {row["customer_id"]: row for row in rows}
    assert len(actual) == len(rows), f"{table} holds a customer twice"
    return actual
