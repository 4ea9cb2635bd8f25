"""The spread that was planted is found, and the seeds that reach most."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.graph.graph import SocialGraph, build_graph
from engagement_assets.learning.graph.influence_maximisation import (
    compare_seeds,
    maximise_influence,
    reverse_sets,
)
from engagement_assets.learning.graph.spread import (
    IndependentCascade,
    SpreadError,
    cascades_of_posts,
)


def of(graph: nx.Graph) -> SocialGraph:
    table = pd.DataFrame(list(graph.edges), columns=["source", "target"])
    return build_graph(table, nodes=graph.nodes)


def planted(graph: SocialGraph, probability: np.ndarray) -> IndependentCascade:
    model = IndependentCascade()
    model.graph_, model.probability_ = graph, probability
    model.background_, model.global_ = 0.0, float(probability.mean()) if len(probability) else 0.0
    return model


def cascades(
    graph: SocialGraph, probability: np.ndarray, count: int, background: float = 0.0
) -> pd.DataFrame:
    """Cascades drawn from known chances, each from a random person."""
    rng = np.random.default_rng(1)
    sources, targets = graph.edge_index()
    rows = []
    for cascade in range(count):
        reached = {int(rng.integers(graph.n_nodes)): 0}
        fresh, time = set(reached), 0
        while fresh:
            time += 1
            told = {
                int(targets[edge])
                for edge in np.flatnonzero(np.isin(sources, list(fresh)))
                if rng.random() < probability[edge]
            }
            near = {int(t) for t in targets[np.isin(sources, list(fresh))]}
            told |= {node for node in near if rng.random() < background}
            fresh = told - set(reached)
            reached |= dict.fromkeys(fresh, time)
        rows += [(cascade, node, when) for node, when in reached.items()]
    return pd.DataFrame(rows, columns=["cascade", "node", "time"])


@pytest.fixture(scope="module")
def graph() -> SocialGraph:
    return of(nx.gnm_random_graph(25, 40, seed=1))


def test_planted_chances_are_found(graph: SocialGraph) -> None:
    rng = np.random.default_rng(2)
    truth = rng.choice([0.02, 0.5], 2 * graph.n_edges)
    model = IndependentCascade(prior_trials=2).fit(graph, cascades(graph, truth, 2500))
    assert np.corrcoef(truth, model.probability_)[0, 1] > 0.95
    assert model.probability_[truth == 0.5].mean() == pytest.approx(0.5, abs=0.08)
    assert model.probability_[truth == 0.02].mean() < 0.06


def test_held_out_cascades_are_likelier_than_with_one_chance(graph: SocialGraph) -> None:
    truth = np.random.default_rng(2).choice([0.02, 0.5], 2 * graph.n_edges)
    seen = cascades(graph, truth, 1500)
    model = IndependentCascade().fit(graph, seen[seen["cascade"] < 1200])
    assert model.gain(seen[seen["cascade"] >= 1200]).low > 0


def test_with_one_chance_for_all_there_is_nothing_to_gain(graph: SocialGraph) -> None:
    seen = cascades(graph, np.full(2 * graph.n_edges, 0.2), 1500)
    model = IndependentCascade().fit(graph, seen[seen["cascade"] < 1200])
    assert model.gain(seen[seen["cascade"] >= 1200]).value < 0.05
    assert model.probability_.std() < 0.08


def test_a_rarely_seen_edge_stays_near_the_others() -> None:
    seen = pd.DataFrame({"cascade": [0, 0], "node": [0, 1], "time": [0, 1]})
    near = build_graph(pd.DataFrame({"source": [0, 1, 2], "target": [1, 2, 3]}))
    model = IndependentCascade(prior_trials=100).fit(near, seen)
    assert np.abs(model.probability_ - model.global_).max() < 0.02


def test_simulation_gives_the_expected_reach_of_a_path() -> None:
    path = build_graph(pd.DataFrame({"source": [0, 1], "target": [1, 2]}))
    model = planted(path, np.full(4, 0.5))
    actual = model.simulate(np.array([0]), simulations=4000)
    assert actual.low < 1 + 0.5 + 0.25 < actual.high
    assert planted(path, np.ones(4)).simulate(np.array([1])).value == 3
    assert planted(path, np.zeros(4)).simulate(np.array([1])).value == 1
    assert model.simulate(np.array([], dtype=np.int64)).value == 0
    with pytest.raises(SpreadError, match="no node"):
        model.simulate(np.array([3]))


def two_stars() -> SocialGraph:
    """Hub 0 with leaves, its neighbour hub 1 with half of the same leaves, far hub 30."""
    graph = nx.Graph()
    graph.add_edges_from((0, leaf) for leaf in range(2, 22))
    graph.add_edges_from((1, leaf) for leaf in range(2, 20))
    graph.add_edges_from((30, leaf) for leaf in range(31, 41))
    return of(graph)


def test_the_greedy_choice_takes_two_hubs_that_do_not_share_their_leaves() -> None:
    stars = two_stars()
    model = planted(stars, np.full(2 * stars.n_edges, 0.9))
    chosen = maximise_influence(model, 2)
    assert set(stars.nodes[chosen.seeds]) & {30}
    assert not {0, 1} <= set(stars.nodes[chosen.seeds])
    _, reach = compare_seeds(model, 2)
    assert reach["greedy"].low > reach["degree"].high


def test_lazy_evaluation_chooses_as_the_plain_greedy_does(graph: SocialGraph) -> None:
    model = planted(graph, np.random.default_rng(3).random(2 * graph.n_edges) * 0.4)
    chosen = maximise_influence(model, 5, samples=3000, random_state=1)
    owner, member = reverse_sets(model, 3000, random_state=1)
    covered, plain = set(), []
    for _ in range(5):
        sets = {node: set(owner[member == node]) - covered for node in range(graph.n_nodes)}
        best = min(sets, key=lambda node: (-len(sets[node]), node))
        plain.append(best)
        covered |= sets[best]
    assert chosen.seeds.tolist() == plain
    assert (np.diff(chosen.gains) <= 0).all()
    assert chosen.evaluations < 5 * graph.n_nodes
    assert chosen.gains.sum() == pytest.approx(len(covered) * graph.n_nodes / 3000)


def test_bad_input_is_an_error_that_says_why(graph: SocialGraph) -> None:
    model = planted(graph, np.zeros(2 * graph.n_edges))
    for k in (0, graph.n_nodes + 1):
        with pytest.raises(SpreadError, match="number of nodes"):
            maximise_influence(model, k)
    empty = pd.DataFrame({"cascade": [], "node": [], "time": []})
    with pytest.raises(SpreadError, match="nothing to fit"):
        IndependentCascade().fit(graph, empty)
    with pytest.raises(SpreadError, match="no column time"):
        IndependentCascade().fit(graph, empty.drop(columns="time"))
    lonely = build_graph(pd.DataFrame({"source": [], "target": []}), nodes=["a"])
    seen = pd.DataFrame({"cascade": [0], "node": ["a"], "time": [0]})
    with pytest.raises(SpreadError, match="nothing to fit"):
        IndependentCascade().fit(lonely, seen)
    assert maximise_influence(planted(lonely, np.zeros(0)), 1).seeds.tolist() == [0]


def test_nobody_known_of_a_cascade_counts_for_nothing(graph: SocialGraph) -> None:
    strangers = pd.DataFrame({"cascade": [0, 0], "node": ["x", "y"], "time": [0, 1]})
    with pytest.raises(SpreadError, match="nothing to fit"):
        IndependentCascade().fit(graph, strangers)


def test_a_post_is_a_cascade_from_its_author_for_some_hours() -> None:
    begin = pd.Timestamp("2026-01-01")
    made = pd.DataFrame({"post_id": ["p"], "customer_id": ["ann"], "occurred_at": [begin]})
    came = pd.DataFrame(
        {
            "post_id": ["p", "p", "q"],
            "customer_id": ["bob", "late", "cat"],
            "occurred_at": begin + pd.to_timedelta([1, 30, 1], unit="h"),
        }
    )
    actual = cascades_of_posts(made, came, hours=24)
    assert actual["node"].tolist() == ["ann", "bob"]
