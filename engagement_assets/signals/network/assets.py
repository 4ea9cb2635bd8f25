"""The social graph as daily assets: metrics of every customer, and the influencers.

Belongs here: wrapping `snapshot.py` for Dagster. Does not belong here: the graph and its metrics,
and what is learnt from the graph (`insights.py`).
"""

from collections.abc import Iterator

import dagster as dg

from engagement_assets.settings.partitions import DAILY, partition_days
from engagement_assets.signals.network.resource import NetworkResource
from engagement_assets.signals.tables import INFLUENCERS, KNOWN_TABLES, NETWORK_METRICS
from engagement_assets.source.checks import SOURCE_BLOCKING
from engagement_assets.source.contract import TABLES
from resources.gate import require_checks
from resources.io_managers import asset_fields
from resources.platform import EngineResource, LakeResource

CODE_VERSION = "1"
KINDS = {"parquet", "networkit"}
GRAPH_SOURCES = ("customers", "connections", "messages", "interactions", "posts")


@dg.multi_asset(
    name="social_graph",
    specs=[
        dg.AssetSpec(
            **asset_fields(NETWORK_METRICS),
            deps=[TABLES[name].asset_key for name in GRAPH_SOURCES],
            kinds=KINDS,
            code_version=CODE_VERSION,
        ),
        dg.AssetSpec(
            **asset_fields(INFLUENCERS),
            deps=[NETWORK_METRICS.asset_key],
            kinds=KINDS,
            code_version=CODE_VERSION,
        ),
    ],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    description="Builds the graph as of the day once and computes all metrics on it.",
)
def social_graph(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    engine: EngineResource,
    network: NetworkResource,
) -> Iterator[dg.MaterializeResult]:
    """Land the partitions of this run."""
    from engagement_assets.learning.graph.metrics import MetricSettings  # noqa: PLC0415 - heavy
    from engagement_assets.signals.network.snapshot import graph_of, land_network  # noqa: PLC0415 - heavy

    days = partition_days(context)
    require_checks(context.instance, SOURCE_BLOCKING, days=days)
    run = engine.engine(KNOWN_TABLES)
    for day in days:
        graph = graph_of(
            run,
            engine.sql,
            day,
            message_weight=network.message_weight,
            reaction_weight=network.reaction_weight,
        )
        landed = land_network(
            lake.lake,
            graph,
            day,
            settings=MetricSettings(seed=network.seed),
            threads=network.threads,
        )
        context.log.info(
            "%s: %s customers, %s connections", day, f"{graph.n_nodes:,}", f"{graph.n_edges:,}"
        )
        carried = {} if landed.labels_from is None else {"labels_from": str(landed.labels_from)}
        for table, written, figures in (
            (NETWORK_METRICS, landed.metrics, landed.figures | {"edges": graph.n_edges} | carried),
            (INFLUENCERS, landed.influencers, {}),
        ):
            context.add_asset_metadata(
                {"dagster/row_count": written.rows, "bytes": written.bytes, **figures},
                asset_key=table.asset_key,
                partition_key=day.isoformat(),
            )
    yield dg.MaterializeResult(asset_key=NETWORK_METRICS.asset_key)
    yield dg.MaterializeResult(asset_key=INFLUENCERS.asset_key)


ASSETS = [social_graph]
