"""The unified predictions as assets.

Belongs here: wrapping the SQL for Dagster. Does not belong here: their SQL and
columns (`declared.py`).
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import dagster as dg

from engagement_assets.decisions.customers.declared import (
    CHANGES,
    CHANGES_SCHEMA,
    CUSTOMERS,
    CUSTOMERS_SCHEMA,
    USE_CASES,
    changes_parameters,
    changes_query,
    customers_query,
    prediction_schemas,
)
from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.lifecycle.checks import prediction_blocking
from engagement_assets.settings.partitions import DAILY, partition_days
from resources.checks import (
    daily_counts,
    keys_measures,
    keys_outcome,
    result,
    run_days,
    schema_outcome,
    volume_outcome,
)
from resources.engine import Engine
from resources.gate import require_checks
from resources.io_managers import COLUMN_SCHEMA, ui_schema
from resources.platform import EngineResource, LakeResource

OWNERS = ["team:data-science"]
CODE_VERSION = "1"
GROUP = "predictions"
KINDS = {"sql", "duckdb", "parquet"}
KEY = ["customer_id"]


@dg.multi_asset(
    name="unified_predictions",
    specs=[
        dg.AssetSpec(
            CUSTOMERS.split("/"),
            description="Everything that the models say of a customer, one row a customer: scores, "
            "bands, quantiles, reasons, recommended posts, actions due, model versions.",
            group_name=GROUP,
            owners=OWNERS,
            kinds=KINDS,
            code_version=CODE_VERSION,
            deps=[CUSTOMER_FEATURES.split("/"), *(spec.output.split("/") for spec in USE_CASES)],
            metadata={COLUMN_SCHEMA: ui_schema(CUSTOMERS_SCHEMA)},
        ),
        dg.AssetSpec(
            CHANGES.split("/"),
            description="What moved since the day before and why: customers of whom a score moved "
            "by its least change or more, or whose band or review changed.",
            group_name=GROUP,
            owners=OWNERS,
            kinds=KINDS,
            code_version=CODE_VERSION,
            deps=[CUSTOMERS.split("/")],
            metadata={COLUMN_SCHEMA: ui_schema(CHANGES_SCHEMA)},
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
    blocking = [key for spec in USE_CASES for key in prediction_blocking(spec)]
    require_checks(context.instance, blocking, days=days)
    run = engine.engine(prediction_schemas())
    for day in days:
        for table, metadata in _land_day(run, day).items():
            context.add_asset_metadata(
                metadata, asset_key=table.split("/"), partition_key=day.isoformat()
            )
    for table in (CUSTOMERS, CHANGES):
        yield dg.MaterializeResult(asset_key=table.split("/"))


def _land_day(run: Engine, day: date) -> dict[str, dict[str, Any]]:
    """Land both tables of a day; what each says of itself."""
    customers = run.land(
        customers_query(),
        {"snapshot_date": day},
        into=CUSTOMERS,
        schema=CUSTOMERS_SCHEMA,
        day=day,
    )
    day_before = day - timedelta(days=1)
    changes = run.land(
        changes_query(),
        changes_parameters(day),
        into=CHANGES,
        schema=CHANGES_SCHEMA,
        day=day,
    )
    compared = run.lake.exists(CUSTOMERS, day_before)
    return {
        CUSTOMERS: {"dagster/row_count": customers.rows, **customers.cost_metadata},
        CHANGES: {
            "dagster/row_count": changes.rows,
            **changes.cost_metadata,
            "compared_with": day_before.isoformat()
            if compared
            else "nothing: there are no predictions of the day before",
        },
    }


DESCRIPTIONS = {
    "schema": "The partition is there, whole, and has the declared columns and types.",
    "keys": "Every customer stands there once.",
    "volume": "The number of customers lies near that of the 7 days before.",
}
BLOCKING = ("schema", "keys")
SPECS = [
    dg.AssetCheckSpec(name, asset=CUSTOMERS.split("/"), description=text, blocking=name in BLOCKING)
    for name, text in DESCRIPTIONS.items()
]


@dg.multi_asset_check(name="unified_prediction_checks", specs=SPECS, can_subset=True)
def unified_prediction_checks(
    context: dg.AssetCheckExecutionContext, lake: LakeResource, engine: EngineResource
) -> Iterator[dg.AssetCheckResult]:
    """Check the unified predictions of this run."""
    there = lake.lake.days(CUSTOMERS)
    days = run_days(context, there)
    run = engine.engine(prediction_schemas())
    counts = daily_counts(run, CUSTOMERS, keys_measures(KEY), days)
    rows = {day: lake.lake.row_count(CUSTOMERS, day) for day in there}
    judges = {
        "schema": lambda: schema_outcome(run, CUSTOMERS, CUSTOMERS_SCHEMA, days),
        "keys": lambda: keys_outcome(counts, KEY),
        "volume": lambda: volume_outcome(rows, days[-1]),
    }
    for key in sorted(context.selected_asset_check_keys):
        yield result(key, judges[key.name](), days, warn=key.name not in BLOCKING)


ASSETS = [unified_predictions]
CHECKS = [unified_prediction_checks]
