"""Bias in quality or exposure is found beyond chance, and none is found where there is none."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from engagement_assets.learning.fairness.measures import ranking_fairness

ITEMS = 40


def lists_of(n, chance_by_group, groups, seed=0):
    """Lists whose first place is right with a chance that depends on the group."""
    rng = np.random.default_rng(seed)
    wanted = rng.integers(0, ITEMS, n)
    lists = np.stack([rng.permutation(ITEMS)[:10] for _ in range(n)])
    right = rng.random(n) < np.array([chance_by_group[g] for g in groups])
    for row in range(n):
        others = lists[row][lists[row] != wanted[row]]
        lists[row] = ([wanted[row], *others] if right[row] else [*others, ITEMS, ITEMS + 1])[:10]
    relevant = sp.csr_matrix((np.ones(n), (np.arange(n), wanted)), shape=(n, ITEMS + 2))
    return lists, relevant


def report_of(lists, relevant, groups, **settings):
    return ranking_fairness(
        lists,
        relevant,
        pd.DataFrame({"gender": groups}),
        attributes=["gender"],
        category=np.arange(ITEMS + 2) % 5,
        popularity=np.ones(ITEMS + 2),
        n_bootstrap=100,
        **settings,
    )


def failing(report, side="customers"):
    return {(row.group, row.measure) for row in report.rows if row.fails and row.side == side}


def test_lists_that_serve_one_group_worse_fail_in_quality_once():
    groups = np.array(["f", "m"] * 500)
    report = report_of(*lists_of(1000, {"f": 0.4, "m": 0.7}, groups), groups)
    assert failing(report) == {("f", "ndcg")}
    (ratio,) = [row.ratio for row in report.rows if row.fails]
    assert ratio == pytest.approx(0.4 / 0.7, abs=0.08)
    assert "gender=f" in report.failures[0]


def test_equal_lists_hold_in_about_all_samples():
    groups = np.array(["f", "m"] * 200)
    passed = [
        report_of(*lists_of(400, {"f": 0.5, "m": 0.5}, groups, seed), groups).verdict == "holds"
        for seed in range(20)
    ]
    assert sum(passed) >= 18


def test_shorter_lists_for_one_group_fail():
    groups = np.array(["f", "m"] * 200)
    lists, relevant = lists_of(400, {"f": 1.0, "m": 1.0}, groups)
    lists[groups == "f", 5:] = -1
    assert ("f", "items_shown") in failing(report_of(lists, relevant, groups))


def test_small_groups_are_reported_and_not_judged():
    groups = np.array(["f", "m", *["x"] * 20] + ["f", "m"] * 200)[:400]
    report = report_of(*lists_of(400, {"f": 0.5, "m": 0.5, "x": 0.0}, groups), groups)
    assert failing(report) == set()
    assert any("x (20)" in note for note in report.notes)


def test_authors_of_a_group_that_is_never_shown_fail_in_exposure():
    groups = np.array(["f", "m"] * 100)
    lists, relevant = lists_of(200, {"f": 0.5, "m": 0.5}, groups)
    author = np.arange(ITEMS + 2)
    writer = np.where(np.arange(ITEMS + 2) % 2 == 0, "f", "m")
    even = np.where(lists % 2 == 0, lists, -1)
    for given, passes in ((lists, True), (even, False)):
        report = report_of(
            given, relevant, groups, candidates=np.arange(ITEMS), author=author,
            author_sensitive=pd.DataFrame({"gender": writer}), min_group_size=15,
        )  # fmt: skip
        assert failing(report, "authors") == (set() if passes else {("m", "exposure")})


def test_less_exposure_for_posts_that_are_turned_to_less_is_told_and_does_not_fail():
    groups = np.array(["f", "m"] * 100)
    rng = np.random.default_rng(0)
    # nine of ten customers turn to an even item, and the lists foresee it
    wanted = 2 * rng.integers(0, ITEMS // 2, 200) + (rng.random(200) < 0.1)
    lists = np.full((200, 10), -1)
    lists[:, 0] = wanted
    relevant = sp.csr_matrix((np.ones(200), (np.arange(200), wanted)), shape=(200, ITEMS + 2))
    report = report_of(
        lists, relevant, groups, candidates=np.arange(ITEMS), author=np.arange(ITEMS + 2),
        author_sensitive=pd.DataFrame({"gender": np.where(np.arange(ITEMS + 2) % 2, "m", "f")}),
        min_group_size=15,
    )  # fmt: skip
    assert report.passes
    assert any("authors by gender=m: exposure" in text for text in report.gaps_of_the_truth)


def test_a_small_group_without_one_of_the_few_great_authors_does_not_fail_by_that_alone():
    rng = np.random.default_rng(4)
    items = 4_000
    merit = rng.pareto(1.1, items)
    writer = np.where(np.arange(items) % 16 == 0, "few", "many")
    writer[np.argsort(-merit)[:25]] = "many"
    shown = np.argsort(-np.log(merit + 1e-9) - rng.gumbel(size=(2_000, items)), axis=1)[:, :10]
    relevant = sp.csr_matrix((np.ones(2_000), (np.arange(2_000), shown[:, 0])), (2_000, items))
    report = ranking_fairness(
        shown, relevant, pd.DataFrame({"gender": ["f", "m"] * 1_000}), attributes=["gender"],
        category=np.arange(items) % 5, popularity=np.ones(items), candidates=np.arange(items),
        author=np.arange(items), author_sensitive=pd.DataFrame({"gender": writer}),
        n_bootstrap=20,
    )  # fmt: skip
    exposure = {row.group: row for row in report.rows if row.measure == "exposure"}
    assert exposure["few"].ratio < 0.8
    assert failing(report, "authors") == set()


def test_other_lengths_are_refused():
    lists, relevant = lists_of(10, {"f": 1.0}, np.array(["f"] * 10))
    with pytest.raises(ValueError, match="10 lists but 3"):
        report_of(lists, relevant, np.array(["f"] * 3))
