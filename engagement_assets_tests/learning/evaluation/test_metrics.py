"""Metrics against scikit-learn's, and intervals against problems whose truth is known."""

import math

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from engagement_assets.learning.evaluation import metrics as m
from engagement_assets.learning.evaluation.binary import OneClassError, Ranked, checked
from engagement_assets.learning.evaluation.bootstrap import Interval, resamples


def sample(n=3000, seed=0, ties=False):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.2).astype(int)
    p = 1 / (1 + np.exp(-(rng.normal(size=n) + 1.5 * y - 1.5)))
    return y, np.round(p, 1) if ties else p


@pytest.mark.parametrize("ties", [False, True])
def test_the_metrics_are_scikit_learns(ties):
    y, p = sample(ties=ties)
    assert m.auc(y, p) == pytest.approx(sk.roc_auc_score(y, p), abs=1e-12)
    clipped = np.clip(p, 1e-15, 1 - 1e-15)
    assert m.log_loss(y, p) == pytest.approx(sk.log_loss(y, clipped))
    weights = np.linspace(0.0, 3.0, len(y))
    assert m.log_loss(y, p, weights=weights) == pytest.approx(
        sk.log_loss(y, clipped, sample_weight=weights)
    )
    figures = m.evaluate(y, p, threshold=0.3, n_bootstrap=0)
    assert figures["brier"].value == pytest.approx(sk.brier_score_loss(y, p))
    assert figures["f1"].value == pytest.approx(sk.f1_score(y, p >= 0.3))
    assert figures["base_rate"].value == y.mean()


@pytest.mark.parametrize("ties", [False, True])
def test_precision_at_recall_is_read_off_scikit_learns_curve(ties):
    y, p = sample(ties=ties)
    precision, recall, _ = sk.precision_recall_curve(y, p)
    at = np.flatnonzero(recall >= 0.8)[-1]
    figures = m.evaluate(y, p, threshold=0.5, recall=0.8, n_bootstrap=0)
    assert figures["precision_at_recall"].value == pytest.approx(precision[at])


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([0.1, 0.2, 0.5, 0.9])), min_size=2).filter(
        lambda rows: len({y for y, _ in rows}) == 2
    )
)
def test_auc_is_scikit_learns_on_any_sample_with_ties(rows):
    y, p = zip(*rows, strict=True)
    assert m.auc(y, p) == pytest.approx(sk.roc_auc_score(y, p), abs=1e-12)


def test_calibration_error_is_the_size_of_a_known_distortion():
    rng = np.random.default_rng(1)
    truth = rng.uniform(0.1, 0.6, 400_000)
    y = rng.random(len(truth)) < truth
    assert m.expected_calibration_error(y, truth) < 0.003
    assert m.expected_calibration_error(y, truth + 0.1) == pytest.approx(0.1, abs=0.003)
    assert m.expected_calibration_error(y, np.full(len(y), 0.5)) == pytest.approx(
        0.5 - y.mean(), abs=1e-9
    )


def test_calibration_error_by_hand():
    y = [0, 1, 1, 1]
    p = [0.1, 0.3, 0.6, 0.8]
    # two bins of two: |1/2 - 0.2| and |1 - 0.7|
    assert m.expected_calibration_error(y, p, bins=2) == pytest.approx(0.3)
    table = m.reliability_table(y, p, bins=2)
    assert table["positive_rate"].tolist() == [0.5, 1.0]
    assert table["rows"].tolist() == [2, 2]


def test_a_weighted_resample_gives_what_the_copied_rows_give():
    y, p = sample(500, ties=True)
    rng = np.random.default_rng(5)
    rows = rng.integers(0, 500, 500)
    weights = np.bincount(rows, minlength=500).astype(float)
    labels, scores = checked(y, p)
    ranked = Ranked(labels, scores)
    assert ranked.auc(weights[ranked.order]) == pytest.approx(m.auc(y[rows], p[rows]))
    assert ranked.precision_at_recall(weights[ranked.order], 0.8) == pytest.approx(
        m.evaluate(y[rows], p[rows], threshold=0.5, n_bootstrap=0)["precision_at_recall"].value
    )


def test_evaluate_gives_every_metric_inside_its_interval():
    y, p = sample()
    actual = m.evaluate(y, p, threshold=0.3, seed=3)
    assert set(actual) == {
        "auc",
        "precision_at_recall",
        "f1",
        "log_loss",
        "calibration_error",
        "brier",
        "base_rate",
    }
    assert actual["auc"].value == m.auc(y, p)
    assert actual["f1"].value == pytest.approx(sk.f1_score(y, p >= 0.3))
    assert actual["log_loss"].value == pytest.approx(m.log_loss(y, p))
    assert actual["calibration_error"].value == pytest.approx(m.expected_calibration_error(y, p))
    for name in set(actual) - {"calibration_error"}:
        assert actual[name].low < actual[name].value < actual[name].high
    assert actual == m.evaluate(y, p, threshold=0.3, seed=3)
    assert actual != m.evaluate(y, p, threshold=0.3, seed=4)


def test_intervals_hold_the_true_auc_as_often_as_they_say():
    # Two normals one apart: AUC = Phi(1 / sqrt 2).
    truth = norm.cdf(1 / math.sqrt(2))
    rng = np.random.default_rng(0)
    held = 0
    for i in range(150):
        y = np.r_[np.zeros(200), np.ones(100)]
        actual = m.evaluate(y, rng.normal(size=300) + y, threshold=1.0, seed=i)["auc"]
        held += actual.low <= truth <= actual.high
    assert 136 <= held <= 149


def test_the_bootstrap_of_a_base_rate_has_the_binomial_width():
    y = np.r_[np.ones(400), np.zeros(1600)]
    actual = m.evaluate(y, np.linspace(0, 1, 2000), threshold=0.5, n_bootstrap=2000)["base_rate"]
    assert (actual.high - actual.low) / 2 == pytest.approx(1.96 * math.sqrt(0.16 / 2000), rel=0.1)


def test_every_resample_draws_as_many_rows_as_there_are():
    assert all(weights.sum() == 50 for weights in resamples(50, n_bootstrap=20, seed=0))


def test_a_paired_difference_is_narrower_than_two_apart_and_sees_a_worse_model():
    y, p = sample()
    rng = np.random.default_rng(2)
    worse = p + rng.normal(scale=0.15, size=len(p))
    gap = m.paired_auc_difference(y, p, worse, n_bootstrap=300)
    assert gap.low > 0
    alone = m.evaluate(y, p, threshold=0.5)["auc"]
    assert gap.high - gap.low < alone.high - alone.low
    same = m.paired_auc_difference(y, p, p, n_bootstrap=50)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_lift_of_a_perfect_and_of_a_random_score():
    y = np.r_[np.ones(100), np.zeros(900)]
    table = m.lift_table(y, y * 0.5 + 0.1)
    assert table["lift"].tolist() == [10.0] + [0.0] * 9
    assert table["cumulative_share_of_positives"].iloc[0] == 1.0
    assert table["rows"].tolist() == [100] * 10
    rng = np.random.default_rng(0)
    y = rng.random(50_000) < 0.3
    chance = m.lift_table(y, rng.random(50_000))
    # Ten intervals of 95 %: one may miss, but none by far.
    assert ((chance["lift_low"] <= 1.0) & (chance["lift_high"] >= 1.0)).sum() >= 8
    assert (chance["lift"] - 1.0).abs().max() < 0.1
    assert chance["cumulative_share_of_positives"].iloc[-1] == 1.0


def test_lift_parts_have_all_customers_when_they_do_not_divide_evenly():
    y, p = sample(1003)
    table = m.lift_table(y, p, n_bootstrap=20)
    assert table["rows"].sum() == 1003
    assert np.ptp(table["rows"]) <= 1
    assert (np.diff(table["mean_probability"]) < 0).all()


@pytest.mark.parametrize("y", [[0, 0, 0], [1, 1, 1]])
def test_one_class_is_said_clearly(y):
    for metric in (m.auc, m.lift_table):
        with pytest.raises(OneClassError, match=f"all 3 labels are {y[0]}"):
            metric(y, [0.1, 0.2, 0.3])


@pytest.mark.parametrize("y", [[0, 0, 0], [1, 1, 1]])
def test_of_one_class_what_needs_two_is_unknown_and_the_rest_is_measured(y):
    figures = m.evaluate(y, [0.1, 0.2, 0.3], threshold=0.5, n_bootstrap=20)
    assert math.isnan(figures["auc"].value)
    assert figures["brier"].value == pytest.approx(np.mean((np.array([0.1, 0.2, 0.3]) - y) ** 2))
    difference = m.paired_auc_difference(y, [0.1, 0.2, 0.3], [0.3, 0.2, 0.1], n_bootstrap=20)
    assert math.isnan(difference.value)
    assert math.isnan(difference.low)


def test_a_resample_without_churners_does_not_break_the_interval():
    actual = m.evaluate([1] + [0] * 9, np.linspace(1, 0, 10), threshold=0.5)
    assert actual["auc"].value == 1.0
    assert np.isfinite([actual["auc"].low, actual["auc"].high]).all()


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        ([], [], "no labels"),
        ([0, 1, 2], [0.1, 0.2, 0.3], "must be 0 and 1, got 2"),
        ([0, 1, None], [0.1, 0.2, 0.3], "1 labels are null"),
        (["no", "yes"], [0.1, 0.2], "numbers 0 and 1, got 'no'"),
        ([0, 1], [0.1], "one probability a label"),
        ([0, 1], [0.1, math.nan], "finite"),
    ],
)
def test_bad_input_is_named(y, p, message):
    with pytest.raises(ValueError, match=message):
        m.auc(y, p)


def test_labels_may_be_of_any_binary_type():
    p = [0.1, 0.9, 0.4, 0.6]
    for labels in (
        [False, True, False, True],
        pd.Series([0, 1, 0, 1], dtype="Int64"),
        pd.Series([False, True, False, True], dtype="boolean"),
        pd.Series([0, 1, 0, 1], dtype=object),
        np.array([0.0, 1.0, 0.0, 1.0]),
    ):
        assert m.auc(labels, p) == 1.0


def test_an_interval_survives_json():
    actual = Interval(0.5, 0.4, 0.6)
    assert Interval.from_dict(actual.to_dict()) == actual
