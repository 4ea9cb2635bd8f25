"""Each component against what is known of it: tails by hand, distances."""

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.anomaly.calibration import TailRank, score_of
from engagement_assets.learning.anomaly.neighbours import SubsampleNeighbours
from engagement_assets.learning.anomaly.preparation import FARTHEST, Preparation
from engagement_assets.learning.anomaly.tails import DirectedTails, TailProbabilities


@pytest.fixture(scope="module")
def matrix():
    return np.random.default_rng(0).standard_normal((600, 5)).astype(np.float32)


def test_tails_are_the_shares_of_the_training_rows():
    column = np.arange(1.0, 11.0, dtype=np.float32)[:, None]
    tails = TailProbabilities.fit(column)
    # of ten values one is at least 10, and with one imagined at each end two of twelve are
    assert tails.score(np.array([[10.0]], dtype=np.float32))[0] == pytest.approx(-np.log(2 / 12))
    assert tails.score(np.array([[99.0]], dtype=np.float32))[0] == pytest.approx(-np.log(1 / 12))


def test_a_declared_side_ignores_the_other_side(matrix):
    tails = TailProbabilities.fit(matrix)
    high = DirectedTails(tails, np.array([2]), np.array([True]))
    rows = np.zeros((3, 5), dtype=np.float32)
    rows[:, 2] = [-9.0, 0.0, 9.0]
    low_row, middle, high_row = high.score(rows)
    assert low_row < middle < high_row
    assert low_row == pytest.approx(0.0, abs=0.01)


def test_a_training_row_is_no_neighbour_of_itself():
    rows = np.array([[0.0], [1.0], [3.0], [7.0]], dtype=np.float32)
    actual = SubsampleNeighbours(rows[None, :, :], np.arange(4)[None, :])
    assert actual.score(rows, training=True) == pytest.approx([1, 1, 2, 4])
    assert actual.score(rows) == pytest.approx([0, 0, 0, 0])
    assert actual.attribute(np.array([[9.0]], dtype=np.float32)) == pytest.approx(4)


def test_a_surprise_is_minus_the_log_of_the_tail_and_goes_on_beyond_the_highest():
    rank = TailRank.fit(np.arange(99.0))
    assert rank([98.0])[0] == pytest.approx(np.log(100))
    assert rank([0.0])[0] == pytest.approx(np.log(100 / 99))
    assert rank([98.0])[0] < rank([98.5])[0] < rank([200.0])[0]
    assert rank([-5.0])[0] == pytest.approx(rank([0.0])[0])


def test_ties_share_one_surprise():
    rank = TailRank.fit([0.0] * 90 + [1.0] * 10)
    assert rank([1.0])[0] == pytest.approx(-np.log(10 / 101))


def test_long_training_keeps_the_map_short_and_its_tail_exact():
    scores = np.random.default_rng(0).exponential(size=50_000)
    rank = TailRank.fit(scores)
    assert len(rank.scores) <= 1500
    for tail in (0.5, 0.1, 0.01, 0.001):
        assert rank([np.quantile(scores, 1 - tail)])[0] == pytest.approx(-np.log(tail), rel=0.01)


def test_the_one_in_a_hundred_scores_nine_tenths():
    assert score_of(np.log(100), review_share=0.01) == pytest.approx(0.9)
    assert score_of(np.log(10), review_share=0.01) == pytest.approx(1 - 0.1**0.5)
    assert score_of(0.0, review_share=0.01) == 0.0
    assert score_of(np.log(20), review_share=0.05) == pytest.approx(0.9)


def test_what_is_null_together_counts_once():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.standard_normal((50, 4)), columns=list("abcd"))
    table.loc[:9, ["a", "b"]] = np.nan
    table.loc[40:, "c"] = np.nan
    columns = Preparation.fit(table).columns
    assert [name for name, says_null in columns if says_null] == ["a", "c"]


def test_a_prepared_table_has_no_null_and_nothing_too_far():
    table = pd.DataFrame({"x": [1.0, 2.0, 3.0, None] * 5, "t": ["p", "p", "q", None] * 5})
    prepared = Preparation.fit(table)
    actual = prepared.transform(pd.DataFrame({"x": [1e30, None], "t": ["never seen", None]}))
    assert np.isfinite(actual).all()
    assert np.abs(actual).max() <= FARTHEST


def test_a_rare_level_is_further_out_than_a_common_one_and_one_not_seen_at_least_as_far():
    table = pd.DataFrame({"t": ["p"] * 80 + ["q"] * 19 + ["r"]})
    prepared = Preparation.fit(table)
    p, q, r, new = prepared.transform(pd.DataFrame({"t": ["p", "q", "r", "new"]}))[:, 0]
    assert p < q < r <= new


def test_a_column_of_one_value_is_left_out_and_named():
    table = pd.DataFrame({"x": range(20), "one": 1, "empty": None})
    assert Preparation.fit(table).left_out == ("one", "empty")
