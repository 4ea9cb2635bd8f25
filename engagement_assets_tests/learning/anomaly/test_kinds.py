"""Errors in the data, sudden drops, likeness to fraud and mere oddness are told apart."""

import json

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.anomaly.kinds import KindRuler, KindRules

FEATURE_NAMES = ["logins", "days", "depth", "trend", "idle", "other"]
RULES = KindRules(
    bounds={"depth": (0, 1), "logins": (0, None)},
    at_most=(("days", "logins"),),
    only_with=(("depth", "logins"),),
    high_in_fraud=("logins",),
    low_in_fraud=("depth",),
    trend="trend",
    idle_days="idle",
    use="logins",
)
ORDINARY = {"logins": 10.0, "days": 8.0, "depth": 0.5, "trend": 0.0, "idle": 0.0, "other": 1.0}


@pytest.fixture(scope="module")
def ruler():
    rng = np.random.default_rng(0)
    train = pd.DataFrame([ORDINARY] * 500)
    train["trend"] = 0.02 * rng.standard_normal(500)
    return KindRuler.fit(RULES, train, ORDINARY)


def kind(ruler, *, blamed="other", by_review_labels=False, **values):
    row = pd.DataFrame([{**ORDINARY, **values}])
    contributions = np.zeros((1, len(FEATURE_NAMES)))
    contributions[0, FEATURE_NAMES.index(blamed)] = 1.0
    return ruler.kinds(row, contributions, FEATURE_NAMES, np.array([by_review_labels]))[0]


@pytest.mark.parametrize(
    "values",
    [
        {"depth": 1.2},
        {"logins": -3.0, "days": -3.0},
        {"days": 11.0},
        {"logins": 0.0, "days": 0.0, "depth": 0.4},
    ],
    ids=["out of bounds", "negative count", "more days than logins", "depth without logins"],
)
def test_what_cannot_be_is_an_error_in_the_data_even_where_it_looks_like_fraud(ruler, values):
    assert kind(ruler, **values) == "data_error"
    assert kind(ruler, blamed="logins", by_review_labels=True, **values) == "data_error"


def test_traces_of_fraud_count_only_on_their_side(ruler):
    assert kind(ruler, blamed="logins", logins=200.0) == "fraud_like"
    assert kind(ruler, blamed="logins", logins=9.0) == "unusual"
    assert kind(ruler, blamed="depth", depth=0.0) == "fraud_like"
    assert kind(ruler, blamed="other", logins=200.0) == "unusual"


def test_what_review_labels_taught_makes_it_like_fraud(ruler):
    assert kind(ruler, by_review_labels=True) == "fraud_like"


def test_a_steep_fall_or_a_keen_customer_who_stays_away_is_a_sudden_drop(ruler):
    assert kind(ruler, trend=-0.2) == "sudden_drop"
    assert kind(ruler, trend=-0.01) == "unusual"
    assert kind(ruler, idle=9.0, logins=12.0) == "sudden_drop"
    assert kind(ruler, idle=9.0, logins=2.0, days=2.0) == "unusual"
    assert kind(ruler, blamed="logins", logins=200.0, trend=-0.2) == "fraud_like"


def test_a_null_breaks_no_rule(ruler):
    assert kind(ruler, trend=np.nan, idle=np.nan, depth=np.nan) == "unusual"


def test_another_table_says_which_rules_it_cannot_have():
    told = " ".join(RULES.unusable(["amount", "colour"]))
    for words in ("data_error", "fraud_like", "sudden_drop", "'idle'"):
        assert words in told
    assert RULES.unusable(FEATURE_NAMES) == []


def test_rules_survive_json():
    assert KindRules.from_dict(json.loads(json.dumps(RULES.to_dict()))) == RULES
