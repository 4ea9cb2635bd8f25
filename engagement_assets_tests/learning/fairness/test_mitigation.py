"""Planted gaps are mended on other people, both ways, at a price; equal groups stay as they are."""

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import equalized_odds_difference
from fairlearn.postprocessing import ThresholdOptimizer
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from engagement_assets.learning.evaluation.thresholds import CostModel
from engagement_assets.learning.fairness.measures import selection_fairness
from engagement_assets.learning.fairness.mitigation import (
    GroupThresholds,
    fit_group_thresholds,
    mitigate,
    offer_figures,
    selection_figures,
)
from engagement_assets.learning.fairness.scores import score_fairness
from engagement_assets_tests.learning.fairness.biased import biased

COSTS = CostModel(cost_miss=100.0, cost_action=5.0, success_rate=0.3)
BOTH = ["gender", "location"]


def rates(selected, groups):
    return pd.Series(selected).groupby(groups).mean()


def odds_gap(y, selected, groups):
    return equalized_odds_difference(y_true=y, y_pred=selected, sensitive_features=groups)


def test_scores_move_both_ways_and_as_many_are_selected():
    _, p, groups = biased()
    thresholds = fit_group_thresholds(p, groups, attributes=BOTH, threshold=0.3)
    assert thresholds.added["gender"]["a"] < 0.0 < thresholds.added["gender"]["b"]
    selected = thresholds.select(p, groups)
    assert selected.mean() == pytest.approx((p >= 0.3).mean(), abs=0.001)
    # some who were selected no longer are, which lowering thresholds alone would not show
    assert ((p >= 0.3) & ~selected).sum() > 100
    for column in BOTH:
        of_groups = rates(selected, groups[column])
        assert of_groups.min() / of_groups.max() > 0.98


def test_what_was_fitted_on_some_people_holds_for_others_at_a_stated_price():
    _, p, groups = biased()
    y, later, others = biased(seed=1)
    thresholds = fit_group_thresholds(p, groups, attributes=BOTH, threshold=0.3)
    mended = mitigate(
        y,
        later,
        others,
        threshold=0.3,
        thresholds=thresholds,
        figures=partial(offer_figures, y, costs=COSTS),
        attributes=BOTH,
        n_bootstrap=100,
    )
    assert (mended.before.verdict, mended.after.verdict) == ("fails", "holds")
    before, after = later >= 0.3, thresholds.select(later, others)
    for when, selected in (("before", before), ("after", after)):
        price = mended.price["balanced_accuracy"][when]
        assert price["value"] == pytest.approx(balanced_accuracy_score(y, selected))
        assert price["low"] < price["value"] < price["high"]
        cost = mended.price["cost_per_row"][when]["value"]
        assert cost == pytest.approx(COSTS.per_row(y, selected))
    change = mended.price["balanced_accuracy"]["change"]
    # the bias is the model's alone, so undoing it makes the selection better
    assert 0.0 < change["low"] < change["value"] < change["high"]
    text = mended.to_markdown()
    assert "gender=b +" in text
    assert "balanced accuracy" in text
    data = json.loads(json.dumps(mended.to_dict(), allow_nan=False))
    assert GroupThresholds.from_dict(data["fitted"]) == thresholds
    assert mended.summary()["rule"] == {"before": "fails", "after": "holds"}


def test_equal_groups_are_hardly_ever_moved():
    moved = 0
    for seed in range(40):
        _, p, groups = biased(3_000, seed=seed, gap=0.0)
        thresholds = fit_group_thresholds(
            p, groups, attributes=["gender"], threshold=0.3, beyond_chance=True
        )
        moved += bool(thresholds.added)
        if not thresholds.added:
            assert (thresholds.adjusted(p, groups) == p).all()
    assert moved <= 5


def test_a_tiny_group_is_not_moved():
    p = np.r_[np.full(500, 0.9), np.full(20, 0.1)]
    groups = pd.DataFrame({"gender": ["a"] * 500 + ["b"] * 20})
    assert fit_group_thresholds(p, groups, attributes=["gender"], threshold=0.5).added == {}


def test_nobody_selected_leaves_nothing_to_move():
    _, p, groups = biased(2_000)
    thresholds = fit_group_thresholds(p, groups, attributes=BOTH, threshold=1.0)
    assert thresholds.added == {}
    assert not thresholds.select(p, groups).any()


def test_equalised_odds_are_met_about_as_well_as_with_coins():
    y, p, groups = biased()
    y_test, p_test, others = biased(seed=1)
    reference = ThresholdOptimizer(
        estimator=LogisticRegression().fit(logit(p)[:, None], y),
        constraints="equalized_odds",
        objective="balanced_accuracy_score",
        prefit=True,
        predict_method="predict_proba",
    ).fit(logit(p)[:, None], y, sensitive_features=groups["gender"])
    theirs = {
        name: reference.predict(
            logit(scores)[:, None], sensitive_features=people["gender"], random_state=0
        )
        for name, scores, people in (("fit", p, groups), ("test", p_test, others))
    }
    # as many are selected as there
    threshold = float(np.quantile(p, 1.0 - theirs["fit"].mean()))
    thresholds = fit_group_thresholds(
        p, groups, attributes=["gender"], threshold=threshold, y=y, goal="odds"
    )
    ours = thresholds.select(p_test, others)
    assert odds_gap(y_test, p_test >= threshold, others["gender"]) > 0.3
    assert odds_gap(y_test, theirs["test"], others["gender"]) < 0.05
    assert odds_gap(y_test, ours, others["gender"]) < 0.05
    accuracies = [balanced_accuracy_score(y_test, one) for one in (ours, theirs["test"])]
    assert accuracies[0] > accuracies[1] - 0.01


def test_odds_of_groups_whose_truth_differs_leave_the_selection_unequal():
    rng = np.random.default_rng(0)
    gender = np.repeat(["a", "b"], 10_000)
    y = rng.random(20_000) < np.where(gender == "a", 0.5, 0.2)
    p = 1 / (1 + np.exp(-(rng.normal(size=20_000) + 1.5 * y - 0.75 + 0.8 * (gender == "a"))))
    groups = pd.DataFrame({"gender": gender})
    fitted = {
        goal: fit_group_thresholds(
            p, groups, attributes=["gender"], threshold=0.5, y=y, goal=goal
        ).select(p, groups)
        for goal in ("parity", "odds")
    }
    of_groups = rates(fitted["parity"], gender)
    assert of_groups["a"] == pytest.approx(of_groups["b"], abs=0.01)
    assert odds_gap(y, fitted["odds"], gender) < 0.03 < odds_gap(y, fitted["parity"], gender)
    assert rates(fitted["odds"], gender)["a"] > 1.3 * rates(fitted["odds"], gender)["b"]


def test_scores_of_ten_values_are_moved_as_nearly_as_they_can_be():
    y, p, groups = biased()
    tenths = np.ceil(10 * (np.argsort(np.argsort(p)) + 1) / len(p))
    thresholds = fit_group_thresholds(tenths, groups, attributes=BOTH, threshold=6.0)
    selected = thresholds.select(tenths, groups)
    assert selected.mean() == pytest.approx((tenths >= 6.0).mean(), abs=0.05)
    report = selection_fairness(y, selected, groups, attributes=BOTH, reference="equal")
    assert report.verdict == "holds"


def test_group_thresholds_need_their_columns_and_labels():
    y, p, groups = biased(2_000)
    thresholds = fit_group_thresholds(p, groups, attributes=BOTH, threshold=0.3)
    with pytest.raises(ValueError, match="'gender' is missing"):
        thresholds.select(p, groups[["location"]])
    with pytest.raises(ValueError, match=r"missing: \['age'\]"):
        fit_group_thresholds(p, groups, attributes=["age"], threshold=0.3)
    with pytest.raises(ValueError, match="need labels"):
        fit_group_thresholds(p, groups, attributes=BOTH, threshold=0.3, goal="odds")
    with pytest.raises(ValueError, match="goal must be"):
        fit_group_thresholds(p, groups, attributes=BOTH, threshold=0.3, y=y, goal="luck")


def test_any_scores_are_judged_and_mended_by_one_call():
    y, p, groups = biased(6_000)
    judged = score_fairness(y, p, groups, threshold=0.3, selection="harm", n_bootstrap=50)
    assert judged.report.verdict == "fails"
    assert set(judged.mitigations) == {"parity", "odds"}
    for goal, measures in (("parity", {"selected"}), ("odds", {"with_label", "without_label"})):
        after = judged.mitigations[goal].after
        assert not {row.measure for row in after.rows if row.fails} & measures
        assert after.people == 3_000
    text = judged.to_markdown()
    assert "people by gender" in text
    assert not {word for word in ("customer", "churn", "flagged", "offer") if word in text}
    json.dumps(judged.to_dict(), allow_nan=False)
    gains = score_fairness(y, p, groups["gender"], threshold=0.3, n_bootstrap=50)
    assert set(gains.mitigations) == {"parity"}


def test_one_call_finds_nothing_to_mend_where_groups_are_alike():
    y, p, groups = biased(6_000, gap=0.0)
    judged = score_fairness(y, p, groups["gender"], threshold=0.3, n_bootstrap=50)
    assert judged.report.verdict == "holds"
    assert judged.mitigations == {}


def test_one_call_asks_for_one_of_each():
    y, p, groups = biased(300)
    with pytest.raises(ValueError, match="one of each"):
        score_fairness(y, p[1:], groups, threshold=0.3)
    with pytest.raises(ValueError, match="fit_share"):
        score_fairness(y, p, groups, threshold=0.3, fit_share=1.0)


def test_the_figures_of_a_selection_are_those_of_scikit_learn():
    y, p, _ = biased(500)
    figures = selection_figures(y, p >= 0.3)
    ones = np.ones(500)
    assert figures["balanced_accuracy"](ones) == pytest.approx(balanced_accuracy_score(y, p >= 0.3))
