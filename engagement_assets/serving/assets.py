"""What analysts open, as assets.

Belongs here: wrapping `catalogue.py` for Dagster. Does not belong here: the tables themselves.
"""

from pathlib import Path

import dagster as dg
from pydantic import Field

from engagement_assets.decisions.customers.declared import CHANGES, CUSTOMERS, prediction_schemas
from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.governance.declared import REVIEW_QUEUE
from engagement_assets.serving.catalogue import write_catalogue
from resources.platform import EngineResource


class CatalogueFile(dg.ConfigurableResource):
    """Where the analysts' catalogue is written."""

    path: str = Field(description="The DuckDB file.")


@dg.asset(
    key=["lake", "catalogue"],
    description="A read-only DuckDB file with a view of every table of the lake, for analysts: "
    "`duckdb -readonly <file>`.",
    group_name="lake",
    owners=["team:data-platform"],
    kinds={"duckdb"},
    code_version="1",
    deps=[
        CUSTOMER_FEATURES.split("/"),
        CUSTOMERS.split("/"),
        CHANGES.split("/"),
        REVIEW_QUEUE.split("/"),
    ],
)
def lake_catalogue(engine: EngineResource, catalogue: CatalogueFile) -> dg.MaterializeResult:
    """Write the catalogue."""
    tables = write_catalogue(engine.engine(prediction_schemas()), Path(catalogue.path))
    return dg.MaterializeResult(
        metadata={
            "path": dg.MetadataValue.path(catalogue.path),
            "tables": len(tables),
            "views": dg.MetadataValue.md("\n".join(f"- `{table}`" for table in tables)),
        }
    )


ASSETS = [lake_catalogue]
