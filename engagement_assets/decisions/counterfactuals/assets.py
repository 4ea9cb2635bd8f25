"""Counterfactuals of customers at risk as a daily asset.

Belongs here: wrapping `advice.py` for Dagster. Does not belong here: what it computes.
"""

from typing import Any

import dagster as dg

from engagement_assets.decisions.counterfactuals.tables import ADVICE, TABLES
from engagement_assets.decisions.experiments.tables import RESULTS
from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.features.checks import FEATURE_BLOCKING
from engagement_assets.lifecycle.resource import ModelSettings
from engagement_assets.models.specs import MODELS
from engagement_assets.settings.partitions import DAILY, partition_days
from engagement_assets.source.resource import SourceResource
from resources.checks import table_checks
from resources.gate import require_checks
from resources.io_managers import RegistryResource, asset_fields
from resources.platform import EngineResource
from resources.tables import asset_keys

WITH_GOAL = tuple(spec for spec in MODELS if spec.goal is not None)


@dg.asset(
    **asset_fields(ADVICE),
    deps=[
        *asset_keys({CUSTOMER_FEATURES, RESULTS.key, *(spec.predictions for spec in WITH_GOAL)}),
        *([spec.name, "champion"] for spec in WITH_GOAL),
    ],
    kinds={"parquet", "python"},
    code_version="1",
    io_manager_key="tables",
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def counterfactual_advice(
    context: dg.AssetExecutionContext,
    source: SourceResource,
    engine: EngineResource,
    registry: RegistryResource,
    settings: ModelSettings,
) -> Any:
    """Advise the customers at risk of each day of the run."""
    from engagement_assets.decisions.counterfactuals.day import advise_days  # noqa: PLC0415 - heavy
    from engagement_assets.lifecycle.access import inputs_of  # noqa: PLC0415 - loads pandas
    from engagement_assets.lifecycle.daily import one_or_all  # noqa: PLC0415 - loads pandas

    days = partition_days(context)
    require_checks(context.instance, FEATURE_BLOCKING, days=days)
    inputs = {
        spec.name: inputs_of(
            spec, engine=engine, registry=registry, source=source, settings=settings
        )
        for spec in WITH_GOAL
    }
    made = {}
    for day, advised in advise_days(inputs, days).items():
        for text in advised.notes:
            context.log.warning("%s: %s", day, text)
        context.add_asset_metadata(
            {
                "dagster/row_count": len(advised.table),
                "at_risk": advised.at_risk,
                "notes": dg.MetadataValue.md("\n".join(f"- {text}" for text in advised.notes)),
            },
            asset_key=ADVICE.asset_key,
            partition_key=day.isoformat(),
        )
        made[day.isoformat()] = advised.table
    return one_or_all(made)


ASSETS = [counterfactual_advice]
CHECKS = [table_checks("counterfactual_checks", TABLES)]
