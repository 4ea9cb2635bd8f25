"""Who is in the top share is judged by the 80 % rule, and a gap of the truth is told apart."""

import json

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.fairness.mitigation import fit_group_thresholds
from engagement_assets.learning.fairness.regression import (
    mitigate_selection,
    regression_fairness,
    top_threshold,
    truly_top,
)


def people(n=8000, *, truth_gap=1.0, model_gap=1.0, seed=0):
    """Amounts by gender; group b's truth and prediction are multiplied by the gaps."""
    rng = np.random.default_rng(seed)
    b = rng.random(n) < 0.5
    y = rng.gamma(2.0, 10.0, n) * np.where(b, truth_gap, 1.0)
    prediction = y * rng.lognormal(0.0, 0.2, n) * np.where(b, model_gap, 1.0)
    return y, prediction, pd.DataFrame({"gender": np.where(b, "b", "a")})


def report(y, prediction, sensitive, **more):
    return regression_fairness(
        y,
        prediction,
        sensitive,
        columns=["gender", "location"],
        selected_are="the best",
        n_bootstrap=100,
        **more,
    )


def test_an_even_model_passes():
    found = report(*people())
    assert found.passes
    assert found.judged
    assert "location: not judged, the column is missing" in found.notes
    assert [group.judged for group in found.errors["gender"]] == [True, True]


def test_a_model_that_predicts_a_group_too_low_fails_though_the_truth_is_even():
    found = report(*people(model_gap=0.6))
    assert not found.passes
    assert found.failing_columns == ["gender"]
    assert found.gaps_of_the_truth == []
    assert "truly in the top are" in found.failures[0]
    assert any("predictions are" in text for text in found.failures)
    assert [group.fails for group in found.errors["gender"]] == [False, True]


def test_a_gap_of_the_truth_is_named_and_does_not_count_against_the_model():
    found = report(*people(truth_gap=0.6))
    assert found.passes
    assert not found.selection.passes
    assert found.failing_columns == ["gender"]
    assert len(found.gaps_of_the_truth) == 1
    assert found.to_dict()["eighty_percent_rule_holds"] is False
    assert any("the truth has this gap too: gender=b" in note for note in found.notes)
    assert not any(group.fails for group in found.errors["gender"])


def test_a_model_that_widens_a_gap_of_the_truth_fails():
    found = report(*people(truth_gap=0.75, model_gap=0.7))
    assert not found.passes
    assert found.gaps_of_the_truth == []


def test_a_tiny_group_is_reported_and_not_judged():
    y, p, sensitive = people(model_gap=0.5)
    sensitive["gender"] = np.where(np.arange(len(y)) < 50, "rare", "a")
    found = report(y, p, sensitive)
    assert found.passes
    assert not found.judged
    groups = {group.group: group for group in found.errors["gender"]}
    assert groups["rare"].customers == 50
    assert not groups["rare"].judged


def test_a_group_that_pays_nothing_has_no_calibration_and_does_not_fail():
    y, p, sensitive = people()
    y[sensitive["gender"] == "b"] = 0.0
    groups = {group.group: group for group in report(y, p, sensitive).errors["gender"]}
    assert groups["b"].calibration_ratio is None
    assert not groups["b"].judged


def test_the_report_is_data_and_text():
    found = report(*people(model_gap=0.6))
    data = json.loads(json.dumps(found.to_dict()))
    assert data["passes"] is False
    assert data["failures"] == found.failures
    assert {group["group"] for group in data["errors"]["gender"]} == {"a", "b"}
    text = found.to_markdown()
    assert "truly in the top" in text
    assert "churn" not in text
    assert "**fails**" in text


def test_mitigation_repairs_the_selection_and_shows_its_price():
    y, p, sensitive = people(model_gap=0.6)
    learn_y, learn_p, learn_sensitive = people(model_gap=0.6, seed=1)
    assert len(learn_y) == len(learn_p)
    thresholds = fit_group_thresholds(
        learn_p, learn_sensitive, columns=["gender"], threshold=top_threshold(p)
    )
    found = mitigate_selection(
        y, p, sensitive, thresholds=thresholds, columns=["gender"], n_bootstrap=50
    )
    assert not found.before.passes
    assert found.after.passes
    assert found.price["after"]["selected_share"] > found.price["before"]["selected_share"]
    assert found.price["after"]["recall"] > found.price["before"]["recall"]
    assert "mean target of selected" in found.to_markdown()


def test_the_top_is_a_share_and_never_the_least():
    scores = np.arange(100.0)
    assert (scores >= top_threshold(scores)).sum() == 10
    assert truly_top(scores).sum() == 10
    # where most are worth nothing, nobody who is worth nothing is in the top
    mostly_zero = np.r_[np.zeros(97), 1.0, 2.0, 3.0]
    assert truly_top(mostly_zero).sum() == 3
    assert truly_top(np.r_[mostly_zero, -5.0]).sum() == 3
    with pytest.raises(ValueError, match="share must lie"):
        top_threshold(scores, share=0.0)
    with pytest.raises(ValueError, match="no scores"):
        top_threshold([])
