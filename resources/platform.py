"""Dagster resources for the lake and its engine.

Belongs here: configuration of the ground that assets stand on. Does not belong here: what a
deployment chooses (`engagement_assets.deployment`).
"""

from collections.abc import Mapping
from pathlib import Path

import dagster as dg
from pydantic import Field

from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.schema import TableSchema
from resources.sql import SqlFolder


class LakeResource(dg.ConfigurableResource):
    """The lake of Parquet tables."""

    root: str = Field(description="Folder or URL under which all tables lie.")

    @property
    def lake(self) -> Lake:
        """The lake."""
        return Lake(self.root)


class EngineResource(dg.ConfigurableResource):
    """DuckDB over the lake, a local Athena."""

    lake: dg.ResourceDependency[LakeResource]
    sql_root: str = Field(description="Folder of the SQL files.")
    threads: int = Field(default=2, description="Threads of a query; raise it on more cores.")
    memory_limit: str = Field(
        default="6GB", description="What a query may use before it spills to disk."
    )

    @property
    def sql(self) -> SqlFolder:
        """The SQL files."""
        return SqlFolder(Path(self.sql_root))

    def engine(self, declared: Mapping[str, TableSchema]) -> DuckDBEngine:
        """An engine that knows these tables even before they have rows."""
        return DuckDBEngine(
            self.lake.lake,
            declared=declared,
            threads=self.threads,
            memory_limit=self.memory_limit,
        )
