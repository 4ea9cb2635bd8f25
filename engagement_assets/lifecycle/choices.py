"""A decision's choices of a day as an asset, from its declaration.

Belongs here: wrapping a policy for Dagster. Does not belong here: the policy.
"""

from datetime import date
from typing import Any

import dagster as dg
import pandas as pd

from engagement_assets.lifecycle.access import inputs_of
from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.lifecycle.daily import one_or_all
from engagement_assets.lifecycle.decision import Policy
from engagement_assets.lifecycle.predictor import Context
from engagement_assets.lifecycle.resource import ModelSettings
from engagement_assets.lifecycle.spec import DecisionSpec
from engagement_assets.settings.partitions import DAILY, partition_days
from engagement_assets.source.resource import SourceResource
from resources.checks import blocking_keys
from resources.gate import VERSION, require_checks
from resources.io_managers import RegistryResource, asset_fields
from resources.lake import Lake
from resources.platform import EngineResource, LakeResource
from resources.tables import asset_keys


def choices_asset(spec: DecisionSpec) -> dg.AssetsDefinition:
    """Return choices of a day for every customer that the decision judges."""
    inputs = [f"{name}/predictions" for name in spec.listens_to]
    if spec.learnt:
        inputs += [name for name in spec.predicts_from if name not in inputs]
    champion = [dg.AssetKey([spec.name, "champion"])] if spec.learnt else []

    @dg.asset(
        **asset_fields(spec.table),
        kinds={"parquet", *spec.kinds},
        code_version=spec.code_version,
        deps=[*asset_keys(inputs), *champion],
        partitions_def=DAILY,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="tables",
    )
    def choices(
        context: dg.AssetExecutionContext,
        source: SourceResource,
        lake: LakeResource,
        engine: EngineResource,
        registry: RegistryResource,
        settings: ModelSettings,
    ) -> Any:
        """Choose for the customers of this run's days."""
        days = partition_days(context)
        require_checks(context.instance, blocking_keys(inputs), days=days)
        from engagement_assets.lifecycle.learnt import serving_policy  # noqa: PLC0415 - loads scipy

        policy = serving_policy(spec, registry.registry, settings.parameters(spec.parameters))
        read = inputs_of(spec, engine=engine, registry=registry, source=source, settings=settings)
        tables = {}
        for day in days:
            table = choices_of(spec, policy, lake.lake, day, inputs=read)
            counts = table["action"].value_counts()
            context.add_asset_metadata(
                {
                    "dagster/row_count": len(table),
                    VERSION: policy.version,
                    "actions": {str(name): int(count) for name, count in counts.items()},
                },
                asset_key=spec.table.asset_key,
                partition_key=day.isoformat(),
            )
            tables[day.isoformat()] = table
        return one_or_all(tables)

    return choices


def choices_of(
    spec: DecisionSpec, policy: Policy, lake: Lake, day: date, *, inputs: Inputs | None = None
) -> pd.DataFrame:
    """Return the choices of a day, with the columns of the spec's table.

    Args:
        spec: The decision.
        policy: What decides.
        lake: Where predictions are read from.
        day: The day.
        inputs: What a learnt decision reads its contexts from; a rule reads predictions alone.

    Raises:
        MissingPartitionError: Predictions that the decision looks at are not there.
    """
    context = Context(
        {name: lake.read(f"{name}/predictions", days=[day]).to_pandas() for name in spec.listens_to}
    )
    if inputs is not None and spec.learnt:
        chooser: Any = policy
        chosen = chooser.choose(chooser.decision.day_contexts(inputs, day))
    else:
        chosen = policy(pd.DataFrame(), context).table
    table: pd.DataFrame = chosen.assign(snapshot_date=day, policy_version=policy.version)
    return table[list(spec.table.names)]
