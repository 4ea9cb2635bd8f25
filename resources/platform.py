"""Dagster resources for the lake and its engine.

Belongs here: configuration of the ground that assets stand on. Does not belong here: what a
deployment chooses (`engagement_assets.deployments.resources`).
"""

from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from resources.engine import DuckDBEngine, Engine
from resources.lake import Lake, Written
from resources.sql import SqlFolder
from resources.tables import Table, by_sql_name


class LakeResource(dg.ConfigurableResource):
    """The lake of Parquet tables."""

    root: str = Field(description="Folder or URL under which all tables lie.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="What fsspec needs for that URL; nothing for a folder."
    )
    key_file: str = Field(
        default="", description="A file with the key that encrypts the files of a folder."
    )

    @property
    def lake(self) -> Lake:
        """The lake."""
        return Lake(self.root, self.options, self.key_file)


class EngineResource(dg.ConfigurableResource):
    """What runs SQL over the lake; each deployment has its own kind."""

    lake: dg.ResourceDependency[LakeResource]
    sql_root: str = Field(description="Folder of the SQL files.")

    @property
    def sql(self) -> SqlFolder:
        """The SQL files."""
        return SqlFolder(Path(self.sql_root))

    @abstractmethod
    def engine(self, tables: Iterable[Table]) -> Engine:
        """An engine that knows these tables even before they have rows."""


def note_landed(context: dg.AssetExecutionContext, written: Written, **more: Any) -> None:
    """Say in the metadata of a partition what was landed, and what it cost."""
    context.add_asset_metadata(
        {"dagster/row_count": written.rows, **more, **written.cost_metadata},
        asset_key=dg.AssetKey.from_user_string(written.table),
        partition_key=str(written.day),
    )


class DuckDBEngineResource(EngineResource):
    """DuckDB over the lake, a local Athena."""

    threads: int = Field(default=2, description="Threads of a query; raise it on more cores.")
    memory_limit: str = Field(
        default="6GB", description="What a query may use before it spills to disk."
    )

    def engine(self, tables: Iterable[Table]) -> DuckDBEngine:
        """An engine that knows these tables even before they have rows."""
        return DuckDBEngine(
            self.lake.lake,
            declared=by_sql_name(tables),
            threads=self.threads,
            memory_limit=self.memory_limit,
        )
