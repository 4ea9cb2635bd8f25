"""Weights of rows reach all that estimators of trees, and tuned ones, learn and choose."""

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
from engagement_assets.learning.trees.revenue import LEVELS, ZeroInflatedRevenueRegressor
from engagement_assets.learning.tuning.estimators import TunedClassifier, TunedRegressor
from engagement_assets.learning.tuning.learners import CATBOOST, LIGHTGBM, NET, XGBOOST, family
from engagement_assets.learning.tuning.revenue import TunedRevenueRegressor

FAST = {"n_estimators": 40, "learning_rate": 0.2, "max_depth": 3, "folds": 3, "n_jobs": 1}
COSTS = {"cost_miss": 100.0, "cost_action": 20.0, "success_rate": 0.5}


def classifier(**more):
    return CalibratedBoostingClassifier(**FAST, **COSTS, **more)


def regressor():
    return BoundedBoostingRegressor(**FAST)


def revenue(**more):
    return ZeroInflatedRevenueRegressor(**FAST, **more)


SEARCH = {"trials": 2, "folds": 2, "families": ("xgboost", "lightgbm")}


def tuned_classifier(**more):
    return TunedClassifier(**SEARCH, **COSTS, n_jobs=1, **more)


def tuned_regressor(**more):
    return TunedRegressor(**SEARCH, n_jobs=1, **more)


def tuned_revenue():
    return TunedRevenueRegressor(**FAST, search=SEARCH)


SHARES = pytest.mark.parametrize("make", [classifier, regressor], ids=lambda make: make.__name__)
TREES = pytest.mark.parametrize(
    "make", [classifier, regressor, revenue], ids=lambda make: make.__name__
)
MODELS = pytest.mark.parametrize(
    "make",
    [classifier, regressor, revenue, tuned_classifier, tuned_regressor, tuned_revenue],
    ids=lambda make: make.__name__,
)


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
    if make in (classifier, tuned_classifier):
        return left
    # of money half the people give none
    return np.where(score > 0.5, 10.0 * score, 0.0) if make in (revenue, tuned_revenue) else score


def files(model, folder):
    model.save(folder)
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def outside(model, X):
    return model.predict_proba(X)[:, 1] if hasattr(model, "predict_proba") else model.predict(X)


@SHARES
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
    with pytest.raises(ValueError, match=r"of one class|nothing to learn|rows pay"):
        make().fit(
            X, np.r_[np.zeros(30), np.ones(30)], sample_weight=np.r_[ones[:30], 0 * ones[30:]]
        )


@TREES
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


def test_revenue_of_a_biased_sample_is_that_of_the_population():
    X, left, _, _ = people()
    new, _, _, truth = people(seed=3)
    rng = np.random.default_rng(5)
    y = left * rng.gamma(4.0, 2.5, len(left))
    later = (rng.random(len(truth)) < truth) * rng.gamma(4.0, 2.5, len(truth))
    sample, amounts, weights = biased(X, y, left)

    def misses(model):
        under = (later[:, None] <= model.predict_quantiles(new)).mean(axis=0)
        gaps = model.predict(new).mean() / (10.0 * truth.mean()) - 1.0
        return np.abs(
            [gaps, model.predict_chance(new).mean() - truth.mean(), under[-1] - LEVELS[-1]]
        )

    weighed = misses(revenue().fit(sample, amounts, sample_weight=weights))
    alike = misses(revenue().fit(sample, amounts))
    assert (weighed < [0.07, 0.02, 0.02]).all(), weighed
    assert (alike > [0.3, 0.12, 0.03]).all(), alike


@pytest.mark.parametrize("mean", ["tweedie", "squared"])
def test_whole_weights_are_rows_that_stand_there_so_often(mean):
    X, _, score, _ = people(2000)
    # few different numbers, so that the trees cut where they cut of rows that are repeated; all
    # rows and columns for each tree, and no penalty, which would mean a row
    X = X.round(1).drop(columns="device")
    times = np.random.default_rng(4).integers(1, 4, len(X))
    amounts, groups = np.where(score > 0.5, 10.0 * score, 0.0), np.arange(len(X))
    # one tree, so that no number of them is to choose
    how = {"n_estimators": 1, "learning_rate": 1.0, "subsample": 1.0, "colsample_bytree": 1.0}
    made = revenue(mean=mean).set_params(**how, min_child_weight=0.0, reg_lambda=0.0)

    def predicted(rows, weights=None):
        made.fit(X.iloc[rows], amounts[rows], groups=groups[rows], sample_weight=weights)
        return made.predict(X), made.predict_chance(X), made.predict_quantiles(X)

    weighed, alike = predicted(groups, times), predicted(groups)
    repeated = predicted(np.repeat(groups, times))
    np.testing.assert_allclose(weighed[0], repeated[0], rtol=1e-6)
    assert np.abs(alike[0] / repeated[0] - 1.0).mean() > 0.01
    # to the calibrator and the conformal shift a row is a weight of 1, of which there are now fewer
    np.testing.assert_allclose(weighed[1], repeated[1], atol=0.03)
    off, without = (np.abs(one[2] - repeated[2]).mean() for one in (weighed, alike))
    assert off < 0.1 * without


# all rows and columns in each round, and no penalty or least count, which would mean a row
LEARNERS = {
    XGBOOST: {
        "rounds": 20,
        "subsample": 1.0,
        "colsample_bynode": 1.0,
        "reg_lambda": 0.0,
        "min_child_weight": 0.0,
    },
    LIGHTGBM: {"rounds": 20, "min_data_in_leaf": 1, "lambda_l2": 0.0, "num_leaves": 4},
    CATBOOST: {
        "rounds": 20,
        "subsample": 1.0,
        "categories": False,
        "l2_leaf_reg": 1e-6,
        "random_strength": 0.0,
    },
    NET: {"rounds": 40, "dropout": 0.0},
}


@pytest.mark.parametrize("logistic", [True, False], ids=["logistic", "number"])
@pytest.mark.parametrize("name", LEARNERS)
def test_each_learner_takes_whole_weights_for_rows(name, logistic):
    rng = np.random.default_rng(0)
    matrix = rng.integers(0, 6, (600, 3)).astype(np.float32)
    heavy = rng.random(600) < 0.5
    target = np.where(
        heavy, rng.random(600) < 0.8, rng.random(600) < 0.2 + 0.1 * (matrix[:, 0] > 2)
    )
    target = target.astype(float) if logistic else 10.0 * target + matrix[:, 1]
    times = np.where(heavy, 4, 1)
    rows = np.repeat(np.arange(600), times)

    def margin(*data):
        kind = family(name)
        model = kind(dict(kind.defaults) | LEARNERS[name], logistic=logistic, seed=1, n_jobs=1)
        return model.fit(*data).margin(matrix)

    weighed = margin(matrix, target, times / times.mean())
    repeated = margin(matrix[rows], target[rows])
    alike = margin(matrix, target)
    # a net's batches are others of repeated rows
    tolerance = 0.5 if name == NET else 0.05
    assert np.abs(weighed - repeated).mean() < tolerance * np.abs(alike - repeated).mean()
    assert abs((weighed - repeated).mean()) < 0.2 * abs((alike - repeated).mean())


def test_a_choice_is_by_the_loss_of_the_rows_that_weigh():
    X, left, score, _ = people(900)
    weights = odd_weights(len(X))
    use = weights > 0
    model = tuned_classifier().fit(X, left, sample_weight=weights)
    weighed = log_loss(left[use], 1 / (1 + np.exp(-model.oof_margin_)), weights=weights[use])
    assert model.choice_.loss == pytest.approx(weighed, rel=1e-9)
    losses = log_loss(left[use], model.oof_probability_, weights=weights[use])
    assert list(model.log_losses_.values()) == pytest.approx([losses], rel=1e-9)
    again = tuned_classifier().fit(
        X, left, fold=np.arange(len(X)) % 2, groups=np.arange(len(X)), sample_weight=weights
    )
    assert len(again.oof_margin_) == use.sum()
    refitted = model.refitted(X, left, sample_weight=weights)
    assert (outside(refitted, X) == outside(model, X)).all()
    assert (outside(model.refitted(X[use], left[use]), X) != outside(model, X)).any()
    trees = regressor().fit(X, score, sample_weight=weights)
    assert (outside(trees.refitted(X, score, sample_weight=weights), X) == outside(trees, X)).all()


@pytest.mark.parametrize("make", [tuned_classifier, tuned_revenue], ids=lambda make: make.__name__)
def test_what_groups_lack_is_not_weighed_so_both_are_refused(make):
    X, left, score, _ = people(300)
    y = target_of(make, left, score)
    sensitive = pd.DataFrame({"gender": np.where(np.arange(len(X)) % 2, "f", "m")})
    with pytest.raises(ValueError, match="counted in rows, which have different weights"):
        make().fit(X, y, sensitive=sensitive, sample_weight=odd_weights(len(X)))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make().fit(X, y, sensitive=sensitive[1:], sample_weight=np.ones(len(X)))
    # equal weights leave rows out and weigh none
    use = np.arange(len(X)) % 3 > 0
    model = make().fit(X, y, sensitive=sensitive, sample_weight=use)
    some = make().fit(X[use], y[use], sensitive=sensitive[use])
    assert (outside(model, X) == outside(some, X)).all()
