"""The catalogue of the lake for analysts, and its form on this machine.

Belongs here: what a catalogue is, and the read-only DuckDB file of views over every lake table.
Does not belong here: the tables, and the catalogue on AWS.
"""

import uuid
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from dagster_duckdb import DuckDBResource
from pydantic import Field

from resources.engine import DuckDBEngine, Engine

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


class CatalogueFile(Catalogue):
    """A DuckDB file of views, for `duckdb -readonly`."""

    path: str = Field(description="The DuckDB file.")

    def publish(self, engine: Engine) -> Published:
        """Write the file."""
        if not isinstance(engine, DuckDBEngine):
            raise TypeError("a DuckDB catalogue is of a lake that DuckDB reads")
        return Published(self.path, write_catalogue(engine, Path(self.path)))

    def exists(self) -> bool:
        """Whether the file is there."""
        return Path(self.path).exists()


def write_catalogue(engine: DuckDBEngine, path: Path) -> list[str]:
    """Write a DuckDB file of views over a local lake, beside and then swapped in.

    The file holds no rows, so it stays small and a query always sees the newest partitions. Open
    it with `duckdb -readonly`. It holds absolute paths: make it again where the lake is moved.

    Its tables are given back as `<group>.<table>`.
    """
    root = Path(engine.lake.root)
    tables = sorted(
        f"{table.parent.name}.{table.name}"
        for table in root.glob("*/*")
        if table.is_dir() and table.parent.name not in NOT_TABLES and any(table.iterdir())
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with DuckDBResource(database=str(beside)).get_connection() as connection:
        for table in tables:
            connection.execute(engine.view(table))
    beside.replace(path)
    return tables
