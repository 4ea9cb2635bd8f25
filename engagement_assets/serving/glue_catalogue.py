"""The catalogue on AWS: every declared table in Glue, for Athena and whatever reads Glue.

Belongs here: which tables it holds. Does not belong here: what a Glue table is
(`resources.aws.glue`).
"""

import dagster as dg

from engagement_assets.governance.tables import KNOWN_TABLES
from resources.aws.glue import GlueTables
from resources.aws.platform import AthenaEngineResource
from resources.catalogue import Catalogue, Published
from resources.engine import Engine


class GlueCatalogue(Catalogue):
    """The tables of the lake in a Glue database."""

    engine: dg.ResourceDependency[AthenaEngineResource]

    def publish(self, engine: Engine) -> Published:
        """Make or mend the tables that the engine knows."""
        tables = self.tables.sync(engine.declared.values())
        return Published(f"glue://{self.engine.region}/{self.engine.database}", tables)

    def exists(self) -> bool:
        """Whether every table is there as declared."""
        return not any(self.tables.problems(table) for table in KNOWN_TABLES)

    @property
    def tables(self) -> GlueTables:
        """The tables as Glue holds them."""
        return self.engine.tables
