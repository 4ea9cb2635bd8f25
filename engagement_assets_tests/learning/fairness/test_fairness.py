"""The 80 % rule fails what it should, judges no tiny group, and mitigation repairs it."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency

from engagement_assets.learning.evaluation.thresholds import CostModel
from engagement_assets.learning.fairness.classification import (
    AGE_BANDS,
    age_bands,
    fairness_report,
    report_selection,
)
from engagement_assets.learning.fairness.mitigation import (
    GroupThresholds,
    fit_group_thresholds,
    mitigation_report,
)

COSTS = CostModel(cost_lost_customer=100.0, cost_intervention=5.0, save_rate=0.3)


def people(rates, *, n=2000, churn=0.3):
    """Flags with exactly these selection rates by gender, independent of churn."""
    frames = []
    for gender, rate in rates.items():
        flagged = np.arange(n) < round(rate * n)
        y = np.arange(n) % 10 < churn * 10
        frames.append(pd.DataFrame({"gender": gender, "flagged": flagged, "y": y}))
    return pd.concat(frames, ignore_index=True)


def judged(frame, **settings):
    return report_selection(
        frame["y"], frame["flagged"], frame, columns=["gender"], n_bootstrap=200, **settings
    )


def biased(n=20_000, seed=0, gap=1.5):
    """A calibrated-looking model that scores group b far lower for the same churn."""
    rng = np.random.default_rng(seed)
    gender = rng.choice(["a", "b"], n)
    location = rng.choice(["north", "south", "west"], n)
    y = rng.random(n) < 0.3
    z = rng.normal(size=n) + 1.5 * y - 1.5 - gap * (gender == "b") - 0.8 * (location == "west")
    return y, 1 / (1 + np.exp(-z)), pd.DataFrame({"gender": gender, "location": location})


def test_a_group_under_four_fifths_of_the_highest_fails():
    report = judged(people({"a": 0.5, "b": 0.3, "c": 0.45}))
    assert not report.passes
    assert report.failing_columns == ["gender"]
    assert len(report.failures) == 1
    assert report.failures[0].startswith("gender=b: selected 30.0%, 0.60 of the highest group")
    groups = {group.group: group for group in report.columns[0].groups}
    assert groups["c"].ratio_to_highest == pytest.approx(0.9)
    assert not groups["c"].fails
    assert report.columns[0].demographic_parity_ratio.value == pytest.approx(0.6)


def test_four_fifths_exactly_passes():
    assert judged(people({"a": 0.5, "b": 0.4})).passes


def test_a_gap_that_may_be_chance_does_not_fail():
    report = judged(people({"a": 0.10, "b": 0.07}, n=150))
    group = report.columns[0].groups[1]
    assert group.ratio_to_highest < 0.8
    assert group.p_value > 0.05
    assert report.passes


def test_a_tiny_group_is_reported_and_not_judged():
    frame = pd.concat([people({"a": 0.5, "b": 0.5}), people({"tiny": 0.0}, n=99)])
    report = judged(frame.reset_index(drop=True))
    tiny = {group.group: group for group in report.columns[0].groups}["tiny"]
    assert report.passes
    assert (tiny.customers, tiny.judged, tiny.p_value) == (99, False, None)
    assert "gender: tiny has 99 customers, under 100: reported, not judged" in report.notes
    assert report.columns[0].demographic_parity_ratio.value == 1.0
    assert not judged(frame.reset_index(drop=True), min_group_size=99).passes


def test_a_tiny_group_is_not_the_measure_of_the_others():
    frame = pd.concat([people({"a": 0.3, "b": 0.3}), people({"tiny": 1.0}, n=50)])
    assert judged(frame.reset_index(drop=True)).passes


def test_null_is_a_group_of_its_own():
    frame = people({"a": 0.5, "b": 0.5, "c": 0.1})
    frame["gender"] = frame["gender"].where(frame["gender"] != "c", None)
    report = judged(frame)
    assert [group.group for group in report.columns[0].groups] == ["a", "b", "unknown"]
    assert report.failures[0].startswith("gender=unknown")


def test_a_missing_column_is_named_and_the_rest_is_judged():
    frame = people({"a": 0.5, "b": 0.2})
    report = report_selection(
        frame["y"], frame["flagged"], frame, columns=["location", "gender"], n_bootstrap=50
    )
    assert report.missing_columns == ("location",)
    assert "location: not judged, the column is missing" in report.notes
    assert report.failing_columns == ["gender"]
    nothing = report_selection(frame["y"], frame["flagged"], frame, columns=["location"])
    assert nothing.passes
    assert not nothing.judged
    assert "not judged" in nothing.to_markdown()


def test_nobody_selected_is_not_judged():
    report = judged(people({"a": 0.0, "b": 0.0}))
    assert not report.judged
    assert "nobody is selected" in report.notes[0]


def test_the_p_value_is_the_two_proportion_tests_with_holms_correction():
    report = judged(people({"a": 0.5, "b": 0.47, "c": 0.46}, n=1000))
    found = {group.group: group.p_value for group in report.columns[0].groups}
    raw = {
        g: chi2_contingency([[r, 1000 - r], [500, 500]], correction=False).pvalue
        for g, r in {"b": 470, "c": 460}.items()
    }
    assert found["c"] == pytest.approx(2 * raw["c"])
    assert found["b"] == pytest.approx(max(raw["b"], 2 * raw["c"]))
    assert found["a"] is None


def test_rates_are_of_the_group_and_unknown_is_not_zero():
    frame = pd.DataFrame(
        {
            "gender": ["a"] * 4 + ["b"] * 4,
            "y": [1, 1, 0, 0, 0, 0, 0, 0],
            "flagged": [1, 0, 1, 0, 1, 0, 0, 0],
        }
    )
    a, b = judged(frame, min_group_size=1).columns[0].groups
    assert (a.selection_rate.value, a.true_positive_rate.value) == (0.5, 0.5)
    assert a.false_positive_rate.value == 0.5
    assert b.false_positive_rate.value == 0.25
    assert b.true_positive_rate is None
    assert b.base_rate == 0.0


def test_intervals_hold_their_values_and_have_the_binomial_width():
    report = judged(people({"a": 0.5, "b": 0.4}))
    rate = report.columns[0].groups[1].selection_rate
    assert (rate.high - rate.low) / 2 == pytest.approx(1.96 * np.sqrt(0.24 / 2000), rel=0.2)
    column = report.columns[0]
    for found in (column.demographic_parity_ratio, column.equalized_odds_ratio):
        assert found.low < found.value < found.high


def test_a_report_is_json_and_names_every_group_for_people():
    report = judged(people({"a": 0.5, "b|c": 0.2}))
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert data["passes"] is False
    assert data["columns"][0]["groups"][1]["fails"] is True
    text = report.to_markdown()
    assert "**fails**" in text
    assert "b\\|c" in text


def test_the_same_seed_gives_the_same_report():
    frame = people({"a": 0.5, "b": 0.4})
    assert judged(frame, seed=1).to_dict() == judged(frame, seed=1).to_dict()


def test_ages_fall_into_bands_and_the_rest_is_unknown():
    bands = age_bands(pd.Series([17.9, 18, 24.9, 25, 34, 35, 45, 54.9, 55, 101, None]))
    assert bands.tolist() == [
        "unknown",
        "18-24",
        "18-24",
        "25-34",
        "25-34",
        "35-44",
        "45-54",
        "45-54",
        "55+",
        "55+",
        "unknown",
    ]
    assert tuple(bands.cat.categories) == AGE_BANDS


def test_a_biased_model_fails_and_mitigation_repairs_it_on_other_people():
    y, p, groups = biased()
    y_test, p_test, groups_test = biased(seed=1)
    columns = ["gender", "location"]
    assert set(fairness_report(y, p, groups, columns=columns, threshold=0.3).failing_columns) == {
        "gender",
        "location",
    }
    thresholds = fit_group_thresholds(p, groups, columns=columns, threshold=0.3)
    found = mitigation_report(
        y_test, p_test, groups_test, thresholds=thresholds, costs=COSTS, columns=columns
    )
    assert not found.before.passes
    assert found.after.passes
    assert thresholds.lowered["gender"]["b"] < 0.3
    assert "a" not in thresholds.lowered["gender"]
    before, after = found.price["before"], found.price["after"]
    assert after["treated_share"] > before["treated_share"]
    assert after["recall"] > before["recall"]
    assert after["precision"] < before["precision"]
    text = found.to_markdown()
    assert "gender=b from" in text
    json.dumps(found.to_dict(), allow_nan=False)


def test_nobody_loses_an_offer_by_mitigation():
    _, p, groups = biased()
    thresholds = fit_group_thresholds(p, groups, columns=list(groups), threshold=0.3)
    assert (thresholds.select(p, groups) | ~(p >= 0.3)).all()


def test_the_target_is_met_on_the_people_it_was_fitted_on():
    y, p, groups = biased()
    thresholds = fit_group_thresholds(
        p, groups, columns=list(groups), threshold=0.3, target_ratio=0.95
    )
    report = report_selection(y, thresholds.select(p, groups), groups, columns=list(groups))
    for column in report.columns:
        assert column.demographic_parity_ratio.value >= 0.95 - 1e-9


def test_a_fair_model_keeps_its_one_threshold():
    _, p, groups = biased(gap=0.0)
    assert fit_group_thresholds(p, groups, columns=["gender"], threshold=0.3).lowered == {}


def test_a_tiny_group_gets_no_threshold_of_its_own():
    p = np.r_[np.full(500, 0.9), np.full(20, 0.1)]
    groups = pd.DataFrame({"gender": ["a"] * 500 + ["b"] * 20})
    assert fit_group_thresholds(p, groups, columns=["gender"], threshold=0.5).lowered == {}


def test_group_thresholds_survive_json_and_need_their_columns():
    _, p, groups = biased()
    thresholds = fit_group_thresholds(p, groups, columns=list(groups), threshold=0.3)
    again = GroupThresholds.from_dict(json.loads(json.dumps(thresholds.to_dict())))
    assert again == thresholds
    with pytest.raises(ValueError, match="'gender' is missing"):
        again.select(p, groups[["location"]])
    with pytest.raises(ValueError, match=r"missing: \['age'\]"):
        fit_group_thresholds(p, groups, columns=["age"], threshold=0.3)
    with pytest.raises(ValueError, match="target_ratio"):
        fit_group_thresholds(p, groups, columns=["gender"], threshold=0.3, target_ratio=0)


def test_inputs_of_different_length_are_refused():
    frame = people({"a": 0.5})
    with pytest.raises(ValueError, match="one of each a customer"):
        report_selection(frame["y"], frame["flagged"][1:], frame, columns=["gender"])
