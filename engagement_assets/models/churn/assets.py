"""The churn model as assets: candidate, evaluation, fairness, champion.

Belongs here: wrapping the pure modules of this folder for Dagster. Does not belong here: learning,
metrics and wording, and the daily predictions (`daily.py`).
"""

from datetime import date
from typing import Any

import dagster as dg
from pydantic import Field

from engagement_assets.features.catalogue import CUSTOMER_FEATURES, MODEL_INPUTS
from engagement_assets.features.checks import BLOCKING_KEYS as FEATURE_BLOCKING
from engagement_assets.models.churn.declared import (
    CODE_VERSION,
    LABEL,
    MODEL_BLOCKING,
    NAME,
    OWNERS,
)
from engagement_assets.models.dates import Snapshots
from engagement_assets.models.resource import ModelSettings
from engagement_assets.models.rows import data_versions, labelled_rows, labelled_snapshots
from engagement_assets.source.resource import SourceResource
from resources.gate import VERSION, require_checks
from resources.io_managers import ModelPackage, RegistryResource, Report
from resources.lake import Lake, MissingPartitionError
from resources.platform import LakeResource
from resources.registry import RegisteredModel, registered


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


def _usable(context: dg.AssetExecutionContext, lake: Lake, wanted: Snapshots) -> Snapshots:
    """The latest training snapshot, which must be there, and those earlier ones that are."""
    latest, *earlier = wanted.train
    there = [
        day
        for day in earlier
        if lake.exists(CUSTOMER_FEATURES, day) and lake.exists(LABEL.table, day)
    ]
    missing = [day.isoformat() for day in earlier if day not in there]
    if missing:
        context.log.warning(
            "not learnt from, for want of features or labels: %s; materialise them for a model "
            "that has seen more",
            ", ".join(missing),
        )
    return Snapshots((latest, *there), wanted.test)


@dg.asset(
    key=[NAME, "model"],
    description="Candidate churn model: XGBoost on 80 % of the customers at up to four monthly "
    "snapshots, calibrated on out-of-fold scores, measured on the other 20 % at a later snapshot.",
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
    source: SourceResource,
    lake: LakeResource,
    settings: ModelSettings,
) -> dg.Output[ModelPackage]:
    """Train a candidate."""
    from engagement_assets.evaluation.binary import OneClassError  # noqa: PLC0415 - heavy imports
    from engagement_assets.models.churn.training import train_churn  # noqa: PLC0415 - heavy

    first_day = date.fromisoformat(source.first_day)
    wanted = Snapshots.before(_last_day(lake.lake, config), first_day=first_day)
    snapshots = _usable(context, lake.lake, wanted)
    require_checks(context.instance, FEATURE_BLOCKING, days=snapshots.all)
    try:
        train = labelled_snapshots(lake.lake, snapshots.train, LABEL)
        test = labelled_rows(lake.lake, snapshots.test, LABEL)
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
        "data_versions": data_versions(lake.lake, snapshots.all, LABEL),
    }
    metrics = {name: found["value"] for name, found in card["metrics"].items()}
    context.log.info("AUC %.4f on %s test customers", metrics["auc"], card["test_customers"])
    return dg.Output(
        ModelPackage(trained.model, card),
        metadata={
            **metrics,
            "threshold": card["thresholds"]["threshold"],
            "training_snapshots": ", ".join(card["training_snapshots"]),
            "test_snapshot": card["test_snapshot"],
            "training_customers": card["training_customers"],
            "training_rows": card["training_rows"],
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
    from engagement_assets.models.churn.reports import evaluation_markdown  # noqa: PLC0415 - heavy

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

    rows = labelled_rows(lake.lake, date.fromisoformat(model.card["test_snapshot"]), LABEL)
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
    from engagement_assets.models.churn.promotion import (  # noqa: PLC0415 - heavy imports
        compare_and_judge,
    )
    from engagement_assets.models.churn.reports import card_markdown  # noqa: PLC0415 - heavy

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
    rows = labelled_rows(lake.lake, date.fromisoformat(model.card["test_snapshot"]), LABEL)
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


ASSETS = [churn_model, churn_evaluation, churn_fairness, churn_champion]
