"""When to send: limits, the exact best policy, what is learnt, and what it is said to be worth."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.json_data import BrokenFileError
from engagement_assets.learning.reinforcement.comparison import Comparison, Course, compare, follow
from engagement_assets.learning.reinforcement.double_dqn import (
    STATE_FILE,
    WEIGHTS_FILE,
    DoubleDQN,
)
from engagement_assets.learning.reinforcement.dynamic_programme import solve
from engagement_assets.learning.reinforcement.environment import TimingEnvironment
from engagement_assets.learning.reinforcement.fitted_q import fitted_q_evaluation
from engagement_assets.learning.reinforcement.policies import always_now, at_random, best_hour
from engagement_assets.learning.reinforcement.timing import (
    Memory,
    TimingProblem,
    Units,
    allowed_actions,
    situation,
)
from engagement_assets.learning.reinforcement.transitions import Transitions, logged

PROBLEM = TimingProblem(discount_a_day=0.9)
SMALL = {"hidden": 32, "batch": 128, "updates": 1_500, "target_every": 150}


@dataclass(frozen=True)
class Answers:
    """Units of two kinds, of mornings and of evenings, whom sends tire."""

    kind: np.ndarray
    tires: float = 1.0
    trace_days: tuple[float, ...] = (3.0,)

    def __call__(self, index, memory):
        early = memory.time % 24 < 13
        fits = np.where(self.kind[index] == 0, early, ~early)
        tired = self.tires * memory.traces[:, -1]
        return np.where(fits, 0.4, 0.1) * np.exp(-tired), 0.01 * np.exp(np.minimum(tired, 3.0))


def units(n: int) -> tuple[Units, np.ndarray]:
    kind = np.arange(n) % 2
    habit = np.full((n, 24), 0.5)
    habit[:, 8:13] += 4.0 * (kind == 0)[:, None]
    habit[:, 13:22] += 4.0 * (kind == 1)[:, None]
    return Units(np.ones(n), habit / habit.sum(axis=1, keepdims=True)), kind


def world(n: int = 400, *, tires: float = 1.0, problem: TimingProblem = PROBLEM, **options):
    known, kind = units(n)
    return TimingEnvironment(problem, known, Answers(kind, tires), **options)


def best(kind: np.ndarray, tires: float = 1.0):
    exact = solve(PROBLEM, Answers(np.arange(2), tires), 2)
    return exact, lambda now: exact.of_kinds(kind, now).argmax(axis=1)


@pytest.fixture(scope="module")
def network() -> DoubleDQN:
    return DoubleDQN(**SMALL).fit(world(size=64))


@pytest.mark.parametrize("dues", [1, 3, 8])
def test_no_send_breaks_a_limit(dues):
    problem = TimingProblem(dues_a_day=dues, most_a_day=2)
    environment = world(500, problem=problem, past_sends_a_day=(0.0, 3.0))
    policy = at_random(0)
    unit, hours = [], []
    for _ in range(60):
        now = environment.now
        action = policy(now)
        environment.step(action)
        sent = action < problem.not_today
        assert (environment.now.memory.time > now.memory.time + np.where(sent, action, 0)).all()
        unit.append(np.flatnonzero(sent))
        hours.append((now.memory.time + action)[sent])
    hour = np.concatenate(hours)
    assert len(hour) > 5_000
    assert ((hour % 24 >= 8) & (hour % 24 < 22)).all()
    days = np.stack([np.concatenate(unit), hour // 24])
    assert np.unique(days, axis=1, return_counts=True)[1].max() == 2


def test_an_action_that_is_not_allowed_is_refused():
    environment = world(200)
    late = environment.now.memory.time % 24 >= 22
    assert late.any()
    with pytest.raises(ValueError, match="not allowed"):
        environment.step(np.zeros(200, dtype=np.int64))


def test_a_day_with_the_most_sends_has_no_further_one():
    time = np.array([24 * 30 + 12] * 2)
    memory = Memory.of_sends(time, np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 30.0]]), (1.0, 7.0))
    assert memory.on_last_day.tolist() == [3, 2]
    allowed = allowed_actions(TimingProblem(most_a_day=3, trace_days=(1.0, 7.0)), memory)
    assert allowed[:, :-1].any(axis=1).tolist() == [False, True]
    assert allowed[:, -1].all()


def test_beyond_what_logs_remember_nothing_is_sent():
    time = np.array([24 * 30 + 12] * 2)
    memory = Memory.of_sends(time, np.array([[30.0, 60.0], [30.0, np.inf]]), (1.0, 7.0))
    careful = TimingProblem(trace_days=(1.0, 7.0), most_remembered=1.0)
    assert allowed_actions(careful, memory)[:, :-1].any(axis=1).tolist() == [False, True]


def test_memory_of_a_list_of_sends_is_that_of_one_after_the_other():
    time = np.array([24 * 30 + 15])
    memory = Memory.of_sends(time - 40, np.array([[np.nan]]), (1.0, 5.0))
    for gap in (0, 10, 25):
        memory = memory.later(np.array([gap])).with_sends(np.array([True]))
    memory = memory.later(np.array([5]))
    at_once = Memory.of_sends(time, np.array([[40.0, 30.0, 5.0, np.inf]]), (1.0, 5.0))
    assert memory.traces == pytest.approx(at_once.traces)
    assert (memory.since, memory.last_day, memory.on_last_day) == (
        at_once.since, at_once.last_day, at_once.on_last_day,
    )  # fmt: skip


def test_the_exact_value_of_a_world_without_memory_is_the_sum_of_its_days():
    problem = TimingProblem(delays=1, discount_a_day=0.8)

    class Even:
        trace_days = (3.0,)

        def __call__(self, index, memory):  # noqa: ARG002 - a response model's
            return np.full(len(index), 0.3), np.zeros(len(index))

    exact = solve(problem, Even(), 1, points=3)
    hours = np.arange(24)
    is_open = (hours >= 8) & (hours < 22)
    a_day = (0.8 ** (hours / 24) * is_open).mean() * 0.3
    later = 0.8 ** (1 - hours / 24) * a_day / (1 - 0.8)
    assert exact.values[0, :, 0].max(axis=1) == pytest.approx(0.3 * is_open + later, abs=1e-4)


def test_the_exact_best_policy_brings_what_it_promises_and_more_than_any_other():
    _, kind = units(2_000)
    exact, policy = best(kind)
    rules = {
        "random": at_random(0),
        "now": always_now,
        "hour": best_hour(PROBLEM),
        "every 4": best_hour(PROBLEM, every_days=4.0),
        "best": policy,
    }
    made = lambda: world(2_000, seed=3)  # noqa: E731 - made anew for each policy
    comparison = compare(made, rules, days=60)
    promised = exact.of_kinds(kind, made().now).max(axis=1).mean()
    assert comparison.value("best").value == pytest.approx(promised, rel=0.02)
    assert all(comparison.gain("best", name).low > 0.0 for name in rules if name != "best")
    assert comparison.gain("best", "hour", what="lost").high < 0.0


def test_a_network_learns_to_rest_and_when_to_send(network):
    _, kind = units(2_000)
    rules = {
        "random": at_random(0),
        "hour": best_hour(PROBLEM),
        "learnt": network,
        "best": best(kind)[1],
    }
    comparison = compare(lambda: world(2_000, seed=3), rules, days=60)
    value = {name: comparison.value(name).value for name in rules}
    assert value["learnt"] - value["random"] >= 0.9 * (value["best"] - value["random"])
    assert comparison.gain("learnt", "hour").low > 0.0
    assert comparison.gain("learnt", "hour", what="lost").high < 0.0


def test_a_network_does_what_is_allowed_and_says_with_which_chance(network):
    now = world(300, seed=5).now
    chances = network.probabilities(now.observation, now.mask, epsilon=0.2)
    assert chances.sum(axis=1) == pytest.approx(1.0)
    assert (chances[~now.mask] == 0.0).all()
    assert (chances[now.mask] > 0.0).all()
    chosen = network(now)
    assert now.mask[np.arange(300), chosen].all()
    assert (chances[np.arange(300), chosen] >= 0.8).all()


def test_the_same_seed_gives_the_same_network_which_survives_saving(tmp_path):
    few = {**SMALL, "updates": 60}
    seen = world(50, seed=9).now.observation
    one = DoubleDQN(**few, ignore=(1, 2)).fit(world(size=16))
    again = DoubleDQN(**few, ignore=(1, 2)).fit(world(size=16))
    one.save(tmp_path)
    loaded = DoubleDQN.load(tmp_path)
    assert (one.values(seen) == again.values(seen)).all()
    assert (one.values(seen) == loaded.values(seen)).all()
    assert loaded.get_params() == one.get_params()
    changed = seen.copy()
    changed[:, [1, 2]] += 7.0
    assert (one.values(changed) == one.values(seen)).all()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("network")
    DoubleDQN(**{**SMALL, "updates": 20}).fit(world(size=16)).save(folder)
    return folder


def other_scale(content: bytes) -> bytes:
    tensors = load_tensors(content)
    return save_tensors({**tensors, "mean": tensors["mean"][:-1].clone()})


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        (WEIGHTS_FILE, lambda _: b""),
        (WEIGHTS_FILE, lambda content: content[: len(content) // 2]),
        (WEIGHTS_FILE, lambda content: b"\xff" * 64 + content[64:]),
        (WEIGHTS_FILE, other_scale),
        (STATE_FILE, lambda _: b""),
        (STATE_FILE, lambda content: content[:-20]),
        (STATE_FILE, lambda _: b"[]"),
        (STATE_FILE, lambda content: content.replace(b'"hidden": ', b'"hidden": 1')),
        (STATE_FILE, lambda content: content.replace(b'"features"', b'"feature"')),
    ],
    ids=range(9),
)
def test_a_damaged_file_of_a_network_is_named(saved, tmp_path, file, damage):
    for path in saved.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    before = (saved / file).read_bytes()
    changed = damage(before)
    assert changed != before
    (tmp_path / file).write_bytes(changed)
    with pytest.raises(BrokenFileError, match=str(tmp_path)):
        DoubleDQN.load(tmp_path)


def chain(rows: list[tuple], n: int) -> Transitions:
    """Rows of (place, allowed, action, reward, discount, next place, next allowed), n times each.

    There are two places and two actions.
    """
    place, allowed, action, reward, discount, then, then_allowed = (
        np.array([row[column] for row in rows] * n) for column in range(7)
    )
    return Transitions(
        np.eye(2, dtype=np.float32)[place], allowed.astype(bool), action,
        reward.astype(np.float32), discount.astype(np.float32),
        np.eye(2, dtype=np.float32)[then], then_allowed.astype(bool),
        np.arange(len(action)) // len(rows), np.arange(len(action)) % len(rows) == 0,
    )  # fmt: skip


def test_what_is_not_allowed_later_is_worth_nothing_now():
    both, first = (1, 1), (1, 0)
    steps = chain(
        [
            (0, both, 0, 0.0, 0.5, 1, first),
            (0, both, 1, 0.2, 0.0, 1, first),
            (1, both, 0, 1.0, 0.0, 0, both),
            (1, both, 1, 9.0, 0.0, 0, both),
        ],
        n=60,
    )
    fitted = DoubleDQN(**{**SMALL, "learning_rate": 0.01, "updates": 1_000}).fit_logged(steps)
    values = fitted.values(np.eye(2, dtype=np.float32))
    assert values == pytest.approx(np.array([[0.5, 0.2], [1.0, 9.0]]), abs=0.05)


def test_the_penalty_keeps_to_what_the_logs_have():
    both = (1, 1)
    steps = chain([(0, both, 0, -1.0, 0.0, 1, both), (1, both, 1, -1.0, 0.0, 0, both)], n=60)
    careful = DoubleDQN(**{**SMALL, "conservative": 1.0, "updates": 600}).fit_logged(steps)
    careless = DoubleDQN(**{**SMALL, "updates": 600}).fit_logged(steps)
    seen, allowed = np.eye(2, dtype=np.float32), np.ones((2, 2), dtype=bool)
    assert careful.probabilities(seen, allowed).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert careless.probabilities(seen, allowed).tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_fitted_q_evaluation_covers_the_true_value():
    # from either of two places, the first action stays and the second one goes to the other
    worth, discount, policy = np.array([[1.0, 0.0], [0.0, 0.4]]), 0.8, np.array([0.3, 0.7])
    moves = np.stack([np.eye(2), 1.0 - np.eye(2)])
    walk = np.einsum("a,aij->ij", policy, moves)
    truth = np.linalg.solve(np.eye(2) - discount * walk, worth @ policy)[0]
    covered = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n, length = 60, 12
        action = rng.integers(0, 2, (n, length))
        place = np.concatenate([np.zeros((n, 1), int), action.cumsum(axis=1) % 2], axis=1)
        reward = worth[place[:, :-1], action] + rng.normal(size=(n, length))
        eye, allowed = np.eye(2, dtype=np.float32), np.ones((n * length, 2), dtype=bool)
        steps = Transitions(
            eye[place[:, :-1].ravel()], allowed, action.ravel(),
            reward.ravel().astype(np.float32), np.full(n * length, discount, np.float32),
            eye[place[:, 1:].ravel()], allowed,
            np.repeat(np.arange(n), length), np.tile(np.arange(length) == 0, n),
        )  # fmt: skip
        always = np.tile(policy, (len(steps), 1))
        value = fitted_q_evaluation(steps, always, always, features=np.asarray)
        covered += value.low <= truth <= value.high
    assert 52 <= covered <= 60


def test_a_policy_that_does_what_the_logs_lack_is_shown_to():
    steps = chain([(0, (1, 1), 0, 1.0, 0.5, 1, (1, 1))], n=40)
    second = np.tile([0.0, 1.0], (40, 1))
    assert fitted_q_evaluation(steps, second, second).unlogged == 1.0
    few = chain([(0, (1, 1), 0, 1.0, 0.5, 1, (1, 1))], n=10)
    with pytest.raises(TooLittleDataError):
        fitted_q_evaluation(few, second[:10], second[:10])


def test_a_lost_unit_has_no_log_after():
    environment = world(300, sample=True, past_sends_a_day=(2.0, 2.0))
    log = logged(environment, always_now, 20)
    ends = log.discount == 0.0
    assert 0 < ends.sum() < 300
    assert np.unique(log.unit[ends]).size == ends.sum()
    assert len(log) < 300 * 20
    assert log.first.sum() == 300


def test_the_simplest_of_policies_that_are_as_good_serves():
    rng = np.random.default_rng(0)
    base = rng.normal(5.0, 1.0, 4_000)
    nothing = np.zeros(4_000)

    def course(value):
        return Course(value, nothing, nothing, nothing)

    order = ["rule", "bandit", "network"]
    level = {"rule": base, "bandit": base + 0.05, "network": base + rng.normal(0.05, 1.0, 4_000)}
    none_better = Comparison({name: course(level[name]) for name in order}, order)
    assert none_better.simplest() == "rule"
    assert none_better.simplest(margin=0.0) == "bandit"
    level["network"] = base + rng.normal(1.0, 1.0, 4_000)
    assert Comparison({name: course(level[name]) for name in order}, order).simplest() == "network"


def test_without_memory_the_policy_that_sees_no_memory_is_as_good():
    bandit = DoubleDQN(
        **{**SMALL, "updates": 1_000}, myopic=True, ignore=PROBLEM.memory_columns
    ).fit(world(size=64, tires=0.0))
    network = DoubleDQN(**SMALL).fit(world(size=64, tires=0.0))
    rules = {"now": always_now, "bandit": bandit, "network": network}
    comparison = compare(lambda: world(1_000, tires=0.0, seed=3), rules, days=60)
    assert comparison.simplest() == "bandit"
    assert comparison.gain("bandit", "now").low > 0.0


def test_what_comes_later_counts_from_where_it_stands():
    environment = world(100, seed=4)
    course = follow(environment, lambda _: np.full(100, PROBLEM.not_today), days=5)
    assert not course.value.any()
    assert not course.sends.any()
    assert (environment.now.memory.time // 24 >= 28 + 5).all()


def test_a_situation_shows_the_habit_at_the_hour_of_each_delay():
    known, _ = units(2)
    time = np.array([24 * 30 + 10] * 2)
    memory = Memory.of_sends(time, np.full((2, 1), np.inf), PROBLEM.trace_days)
    now = situation(PROBLEM, known, memory)
    habit = now.observation[:, PROBLEM.habit_columns]
    assert habit.shape == (2, PROBLEM.delays)
    assert habit.argmax(axis=1).tolist() == [0, 3]
    assert best_hour(PROBLEM)(now).tolist() == [0, 3]


@pytest.mark.parametrize(
    "change",
    [{"opens": 22}, {"discount_a_day": 1.0}, {"dues_a_day": 5}, {"delays": 0}, {"trace_days": ()}],
)
def test_a_problem_out_of_range_is_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(PROBLEM, **change)
