"""Regression metrics have their known values, and their intervals hold the truth."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from engagement_assets.learning.evaluation.regression import (
    bias_by_chance,
    decile_table,
    evaluate_regression,
    normalised_gini,
    paired_loss_difference,
    r2,
    weighted_gini,
    weighted_r2,
)


def figures(y, p, **how):
    """Every metric without its interval."""
    intervals = evaluate_regression(y, p, n_bootstrap=0, **how)
    return {name: interval.value for name, interval in intervals.items()}


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(0)
    y = rng.gamma(0.5, 4.0, 3000) * (rng.random(3000) < 0.4)
    return y, y * rng.lognormal(0.0, 0.4, 3000) + rng.exponential(0.2, 3000)


def test_r2_rmse_and_mae_are_scikit_learns(numbers):
    y, p = numbers
    assert r2(y, p) == pytest.approx(r2_score(y, p))
    assert figures(y, p)["r2"] == r2(y, p)
    assert figures(y, p)["rmse"] == pytest.approx(np.sqrt(mean_squared_error(y, p)))
    assert figures(y, p)["mae"] == pytest.approx(mean_absolute_error(y, p))


def test_mape_looks_at_those_who_pay_alone():
    paid = figures([0.0, -5.0, 10.0, 100.0], [50.0, 50.0, 5.0, 150.0], payers=True)
    assert paid["mape_of_payers"] == pytest.approx(0.5)
    assert np.isnan(figures([0.0, 0.0], [1.0, 2.0], payers=True)["mape_of_payers"])


def test_normalised_gini_is_1_for_the_right_order_and_minus_1_for_the_wrong_one(numbers):
    y, _ = numbers
    assert normalised_gini(y, np.log1p(y)) == pytest.approx(1.0)
    distinct = np.arange(1.0, 101.0)
    assert normalised_gini(distinct, -distinct) == pytest.approx(-1.0)
    assert normalised_gini(y, np.zeros_like(y)) == pytest.approx(0.0)


def test_normalised_gini_of_two_classes_is_twice_the_auc_less_one():
    # known: for a binary target it is 2 AUC - 1
    y = np.array([0.0, 1.0, 0.0, 1.0, 1.0])
    p = np.array([0.1, 0.3, 0.4, 0.8, 0.9])
    assert normalised_gini(y, p) == pytest.approx(2 * 5 / 6 - 1)


def test_a_constant_target_has_no_r2():
    assert np.isnan(r2([2.0, 2.0], [1.0, 3.0]))


def test_intervals_hold_their_value_and_are_the_same_for_the_same_seed(numbers):
    actual = evaluate_regression(*numbers, payers=True, n_bootstrap=100)
    assert {"r2", "rmse", "mae", "mape_of_payers", "normalised_gini"} <= set(actual)
    for entry in actual.values():
        assert entry.low <= entry.value <= entry.high
    assert actual == evaluate_regression(*numbers, payers=True, n_bootstrap=100)


def test_weights_are_resamples():
    # a row drawn twice counts as two rows
    y, p = np.array([0.0, 1.0, 3.0]), np.array([0.5, 0.5, 2.0])
    twice = np.array([1.0, 2.0, 1.0])
    longer = (y[[0, 1, 1, 2]], p[[0, 1, 1, 2]])
    assert weighted_r2(y, (y - p) ** 2)(twice) == pytest.approx(r2(*longer))
    assert weighted_gini(y, p)(twice) == pytest.approx(normalised_gini(*longer))


def test_a_better_model_has_a_difference_above_0_beyond_chance(numbers):
    y, p = numbers
    good, bad = (y - p) ** 2, (y - p - 1.0) ** 2
    assert paired_loss_difference(good, bad, n_bootstrap=200).low > 0.0
    assert paired_loss_difference(bad, good, n_bootstrap=200).high < 0.0
    same = paired_loss_difference(good, good, n_bootstrap=50)
    assert (same.low, same.value, same.high) == (0.0, 0.0, 0.0)


def test_deciles_are_of_the_prediction_the_highest_first(numbers):
    y, p = numbers
    table = decile_table(y, p, n_bootstrap=50)
    assert table["decile"].tolist() == list(range(1, 11))
    assert table["rows"].sum() == len(y)
    assert (table["mean_prediction"].diff().dropna() < 0).all()
    assert table["share_of_total"].sum() == pytest.approx(1.0)
    assert (table["mean_target_low"] <= table["mean_target"]).all()


def test_tied_predictions_share_a_decile():
    table = decile_table([1.0, 0.0, 3.0, 5.0], [0.0, 0.0, 0.0, 9.0], n_bootstrap=0)
    assert table["rows"].tolist() == [1, 3]


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="2 targets but predictions of shape"):
        r2([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="predictions must be finite"):
        evaluate_regression([1.0, 2.0], [1.0, np.inf])
    with pytest.raises(ValueError, match="at least one number"):
        evaluate_regression([], [])


def test_an_unbiased_mean_stays_within_chance_and_a_biased_one_does_not():
    rng = np.random.default_rng(5)
    outside = {0.0: 0, 0.3: 0}
    for _ in range(400):
        y = rng.gamma(1.0, 1.0, 150)
        for shift in outside:
            prediction = y * rng.lognormal(-0.02, 0.2, 150) + rng.normal(0.0, 0.6, 150) + shift
            bias = abs(prediction.mean() / y.mean() - 1.0)
            outside[shift] += bias > bias_by_chance(y, prediction)
    assert outside[0.0] <= 12
    assert outside[0.3] >= 390


def test_rows_of_one_person_are_no_further_evidence():
    rng = np.random.default_rng(6)
    y, noise = rng.gamma(1.0, 1.0, 200), rng.normal(size=200)
    twice = [np.tile(values, 2) for values in (y, y + noise)]
    people = np.tile(np.arange(200), 2)
    once = bias_by_chance(y, y + noise)
    assert bias_by_chance(*twice, groups=people) == pytest.approx(once)
    assert bias_by_chance(*twice) < 0.8 * once
    intervals = [
        evaluate_regression(*data, n_bootstrap=400, **about)["mae"]
        for data, about in (((y, y + noise), {}), (twice, {"groups": people}), (twice, {}))
    ]
    alone, grouped, as_if = (one.high - one.low for one in intervals)
    assert grouped == pytest.approx(alone, rel=0.2)
    assert as_if < 0.8 * alone


def test_weighed_errors_are_scikit_learns(numbers):
    y, p = numbers
    weights = np.random.default_rng(1).gamma(1.0, 1.0, len(y))
    assert r2(y, p, weights=weights) == pytest.approx(r2_score(y, p, sample_weight=weights))
    first, second = (y - p) ** 2, (y - 0.9 * p) ** 2
    difference = paired_loss_difference(first, second, weights=weights)
    assert difference.value == pytest.approx(np.average(second - first, weights=weights))
    assert difference.low < difference.value < difference.high
    # of rows of which one weighs nearly all, little is known
    heavy = np.r_[len(y), np.ones(len(y) - 1)]
    unsure = paired_loss_difference(first, second, weights=heavy)
    alike = paired_loss_difference(first, second)
    assert unsure.high - unsure.low > 1.2 * (alike.high - alike.low)
