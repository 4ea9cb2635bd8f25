"""The social graph of a lake as of a date, and its daily tables.

Belongs here: reading nodes and edges with SQL and landing the metrics. Does not belong here: the
graph (`graph.py`), what is computed on it (`metrics.py`, `influencers.py`), when (`assets.py`).
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
import pyarrow as pa

from engagement_assets.learning.graph.graph import SocialGraph, build_graph
from engagement_assets.learning.graph.influencers import influencers
from engagement_assets.learning.graph.metrics import MetricSettings, network_metrics
from engagement_assets.signals.tables import INFLUENCERS, NETWORK_METRICS
from resources.engine import Engine
from resources.lake import Lake, Written
from resources.sql import SqlFolder
from resources.tables import Table


@dataclass(frozen=True)
class NetworkDay:
    """Partitions landed for one day.

    Attributes:
        metrics: `network/metrics`.
        influencers: `network/influencers`.
        figures: Figures of the graph and of the computation.
        labels_from: The day whose community labels were carried over, or None for the first.
    """

    metrics: Written
    influencers: Written
    figures: dict[str, Any]
    labels_from: date | None


def graph_of(
    engine: Engine,
    sql: SqlFolder,
    day: date,
    *,
    message_weight: float = 0.0,
    reaction_weight: float = 0.0,
) -> SocialGraph:
    """Build the graph of all customers and connections known by the end of a day.

    Args:
        engine: Runs the queries; declares the source tables.
        sql: The folder `sql/`.
        day: As of when.
        message_weight: What a message of the month adds to the weight of its edge, which is 1
            without any.
        reaction_weight: The same of a like, share or comment.

    Raises:
        MissingPartitionError: The day is not ingested.
    """
    engine.lake.require("source/connections", [day])
    nodes = engine.select(sql.query("network/nodes"), {"snapshot_date": day})
    edges = engine.select(
        sql.query("network/edges"),
        {
            "snapshot_date": day,
            "message_weight": float(message_weight),
            "reaction_weight": float(reaction_weight),
        },
    )
    weighted = message_weight > 0 or reaction_weight > 0
    return build_graph(
        edges,
        nodes=nodes.column("customer_id").to_pylist(),
        weight="weight" if weighted else None,
    )


def land_network(
    lake: Lake, graph: SocialGraph, day: date, *, settings: MetricSettings, threads: int
) -> NetworkDay:
    """Compute and land the metrics and influencers of one day.

    Without any connection, as in a source that has none, nobody's place is known: both tables are
    empty then, and the features made from them null rather than alike for everybody.

    Args:
        lake: Where they go, and where the day before lies.
        graph: The graph as of the day.
        day: The partition.
        settings: Seed and budgets.
        threads: Threads of the computation.
    """
    if graph.n_edges == 0:
        return NetworkDay(
            metrics=lake.write_empty(NETWORK_METRICS, day=day),
            influencers=lake.write_empty(INFLUENCERS, day=day),
            figures={},
            labels_from=None,
        )
    earlier = [there for there in lake.days(NETWORK_METRICS.key) if there < day]
    before = None
    if earlier:
        columns = ["customer_id", "community"]
        rows = lake.read(NETWORK_METRICS.key, days=[earlier[-1]], columns=columns).to_pandas()
        before = rows.rename(columns={"customer_id": "node"})
    network = network_metrics(graph, settings=settings, threads=threads, before=before)
    return NetworkDay(
        metrics=_land(lake, NETWORK_METRICS, network.table, day),
        influencers=_land(lake, INFLUENCERS, influencers(network.table), day),
        figures=network.figures,
        labels_from=earlier[-1] if earlier else None,
    )


def _land(lake: Lake, table: Table, rows: pd.DataFrame, day: date) -> Written:
    named = rows.rename(columns={"node": "customer_id"})[list(table.names)]
    columns = pa.Table.from_pandas(named, schema=table.arrow, preserve_index=False)
    return lake.write(table, columns, day=day)
