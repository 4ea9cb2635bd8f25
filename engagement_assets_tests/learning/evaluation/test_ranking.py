"""Ranking metrics agree with hand-computed lists and scikit-learn."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import ndcg_score

from engagement_assets.learning.evaluation.ranking import (
    gini,
    list_metrics,
    paired_difference,
    sampled_metrics,
    user_metrics,
)


def test_a_list_by_hand():
    lists = np.array([[3, 1, 0], [2, -1, -1], [0, 1, 2]])
    relevant = sp.csr_matrix(np.array([[1, 0, 0, 1, 1], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]))
    actual = user_metrics(lists, relevant, k=3)
    assert actual.rows.tolist() == [0, 1]
    assert actual.values["precision"].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert actual.values["recall"].tolist() == pytest.approx([2 / 3, 1.0])
    ideal = 1 + 1 / np.log2(3) + 0.5
    assert actual.values["ndcg"].tolist() == pytest.approx([1.5 / ideal, 1.0])
    assert actual.values["hit_rate"].tolist() == [1.0, 1.0]


def test_ndcg_is_scikit_learns_on_full_rankings():
    rng = np.random.default_rng(0)
    relevance = (rng.random((50, 30)) < 0.2).astype(int)
    relevance[:, 0] = 1
    scores = rng.random((50, 30))
    actual = user_metrics(np.argsort(-scores, axis=1), sp.csr_matrix(relevance), k=10)
    wanted = ndcg_score(relevance, scores, k=10)
    assert actual.values["ndcg"].mean() == pytest.approx(wanted)


def test_a_repeated_item_and_other_shapes_are_refused():
    relevant = sp.csr_matrix(np.eye(2))
    with pytest.raises(ValueError, match="repeats"):
        user_metrics(np.array([[0, 0], [1, 0]]), relevant)
    with pytest.raises(ValueError, match="1 lists but 2"):
        user_metrics(np.array([[0, 1]]), relevant)
    with pytest.raises(ValueError, match="nothing can be measured"):
        user_metrics(np.array([[0, 1]]), sp.csr_matrix((1, 2)))


def test_what_lists_are_like_by_hand():
    lists = np.array([[0, 1], [0, 2], [0, -1]])
    actual = list_metrics(lists, n_candidates=4, category=[0, 1, 0, 1], popularity=[6, 0, 0, 0])
    assert actual["coverage"] == pytest.approx(3 / 4)
    assert actual["categories"] == pytest.approx(4 / 3)
    assert actual["least_categories"] == 1
    assert actual["category_entropy"] == pytest.approx(1 / 3)
    common, rare = -np.log2(7 / 10), -np.log2(1 / 10)
    assert actual["novelty"] == pytest.approx((3 * common + 2 * rare) / 5)
    assert actual["exposure_gini"] == pytest.approx(gini([3, 1, 1, 0]))


def test_gini_of_equal_and_of_one_for_all():
    assert gini([2, 2, 2]) == pytest.approx(0.0)
    assert gini([0, 0, 0, 1]) == pytest.approx(0.75)
    assert gini([0, 0]) == 0.0


def test_among_sampled_negatives_ties_count_against_the_method():
    actual = sampled_metrics([1.0, 1.0], np.array([[0.0] * 99, [1.0] * 99]), n_bootstrap=10)
    assert actual["sampled_hit_rate"].value == 0.5
    assert actual["sampled_ndcg"].value == 0.5


def test_an_interval_holds_the_true_mean_in_about_95_of_100_samples():
    rng = np.random.default_rng(0)
    inside = 0
    for seed in range(100):
        rows = (rng.random((200, 1)) < 0.3).astype(int)
        lists = np.zeros((200, 1), dtype=np.int64)
        relevant = sp.csr_matrix(np.concatenate([rows, 1 - rows], axis=1))
        actual = user_metrics(lists, relevant, k=1).intervals(n_bootstrap=200, seed=seed)["ndcg"]
        inside += actual.low <= 0.3 <= actual.high
    assert 88 <= inside <= 100


def test_a_paired_difference_is_sharper_than_two_intervals():
    rng = np.random.default_rng(0)
    base = rng.random(500)
    actual = paired_difference(base + 0.01, base, n_bootstrap=100, seed=0)
    assert actual.value == pytest.approx(0.01)
    assert actual.low == pytest.approx(0.01, abs=1e-6)
