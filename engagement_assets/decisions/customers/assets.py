"""The unified predictions as assets.

Belongs here: wrapping the SQL for Dagster. Does not belong here: their SQL and
columns (`unified.py`).
"""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from engagement_assets.decisions.customers.unified import (
    CHANGES_TABLE,
    CUSTOMERS,
    CUSTOMERS_TABLE,
    KNOWN_TABLES,
    USE_CASES,
    changes_parameters,
    changes_query,
    customers_query,
)
from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.settings.partitions import DAILY, partition_days
from resources.checks import blocking_keys, table_checks
from resources.gate import require_checks
from resources.io_managers import asset_fields
from resources.platform import EngineResource, note_landed
from resources.tables import asset_keys

CODE_VERSION = "1"
KINDS = {"sql", "duckdb", "parquet"}
TABLES = (CUSTOMERS_TABLE, CHANGES_TABLE)
NOT_COMPARED = "nothing: there are no predictions of the day before"


@dg.multi_asset(
    name="unified_predictions",
    specs=[
        dg.AssetSpec(
            **asset_fields(CUSTOMERS_TABLE),
            kinds=KINDS,
            code_version=CODE_VERSION,
            deps=asset_keys((CUSTOMER_FEATURES, *(spec.output for spec in USE_CASES))),
        ),
        dg.AssetSpec(
            **asset_fields(CHANGES_TABLE),
            kinds=KINDS,
            code_version=CODE_VERSION,
            deps=[CUSTOMERS_TABLE.asset_key],
        ),
    ],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    description="Puts the predictions of all models side by side, and beside those of the day "
    "before. A range of days is one run.",
)
def unified_predictions(
    context: dg.AssetExecutionContext, engine: EngineResource
) -> Iterator[dg.MaterializeResult]:
    """Land the unified predictions of this run."""
    days = partition_days(context)
    blocking = blocking_keys(spec.output for spec in USE_CASES)
    require_checks(context.instance, blocking, days=days)
    run = engine.engine(KNOWN_TABLES)
    for day in days:
        customers = run.land(
            customers_query(), {"snapshot_date": day}, into=CUSTOMERS_TABLE, day=day
        )
        note_landed(context, customers)
        changes = run.land(changes_query(), changes_parameters(day), into=CHANGES_TABLE, day=day)
        before = day - timedelta(days=1)
        compared = before.isoformat() if run.lake.exists(CUSTOMERS, before) else NOT_COMPARED
        note_landed(context, changes, compared_with=compared)
    for table in TABLES:
        yield dg.MaterializeResult(asset_key=table.asset_key)


ASSETS = [unified_predictions]
CHECKS = [table_checks("unified_prediction_checks", TABLES)]
