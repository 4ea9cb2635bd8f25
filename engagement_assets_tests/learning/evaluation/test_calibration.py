"""Calibrators repair known distortions and never reorder customers."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import rankdata

from engagement_assets.learning.evaluation.binary import OneClassError
from engagement_assets.learning.evaluation.calibration import METHODS, Calibrator, fit_calibrator
from engagement_assets.learning.evaluation.metrics import (
    auc,
    expected_calibration_error,
    log_loss,
)


def distorted(bend, n=20_000, seed=0):
    """Labels of a true probability and a score that is a monotone distortion of it."""
    rng = np.random.default_rng(seed)
    truth = expit(rng.normal(-1.5, 1.5, n))
    return (rng.random(n) < truth).astype(int), truth, bend(logit(truth))


DISTORTIONS = {
    "too sure": lambda z: 2.5 * z + 1.0,
    "too timid": lambda z: 0.3 * z - 0.5,
    "bent": lambda z: np.where(z > 0, 3 * z, 0.5 * z),
    "stepped": lambda z: z + np.sin(2 * z) * 0.45,
}


@pytest.mark.parametrize("name", DISTORTIONS)
def test_a_known_distortion_is_undone(name):
    y, _, score = distorted(DISTORTIONS[name])
    calibrator = fit_calibrator(y, score)
    y_new, truth_new, score_new = distorted(DISTORTIONS[name], seed=1)
    assert expected_calibration_error(y_new, expit(score_new)) > 0.02
    assert expected_calibration_error(y_new, calibrator(score_new)) < 0.012
    assert log_loss(y_new, calibrator(score_new)) < log_loss(y_new, truth_new) + 0.002


def test_platts_slope_and_intercept_are_found():
    y, _, score = distorted(DISTORTIONS["too sure"], n=200_000)
    low, high, intercept = fit_calibrator(y, score, method="sigmoid").parameters
    assert low == high == pytest.approx(0.4, rel=0.03)
    assert intercept == pytest.approx(-0.4, abs=0.03)


def test_a_bent_distortion_is_not_left_to_a_straight_line():
    y, _, score = distorted(DISTORTIONS["bent"])
    calibrator = fit_calibrator(y, score)
    assert calibrator.method != "sigmoid"
    assert set(calibrator.log_losses) == set(METHODS)
    assert calibrator.log_losses[calibrator.method] == min(calibrator.log_losses.values())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", DISTORTIONS)
def test_no_customer_changes_places_and_no_tie_is_made(method, name):
    y, _, score = distorted(DISTORTIONS[name], n=3000)
    p = fit_calibrator(y, score, method=method)(score)
    assert (rankdata(p) == rankdata(score)).all()
    assert auc(y, p) == auc(y, score)


@pytest.mark.parametrize("method", METHODS)
def test_probabilities_stay_off_zero_and_one(method):
    y, _, score = distorted(DISTORTIONS["bent"], n=3000)
    p = fit_calibrator(y, score, method=method)(np.array([-1e9, -1e3, -50.0, 50.0, 1e3, 1e9]))
    assert ((p > 0) & (p < 1)).all()
    assert (np.diff(p) >= 0).all()


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.lists(st.tuples(st.booleans(), st.floats(-20, 20)), min_size=8, max_size=60).filter(
        lambda rows: 2 <= sum(y for y, _ in rows) <= len(rows) - 2
    )
)
def test_any_small_sample_gives_a_rising_map(rows):
    y, s = (np.array(part) for part in zip(*rows, strict=True))
    p = fit_calibrator(y, s)(np.linspace(-25, 25, 101))
    assert (np.diff(p) > 0).all()
    assert ((p > 0) & (p < 1)).all()


def test_perfectly_separated_scores_do_not_become_certainty():
    y = np.r_[np.zeros(50), np.ones(50)]
    p = fit_calibrator(y, np.r_[np.full(50, -3.0), np.full(50, 3.0)])([-3.0, 3.0])
    assert 0.001 < p[0] < 0.06
    assert 0.94 < p[1] < 0.999


@pytest.mark.parametrize("method", METHODS)
def test_a_calibrator_survives_json(method):
    y, _, score = distorted(DISTORTIONS["stepped"], n=3000)
    calibrator = fit_calibrator(y, score, method=method)
    again = Calibrator.from_dict(json.loads(json.dumps(calibrator.to_dict())))
    assert again == calibrator
    assert (again(score) == calibrator(score)).all()


def test_bad_input_is_named():
    with pytest.raises(OneClassError):
        fit_calibrator([1, 1], [0.1, 0.2])
    with pytest.raises(ValueError, match="unknown calibration 'magic'"):
        fit_calibrator([0, 1], [0.1, 0.2], method="magic")
    with pytest.raises(ValueError, match="finite log-odds"):
        fit_calibrator([0, 1], [0.1, np.inf])
    with pytest.raises(ValueError, match="unknown calibration 'magic'"):
        Calibrator.from_dict({"method": "magic", "parameters": [1.0, 1.0, 0.0]})


def test_few_rows_are_not_offered_an_isotonic_map():
    y, _, score = distorted(DISTORTIONS["bent"], n=900)
    assert set(fit_calibrator(y, score).log_losses) == {"sigmoid", "beta"}


def test_weights_calibrate_a_biased_sample_to_the_population():
    y, _, score = distorted(DISTORTIONS["bent"])
    # one in five of those without the label, each for five
    there = (y == 1) | (np.arange(len(y)) % 5 == 0)
    weights = np.where(y == 1, 1.0, 5.0)[there]
    weights /= weights.mean()
    _, truth, new = distorted(DISTORTIONS["bent"], seed=1)
    for method in ("auto", *METHODS):
        weighed = fit_calibrator(y[there], score[there], method=method, weights=weights)(new)
        alike = fit_calibrator(y[there], score[there], method=method)(new)
        assert weighed.mean() == pytest.approx(truth.mean(), abs=0.01)
        assert alike.mean() > truth.mean() + 0.1
    assert (
        np.abs(fit_calibrator(y[there], score[there], weights=weights)(new) - truth).mean() < 0.02
    )


def test_a_method_is_chosen_by_weighed_losses():
    y, _, score = distorted(DISTORTIONS["stepped"], n=4000)
    _, _, bent = distorted(DISTORTIONS["bent"], n=4000)
    both, scores = np.r_[y, y], np.r_[score, bent]
    fitted = [
        fit_calibrator(both, scores, weights=np.r_[one * np.ones(4000), (2 - one) * np.ones(4000)])
        for one in (1.999, 0.001)
    ]
    alone = [fit_calibrator(y, one) for one in (score, bent)]
    for weighed, by_itself in zip(fitted, alone, strict=True):
        assert weighed.log_losses == pytest.approx(by_itself.log_losses, abs=0.01)
    with pytest.raises(ValueError, match=r"2 rows but weights of shape \(1,\)"):
        fit_calibrator([0, 1], [0.1, 0.2], weights=[1.0])
