"""The champion's daily work as assets: predictions and explanations, from its declaration.

Belongs here: wrapping prediction and explanation for Dagster. Does not belong here: training
(`assets.py`) and what the product does with a score (the model's folder).
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg
import pandas as pd

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.features.checks import FEATURE_BLOCKING
from engagement_assets.learning import markdown
from engagement_assets.lifecycle.access import inputs_of
from engagement_assets.lifecycle.adapter import Inputs, ModelAdapter
from engagement_assets.lifecycle.resource import ModelSettings
from engagement_assets.lifecycle.shadow import shadow_days
from engagement_assets.lifecycle.spec import ModelSpec
from engagement_assets.settings.partitions import DAILY, partition_days
from engagement_assets.source.resource import SourceResource
from resources.gate import VERSION, require_checks
from resources.io_managers import RegistryResource, Report, asset_fields
from resources.platform import EngineResource
from resources.registry import RegisteredModel, registered
from resources.tables import asset_keys

SAMPLE_ROWS = 5
NOT_MADE = "not_made"


def daily_asset(spec: ModelSpec) -> dg.AssetsDefinition:
    """Return predictions and explanations of a day, made by the champion."""
    outs = {
        "predictions": dg.AssetOut(
            **asset_fields(spec.table),
            kinds={"parquet", *spec.kinds},
            code_version=spec.code_version,
            io_manager_key="tables",
        ),
    }
    if "explanations" in spec.daily_parts:
        outs["explanations"] = dg.AssetOut(
            **spec.asset_fields("explanations"), kinds={"report", "shap"}, io_manager_key="reports"
        )

    @dg.multi_asset(
        name=f"{spec.name}_daily",
        outs=outs,
        deps=[*asset_keys(spec.predicts_from), [spec.name, "champion"]],
        partitions_def=DAILY,
        # a job has one policy: what is made weekly is made beside assets of one day
        backfill_policy=dg.BackfillPolicy.single_run() if spec.made_each == "daily" else None,
        description="Predicts with the champion and explains every prediction. A range is one run.",
    )
    def daily(
        context: dg.AssetExecutionContext,
        source: SourceResource,
        engine: EngineResource,
        registry: RegistryResource,
        settings: ModelSettings,
    ) -> Iterator[dg.Output[Any]]:
        """Predict and explain the snapshots of this run."""
        days = partition_days(context)
        version = registry.registry.champion(spec.name)
        if CUSTOMER_FEATURES in spec.predicts_from:
            require_checks(context.instance, FEATURE_BLOCKING, days=days)
        if version is None:
            made = {day.isoformat(): _nothing(context, spec, day) for day in days}
            yield from _outputs(spec, made)
            return
        inputs = inputs_of(spec, engine=engine, registry=registry, source=source, settings=settings)
        model, adapter = registered(registry.registry, spec.name, version), spec.adapter()
        made = {
            day.isoformat(): _predict_day(context, spec, adapter, inputs, model, day)
            for day in days
        }
        tables = {day: made[day.isoformat()][0] for day in days}
        compared = shadow_days(spec, adapter, inputs, tables)
        if compared is not None:
            context.log.info("%s: %s", spec.name, compared)
        yield from _outputs(spec, made)

    return daily


def _outputs(
    spec: ModelSpec, made: dict[str, tuple[pd.DataFrame, Report]]
) -> Iterator[dg.Output[Any]]:
    for place, noun in enumerate(spec.daily_parts):
        values = {key: both[place] for key, both in made.items()}
        yield dg.Output(one_or_all(values), output_name=noun)


def _predict_day(
    context: dg.AssetExecutionContext,
    spec: ModelSpec,
    adapter: ModelAdapter,
    inputs: Inputs,
    model: RegisteredModel,
    day: date,
) -> tuple[pd.DataFrame, Report]:
    predicted = adapter.predict(inputs, model, day)
    for warning in predicted.warnings:
        context.log.warning("%s", warning)
    table = predicted.table.assign(snapshot_date=day, model_version=model.version)
    table = table[list(spec.table.names)]
    context.log.info("%s: %s rows predicted and explained", day, f"{len(table):,}")
    about: dict[str, dict[str, Any]] = {
        "predictions": {
            "dagster/row_count": len(table),
            **predicted.figures,
            "sample": dg.MetadataValue.md(_sample(spec, table)),
        },
        "explanations": {**predicted.explanation_figures, "rows_explained": len(table)},
    }
    for noun in spec.daily_parts:
        context.add_asset_metadata(
            {**about[noun], VERSION: model.version},
            asset_key=[spec.name, noun],
            partition_key=day.isoformat(),
        )
    figures = predicted.explanation | {VERSION: model.version}
    return table, Report(figures, predicted.explanation_text)


def _nothing(
    context: dg.AssetExecutionContext, spec: ModelSpec, day: date
) -> tuple[pd.DataFrame, Report]:
    """No predictions, for want of a champion, so that what follows runs; both say why."""
    reason = f"there is no {spec.name} champion yet: run the job `training`, whose assets say why"
    context.log.debug("%s", reason)
    for noun in spec.daily_parts:
        context.add_asset_metadata(
            {NOT_MADE: reason, "dagster/row_count": 0},
            asset_key=[spec.name, noun],
            partition_key=day.isoformat(),
        )
    empty = spec.table.empty().to_pandas()
    return empty, Report({NOT_MADE: reason}, f"No predictions: {reason}.")


def one_or_all(values: dict[str, Any]) -> Any:
    """Return a single partition's value, or all by partition key, as the IO managers take them."""
    return next(iter(values.values())) if len(values) == 1 else values


def _sample(spec: ModelSpec, table: pd.DataFrame) -> str:
    """Return the rows with the highest scores and their first two reasons, for the UI."""
    reasons = [n for n in (1, 2) if f"reason_{n}_feature" in table.columns]
    shown = [name for name in table.columns[:6] if name != "snapshot_date"]
    head = [*shown, *(f"reason {n}" for n in reasons)]
    rows = []
    for row in table.nlargest(SAMPLE_ROWS, spec.score).to_dict("records"):
        cells = [
            f"{row[name]:.3f}" if isinstance(row[name], float) else str(row[name]) for name in shown
        ]
        cells += [
            f"{row[f'reason_{n}_feature']} {row[f'reason_{n}_value']} "
            f"(typical {row[f'reason_{n}_typical']})"
            for n in reasons
        ]
        rows.append(cells)
    return markdown.table(head, rows)
