"""Contributions are exact, checked in every run, and told in people's words."""

# ruff: noqa: N806 - X is scikit-learn's name for a table of features

import logging

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb

from engagement_assets.learning.explanations import shap_values as ex
from engagement_assets.learning.explanations.explanation import (
    Explanation,
    as_text,
    importance_table,
    top_reasons,
)

ROWS = 3000


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        rng.normal(size=(ROWS, 6)).astype(np.float32), columns=["up", "down", "u", "n", "c", "z"]
    )
    X["n"] = X["n"].where(rng.random(ROWS) > 0.3)
    X["c"] = 7.0
    z = 1.5 * X["up"] - X["down"] + X["u"] ** 2 + X["n"].fillna(1.0) - 1.5
    y = rng.random(ROWS) < 1 / (1 + np.exp(-z))
    parameters = {"objective": "binary:logistic", "max_depth": 4, "seed": 0, "nthread": 1}
    booster = xgb.train(parameters, xgb.DMatrix(X, label=y), num_boost_round=30)
    return booster, X


@pytest.fixture(scope="module")
def explanation(problem):
    return ex.explain(*problem)


def test_the_fast_contributions_are_the_boosters_own(problem, explanation):
    booster, X = problem
    own = booster.predict(xgb.DMatrix(X), pred_contribs=True)
    assert explanation.method == ex.METHOD_FAST
    assert explanation.fallback_reason is None
    assert np.abs(explanation.contributions - own[:, :-1]).max() < 1e-4
    assert explanation.base_value == pytest.approx(float(own[0, -1]))
    assert explanation.contributions.dtype == np.float32


def test_contributions_and_base_add_up_to_every_margin(problem, explanation):
    booster, X = problem
    margin = booster.predict(xgb.DMatrix(X), output_margin=True)
    sums = explanation.contributions.sum(axis=1) + explanation.base_value
    assert np.abs(sums - margin).max() < 1e-4
    assert explanation.additivity_error < 1e-4
    assert explanation.rows_checked == ROWS


def test_values_at_and_one_step_under_a_threshold_go_the_boosters_way(problem):
    booster, X = problem
    X = X.copy()
    rng = np.random.default_rng(0)
    splits = booster.trees_to_dataframe().query("Feature != 'Leaf'")
    for name, group in splits.groupby("Feature"):
        exact = group["Split"].to_numpy(dtype=np.float32)
        near = np.r_[exact, np.nextafter(exact, np.float32(-np.inf))]
        X[name] = rng.choice(near, len(X)).astype(np.float32)
    actual = ex.explain(booster, X)
    own = booster.predict(xgb.DMatrix(X), pred_contribs=True)
    assert actual.method == ex.METHOD_FAST
    assert np.abs(actual.contributions - own[:, :-1]).max() < 1e-4


def garbage(*_args, **_kwargs):
    return {"f0": np.full(ROWS, 9.0, dtype=np.float32)}


def nothing_known(*_args, **_kwargs):
    return {"f0": np.full(ROWS, np.nan, dtype=np.float32)}


def broken(*_args, **_kwargs):
    raise RuntimeError("no such tree")


def swapped(*args, **kwargs):
    values = GENUINE(*args, **kwargs)
    values["f0"], values["f1"] = values["f1"], values["f0"]
    return values


GENUINE = ex.hybrid_woodelf


@pytest.mark.parametrize(
    ("fake", "reason"),
    [
        (garbage, "additivity error"),
        (nothing_known, "additivity error nan"),
        (broken, "RuntimeError: no such tree"),
        (swapped, "differ from XGBoost's own"),
    ],
)
def test_wrong_fast_contributions_are_replaced_and_it_is_said_aloud(
    problem, explanation, monkeypatch, caplog, fake, reason
):
    monkeypatch.setattr(ex, "hybrid_woodelf", fake)
    with caplog.at_level(logging.WARNING):
        actual = ex.explain(*problem)
    assert actual.method == ex.METHOD_OWN
    assert reason in actual.fallback_reason
    assert reason in caplog.text
    assert reason in actual.summary()["fallback_reason"]
    assert actual.additivity_error < 1e-4
    assert np.abs(actual.contributions - explanation.contributions).max() < 1e-4


def test_a_few_rows_go_to_the_booster_without_a_fallback(problem, explanation, caplog):
    booster, X = problem
    actual = ex.explain(booster, X.head(3))
    assert (actual.method, actual.fallback_reason, caplog.text) == (ex.METHOD_OWN, None, "")
    assert np.abs(actual.contributions - explanation.contributions[:3]).max() < 1e-4


def test_rows_in_several_parts_give_the_same(problem, explanation, monkeypatch):
    monkeypatch.setattr(ex, "_ROWS_AT_ONCE", 1100)
    actual = ex.explain(*problem)
    assert actual.method == ex.METHOD_FAST
    assert np.abs(actual.contributions - explanation.contributions).max() < 1e-6


def test_a_regression_of_large_numbers_is_explained_by_the_fast_method():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(2000, 3)), columns=list("abc"))
    model = xgb.XGBRegressor(n_estimators=20, max_depth=3, n_jobs=1)
    model.fit(X.astype(np.float32), 5000 + 2000 * X["a"])
    actual = ex.explain(model, X.astype(np.float32))
    assert actual.method == ex.METHOD_FAST
    assert actual.fallback_reason is None
    assert actual.base_value > 4000


def test_a_model_that_learnt_nothing_is_explained_by_zeros():
    X = pd.DataFrame({"a": np.ones(2000, dtype=np.float32)})
    booster = xgb.train(
        {"objective": "binary:logistic"}, xgb.DMatrix(X, label=np.arange(2000) % 2), 3
    )
    actual = ex.explain(booster, X)
    assert (actual.contributions == 0).all()
    assert actual.additivity_error < 1e-6


def test_other_columns_or_no_rows_are_refused(problem):
    booster, X = problem
    with pytest.raises(ValueError, match="was trained on columns"):
        ex.explain(booster, X[X.columns[::-1]])
    with pytest.raises(ValueError, match="no rows"):
        ex.explain(booster, X.head(0))


def test_importance_ranks_features_and_tells_their_direction(explanation):
    table = importance_table(explanation, categories=["u"]).set_index("feature")
    assert table["mean_abs_contribution"].is_monotonic_decreasing
    assert table["share"].sum() == pytest.approx(1.0)
    assert table["direction"].to_dict() | {"n": "", "z": ""} == {
        "up": "raises",
        "down": "lowers",
        "u": "by category",
        "c": "none",
        "n": "",
        "z": "",
    }
    assert table.index[0] in {"up", "u"}
    assert importance_table(explanation).set_index("feature")["direction"]["u"] == "mixed"


def made(contributions):
    amounts = np.array(contributions, dtype=np.float32)
    return Explanation(
        ("logins", "plan", "flag"), amounts, 0.0, "given", 0.0, 0, None, np.zeros(3), 0.0
    )


CUSTOMERS = pd.DataFrame(
    {"logins": [0.0, 12.345, np.nan], "plan": ["free", None, "gold"], "flag": [True, False, True]},
    index=["x", "y", "z"],
)
TYPICAL = {"logins": 8.0, "plan": "free", "flag": None}


def test_top_reasons_are_those_that_moved_the_score_most():
    explanation = made([[0.1, -2.0, 0.5], [-3.0, 1.0, 0.2], [0.0, 0.3, -0.1]])
    actual = top_reasons(explanation, CUSTOMERS, typical=TYPICAL, k=2)
    assert actual.index.tolist() == ["x", "y", "z"]
    assert actual["reason_1_feature"].tolist() == ["plan", "logins", "plan"]
    assert actual["reason_1_value"].tolist() == ["free", "12.3", "gold"]
    assert actual["reason_1_typical"].tolist() == ["free", "8", "free"]
    assert actual["reason_1_contribution"].tolist() == [-2.0, -3.0, np.float32(0.3)]
    assert actual["reason_2_value"].tolist() == ["yes", "unknown", "yes"]
    assert actual["reason_2_typical"].tolist() == ["unknown", "free", "unknown"]
    assert "reason_3_feature" not in actual


def test_only_raising_reasons_can_be_asked_for_and_may_run_out():
    explanation = made([[0.1, -2.0, 0.5], [-3.0, 1.0, -0.2], [-1.0, -0.3, -0.1]])
    actual = top_reasons(
        explanation,
        CUSTOMERS,
        typical=TYPICAL,
        k=2,
        only_raising=True,
    )
    assert actual["reason_1_feature"].tolist() == ["flag", "plan", None]
    assert actual["reason_2_feature"].tolist() == ["logins", None, None]
    assert actual["reason_2_value"].tolist() == ["0", None, None]
    assert actual["reason_2_contribution"].isna().tolist() == [False, True, True]


def test_reasons_agree_with_a_plain_sort(problem, explanation):
    _, X = problem
    actual = top_reasons(explanation, X, typical={}, k=10)
    assert "reason_6_feature" in actual
    assert "reason_7_feature" not in actual
    for row in range(0, ROWS, 500):
        order = np.argsort(-np.abs(explanation.contributions[row]), kind="stable")
        assert actual["reason_1_feature"].iloc[row] == X.columns[order[0]]
        assert actual["reason_2_contribution"].iloc[row] == pytest.approx(
            explanation.contributions[row, order[1]]
        )


def test_reasons_of_other_rows_are_refused():
    with pytest.raises(ValueError, match="1 rows were explained but X has 3"):
        top_reasons(made([[0.0, 0.0, 0.0]]), CUSTOMERS, typical={})
    with pytest.raises(ValueError, match=r"lacks explained features: \['flag'\]"):
        top_reasons(made(np.zeros((3, 3))), CUSTOMERS[["logins", "plan"]], typical={})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "unknown"),
        (np.nan, "unknown"),
        (pd.NA, "unknown"),
        (pd.NaT, "unknown"),
        (True, "yes"),
        (np.False_, "no"),
        (3, "3"),
        (np.int64(1234567), "1234567"),
        (2.0, "2"),
        (0.12345, "0.123"),
        (1234.56, "1234.6"),
        ("free", "free"),
    ],
)
def test_values_are_written_for_people(value, text):
    assert as_text(value) == text
