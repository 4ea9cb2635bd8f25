"""Keys that come more than once.

Belongs here: which rows of a batch repeat a key of an earlier row, in the batch or in the
partitions of the days before. Does not belong here: the rules about one row (`rules.py`).

A row repeats a key when a good row with that key was recorded in the same partition or in one of
the `lookback` days before; the first is the earliest by `recorded_at`, then by all columns. Rows
that are refused for another reason are never the first, so that a corrected delivery is taken. The
outcome does not depend on how many days are read at once.
"""

from collections.abc import Collection, Iterator
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engagement_assets.source.contract import RECORDED_AT, SourceTable
from resources.sql import quote_name


def repeated_rows(
    connection: duckdb.DuckDBPyConnection,
    table: SourceTable,
    *,
    typed: str,
    before: pa.Table | None,
    refused: Collection[int],
    lookback: int,
) -> npt.NDArray[np.int64]:
    """Find the rows of a batch that repeat a key.

    Args:
        connection: Where the raw rows are registered.
        table: The contract.
        typed: A `SELECT` of the batch's typed columns with `_row` and `_day`.
        before: Identity columns and `day` of the good rows of the days before, or None.
        refused: `_row` of rows that are refused for another reason.
        lookback: Days before a row's own in which its key must not occur.

    Returns:
        Their `_row` numbers, in order.
    """
    names = table.unique
    columns = ", ".join(quote_name(name) for name in names)
    present = " AND ".join(f"{quote_name(name)} IS NOT NULL" for name in names)
    keys = f"SELECT hash({columns}) AS h FROM ({typed}) WHERE {present}"
    if before is not None:
        connection.register("before_rows", before)
        keys += f" UNION ALL SELECT hash({columns}) FROM before_rows"
    repeats = connection.execute(f"SELECT count(*) > count(DISTINCT h) FROM ({keys})").fetchone()
    if not repeats or not repeats[0]:
        return np.empty(0, dtype=np.int64)
    rows = _candidates(connection, table, typed=typed, keys=keys, present=present, before=before)
    return np.array(sorted(_repeats(rows, refused=refused, lookback=lookback)), dtype=np.int64)


def _candidates(
    connection: duckdb.DuckDBPyConnection,
    table: SourceTable,
    *,
    typed: str,
    keys: str,
    present: str,
    before: pa.Table | None,
) -> list[tuple[Any, ...]]:
    """Rows whose key may come more than once: `(row, day, *identity)`, in order of precedence."""
    columns = ", ".join(quote_name(name) for name in table.unique)
    every = ", ".join(quote_name(field.name) for field in table.columns)
    suspects = f"WITH twice AS (SELECT h FROM ({keys}) GROUP BY h HAVING count(*) > 1)"
    batch = connection.execute(
        f"{suspects} SELECT _row, _day, {columns} FROM ({typed}) "
        f"WHERE {present} AND hash({columns}) IN (SELECT h FROM twice) "
        f'ORDER BY {columns}, _day, "{RECORDED_AT.name}", {every}, _row'
    ).fetchall()
    if before is None:
        return batch
    earlier = connection.execute(
        f"{suspects} SELECT -1, day, {columns} FROM before_rows "
        f"WHERE hash({columns}) IN (SELECT h FROM twice) ORDER BY {columns}, day"
    ).fetchall()
    # a stable sort: within a key, the days before come first and the batch keeps its order
    return sorted(earlier + batch, key=lambda row: row[2:])


def _repeats(
    rows: list[tuple[Any, ...]], *, refused: Collection[int], lookback: int
) -> Iterator[int]:
    for _, group in groupby(rows, key=lambda row: row[2:]):
        last_good: date | None = None
        for number, day, *_rest in group:
            repeats = last_good is not None and day - last_good <= timedelta(days=lookback)
            if number >= 0 and repeats:
                yield number
            elif number < 0 or number not in refused:
                last_good = day
