"""A candidate must pass its floors and not lose to the champion; the card tells all of it."""

import math
from dataclasses import replace

import numpy as np
import pytest

from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.evaluation.metrics import paired_auc_difference
from engagement_assets.lifecycle.card import model_card
from engagement_assets.lifecycle.champion import judge
from engagement_assets.lifecycle.gates import QualityGate
from engagement_assets.models.churn.spec import SPEC

GOOD = {"auc": {"value": 0.82, "low": 0.80, "high": 0.84}, "calibration_error": 0.01}


def verdict(candidate=GOOD, *, gap=None, fair="holds", by_chance=0.0, customers=1000, **settings):
    fairness = {"verdict": fair, "failures": ["gender=b"] if fair == "fails" else []}
    card = {
        "metrics": candidate,
        "calibration_error_by_chance": by_chance,
        "test_customers": customers,
        "least_test_customers": 300,
    }
    return judge(
        card,
        champion_advantage=gap,
        comparison_metric=SPEC.comparison_metric,
        fairness=fairness,
        **({"gates": SPEC.gates} | settings),
    )


def few(value, low, high, *, customers=64):
    """The verdict on an AUC of so few customers, with a calibration error that says little."""
    metrics = {"auc": {"value": value, "low": low, "high": high}, "calibration_error": 0.04}
    return verdict(metrics, customers=customers, by_chance=0.15)


def test_a_good_first_candidate_becomes_champion():
    actual = verdict()
    assert actual.promote
    assert actual.reasons[0] == "AUC 0.8200 (0.8000 to 0.8400), at least 0.7 wanted"
    assert "there is no champion yet" in actual.reasons


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"candidate": GOOD | {"auc": 0.69}}, "AUC 0.6900, at least 0.7 wanted: 0.0100 too little"),
        ({"candidate": GOOD | {"auc": math.nan}}, "AUC nan"),
        ({"candidate": GOOD | {"calibration_error": 0.06}}, "calibration error 0.0600, at most"),
        ({"fair": "fails"}, "the 80 % rule: fails: gender=b"),
        ({"gap": Interval(0.02, 0.001, 0.04)}, "the champion's lead in AUC"),
        ({"gap": Interval(0.0, math.nan, math.nan)}, "no interval"),
    ],
)
def test_each_failing_is_the_only_reason_given(change, reason):
    actual = verdict(**change)
    assert not actual.promote
    assert len(actual.reasons) == 1
    assert reason in actual.reasons[0]


def test_a_candidate_whose_fairness_was_not_judged_may_serve_and_its_reasons_say_so():
    actual = verdict(fair="not judged")
    assert actual.promote
    assert "the 80 % rule: not judged" in actual.reasons


def test_few_customers_are_not_judged_where_chance_leaves_either_side():
    actual = few(0.66, 0.5, 0.8)
    assert actual.promote
    assert len(actual.not_judged) == 2
    assert actual.not_judged[0].startswith("64 test customers: too few to judge AUC (0.6600")
    assert actual.not_judged[1].startswith("64 test customers: too few to judge calibration error")
    assert set(actual.not_judged) <= set(actual.reasons)
    assert len(few(0.8, 0.65, 0.95).not_judged) == 2, "nor are they said to pass"
    unknown = few(0.8, None, None)
    assert unknown.promote
    assert len(unknown.not_judged) == 2


def test_few_customers_fail_or_pass_where_it_is_shown():
    wrong = few(0.55, 0.4, 0.69)
    assert not wrong.promote
    assert wrong.reasons == [
        "AUC 0.5500 (0.4000 to 0.6900), at least 0.7 wanted: 0.1500 too little"
    ]
    right = few(0.85, 0.71, 0.95)
    assert [text.split(" (")[0] for text in right.not_judged] == [
        "64 test customers: too few to judge calibration error"
    ]
    beyond_chance = GOOD | {"calibration_error": 0.16}
    assert not verdict(beyond_chance, customers=64, by_chance=0.15).promote
    assert not few(0.66, 0.5, 0.8, customers=300).promote, "as many as are stated are judged"


def test_an_exact_rule_holds_however_few_there_are():
    rule = QualityGate(check="q", metric="short", words="short", description="", at_most=0.0)
    assert verdict({"short": 0.1}, gates=(rule,), customers=8).promote
    assert not verdict({"short": 0.1}, gates=(replace(rule, exact=True),), customers=8).promote


def test_few_customers_without_a_comparison_do_not_keep_an_old_champion():
    unknown = Interval(0.0, math.nan, math.nan)
    assert verdict(gap=unknown, customers=8).promote
    assert "8 test customers" in verdict(gap=unknown, customers=8).not_judged[-1]


def test_a_draw_promotes_the_newer_model():
    assert verdict(gap=Interval(0.001, -0.004, 0.006)).promote
    assert verdict(gap=Interval(-0.02, -0.03, -0.01)).promote


def test_a_floor_is_as_high_as_it_was_declared():
    floor = QualityGate(check="q", metric="auc", words="AUC", description="", at_least=0.9)
    assert not verdict(gates=(floor,)).promote
    assert verdict(GOOD | {"auc": 0.9}, gates=(floor,)).promote


def test_a_ceiling_rises_to_what_chance_shows_on_few_rows():
    many = GOOD | {"calibration_error": 0.06}
    assert not verdict(many, by_chance=0.04).promote
    assert verdict(many, by_chance=0.07).promote


def test_a_floor_without_a_limit_is_an_error():
    floor = QualityGate(check="q", metric="auc", words="AUC", description="")
    with pytest.raises(ValueError, match="has no limit"):
        verdict(gates=(floor,))


def test_all_failings_are_named_at_once():
    actual = verdict({"auc": 0.5, "calibration_error": 0.5}, fair="fails")
    assert len(actual.reasons) == 3
    assert not actual.promote


def test_a_missing_metric_is_named():
    with pytest.raises(KeyError, match="calibration_error"):
        verdict({"auc": 0.8})


def test_a_truly_worse_candidate_loses_on_the_same_rows():
    rng = np.random.default_rng(0)
    y = rng.random(5000) < 0.3
    champion = y + rng.normal(size=5000)
    worse = champion + rng.normal(size=5000)
    assert not verdict(gap=paired_auc_difference(y, champion, worse, n_bootstrap=200)).promote
    assert verdict(gap=paired_auc_difference(y, worse, champion, n_bootstrap=200)).promote


def test_the_card_tells_what_is_there_and_what_is_missing():
    text = model_card(
        {
            "name": "churn",
            "version": "abc",
            "training_snapshots": ["2024-03-31"],
            "features": ["logins", "age"],
            "metrics": {"auc": {"value": 0.8123, "low": 0.79, "high": 0.83}, "trees": 300},
            "thresholds": {"threshold": 0.17, "precision": None},
            "fairness": {"verdict": "fails", "failures": ["gender=b"], "notes": []},
        },
        purpose="Find customers who may leave.",
        limits=["Not for pricing."],
        rollback="make rollback MODEL=churn",
    )
    for part in (
        "# churn abc",
        "Find customers who may leave.",
        "- training snapshots: 1: 2024-03-31",
        "- test snapshot: not recorded",
        "- features: 2: logins, age",
        "| auc | 0.8123 | 0.79 to 0.83 |",
        "| trees | 300 | – |",
        "- precision: none",
        "The 80 % rule: **fails**.",
        "- gender=b",
        "## Explanations\n\nNot recorded.",
        "- Not for pricing.",
        "make rollback MODEL=churn",
    ):
        assert part in text


def test_a_card_whose_fairness_was_not_judged_does_not_claim_it():
    text = model_card(
        {"fairness": {"verdict": "not judged", "failures": [], "notes": ["no gender"]}},
        purpose="",
        limits=[],
        rollback="",
    )
    assert "**not judged**" in text
    assert "- no gender" in text
