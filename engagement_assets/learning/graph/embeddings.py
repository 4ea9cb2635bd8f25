"""Node embeddings: nodes that walks visit together lie close together.

Belongs here: node2vec on any social graph. Does not belong here: the walks (`walks.py`) and what
embeddings are used for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from gensim.models import Word2Vec
from sklearn.base import BaseEstimator

from engagement_assets.learning.graph.graph import SocialGraph
from engagement_assets.learning.graph.walks import Walker

logger = logging.getLogger(__name__)

# Random nodes beside each true neighbour.
_NEGATIVES = 5


@dataclass(kw_only=True, eq=False, repr=False)
class Node2Vec(BaseEstimator):
    """node2vec (Grover and Leskovec 2016): skip-gram with negative sampling over random walks.

    gensim's skip-gram does the learning, on one thread: the same seed and graph give the same
    vectors.

    Args:
        dimensions: Length of a vector.
        p: Return parameter: above 1 walks seldom step back.
        q: In-out parameter: below 1 walks wander off (communities), above 1 stay near (roles).
        walk_length: Nodes of a walk.
        walks_per_node: Walks from each node.
        window: Nodes of a walk on either side that count as its neighbours.
        epochs: Passes over the walks.
        learning_rate: Of the first steps; it falls to almost 0.
        random_state: Seed.

    Attributes:
        nodes_: The n node ids in the order of the vectors.
        embedding_: n x `dimensions`, float32; zero for a node without an edge.
    """

    dimensions: int = 64
    p: float = 1.0
    q: float = 1.0
    walk_length: int = 40
    walks_per_node: int = 10
    window: int = 3
    epochs: int = 1
    learning_rate: float = 0.1
    random_state: int = 0

    def fit(self, graph: SocialGraph) -> Self:
        """Learn a vector for every node of a graph.

        Raises:
            ValueError: p or q is not above 0.
        """
        self.nodes_ = graph.nodes
        self.embedding_ = np.zeros((graph.n_nodes, self.dimensions), dtype=np.float32)
        corpus = _Sentences(self, Walker(graph, p=self.p, q=self.q))
        if graph.n_edges == 0:
            return self
        model = Word2Vec(
            vector_size=self.dimensions,
            window=self.window,
            negative=_NEGATIVES,
            sg=1,
            hs=0,
            min_count=0,
            sample=0,
            alpha=self.learning_rate,
            seed=self.random_state,
            workers=1,
            batch_words=100_000,
        )
        # every node with an edge starts as many walks; how often others pass decides the negatives
        degree = graph.degree()
        model.build_vocab_from_freq(
            {str(node): int(degree[node]) for node in np.flatnonzero(degree)}
        )
        model.train(
            corpus,
            total_examples=int((degree > 0).sum()) * self.walks_per_node,
            epochs=self.epochs,
        )
        rows = np.array([int(word) for word in model.wv.index_to_key])
        self.embedding_[rows] = model.wv.vectors
        return self


class _Sentences:
    """The walks as gensim wants them, made anew for each epoch."""

    def __init__(self, settings: Node2Vec, walker: Walker) -> None:
        self._settings, self._walker = settings, walker
        self._epoch = 0

    def __iter__(self) -> Iterator[list[str]]:
        self._epoch += 1
        settings = self._settings
        words = np.array([str(n) for n in range(len(settings.nodes_))], dtype=object)
        done, wanted = 0, settings.walks_per_node
        for block in self._walker.walks(
            length=settings.walk_length,
            per_node=wanted,
            seed=settings.random_state + 1000 * (self._epoch - 1),
        ):
            yield from words[block].tolist()
            done += len(block)
            logger.info("node2vec: %s walks learnt", f"{done:,}")
