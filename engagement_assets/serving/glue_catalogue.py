"""The catalogue on AWS: every declared table in Glue, for Athena and whatever reads Glue.

Belongs here: which tables it holds. Does not belong here: what a Glue table is
(`resources.aws.glue`).
"""

from datetime import date

from pydantic import Field

from engagement_assets.decisions.customers.declared import prediction_schemas
from engagement_assets.features.labels import LABELS
from engagement_assets.governance.declared import (
    FAIRNESS_MEASURES,
    FAIRNESS_MEASURES_SCHEMA,
    REVIEW_QUEUE,
    REVIEW_QUEUE_SCHEMA,
)
from engagement_assets.serving.catalogue import Catalogue, Published
from engagement_assets.source.quarantine import QUARANTINE, QUARANTINE_SCHEMA
from resources.aws.glue import GlueTables
from resources.engine import Engine
from resources.schema import TableSchema


def catalogue_schemas() -> dict[str, TableSchema]:
    """Every table that analysts find, as `<group>.<table>`."""
    further = {label.table: label.schema for label in LABELS.values()} | {
        FAIRNESS_MEASURES: FAIRNESS_MEASURES_SCHEMA,
        REVIEW_QUEUE: REVIEW_QUEUE_SCHEMA,
        QUARANTINE: QUARANTINE_SCHEMA,
    }
    return {
        **prediction_schemas(),
        **{name.replace("/", "."): schema for name, schema in further.items()},
    }


class GlueCatalogue(Catalogue):
    """The tables of the lake in a Glue database."""

    database: str = Field(description="The Glue database.")
    region: str = Field(description="Its region.")
    root: str = Field(description="Root of the lake, s3://bucket/prefix.")
    first_day: str = Field(description="First day that a partition may have, as an ISO date.")

    def publish(self, engine: Engine) -> Published:
        """Make or mend the tables, those that the engine reads as well."""
        tables = self.tables.sync({**catalogue_schemas(), **engine.declared})
        return Published(f"glue://{self.region}/{self.database}", tables)

    def exists(self) -> bool:
        """Whether every table is there as declared."""
        glue = self.tables
        return not any(
            glue.problems(table, schema) for table, schema in catalogue_schemas().items()
        )

    @property
    def tables(self) -> GlueTables:
        """The tables as Glue holds them."""
        return GlueTables(self.database, self.region, self.root, date.fromisoformat(self.first_day))
