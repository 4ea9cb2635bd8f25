"""GraphSAGE's model and its comparison as assets.

Belongs here: reading snapshots and wrapping `training.py` for Dagster. Does not belong here:
learning.
"""

from datetime import date, timedelta

import dagster as dg

from engagement_assets.features.catalogue import CUSTOMER_FEATURES, MODEL_INPUTS
from engagement_assets.features.checks import FEATURE_BLOCKING
from engagement_assets.features.labels import LABELS
from engagement_assets.lifecycle.resource import ModelSettings
from engagement_assets.signals.network.learning_assets import AsOfConfig
from engagement_assets.signals.tables import KNOWN_TABLES
from resources.gate import VERSION, require_checks
from resources.io_managers import ModelPackage, Report
from resources.lake import Lake
from resources.platform import EngineResource, LakeResource
from resources.registry import RegisteredModel
from resources.tables import asset_keys

NAME = "graph_engagement"
LABEL = LABELS["engagement_score"]
OWNERS = ["team:data-science"]
CODE_VERSION = "1"


def snapshots_of(lake: Lake, last_day: date) -> tuple[date, date]:
    """The snapshot to learn from and the later one to judge on.

    Raises:
        Failure: Fewer than two snapshots, a label's window apart, have features and the label.
    """
    closed = last_day - timedelta(days=LABEL.window_days)
    there = sorted(set(lake.days(CUSTOMER_FEATURES)) & set(lake.days(LABEL.key)))
    usable = [day for day in there if day <= closed]
    if usable:
        test = usable[-1]
        earlier = [day for day in usable if test - day >= timedelta(days=LABEL.window_days)]
        if earlier:
            return earlier[-1], test
    raise dg.Failure(
        f"{NAME}/model needs features and {LABEL.key} of two snapshots at least "
        f"{LABEL.window_days} days apart; there are {len(usable)}: run the jobs `signals`, "
        f"`features` and `label_{LABEL.name}` for them",
        allow_retries=False,
    )


@dg.asset(
    key=[NAME, "model"],
    description="GraphSAGE: a customer's engagement next week from the features of them and of "
    "their connections, beside the same network without the graph.",
    group_name=NAME,
    owners=OWNERS,
    kinds={"pytorch", "python"},
    code_version=CODE_VERSION,
    deps=asset_keys((CUSTOMER_FEATURES, LABEL.key, "source/connections")),
    io_manager_key="models",
)
def graph_engagement_model(
    context: dg.AssetExecutionContext,
    config: AsOfConfig,
    lake: LakeResource,
    engine: EngineResource,
    settings: ModelSettings,
) -> dg.Output[ModelPackage]:
    """Fit on one snapshot and judge on a later one."""
    from engagement_assets.lifecycle.rows import labelled_rows  # noqa: PLC0415 - pandas
    from engagement_assets.models.graph_engagement.training import (  # noqa: PLC0415 - heavy
        Snapshot,
        gain_markdown,
        train_graph_engagement,
    )
    from engagement_assets.signals.network.snapshot import graph_of  # noqa: PLC0415 - heavy

    days = snapshots_of(lake.lake, config.day(lake.lake))
    require_checks(context.instance, FEATURE_BLOCKING, days=days)
    run = engine.engine(KNOWN_TABLES)
    train, test = (
        Snapshot(rows[list(MODEL_INPUTS)], rows[LABEL.name], graph_of(run, engine.sql, day))
        for day in days
        for rows in [labelled_rows(lake.lake, day, LABEL).set_index("customer_id")]
    )
    try:
        trained = train_graph_engagement(
            train,
            test,
            seed=settings.seed,
            threads=settings.threads,
            n_bootstrap=settings.bootstrap,
        )
    except ValueError as error:
        raise dg.Failure(f"no {NAME}/model: {error}", allow_retries=False) from error
    card = trained.card | {
        "training_snapshot": days[0].isoformat(),
        "test_snapshot": days[1].isoformat(),
        "features": list(MODEL_INPUTS),
        "code_version": CODE_VERSION,
    }
    card["markdown"] = gain_markdown(card)
    metrics = {f"r2 {name}": found["r2"]["value"] for name, found in card["metrics"].items()}
    context.log.info("%s", ", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
    return dg.Output(ModelPackage(trained.model, card), metadata=metrics)


@dg.asset(
    key=[NAME, "evaluation"],
    description="What the graph adds, on customers who were not learnt from.",
    group_name=NAME,
    owners=OWNERS,
    kinds={"report"},
    code_version=CODE_VERSION,
    ins={"model": dg.AssetIn(key=[NAME, "model"])},
    io_manager_key="reports",
)
def graph_engagement_evaluation(model: RegisteredModel) -> dg.Output[Report]:
    """Report what the model's card holds."""
    figures = {name: model.card[name] for name in ("metrics", "r2_gain", "test_customers")}
    gains = {f"r2 gain over {name}": found["value"] for name, found in figures["r2_gain"].items()}
    return dg.Output(
        Report(figures | {VERSION: model.version}, model.card["markdown"]),
        metadata={**gains, VERSION: model.version},
    )


ASSETS = [graph_engagement_model, graph_engagement_evaluation]
