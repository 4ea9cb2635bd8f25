"""The champion's daily work as assets: predictions and explanations.

Belongs here: wrapping prediction and explanation for Dagster. Does not belong here: training
(`assets.py`) and the product's rule (`bands.py`).
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg
import pandas as pd

from engagement_assets.features.catalogue import CATEGORY_FEATURES, CUSTOMER_FEATURES, FEATURES
from engagement_assets.features.checks import BLOCKING_KEYS as FEATURE_BLOCKING
from engagement_assets.models.churn.bands import band_of
from engagement_assets.models.churn.declared import (
    CODE_VERSION,
    NAME,
    OWNERS,
    PREDICTIONS_SCHEMA,
    REASONS,
)
from engagement_assets.models.resource import ModelSettings
from engagement_assets.partitions import DAILY, partition_days
from resources.gate import VERSION, require_checks
from resources.io_managers import COLUMN_SCHEMA, RegistryResource, Report, ui_schema
from resources.lake import Lake
from resources.platform import LakeResource
from resources.registry import RegisteredModel, registered


@dg.multi_asset(
    name="churn_daily",
    outs={
        "predictions": dg.AssetOut(
            key=[NAME, "predictions"],
            description="Churn of every active customer: calibrated probability, band, action, "
            "top three reasons, model version.",
            group_name=NAME,
            owners=OWNERS,
            kinds={"parquet", "xgboost"},
            code_version=CODE_VERSION,
            io_manager_key="tables",
            metadata={COLUMN_SCHEMA: ui_schema(PREDICTIONS_SCHEMA)},
        ),
        "explanations": dg.AssetOut(
            key=[NAME, "explanations"],
            description="What moves the scores: exact SHAP values of every prediction, summed up "
            "over all customers. The reasons of each customer stand with the predictions.",
            group_name=NAME,
            owners=OWNERS,
            kinds={"report", "shap"},
            code_version=CODE_VERSION,
            io_manager_key="reports",
        ),
    },
    deps=[CUSTOMER_FEATURES.split("/"), [NAME, "champion"]],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    description="Predicts with the champion and explains every prediction. A range is one run.",
)
def churn_daily(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    registry: RegistryResource,
    settings: ModelSettings,
) -> Iterator[dg.Output[Any]]:
    """Predict and explain the snapshots of this run."""
    days = partition_days(context)
    require_checks(context.instance, FEATURE_BLOCKING, days=days)
    version = registry.registry.champion(NAME)
    if version is None:
        raise dg.Failure(
            "there is no churn champion: run the job `training` first", allow_retries=False
        )
    model = registered(registry.registry, NAME, version)
    tables: dict[str, pd.DataFrame] = {}
    reports: dict[str, Report] = {}
    for day in days:
        tables[day.isoformat()], reports[day.isoformat()] = _predict_day(
            context, lake.lake, model, day, threads=settings.threads
        )
    yield dg.Output(_one_or_all(tables), output_name="predictions")
    yield dg.Output(_one_or_all(reports), output_name="explanations")


def _predict_day(
    context: dg.AssetExecutionContext,
    lake: Lake,
    model: RegisteredModel,
    day: date,
    *,
    threads: int,
) -> tuple[pd.DataFrame, Report]:
    from engagement_assets.models.churn.prediction import predict_churn  # noqa: PLC0415 - heavy
    from engagement_assets.models.churn.reports import explanation_markdown  # noqa: PLC0415 - heavy

    snapshot = lake.read(CUSTOMER_FEATURES, days=[day]).to_pandas()
    predicted = predict_churn(model, snapshot, k=REASONS, n_jobs=threads)
    bands, actions = band_of(predicted.table["churn_probability"])
    table = predicted.table.assign(
        band=bands, action=actions, snapshot_date=day, model_version=model.version
    )[list(PREDICTIONS_SCHEMA.names)]
    explanation = predicted.explanation
    context.log.info("%s: %s customers predicted and explained", day, f"{len(table):,}")
    told = {"additivity_error": explanation.additivity_error, "method": explanation.method}
    if explanation.fallback_reason:
        context.log.warning("SHAP by the booster itself: %s", explanation.fallback_reason)
        told["fallback_reason"] = explanation.fallback_reason
    counts = table["band"].value_counts()
    context.add_asset_metadata(
        {
            "dagster/row_count": len(table),
            "mean_probability": float(table["churn_probability"].mean()) if len(table) else 0.0,
            **{f"band_{name}": int(counts.get(name, 0)) for name in ("high", "medium", "low")},
            VERSION: model.version,
            "sample": dg.MetadataValue.md(_sample(table)),
        },
        asset_key=[NAME, "predictions"],
        partition_key=day.isoformat(),
    )
    context.add_asset_metadata(
        {**told, "rows_explained": len(table), VERSION: model.version},
        asset_key=[NAME, "explanations"],
        partition_key=day.isoformat(),
    )
    meanings = {feature.name: feature.meaning for feature in FEATURES.values()}
    text = explanation_markdown(explanation, meanings=meanings, categories=list(CATEGORY_FEATURES))
    return table, Report(explanation.summary() | {VERSION: model.version}, text)


def _one_or_all(values: dict[str, Any]) -> Any:
    """The value of a single partition, or all by partition key, as the IO managers take them."""
    return next(iter(values.values())) if len(values) == 1 else values


def _sample(table: pd.DataFrame) -> str:
    """The five riskiest customers, for the UI."""
    lines = [
        "| customer | probability | band | first reason | second reason |",
        "|---|---:|---|---|---|",
    ]
    for row in table.nlargest(5, "churn_probability").to_dict("records"):
        reasons = [
            f"{row[f'reason_{n}_feature']} {row[f'reason_{n}_value']} "
            f"(typical {row[f'reason_{n}_typical']})"
            for n in (1, 2)
        ]
        lines.append(
            f"| {row['customer_id']} | {row['churn_probability']:.2f} | {row['band']} | "
            f"{reasons[0]} | {reasons[1]} |"
        )
    return "\n".join(lines)


ASSETS = [churn_daily]
