"""Raw tables made by hand, and a source that holds them."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from engagement_assets.source.casting import connect, known_at
from engagement_assets.source.contract import TABLES
from engagement_assets.source.ingestion import IngestReport, ingest
from engagement_assets.source.quarantine import QUARANTINE, SOURCE_TABLES
from engagement_assets.source.readers import check_days
from engagement_assets.source.settings import IngestionSettings
from resources.lake import Lake
from resources.tables import ARROW_TYPES

FIRST = date(2024, 1, 1)


def at(day: int = 0, hour: float = 12.0) -> datetime:
    """A moment, `day` days after the source's first."""
    return datetime(FIRST.year, FIRST.month, FIRST.day) + timedelta(days=day, hours=hour)


def a_session(number: int = 0, **values: Any) -> dict[str, Any]:
    """A good session of customer `ann`, with some values changed."""
    return {
        "session_id": f"s{number}",
        "customer_id": "ann",
        "occurred_at": at(),
        "duration_seconds": 60.0,
        **values,
    }


def customers(*names: str, day: int = 0) -> pa.Table:
    """Customers who signed up and became known on a day."""
    return pa.table(
        {
            "customer_id": list(names),
            "signed_up_at": pa.array([at(day, 1)] * len(names), pa.timestamp("us")),
        }
    )


def table_of(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as a raw table in the contract's types, with the columns that occur in any of them."""
    given = {column for row in rows for column in row}
    fields = [field for field in TABLES[name].columns if field.name in given]
    return pa.table(
        {
            field.name: pa.array([row.get(field.name) for row in rows], ARROW_TYPES[field.type])
            for field in fields
        }
    )


class MemoryReader:
    """A source whose raw tables are in memory."""

    name = "memory"
    granted_consents: tuple[str, ...] = ()

    def __init__(
        self,
        tables: Mapping[str, pa.Table],
        *,
        first_day: date = FIRST,
        last_day: date | None = None,
        timezone: str = "UTC",
    ) -> None:
        self.tables = {"customers": customers("ann", "bob"), **tables}
        self.tables.setdefault("sessions", table_of("sessions", [a_session()]).slice(0, 0))
        self.first_day = first_day
        self.last_day = last_day
        self.timezone = timezone

    def provides(self) -> frozenset[str]:
        return frozenset(self.tables)

    def read(self, first: date, last: date) -> Mapping[str, pa.Table]:
        check_days(self, first, last)
        with connect(self.timezone) as connection:
            return {name: self._between(connection, name, first, last) for name in self.tables}

    def digest(self, table: str) -> str:
        return "memory" if table in self.tables else ""

    def strays(self, _table: str, _after: date) -> None:
        return None

    def updates(self, _table: str, _first: date, _last: date) -> None:
        return None

    def _between(
        self, connection: duckdb.DuckDBPyConnection, name: str, first: date, last: date
    ) -> pa.Table:
        connection.register("raw", self.tables[name])
        columns = {row[0]: row[1] for row in connection.execute("DESCRIBE raw").fetchall()}
        moment = known_at(TABLES[name], columns, timezone=self.timezone)
        source_first = f"DATE '{self.first_day}'"
        day = f"greatest(coalesce(CAST({moment} AS DATE), {source_first}), {source_first})"
        return connection.execute(
            f"FROM raw WHERE {day} BETWEEN DATE '{first}' AND DATE '{last}'"
        ).to_arrow_table()


def take_in(
    tables: Mapping[str, pa.Table],
    lake: Lake,
    *,
    days: int = 1,
    settings: IngestionSettings | None = None,
    **source: Any,
) -> IngestReport:
    """Ingest raw tables from their first day on."""
    reader = MemoryReader(tables, **source)
    last = reader.first_day + timedelta(days=days - 1)
    return ingest(
        reader, lake, reader.first_day, last, settings=settings, progress=lambda _line: None
    )


def stored(lake: Lake, name: str, day: int = 0) -> list[dict[str, Any]]:
    """Rows of one partition."""
    rows = lake.read(f"source/{name}", days=[FIRST + timedelta(days=day)]).to_pylist()
    return list(rows)


def quarantined(lake: Lake, day: int = 0) -> list[dict[str, Any]]:
    """Quarantined rows of one day."""
    return list(lake.read(QUARANTINE.key, days=[FIRST + timedelta(days=day)]).to_pylist())


def partitions(lake: Lake) -> dict[tuple[str, date], str]:
    """The digest of every partition under a lake, by table and day."""
    return {
        (table.key, day): lake.digest(table.key, day)
        for table in SOURCE_TABLES
        for day in lake.days(table.key)
    }


def files(root: Path) -> dict[str, bytes]:
    """All files under a folder, by their relative path."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
