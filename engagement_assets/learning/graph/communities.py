"""Communities of a social graph, and labels that stay the same from day to day.

Belongs here: finding communities, their modularity, carrying labels over. Does not belong here:
centralities (`centrality.py`).
"""

from __future__ import annotations

import networkit as nk
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.learning.graph.centrality import networkit_threads
from engagement_assets.learning.graph.graph import SocialGraph

Labels = NDArray[np.int64]


def louvain(graph: SocialGraph, *, resolution: float, seed: int) -> Labels:
    """Communities by the Louvain method (Blondel et al. 2008), labelled by size, the largest 0.

    Weighs edges where they have weights. One thread: it takes a fraction of a second, and in
    parallel the order of the moves, and with it the communities, changes from run to run.

    Args:
        graph: The graph; a node without an edge is a community of its own.
        resolution: 1 is modularity itself; more gives smaller communities.
        seed: Seed of the order of the nodes.

    Returns:
        A label for each of n nodes.
    """
    if graph.n_edges == 0:
        return np.arange(graph.n_nodes, dtype=np.int64)
    with networkit_threads(1, seed):
        communities = nk.community.PLM(
            graph.networkit(weighted=graph.weight is not None),
            refine=True,
            gamma=resolution,
            par="none",
        )
        communities.run()
        labels = np.array(communities.getPartition().getVector(), dtype=np.int64)
    return by_size(labels)


def by_size(labels: Labels) -> Labels:
    """The same communities numbered by size, the largest 0; equal sizes by their first node."""
    _, first, inverse, sizes = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort((first, -sizes))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    ranked: Labels = rank[inverse]
    return ranked


def modularity(graph: SocialGraph, labels: Labels) -> float:
    """Modularity of a partition (Newman and Girvan 2004), weighted where edges have weights.

    Returns:
        From -0.5 to 1; 0 for a graph without an edge.
    """
    if graph.n_edges == 0:
        return 0.0
    communities = nk.structures.Partition(graph.n_nodes, labels)
    whole = graph.networkit(weighted=graph.weight is not None)
    return float(nk.community.Modularity().getQuality(communities, whole))


def carry_over(today: pd.Series, before: pd.Series) -> pd.Series:
    """Rename today's communities after those of the day before that they overlap most with.

    Pairs are matched one to one, the greatest overlap first (ties: the smaller old label, then the
    smaller new one). A community without a partner gets a number above all that were used before.

    Args:
        today: Label of each node today, indexed by node.
        before: Label of each node the day before, indexed by node.

    Returns:
        The new label of each node, int64, indexed as `today`.
    """
    if before.empty:
        return today.astype(np.int64)
    both = pd.DataFrame({"new": today, "old": before.reindex(today.index)}).dropna()
    overlap = both.groupby(["new", "old"]).size().reset_index(name="count")
    overlap = overlap.sort_values(["count", "old", "new"], ascending=[False, True, True])
    taken: dict[int, int] = {}
    used: set[int] = set()
    for new, old in zip(overlap["new"], overlap["old"], strict=True):
        if new not in taken and old not in used:
            taken[int(new)] = int(old)
            used.add(int(old))
    fresh = int(before.max()) + 1
    for new in sorted(set(today.unique()) - set(taken)):
        taken[int(new)] = fresh
        fresh += 1
    return today.map(taken).astype(np.int64)
