"""The churn classifier is calibrated, minds the costs, and is the same after a refit or a load."""

# ruff: noqa: N806 - X is scikit-learn's name for a table of features

import json
import logging

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from upath import UPath

from engagement_assets.learning.evaluation.binary import OneClassError
from engagement_assets.learning.evaluation.metrics import (
    auc,
    evaluate,
    expected_calibration_error,
)
from engagement_assets.learning.explanations.shap_values import METHOD_FAST
from engagement_assets.learning.trees.classifier import (
    BOOSTED,
    FOREST,
    CalibratedBoostingClassifier,
)

FAST = {"n_estimators": 60, "learning_rate": 0.15, "max_depth": 4, "folds": 3, "n_jobs": 1}


def customers(n=4000, seed=0):
    """Customers with a known churn probability."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "logins": rng.poisson(8, n),
            "sentiment": rng.normal(size=n),
            "minutes": rng.gamma(2.0, 10.0, n),
            "device": pd.Categorical(rng.choice(["phone", "web", "tv"], n, p=[0.6, 0.3, 0.1])),
            "premium": rng.random(n) < 0.2,
        }
    )
    X.loc[rng.random(n) < 0.15, "sentiment"] = np.nan
    z = (
        1.0
        - 0.35 * X["logins"]
        - 0.8 * X["sentiment"].fillna(-1.0)
        + 1.2 * (X["device"] == "tv")
        - 0.5 * X["premium"]
    )
    truth = 1 / (1 + np.exp(-z.to_numpy()))
    return X, (rng.random(n) < truth).astype(int), truth


@pytest.fixture(scope="module")
def fitted():
    X, y, _ = customers()
    return CalibratedBoostingClassifier(**FAST).fit(X, y)


@pytest.fixture(scope="module")
def new_customers():
    return customers(seed=1)


def test_it_comes_near_the_best_possible_score(fitted, new_customers):
    X, y, truth = new_customers
    assert auc(y, fitted.predict_proba(X)[:, 1]) > auc(y, truth) - 0.025


def test_noisy_data_gets_few_trees_and_clear_data_many():
    X, y, _ = customers()
    noisy = CalibratedBoostingClassifier(n_jobs=1, folds=2).fit(X, y)
    assert noisy.n_trees_ <= noisy.n_estimators / 4
    assert noisy.booster_.num_boosted_rounds() == noisy.n_trees_
    losses = noisy.tree_log_losses_
    # what did not help twice is not tried any further
    assert losses[noisy.n_trees_] < losses[max(losses)]
    assert max(losses) < noisy.n_estimators
    clear = X["logins"] * (X["minutes"] > 15) - (X["minutes"] - 20) ** 2 / 40 > 3
    assert CalibratedBoostingClassifier(n_jobs=1, folds=2).fit(X, clear).n_trees_ >= 75


def test_its_probabilities_can_be_believed(fitted, new_customers):
    X, y, _ = new_customers
    assert expected_calibration_error(y, fitted.predict_proba(X)[:, 1]) < 0.03


def test_out_of_fold_scores_are_as_good_as_on_other_people(fitted, new_customers):
    X, y, _ = new_customers
    _, y_train, _ = customers()
    outside = evaluate(y, fitted.predict_proba(X)[:, 1], threshold=0.5)["auc"]
    assert outside.low - 0.01 < auc(y_train, fitted.oof_probability_) < outside.high + 0.01


def test_calibration_does_not_reorder_the_margins(fitted, new_customers):
    X, y, _ = new_customers
    assert auc(y, fitted.decision_function(X)) == auc(y, fitted.predict_proba(X)[:, 1])


def test_predict_flags_from_the_threshold_on(fitted, new_customers):
    X, y, _ = new_customers
    p = fitted.predict_proba(X)
    assert np.allclose(p.sum(axis=1), 1.0)
    assert (fitted.predict(X) == (p[:, 1] >= fitted.threshold_)).all()
    actual = y[p[:, 1] >= fitted.threshold_at_recall_].sum() / y.sum()
    assert actual == pytest.approx(0.8, abs=0.06)


def test_the_threshold_moves_with_the_costs():
    X, y, _ = customers(1500)
    cheap = CalibratedBoostingClassifier(**FAST, cost_action=1.0).fit(X, y)
    dear = CalibratedBoostingClassifier(**FAST, cost_action=15.0).fit(X, y)
    assert cheap.threshold_ < 0.15 < dear.threshold_
    assert (cheap.oof_probability_ == dear.oof_probability_).all()


def test_typical_values_and_names_are_those_of_the_table(fitted):
    X, _, _ = customers()
    assert fitted.feature_names_in_.tolist() == X.columns.tolist()
    assert fitted.classes_.tolist() == [0, 1]
    assert fitted.typical_values_["device"] == "phone"
    assert fitted.typical_values_["logins"] == X["logins"].median()


def test_a_refit_gives_the_same_predictions(fitted, new_customers):
    X, y, _ = customers()
    again = CalibratedBoostingClassifier(**FAST).fit(X, y)
    new = new_customers[0]
    assert (again.predict_proba(new) == fitted.predict_proba(new)).all()
    assert (again.oof_probability_ == fitted.oof_probability_).all()
    assert again.threshold_ == fitted.threshold_


def test_a_refit_on_two_threads_gives_the_same_predictions():
    X, y, _ = customers(2000)
    settings = FAST | {"n_jobs": 2}
    one, two = (
        CalibratedBoostingClassifier(**settings).fit(X, y).predict_proba(X) for _ in range(2)
    )
    assert (one == two).all()


def test_another_seed_gives_another_model(fitted, new_customers):
    X, y, _ = customers()
    other = CalibratedBoostingClassifier(**FAST, random_state=1).fit(X, y)
    new = new_customers[0]
    assert (other.predict_proba(new) != fitted.predict_proba(new)).any()


@pytest.mark.parametrize("path", ["local", "memory"])
def test_a_loaded_model_is_the_saved_one(fitted, new_customers, tmp_path, path):
    folder = tmp_path / "model" if path == "local" else UPath("memory://churn-model-test")
    fitted.save(folder)
    again = CalibratedBoostingClassifier.load(folder)
    X = new_customers[0]
    assert (again.predict_proba(X) == fitted.predict_proba(X)).all()
    assert (again.predict(X) == fitted.predict(X)).all()
    assert again.get_params() == fitted.get_params()
    assert again.typical_values_ == fitted.typical_values_
    assert again.threshold_choice_ == fitted.threshold_choice_
    assert again.n_trees_ == fitted.n_trees_ == again.booster_.num_boosted_rounds()
    assert again.threshold_at_recall_ == fitted.threshold_at_recall_
    again.explain(X.head(5))


def test_the_same_model_is_saved_as_the_same_bytes(fitted, tmp_path):
    X, y, _ = customers()
    fitted.save(tmp_path / "a")
    CalibratedBoostingClassifier(**FAST).fit(X, y).save(tmp_path / "b")
    for file in ("booster.ubj", "estimator.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_files_of_another_format_are_refused(fitted, tmp_path):
    fitted.save(tmp_path)
    state = json.loads((tmp_path / "estimator.json").read_text())
    (tmp_path / "estimator.json").write_text(json.dumps(state | {"format": "other/9"}))
    with pytest.raises(ValueError, match="has format 'other/9'"):
        CalibratedBoostingClassifier.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        CalibratedBoostingClassifier.load(tmp_path / "nowhere")


def test_explanations_add_up_to_the_margin_of_every_customer(fitted, new_customers):
    X = new_customers[0]
    actual = fitted.explain(X)
    assert actual.method == METHOD_FAST
    sums = actual.contributions.sum(axis=1) + actual.base_value
    assert np.abs(sums - fitted.predict_margin(X)).max() < 1e-3
    assert actual.features == tuple(X.columns)


def test_scikit_learn_can_clone_and_cross_validate_it():
    X, y, _ = customers(1200)
    model = CalibratedBoostingClassifier(**FAST)
    assert clone(model).get_params() == model.get_params()
    assert clone(model).set_params(max_depth=2).max_depth == 2
    scores = cross_val_score(model, X, y, cv=3, scoring="roc_auc")
    assert (scores > 0.65).all()
    assert 0.5 < model.fit(X, y).score(X, y) <= 1.0


def test_other_tables_work_too():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "a [kg] < b": rng.normal(size=400),
            "constant": 1.0,
            "all null": np.nan,
            "all None": None,
            "text": pd.Series(rng.choice(["u", "v"], 400), dtype="string"),
            "nullable": pd.array(rng.integers(0, 9, 400), dtype="Int64"),
        }
    )
    y = (X["a [kg] < b"] > 0).to_numpy()
    model = CalibratedBoostingClassifier(**FAST).fit(X, y)
    assert auc(y, model.oof_probability_) > 0.98
    actual = model.explain(X)
    assert np.abs(actual.contributions[:, 1:4]).max() == 0.0
    assert model.predict_proba(X.assign(text="never seen")).shape == (400, 2)


def test_folds_shrink_when_a_class_is_rare_and_it_is_said(caplog):
    X, _, _ = customers(200)
    y = np.zeros(200, dtype=int)
    y[:2] = 1
    with caplog.at_level(logging.WARNING):
        model = CalibratedBoostingClassifier(**FAST).fit(X, y)
    assert model.folds_ == 2
    assert "2 folds instead of 3" in caplog.text
    y[1] = 0
    with pytest.raises(ValueError, match="only one row"):
        CalibratedBoostingClassifier(**FAST).fit(X, y)


def test_bad_input_is_named(fitted):
    X, y, _ = customers(100)
    model = CalibratedBoostingClassifier(**FAST)
    with pytest.raises(OneClassError, match="all 100 labels are 0"):
        model.fit(X, np.zeros(100))
    with pytest.raises(ValueError, match="labels have 3 classes"):
        model.fit(X, np.where(np.arange(100) < 9, 2, y))
    with pytest.raises(ValueError, match="X has 100 rows but y has 99"):
        model.fit(X, y[1:])
    with pytest.raises(ValueError, match="labels are null"):
        model.fit(X, pd.Series(y).where(y == 1))
    with pytest.raises(ValueError, match="must have rows"):
        model.fit(X.head(0), y[:0])
    with pytest.raises(TypeError, match="Sparse data was passed"):
        model.fit(sparse.csr_array(X[["logins"]].to_numpy(dtype=float)), y)
    with pytest.raises(ValueError, match=r"infinite values .*\['minutes'\]"):
        model.fit(X.assign(minutes=np.inf), y)
    with pytest.raises(ValueError, match="success_rate"):
        CalibratedBoostingClassifier(success_rate=2.0).fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)
    with pytest.raises(ValueError, match=r"columns are missing: \['minutes'\]"):
        fitted.predict(X.drop(columns="minutes"))
    with pytest.raises(TypeError, match="'minutes' was a number"):
        fitted.predict(X.assign(minutes="long"))


def test_rows_of_a_group_are_never_both_learnt_from_and_scored_out_of_fold():
    X, y, _ = customers()
    people = np.arange(len(X))
    twins = pd.concat([X, X], ignore_index=True)
    model = CalibratedBoostingClassifier(**FAST)
    alone = model.fit(twins, np.tile(y, 2)).oof_probability_
    apart = model.fit(twins, np.tile(y, 2), groups=np.tile(people, 2)).oof_probability_
    # a twin on the other side of the fold gives the label away
    assert auc(np.tile(y, 2), alone) > auc(np.tile(y, 2), apart) + 0.01


def crossed(n=600, seed=0):
    """Labels that only two columns together tell, among columns of noise."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 12)), columns=[f"x{i}" for i in range(12)])
    y = ((X["x0"] > 0) ^ (X["x1"] > 0) ^ (rng.random(n) < 0.05)).astype(int)
    return X, y


def test_a_forest_of_few_columns_is_the_model_where_it_is_better_beyond_chance(tmp_path):
    X, y = crossed()
    # stumps see no two columns together
    model = CalibratedBoostingClassifier(
        n_estimators=40, max_depth=1, folds=2, simple=["x1", "x0"], n_jobs=1
    ).fit(X, y)
    assert model.kind_ == FOREST
    assert model.log_losses_[FOREST] < 0.4 < model.log_losses_[BOOSTED]
    new, truth = crossed(seed=1)
    probability = model.predict_proba(new)[:, 1]
    assert auc(truth, probability) > 0.9
    explanation = model.explain(new.head(50))
    sums = explanation.base_value + explanation.contributions.sum(axis=1)
    assert sums == pytest.approx(model.predict_margin(new.head(50)), abs=1e-3)
    assert not explanation.contributions[:, 2:].any()
    model.save(tmp_path)
    loaded = CalibratedBoostingClassifier.load(tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(new)[:, 1], probability)
    assert auc(truth, loaded.refitted(X, y).predict_proba(new)[:, 1]) > 0.9


def test_the_boosted_trees_stay_where_the_forest_is_not_better():
    X, y = crossed()
    model = CalibratedBoostingClassifier(
        n_estimators=40, folds=2, simple=["x5", "x6"], n_jobs=1
    ).fit(X, y)
    assert model.kind_ == BOOSTED
    assert model.log_losses_[BOOSTED] < model.log_losses_[FOREST]
    with pytest.raises(ValueError, match=r"columns are missing: \['age'\]"):
        CalibratedBoostingClassifier(simple=["age"]).fit(X, y)
