"""Centralities of a social graph, by networkit.

Belongs here: one function a centrality, the same values whatever the number of threads. Does not
belong here: which of them a table holds (`metrics.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import networkit as nk
import numpy as np
from numpy.typing import NDArray

from engagement_assets.learning.graph.graph import SocialGraph

Floats = NDArray[np.float64]
# Sums over threads come in any order: what is left of that lies beyond these digits.
_DIGITS = 10
_TOLERANCE = 1e-10
_MAX_STEPS = 1000
# Chance to follow an edge rather than to restart anywhere.
_DAMPING = 0.85
CONFIDENCE = 0.95


@contextmanager
def networkit_threads(threads: int, seed: int) -> Iterator[None]:
    """Let networkit use so many threads and this seed, and put its number of threads back."""
    before = nk.getMaxNumberOfThreads()
    nk.setNumberOfThreads(threads)
    nk.setSeed(seed, False)
    try:
        yield
    finally:
        nk.setNumberOfThreads(before)


def significant(values: Floats) -> Floats:
    """Values rounded to the digits that do not depend on the order of summation."""
    size = np.where(values == 0, 1.0, np.abs(values))
    scale = 10.0 ** (_DIGITS - 1 - np.floor(np.log10(size)))
    rounded: Floats = np.round(values * scale) / scale
    return rounded


def pagerank(graph: SocialGraph) -> Floats:
    """PageRank (Page et al. 1999) of n nodes; sums to 1, and weighs edges where they have weights.

    Args:
        graph: The graph; a node without an edge has its share of the restarts.
    """
    if graph.n_nodes == 0:
        return np.zeros(0)
    weighted = graph.weight is not None
    ranking = nk.centrality.PageRank(
        graph.networkit(weighted=weighted),
        damp=_DAMPING,
        tol=1e-12,
        distributeSinks=nk.centrality.SinkHandling.DistributeSinks,
    )
    ranking.maxIterations = _MAX_STEPS
    ranking.run()
    scores = np.array(ranking.scores())
    return significant(scores / scores.sum())


def eigenvector(graph: SocialGraph) -> Floats:
    """Eigenvector centrality (Bonacich 1987) of n nodes, the largest 1.

    Power iteration on A + I from the degrees: the shift keeps it from swinging between the two
    sides of a bipartite graph, such as a star, and changes no eigenvector. In a graph of several
    components the one with the largest eigenvalue has the scores; the others tend to 0. A node
    without an edge has 0. networkit's own has no shift and does not end on a star.
    """
    connected = graph.degree() > 0
    if not connected.any():
        return np.zeros(graph.n_nodes)
    adjacency = graph.adjacency()
    vector = graph.degree().astype(np.float64)
    for _ in range(_MAX_STEPS):
        following = adjacency @ vector + np.where(connected, vector, 0.0)
        following /= np.abs(following).max()
        moved = np.abs(following - vector).max()
        vector = following
        if moved < _TOLERANCE:
            break
    vector[vector < _TOLERANCE] = 0.0
    return significant(vector)


@dataclass(frozen=True)
class Betweenness:
    """Betweenness of n nodes and how sure it is.

    Attributes:
        value: Share of the shortest paths between other nodes that pass through each (0-1).
        sources: Nodes whose paths were counted.
        error: With 95 % confidence no value is off by more, over all nodes at once; 0 when exact.
    """

    value: Floats
    sources: int
    error: float


def betweenness(graph: SocialGraph, *, sources: int, threads: int, seed: int) -> Betweenness:
    """Betweenness centrality (Freeman 1977), exact or from sampled sources; unweighted.

    Sampled by Geisberger, Sanders and Schultes (2008): each source counts a path's inner nodes by
    how far along they lie, which keeps nodes near a source from being overrated. Bounded by
    Hoeffding's inequality and the union bound, as Brandes and Pich (2007) do: a source adds
    between 0 and 2 to the normalised value, so that k sources are off by at most
    2 sqrt(ln(2 n / 0.05) / 2 k). That bound is for the worst graph; `benchmarks.network` measures
    what it is in fact.

    Args:
        graph: The graph.
        sources: How many; n or more is exact.
        threads: Threads.
        seed: Seed of the sampling.
    """
    n = graph.n_nodes
    if n < 3 or graph.n_edges == 0:
        return Betweenness(np.zeros(n), n, 0.0)
    whole = graph.networkit()
    with networkit_threads(threads, seed):
        if sources >= n:
            exact = nk.centrality.Betweenness(whole, normalized=True)
            exact.run()
            return Betweenness(_share(exact.scores()), n, 0.0)
        sampled = nk.centrality.EstimateBetweenness(
            whole, sources, normalized=True, parallel=threads > 1
        )
        sampled.run()
    error = 2.0 * math.sqrt(math.log(2 * n / (1 - CONFIDENCE)) / (2 * sources))
    return Betweenness(_share(sampled.scores()), sources, min(1.0, error))


def _share(scores: list[float]) -> Floats:
    return significant(np.clip(np.array(scores), 0.0, 1.0))


def core_numbers(graph: SocialGraph) -> NDArray[np.int64]:
    """Largest k of each of n nodes such that it belongs to the k-core (Seidman 1983)."""
    if graph.n_edges == 0:
        return np.zeros(graph.n_nodes, dtype=np.int64)
    decomposition = nk.centrality.CoreDecomposition(graph.networkit())
    decomposition.run()
    return np.array(decomposition.scores()).astype(np.int64)


def clustering(graph: SocialGraph, *, threads: int) -> Floats:
    """Local clustering coefficient of n nodes (Watts and Strogatz 1998); 0 below two neighbours."""
    if graph.n_edges == 0:
        return np.zeros(graph.n_nodes)
    with networkit_threads(threads, 0):
        coefficients = nk.centrality.LocalClusteringCoefficient(graph.networkit(), turbo=True)
        coefficients.run()
    scores: Floats = np.nan_to_num(np.array(coefficients.scores()))
    return scores
