"""Who is in the top share is judged by the 80 % rule, and a gap of the truth is told apart."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.fairness.measures import (
    CALIBRATION,
    regression_fairness,
    top_threshold,
    truly_top,
)
from engagement_assets.learning.fairness.mitigation import (
    fit_group_thresholds,
    mitigate,
    value_figures,
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
        y, prediction, sensitive, attributes=["gender", "location"], n_bootstrap=100, **more
    )


def failing(found):
    return {(row.group, row.measure) for row in found.rows if row.fails}


def test_an_even_model_holds():
    actual = report(*people())
    assert actual.verdicts == {
        "customers by gender": "holds",
        "customers by location": "not judged",
    }


def test_a_model_that_predicts_a_group_too_low_fails_though_the_truth_is_even():
    actual = report(*people(model_gap=0.6))
    assert failing(actual) == {("b", "selected"), ("b", CALIBRATION)}
    assert actual.gaps_of_the_truth == []


def test_a_gap_of_the_truth_is_named_and_does_not_count_against_the_model():
    actual = report(*people(truth_gap=0.6))
    assert actual.verdict == "holds"
    assert actual.gap_attributes("selected") == ["gender"]
    assert len(actual.gaps_of_the_truth) == 1
    assert any("the truth has this gap too" in note for note in actual.notes)


def test_a_model_that_widens_a_gap_of_the_truth_fails():
    actual = report(*people(truth_gap=0.75, model_gap=0.7))
    assert ("b", "selected") in failing(actual)
    assert actual.gaps_of_the_truth == []


def test_a_model_that_predicts_a_group_too_high_fails():
    actual = report(*people(model_gap=1.6))
    assert any(measure == CALIBRATION for _, measure in failing(actual))


def test_a_tiny_group_is_reported_and_not_judged():
    y, p, sensitive = people(model_gap=0.5)
    sensitive["gender"] = np.where(np.arange(len(y)) < 50, "rare", "a")
    actual = report(y, p, sensitive)
    assert actual.verdict == "not judged"
    assert {row.people for row in actual.rows if row.group == "rare"} == {50}


def test_a_group_that_pays_nothing_has_no_calibration_and_does_not_fail():
    y, p, sensitive = people()
    y[sensitive["gender"] == "b"] = 0.0
    rows = [row for row in report(y, p, sensitive).rows if row.measure == CALIBRATION]
    of_b = next(row for row in rows if row.group == "b")
    assert (of_b.value, of_b.judged) == (None, False)


def test_mitigation_repairs_the_selection_and_shows_its_price():
    y, p, sensitive = people(model_gap=0.6)
    learn_y, learn_p, learn_sensitive = people(model_gap=0.6, seed=1)
    assert len(learn_y) == len(learn_p)
    thresholds = fit_group_thresholds(
        learn_p, learn_sensitive, attributes=["gender"], threshold=top_threshold(p)
    )
    mended = mitigate(
        truly_top(y),
        p,
        sensitive,
        threshold=top_threshold(p),
        thresholds=thresholds,
        figures=partial(value_figures, y, share=0.1),
        attributes=["gender"],
        n_bootstrap=50,
    )
    assert not mended.before.passes
    assert mended.after.passes
    assert mended.price["selected_share"]["change"]["value"] == pytest.approx(0.0, abs=0.01)
    assert mended.price["recall"]["change"]["low"] > 0.0
    assert "mean target of selected" in mended.to_markdown()


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
