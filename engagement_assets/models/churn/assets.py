"""The churn model as assets: candidate, evaluation, fairness, champion, predictions, explanations.

Belongs here: wrapping the pure modules of this folder for Dagster. Does not belong here: learning,
metrics and wording.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field

from engagement_assets.features.catalogue import (
    CATEGORY_FEATURES,
    CUSTOMER_FEATURES,
    FEATURES,
    MODEL_INPUTS,
)
from engagement_assets.features.checks import BLOCKING_KEYS as FEATURE_BLOCKING
from engagement_assets.features.labels import LABELS
from engagement_assets.models.churn.bands import band_of
from engagement_assets.models.dates import Snapshots
from engagement_assets.models.resource import ModelSettings
from engagement_assets.partitions import DAILY, partition_days
from resources.gate import VERSION, require_checks
from resources.io_managers import COLUMN_SCHEMA, ModelPackage, RegistryResource, Report, ui_schema
from resources.lake import Lake, MissingPartitionError
from resources.platform import LakeResource
from resources.registry import RegisteredModel, registered
from resources.schema import Column, TableSchema

NAME = "churn"
LABEL = LABELS["churn_30_day"]
OWNERS = ["team:data-science"]
CODE_VERSION = "1"
REASONS = 3

PREDICTIONS_SCHEMA = TableSchema(
    (
        Column("customer_id", "string", nullable=False, description="The customer"),
        Column("snapshot_date", "date", nullable=False, description="Date of the features"),
        Column(
            "churn_probability",
            "float64",
            nullable=False,
            description="Calibrated probability of no session in the 30 days after (0-1)",
        ),
        Column("band", "string", nullable=False, description="high over 0.7, medium over 0.5, low"),
        Column("action", "string", nullable=False, description="What the product's rule asks for"),
        Column(
            "above_cost_threshold",
            "bool",
            nullable=False,
            description="Whether contacting pays at the stated costs",
        ),
        *(
            column
            for n in range(1, REASONS + 1)
            for column in (
                Column(f"reason_{n}_feature", "string", description=f"Reason {n}: the feature"),
                Column(f"reason_{n}_value", "string", description=f"Reason {n}: its value"),
                Column(f"reason_{n}_typical", "string", description=f"Reason {n}: typical value"),
                Column(
                    f"reason_{n}_contribution",
                    "float64",
                    description=f"Reason {n}: SHAP contribution (log-odds)",
                ),
            )
        ),
        Column("model_version", "string", nullable=False, description="Champion that predicted"),
    )
)


def labelled_rows(lake: Lake, snapshot: date) -> pd.DataFrame:
    """Features and churn label of the customers who were active at a snapshot.

    Raises:
        MissingPartitionError: The snapshot or its labels are not in the lake.
    """
    features = lake.read(CUSTOMER_FEATURES, days=[snapshot]).to_pandas()
    labels = lake.read(LABEL.table, days=[snapshot], columns=["customer_id", LABEL.name])
    rows: pd.DataFrame = features.merge(labels.to_pandas(), on="customer_id", validate="one_to_one")
    return rows


class ChurnTrainingConfig(dg.Config):
    """When to train; what to learn from is fixed by the dates."""

    as_of: str | None = Field(
        default=None,
        description="Last day whose data may be used, as an ISO date; the last ingested day when "
        "left out. Set it to train as if it were an earlier day.",
    )


def _last_day(lake: Lake, config: ChurnTrainingConfig) -> date:
    days = lake.days("source/sessions")
    if not days:
        raise MissingPartitionError("nothing is ingested yet: run the job `ingest` first")
    return date.fromisoformat(config.as_of) if config.as_of else days[-1]


@dg.asset(
    key=[NAME, "model"],
    description="Candidate churn model: XGBoost on 80 % of the customers at one snapshot, "
    "calibrated on out-of-fold scores, measured on the other 20 % at a later snapshot.",
    group_name=NAME,
    owners=OWNERS,
    kinds={"xgboost", "python"},
    code_version=CODE_VERSION,
    deps=[CUSTOMER_FEATURES.split("/"), LABEL.table.split("/")],
    io_manager_key="models",
)
def churn_model(
    context: dg.AssetExecutionContext,
    config: ChurnTrainingConfig,
    lake: LakeResource,
    settings: ModelSettings,
) -> dg.Output[ModelPackage]:
    """Train a candidate."""
    from engagement_assets.evaluation.binary import OneClassError  # noqa: PLC0415 - heavy imports
    from engagement_assets.models.churn.training import train_churn  # noqa: PLC0415

    snapshots = Snapshots.before(_last_day(lake.lake, config))
    days = [snapshots.train, snapshots.test]
    require_checks(context.instance, FEATURE_BLOCKING, days=days)
    try:
        train, test = (labelled_rows(lake.lake, day) for day in days)
        trained = train_churn(
            train,
            test,
            snapshots=snapshots,
            features=MODEL_INPUTS,
            parameters=settings.churn_parameters(),
            n_bootstrap=settings.bootstrap,
        )
    except (OneClassError, MissingPartitionError, ValueError) as error:
        raise dg.Failure(
            f"no churn model as of {snapshots.test}: {error}", allow_retries=False
        ) from error
    card = trained.card | {
        "code_version": CODE_VERSION,
        "data_versions": {
            day.isoformat(): len(rows) for day, rows in zip(days, (train, test), strict=True)
        },
    }
    metrics = {name: found["value"] for name, found in card["metrics"].items()}
    context.log.info("AUC %.4f on %s test customers", metrics["auc"], card["test_customers"])
    return dg.Output(
        ModelPackage(trained.model, card),
        metadata={
            **metrics,
            "threshold": card["thresholds"]["threshold"],
            "training_snapshot": card["training_snapshot"],
            "test_snapshot": card["test_snapshot"],
            "training_customers": card["training_customers"],
            "test_customers": card["test_customers"],
        },
    )


@dg.asset(
    key=[NAME, "evaluation"],
    description="How good the candidate is on other people at a later time: metrics with "
    "intervals, reliability, lift by decile, and the cost threshold.",
    group_name=NAME,
    owners=OWNERS,
    kinds={"report"},
    code_version=CODE_VERSION,
    io_manager_key="reports",
    ins={"model": dg.AssetIn([NAME, "model"])},
)
def churn_evaluation(model: RegisteredModel) -> dg.Output[Report]:
    """Report the candidate's quality."""
    from engagement_assets.models.churn.reports import evaluation_markdown  # noqa: PLC0415

    metrics = {name: found["value"] for name, found in model.card["metrics"].items()}
    shown = ("metrics", "lift", "reliability", "thresholds", "calibration_error_by_chance")
    figures = {name: model.card[name] for name in shown}
    return dg.Output(
        Report(figures | {VERSION: model.version}, evaluation_markdown(model.card)),
        metadata={
            **metrics,
            "top_decile_lift": model.card["lift"][0]["lift"],
            VERSION: model.version,
        },
    )


@dg.asset(
    key=[NAME, "fairness"],
    description="Who the candidate flags, by gender, age band and location, with the 80 % rule; "
    "where a group fails, per-group thresholds and their price.",
    group_name=NAME,
    owners=OWNERS,
    kinds={"report", "fairlearn"},
    code_version=CODE_VERSION,
    io_manager_key="reports",
    ins={"model": dg.AssetIn([NAME, "model"])},
)
def churn_fairness(
    model: RegisteredModel, lake: LakeResource, settings: ModelSettings
) -> dg.Output[Report]:
    """Report the candidate's fairness on test people."""
    from engagement_assets.models.churn.fairness import assess  # noqa: PLC0415 - heavy imports

    rows = labelled_rows(lake.lake, date.fromisoformat(model.card["test_snapshot"]))
    assessed = assess(model.folder, rows, seed=settings.seed, n_bootstrap=settings.bootstrap)
    report = assessed.report
    ratios: dict[str, float] = {
        f"parity_ratio_{entry.column}": entry.demographic_parity_ratio.value
        for entry in report.columns
        if entry.demographic_parity_ratio is not None
    }
    return dg.Output(
        Report(assessed.to_dict() | {VERSION: model.version}, assessed.to_markdown()),
        metadata={
            **ratios,
            "failures": len(report.failures),
            VERSION: model.version,
        },
    )


@dg.asset(
    key=[NAME, "champion"],
    description="The churn model that predicts. It moves only when the candidate passes the "
    "blocking checks and does not lose to the present champion on the same test rows.",
    group_name=NAME,
    owners=OWNERS,
    kinds={"xgboost"},
    code_version=CODE_VERSION,
    ins={
        "model": dg.AssetIn([NAME, "model"]),
        "evaluation": dg.AssetIn([NAME, "evaluation"]),
        "fairness": dg.AssetIn([NAME, "fairness"]),
    },
)
def churn_champion(
    context: dg.AssetExecutionContext,
    model: RegisteredModel,
    evaluation: Report,
    fairness: Report,
    lake: LakeResource,
    registry: RegistryResource,
    settings: ModelSettings,
) -> dg.MaterializeResult:
    """Promote the candidate, or keep the champion and say why."""
    from engagement_assets.models.churn.checks import MODEL_BLOCKING  # noqa: PLC0415 - a cycle
    from engagement_assets.models.churn.promotion import (  # noqa: PLC0415 - heavy imports
        compare_and_judge,
    )
    from engagement_assets.models.churn.reports import card_markdown  # noqa: PLC0415

    require_checks(context.instance, MODEL_BLOCKING, version=model.version)
    for report in (evaluation, fairness):
        if report.figures[VERSION] != model.version:
            raise dg.Failure(
                f"a report is about version {report.figures[VERSION]}, not the candidate "
                f"{model.version}: materialise churn/evaluation and churn/fairness again",
                allow_retries=False,
            )
    store = registry.registry
    present = store.champion(NAME)
    rows = labelled_rows(lake.lake, date.fromisoformat(model.card["test_snapshot"]))
    verdict = compare_and_judge(
        model,
        None if present is None else registered(store, NAME, present),
        rows,
        fairness=fairness.figures,
        n_bootstrap=settings.bootstrap,
        seed=settings.seed,
    )
    if verdict.promote:
        store.promote(NAME, model.version, "; ".join(verdict.reasons))
    else:
        context.log.warning("the champion stays: %s", "; ".join(verdict.reasons))
    champion = store.champion(NAME)
    metadata: dict[str, Any] = {
        "promoted": verdict.promote,
        "reasons": dg.MetadataValue.md("\n".join(f"- {reason}" for reason in verdict.reasons)),
        "candidate": model.version,
    }
    if champion is None:
        raise dg.Failure(
            "the candidate was refused and there is no champion: " + "; ".join(verdict.reasons),
            allow_retries=False,
        )
    card = store.card(NAME, champion) | {"fairness": fairness.figures["report"]}
    metadata |= {
        VERSION: champion,
        "auc": card["metrics"]["auc"]["value"],
        "model_card": dg.MetadataValue.md(card_markdown(card)),
    }
    return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(champion))


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
    from engagement_assets.models.churn.reports import explanation_markdown  # noqa: PLC0415

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


ASSETS = [churn_model, churn_evaluation, churn_fairness, churn_champion, churn_daily]
