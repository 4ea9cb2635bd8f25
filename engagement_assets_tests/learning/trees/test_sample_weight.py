"""Weights of rows reach all that the trees learn and choose."""

# ruff: noqa: N803, N806 - X is scikit-learn's name for a table of features

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

from engagement_assets.learning.evaluation.metrics import log_loss
from engagement_assets.learning.evaluation.regression import r2
from engagement_assets.learning.evaluation.thresholds import CostModel
from engagement_assets.learning.trees.classifier import (
    BOOSTED,
    FOREST,
    CalibratedBoostingClassifier,
)
from engagement_assets.learning.trees.regressor import BoundedBoostingRegressor

FAST = {"n_estimators": 40, "learning_rate": 0.2, "max_depth": 3, "folds": 3, "n_jobs": 1}
COSTS = {"cost_miss": 100.0, "cost_action": 20.0, "success_rate": 0.5}


def classifier(**more):
    return CalibratedBoostingClassifier(**FAST, **COSTS, **more)


def regressor():
    return BoundedBoostingRegressor(**FAST)


MODELS = pytest.mark.parametrize("make", [classifier, regressor], ids=["classifier", "regressor"])


def people(n=6000, seed=0):
    """People with a known chance of leaving, and a score whose mean is that chance."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "visits": rng.normal(size=n),
            "age": rng.normal(size=n),
            "device": pd.Categorical(rng.choice(["phone", "web"], n)),
        }
    )
    truth = 1 / (1 + np.exp(-(X["visits"] + 0.5 * (X["device"] == "web") - 1.2).to_numpy()))
    left = (rng.random(n) < truth).astype(int)
    score = rng.beta(2.0 * truth, 2.0 * (1.0 - truth))
    return X, left, score, truth


def biased(X, y, by, seed=1):
    """A sample that holds the more of those with a high target, and what undoes it."""
    chance = np.where(by > 0.5, 1.0, 0.25)
    there = np.random.default_rng(seed).random(len(X)) < chance
    return X[there], y[there], 1.0 / chance[there]


def odd_weights(n):
    return np.random.default_rng(2).choice([0.0, 0.5, 1.0, 3.0], n)


def target_of(make, left, score):
    return left if make is classifier else score


def files(model, folder):
    model.save(folder)
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def outside(model, X):
    return model.predict_proba(X)[:, 1] if hasattr(model, "predict_proba") else model.predict(X)


@MODELS
def test_weights_bring_the_predictions_of_a_biased_sample_to_those_of_the_population(make):
    X, left, score, _ = people()
    sample, y, weights = biased(X, target_of(make, left, score), target_of(make, left, score))
    new, _, _, truth = people(seed=3)
    model = make().fit(sample, y, sample_weight=weights)
    unseen = model.oof_probability_ if make is classifier else model.oof_prediction_
    assert np.average(unseen, weights=weights) == pytest.approx(truth.mean(), abs=0.02)
    weighed = outside(model, new)
    alike = outside(make().fit(sample, y), new)
    assert weighed.mean() == pytest.approx(truth.mean(), abs=0.02)
    assert alike.mean() > truth.mean() + 0.12
    # not on average alone: in each part of the people
    for part in np.array_split(np.argsort(truth), 5):
        assert weighed[part].mean() == pytest.approx(truth[part].mean(), abs=0.06)
        assert alike[part].mean() > truth[part].mean() + 0.03


def test_thresholds_and_what_they_promise_are_those_of_the_population():
    X, left, _, _ = people()
    # who visits much is rare in the sample
    sample, y, weights = biased(X, left, (X["visits"] < 0.5).to_numpy().astype(float))
    new, truly_left, _, _ = people(seed=3)

    def misses(model):
        flagged = outside(model, new) >= model.threshold_
        at_recall = outside(model, new) >= model.threshold_at_recall_
        costs = CostModel(**COSTS)
        choice = model.threshold_choice_
        return np.abs(
            [
                choice.cost_per_row - costs.per_row(truly_left, flagged),
                10 * (choice.treated_share - flagged.mean()),
                10 * (choice.recall - flagged[truly_left == 1].mean()),
                10 * (model.recall_target - at_recall[truly_left == 1].mean()),
            ]
        )

    weighed = misses(classifier().fit(sample, y, sample_weight=weights))
    alike = misses(classifier().fit(sample, y))
    assert (weighed < [2.0, 0.5, 0.5, 0.5]).all(), weighed
    assert (alike > 2 * weighed).all(), (alike, weighed)


def test_the_figures_of_unseen_rows_are_weighed():
    X, left, score, _ = people(2000)
    weights = odd_weights(len(X))
    use = weights > 0
    model = classifier(simple=["age"]).fit(X, left, sample_weight=weights)
    weighed, alike = (
        log_loss(left[use], model.oof_probability_, weights=one) for one in (weights[use], None)
    )
    assert model.log_losses_[BOOSTED] == pytest.approx(weighed, rel=1e-9) != alike
    bounded = regressor().fit(X, score, sample_weight=weights)
    best = bounded.tree_r2_[bounded.objective_, bounded.n_trees_]
    assert best == pytest.approx(
        r2(score[use], bounded.oof_prediction_, weights=weights[use]), rel=1e-9
    )
    assert best != pytest.approx(r2(score[use], bounded.oof_prediction_), rel=1e-6)


def noise_and_signal(seed=0, n=3000):
    """Rows of which half have a label that three columns tell, half one that is mostly noise."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 8)), columns=[f"x{i}" for i in range(8)])
    X["clear"] = rng.random(n) < 0.5
    together = (X["x0"] > 0) ^ (X["x1"] > 0) ^ (X["x2"] > 0)
    little = rng.random(n) < np.where(X["x3"] > 0, 0.7, 0.3)
    return X, np.where(X["clear"], together, little).astype(int), together.to_numpy(dtype=int)


def test_depth_trees_and_forest_are_chosen_for_the_rows_that_weigh():
    X, y, _ = noise_and_signal()
    few = ["x0", "x1", "x2"]
    clear, noisy = (
        CalibratedBoostingClassifier(n_estimators=80, folds=2, n_jobs=1, simple=few).fit(
            X, y, sample_weight=np.where(X["clear"] == heavy, 1.0, 0.01)
        )
        for heavy in (True, False)
    )
    assert (clear.max_depth_, clear.kind_) == (7, FOREST)
    assert (noisy.max_depth_, noisy.kind_) == (4, BOOSTED)
    assert clear.n_trees_ > 2 * noisy.n_trees_
    for model in (clear, noisy):
        by_count = model.tree_log_losses_[model.n_trees_]
        assert by_count == pytest.approx(model.log_losses_[BOOSTED], rel=0.05)
    weights = np.where(X["clear"], 1.0, 0.01)
    expected = log_loss(y, clear.oof_probability_, weights=weights)
    assert clear.log_losses_[FOREST] == pytest.approx(expected, rel=1e-9)
    new, label, _ = noise_and_signal(seed=1)
    rows = new["clear"].to_numpy()
    # all rows tell more than half of them did out of fold
    assert log_loss(label[rows], outside(clear, new)[rows]) < 0.9 * expected


def test_the_depths_are_raced_on_rows_learnt_by_weight():
    X, _, together = noise_and_signal()
    # of three rows in ten, which weigh most, three columns tell the label; of the rest its contrary
    heavy = np.arange(len(X)) % 10 < 3
    y = np.where(heavy, together, 1 - together)
    for seed in range(3):
        model = CalibratedBoostingClassifier(n_estimators=2, folds=2, n_jobs=1, random_state=seed)
        assert model.fit(X, y, sample_weight=np.where(heavy, 1.0, 0.01)).max_depth_ == 7


@MODELS
def test_a_row_of_weight_0_is_as_if_it_were_not_there(make, tmp_path):
    X, left, score, _ = people(1200)
    y = target_of(make, left, score)
    weights, groups = odd_weights(len(X)), np.arange(len(X)) // 2
    use = weights > 0
    X.loc[~use, "visits"] = np.inf
    y = np.where(use, y, np.nan)
    model = make().fit(X, y, groups=groups, sample_weight=weights)
    # four times as much is no more than once: how weights compare is what counts
    again = make().fit(X[use], y[use], groups=groups[use], sample_weight=4.0 * weights[use])
    assert files(model, tmp_path / "all") == files(again, tmp_path / "some")
    only = make().fit(X, y, groups=groups, sample_weight=use)
    left_out = make().fit(X[use], y[use], groups=groups[use])
    assert files(only, tmp_path / "only") == files(left_out, tmp_path / "left out")
    assert files(only, tmp_path / "only") != files(model, tmp_path / "all")


@MODELS
def test_equal_weights_are_no_weights(make, tmp_path):
    X, left, score, _ = people(800)
    y = target_of(make, left, score)
    model = files(make().fit(X, y), tmp_path / "without")
    for number, weight in enumerate((1, 0.1, 3e6)):
        again = make().fit(X, y, sample_weight=np.full(len(X), weight))
        assert files(again, tmp_path / str(number)) == model


@MODELS
def test_bad_weights_are_refused(make):
    X, left, score, _ = people(60)
    y = target_of(make, left, score)
    ones = np.ones(len(X))
    for weights, words in (
        (np.r_[-1.0, ones[1:]], "Negative values in data passed to `sample_weight`"),
        (np.r_[np.nan, ones[1:]], "sample_weight contains NaN"),
        (np.r_[np.inf, ones[1:]], "sample_weight contains infinity"),
        (0 * ones, "at least one non-zero"),
        (ones[1:], r"sample_weight.shape == \(59,\), expected \(60,\)"),
        (np.c_[ones, ones], "Sample weights must be 1D"),
    ):
        with pytest.raises(ValueError, match=words):
            make().fit(X, y, sample_weight=weights)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make().fit(X, y[1:], sample_weight=ones)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make().fit(X, y, groups=ones[1:], sample_weight=ones)
    with pytest.raises(ValueError, match=r"of one class|there is nothing to learn"):
        make().fit(
            X, np.r_[np.zeros(30), np.ones(30)], sample_weight=np.r_[ones[:30], 0 * ones[30:]]
        )


@MODELS
def test_scikit_learn_hands_weights_to_each_fit(make):
    X, left, share, _ = people(600)
    y = target_of(make, left, share)
    weights = odd_weights(len(X))
    model = make().set_params(n_estimators=10)
    cut = KFold(2, shuffle=True, random_state=0)
    scores = cross_val_score(model, X, y, cv=cut, params={"sample_weight": weights})
    for (learn, rest), score in zip(cut.split(X), scores, strict=True):
        alone = model.fit(X.iloc[learn], y[learn], sample_weight=weights[learn])
        assert alone.score(X.iloc[rest], y[rest]) == score
    search = GridSearchCV(model, {"max_depth": [2, 4]}, cv=cut).fit(X, y, sample_weight=weights)
    best = model.set_params(**search.best_params_).fit(X, y, sample_weight=weights)
    assert (outside(search, X) == outside(best, X)).all()
    assert (outside(search, X) != outside(best.fit(X, y), X)).any()
