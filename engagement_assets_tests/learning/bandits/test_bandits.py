"""Bandits: chances are those of the draw, posteriors know the log as a set, arms come and go."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from engagement_assets.learning.bandits.baselines import BestFixed, EpsilonGreedy, LinUCB
from engagement_assets.learning.bandits.chances import floored, greatest_chances
from engagement_assets.learning.bandits.thompson import FILE, ThompsonSampling
from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.json_data import BrokenFileError

ACTIONS = ("left", "right", "none")


def world(n, seed=0):
    """Left is good at night, right by day; nothing is in between."""
    rng = np.random.default_rng(seed)
    night = rng.random(n) < 0.5
    contexts = pd.DataFrame(
        {
            "hour": np.where(night, "night", "day"),
            "age": np.where(rng.random(n) < 0.1, np.nan, rng.normal(40.0, 10.0, n)),
        }
    )
    sign = np.where(night, 1.0, -1.0)
    odds = np.column_stack([1.5 * sign, -1.5 * sign, np.zeros(n)])
    return contexts, expit(odds), rng


@pytest.fixture(scope="module")
def log():
    contexts, chance, rng = world(3_000)
    chosen = rng.integers(3, size=3_000)
    reward = (rng.random(3_000) < chance[np.arange(3_000), chosen]).astype(float)
    return contexts, np.array(ACTIONS, dtype=object)[chosen], reward


@pytest.fixture(scope="module")
def fitted(log):
    return ThompsonSampling(actions=ACTIONS).fit(*log)


def same(one, other):
    return all(
        np.array_equal(getattr(one.posteriors_, name), getattr(other.posteriors_, name))
        for name in vars(one.posteriors_)
    )


@pytest.mark.parametrize("spread", [0.01, 1.0, 30.0])
def test_chances_are_those_of_ten_thousand_draws(spread):
    rng = np.random.default_rng(5)
    mean = rng.normal(size=(40, 7))
    deviation = spread ** rng.random((40, 7)) * 0.5
    chances = greatest_chances(mean, deviation)
    assert chances.sum(axis=1) == pytest.approx(1.0)
    draws = mean + deviation * rng.normal(size=(10_000, 40, 7))
    seen = np.stack([np.bincount(best, minlength=7) for best in draws.argmax(axis=2).T]) / 10_000
    # five standard errors of the draws, and the sum's own error
    error = 5.0 * np.sqrt(np.maximum(chances * (1.0 - chances), 1e-4) / 10_000)
    assert (np.abs(seen - chances) <= error + 0.01).all()


def test_without_deviation_the_greatest_mean_has_all_and_ties_share():
    chances = greatest_chances(np.array([[0.0, 2.0, 1.0], [3.0, 3.0, -5.0]]), np.zeros((2, 3)))
    assert chances == pytest.approx(np.array([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]]), abs=1e-6)


def test_a_floor_is_kept_and_one_that_cannot_be_is_refused():
    chances = floored(np.array([[1.0, 0.0, 0.0]]), least=0.1)
    assert chances.tolist() == [[pytest.approx(0.8), pytest.approx(0.1), pytest.approx(0.1)]]
    with pytest.raises(ValueError, match="3 actions"):
        floored(chances, least=0.4)


def test_it_learns_what_is_best_where(fitted):
    contexts, chance, _ = world(500, seed=9)
    chances = fitted.chances(contexts)
    assert (chances >= 0.01 - 1e-12).all()
    assert (chances.argmax(axis=1) == chance.argmax(axis=1)).all()
    assert np.abs(fitted.expected(contexts) - chance).mean() < 0.05


def test_rows_in_any_order_give_the_same_bytes(log, fitted):
    contexts, action, reward = log
    order = np.random.default_rng(1).permutation(len(contexts))
    other = ThompsonSampling(actions=ACTIONS).fit(
        contexts.iloc[order].reset_index(drop=True), action[order], reward[order]
    )
    assert same(fitted, other)


def test_a_late_reward_is_learnt_as_if_it_had_been_there(log, fitted):
    contexts, action, reward = log
    early = ThompsonSampling(actions=ACTIONS).fit(contexts[10:], action[10:], reward[10:])
    assert not same(fitted, early)
    late = early.fit(
        pd.concat([contexts[10:], contexts[:10]]),
        np.r_[action[10:], action[:10]],
        np.r_[reward[10:], reward[:10]],
    )
    assert same(fitted, late)


def test_an_action_without_rows_starts_from_the_others_unsure(log, fitted):
    contexts = log[0].head(50)
    more = fitted.with_actions([*ACTIONS, "up"])
    mean, deviation = more.posteriors_.linear(more.design_.transform(contexts))
    assert mean[:, 3] == pytest.approx(
        more.design_.transform(contexts) @ more.posteriors_.prior_mean
    )
    assert (deviation[:, 3] > 3.0 * deviation[:, :3].max(axis=1)).all()
    assert (more.chances(contexts)[:, 3] > 1.1 * more.least_chance).all()
    refit = ThompsonSampling(actions=[*ACTIONS, "up"]).fit(*log)
    assert refit.posteriors_.rows[3] == 0.0


def test_a_withdrawn_action_has_no_chance_and_its_rows_are_passed_over(log, fitted):
    left = fitted.with_actions(["right", "none"])
    assert left.chances(log[0]).shape == (len(log[0]), 2)
    refit = ThompsonSampling(actions=["right", "none"]).fit(*log)
    assert refit.posteriors_.rows.sum() == (log[1] != "left").sum()


def test_with_a_half_life_what_is_new_counts_more(log):
    contexts, action, reward = log
    time = np.arange(len(contexts), dtype=float)
    turned = np.where(time < len(contexts) / 2, reward, 1.0 - reward)
    forgets = ThompsonSampling(actions=ACTIONS, half_life=200.0).fit(
        contexts, action, turned, time=time
    )
    night = pd.DataFrame({"hour": ["night"], "age": [40.0]})
    assert forgets.expected(night)[0, 0] < 0.35
    remembers = ThompsonSampling(actions=ACTIONS).fit(contexts, action, turned)
    assert remembers.expected(night)[0, 0] == pytest.approx(0.5, abs=0.08)
    with pytest.raises(ValueError, match="time"):
        ThompsonSampling(actions=ACTIONS, half_life=200.0).fit(contexts, action, reward)


def test_it_survives_saving_and_cloning(log, fitted, tmp_path):
    fitted.save(tmp_path)
    loaded = ThompsonSampling.load(tmp_path)
    contexts = log[0].head(30)
    assert np.array_equal(loaded.chances(contexts), fitted.chances(contexts))
    assert same(clone(fitted).fit(*log), fitted)


def test_what_speaks_for_a_choice_is_the_context_that_makes_it_good(fitted):
    contexts = pd.DataFrame({"hour": ["night"], "age": [40.0]})
    (added,) = fitted.advantages(contexts, np.array([0]))
    assert fitted.design_.columns[added.argmax()] == "hour"
    assert added.max() > 0.5


def test_a_new_category_and_a_null_are_none_of_those_that_were_seen(fitted):
    contexts = pd.DataFrame({"hour": ["dusk", None], "age": [40.0, np.nan]})
    assert fitted.chances(contexts).sum(axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize("bad", [-0.1, 1.5, np.nan])
def test_a_reward_out_of_its_range_is_refused(log, bad):
    contexts, action, reward = log
    with pytest.raises(ValueError, match="from 0 to 1"):
        ThompsonSampling(actions=ACTIONS).fit(contexts, action, np.r_[bad, reward[1:]])


def test_a_log_of_other_actions_is_too_little(log):
    with pytest.raises(TooLittleDataError, match="up"):
        ThompsonSampling(actions=["up"]).fit(*log)


def test_baselines_choose_as_they_say(log):
    contexts, chance, _ = world(400, seed=4)
    greedy = EpsilonGreedy(actions=ACTIONS, epsilon=0.3).fit(*log).chances(contexts)
    assert greedy.max(axis=1) == pytest.approx(0.8)
    bound = LinUCB(actions=ACTIONS).fit(*log).chances(contexts)
    fixed = BestFixed(actions=ACTIONS, epsilon=0.0).fit(*log).chances(contexts)
    for chances in (greedy, bound):
        assert (chances.argmax(axis=1) == chance.argmax(axis=1)).mean() > 0.95
    assert len(np.unique(fixed.argmax(axis=1))) == 1


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("half_life", 0.0), ("half_life", -1.0), ("half_life", math.nan), ("exploration", -1.0),
        ("exploration", math.nan), ("prior_scale", 0.0), ("prior_scale", math.nan),
        ("prior_scale", 1e200), ("actions", []), ("actions", ["a", "a"]), ("actions", "ab"),
    ],
)  # fmt: skip
def test_a_parameter_with_which_nothing_can_be_learnt_is_named(parameter, value):
    with pytest.raises(ValueError, match=parameter):
        odd(**{parameter: value})


@pytest.mark.parametrize("value", [math.inf, 1e308, 1j])
def test_numbers_that_would_make_every_chance_none_are_refused(value):
    with pytest.raises(ValueError, match="column 'x'"):
        odd(x=[value, -value, 0.0, 1.0])


def test_a_log_of_other_length_and_a_damaged_file_are_named(tmp_path):
    with pytest.raises(ValueError, match="one length"):
        odd(reward=[1.0])
    odd().save(tmp_path)
    for content in (b"", b"[]", b"{}", b"[" * 100_000, b"\xff"):
        (tmp_path / FILE).write_bytes(content)
        with pytest.raises(BrokenFileError, match=FILE):
            ThompsonSampling.load(tmp_path)
    with pytest.raises(NotFittedError):
        ThompsonSampling(actions=["a"]).chances(pd.DataFrame({"x": [1.0]}))


def odd(x=(1.0, 2.0, 3.0, 4.0), reward=(0.0, 1.0, 0.0, 1.0), **parameters):
    contexts = pd.DataFrame({"x": list(x)})
    bandit = ThompsonSampling(**{"actions": ["a", "b"], **parameters})
    return bandit.fit(contexts, ["a", "b", "a", "b"], list(reward), time=[1, 2, 3, 4])
