"""The read-only DuckDB catalogue for analysts: a view of every lake table.

Belongs here: making the file. Does not belong here: the tables.
"""

import uuid
from pathlib import Path

import duckdb

from resources.engine import DuckDBEngine

NOT_TABLES = ("truth",)


def write_catalogue(engine: DuckDBEngine, path: Path) -> list[str]:
    """Write a DuckDB file of views over the lake, beside and then swapped in.

    The file holds no rows, so it stays small and a query always sees the newest partitions. Open
    it with `duckdb -readonly`. It holds absolute paths: make it again where the lake is moved.

    Args:
        engine: Knows the lake, which must be a local folder.
        path: The file.

    Returns:
        The tables, as `<group>.<table>`.
    """
    root = Path(engine.lake.root)
    tables = sorted(
        f"{table.parent.name}.{table.name}"
        for table in root.glob("*/*")
        if table.is_dir() and table.parent.name not in NOT_TABLES and any(table.iterdir())
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    connection = duckdb.connect(str(beside))
    try:
        for table in tables:
            connection.execute(engine.view(table))
    finally:
        connection.close()
    beside.replace(path)
    return tables
