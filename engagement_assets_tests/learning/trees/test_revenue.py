"""The value regressor knows zero and tail, crosses no quantiles, and refits to the same."""

# ruff: noqa: N806 - X is scikit-learn's name for a table of features

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from engagement_assets.learning.evaluation.quantiles import covered_with_atom
from engagement_assets.learning.evaluation.regression import normalised_gini, r2
from engagement_assets.learning.trees.boosted import ConstantTargetError
from engagement_assets.learning.trees.revenue import (
    CANDIDATES,
    HURDLE,
    SQUARED,
    TooFewPayersError,
    ZeroInflatedRevenueRegressor,
)
from engagement_assets.learning.trees.revenue_mean import MeanCalibration, at_zero, signed_log

FAST = {"n_estimators": 40, "learning_rate": 0.2, "max_depth": 3, "folds": 2, "n_jobs": 1}
FILES = ("booster.ubj", "pays.ubj", "quantiles.ubj", "estimator.json")


def customers(n=6000, seed=0, greatest=1.0):
    """Customers of whom a third may pay, with the true chance and mean."""
    rng = np.random.default_rng(seed)
    guess = rng.lognormal(1.5, 1.0, n) * greatest
    X = pd.DataFrame(
        {
            "guess": guess,
            "sessions": rng.poisson(5, n),
            "plan": pd.Categorical(rng.choice(["free", "trial", "paid"], n, p=[0.6, 0.2, 0.2])),
        }
    )
    chance = np.select([X["plan"] == "free", X["plan"] == "trial"], [0.02, 0.4], 0.95)
    factor = 1.0 + 0.2 * X["sessions"].to_numpy()
    pays = rng.random(n) < chance
    y = np.where(pays, guess * factor * rng.gamma(4.0, 0.25, n), 0.0)
    y[rng.random(n) < 0.002] = -5.0
    return X, y, chance, chance * guess * factor


@pytest.fixture(scope="module")
def fitted():
    X, y, _, _ = customers()
    return ZeroInflatedRevenueRegressor(**FAST, prior="guess").fit(X, y)


@pytest.fixture(scope="module")
def new_customers():
    return customers(seed=1)


def test_it_comes_near_the_best_possible_score(fitted, new_customers):
    X, y, _, mean = new_customers
    assert r2(y, fitted.predict(X)) > 0.9 * r2(y, mean)
    assert normalised_gini(y, fitted.predict(X)) > 0.95 * normalised_gini(y, mean)


def test_its_mean_is_the_true_mean(fitted, new_customers):
    X, y, _, _ = new_customers
    assert fitted.predict(X).mean() == pytest.approx(y.mean(), rel=0.06)
    _, y_train, _, _ = customers()
    assert fitted.oof_prediction_.mean() == pytest.approx(y_train.mean(), rel=1e-9)


def test_the_winner_has_the_least_out_of_fold_error_of_the_declared(fitted):
    assert set(fitted.mean_losses_) == set(CANDIDATES)
    assert fitted.mean_losses_[fitted.mean_] == min(fitted.mean_losses_.values())


def test_its_chances_are_calibrated(fitted, new_customers):
    X, y, chance, _ = new_customers
    actual = fitted.predict_chance(X)
    for true in np.unique(chance):
        assert actual[chance == true].mean() == pytest.approx(
            (y > 0)[chance == true].mean(), abs=0.03
        )


def test_quantiles_never_cross_and_are_0_where_nobody_pays(fitted, new_customers):
    X, _, chance, _ = new_customers
    quantiles = fitted.predict_quantiles(X)
    assert (np.diff(quantiles, axis=1) >= 0.0).all()
    assert (quantiles[chance == 0.02] == 0.0).all()
    assert (quantiles[chance == 0.95][:, 1] > 0.0).mean() > 0.95


def test_intervals_are_honest_on_other_people_and_for_each_kind(fitted, new_customers):
    X, y, chance, _ = new_customers
    quantiles = fitted.predict_quantiles(X)
    part = covered_with_atom(
        y,
        quantiles[:, 0],
        quantiles[:, -1],
        levels=(0.1, 0.9),
        atom_chance=1.0 - fitted.predict_chance(X),
    )
    assert part.mean() == pytest.approx(0.8, abs=0.02)
    for true in np.unique(chance):
        assert part[chance == true].mean() == pytest.approx(0.8, abs=0.06)


def test_with_a_prior_it_goes_on_beyond_what_it_saw():
    X, y, _, _ = customers()
    greater, _, _, mean = customers(seed=1, greatest=20.0)
    with_prior = ZeroInflatedRevenueRegressor(**FAST, prior="guess", mean=HURDLE).fit(X, y)
    without = ZeroInflatedRevenueRegressor(**FAST, mean=HURDLE).fit(X, y)
    assert with_prior.predict(greater).mean() == pytest.approx(mean.mean(), rel=0.3)
    assert without.predict(greater).mean() < 0.5 * mean.mean()


@pytest.mark.parametrize("mean", CANDIDATES)
def test_explanations_add_up_to_the_margin_of_every_customer(mean, new_customers):
    X, y, _, _ = customers(2500)
    model = ZeroInflatedRevenueRegressor(**FAST, prior="guess", mean=mean).fit(X, y)
    new = new_customers[0]
    actual = model.explain(new)
    sums = actual.contributions.sum(axis=1) + actual.base_value
    assert np.abs(sums - model.predict_margin(new)).max() < 2e-3
    assert actual.rows_checked == len(new)
    assert ("log" in model.margin_unit) == (mean != SQUARED)


def test_a_refit_gives_the_same_bytes(fitted, tmp_path):
    X, y, _, _ = customers()
    fitted.save(tmp_path / "a")
    ZeroInflatedRevenueRegressor(**FAST, prior="guess").fit(X, y).save(tmp_path / "b")
    for file in FILES:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_loaded_model_is_the_saved_one(fitted, new_customers, tmp_path):
    fitted.save(tmp_path)
    again = ZeroInflatedRevenueRegressor.load(tmp_path)
    X = new_customers[0]
    assert (again.predict(X) == fitted.predict(X)).all()
    assert (again.predict_quantiles(X) == fitted.predict_quantiles(X)).all()
    assert (again.predict_chance(X) == fitted.predict_chance(X)).all()
    assert (again.explain(X).contributions == fitted.explain(X).contributions).all()
    assert again.get_params() == fitted.get_params()
    state = json.loads((tmp_path / "estimator.json").read_text())
    (tmp_path / "estimator.json").write_text(json.dumps(state | {"format": "other/9"}))
    with pytest.raises(ValueError, match="has format 'other/9'"):
        ZeroInflatedRevenueRegressor.load(tmp_path)


def test_scikit_learn_can_clone_it():
    model = ZeroInflatedRevenueRegressor(**FAST, prior="guess")
    assert clone(model).get_params() == model.get_params()


def test_more_columns_than_rows_all_null_columns_and_unseen_categories_work():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(90, 120))).add_prefix("column ")
    X["all null"] = np.nan
    X["kind"] = pd.Series(rng.choice(["u", "v"], 90), dtype="string")
    y = np.where(X["column 0"] > 0, np.exp(X["column 1"]), 0.0)
    model = ZeroInflatedRevenueRegressor(**FAST).fit(X, y)
    unseen = X.assign(kind="never seen")
    assert np.isfinite(model.predict(unseen)).all()
    assert model.predict_quantiles(X.head(1)).shape == (1, 3)


def test_an_unknown_prior_is_taken_for_a_typical_one(fitted, new_customers):
    X = new_customers[0].head(50)
    assert np.isfinite(fitted.predict(X.assign(guess=np.nan))).all()
    assert np.isfinite(fitted.predict(X.assign(guess=0.0))).all()


@pytest.mark.parametrize("pay_nothing", [0, 3])
@pytest.mark.parametrize("mean", CANDIDATES)
def test_a_business_where_everybody_pays_has_a_value(mean, pay_nothing, tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"logins": rng.poisson(3, 1500), "plan": rng.choice(["basic", "pro"], 1500)})
    price = np.where(X["plan"] == "pro", 119.94, 59.94)
    y = price * rng.choice([1.0, 0.5], 1500)
    y[:pay_nothing] = 0.0
    made = ZeroInflatedRevenueRegressor(**FAST, mean=mean).fit(X, y)
    made.save(tmp_path)
    model = ZeroInflatedRevenueRegressor.load(tmp_path)
    predicted, chance, quantiles = model.predict_all(X)
    np.testing.assert_array_equal(predicted, made.predict(X))
    assert np.abs(predicted / (0.75 * price) - 1.0).mean() < 0.05
    assert ((chance > 0.99) & (chance < 1.0)).all()
    assert (quantiles[:, 0] > 0.0).all()
    explanation = model.explain(X.head(20))
    sums = explanation.base_value + explanation.contributions.sum(axis=1)
    assert sums == pytest.approx(model.predict_margin(X.head(20)), abs=1e-3)
    assert np.abs(model.refitted(X, y).predict(X) / (0.75 * price) - 1.0).mean() < 0.05


def test_bad_input_is_named(fitted):
    X, y, _, _ = customers(200)
    model = ZeroInflatedRevenueRegressor(**FAST)
    with pytest.raises(ConstantTargetError, match="all 200 targets are 0"):
        model.fit(X, np.zeros(200))
    with pytest.raises(TooFewPayersError, match="only 1 of 200 rows pay:"):
        model.fit(X, np.r_[9.0, np.zeros(199)])
    with pytest.raises(ValueError, match="there is one row"):
        model.fit(X.head(1), y[:1])
    with pytest.raises(ValueError, match=r"infinite values .*\['guess'\]"):
        model.fit(X.assign(guess=np.inf), y)
    with pytest.raises(ValueError, match="must be finite"):
        model.fit(X, np.r_[np.inf, y[1:]])
    with pytest.raises(ValueError, match="mean 'median' is none of"):
        ZeroInflatedRevenueRegressor(mean="median").fit(X, y)
    with pytest.raises(ValueError, match="the prior 'plan' is no column of numbers"):
        ZeroInflatedRevenueRegressor(**FAST, prior="plan").fit(X, y)
    with pytest.raises(ValueError, match="the prior 'guess' has no value above 0"):
        ZeroInflatedRevenueRegressor(**FAST, prior="guess").fit(X.assign(guess=0.0), y)
    with pytest.raises(NotFittedError):
        model.predict(X)
    with pytest.raises(ValueError, match=r"columns are missing: \['guess'\]"):
        fitted.predict(X.drop(columns="guess"))


def test_a_quantile_is_0_only_as_far_as_the_chance_says():
    money = np.array([[-1.0, 2.0, 9.0], [3.0, 1.0, 9.0]])
    actual = at_zero(money, money, np.array([0.4, 1.0]), levels=(0.1, 0.5, 0.9))
    assert actual.tolist() == [[0.0, 0.0, 9.0], [1.0, 3.0, 9.0]]
    assert signed_log(np.array([-np.expm1(1.0), 0.0, np.expm1(2.0)])).tolist() == [-1.0, 0.0, 2.0]


def test_the_map_of_the_mean_rises_keeps_the_mean_and_goes_on_beyond_the_last():
    rng = np.random.default_rng(0)
    predicted = rng.lognormal(0.0, 1.5, 5000) + 0.5
    paid = np.where(predicted < 1.0, 0.0, predicted * rng.gamma(2.0, 0.6, 5000))
    actual = MeanCalibration.fit(paid, predicted)
    assert actual(predicted).mean() == pytest.approx(paid.mean())
    grid = np.linspace(0.0, 500.0, 2000)
    assert (np.diff(actual(grid)) >= 0.0).all()
    assert actual(np.array([0.6]))[0] < 0.1
    assert actual(np.array([5000.0]))[0] == pytest.approx(6000.0, rel=0.2)
    assert MeanCalibration.from_dict(actual.to_dict()) == actual
