"""Embeddings and link prediction."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from benchmarks.held_out_edges import (
    LinkPredictionError,
    adamic_adar,
    common_neighbours,
    embedding_scorer,
    hold_out,
    link_auc,
)
from engagement_assets.learning.graph.embeddings import Node2Vec
from engagement_assets.learning.graph.graph import SocialGraph, build_graph
from engagement_assets.learning.graph.walks import Walker


def of(graph: nx.Graph, extra: int = 0) -> SocialGraph:
    table = pd.DataFrame(list(graph.edges), columns=["source", "target"])
    return build_graph(table, nodes=range(graph.number_of_nodes() + extra))


@pytest.fixture(scope="module")
def parts() -> SocialGraph:
    """Four dense parts, and a node without an edge."""
    return of(nx.planted_partition_graph(4, 30, 0.4, 0.01, seed=1), extra=1)


def test_walks_follow_edges(parts: SocialGraph) -> None:
    near = parts.adjacency().toarray() > 0
    for walks in Walker(parts, p=0.5, q=2.0).walks(length=10, per_node=2, seed=1):
        assert near[walks[:, :-1], walks[:, 1:]].all()


def test_a_large_p_seldom_steps_back_and_a_small_one_often() -> None:
    graph = of(nx.random_regular_graph(4, 200, seed=1))

    def back(p: float) -> float:
        walks = next(Walker(graph, p=p).walks(length=40, per_node=1, seed=1))
        return float((walks[:, 2:] == walks[:, :-2]).mean())

    assert back(10.0) < 0.1
    assert 0.2 < back(1.0) < 0.3
    assert back(0.1) > 0.6


@pytest.mark.parametrize(("p", "q"), [(0, 1), (1, -1)])
def test_impossible_walks_are_refused(p: float, q: float, parts: SocialGraph) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        Walker(parts, p=p, q=q)


def test_nodes_of_one_part_lie_closer_than_others(parts: SocialGraph) -> None:
    vectors = Node2Vec(dimensions=16, random_state=1).fit(parts).embedding_
    unit = vectors[:120] / np.linalg.norm(vectors[:120], axis=1, keepdims=True)
    near = (unit @ unit.T).reshape(4, 30, 4, 30).mean(axis=(1, 3))
    assert np.diag(near).min() > near[~np.eye(4, dtype=bool)].max() + 0.3


def test_the_same_seed_gives_the_same_vectors_and_a_lonely_node_none(parts: SocialGraph) -> None:
    one, other = (Node2Vec(dimensions=8, random_state=3).fit(parts) for _ in range(2))
    assert (one.embedding_ == other.embedding_).all()
    assert not one.embedding_[120].any()


def test_a_graph_without_an_edge_has_zero_vectors() -> None:
    empty = build_graph(pd.DataFrame({"source": [], "target": []}), nodes=["a"])
    assert Node2Vec(dimensions=4).fit(empty).embedding_.tolist() == [[0, 0, 0, 0]]


def test_shared_neighbours_are_those_of_networkx() -> None:
    reference = nx.gnm_random_graph(30, 90, seed=1)
    pairs = np.array(list(nx.non_edges(reference))[:60])
    expected = [score for _, _, score in nx.adamic_adar_index(reference, pairs.tolist())]
    assert np.allclose(adamic_adar(of(reference), pairs), expected)
    shared = [len(set(nx.common_neighbors(reference, *pair))) for pair in pairs]
    assert common_neighbours(of(reference), pairs).tolist() == shared


def test_what_is_held_out_is_in_the_whole_and_not_in_the_rest(parts: SocialGraph) -> None:
    held = hold_out(parts, share=0.2, seed=1)
    whole = set(zip(parts.source, parts.target, strict=True))
    rest = set(zip(held.graph.source, held.graph.target, strict=True))
    out = set(map(tuple, held.positive))
    assert out | rest == whole
    assert not out & rest
    assert not set(map(tuple, held.negative)) & whole
    assert len(set(map(tuple, held.negative))) == len(held.negative) == len(out)


def test_links_of_dense_parts_are_foretold(parts: SocialGraph) -> None:
    held = hold_out(parts, share=0.2, seed=2)
    vectors = Node2Vec(dimensions=16, random_state=1).fit(held.graph).embedding_
    learnt = embedding_scorer(held.graph, vectors)(held.pairs)
    assert link_auc(held, learnt).low > 0.75
    assert link_auc(held, adamic_adar(held.graph, held.pairs)).low > 0.75
    chance = np.random.default_rng(0).random(len(held.pairs))
    assert link_auc(held, chance).low < 0.5 < link_auc(held, chance).high


def test_a_graph_too_small_or_too_full_is_refused() -> None:
    with pytest.raises(LinkPredictionError, match="leaves nothing"):
        hold_out(of(nx.path_graph(2)))
    with pytest.raises(LinkPredictionError, match="fewer than"):
        hold_out(of(nx.complete_graph(8)), share=0.5)
