"""The catalogue on AWS: every declared table in Glue, for Athena and whatever reads Glue.

Belongs here: which tables it holds. Does not belong here: what a Glue table is
(`resources.aws.glue`).
"""

from datetime import date

from pydantic import Field

from engagement_assets.governance.tables import KNOWN_TABLES
from engagement_assets.serving.catalogue import Catalogue, Published
from resources.aws.glue import GlueTables
from resources.engine import Engine


class GlueCatalogue(Catalogue):
    """The tables of the lake in a Glue database."""

    database: str = Field(description="The Glue database.")
    region: str = Field(description="Its region.")
    root: str = Field(description="Root of the lake, s3://bucket/prefix.")
    first_day: str = Field(description="First day that a partition may have, as an ISO date.")

    def publish(self, engine: Engine) -> Published:
        """Make or mend the tables that the engine knows."""
        tables = self.tables.sync(engine.declared.values())
        return Published(f"glue://{self.region}/{self.database}", tables)

    def exists(self) -> bool:
        """Whether every table is there as declared."""
        glue = self.tables
        return not any(glue.problems(table) for table in KNOWN_TABLES)

    @property
    def tables(self) -> GlueTables:
        """The tables as Glue holds them."""
        return GlueTables(self.database, self.region, self.root, date.fromisoformat(self.first_day))
