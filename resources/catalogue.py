"""The catalogue of the lake for analysts, and the file that it is on this machine.

Belongs here: what a catalogue is, and writing a read-only DuckDB file of views over lake tables.
Does not belong here: the tables, what a view shows of them, and the catalogue on AWS.
"""

import uuid
from abc import abstractmethod
from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import duckdb
from dagster_duckdb import DuckDBResource

from resources.engine import Engine, view_of
from resources.lake import Lake

NOT_TABLES = ("truth",)


@dataclass(frozen=True)
class Published:
    """A catalogue as it was made: where analysts find it, and its tables."""

    where: str
    tables: list[str]


class Catalogue(dg.ConfigurableResource):
    """Where analysts find every table; each deployment has its own kind."""

    @abstractmethod
    def publish(self, engine: Engine) -> Published:
        """Make it, or make it again."""

    @abstractmethod
    def exists(self) -> bool:
        """Whether it was made."""


def write_catalogue(
    lake: Lake,
    path: Path,
    rows: Callable[[duckdb.DuckDBPyConnection, str], str],
    known: Container[str],
) -> list[str]:
    """Write a DuckDB file of views over a local lake, beside and then swapped in.

    The file holds no rows, so it stays small and a query always sees the newest partitions. Open
    it with `duckdb -readonly`. It holds absolute paths: make it again where the lake is moved.

    Its tables are given back as `<group>.<table>`.

    Args:
        lake: The tables.
        path: The file.
        rows: Makes the SELECT of each view; it may read the lake by the connection.
        known: Tables that may be in it, as `<group>.<table>`.
    """
    tables = sorted(
        f"{table.parent.name}.{table.name}"
        for table in Path(lake.root).glob("*/*")
        if table.is_dir() and table.parent.name not in NOT_TABLES and any(table.iterdir())
    )
    tables = [table for table in tables if table in known]
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with DuckDBResource(database=str(beside)).get_connection() as connection:
        for table in tables:
            connection.execute(view_of(table, rows(connection, table)))
    beside.replace(path)
    return tables
