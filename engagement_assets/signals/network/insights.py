"""Assets learnt from the social graph: embeddings, spread and seeds.

Belongs here: wrapping `spread.py` and the embeddings for Dagster. Does not belong here: the daily
metrics (`assets.py`).
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg
import pandas as pd

from engagement_assets.settings.partitions import DAILY
from engagement_assets.signals.network.resource import NetworkResource
from engagement_assets.signals.tables import (
    EMBEDDING_COLUMNS,
    EMBEDDINGS,
    KNOWN_TABLES,
    OWNER,
    SEEDS,
)
from engagement_assets.source.checks import SOURCE_BLOCKING
from resources.gate import require_checks
from resources.io_managers import Report, asset_fields
from resources.platform import EngineResource

CODE_VERSION = "1"
GRAPH_DEPS = [["source", "customers"], ["source", "connections"]]
POST_DEPS = [["source", "posts"], ["source", "interactions"]]


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
    from engagement_assets.signals.network.snapshot import graph_of  # noqa: PLC0415 - heavy
    from engagement_assets.signals.network.spread import (  # noqa: PLC0415 - heavy
        SPREAD_DAYS,
        fit_spread,
        recent,
        spread_markdown,
    )

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
        metadata={f"reach_{name}": people["value"] for name, people in spread.reach.items()},
    )


ASSETS = [network_embeddings, network_spread]
