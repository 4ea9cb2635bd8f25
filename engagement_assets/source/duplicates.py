"""Keys that come more than once: rows once more, two rows with one key, and new versions.

Belongs here: what a row of a batch is to an earlier row of its key, in the batch or in the
partitions of the days before. Does not belong here: the rules about one row (`rules.py`).

Where the source says when a row became known, a row that says something else than the row of its
key before it, later, is a new version. Where it does not, a key that lies in the same partition or
in one of the `lookback` days before is taken twice. Either way a row that says the same is the row
once more, and of two that say different things at one instant the first by all columns holds. Rows
that are refused for another reason come before nothing, so that a corrected delivery is taken. The
outcome does not depend on how many days are read at once.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import duckdb
import pyarrow as pa

from engagement_assets.source.contract import RECORDED_AT, SourceTable
from resources.sql import quote_name


@dataclass
class Repeats:
    """Rows whose key an earlier row has, by `_row`.

    Attributes:
        same: Rows that say what the earlier row says.
        conflicting: Rows with the earlier row's key that say something else.
        versions: Rows that replace the earlier row from their `recorded_at` on.
    """

    same: list[int] = field(default_factory=list)
    conflicting: list[int] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)


def repeated_rows(
    connection: duckdb.DuckDBPyConnection,
    table: SourceTable,
    *,
    typed: str,
    before: pa.Table | None,
    refused: Collection[int],
    lookback: int,
    dated: bool,
) -> Repeats:
    """Sort the rows of a batch whose key comes more than once.

    Args:
        connection: Where the raw rows are registered.
        table: The contract.
        typed: A `SELECT` of the batch's typed columns with `_row` and `_day`.
        before: Good rows of the days before, with `_day`, among them all that have a key of the
            batch and lie where such a row is looked for; None where there are none.
        refused: `_row` of rows that are refused for another reason.
        lookback: Days before a row's own in which its key is looked for.
        dated: Whether the source says when a row became known, so that a key that comes again
            later is a new version; it is looked for from the day on which the row happened, too.
    """
    key = ", ".join(quote_name(name) for name in table.row_key)
    present = " AND ".join(f"{quote_name(name)} IS NOT NULL" for name in table.row_key)
    keys = f"SELECT hash({key}) AS h FROM ({typed}) WHERE {present}"
    if before is not None:
        connection.register("before_rows", before)
        keys += f" UNION ALL SELECT hash({key}) FROM before_rows"
    twice = connection.execute(f"SELECT count(*) > count(DISTINCT h) FROM ({keys})").fetchone()
    if not twice or not twice[0]:
        return Repeats()
    compared = [column.name for column in table.columns if column != RECORDED_AT]
    event = quote_name(table.event_time)
    content = ", ".join(quote_name(name) for name in compared)
    suspects = f"WITH twice AS (SELECT h FROM ({keys}) GROUP BY h HAVING count(*) > 1)"
    parts = [f"SELECT _row, _day, recorded_at, {content} FROM ({typed}) WHERE {present}"]
    if before is not None:
        parts.append(f"SELECT -1, _day, recorded_at, {content} FROM before_rows")
    rows = connection.execute(
        f"{suspects} SELECT _row, _day, CAST({event} AS DATE), recorded_at, hash({content}), {key} "
        f"FROM ({' UNION ALL '.join(parts)}) WHERE hash({key}) IN (FROM twice) "
        f"ORDER BY {key}, _day, recorded_at, _row >= 0, {content}, _row"
    ).fetchall()
    repeats = Repeats()
    sort = _sort_versions if dated else _sort_undated
    for _, group in groupby(rows, key=lambda row: row[5:]):
        sort(group, repeats, refused, timedelta(days=lookback))
    return repeats


def _sort_versions(
    group: Any, repeats: Repeats, refused: Collection[int], lookback: timedelta
) -> None:
    last: tuple[date, Any, int] | None = None
    for number, day, happened, recorded, content, *_key in group:
        if number in refused:
            continue
        if number >= 0 and last is not None and last[0] >= min(happened, day - lookback):
            if content == last[2]:
                repeats.same.append(number)
                continue
            if recorded == last[1]:
                repeats.conflicting.append(number)
                continue
            repeats.versions.append(number)
        last = (day, recorded, content)


def _sort_undated(
    group: Any, repeats: Repeats, refused: Collection[int], lookback: timedelta
) -> None:
    last_good: date | None = None
    contents: set[int] = set()
    for number, day, _happened, _recorded, content, *_key in group:
        if number >= 0 and last_good is not None and day - last_good <= lookback:
            (repeats.same if content in contents else repeats.conflicting).append(number)
        elif number < 0 or number not in refused:
            last_good = day
            contents.add(content)
