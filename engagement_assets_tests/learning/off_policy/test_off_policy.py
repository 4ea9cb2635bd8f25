"""A policy's value from another's log, against sums by hand and worlds whose answer is known."""

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.off_policy.estimates import (
    DIRECT,
    DR,
    IPS,
    SNIPS,
    SWITCH_DR,
    evaluate_policy,
    stabilising_weights,
)
from engagement_assets.learning.off_policy.log import LogError, decision_log
from engagement_assets.learning.off_policy.overlap import (
    OverlapError,
    effective_sample_size,
    importance_weights,
    overlap,
)

ACTIONS = ("rest", "call", "write")
MEANS = np.array([[0.1, 0.6, 0.2], [0.5, 0.1, 0.3]])
CHANCES = np.array([[0.6, 0.1, 0.3], [0.2, 0.5, 0.3]])
TARGET = np.array([[0.1, 0.8, 0.1], [0.8, 0.1, 0.1]])
GOOD = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LinearRegression())
WRONG = DummyRegressor(strategy="constant", constant=0.9)


def drawn(n, seed, *, kinds=2):
    """A table of decisions about two kinds of people, and each row's kind."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, kinds, n)
    action = (CHANCES[kind].cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    table = pd.DataFrame(
        {
            "kind": np.array(["new", "old"])[kind],
            "action": np.array(ACTIONS)[action],
            "propensity": CHANCES[kind, action],
            "reward": (rng.random(n) < MEANS[kind, action]).astype(float),
        }
    )
    return table, kind


def log_of(table, **how):
    return decision_log(table, context=["kind"], actions=ACTIONS, **how)


def test_the_estimators_are_the_sums_of_their_papers():
    table = pd.DataFrame(
        {
            "kind": ["new"] * 4,
            "action": ["rest", "call", "call", "rest"],
            "propensity": [0.5, 0.25, 0.5, 0.5],
            "reward": [1.0, 2.0, 0.0, 3.0],
        }
    )
    log = decision_log(table, context=["kind"], actions=("rest", "call"))
    model = DummyRegressor(strategy="constant", constant=1.0)
    actual = evaluate_policy(log, [0.25, 0.75], model=model, folds=2, require_overlap=False)
    value = {name: one.value for name, one in actual.estimates.items()}
    # weights .5, 3, 1.5, .5
    assert value[DIRECT] == pytest.approx(1.0)
    assert value[IPS] == pytest.approx((0.5 + 6.0 + 0.0 + 1.5) / 4)
    assert value[SNIPS] == pytest.approx(8.0 / 5.5)
    assert value[DR] == pytest.approx(1.0 + (0.0 + 3.0 - 1.5 + 1.0) / 4)
    assert actual.estimates[IPS].standard_error == pytest.approx(
        np.std([0.5, 6.0, 0.0, 1.5], ddof=1) / 2
    )
    assert actual.overlap.effective_sample_size == pytest.approx(5.5**2 / (0.25 + 9 + 2.25 + 0.25))


def test_every_estimator_comes_near_the_truth():
    table, kind = drawn(20_000, 1)
    actual = evaluate_policy(log_of(table), TARGET[kind], model=GOOD)
    truth = (TARGET * MEANS).sum(axis=1).mean()
    errors = {name: one.value - truth for name, one in actual.estimates.items()}
    # the linear model knows no interaction, so that the direct method alone is biased
    assert abs(errors.pop(DIRECT)) > 0.05
    assert max(map(abs, errors.values())) < 0.03
    assert actual.estimates[DR].low < truth < actual.estimates[DR].high
    assert actual.estimates[SWITCH_DR].value == pytest.approx(actual.estimates[DR].value, abs=0.01)


def test_the_logging_policy_itself_is_worth_the_mean_reward():
    table, kind = drawn(2_000, 2)
    actual = evaluate_policy(log_of(table), CHANCES[kind], model=WRONG)
    assert actual.estimates[IPS].value == pytest.approx(table["reward"].mean())
    assert actual.estimates[SNIPS].value == pytest.approx(table["reward"].mean())
    assert actual.overlap.effective_sample_size == pytest.approx(len(table))


@pytest.mark.parametrize("adaptive", [False, True])
def test_intervals_cover_though_the_reward_model_is_wrong(adaptive):
    truth = (TARGET * MEANS).sum(axis=1).mean()
    covered = 0
    for seed in range(60):
        table, kind = drawn(600, 100 + seed)
        one = evaluate_policy(log_of(table), TARGET[kind], model=WRONG, adaptive=adaptive)
        covered += one.estimates[DR].low <= truth <= one.estimates[DR].high
    # 57 are expected
    assert covered >= 51
    assert one.estimates[DR].high - one.estimates[DR].low < 0.5


def test_a_difference_is_that_of_the_two_values():
    table, kind = drawn(3_000, 3)
    log = log_of(table)
    each = [evaluate_policy(log, policy, model=GOOD) for policy in (TARGET[kind], CHANCES[kind])]
    gap = evaluate_policy(log, TARGET[kind], baseline=CHANCES[kind], model=GOOD)
    for name in (DIRECT, IPS, SNIPS, DR):
        values = [one.estimates[name].value for one in each]
        assert gap.estimates[name].value == pytest.approx(values[0] - values[1])
    same = evaluate_policy(log, TARGET[kind], baseline=TARGET[kind], model=GOOD)
    assert same.estimates[DR].low == same.estimates[DR].high == 0.0


def test_policies_that_differ_late_or_never_are_compared_in_an_adaptive_log():
    table, kind = drawn(6_000, 4)
    order = np.argsort(kind[:3_000], kind="stable")
    table.iloc[:3_000], kind[:3_000] = table.iloc[order].to_numpy(), kind[order]
    log = log_of(table)
    # of the new, who come first, both choose alike
    other = np.where(kind[:, None] == 0, TARGET[0], CHANCES[1])
    gap = evaluate_policy(log, TARGET[kind], baseline=other, model=GOOD, adaptive=True)
    truth = 0.5 * ((TARGET[1] - CHANCES[1]) * MEANS[1]).sum()
    # rows before the first difference count nothing, so that it is of those after
    assert 0.0 < gap.estimates[DR].low < 2.0 * truth
    assert gap.estimates[DR].high > truth
    same = evaluate_policy(log, TARGET[kind], baseline=TARGET[kind], model=GOOD, adaptive=True)
    assert same.estimates[DR].low == same.estimates[DR].high == 0.0


@pytest.mark.parametrize("adaptive", [False, True])
def test_what_was_logged_is_compared_with_doing_nothing(adaptive):
    table, _ = drawn(8_000, 13)
    log = log_of(table)
    gap = evaluate_policy(log, None, baseline=[1.0, 0.0, 0.0], model=GOOD, adaptive=adaptive)
    truth = (CHANCES * MEANS).sum(axis=1).mean() - MEANS[:, 0].mean()
    assert gap.estimates[DR].low < truth < gap.estimates[DR].high
    assert gap.estimates[DR].standard_error < 0.03
    if not adaptive:
        whole = evaluate_policy(log, None, model=WRONG).estimates
        assert {whole[name].value for name in (IPS, SNIPS)} == {table["reward"].mean()}
        assert whole[DR].value == pytest.approx(table["reward"].mean())


def test_rows_of_one_person_are_no_further_evidence():
    table, kind = drawn(500, 4)
    table["person"] = range(len(table))
    thrice = pd.concat([table] * 3, ignore_index=True)
    alone = evaluate_policy(log_of(table, group="person"), TARGET[kind], model=WRONG)
    repeated = evaluate_policy(
        log_of(thrice, group="person"), np.tile(TARGET[kind], (3, 1)), model=WRONG
    )
    assert repeated.units == 500
    assert repeated.estimates[DR].standard_error == pytest.approx(
        alone.estimates[DR].standard_error
    )


def test_what_comes_later_changes_nothing_before_it_in_an_adaptive_log():
    table, kind = drawn(1_000, 5)
    log = log_of(table)
    later = log_of(table.assign(propensity=np.where(table.index < 900, table["propensity"], 0.9)))
    one, other = (
        stabilising_weights(each, importance_weights(each, TARGET[kind]), TARGET[kind])
        for each in (log, later)
    )
    np.testing.assert_array_equal(one[:901], other[:901])
    assert (one[950:] != other[950:]).any()


def test_a_learner_that_avoids_an_action_is_weighed_down():
    rng = np.random.default_rng(6)
    chance = np.where(np.arange(2_000) < 1_000, 0.5, 0.02)
    call = rng.random(2_000) < chance
    table = pd.DataFrame(
        {
            "kind": "new",
            "action": np.where(call, "call", "rest"),
            "propensity": np.where(call, chance, 1 - chance),
            "reward": 0.0,
        }
    )
    both = np.column_stack([1 - chance, chance])
    log = decision_log(table, context=["kind"], actions=("rest", "call"), probabilities=both)
    target = np.tile([0.0, 1.0], (2_000, 1))
    h = stabilising_weights(log, importance_weights(log, target), target)
    assert h[500] / h[1_900] == pytest.approx(np.sqrt(0.5 / 0.02), rel=0.01)


def test_the_gate_refuses_a_policy_that_the_log_does_not_cover():
    table, kind = drawn(2_000, 7)
    every = CHANCES[kind].copy()
    every[:, 1] = 0.005
    every[:, 0] = 1 - every[:, 1:].sum(axis=1)
    action = pd.Series(table["action"]).map(dict(zip(ACTIONS, range(3), strict=True))).to_numpy()
    logged = table.assign(propensity=every[np.arange(len(table)), action])
    rarely = log_of(logged, probabilities=every)
    with pytest.raises(OverlapError, match="log more exploration"):
        evaluate_policy(rarely, TARGET[kind])
    measured = overlap(rarely, TARGET[kind])
    assert measured.rare_mass == pytest.approx(TARGET[kind][:, 1].mean())
    assert evaluate_policy(rarely, [1.0, 0.0, 0.0], model=WRONG).overlap.passes

    never = log_of(table[table["action"] != "call"].reset_index(drop=True))
    with pytest.raises(OverlapError):
        evaluate_policy(never, [0.9, 0.05, 0.05])
    assert overlap(never, [0.5, 0.0, 0.5]).missing_mass == 0.0
    # An evaluation in spite of it says so.
    assert not evaluate_policy(never, [0, 1, 0], model=WRONG, require_overlap=False).overlap.passes


def test_effective_sample_size():
    assert effective_sample_size([1, 1, 1, 1]) == 4
    assert effective_sample_size([5, 0, 0]) == 1
    assert effective_sample_size([0.0]) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"propensity": None}, "propensity"),
        ({"propensity": 0.0}, "above 0"),
        ({"propensity": 1.2}, "1.2"),
        ({"propensity": np.nan}, "propensity"),
        ({"reward": None}, "reward"),
        ({"action": "sing"}, "sing"),
        ({"reward_at": pd.Timestamp("2026-01-01")}, "before their action"),
    ],
)
def test_a_log_that_says_nothing_is_refused(change, words):
    table, _ = drawn(10, 8)
    table["at"] = pd.Timestamp("2026-02-01")
    table["reward_at"] = pd.Timestamp("2026-02-02")
    for column, value in change.items():
        table[column] = table[column].astype(object)
        table.loc[3, column] = value
    with pytest.raises(LogError, match=words):
        log_of(table, acted_at="at", rewarded_at="reward_at")


def test_what_is_missing_altogether_is_named():
    table, _ = drawn(10, 9)
    with pytest.raises(LogError, match="log it at the decision"):
        log_of(table.drop(columns="propensity"))
    with pytest.raises(TooLittleDataError):
        log_of(table.head(0))
    with pytest.raises(TooLittleDataError):
        evaluate_policy(log_of(table), CHANCES[0], adaptive=True, require_overlap=False)


@pytest.mark.parametrize("policy", [[0.5, 0.5], [0.5, 0.4, 0.0], [1.5, -0.5, 0.0], [np.nan, 0, 1]])
def test_a_policy_that_is_none_is_refused(policy):
    with pytest.raises(LogError):
        evaluate_policy(log_of(drawn(10, 10)[0]), policy)


def test_rows_are_put_in_the_order_of_their_decisions():
    table, _ = drawn(50, 11)
    table["at"] = pd.Timestamp("2026-02-01") + pd.to_timedelta(range(50), "h")
    shuffled = table.sample(frac=1.0, random_state=0)
    one, other = (log_of(each, acted_at="at") for each in (table, shuffled))
    np.testing.assert_array_equal(one.reward, other.reward)
    np.testing.assert_array_equal(one.chosen, other.chosen)


def test_the_same_seed_gives_the_same_estimates():
    table, kind = drawn(400, 12)
    log = log_of(table)
    first, again, other = (
        evaluate_policy(log, TARGET[kind], random_state=seed).estimates[DR].value
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other
