"""Effects on tables with a planted truth."""

import numpy as np
import pandas as pd
import pytest
from econml.grf import CausalForest as Grown

from engagement_assets.learning.effects.estimator import TreatmentEffectEstimator
from engagement_assets.learning.effects.forest import BAG, CausalForest
from engagement_assets.learning.effects.heterogeneity import calibration_test, group_effects, rate
from engagement_assets.learning.effects.learners import LEARNERS
from engagement_assets.learning.effects.nuisances import Nuisances, cross_fitted
from engagement_assets.learning.effects.policy import (
    policy_advantage,
    policy_gain,
    within_budget,
)
from engagement_assets.learning.effects.refutation import (
    NOT_AN_EXPERIMENT,
    e_value,
    naive_interval,
    observational_effect,
    robustness_value,
)
from engagement_assets.learning.effects.trial import UnusableTrialError, checked_trial
from engagement_assets.learning.errors import TooLittleDataError

FEW = ("T-learner", "DR-learner", "causal forest")


def table(n: int, *, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.normal(40.0, 10.0, n),
            "use": np.where(rng.random(n) < 0.1, np.nan, rng.gamma(2.0, 1.0, n)),
            "place": rng.choice(["north", "south"], n),
        }
    )


def trial(n: int, *, seed: int, differs: float, chance: float = 0.4) -> dict[str, object]:
    """A trial whose effect is 1 plus or minus `differs` by age, and what it truly is."""
    rng = np.random.default_rng(seed + 1)
    features = table(n, seed=seed)
    effect = pd.Series(1.0 + differs * np.where(features["age"] < 40.0, 1.0, -1.0))
    treatment = (rng.random(n) < chance).astype(int)
    plain = 0.05 * features["age"] + features["use"].fillna(2.0)
    outcome = plain + effect * treatment + rng.normal(size=n)
    return {
        "X": features,
        "treatment": treatment,
        "outcome": outcome.to_numpy(),
        "propensity": np.full(n, chance),
        "effect": effect.to_numpy(),
    }


def fitted(made: dict[str, object], **settings: object) -> TreatmentEffectEstimator:
    given = {name: value for name, value in made.items() if name != "effect"}
    settings = {"learners": FEW, "trees": 40, "folds": 2} | settings
    return TreatmentEffectEstimator(**settings).fit(**given)


@pytest.fixture(scope="module")
def planted() -> dict[str, object]:
    return trial(1_200, seed=0, differs=2.0)


@pytest.fixture(scope="module")
def estimator(planted: dict[str, object]) -> TreatmentEffectEstimator:
    return fitted(planted)


def test_effects_that_differ_are_shown_and_estimated(planted, estimator) -> None:
    fresh = trial(2_000, seed=50, differs=2.0)
    error = estimator.effect(fresh["X"]) - fresh["effect"]
    assert estimator.served_ == estimator.chosen_ != "constant"
    assert estimator.calibration_.shows_heterogeneity
    assert estimator.rate_.low > 0.0
    assert np.sqrt(np.mean(error**2)) < 0.5 * np.std(fresh["effect"])
    assert estimator.effect_.low <= planted["effect"].mean() <= estimator.effect_.high


def test_individual_intervals_are_about_the_effects(estimator) -> None:
    fresh = trial(2_000, seed=50, differs=2.0)
    low, high = estimator.effect_interval(fresh["X"]).T
    assert ((low <= fresh["effect"]) & (fresh["effect"] <= high)).mean() > 0.6
    wider = estimator.effect_interval(fresh["X"], level=0.99)
    assert (wider[:, 0] < low).all()


def test_the_reasons_name_what_the_effect_depends_on(planted, estimator) -> None:
    explanation = estimator.explain(planted["X"])
    strength = np.abs(explanation.contributions).mean(axis=0)
    assert explanation.features[int(strength.argmax())] == "age"
    assert explanation.additivity_error < 1e-3
    assert estimator.reasons_fidelity_ > 0.9


def test_the_constant_serves_where_effects_do_not_differ() -> None:
    made = trial(600, seed=3, differs=0.0)
    estimator = fitted(made, learners=("DR-learner", "causal forest"), trees=20)
    assert estimator.served_ == "constant"
    assert estimator.effect(made["X"]) == pytest.approx(estimator.effect_.value)
    low, high = estimator.effect_interval(made["X"])[0]
    assert low < 1.0 < high


@pytest.mark.parametrize("name", LEARNERS)
def test_each_learner_is_the_same_after_saving_and_holds_no_pickle(name, planted, tmp_path) -> None:
    estimator = TreatmentEffectEstimator(trees=8, learners=(name,))
    matrix = planted["X"][["age"]].to_numpy(np.float64)[:200]
    rows = Nuisances(
        np.zeros(1_200),
        planted["effect"],
        planted["propensity"],
        planted["treatment"],
        planted["outcome"] - planted["outcome"].mean(),
    ).rows(np.arange(200))
    learner = estimator._learner(name).fit(matrix, rows)
    learner.add_intervals(matrix, rows)
    np.savez(tmp_path / "kept.npz", allow_pickle=False, **learner.arrays())
    with np.load(tmp_path / "kept.npz", allow_pickle=False) as arrays:
        again = estimator._learner(name).restore(dict(arrays))
    np.testing.assert_array_equal(again.predict(matrix), learner.predict(matrix))
    np.testing.assert_array_equal(again.standard_errors(matrix), learner.standard_errors(matrix))
    assert (learner.standard_errors(matrix) > 0.0).all()


def test_rows_set_aside_stay_unseen_where_nothing_is_refitted(planted) -> None:
    test = np.arange(1_200) % 4 == 0
    given = {name: value for name, value in planted.items() if name != "effect"}
    other = given | {"outcome": np.where(test, given["outcome"] + 5.0, given["outcome"])}
    settings = {"learners": ("DR-learner",), "folds": 2, "refit": False}
    first, second = (
        TreatmentEffectEstimator(**settings).fit(**made, test=test) for made in (given, other)
    )
    assert first.served_ == second.served_ == "DR-learner"
    np.testing.assert_array_equal(first.effect(planted["X"]), second.effect(planted["X"]))
    assert first.effect_ != second.effect_
    with pytest.raises(TooLittleDataError, match="set aside"):
        TreatmentEffectEstimator().fit(**given, test=np.arange(1_200) < 2)


def test_an_estimator_is_the_same_after_saving_and_for_the_same_seed(
    planted, estimator, tmp_path
) -> None:
    estimator.save(tmp_path / "first")
    again = TreatmentEffectEstimator.load(tmp_path / "first")
    again.save(tmp_path / "second")
    for file in (tmp_path / "first").iterdir():
        assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes(), file.name
    np.testing.assert_array_equal(again.effect(planted["X"]), estimator.effect(planted["X"]))
    np.testing.assert_array_equal(
        fitted(planted).effect(planted["X"]), estimator.effect(planted["X"])
    )


def test_the_forest_s_arrays_predict_as_econml_does(planted) -> None:
    matrix = planted["X"][["age", "use"]].fillna(2.0).to_numpy(np.float64)
    treatment = planted["treatment"] - planted["propensity"]
    outcome = planted["outcome"]
    ours = CausalForest(trees=16, seed=4).fit(matrix, treatment, outcome)
    theirs = Grown(
        n_estimators=16,
        subforest_size=BAG,
        max_samples=0.45,
        min_samples_leaf=10,
        fit_intercept=False,
        n_jobs=1,
        random_state=4,
    ).fit(matrix, treatment[:, None], outcome[:, None])
    np.testing.assert_allclose(ours.predict(matrix), theirs.predict(matrix)[:, 0])
    np.testing.assert_allclose(
        ours.standard_errors(matrix), theirs.prediction_stderr(matrix)[:, 0], rtol=1e-6
    )


def made_rows(n: int, effect: np.ndarray, *, seed: int) -> Nuisances:
    rng = np.random.default_rng(seed)
    treatment = (rng.random(n) < 0.5).astype(int)
    outcome = effect * treatment + rng.normal(size=n)
    return Nuisances(np.zeros(n), effect * 0.0 + effect.mean(), np.full(n, 0.5), treatment, outcome)


def test_the_calibration_test_and_the_rate_tell_a_ranking_from_noise() -> None:
    effect = np.random.default_rng(0).normal(1.0, 1.0, 3_000)
    rows = made_rows(3_000, effect, seed=1)
    right = calibration_test(effect, rows)
    assert right.slope_low < 1.0 < right.slope_high
    assert right.shows_heterogeneity
    assert rate(effect, rows.scores).low > 0.0
    rejected = 0
    for seed in range(60):
        noise = np.random.default_rng(seed).normal(size=400)
        rejected += calibration_test(
            noise, made_rows(400, np.ones(400), seed=100 + seed)
        ).shows_heterogeneity
    assert rejected <= 5
    covered = rate(np.random.default_rng(9).normal(size=3_000), rows.scores)
    assert covered.low < 0.0 < covered.high
    assert not calibration_test(np.ones(3_000), rows).shows_heterogeneity


def test_group_intervals_cover_together_and_say_who_is_harmed() -> None:
    truth = {"a": 0.5, "b": 0.0, "c": -0.5}
    groups = np.repeat([*truth], 300)
    effect = np.array([truth[name] for name in groups])
    all_cover = 0
    for seed in range(100):
        rows = made_rows(900, effect, seed=seed)
        actual = group_effects(rows.scores, groups, rows.treatment).set_index("group")
        all_cover += all(actual.low[g] <= t <= actual.high[g] for g, t in truth.items())
    assert all_cover >= 90
    rows = made_rows(900, effect, seed=0)
    told = group_effects(rows.scores, groups, rows.treatment).set_index("group")["verdict"]
    assert told.to_dict() == {"a": "gains", "b": "cannot be told", "c": "is harmed"}
    few = group_effects(rows.scores[:15], groups[:15], rows.treatment[:15])
    assert few["verdict"].tolist() == ["too few"]
    assert few["low"].isna().all()


def test_a_confounded_campaign_is_adjusted_and_questioned() -> None:
    rng = np.random.default_rng(5)
    features = table(700, seed=6)
    use = features["use"].fillna(2.0).to_numpy()
    chosen = (rng.random(700) < 1.0 / (1.0 + np.exp(1.5 - 0.8 * use))).astype(int)
    outcome = 2.0 * use + 0.5 * chosen + rng.normal(size=700)
    campaign = checked_trial(features, chosen, outcome)
    result = observational_effect(campaign, folds=2)
    assert result.effect.low < 0.5 < result.effect.high
    assert not naive_interval(campaign).low < 0.5 < naive_interval(campaign).high
    assert result.overlap.furthest_feature == "use"
    assert {test.name for test in result.refutations if test.passed} >= {"placebo treatment"}
    assert 0.0 < result.robustness_value_of_limit < result.robustness_value < 1.0
    assert 1.0 < result.e_value_of_limit < result.e_value
    assert result.to_dict()["origin"] == NOT_AN_EXPERIMENT
    experiment = trial(100, seed=0, differs=0.0)
    del experiment["effect"]
    with pytest.raises(ValueError, match="experiment"):
        observational_effect(checked_trial(**experiment))


def test_the_bounds_are_the_published_ones() -> None:
    # VanderWeele and Ding: a risk ratio of 3.9 has an E-value of 7.26
    assert e_value(np.log(3.9) / 0.91) == pytest.approx(7.26, abs=0.01)
    # Cinelli and Hazlett, Darfur: t of 4.18 with 783 degrees of freedom has 13.9 %
    assert robustness_value(4.18 / np.sqrt(783)) == pytest.approx(0.139, abs=0.001)


def test_cross_fitting_uses_known_chances_as_known(planted) -> None:
    matrix = planted["X"][["age"]].to_numpy(np.float64)
    rows = cross_fitted(
        matrix,
        planted["treatment"],
        planted["outcome"],
        planted["propensity"],
        folds=2,
        seed=0,
        threads=1,
    )
    np.testing.assert_array_equal(rows.chance, planted["propensity"])


def test_a_budget_goes_to_the_highest_gain_a_cost_and_never_to_who_is_excluded() -> None:
    effect, cost = np.array([4.0, 3.0, 2.0, 1.0]), np.array([4.0, 1.0, 1.0, 1.0])
    chosen = within_budget(effect / cost, cost, budget=2.0)
    assert chosen.tolist() == [False, True, True, False]
    allowed = np.array([True, False, True, True])
    assert within_budget(effect / cost, cost, budget=2.0, allowed=allowed).tolist() == [
        *(False, False),
        *(True, True),
    ]
    with pytest.raises(ValueError, match="above 0"):
        within_budget(effect, 0.0, budget=1.0)
    scores = np.tile(effect, 50)
    assert policy_gain(scores, np.tile(chosen, 50)).value == pytest.approx(1.25)
    assert policy_advantage(scores, np.tile(chosen, 50), np.full(200, 0.5)).value == pytest.approx(
        0.0
    )


def days(*numbers: int) -> np.ndarray:
    return np.datetime64("2026-01-01", "D") + np.array(numbers)


ROWS = 80
X = pd.DataFrame({"age": np.arange(ROWS, dtype=np.float64)})
ARMS = np.tile([0, 1], ROWS // 2)
OUTCOME = np.arange(ROWS, dtype=np.float64)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"treatment": np.ones(ROWS)}, "one arm"),
        ({"treatment": np.where(ARMS, 2, 0)}, "0 or 1"),
        ({"treatment": np.where(ARMS, np.nan, 0)}, "0 or 1"),
        ({"outcome": np.full(ROWS, 3.0)}, "zero variance"),
        ({"propensity": np.full(ROWS, 1.0)}, "below 1"),
        ({"propensity": np.full(ROWS, 0.2)}, "broken randomisation"),
        ({"units": np.repeat(np.arange(ROWS // 2), 2)}, "both arms"),
        ({"units": np.where(ARMS, "one", np.arange(ROWS).astype(str))}, "repeat|single"),
        (
            {"assigned_at": days(*[5] * ROWS), "features_at": days(*[6] * ROWS)},
            "covariate from after",
        ),
        ({"assigned_at": days(*[5] * ROWS), "outcome_at": days(*[4] * ROWS)}, "after the outcome"),
        ({"features_at": days(*[6] * ROWS)}, "assigned_at"),
        ({"outcome": np.where(ARMS & (np.arange(ROWS) < 60), np.nan, OUTCOME)}, "not at random"),
    ],
)
def test_a_trial_that_tells_no_effect_is_refused(changed: dict[str, object], words: str) -> None:
    given = {"treatment": ARMS, "outcome": OUTCOME} | changed
    with pytest.raises(UnusableTrialError, match=words):
        checked_trial(X, **given)


def test_too_few_rows_of_an_arm_are_too_little_and_a_few_missing_outcomes_are_left_out() -> None:
    with pytest.raises(TooLittleDataError, match="treated"):
        checked_trial(X, (np.arange(ROWS) < 5).astype(int), OUTCOME)
    kept = checked_trial(X, ARMS, np.where(np.arange(ROWS) < 4, np.nan, OUTCOME))
    assert len(kept.outcome) == len(kept.features) == ROWS - 4
