"""What analysts open, as assets.

Belongs here: wrapping `catalogue.py` for Dagster. Does not belong here: the tables themselves.
"""

import dagster as dg

from engagement_assets.decisions.customers.unified import CHANGES, CUSTOMERS
from engagement_assets.decisions.experiments.tables import RESULTS
from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.governance.tables import FAIRNESS_MEASURES, KNOWN_TABLES, REVIEW_QUEUE
from resources.catalogue import Catalogue
from resources.platform import EngineResource
from resources.tables import asset_keys


@dg.asset(
    key=["lake", "catalogue"],
    description="Every table of the lake, for analysts: a read-only DuckDB file of masked views "
    "(`duckdb -readonly <file>`), or on AWS the tables of a Glue database.",
    group_name="lake",
    owners=["team:data-platform"],
    kinds={"duckdb"},
    code_version="2",
    deps=asset_keys(
        (CUSTOMER_FEATURES, CUSTOMERS, CHANGES, REVIEW_QUEUE, FAIRNESS_MEASURES, RESULTS.key)
    ),
)
def lake_catalogue(engine: EngineResource, catalogue: Catalogue) -> dg.MaterializeResult:
    """Publish the catalogue."""
    made = catalogue.publish(engine.engine(KNOWN_TABLES))
    return dg.MaterializeResult(
        metadata={
            "path": dg.MetadataValue.path(made.where),
            "tables": len(made.tables),
            "views": dg.MetadataValue.md("\n".join(f"- `{table}`" for table in made.tables)),
        }
    )


ASSETS = [lake_catalogue]
