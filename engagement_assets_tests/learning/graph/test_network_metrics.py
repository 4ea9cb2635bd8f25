"""Metrics against NetworkX, and on the graphs that break other implementations."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import normalized_mutual_info_score

from engagement_assets.learning.graph.centrality import betweenness, eigenvector, pagerank
from engagement_assets.learning.graph.communities import carry_over, louvain, modularity
from engagement_assets.learning.graph.graph import SocialGraph, build_graph
from engagement_assets.learning.graph.influencers import influencers
from engagement_assets.learning.graph.metrics import MetricSettings, network_metrics

SEEDS = range(3)


def of(graph: nx.Graph, weight: str | None = None) -> SocialGraph:
    table = pd.DataFrame(
        [(a, b, d.get("weight", 1.0)) for a, b, d in graph.edges(data=True)],
        columns=["source", "target", "weight"],
    )
    return build_graph(table, nodes=graph.nodes, weight=weight)


def random_graph(seed: int) -> nx.Graph:
    return nx.gnm_random_graph(60, 110, seed=seed)


def values(found: dict[int, float]) -> np.ndarray:
    return np.array([found[node] for node in sorted(found)])


@pytest.mark.parametrize("seed", SEEDS)
def test_metrics_are_those_of_networkx(seed: int) -> None:
    reference = random_graph(seed)
    table = network_metrics(of(reference)).table
    assert np.allclose(table["pagerank"], values(nx.pagerank(reference, tol=1e-12)), atol=1e-8)
    assert np.allclose(
        table["betweenness_centrality"], values(nx.betweenness_centrality(reference)), atol=1e-9
    )
    assert np.allclose(table["clustering"], values(nx.clustering(reference)))
    assert table["core_number"].tolist() == values(nx.core_number(reference)).tolist()
    assert table["degree"].tolist() == values(dict(reference.degree())).tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_eigenvector_centrality_is_that_of_networkx_in_the_largest_component(seed: int) -> None:
    reference = random_graph(seed)
    largest = reference.subgraph(max(nx.connected_components(reference), key=len))
    expected = values(nx.eigenvector_centrality_numpy(largest))
    actual = eigenvector(of(largest))
    assert np.allclose(actual, np.abs(expected) / np.abs(expected).max(), atol=1e-5)


def test_weights_move_pagerank_as_in_networkx() -> None:
    reference = random_graph(1)
    for number, (_, _, data) in enumerate(reference.edges(data=True)):
        data["weight"] = 1.0 + number % 5
    expected = values(nx.pagerank(reference, tol=1e-12))
    assert np.allclose(pagerank(of(reference, "weight")), expected, atol=1e-8)
    assert not np.allclose(pagerank(of(reference)), expected, atol=1e-4)


def test_the_modularity_is_that_of_networkx() -> None:
    reference = random_graph(2)
    graph = of(reference)
    labels = louvain(graph, resolution=1.0, seed=0)
    groups = [set(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    assert modularity(graph, labels) == pytest.approx(nx.community.modularity(reference, groups))


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_and_repetition_change_nothing(threads: int) -> None:
    graph = of(nx.barabasi_albert_graph(800, 4, seed=1))
    settings = MetricSettings(seed=5, betweenness_work=1, least_sources=40)
    first = network_metrics(graph, settings=settings, threads=2).table
    again = network_metrics(graph, settings=settings, threads=threads).table
    pd.testing.assert_frame_equal(first, again, check_exact=True)


def test_sampled_betweenness_ranks_as_the_exact_one_and_keeps_its_bound() -> None:
    graph = of(nx.barabasi_albert_graph(1000, 4, seed=3))
    exact = betweenness(graph, sources=1000, threads=1, seed=0)
    sampled = betweenness(graph, sources=300, threads=1, seed=0)
    assert exact.error == 0
    assert np.abs(sampled.value - exact.value).max() < sampled.error
    ranks = pd.Series(exact.value).corr(pd.Series(sampled.value), method="spearman")
    assert ranks > 0.9
    top = [set(np.argsort(-metric.value)[:10]) for metric in (exact, sampled)]
    assert len(top[0] & top[1]) >= 8


def test_a_star_of_100000_has_its_centre() -> None:
    leaves = np.arange(1, 100_001)
    star = build_graph(pd.DataFrame({"source": 0, "target": leaves}))
    actual = network_metrics(star, settings=MetricSettings(least_sources=5, betweenness_work=1))
    centre = actual.table.iloc[0]
    assert centre["influence_score"] == 1
    assert centre["eigenvector_centrality"] == 1
    assert centre["degree"] == 100_000
    assert actual.table["betweenness_centrality"].iloc[1:].max() == 0
    assert actual.table["eigenvector_centrality"].iloc[1:].nunique() == 1


@pytest.mark.parametrize("nodes", [0, 1, 2, 5])
def test_a_graph_without_an_edge_has_metrics(nodes: int) -> None:
    empty = pd.DataFrame({"source": [], "target": []})
    actual = network_metrics(build_graph(empty, nodes=range(nodes)))
    assert len(actual.table) == nodes
    assert not actual.table.isna().any(axis=None)
    assert (actual.table["eigenvector_centrality"] == 0).all()
    assert actual.table["community"].nunique() == nodes
    assert len(influencers(actual.table)) == min(nodes, 1)


def test_disconnected_parts_are_communities_of_their_own() -> None:
    parts = nx.disjoint_union(nx.complete_graph(5), nx.complete_graph(7))
    actual = network_metrics(of(parts))
    assert actual.figures["components"] == 2
    labels = actual.table["community"]
    assert labels[:5].nunique() == labels[5:].nunique() == 1
    assert labels[0] != labels[6]


def test_planted_communities_are_found() -> None:
    planted = nx.planted_partition_graph(8, 30, 0.5, 0.01, seed=1)
    truth = np.repeat(np.arange(8), 30)
    assert normalized_mutual_info_score(truth, louvain(of(planted), resolution=1, seed=0)) > 0.95


def test_labels_stay_with_their_community_from_day_to_day() -> None:
    before = pd.Series([5, 5, 5, 2, 2], index=list("abcde"))
    today = pd.Series([0, 0, 0, 1, 1, 2], index=list("abcdef"))
    assert carry_over(today, before).tolist() == [5, 5, 5, 2, 2, 6]


def test_of_a_split_community_the_larger_part_keeps_the_label() -> None:
    before = pd.Series(3, index=list("abcde"))
    today = pd.Series([0, 0, 1, 1, 1], index=list("abcde"))
    assert carry_over(today, before).tolist() == [4, 4, 3, 3, 3]


def test_a_first_day_keeps_its_own_labels() -> None:
    today = pd.Series([0, 1], index=["a", "b"])
    assert carry_over(today, pd.Series([], dtype="int64")).tolist() == [0, 1]


def test_influencers_are_the_top_share_with_their_reasons() -> None:
    table = network_metrics(of(nx.barabasi_albert_graph(300, 3, seed=2))).table
    top = influencers(table)
    assert top["rank"].tolist() == [1, 2, 3]
    assert top["influence_score"].tolist() == sorted(table["influence_score"])[::-1][:3]
    first = top.iloc[0]
    assert first["reason_1_value"] > first["reason_1_typical"]
    names = {first[f"reason_{n}_metric"] for n in (1, 2, 3)}
    assert len(names) == 3


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5])
def test_an_impossible_share_of_influencers_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        influencers(network_metrics(of(nx.path_graph(4))).table, share=share)
