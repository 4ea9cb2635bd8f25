"""Every metric of a social graph in one table.

Belongs here: which metrics there are, and what is said of the computation. Does not belong here:
the metrics themselves (`centrality.py`, `communities.py`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import networkit as nk
import numpy as np
import pandas as pd

from engagement_assets.learning.graph.centrality import (
    betweenness,
    clustering,
    core_numbers,
    eigenvector,
    pagerank,
    significant,
)
from engagement_assets.learning.graph.communities import carry_over, louvain, modularity
from engagement_assets.learning.graph.graph import SocialGraph

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MetricSettings:
    """Seed and effort of the metrics.

    Attributes:
        seed: Seed of sampling and of communities.
        betweenness_work: Sources times edges that betweenness may visit; a small graph is exact.
            Raise it for steadier values of a large one: time grows with it.
        least_sources: Sources that are sampled however large the graph is.
        resolution: Of the communities; more gives smaller ones.
    """

    seed: int = 0
    betweenness_work: float = 2e7
    least_sources: int = 200
    resolution: float = 1.0

    def sources(self, graph: SocialGraph) -> int:
        """How many sources betweenness samples in a graph; its number of nodes is exact."""
        wanted = max(self.least_sources, int(self.betweenness_work / max(1, graph.n_edges)))
        return min(graph.n_nodes, wanted)


@dataclass(frozen=True)
class NetworkMetrics:
    """The metrics of every node, and what is said of them.

    Attributes:
        table: A row a node in the order of the graph: node, influence_score,
            betweenness_centrality, eigenvector_centrality, pagerank, degree, core_number,
            clustering, community.
        figures: Modularity, communities and their sizes, components, isolated nodes, sources and
            error bound of betweenness, seconds of each step.
    """

    table: pd.DataFrame
    figures: dict[str, Any]


@dataclass
class _Clock:
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - began
        logger.info("%s: %.1f s", name, self.seconds[name])


def network_metrics(
    graph: SocialGraph,
    *,
    settings: MetricSettings | None = None,
    threads: int = 2,
    before: pd.DataFrame | None = None,
) -> NetworkMetrics:
    """Compute every metric of a graph.

    PageRank, eigenvector centrality and communities weigh the edges where they have weights; the
    others count edges.

    Args:
        graph: The graph, of any size.
        settings: Seed and work; the defaults when None.
        threads: Threads; they change no value.
        before: Columns node and community of the day before, whose labels are carried over.
    """
    chosen = settings or MetricSettings()
    clock = _Clock()
    with clock.step("pagerank"):
        rank = pagerank(graph)
    with clock.step("eigenvector"):
        central = eigenvector(graph)
    with clock.step("betweenness"):
        between = betweenness(
            graph, sources=chosen.sources(graph), threads=threads, seed=chosen.seed
        )
    with clock.step("core"):
        core = core_numbers(graph)
    with clock.step("clustering"):
        clustered = clustering(graph, threads=threads)
    with clock.step("communities"):
        communities = louvain(graph, resolution=chosen.resolution, seed=chosen.seed)
        quality = modularity(graph, communities)
        labels = pd.Series(communities, index=graph.nodes)
        if before is not None:
            labels = carry_over(labels, before.set_index("node")["community"])
    degree = graph.degree()
    table = pd.DataFrame(
        {
            "node": graph.nodes,
            "influence_score": significant(rank / rank.max()) if len(rank) else rank,
            "betweenness_centrality": between.value,
            "eigenvector_centrality": central,
            "pagerank": rank,
            "degree": degree,
            "core_number": core,
            "clustering": clustered,
            "community": labels.to_numpy(dtype=np.int64),
        }
    )
    sizes = np.sort(np.bincount(communities[degree > 0]))[::-1] if graph.n_edges else np.zeros(0)
    sizes = sizes[sizes > 0]
    return NetworkMetrics(
        table,
        {
            "modularity": quality,
            "communities": len(sizes),
            "largest_communities": ", ".join(f"{int(size):,}" for size in sizes[:5]),
            "median_community": float(np.median(sizes)) if len(sizes) else 0.0,
            "components": _components(graph),
            "isolated": int((degree == 0).sum()),
            "betweenness_sources": between.sources,
            "betweenness_error_bound": between.error,
            **{f"seconds_{name}": round(spent, 2) for name, spent in clock.seconds.items()},
        },
    )


def _components(graph: SocialGraph) -> int:
    """Number of connected parts, isolated nodes included."""
    if graph.n_nodes == 0:
        return 0
    components = nk.components.ConnectedComponents(graph.networkit())
    components.run()
    return int(components.numberOfComponents())
