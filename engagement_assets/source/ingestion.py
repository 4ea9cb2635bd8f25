"""Ingestion: raw rows of a source become partitions of the lake, or quarantine.

Belongs here: taking the days of a source in, chunk by chunk, and what it reports. Does not belong
here: reading sources (`readers.py`, `mapping.py`) and checking rows (`validation.py`).
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engagement_assets.source.casting import connect
from engagement_assets.source.contract import CUSTOMERS, RECORDED_AT, TABLES, SourceTable
from engagement_assets.source.errors import ReaderError
from engagement_assets.source.provenance import check_unchanged
from engagement_assets.source.quarantine import QUARANTINE, Intake, sorted_quarantine
from engagement_assets.source.readers import (
    SourceReader,
    check_days,
    check_tables,
)
from engagement_assets.source.settings import IngestionSettings
from engagement_assets.source.validation import DAY, Batch, Split, split, stray_rows
from engagement_assets.source.versions import REVISIONS
from resources.days import days_between
from resources.lake import Lake
from resources.tables import Table

logger = logging.getLogger(__name__)


@dataclass
class IngestReport:
    """What an ingestion did.

    Attributes:
        rows: Good rows by table and day.
        quarantined: Rows in quarantine by table and day.
        late: Good rows by table and day that happened before the day they became known.
        reasons: Rows in quarantine by table and reason; a row with two reasons counts in both.
        revisions: Rows by day that replace or end earlier ones.
        missing_tables: Tables of the contract that the source does not have.
        not_provided: Nullable columns that a table of the source does not give.
        notices: What was not looked at, and why.
    """

    source: str
    first: date
    last: date
    rows: dict[str, dict[date, int]] = field(default_factory=dict)
    quarantined: dict[str, dict[date, int]] = field(default_factory=dict)
    late: dict[str, dict[date, int]] = field(default_factory=dict)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    revisions: Counter[date] = field(default_factory=Counter)
    missing_tables: tuple[str, ...] = ()
    not_provided: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def rows_of(self, table: str) -> int:
        """Good rows of a table over all days."""
        return sum(self.rows.get(table, {}).values())

    def quarantined_of(self, table: str) -> int:
        """Rows of a table in quarantine over all days."""
        return sum(self.quarantined.get(table, {}).values())

    @property
    def total_rows(self) -> int:
        """Good rows of all tables."""
        return sum(self.rows_of(table) for table in self.rows)

    @property
    def total_quarantined(self) -> int:
        """Rows of all tables in quarantine."""
        return sum(self.quarantined_of(table) for table in self.quarantined)

    @property
    def delivered(self) -> int:
        """Rows of all tables, good and in quarantine."""
        return self.total_rows + self.total_quarantined

    @property
    def quarantine_share(self) -> float:
        """Share of the delivered rows that are in quarantine; 0 of no rows."""
        return Intake(self.total_rows, self.total_quarantined).share


def ingest(
    reader: SourceReader,
    lake: Lake,
    first: date,
    last: date,
    *,
    settings: IngestionSettings | None = None,
    progress: Callable[[str], None] | None = None,
) -> IngestReport:
    """Take the days `first` to `last` of a source into the lake.

    Each table of the contract gets one partition a day, and so does the quarantine. The outcome of
    a day is the same whether it is taken in alone or in a range.

    `progress` is called with a line after each chunk of days; without it they are logged.

    Raises:
        SourceError: The source cannot be read as the contract asks, or the days before were taken
            in by another mapping.
        MissingPartitionError: Earlier days of the source are not in the lake, so that its
            customers are not known yet.
        CorruptPartitionError: An earlier partition in the lake is not whole.
    """
    settings = settings or IngestionSettings()
    tell = progress or logger.info
    check_tables(reader)
    check_days(reader, first, last)
    check_unchanged(reader, lake, first)
    report = IngestReport(reader.name, first, last)
    report.missing_tables = tuple(name for name in TABLES if name not in reader.provides())
    days = days_between(first, last)
    with connect(
        reader.timezone, memory_limit=settings.memory_limit, threads=settings.threads
    ) as connection:
        _set_known(connection, _known_before(lake, reader.first_day, first))
        start, length = 0, settings.chunk_days
        while start < len(days):
            chunk = days[start : start + length]
            before = report.delivered
            _Chunk(reader, lake, connection, settings, report, chunk).ingest()
            start += len(chunk)
            tell(
                f"{chunk[0]} to {chunk[-1]}: day {start} of {len(days)}, "
                f"{report.total_rows:,} rows so far, {report.total_quarantined:,} in quarantine"
            )
            # each chunk reads the files of the source once: years of few rows are one or two
            if report.delivered - before < settings.chunk_least_rows:
                length *= 2
            elif length > settings.chunk_days:
                length //= 2
        _Chunk(reader, lake, connection, settings, report, days[-1:]).quarantine_strays()
    return report


@dataclass(frozen=True)
class _Chunk:
    """Some days of a source, taken in at once."""

    reader: SourceReader
    lake: Lake
    connection: duckdb.DuckDBPyConnection
    settings: IngestionSettings
    report: IngestReport
    days: Sequence[date]

    def ingest(self) -> None:
        tables = self.reader.read(self.days[0], self.days[-1])
        refused, revisions = [], []
        # customers first: the other tables' rows must name known ones
        for name in sorted(TABLES, key=lambda name: name != CUSTOMERS):
            # `get` would take a KeyError inside the reader for a table it has not
            rows = tables[name] if name in tables else None  # noqa: SIM401 - `get` hides errors
            if rows is None or rows.num_rows == 0:
                done = self._updates(name)
            else:
                done = split(self.connection, self._batch(name, rows))
                _account(name, rows, done)
                done = done.joined(self._updates(name), TABLES[name])
            if done is None:
                self._write_empty(name)
                continue
            if name == CUSTOMERS:
                _add_known(self.connection, done.good)
            if done.revisions is not None:
                revisions.append(done.revisions)
                self.report.revisions.update(_count_days(done.revisions))
            self._write(name, done)
            if done.bad is not None:
                refused.append(done.bad)
            self._note(name, done)
        self._write_daily(QUARANTINE, refused, sort=sorted_quarantine)
        self._write_daily(REVISIONS, revisions)

    def quarantine_strays(self) -> None:
        """Put the rows that no day takes into the quarantine of the last day, each once."""
        last = self.days[-1]
        # a row of tomorrow is only early; where the source has ended, nothing comes any more
        after = self.reader.last_day or max(last, datetime.now(UTC).date() + timedelta(days=1))
        parts = []
        for name in sorted(self.reader.provides()):
            rows = self.reader.strays(name, after)
            if rows is not None and rows.num_rows:
                bad, reasons = stray_rows(self.connection, self._batch(name, rows))
                parts.append((name, bad, reasons))
        if not parts:
            return
        earlier = [day for day in self.lake.days(QUARANTINE.key) if day != last]
        known = self._rows_of(QUARANTINE, earlier, ("table", "row")) if earlier else None
        own = self.lake.read(QUARANTINE.key, days=[last])
        fresh = [own]
        for name, bad, reasons in parts:
            new = _not_among(self.connection, bad, known, own)
            if new.num_rows:
                fresh.append(QUARANTINE.conform(new.drop_columns([DAY])))
                self.report.quarantined[name][last] += new.num_rows
                for label, count in reasons.items():
                    self.report.reasons[name, label] += count
        if len(fresh) > 1:
            rows = sorted_quarantine(pa.concat_tables(fresh)).combine_chunks()
            self.lake.write(QUARANTINE, rows, day=last)

    def _updates(self, name: str) -> Split | None:
        """What was filled since in rows that were taken in before."""
        if name not in self.reader.provides():
            return None
        rows = self.reader.updates(name, self.days[0], self.days[-1])
        if rows is None or not rows.num_rows:
            return None
        done = split(self.connection, self._batch(name, rows, updates=True))
        return done if done.good.num_rows else None

    def _batch(self, name: str, rows: pa.Table, *, updates: bool = False) -> Batch:
        table = TABLES[name]
        return Batch(
            table=table,
            rows=rows,
            first=self.days[0],
            last=self.days[-1],
            source=self.reader.name,
            first_day=self.reader.first_day,
            timezone=self.reader.timezone,
            keys_since=partial(self._keys_since, table),
            rows_of=partial(self._rows_of, table),
            lookback=self.settings.duplicate_lookback_days,
            updates=updates,
        )

    def _keys_since(self, table: SourceTable, since: date) -> pa.Table | None:
        """Key columns and day of the good rows from a day on, up to the chunk."""
        start = max(since, self.reader.first_day)
        days = days_between(start, self.days[0] - timedelta(days=1))
        absent = sorted(set(days) - set(self.lake.days(table.key)))
        filled = set(self.lake.filled_days(table.key))
        there = [day for day in days if day in filled]
        if absent:
            self._notice(
                f"{table.key} of {len(absent)} days from {absent[0]} on is not in the lake, so "
                "that earlier rows of the same keys were not looked for there"
            )
        return self._rows_of(table, there, table.row_key) if there else None

    def _rows_of(
        self, table: Table, days: Sequence[date], columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Good rows of some days, with their day."""
        parts = []
        for day in days:
            rows = self.lake.read(table.key, days=[day], columns=columns)
            constant = pa.repeat(pa.scalar(day, pa.date32()), rows.num_rows)
            parts.append(rows.append_column(DAY, constant))
        return pa.concat_tables(parts)

    def _write(self, name: str, done: Split) -> None:
        table = TABLES[name]
        bounds = _bounds(done.good, self.days)
        late = pc.less(
            done.good.column(table.event_time).cast(pa.date32()),
            done.good.column(RECORDED_AT.name).cast(pa.date32()),
        )
        late_before = np.concatenate([[0], np.cumsum(late.to_numpy())])
        bad = _count_days(done.bad)
        rows = done.good.drop_columns([DAY])
        empty, note = [], self.reader.digest(name)
        for day, start, end in zip(self.days, bounds[:-1], bounds[1:], strict=True):
            if start == end:
                empty.append(day)
            else:
                # in one piece, so that the file does not depend on where a batch was cut
                part = rows.slice(start, end - start).combine_chunks()
                self.lake.write(table, part, day=day, note=note)
            self._count(name, day, end - start, bad.get(day, 0))
            self.report.late.setdefault(name, {})[day] = int(late_before[end] - late_before[start])
        self.lake.write_empty_days(table, empty, note=note)

    def _write_empty(self, name: str) -> None:
        note = self.reader.digest(name)
        self.lake.write_empty_days(TABLES[name], self.days, note=note)
        for day in self.days:
            self._count(name, day, 0, 0)
            self.report.late.setdefault(name, {})[day] = 0

    def _write_daily(
        self,
        table: Table,
        parts: Sequence[pa.Table],
        *,
        sort: Callable[[pa.Table], pa.Table] = lambda rows: rows,
    ) -> None:
        """Write rows that carry their day, and the days without any as empty."""
        rows = pa.concat_tables(parts).combine_chunks() if parts else None
        counts = _count_days(rows)
        self.lake.write_empty_days(table, [day for day in self.days if not counts.get(day)])
        if rows is None:
            return
        for day in sorted(counts):
            part = rows.filter(pc.equal(rows.column(DAY), pa.scalar(day, pa.date32())))
            self.lake.write(table, sort(part.drop_columns([DAY])).combine_chunks(), day=day)

    def _count(self, name: str, day: date, rows: int, quarantined: int) -> None:
        self.report.rows.setdefault(name, {})[day] = rows
        self.report.quarantined.setdefault(name, {})[day] = quarantined

    def _note(self, name: str, done: Split) -> None:
        for label, count in done.reasons.items():
            self.report.reasons[name, label] += count
        if done.not_provided and name not in self.report.not_provided:
            self.report.not_provided[name] = done.not_provided
            logger.info("source/%s: columns not provided: %s", name, ", ".join(done.not_provided))

    def _notice(self, text: str) -> None:
        if text not in self.report.notices:
            self.report.notices.append(text)
            logger.warning("%s", text)


def _not_among(
    connection: duckdb.DuckDBPyConnection, rows: pa.Table, *others: pa.Table | None
) -> pa.Table:
    """Quarantined rows that do not lie in quarantine already."""
    connection.register("candidates", rows)
    sql = "FROM candidates"
    for number, other in enumerate(other for other in others if other is not None):
        connection.register(f"there_{number}", other)
        sql = f'SELECT * FROM ({sql}) ANTI JOIN there_{number} USING ("table", "row")'  # noqa: S608 - own names
    return connection.execute(sql).to_arrow_table()


def _account(name: str, rows: pa.Table, done: Split) -> None:
    refused = done.bad.num_rows if done.bad is not None else 0
    if rows.num_rows != done.good.num_rows + refused:
        raise ReaderError(
            f"table {name}: {rows.num_rows} rows came in but {done.good.num_rows} good and "
            f"{refused} refused ones came out; nothing was written: this is a fault of ingestion"
        )


def _bounds(rows: pa.Table, days: Sequence[date]) -> list[int]:
    """Where each day begins in rows sorted by day, and where the last ends."""
    have = rows.column(DAY).to_numpy()
    edges = np.array([*days, days[-1] + timedelta(days=1)], dtype="datetime64[D]")
    return [int(edge) for edge in np.searchsorted(have, edges, side="left")]


def _count_days(rows: pa.Table | None) -> Mapping[date, int]:
    if rows is None:
        return {}
    return {
        entry["values"]: entry["counts"] for entry in pc.value_counts(rows.column(DAY)).to_pylist()
    }


def _known_before(lake: Lake, first_day: date, first: date) -> pa.Table | None:
    """Customers in the lake before a day, with the day each became known."""
    days = days_between(first_day, first - timedelta(days=1))
    if not days:
        return None
    known = lake.read(f"source/{CUSTOMERS}", days=days, columns=["customer_id", RECORDED_AT.name])
    # the first partition also holds what was recorded before it
    recorded = known.column(RECORDED_AT.name).cast(pa.timestamp("s"), safe=False)
    day = pc.max_element_wise(recorded.cast(pa.date32(), safe=False), pa.scalar(first_day))
    return known.select(["customer_id"]).append_column(DAY, day)


def _set_known(connection: duckdb.DuckDBPyConnection, rows: pa.Table | None) -> None:
    connection.execute("CREATE TABLE known_customers (known_id VARCHAR, day DATE)")
    if rows is not None:
        _add_known(connection, rows)


def _add_known(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> None:
    connection.register("more_customers", rows.select(["customer_id", DAY]))
    connection.execute(
        "CREATE OR REPLACE TABLE known_customers AS SELECT known_id, min(day) AS day FROM "
        "(FROM known_customers UNION ALL FROM more_customers) GROUP BY known_id"
    )
    connection.unregister("more_customers")
