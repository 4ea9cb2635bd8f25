"""Hold edges of a graph out and score pairs of nodes, by shared neighbours or by embeddings.

Belongs here: holding edges out, scores of pairs, their AUC. Does not belong here: embeddings
themselves (`engagement_assets.learning.graph.embeddings`), tables of results (`link_prediction`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from engagement_assets.learning.evaluation.binary import Ranked
from engagement_assets.learning.evaluation.bootstrap import Interval, interval, resamples
from engagement_assets.learning.graph.graph import SocialGraph

Pairs = NDArray[np.int64]
Scores = NDArray[np.float64]
_MOST_TRAINING_PAIRS = 200_000


class LinkPredictionError(ValueError):
    """A graph has too few edges, or too few pairs without one."""


@dataclass(frozen=True)
class HeldOut:
    """Edges held out and as many pairs that are none.

    Attributes:
        graph: What is left; all nodes are still there.
        positive: k x 2 positions of the edges held out.
        negative: k x 2 positions of pairs without an edge in the whole graph.
    """

    graph: SocialGraph
    positive: Pairs
    negative: Pairs

    @property
    def pairs(self) -> Pairs:
        """The 2k pairs, edges first."""
        return np.concatenate([self.positive, self.negative])

    @property
    def labels(self) -> NDArray[np.int64]:
        """1 for an edge, 0 for none."""
        return np.repeat([1, 0], [len(self.positive), len(self.negative)])


def hold_out(graph: SocialGraph, *, share: float = 0.1, seed: int = 0) -> HeldOut:
    """Hold a random share of the edges out, with as many random pairs that are no edges.

    Raises:
        LinkPredictionError: Too few edges for the share, or too few pairs without an edge.
    """
    rng = np.random.default_rng(seed)
    count = int(graph.n_edges * share)
    if count < 1 or count >= graph.n_edges:
        raise LinkPredictionError(f"a share of {share} of {graph.n_edges} edges leaves nothing")
    out = np.zeros(graph.n_edges, dtype=bool)
    out[rng.permutation(graph.n_edges)[:count]] = True
    remaining = replace(
        graph,
        source=graph.source[~out],
        target=graph.target[~out],
        weight=None if graph.weight is None else graph.weight[~out],
    )
    positive = np.stack([graph.source[out], graph.target[out]], axis=1)
    return HeldOut(remaining, positive, random_non_edges(graph, count, rng))


def random_non_edges(graph: SocialGraph, count: int, rng: np.random.Generator) -> Pairs:
    """Distinct random pairs of different nodes without an edge, count x 2.

    Raises:
        LinkPredictionError: The graph has not so many.
    """
    n = graph.n_nodes
    if n * (n - 1) // 2 - graph.n_edges < count:
        raise LinkPredictionError(f"the graph has fewer than {count} pairs without an edge")
    taken = graph.source * np.int64(n) + graph.target
    codes = np.zeros(0, dtype=np.int64)
    while len(codes) < count:
        drawn = np.sort(rng.integers(0, n, (2 * count + 16, 2)), axis=1)
        drawn = drawn[drawn[:, 0] < drawn[:, 1]]
        keys = drawn[:, 0] * np.int64(n) + drawn[:, 1]
        both = np.concatenate([codes, keys[~np.isin(keys, taken)]])
        _, first = np.unique(both, return_index=True)
        codes = both[np.sort(first)][:count]
    return np.stack([codes // n, codes % n], axis=1)


def common_neighbours(graph: SocialGraph, pairs: Pairs) -> Scores:
    """Number of common neighbours of each of k pairs (Liben-Nowell and Kleinberg 2007)."""
    return _shared(graph, pairs, np.ones(graph.n_nodes))


def adamic_adar(graph: SocialGraph, pairs: Pairs) -> Scores:
    """Sum of 1 / ln(degree) over the common neighbours of each pair (Adamic and Adar 2003)."""
    degree = np.maximum(graph.degree(), 2)
    return _shared(graph, pairs, 1.0 / np.log(degree))


def _shared(graph: SocialGraph, pairs: Pairs, worth: Scores) -> Scores:
    adjacency = replace(graph, weight=None).adjacency()
    left = adjacency[pairs[:, 0]].multiply(worth[None, :]).tocsr()
    right = adjacency[pairs[:, 1]]
    return np.asarray(left.multiply(right).sum(axis=1)).ravel()


def embedding_scorer(
    graph: SocialGraph, embedding: NDArray[np.float32], *, seed: int = 0
) -> Callable[[Pairs], Scores]:
    """A score of pairs learnt from a graph's own edges: logistic regression on hadamard products.

    Each pair is the product of its two vectors, element by element (Grover and Leskovec 2016).

    Args:
        graph: The graph the embedding was learnt from, without the edges to be judged.
        embedding: n x d.
        seed: Seed of the negatives.

    Returns:
        A function that gives the k log-odds of k x 2 pairs.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(graph.n_edges)[:_MOST_TRAINING_PAIRS]
    edges = np.stack([graph.source[chosen], graph.target[chosen]], axis=1)
    others = random_non_edges(graph, len(edges), rng)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    model.fit(
        _hadamard(embedding, np.concatenate([edges, others])),
        np.repeat([1, 0], [len(edges), len(others)]),
    )

    def score(pairs: Pairs) -> Scores:
        return np.asarray(model.decision_function(_hadamard(embedding, pairs)), dtype=np.float64)

    return score


def _hadamard(embedding: NDArray[np.float32], pairs: Pairs) -> NDArray[np.float32]:
    product: NDArray[np.float32] = embedding[pairs[:, 0]] * embedding[pairs[:, 1]]
    return product


def link_auc(held_out: HeldOut, scores: Scores, *, n_bootstrap: int = 200) -> Interval:
    """AUC of scores of the pairs held out, with its interval over the pairs."""
    labels = held_out.labels.astype(np.float64)
    ranked = Ranked(labels, np.asarray(scores, dtype=np.float64))
    draws = resamples(len(labels), n_bootstrap=n_bootstrap, seed=0)
    return interval(ranked.auc(np.ones_like(labels)), [ranked.auc(counts) for counts in draws])
