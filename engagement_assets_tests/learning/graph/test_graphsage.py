"""GraphSAGE learns from neighbours where they tell something, and does no harm elsewhere."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from engagement_assets.learning.graph.graph import SocialGraph, build_graph
from engagement_assets.learning.graph.graphsage import (
    GraphSageClassifier,
    GraphSageRegressor,
    _Layer,
    _MeanOfNeighbours,
    _Neighbours,
)
from engagement_assets.learning.graph.node_table import NodeTableError

N = 600


@pytest.fixture(scope="module")
def world() -> tuple[pd.DataFrame, SocialGraph, np.ndarray]:
    """Features, a random graph, and the mean of the neighbours' first feature."""
    rng = np.random.default_rng(1)
    ends = rng.integers(0, N, (4 * N, 2))
    graph = build_graph(pd.DataFrame(ends, columns=["source", "target"]), nodes=range(N))
    table = pd.DataFrame({"a": rng.normal(size=N), "b": rng.normal(size=N)})
    table["kind"] = rng.choice(["x", "y"], N)
    adjacency = graph.adjacency()
    near = adjacency @ table["a"].to_numpy() / np.maximum(graph.degree(), 1)
    return table, graph, near


def r2(truth: np.ndarray, found: np.ndarray) -> float:
    return 1 - ((truth - found) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()


def half_known(label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    hidden = np.arange(N) % 2 == 0
    return np.where(hidden, np.nan, label), hidden


def fitted(table, graph, label, **settings) -> GraphSageRegressor:
    return GraphSageRegressor(hidden=32, n_jobs=1, **settings).fit(table, label, graph=graph)


def test_a_label_of_the_neighbours_is_learnt_with_the_graph_alone(world) -> None:
    table, graph, near = world
    label, hidden = half_known(2 * near)
    with_graph = fitted(table, graph, label).predict(table, graph=graph)
    without = fitted(table, graph, label, use_graph=False).predict(table, graph=graph)
    assert r2(2 * near[hidden], with_graph[hidden]) > 0.6
    assert r2(2 * near[hidden], without[hidden]) < 0.1


def test_a_label_of_ones_own_loses_little_by_the_graph(world) -> None:
    table, graph, _ = world
    truth = table["a"].to_numpy() + (table["kind"] == "x").to_numpy()
    label, hidden = half_known(truth)
    assert r2(truth[hidden], fitted(table, graph, label).predict(table, graph=graph)[hidden]) > 0.9


def test_a_layer_gives_what_torch_geometrics_gives(world) -> None:
    with warnings.catch_warnings():
        # torch-geometric compiles with a function that torch is about to drop
        warnings.simplefilter("ignore", DeprecationWarning)
        from torch_geometric.nn import SAGEConv  # noqa: PLC0415 - warns when it is imported
    _, graph, _ = world
    torch.manual_seed(1)
    ours, theirs = _Layer(8), SAGEConv(8, 8, aggr="mean")
    theirs.load_state_dict(ours.state_dict())
    state, edges = torch.randn(N, 8), graph.edge_index()
    expected = theirs(state, torch.from_numpy(edges))
    assert torch.allclose(ours(state, _Neighbours.of(edges, N)), expected, atol=1e-6)


def test_the_neighbours_mean_and_its_gradient_are_those_of_the_definition() -> None:
    # three of a triangle, a pair that hangs on, and one alone
    edges = np.array([[0, 1], [1, 2], [0, 2], [2, 3], [3, 4]]).T
    both = np.concatenate([edges, edges[::-1]], axis=1)
    near = _Neighbours.of(both, 6)
    adjacency = torch.zeros(6, 6, dtype=torch.float64)
    adjacency[both[0], both[1]] = 1
    mean = adjacency / adjacency.sum(1, keepdim=True).clamp(min=1)
    state = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    actual = _MeanOfNeighbours.apply(state, near)
    assert torch.allclose(actual, mean @ state)
    assert (actual[5] == 0).all()
    exact = state.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: _MeanOfNeighbours.apply(x, near), (exact,))


def test_it_predicts_on_another_graph_and_table(world) -> None:
    table, graph, near = world
    model = fitted(table, graph, 2 * near)
    order = np.random.default_rng(2).permutation(N)[: N // 2]
    part = table.iloc[order]
    assert len(model.predict(part, graph=graph)) == N // 2
    strangers = table.set_axis([f"s{n}" for n in range(N)])
    assert np.isfinite(model.predict(strangers, graph=graph)).all()


def test_the_same_seed_gives_the_same_predictions_and_they_survive_saving(
    world, tmp_path: Path
) -> None:
    table, graph, near = world
    one, other = (fitted(table, graph, near, epochs=9, random_state=4) for _ in range(2))
    expected = one.predict(table, graph=graph)
    assert (other.predict(table, graph=graph) == expected).all()
    one.save(tmp_path)
    loaded = GraphSageRegressor.load(tmp_path)
    assert (loaded.predict(table, graph=graph) == expected).all()
    with pytest.raises(ValueError, match="GraphSageRegressor"):
        GraphSageClassifier.load(tmp_path)


def test_classes_of_the_neighbours_are_learnt(world, tmp_path: Path) -> None:
    table, graph, near = world
    names = np.where(near > 0, "warm", "cold")
    model = GraphSageClassifier(hidden=32, n_jobs=1).fit(table, names, graph=graph)
    assert (model.predict(table, graph=graph) == names).mean() > 0.8
    assert np.allclose(model.predict_proba(table, graph=graph).sum(axis=1), 1)
    model.save(tmp_path)
    again = GraphSageClassifier.load(tmp_path)
    assert (again.predict(table, graph=graph) == model.predict(table, graph=graph)).all()


def test_nulls_rows_outside_the_graph_and_nodes_without_a_row_are_taken(world) -> None:
    table, graph, near = world
    holes = table.mask(np.random.default_rng(1).random(table.shape) < 0.2)
    shifted = holes.set_axis(np.arange(N) + 100)
    actual = fitted(shifted, graph, near, epochs=6).predict(shifted, graph=graph)
    assert np.isfinite(actual).all()


def test_a_graph_without_an_edge_and_a_constant_label_are_taken(world) -> None:
    table, _, _ = world
    empty = build_graph(pd.DataFrame({"source": [], "target": []}), nodes=range(N))
    actual = fitted(table, empty, np.full(N, 3.0), epochs=30).predict(table, graph=empty)
    assert np.allclose(actual, 3.0, atol=0.2)


def test_what_cannot_be_learnt_is_an_error_that_says_why(world) -> None:
    table, graph, near = world
    with pytest.raises(ValueError, match="at least 10"):
        fitted(table.head(1), graph, near[:1])
    with pytest.raises(ValueError, match="600 rows but y has 3"):
        fitted(table, graph, near[:3])
    with pytest.raises(ValueError, match="all labels are the same"):
        GraphSageClassifier().fit(table, ["x"] * N, graph=graph)
    with pytest.raises(NodeTableError, match="when"):
        fitted(table.assign(when=pd.Timestamp("2026-01-01")), graph, near)
    with pytest.raises(NodeTableError, match="no column b"):
        fitted(table, graph, near, epochs=3).predict(table.drop(columns="b"), graph=graph)
    with pytest.raises(ValueError, match="twice"):
        fitted(table.set_axis([0] * N), graph, near)
