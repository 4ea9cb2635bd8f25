"""An edge list becomes a clean graph whatever is wrong with it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_assets.learning.graph.graph import Dropped, EdgeListError, build_graph


def edges(*pairs: tuple[object, object]) -> pd.DataFrame:
    return pd.DataFrame(list(pairs), columns=["source", "target"], dtype=object)


def test_reversed_repeated_and_self_edges_are_counted_and_left_out() -> None:
    graph = build_graph(edges(("a", "b"), ("b", "a"), ("a", "b"), ("c", "c"), ("b", "c")))
    assert graph.nodes.tolist() == ["a", "b", "c"]
    assert list(zip(graph.source, graph.target, strict=True)) == [(0, 1), (1, 2)]
    assert graph.dropped == Dropped(self_loops=1, duplicates=2, unknown=0)


def test_an_edge_to_an_unknown_or_null_customer_is_dropped_and_counted() -> None:
    graph = build_graph(edges(("a", "b"), ("a", "x"), (None, "b")), nodes=["a", "b", "lonely"])
    assert graph.n_edges == 1
    assert graph.dropped.unknown == 2
    assert graph.degree().tolist() == [1, 1, 0]


def test_weights_of_a_pair_are_summed_in_either_direction() -> None:
    table = pd.DataFrame({"source": ["a", "b"], "target": ["b", "a"], "w": [1.5, 2.0]})
    graph = build_graph(table, weight="w")
    assert graph.weight is not None
    assert graph.weight.tolist() == [3.5]
    assert graph.networkit(weighted=True).totalEdgeWeight() == 3.5


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_a_weight_that_is_none_is_an_error(bad: float) -> None:
    with pytest.raises(EdgeListError, match="positive number"):
        build_graph(pd.DataFrame({"source": ["a"], "target": ["b"], "w": [bad]}), weight="w")


def test_a_missing_column_is_named() -> None:
    with pytest.raises(EdgeListError, match=r"no column target; it has source"):
        build_graph(pd.DataFrame({"source": ["a"]}))


def test_ids_of_two_kinds_are_an_error() -> None:
    with pytest.raises(EdgeListError, match="mix text and numbers"):
        build_graph(edges(("a", 1)))


def test_no_edge_and_no_node_are_graphs() -> None:
    assert build_graph(edges(), nodes=["a"]).networkit().numberOfNodes() == 1
    empty = build_graph(edges())
    assert (empty.n_nodes, empty.n_edges) == (0, 0)
    assert empty.adjacency().shape == (0, 0)


def test_positions_are_those_of_the_nodes_and_minus_one_for_a_stranger() -> None:
    graph = build_graph(edges((7, 3), (3, 9)))
    assert graph.positions([9, 4, 3]).tolist() == [2, -1, 0]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=40))
def test_any_edge_list_gives_its_distinct_pairs(pairs: list[tuple[int, int]]) -> None:
    graph = build_graph(edges(*pairs), nodes=range(7))
    expected = sorted({tuple(sorted(pair)) for pair in pairs if pair[0] != pair[1]})
    assert list(zip(graph.source.tolist(), graph.target.tolist(), strict=True)) == expected
    counted = graph.dropped
    assert counted.self_loops + counted.duplicates + graph.n_edges == len(pairs)
    assert (graph.adjacency() != graph.adjacency().T).nnz == 0
    assert graph.networkit().numberOfEdges() == len(expected)
