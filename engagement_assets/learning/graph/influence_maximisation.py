"""Maximise influence: choose the people from whom a spread reaches most.

Belongs here: greedy influence maximisation, and the plain choices it is compared with. Does not
belong here: the spread itself (`spread.py`).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.graph.centrality import pagerank
from engagement_assets.learning.graph.spread import IndependentCascade, SpreadError, outgoing

Seeds = NDArray[np.int64]
_TOGETHER = 8192
_SETS_PER_NODE = 30


@dataclass(frozen=True)
class Chosen:
    """Seeds in the order they were chosen.

    Attributes:
        seeds: k positions in the graph's nodes.
        gains: People that each adds in expectation to those before it.
        evaluations: Gains that were computed; the plain greedy method computes k times n.
    """

    seeds: Seeds
    gains: NDArray[np.float64]
    evaluations: int


def maximise_influence(
    model: IndependentCascade, k: int, *, samples: int | None = None, random_state: int = 0
) -> Chosen:
    """Choose k seeds greedily, each with the most people it adds.

    Gains come from reverse reachable sets (Borgs et al. 2014; Tang, Xiao and Shi 2014): the people
    who would reach a random person. Someone in a share s of the sets reaches s n people in
    expectation. Greedy cover of the sets, with lazy evaluation (Leskovec et al. 2007: a gain never
    grows, so an old one that is still the largest need not be computed again), reaches at least
    1 - 1/e of the most that k seeds could cover.

    Args:
        model: A fitted spread.
        k: How many seeds.
        samples: Reverse reachable sets; 30 a node when None. A seed that reaches r people lies in
            some 30 r of them; more make the choice steadier.
        random_state: Seed.

    Raises:
        SpreadError: k is below 1 or above the number of nodes.
    """
    n = model.graph_.n_nodes
    if not 1 <= k <= n:
        raise SpreadError(f"k={k}: expected 1 to {n}, the number of nodes")
    samples = _SETS_PER_NODE * n if samples is None else samples
    owner, member = reverse_sets(model, samples, random_state=random_state)
    by_member = np.argsort(member, kind="stable")
    counts = np.bincount(member, minlength=n)
    start = np.cumsum(counts) - counts
    covered = np.zeros(samples, dtype=bool)

    def gain(node: int) -> int:
        sets = owner[by_member[start[node] : start[node] + counts[node]]]
        return int((~covered[sets]).sum())

    heap = [(-int(counts[node]), node) for node in range(n)]
    heapq.heapify(heap)
    seeds: list[int] = []
    gains: list[float] = []
    evaluations = 0
    while len(seeds) < k:
        _, node = heapq.heappop(heap)
        now = gain(node)
        evaluations += 1
        if heap and (-now, node) > heap[0]:
            heapq.heappush(heap, (-now, node))
            continue
        seeds.append(node)
        gains.append(now * n / samples)
        covered[owner[by_member[start[node] : start[node] + counts[node]]]] = True
    return Chosen(np.array(seeds, dtype=np.int64), np.array(gains), evaluations)


def reverse_sets(
    model: IndependentCascade, samples: int, *, random_state: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Reverse reachable sets of random people.

    Returns:
        Set and member of each membership.
    """
    graph, rng = model.graph_, np.random.default_rng(random_state)
    n, m = np.int64(graph.n_nodes), graph.n_edges
    owners, members = [], []
    for first in range(0, samples, _TOGETHER):
        count = min(_TOGETHER, samples - first)
        fresh = np.arange(count) * n + rng.integers(0, n, count)
        reached = fresh
        while len(fresh):
            edge, origin, near = outgoing(graph, fresh % n)
            # against the edge's direction: the way back has the other half's number
            back = np.where(edge < m, edge + m, edge - m)
            passed = rng.random(len(edge)) < model.probability_[back]
            members_now = np.unique((fresh // n)[origin[passed]] * n + near[passed])
            fresh = members_now[~np.isin(members_now, reached)]
            reached = np.union1d(reached, fresh)
        owners.append(first + reached // n)
        members.append(reached % n)
    return np.concatenate(owners), np.concatenate(members)


def plain_seeds(model: IndependentCascade, k: int, *, random_state: int = 0) -> dict[str, Seeds]:
    """The plain choices: the k nodes of the highest degree, of the highest PageRank, and random."""
    graph = model.graph_
    rng = np.random.default_rng(random_state)
    return {
        "degree": np.argsort(-graph.degree(), kind="stable")[:k],
        "pagerank": np.argsort(-pagerank(graph), kind="stable")[:k],
        "random": rng.permutation(graph.n_nodes)[:k],
    }


def compare_seeds(
    model: IndependentCascade, k: int, *, random_state: int = 0
) -> tuple[Chosen, dict[str, Interval]]:
    """Compare greedy seeds with the plain ones, by simulated reach.

    The simulations are fresh: none was used to choose.

    Returns:
        The greedy choice, and by method the mean reach with its 95 % interval.
    """
    chosen = maximise_influence(model, k, random_state=random_state)
    methods = {"greedy": chosen.seeds, **plain_seeds(model, k, random_state=random_state)}
    return chosen, {
        name: model.simulate(seeds, random_state=random_state + 1)
        for name, seeds in methods.items()
    }
