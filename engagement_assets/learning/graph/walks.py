"""Random walks on a social graph, many at a time.

Belongs here: uniform and second-order walks. Does not belong here: what is learnt from them
(`embeddings.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engagement_assets.learning.graph.graph import SocialGraph

# Walks that step together: enough for NumPy to be fast, few enough to hold in memory.
_TOGETHER = 200_000


class Walker:
    """Walks of node2vec (Grover and Leskovec 2016) on an undirected graph.

    A step from v, having come from t, goes to a neighbour x of v with odds 1/p where x is t, 1
    where x is a neighbour of t, and 1/q elsewhere. Drawn by rejection (Yang et al. 2019): a uniform
    neighbour is kept with its odds over the largest, so that no table of every pair of edges is
    needed. Edges count the same whatever their weights.

    Args:
        graph: The graph.
        p: Return parameter, above 0.
        q: In-out parameter, above 0.
    """

    def __init__(self, graph: SocialGraph, *, p: float = 1.0, q: float = 1.0) -> None:
        if p <= 0 or q <= 0:
            raise ValueError(f"p={p}, q={q}: both must be more than 0")
        adjacency = graph.adjacency()
        adjacency.sort_indices()
        self._start = adjacency.indptr.astype(np.int64)
        self._neighbour = adjacency.indices.astype(np.int64)
        self._degree = np.diff(self._start)
        self._n = np.int64(graph.n_nodes)
        # every directed edge as one sorted number, to ask whether two nodes are neighbours
        self._keys = np.repeat(np.arange(self._n), self._degree) * self._n + self._neighbour
        self._p, self._q = p, q

    def walks(self, *, length: int, per_node: int, seed: int) -> Iterator[NDArray[np.int64]]:
        """Walks from every node that has a neighbour, in a random order of the nodes.

        Args:
            length: Nodes of a walk.
            per_node: Walks from each node.
            seed: Seed.

        Yields:
            k x `length` arrays of node positions.
        """
        rng = np.random.default_rng(seed)
        sources = np.flatnonzero(self._degree > 0)
        for _ in range(per_node):
            order = rng.permutation(sources)
            for start in range(0, len(order), _TOGETHER):
                yield self._walk(order[start : start + _TOGETHER], length, rng)

    def _walk(
        self, sources: NDArray[np.int64], length: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        steps = np.empty((length, len(sources)), dtype=np.int64)
        steps[0] = sources
        for place in range(1, length):
            before = steps[place - 2] if place > 1 else None
            steps[place] = self._step(steps[place - 1], before, rng)
        return steps.T

    def _step(
        self, here: NDArray[np.int64], before: NDArray[np.int64] | None, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        following = self._uniform(here, rng)
        if before is None or (self._p == 1.0 and self._q == 1.0):
            return following
        largest = max(1.0 / self._p, 1.0, 1.0 / self._q)
        open_rows = np.arange(len(here))
        while len(open_rows):
            drawn = self._uniform(here[open_rows], rng)
            odds = np.full(len(drawn), 1.0 / self._q)
            odds[self._are_neighbours(before[open_rows], drawn)] = 1.0
            odds[drawn == before[open_rows]] = 1.0 / self._p
            accepted = rng.random(len(drawn)) * largest < odds
            following[open_rows[accepted]] = drawn[accepted]
            open_rows = open_rows[~accepted]
        return following

    def _uniform(self, here: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        place = (rng.random(len(here)) * self._degree[here]).astype(np.int64)
        drawn: NDArray[np.int64] = self._neighbour[self._start[here] + place]
        return drawn

    def _are_neighbours(
        self, one: NDArray[np.int64], other: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        wanted = one * self._n + other
        place = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        same: NDArray[np.bool_] = self._keys[place] == wanted
        return same
