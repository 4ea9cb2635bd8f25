"""What is learnt from the social graph, as assets: embeddings, spread and seeds, virality.

Belongs here: wrapping `embeddings.py` and `learning.py` for Dagster. Does not belong here: the
daily metrics (`assets.py`).
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field

from engagement_assets.settings.partitions import DAILY
from engagement_assets.signals.network.resource import NetworkResource
from engagement_assets.signals.tables import (
    EMBEDDING_COLUMNS,
    EMBEDDINGS,
    KNOWN_TABLES,
    NETWORK_METRICS,
    OWNER,
    SEEDS,
    VIRALITY_PREDICTIONS,
)
from engagement_assets.source.checks import SOURCE_BLOCKING
from resources.gate import VERSION, require_checks
from resources.io_managers import ModelPackage, Report, asset_fields
from resources.lake import Lake, MissingPartitionError
from resources.platform import EngineResource, LakeResource
from resources.registry import RegisteredModel

CODE_VERSION = "1"
GRAPH_DEPS = [["source", "customers"], ["source", "connections"]]
POST_DEPS = [["source", "posts"], ["source", "interactions"]]


class AsOfConfig(dg.Config):
    """When to learn."""

    as_of: str | None = Field(
        default=None,
        description="Last day whose data may be used, as an ISO date; the last day of "
        "network/metrics when left out.",
    )

    def day(self, lake: Lake) -> date:
        """The day.

        Raises:
            MissingPartitionError: There are no metrics yet.
        """
        days = lake.days(NETWORK_METRICS.key)
        if not days:
            raise MissingPartitionError(
                f"there is no {NETWORK_METRICS.key} yet: run the job `signals`"
            )
        return date.fromisoformat(self.as_of) if self.as_of else days[-1]


@dg.asset(
    **asset_fields(EMBEDDINGS),
    kinds={"parquet", "python"},
    code_version=CODE_VERSION,
    partitions_def=DAILY,
    deps=GRAPH_DEPS,
    io_manager_key="tables",
)
def network_embeddings(
    context: dg.AssetExecutionContext, engine: EngineResource, network: NetworkResource
) -> pd.DataFrame:
    """Embed the graph as of the partition's day."""
    from engagement_assets.learning.graph.embeddings import Node2Vec  # noqa: PLC0415 - heavy
    from engagement_assets.signals.network.snapshot import graph_of  # noqa: PLC0415 - heavy

    day = date.fromisoformat(context.partition_key)
    require_checks(context.instance, SOURCE_BLOCKING, days=[day])
    graph = graph_of(engine.engine(KNOWN_TABLES), engine.sql, day)
    node2vec = Node2Vec(
        dimensions=len(EMBEDDING_COLUMNS),
        p=network.node2vec_p,
        q=network.node2vec_q,
        random_state=network.seed,
    ).fit(graph)
    context.add_output_metadata({"nodes": graph.n_nodes, "edges": graph.n_edges})
    table = pd.DataFrame(node2vec.embedding_, columns=list(EMBEDDING_COLUMNS))
    table.insert(0, "customer_id", graph.nodes)
    return table


@dg.multi_asset(
    name="network_spread",
    outs={
        "seeds": dg.AssetOut(
            **asset_fields(SEEDS),
            kinds={"parquet", "python"},
            code_version=CODE_VERSION,
            io_manager_key="tables",
        ),
        "spread": dg.AssetOut(
            key=["network", "spread"],
            description="How engagement spreads along connections (independent cascade), and how "
            "far it gets from these seeds, from those of the highest degree and PageRank, and from "
            "random ones.",
            group_name="network",
            owners=[OWNER],
            kinds={"report", "python"},
            code_version=CODE_VERSION,
            io_manager_key="reports",
        ),
    },
    partitions_def=DAILY,
    deps=[*GRAPH_DEPS, *POST_DEPS],
    description="Fits the spread of the last 28 days and chooses whom to reach.",
)
def network_spread(
    context: dg.AssetExecutionContext, engine: EngineResource, network: NetworkResource
) -> Iterator[dg.Output[Any]]:
    """Fit the spread as of the partition's day."""
    from engagement_assets.learning.graph.spread import SpreadError  # noqa: PLC0415 - heavy
    from engagement_assets.signals.network.learning import (  # noqa: PLC0415 - heavy
        SPREAD_DAYS,
        fit_spread,
        recent,
        spread_markdown,
    )
    from engagement_assets.signals.network.snapshot import graph_of  # noqa: PLC0415 - heavy

    day = date.fromisoformat(context.partition_key)
    require_checks(context.instance, SOURCE_BLOCKING, days=[day])
    run = engine.engine(KNOWN_TABLES)
    graph = graph_of(run, engine.sql, day)
    posts, interactions = recent(run, engine.sql, day, SPREAD_DAYS)
    try:
        spread = fit_spread(
            graph,
            posts,
            interactions,
            day=day,
            seed=network.seed,
            n_bootstrap=network.bootstrap,
        )
    except SpreadError as error:
        raise dg.Failure(f"no spread as of {day}: {error}", allow_retries=False) from error
    seeds = pd.DataFrame(
        {
            "rank": range(1, len(spread.chosen.seeds) + 1),
            "customer_id": graph.nodes[spread.chosen.seeds],
            "expected_gain": spread.chosen.gains,
        }
    )
    yield dg.Output(seeds, output_name="seeds")
    figures = {
        "reach": spread.reach,
        "held_out_gain_nats": spread.gain,
        "global_probability": spread.model.global_,
        "background_probability": spread.model.background_,
    }
    yield dg.Output(
        Report(figures, spread_markdown(spread)),
        output_name="spread",
        metadata={f"reach_{name}": found["value"] for name, found in spread.reach.items()},
    )


@dg.asset(
    key=["virality", "model"],
    description="Foretells how many people a post reaches in three days from its first six hours: "
    "linear, boosted trees or LSTM, whichever is set or best on earlier posts set aside.",
    group_name="virality",
    owners=[OWNER],
    kinds={"pytorch", "xgboost"},
    code_version=CODE_VERSION,
    deps=[*POST_DEPS, NETWORK_METRICS.asset_key],
    io_manager_key="models",
)
def virality_model(
    context: dg.AssetExecutionContext,
    config: AsOfConfig,
    lake: LakeResource,
    engine: EngineResource,
    network: NetworkResource,
) -> dg.Output[ModelPackage]:
    """Compare the methods on later posts and fit one on all."""
    from engagement_assets.signals.network.learning import (  # noqa: PLC0415 - heavy
        VIRALITY_DAYS,
        fit_virality,
        metrics_day_before,
        post_cascades,
        virality_figures,
        virality_markdown,
    )
    from engagement_assets.signals.network.snapshot import graph_of  # noqa: PLC0415 - heavy

    day = config.day(lake.lake)
    require_checks(context.instance, SOURCE_BLOCKING, days=[day])
    run = engine.engine(KNOWN_TABLES)
    known = metrics_day_before(lake.lake, day - pd.Timedelta(days=VIRALITY_DAYS))
    posts = post_cascades(run, engine.sql, day, graph_of(run, engine.sql, known), metrics_day=known)
    try:
        virality = fit_virality(
            posts,
            estimator=network.virality_estimator,
            seed=network.seed,
            threads=network.threads,
            n_bootstrap=network.bootstrap,
        )
    except ValueError as error:
        raise dg.Failure(f"no virality model as of {day}: {error}", allow_retries=False) from error
    card = virality_figures(virality) | {
        "as_of": day.isoformat(),
        "authors_as_of": known.isoformat(),
        "posts": virality.posts,
        "seed": network.seed,
        "code_version": CODE_VERSION,
        "markdown": virality_markdown(virality),
    }
    best = virality.comparison.figures[virality.estimator.name]
    context.log.info("%s: log MAE %.4f", virality.estimator.name, best.log_mae.value)
    return dg.Output(
        ModelPackage(virality.estimator, card),
        metadata={
            "estimator": virality.estimator.name,
            "log_mae": best.log_mae.value,
            "posts": virality.posts,
        },
    )


@dg.asset(
    key=["virality", "evaluation"],
    description="The three methods beside one another on later posts.",
    group_name="virality",
    owners=[OWNER],
    kinds={"report"},
    code_version=CODE_VERSION,
    ins={"model": dg.AssetIn(key=["virality", "model"])},
    io_manager_key="reports",
)
def virality_evaluation(model: RegisteredModel) -> dg.Output[Report]:
    """Report what the model's card holds."""
    figures = {name: model.card[name] for name in ("estimator", "figures", "differences", "posts")}
    errors = {
        f"log_mae_{name}": float(found["log_mae"]["value"])
        for name, found in model.card["figures"].items()
    }
    return dg.Output(
        Report(figures | {VERSION: model.version}, model.card["markdown"]),
        metadata={**errors, VERSION: model.version},
    )


@dg.asset(
    **asset_fields(VIRALITY_PREDICTIONS),
    kinds={"parquet"},
    code_version=CODE_VERSION,
    partitions_def=DAILY,
    ins={"model": dg.AssetIn(key=["virality", "model"])},
    deps=[*POST_DEPS, NETWORK_METRICS.asset_key],
    io_manager_key="tables",
)
def virality_predictions(
    context: dg.AssetExecutionContext,
    model: RegisteredModel,
    lake: LakeResource,
    engine: EngineResource,
) -> pd.DataFrame:
    """Foretell the reach of recent posts as of the partition's day."""
    from engagement_assets.learning.cascades.reach import load_estimator  # noqa: PLC0415 - heavy
    from engagement_assets.signals.network.learning import (  # noqa: PLC0415 - heavy
        CASCADES,
        metrics_day_before,
        post_cascades,
    )
    from engagement_assets.signals.network.snapshot import graph_of  # noqa: PLC0415 - heavy

    day = date.fromisoformat(context.partition_key)
    run = engine.engine(KNOWN_TABLES)
    days = int(CASCADES.horizon_hours // 24)
    known = metrics_day_before(lake.lake, day - pd.Timedelta(days=days))
    posts = post_cascades(
        run, engine.sql, day, graph_of(run, engine.sql, known), metrics_day=known, days=days
    )
    estimator = load_estimator(model.folder)
    return posts.posts.assign(
        early_reach=posts.early_reach,
        predicted_reach=estimator.predict(posts),
        estimator=estimator.name,
        model_version=model.version,
    )


ASSETS = [
    network_embeddings,
    network_spread,
    virality_model,
    virality_evaluation,
    virality_predictions,
]
