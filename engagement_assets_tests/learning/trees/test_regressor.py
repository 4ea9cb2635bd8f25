"""The engagement regressor stays within 0 to 1, and is the same after a refit or a load."""

# ruff: noqa: N806 - X is scikit-learn's name for a table of features

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from engagement_assets.learning.evaluation.regression import r2
from engagement_assets.learning.trees.boosted import ConstantTargetError
from engagement_assets.learning.trees.regressor import (
    LOGISTIC,
    SQUARED,
    BoundedBoostingRegressor,
)

FAST = {"n_estimators": 40, "learning_rate": 0.2, "max_depth": 4, "folds": 2, "n_jobs": 1}


def customers(n=2500, seed=0):
    """Customers with a known expected engagement."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "logins": rng.poisson(4, n),
            "minutes": rng.gamma(2.0, 10.0, n),
            "device": pd.Categorical(rng.choice(["phone", "web", "tv"], n, p=[0.6, 0.3, 0.1])),
            "premium": rng.random(n) < 0.2,
        }
    )
    X.loc[rng.random(n) < 0.1, "minutes"] = np.nan
    rate = 0.08 * X["logins"] * (1 + X["premium"]) * np.where(X["device"] == "tv", 0.3, 1.0)
    truth = 1 - np.exp(-rate.to_numpy())
    return X, np.clip(truth + 0.1 * rng.normal(size=n), 0.0, 1.0), truth


@pytest.fixture(scope="module")
def fitted():
    X, y, _ = customers()
    return BoundedBoostingRegressor(**FAST).fit(X, y)


@pytest.fixture(scope="module")
def new_customers():
    return customers(seed=1)


def test_it_comes_near_the_best_possible_score(fitted, new_customers):
    X, y, truth = new_customers
    assert r2(y, fitted.predict(X)) > 0.95 * r2(y, np.clip(truth, 0, 1))


def test_out_of_fold_predictions_are_as_good_as_on_other_people(fitted, new_customers):
    _, y, _ = customers()
    X_new, y_new, _ = new_customers
    outside = r2(y_new, fitted.predict(X_new))
    assert r2(y, fitted.oof_prediction_) == pytest.approx(outside, abs=0.04)


def test_objective_and_number_of_trees_have_the_best_out_of_fold_r2(fitted):
    best = max(fitted.tree_r2_.values())
    assert fitted.tree_r2_[fitted.objective_, fitted.n_trees_] == best
    assert {objective for objective, _ in fitted.tree_r2_} == {LOGISTIC, SQUARED}
    assert fitted.booster_.num_boosted_rounds() == fitted.n_trees_


@pytest.mark.parametrize("objective", [LOGISTIC, SQUARED])
def test_no_prediction_leaves_0_to_1(objective):
    X, y, _ = customers(600)
    model = BoundedBoostingRegressor(**FAST, objective=objective).fit(X, np.round(y))
    extreme = X.assign(logins=1000, premium=True)
    for rows in (X, extreme):
        assert model.predict(rows).min() >= 0.0
        assert model.predict(rows).max() <= 1.0


def test_a_refit_gives_the_same_bytes_and_another_seed_does_not(fitted, new_customers, tmp_path):
    X, y, _ = customers()
    again = BoundedBoostingRegressor(**FAST).fit(X, y)
    fitted.save(tmp_path / "a")
    again.save(tmp_path / "b")
    for file in ("booster.ubj", "estimator.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    other = BoundedBoostingRegressor(**FAST, random_state=1).fit(X, y)
    assert (other.predict(new_customers[0]) != fitted.predict(new_customers[0])).any()


def test_a_loaded_model_is_the_saved_one(fitted, new_customers, tmp_path):
    fitted.save(tmp_path)
    again = BoundedBoostingRegressor.load(tmp_path)
    X = new_customers[0]
    assert (again.predict(X) == fitted.predict(X)).all()
    assert again.get_params() == fitted.get_params()
    assert again.margin_unit == fitted.margin_unit
    assert again.typical_values_ == fitted.typical_values_


def test_files_of_another_format_are_refused(fitted, tmp_path):
    fitted.save(tmp_path)
    state = json.loads((tmp_path / "estimator.json").read_text())
    (tmp_path / "estimator.json").write_text(json.dumps(state | {"format": "other/9"}))
    with pytest.raises(ValueError, match="has format 'other/9'"):
        BoundedBoostingRegressor.load(tmp_path)


def test_explanations_add_up_to_the_margin_of_every_customer(fitted, new_customers):
    X = new_customers[0]
    actual = fitted.explain(X)
    sums = actual.contributions.sum(axis=1) + actual.base_value
    assert np.abs(sums - fitted.predict_margin(X)).max() < 1e-3


def test_rows_of_a_group_are_never_both_learnt_from_and_predicted_out_of_fold():
    X, _, _ = customers(800)
    noise = np.random.default_rng(0).random(800)
    twins, people = pd.concat([X, X], ignore_index=True), np.tile(np.arange(800), 2)
    deep = FAST | {"max_depth": 8, "min_child_weight": 0.1, "reg_lambda": 0.0}
    alone = BoundedBoostingRegressor(**deep).fit(twins, np.tile(noise, 2))
    apart = BoundedBoostingRegressor(**deep).fit(twins, np.tile(noise, 2), groups=people)
    # noise can be known from a twin alone
    assert r2(np.tile(noise, 2), alone.oof_prediction_) > 0.06
    assert r2(np.tile(noise, 2), apart.oof_prediction_) < 0.01


def test_scikit_learn_can_clone_it():
    model = BoundedBoostingRegressor(**FAST)
    assert clone(model).get_params() == model.get_params()


def test_more_columns_than_rows_all_null_columns_and_unseen_categories_work():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(40, 60))).add_prefix("column ")
    X["all null"], X["all None"] = np.nan, None
    X["kind"] = pd.Series(rng.choice(["u", "v"], 40), dtype="string")
    y = 1 / (1 + np.exp(-X["column 0"]))
    model = BoundedBoostingRegressor(**FAST).fit(X, y)
    assert np.isfinite(model.predict(X.assign(kind="never seen"))).all()
    assert model.predict(X.head(1)).shape == (1,)
    assert np.abs(model.explain(X).contributions[:, 60:62]).max() == 0.0


def test_fewer_groups_than_folds_are_said(caplog):
    X, y, _ = customers(300)
    settings = FAST | {"folds": 5}
    model = BoundedBoostingRegressor(**settings).fit(X, y, groups=np.arange(300) % 3)
    assert model.folds_ == 3
    assert "3 folds instead of 5" in caplog.text


def test_bad_input_is_named(fitted):
    X, y, _ = customers(100)
    model = BoundedBoostingRegressor(**FAST)
    with pytest.raises(ConstantTargetError, match=r"all 100 targets are 0\.5"):
        model.fit(X, np.full(100, 0.5))
    with pytest.raises(ValueError, match="between 0 and 1, got"):
        model.fit(X, y * 3)
    with pytest.raises(ValueError, match="there is one row"):
        model.fit(X.head(1), y[:1])
    with pytest.raises(ValueError, match="X has 100 rows but y has 99"):
        model.fit(X, y[1:])
    with pytest.raises(ValueError, match="1 targets are null"):
        model.fit(X, np.r_[np.nan, y[1:]])
    with pytest.raises(ValueError, match="must be finite"):
        model.fit(X, np.r_[np.inf, y[1:]])
    with pytest.raises(ValueError, match="must be numbers"):
        model.fit(X, ["a"] * 100)
    with pytest.raises(ValueError, match="all rows are of one group"):
        model.fit(X, y, groups=np.zeros(100))
    with pytest.raises(ValueError, match=r"infinite values .*\['minutes'\]"):
        model.fit(X.assign(minutes=np.inf), y)
    with pytest.raises(ValueError, match="objective 'other' is none of"):
        BoundedBoostingRegressor(objective="other").fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)
    with pytest.raises(ValueError, match=r"columns are missing: \['minutes'\]"):
        fitted.predict(X.drop(columns="minutes"))
