"""One raw table of a batch, split into good rows and quarantined ones.

Belongs here: casting, running the rules in DuckDB over Arrow, sorting. Does not belong here: the
rules themselves (`rules.py`), reading sources and writing partitions (`ingestion.py`).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa

from engagement_assets.source.casting import (
    Cast,
    casts,
    check_columns,
    date_literal,
)
from engagement_assets.source.contract import CUSTOMERS, RECORDED_AT, SourceTable
from engagement_assets.source.duplicates import repeated_rows
from engagement_assets.source.errors import ReaderError
from engagement_assets.source.quarantine import SEPARATOR
from engagement_assets.source.rules import (
    AFTER_LAST_DAY,
    DUPLICATE_KEY,
    DUPLICATE_ROW,
    Rule,
    joined_customer_fields,
    known_alias,
    rules_of,
)
from engagement_assets.source.versions import earlier_rows, revisions_of
from resources.sql import quote_name

DAY = "_day"


@dataclass(frozen=True)
class Batch:
    """The raw rows of one table for a range of days.

    Attributes:
        source: Name of the source, for errors.
        first_day: First day of the source, which takes rows that became known earlier.
        timezone: The zone of naive times, which the connection has too.
        keys_since: Reads the key columns and `_day` of the good rows from a day on, up to the
            batch; None where there are none.
        rows_of: Reads the good rows of some days, with `_day`.
        lookback: Days before a row's own in which its key is looked for.
        updates: Whether the rows were taken in before and stand here with what was filled since:
            those that say something new are taken, and no others.
    """

    table: SourceTable
    rows: pa.Table
    first: date
    last: date
    source: str
    first_day: date
    timezone: str
    keys_since: Callable[[date], pa.Table | None]
    rows_of: Callable[[Sequence[date]], pa.Table]
    lookback: int
    updates: bool = False


@dataclass(frozen=True)
class Split:
    """A batch, checked.

    Attributes:
        good: Rows in the contract's types, sorted by day, customer, event time and key, with
            their partition's day in the last column, `_day`.
        bad: Rows as `quarantine.QUARANTINE` has them, with `_day`.
        reasons: How many rows each rule refused.
        not_provided: Nullable columns that the source does not give.
        revisions: Good rows that replace or end earlier ones, as `versions.REVISIONS` has them,
            with `_day`.
    """

    good: pa.Table
    bad: pa.Table | None
    reasons: Counter[str]
    not_provided: tuple[str, ...]
    revisions: pa.Table | None

    def joined(self, updates: "Split | None", table: SourceTable) -> "Split":
        """These rows and updates of earlier ones, in the order of one batch."""
        if updates is None:
            return self
        parts = [part for part in (self.revisions, updates.revisions) if part is not None]
        return replace(
            self,
            good=pa.concat_tables([self.good, updates.good]).sort_by(
                [(name, "ascending") for name in _order(table)]
            ),
            revisions=pa.concat_tables(parts) if parts else None,
        )


def split(connection: duckdb.DuckDBPyConnection, batch: Batch) -> Split:
    """Check a batch against the contract.

    Args:
        connection: In the source's time zone, with a table `known_customers(known_id, day)`.
        batch: The rows.

    Raises:
        ColumnsError: Its columns cannot become the contract's.
        ReaderError: It has rows of days outside its range.
    """
    columns, not_provided = _columns(connection, batch)
    plan = casts(batch.table, columns, timezone=batch.timezone)
    connection.register("raw_rows", _numbered(batch.rows))
    typed = typed_select(batch, plan)
    _check_range(connection, batch, typed)
    refusals = _refusals(connection, batch.table, typed, rules_of(batch.table, plan))
    # without a time of its own for a version, a key that comes again is two rows with one name
    dated = batch.updates or RECORDED_AT.name in columns or batch.table.noun == CUSTOMERS
    repeats = repeated_rows(
        connection,
        batch.table,
        typed=typed,
        before=earlier_rows(
            connection,
            batch.table,
            typed,
            first=batch.first,
            dated=dated,
            lookback=batch.lookback,
            keys_since=batch.keys_since,
            rows_of=batch.rows_of,
        ),
        refused=refusals.rows,
        lookback=batch.lookback,
        dated=dated,
    )
    refusals.add(repeats.same, DUPLICATE_ROW)
    refusals.add(repeats.conflicting, f"{DUPLICATE_KEY}: {', '.join(batch.table.row_key)}")
    bad = _bad_rows(connection, batch, typed, refusals) if refusals.rows else None
    if refusals.rows or batch.updates:
        keep = np.ones(batch.rows.num_rows, dtype=bool)
        keep[list(refusals.rows)] = False
        if batch.updates:
            keep &= np.isin(np.arange(len(keep)), repeats.versions)
        connection.register("raw_rows", _numbered(batch.rows).filter(pa.array(keep)))
    good = connection.execute(_sorted_select(batch.table, typed)).to_arrow_table()
    revisions = revisions_of(connection, batch.table, typed, repeats.versions)
    if batch.updates:
        return Split(good, None, Counter(), not_provided, revisions)
    return Split(good, bad, refusals.counts, not_provided, revisions)


def stray_rows(
    connection: duckdb.DuckDBPyConnection, batch: Batch
) -> tuple[pa.Table, Counter[str]]:
    """Put rows that no day takes into quarantine, with the reasons.

    Args:
        connection: As for `split`.
        batch: The rows; they go to its last day.

    Returns:
        Rows as `quarantine.QUARANTINE` has them, with `_day`, and how many rows each reason has.
    """
    columns, _ = _columns(connection, batch)
    plan = casts(batch.table, columns, timezone=batch.timezone)
    connection.register("raw_rows", _numbered(batch.rows))
    last = date_literal(batch.last)
    typed = f"SELECT * REPLACE ({last} AS {DAY}) FROM ({typed_select(batch, plan)})"
    refusals = _refusals(connection, batch.table, typed, rules_of(batch.table, plan))
    dated = connection.execute(
        f"SELECT _row FROM ({typed}) WHERE recorded_at IS NOT NULL ORDER BY _row"
    ).fetchall()
    refusals.add([row for (row,) in dated], AFTER_LAST_DAY)
    rest = sorted(set(range(batch.rows.num_rows)) - refusals.rows.keys())
    refusals.add(rest, f"null value: {batch.table.event_time}")
    return _bad_rows(connection, batch, typed, refusals), refusals.counts


def typed_select(batch: Batch, plan: list[Cast]) -> str:
    """A `SELECT` over `raw_rows` of the declared columns, `_row`, `_day` and `_raw_<column>`."""
    recorded, event = quote_name(RECORDED_AT.name), quote_name(batch.table.event_time)
    inner = ", ".join(
        ["_row"]
        + [f"{cast.expression} AS {quote_name(cast.field.name)}" for cast in plan]
        + [
            f"{quote_name(cast.field.name)} AS {quote_name('_raw_' + cast.field.name)}"
            for cast in plan
            if cast.may_fail
        ]
    )
    raw_recorded = quote_name("_raw_" + RECORDED_AT.name)
    unread = any(cast.may_fail and cast.field == RECORDED_AT for cast in plan)
    # a recorded_at that is there but cannot be read is refused, not replaced by the event's time
    default = (
        f"CASE WHEN {raw_recorded} IS NULL THEN {event} ELSE {recorded} END"
        if unread
        else f"coalesce({recorded}, {event})"
    )
    first_day = date_literal(batch.first_day)
    return (
        f"SELECT * REPLACE ({default} AS {recorded}), "
        f"coalesce(greatest(CAST(coalesce({recorded}, {event}) AS DATE), {first_day}), {first_day})"
        f" AS {DAY} FROM (SELECT {inner} FROM raw_rows)"
    )


class _Refusals:
    """Reasons of refused rows."""

    def __init__(self) -> None:
        self.rows: dict[int, list[str]] = {}
        self.counts: Counter[str] = Counter()

    def add(self, rows: Sequence[int], label: str) -> None:
        """Refuse rows for one more reason."""
        if rows:
            self.counts[label] += len(rows)
        for row in sorted(rows):
            self.rows.setdefault(row, []).append(label)


def _columns(
    connection: duckdb.DuckDBPyConnection, batch: Batch
) -> tuple[dict[str, str], tuple[str, ...]]:
    """DuckDB types of the raw columns that are not null throughout, and those not given."""
    if len(set(batch.rows.column_names)) < batch.rows.num_columns:
        raise ReaderError(
            f"table {batch.table.noun} from {batch.source} has a column twice: "
            f"{', '.join(batch.rows.column_names)}"
        )
    connection.register("raw_rows", batch.rows)
    described = connection.execute("DESCRIBE raw_rows").fetchall()
    required = {field.name for field in batch.table.columns if not field.nullable}
    columns = {
        name: "VARCHAR" if pa.types.is_null(batch.rows.schema.field(name).type) else kind
        for name, kind, *_ in described
    }
    # a NULL literal has some type or other; a column of nulls says no more than a column left out
    empty = {
        name
        for name in columns.keys() & {field.name for field in batch.table.columns}
        if name not in required and batch.rows.column(name).null_count == batch.rows.num_rows
    }
    given = {name: kind for name, kind in columns.items() if name not in empty}
    where = f"source {batch.source}"
    absent = check_columns(batch.table, given, where=where)
    return given, tuple(name for name in absent if name not in empty)


def _numbered(rows: pa.Table) -> pa.Table:
    return rows.append_column("_row", pa.array(np.arange(rows.num_rows, dtype=np.int64)))


def _check_range(connection: duckdb.DuckDBPyConnection, batch: Batch, typed: str) -> None:
    outside = connection.execute(
        f"SELECT count(*), min({DAY}), max({DAY}) FROM ({typed}) WHERE {DAY} NOT BETWEEN "
        f"{date_literal(batch.first)} AND {date_literal(batch.last)}"
    ).fetchone()
    if outside and outside[0]:
        raise ReaderError(
            f"table {batch.table.noun} from source {batch.source}: {outside[0]} rows were recorded "
            f"on {outside[1]} to {outside[2]}, but {batch.first} to {batch.last} was asked for; "
            "the reader must return the rows of those days alone"
        )


def _refusals(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, typed: str, rules: list[Rule]
) -> _Refusals:
    joins = " ".join(
        f"LEFT JOIN known_customers AS {known_alias(position)} "
        f"ON {known_alias(position)}.known_id = typed.{quote_name(name)}"
        for position, name in enumerate(joined_customer_fields(table))
    )
    tests = ", ".join(f"CASE WHEN {rule.broken} THEN {rule.reason} END" for rule in rules)
    # a rule that is null is not broken: OR passes it over
    broken = " OR ".join(f"({rule.broken})" for rule in rules)
    broken_rows = connection.execute(
        f"SELECT typed._row, [{tests}] FROM ({typed}) AS typed {joins} WHERE {broken} "
        "ORDER BY typed._row"
    ).fetchall()
    refusals = _Refusals()
    for row, texts in broken_rows:
        refusals.rows[row] = [text for text in texts if text is not None]
        refusals.counts.update(
            rule.label for rule, text in zip(rules, texts, strict=True) if text is not None
        )
    return refusals


def _bad_rows(
    connection: duckdb.DuckDBPyConnection, batch: Batch, typed: str, refusals: _Refusals
) -> pa.Table:
    numbers = sorted(refusals.rows)
    connection.register(
        "refused",
        pa.table(
            {
                "_row": pa.array(numbers, pa.int64()),
                "reason": [SEPARATOR.join(refusals.rows[number]) for number in numbers],
            }
        ),
    )
    given = batch.rows.column_names
    whole = ", ".join(f"{quote_name(name)} := {quote_name(name)}" for name in given)
    keyed = ", ".join(
        f"{quote_name(name)} := {quote_name(name)}" for name in batch.table.row_key if name in given
    )
    raw = (
        "SELECT _row, "
        f"{f'CAST(to_json(struct_pack({keyed})) AS VARCHAR)' if keyed else 'NULL'} AS key, "
        f"CAST(to_json(struct_pack({whole})) AS VARCHAR) AS row FROM raw_rows"
    )
    return connection.execute(
        f'SELECT \'{batch.table.noun}\' AS "table", raw.key, typed."customer_id", '
        f"refused.reason, raw.row, typed.{DAY} FROM refused JOIN ({raw}) AS raw USING (_row) "
        f"JOIN ({typed}) AS typed USING (_row)"
    ).to_arrow_table()


def _order(table: SourceTable) -> list[str]:
    names = (DAY, "customer_id", table.event_time, *table.row_key, RECORDED_AT.name)
    return list(dict.fromkeys(names))


def _sorted_select(table: SourceTable, typed: str) -> str:
    columns = ", ".join(quote_name(field.name) for field in table.columns)
    order = _order(table)
    return (
        f"SELECT {columns}, {DAY} FROM ({typed}) "
        f"ORDER BY {', '.join(quote_name(name) for name in order)}"
    )
