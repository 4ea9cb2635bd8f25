"""Rows that replace or end earlier rows of the same key.

They are noted as revisions on the day they become known, so that a reader finds out which rows no
longer hold without looking at every key. Belongs here: the table of revisions and how it is made.
Does not belong here: which rows are new versions (`duplicates.py`) and how readers use revisions
(`known.py`).
"""

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import duckdb
import pyarrow as pa

from engagement_assets.source.contract import (
    CONSENTS,
    MERGES,
    OWNER,
    RECORDED_AT,
    WITHDRAWALS,
    SourceTable,
)
from resources.sql import quote_name, quote_text
from resources.tables import Column, Table

REVISIONS = Table(
    "source/revisions",
    (
        Column("table", "string", "The raw table", nullable=False),
        Column(
            "row_key",
            "string",
            "The row's key columns as text, joined by |",
            nullable=False,
            mentions_customer=True,
        ),
        Column("customer_id", "string", "Whom the row is about", names_customer=True),
        Column(
            "replaces_before",
            "timestamp",
            "Versions recorded before this no longer hold (UTC)",
            nullable=False,
        ),
        RECORDED_AT,
    ),
    description="Rows that replace or end earlier rows of the same key, from the day they became "
    "known.",
    unique=("table", "row_key", "replaces_before"),
    owner=OWNER,
)

# What corrects the rows of other raw tables, or says whose may be read: read with each of them.
CORRECTIONS = (REVISIONS.key, f"source/{MERGES}", f"source/{CONSENTS}")


def row_key_sql(table: SourceTable, alias: str) -> str:
    """The key columns of a row as one text."""
    parts = [
        f"{alias}.{quote_name(column.name)}"
        if column.type == "string"
        # milliseconds since 1970: each engine would write a time its own way
        else "CAST(DATE_DIFF('MILLISECOND', CAST('1970-01-01' AS TIMESTAMP), "
        f"{alias}.{quote_name(column.name)}) AS VARCHAR)"
        for column in table.columns
        if column.name in table.row_key
    ]
    return parts[0] if len(parts) == 1 else " || '|' || ".join(parts)


def revisions_of(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, typed: str, versions: Sequence[int]
) -> pa.Table | None:
    """Note the rows of a batch that replace or end earlier ones.

    Args:
        connection: Where the raw rows are registered.
        table: The contract.
        typed: A `SELECT` of the batch's typed columns with `_row` and `_day`.
        versions: `_row` of the rows that are new versions.

    Returns:
        Revisions with `_day`; None where there are none.
    """
    noun, key, until = quote_text(table.noun), row_key_sql(table, "typed"), "recorded_at"
    if table.noun == WITHDRAWALS:
        # a withdrawal names another table's row, all of whose versions end
        noun, key, until = '"table"', "row_key", "recorded_at + INTERVAL 1 MILLISECOND"
    elif not versions:
        return None
    connection.register("versions", pa.table({"_row": pa.array(versions, pa.int64())}))
    chosen = "" if table.noun == WITHDRAWALS else "WHERE _row IN (FROM versions)"
    rows = connection.execute(
        f'SELECT {noun} AS "table", {key} AS row_key, customer_id, {until} AS replaces_before, '  # noqa: S608 - declared names
        f"recorded_at, _day FROM ({typed}) AS typed {chosen} ORDER BY _day, 1, 2, 4"
    ).to_arrow_table()
    return rows if rows.num_rows else None


def earlier_rows(
    connection: duckdb.DuckDBPyConnection,
    table: SourceTable,
    typed: str,
    *,
    first: date,
    dated: bool,
    lookback: int,
    keys_since: Callable[[date], pa.Table | None],
    rows_of: Callable[[Sequence[date]], pa.Table],
) -> pa.Table | None:
    """Read the rows of the days before a batch that may have a key of the batch.

    A row is recorded on the day it happened or later, so the versions of one that happened within
    the batch lie within it; one whose time was put off is looked for over the lookback.

    Args:
        connection: Where the raw rows are registered.
        table: The contract.
        typed: A `SELECT` of the batch's typed columns.
        first: First day of the batch.
        dated: Whether the source says when a row became known.
        lookback: Days before the batch in which a key is looked for whenever its row happened.
        keys_since: Reads key columns and `_day` of the good rows from a day on, up to the batch.
        rows_of: Reads the good rows of some days, with `_day`.

    Returns:
        The rows; None where no key of the batch is among them.
    """
    since = first - timedelta(days=lookback)
    if dated:
        event = quote_name(table.event_time)
        happened = connection.execute(
            f"SELECT min(CAST({event} AS DATE)) FROM ({typed}) WHERE isfinite({event})"  # noqa: S608 - declared names
        ).fetchone()
        since = min(since, happened[0] if happened and happened[0] else first)
    keys = keys_since(since)
    if keys is None:
        return None
    connection.register("earlier_keys", keys)
    key = ", ".join(quote_name(name) for name in table.row_key)
    days = connection.execute(
        f"SELECT DISTINCT _day FROM earlier_keys WHERE hash({key}) IN "  # noqa: S608 - declared names
        f"(SELECT hash({key}) FROM ({typed})) ORDER BY _day"
    ).fetchall()
    return rows_of([day for (day,) in days]) if days else None
