"""Masking as a SELECT of DuckDB: what a view shows of a table to who may not see people.

The same as `masking.py` does with rows, and the same pseudonyms. A view reads the key from its
file, which lies outside the home, so that neither the view nor a copy of the home holds it.

Belongs here: the masked columns of one table in SQL. Does not belong here: which catalogue has the
views (`serving`), masking rows in Python (`masking.py`).
"""

from pathlib import Path

import duckdb

from engagement_assets.governance.privacy.masking import (
    ELSEWHERE,
    LEAST_OF_A_PLACE,
    PSEUDONYM_DIGITS,
    WITHHELD,
)
from resources.engine import literal_path
from resources.key_files import KEY_BYTES
from resources.lake import PARTITION_COLUMN
from resources.sql import quote_name, quote_text
from resources.tables import DUCKDB_TYPES, Column, Table

# A block of SHA-256, to which HMAC fills up its key.
_BLOCK = 64
# Read at each query. A file that is not there has no rows, and one without a key an empty text.
_PADS = """WITH pads AS (
    SELECT
        xor(secret, from_hex(repeat('36', {block}))::BIT)::BLOB AS inner_pad,
        xor(secret, from_hex(repeat('5c', {block}))::BIT)::BLOB AS outer_pad
    FROM (
        SELECT from_hex(rpad(coalesce(
            max(nullif(regexp_extract(content, '^\\s*([0-9a-fA-F]{{{digits}}})\\s*$', 1), '')),
            error({missing})
        ), {padded}, '0'))::BIT AS secret
        FROM read_text({file})
    )
)
"""


def masked_rows(
    connection: duckdb.DuckDBPyConnection, table: Table, rows: str, *, key: Path
) -> str:
    """Return a SELECT of what may be seen of a table by who may not see people.

    A column that is not declared is left out: nobody knows whether it is personal. Places are those
    that enough customers live in now; one that is new is `elsewhere` until the view is made again.

    Args:
        connection: Reads the rows for their columns and places.
        table: Its declaration.
        rows: The SELECT of its rows.
        key: The file of the pseudonyms' key.

    Raises:
        duckdb.Error: The rows cannot be read.
    """
    there = [name for name, *_ in connection.execute(f"DESCRIBE {rows}").fetchall()]
    declared = {column.name: column for column in table.columns}
    shown = [
        f"{_masked(connection, declared[name], table, rows, there)} AS {quote_name(name)}"
        if name in declared
        else quote_name(name)
        for name in there
        if name in declared or name == PARTITION_COLUMN
    ]
    head, source = "", f"({rows})"
    if any(declared[name].masking == "pseudonym" for name in there if name in declared):
        head, source = _pads(key), f"({rows}), pads"
    return f"{head}SELECT {', '.join(shown)} FROM {source}"


def _pads(key: Path) -> str:
    """Return the clause that makes both pads of HMAC-SHA-256 of the key in a file."""
    return _PADS.format(
        block=_BLOCK,
        digits=2 * KEY_BYTES,
        padded=2 * _BLOCK,
        missing=quote_text(f"{key} holds no key of the pseudonyms: make the catalogue again"),
        file=quote_text(literal_path(str(key))),
    )


def _masked(
    connection: duckdb.DuckDBPyConnection,
    column: Column,
    table: Table,
    rows: str,
    there: list[str],
) -> str:
    name = quote_name(column.name)
    kind = DUCKDB_TYPES[column.type]
    if column.masking == "pseudonym":
        digest = f"sha256(outer_pad || from_hex(sha256(inner_pad || encode({name}))))"
        return f"'p_' || left({digest}, {PSEUDONYM_DIGITS})"
    if column.masking == "decade" and column.type == "date":
        return f"make_date(year({name}) // 10 * 10, 1, 1)"
    if column.masking == "decade":
        return f"CAST(floor({name} / 10) * 10 AS {kind})"
    if column.masking == "place":
        return _place(connection, column, table, rows, there)
    if column.masking:
        shown = quote_text(WITHHELD) if column.type == "string" else "NULL"
        return f"CAST(CASE WHEN {name} IS NOT NULL THEN {shown} END AS {kind})"
    return name


def _place(
    connection: duckdb.DuckDBPyConnection,
    column: Column,
    table: Table,
    rows: str,
    there: list[str],
) -> str:
    name = quote_name(column.name)
    wide = f"split_part({name}, '/', 1)"
    # without a column of customers each row may be the same person's
    who = [quote_name(one) for one in table.customer_columns if one in there] or ["0"]
    people = f"count(DISTINCT {who[0]})"
    known = connection.execute(
        f"SELECT {wide} AS place FROM ({rows}) WHERE {name} IS NOT NULL "
        f"GROUP BY place HAVING {people} >= {LEAST_OF_A_PLACE} ORDER BY place"
    ).fetchall()
    # an empty text is no place, and keeps the list legal where no place is shown
    places = ", ".join(quote_text(place) for place in ["", *(place for (place,) in known)])
    hidden = f"WHEN {name} IS NOT NULL THEN {quote_text(ELSEWHERE)}"
    return f"CASE WHEN {wide} IN ({places}) THEN {wide} {hidden} END"
