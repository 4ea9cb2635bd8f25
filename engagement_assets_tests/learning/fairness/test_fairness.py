"""The 80 % rule fails what it should, also of a harm, and judges no tiny group."""

import json

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_ratio,
    equalized_odds_difference,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from scipy.stats import chi2_contingency

from engagement_assets.learning.fairness.groups import AGE_BANDS, age_bands
from engagement_assets.learning.fairness.measures import selection_fairness
from engagement_assets.learning.fairness.rendering import report_markdown
from engagement_assets.learning.fairness.report import ALL, FairnessReport
from engagement_assets_tests.learning.fairness.biased import biased


def people(rates, *, n=2000, churn=0.3):
    """Flags with exactly these selection rates by gender, independent of churn."""
    frames = []
    for gender, rate in rates.items():
        flagged = np.arange(n) < round(rate * n)
        y = np.arange(n) % 10 < churn * 10
        frames.append(pd.DataFrame({"gender": gender, "flagged": flagged, "y": y}))
    return pd.concat(frames, ignore_index=True)


def judged(frame, **settings):
    about = {"n_bootstrap": 200} | settings
    return selection_fairness(frame["y"], frame["flagged"], frame, attributes=["gender"], **about)


def row(report, group, measure="selected", attribute="gender"):
    (one,) = [
        r for r in report.rows if (r.attribute, r.group, r.measure) == (attribute, group, measure)
    ]
    return one


def test_a_group_under_four_fifths_of_the_highest_fails():
    report = judged(people({"a": 0.5, "b": 0.3, "c": 0.45}))
    assert report.verdict == "fails"
    assert report.gap_attributes("selected") == ["gender"]
    assert [r.group for r in report.rows if r.fails] == ["b"]
    assert row(report, "b").ratio == pytest.approx(0.6)
    assert row(report, "c").ratio == pytest.approx(0.9)
    assert row(report, ALL).value == pytest.approx(0.6)
    assert "gender=b" in report.failures[0]


def test_four_fifths_exactly_holds():
    assert judged(people({"a": 0.5, "b": 0.4})).verdict == "holds"


def test_a_gap_that_may_be_chance_does_not_fail():
    report = judged(people({"a": 0.10, "b": 0.07}, n=150))
    assert row(report, "b").ratio < 0.8
    assert row(report, "b").p_value > 0.05
    assert report.verdict != "fails"


def test_a_favoured_group_fails_where_no_lower_one_stands_out():
    many = dict.fromkeys("abcdefghij", 0.2)
    frame = pd.concat([people(many, n=300), people({"k": 0.45}, n=300)], ignore_index=True)
    assert [r.group for r in judged(frame).rows if r.fails] == ["k"]


def test_a_gap_that_the_truth_has_is_named_and_does_not_fail():
    frame = pd.concat(
        [people({"a": 0.5}, churn=0.5), people({"b": 0.3}, churn=0.3)], ignore_index=True
    )
    report = judged(frame)
    assert report.verdict == "holds"
    assert report.gap_attributes("selected") == ["gender"]
    assert row(report, "b").due == pytest.approx(0.6)
    assert any("the truth has this gap too" in note for note in report.notes)
    # the same rates where the groups truly are alike
    frame["y"] = np.tile(np.arange(2000) % 10 < 4, 2)
    assert judged(frame).verdict == "fails"


def test_a_tiny_group_is_reported_and_not_judged():
    frame = pd.concat([people({"a": 0.5, "b": 0.5}), people({"tiny": 0.0}, n=99)])
    report = judged(frame.reset_index(drop=True))
    tiny = row(report, "tiny")
    assert report.verdict == "holds"
    assert (tiny.people, tiny.judged, tiny.p_value) == (99, False, None)
    assert "tiny (99)" in report.notes[0]
    assert row(report, ALL).value == 1.0
    assert judged(frame.reset_index(drop=True), min_group_size=99).verdict == "fails"


def test_a_tiny_group_is_not_the_measure_of_the_others():
    frame = pd.concat([people({"a": 0.3, "b": 0.3}), people({"tiny": 1.0}, n=50)])
    assert judged(frame.reset_index(drop=True)).verdict == "holds"


def test_null_is_a_group_of_its_own():
    frame = people({"a": 0.5, "b": 0.5, "c": 0.1})
    frame["gender"] = frame["gender"].where(frame["gender"] != "c", None)
    assert [r.group for r in judged(frame).rows if r.fails] == ["unknown"]


def test_what_is_not_judged_is_never_said_to_hold():
    frame = people({"a": 0.5, "b": 0.2})
    report = selection_fairness(
        frame["y"], frame["flagged"], frame, attributes=["location", "gender"], n_bootstrap=50
    )
    assert report.verdicts == {
        "customers by gender": "fails",
        "customers by location": "not judged",
    }
    nothing = selection_fairness(frame["y"], frame["flagged"], frame, attributes=["location"])
    assert (nothing.verdict, nothing.tests, nothing.passes) == ("not judged", 0, True)
    assert "not judged" in report_markdown(nothing)
    assert "holds" not in report_markdown(nothing)


def test_nobody_selected_is_not_judged():
    assert judged(people({"a": 0.0, "b": 0.0})).verdict == "not judged"


def test_groups_in_which_no_gap_could_be_seen_are_not_judged():
    report = judged(people({"a": 0.02, "b": 0.02}, n=110))
    assert report.tests == 1
    assert row(report, "b").least_detectable is None
    assert report.verdict == "not judged"


def test_a_gap_at_the_least_detectable_ratio_is_found_in_about_four_of_five_samples():
    rng = np.random.default_rng(5)

    def sample(ratio):
        rates = np.repeat([0.4, 0.4 * ratio], 400)
        frame = pd.DataFrame({"gender": np.repeat(["a", "b"], 400), "y": 0})
        return judged(frame.assign(flagged=rng.random(800) < rates), n_bootstrap=1)

    even = sample(1.0)
    (least,) = [r.least_detectable for r in even.rows if r.p_value is not None]
    actual = sum(sample(least).verdict == "fails" for _ in range(200))
    assert 140 <= actual <= 190


def test_the_p_value_is_the_two_proportion_tests_with_holms_correction_over_the_report():
    frame = people({"a": 0.5, "b": 0.47}, n=1000)
    frame["location"] = np.arange(len(frame)) % 2
    report = selection_fairness(
        frame["y"], frame["flagged"], frame, attributes=["gender", "location"], n_bootstrap=1
    )
    (by_gender,) = [r.p_value for r in report.rows if r.attribute == "gender" and r.p_value]
    raw = chi2_contingency([[470, 530], [500, 500]], correction=False).pvalue
    assert report.tests == 2
    assert by_gender == pytest.approx(2 * raw)


def test_rates_are_fairlearns_and_unknown_is_not_zero():
    frame = pd.DataFrame(
        {
            "gender": ["a"] * 4 + ["b"] * 4,
            "y": [1, 1, 0, 0, 0, 0, 0, 0],
            "flagged": [1, 0, 1, 0, 1, 0, 0, 0],
        }
    )
    report = judged(frame, min_group_size=1)
    rates = [
        [
            row(report, group, measure).value
            for measure in ("selected", "with_label", "without_label")
        ]
        for group in "ab"
    ]
    assert rates == [[0.5, 0.5, 0.5], [0.25, None, 0.25]]
    assert row(report, "b", "base_rate").value == 0.0
    y, p, sensitive = biased(2000)
    report = selection_fairness(y, p >= 0.3, sensitive, attributes=list(sensitive))
    for attribute in sensitive:
        groups = sensitive[attribute]
        about = {"y_true": y, "y_pred": p >= 0.3, "sensitive_features": groups}
        assert row(report, ALL, attribute=attribute).value == pytest.approx(
            demographic_parity_ratio(**about)
        )
        assert row(report, ALL, "equalized_odds_difference", attribute).value == pytest.approx(
            equalized_odds_difference(**about)
        )
        frame = MetricFrame(metrics=true_positive_rate, **about).by_group
        for group, rate in frame.items():
            assert row(report, group, "with_label", attribute).value == pytest.approx(rate)


def test_intervals_hold_their_values_and_have_the_binomial_width():
    report = judged(people({"a": 0.5, "b": 0.4}))
    rate = row(report, "b")
    assert (rate.high - rate.low) / 2 == pytest.approx(1.96 * np.sqrt(0.24 / 2000), rel=0.2)
    parity = row(report, ALL)
    assert parity.low < parity.value < parity.high


def test_a_report_survives_json_and_names_every_group_for_people():
    report = judged(people({"a": 0.5, "b|c": 0.2})).worded({"selected": "flagged"}, "the flagged")
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert data["verdict"] == "fails"
    assert FairnessReport.from_dict(data).to_dict() == report.to_dict()
    text = report_markdown(report)
    for part in ("**fails**", "b\\|c", "| flagged |", "Selected are the flagged."):
        assert part in text


def test_a_line_break_in_a_name_breaks_no_line_of_the_report():
    report = judged(people({"Oslo\nNorge": 0.5, "a": 0.5, "b|\r\n# c": 0.2}))
    text = report_markdown(report)
    assert "| Oslo Norge |" in text
    assert "**Fails**: customers by gender=b\\| # c:" in text
    assert not any(line.startswith(("Norge", "# c")) for line in text.splitlines())
    assert all(len(line.splitlines()) == 1 for line in (*report.failures, *report.power))


def test_hundreds_of_groups_leave_the_report_readable():
    small = people({f"region {n}": 0.3 for n in range(300)}, n=2)
    report = judged(
        pd.concat([small, people({"a": 0.5, "b": 0.2})], ignore_index=True), n_bootstrap=20
    )
    together = row(report, "300 groups under 100 people")
    assert (together.people, together.judged) == (600, False)
    assert len(report_markdown(report)) < 3_000
    assert [fails.group for fails in report.rows if fails.fails] == ["b"]

    many = judged(people({f"{n:03}": 0.5 for n in range(60)} | {"low": 0.2}, n=200), n_bootstrap=20)
    text = report_markdown(many)
    assert "| low |" in text
    assert "more groups with higher ratios" in text
    assert text.count("\n| ") < 40


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


def test_inputs_of_different_length_are_refused():
    frame = people({"a": 0.5})
    with pytest.raises(ValueError, match="one of each for everybody"):
        selection_fairness(frame["y"], frame["flagged"][1:], frame, attributes=["gender"])


def test_a_model_that_guesses_for_a_group_fails_though_it_selects_as_many():
    rng = np.random.default_rng(0)
    gender = np.repeat(["a", "b"], 2000)
    y = rng.random(4000) < 0.3
    flagged = np.where(gender == "a", y, rng.random(4000) < 0.3)
    people = pd.DataFrame({"gender": gender})
    report = selection_fairness(y, flagged, people, attributes=["gender"], equal_opportunity=True)
    assert [(r.group, r.measure) for r in report.rows if r.fails] == [("b", "with_label")]


def test_a_group_that_truly_has_the_label_less_often_is_not_a_failure_of_equal_opportunity():
    rng = np.random.default_rng(1)
    gender = np.repeat(["a", "b"], 20_000)
    lower = np.where(gender == "b", -0.6, 0.0)
    risk = 1 / (1 + np.exp(-rng.normal(-1.5 + lower, 1.0)))
    y = rng.random(len(risk)) < risk
    people = pd.DataFrame({"gender": gender})
    report = selection_fairness(
        y, risk > 0.2, people, attributes=["gender"], equal_opportunity=True, n_bootstrap=1
    )
    assert row(report, "b", "with_label").ratio < 0.8
    assert report.verdict == "holds"


def test_a_gap_of_the_truth_counts_where_equal_selection_is_asked_for():
    rng = np.random.default_rng(2)
    gender = np.repeat(["a", "b"], 10_000)
    risk = 1 / (1 + np.exp(-rng.normal(np.where(gender == "b", -2.1, -1.5), 1.0)))
    y = rng.random(len(risk)) < risk
    people = pd.DataFrame({"gender": gender})
    verdicts = {
        reference: selection_fairness(
            y,
            risk > 0.2,
            people,
            attributes=["gender"],
            equal_opportunity=True,
            reference=reference,
            n_bootstrap=1,
        ).verdict
        for reference in ("truth", "equal")
    }
    assert verdicts == {"truth": "holds", "equal": "fails"}


def harmed(rates, **settings):
    frame = people(rates)
    return judged(frame, selection="harm", **settings)


def test_of_a_harm_the_group_that_is_selected_more_fails():
    report = harmed({"a": 0.5, "b": 0.3, "c": 0.32}, reference="equal")
    assert {r.group for r in report.rows if r.fails and r.measure == "selected"} == {"a"}
    assert row(report, "a").ratio == pytest.approx(0.6)
    assert row(report, "b").ratio == 1.0
    assert "of which b have 0.60" in report.failures[0]
    assert "times the others" in report.power[0]
    assert "a harm" in report_markdown(report)
    assert report.selection == "harm"
    assert FairnessReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    # of two groups the gap is one, and the group that is harmed has it
    assert [r.group for r in harmed({"a": 0.3, "b": 0.5}).rows if r.fails] == ["b"] * 3


def test_a_group_that_is_spared_fails_where_no_harmed_one_stands_out():
    many = dict.fromkeys("abcdefghij", 0.3)
    frame = pd.concat([people(many, n=300), people({"k": 0.1}, n=300)], ignore_index=True)
    report = judged(frame, selection="harm")
    assert {r.group for r in report.rows if r.fails and r.measure == "selected"} == {"k"}
    assert "of that of all others together" in report.failures[0]


def scored(n=20_000, *, false_positives, seed=0):
    """Selections that differ by group only in how many without the label are selected."""
    rng = np.random.default_rng(seed)
    gender = rng.choice(["a", "b"], n)
    y = rng.random(n) < 0.4
    rate = np.where(y, 0.7, np.where(gender == "a", false_positives, 0.3))
    return y, rng.random(n) < rate, pd.DataFrame({"gender": gender})


def test_equalised_odds_are_judged_of_a_harm_with_intervals_and_no_truth_excuses_them():
    y, selected, groups = scored(false_positives=0.6)
    report = selection_fairness(y, selected, groups, attributes=["gender"], selection="harm")
    assert {(r.group, r.measure) for r in report.rows if r.fails} == {
        ("a", "selected"),
        ("a", "without_label"),
    }
    rates = MetricFrame(
        metrics={"selected": selection_rate, "without_label": false_positive_rate},
        y_true=y,
        y_pred=selected,
        sensitive_features=groups["gender"],
    ).by_group
    for group in "ab":
        for measure in ("selected", "without_label"):
            one = row(report, group, measure)
            assert one.value == pytest.approx(rates.loc[group, measure])
            assert one.low < one.value < one.high
    # the same as a benefit: error rates are reported and not judged
    gains = selection_fairness(y, selected, groups, attributes=["gender"])
    assert {r.measure for r in gains.rows if r.judged} == {"selected"}


def test_equal_error_rates_are_no_alarm_where_the_truth_differs():
    rng = np.random.default_rng(3)
    gender = np.repeat(["a", "b"], 10_000)
    y = rng.random(20_000) < np.where(gender == "a", 0.5, 0.4)
    selected = rng.random(20_000) < np.where(y, 0.7, 0.2)
    groups = pd.DataFrame({"gender": gender})
    report = selection_fairness(y, selected, groups, attributes=["gender"], selection="harm")
    assert report.verdict == "holds"


def test_equal_groups_of_a_harm_are_seldom_refused():
    refused = 0
    for seed in range(60):
        y, selected, _ = scored(2_000, false_positives=0.3, seed=seed)
        rng = np.random.default_rng([seed, 1])
        groups = pd.DataFrame({"race": rng.choice(list("abcd"), 2_000)})
        groups["sex"] = rng.choice(["f", "m"], 2_000)
        report = selection_fairness(
            y, selected, groups, attributes=["race", "sex"], selection="harm", n_bootstrap=1
        )
        refused += report.verdict == "fails"
    assert refused <= 5


def test_where_selection_is_evened_no_truth_excuses_a_gap():
    frame = pd.concat(
        [people({"a": 0.5}, churn=0.5), people({"b": 0.3}, churn=0.3)], ignore_index=True
    )
    assert judged(frame).verdict == "holds"
    assert judged(frame, evened=["gender"]).verdict == "fails"
    assert judged(frame, evened=["location"]).verdict == "holds"


def test_a_selection_is_a_benefit_or_a_harm():
    with pytest.raises(ValueError, match="benefit or harm"):
        judged(people({"a": 0.5}), selection="luck")
