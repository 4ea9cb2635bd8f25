"""Dagster resources of the deployment on AWS.

Belongs here: configuration of Athena. Does not belong here: what a deployment chooses
(`engagement_assets.deployments.resources`).
"""

from collections.abc import Iterable
from datetime import date

from pydantic import Field

from resources.aws.glue import GlueTables
from resources.engine import Engine
from resources.platform import EngineResource
from resources.tables import Table, by_sql_name


class AthenaEngineResource(EngineResource):
    """Athena over the lake on S3."""

    region: str = Field(description="Region of Athena, Glue and the bucket.")
    database: str = Field(description="Glue database of the lake's tables.")
    workgroup: str = Field(description="Athena workgroup; its limit on scanned bytes holds.")
    first_day: str = Field(description="First day that a partition may have, as an ISO date.")
    query_timeout_seconds: float = Field(
        default=600.0, description="A query that runs longer is stopped; raise it for backfills."
    )
    usd_per_terabyte: float = Field(
        default=5.0, description="Price of a scanned terabyte; change it to your region's."
    )

    def engine(self, tables: Iterable[Table]) -> Engine:
        """An engine that knows these tables even before they have rows."""
        from resources.aws.athena import AthenaEngine  # noqa: PLC0415 - AWS only

        return AthenaEngine(
            self.lake.lake,
            self.tables,
            self.workgroup,
            declared=by_sql_name(tables),
            query_timeout_seconds=self.query_timeout_seconds,
            usd_per_terabyte=self.usd_per_terabyte,
        )

    @property
    def tables(self) -> GlueTables:
        """The lake's tables as Glue holds them."""
        root, first_day = self.lake.root, date.fromisoformat(self.first_day)
        return GlueTables(self.database, self.region, root, first_day)
