"""When to notify, learnt in the simulated world and valued against its exact best policy.

    python -m benchmarks.timing

Customers answer as the simulator's reminders do (`source/simulator/reminders.py`), of whom a policy
sees what rows would show: sessions of eight weeks, by the hour. Something is due once a day at a
random hour. A deep Q-network is learnt in the training world, and followed there and in five worlds
that differ. Values are discounted expectations by customer; intervals are over customers. Exits
with 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing_bars import DQN, TIMING_BARS, TRAINED
from engagement_assets.learning.reinforcement.comparison import Comparison, compare
from engagement_assets.learning.reinforcement.double_dqn import DoubleDQN
from engagement_assets.learning.reinforcement.dynamic_programme import BestPolicy, solve
from engagement_assets.learning.reinforcement.environment import TimingEnvironment
from engagement_assets.learning.reinforcement.fitted_q import fitted_q_evaluation
from engagement_assets.learning.reinforcement.policies import always_now, at_random, best_hour
from engagement_assets.learning.reinforcement.timing import (
    HOURS,
    Bools,
    Floats,
    Ints,
    Memory,
    Policy,
    Situation,
    TimingProblem,
    Units,
    smooth_habit,
)
from engagement_assets.learning.reinforcement.transitions import logged
from engagement_assets.source.simulator import parameters as p
from engagement_assets.source.simulator.messaging import hour_fit
from engagement_assets.source.simulator.population import HOUR_HABITS, hour_chances
from engagement_assets.source.simulator.reminders import (
    FATIGUE_DAYS,
    session_chance,
    unsubscribe_chance,
)
from engagement_assets.source.simulator.world import Simulator

LEVELS, SEEN_DAYS, FOLLOWED_DAYS = 8, 56, 120
PROBLEM = TimingProblem()
# As the simulator sends: what a policy begins with.
PAST = {"past_sends_a_day": (p.NOTIFICATIONS_PER_DAY, p.NOTIFICATIONS_PER_DAY)}
BANDIT, BEST_HOUR, NOW, RANDOM = (
    "contextual bandit without memory", "best hour", "always now", "random",
)  # fmt: skip
BEST, OFFLINE = "exact best policy", "deep Q-network from logs (CQL)"
SPACED = "best hour, spaced"
SELDOM = "best hour, as seldom as logged"
SPACINGS = (1.0, 2.0, 3.0, 4.0, 5.0, 7.0)


@dataclass(frozen=True)
class World:
    """A world's differences to the simulator's.

    Attributes:
        fatigue: What fatigue counts.
        later_hours: By how much habits are later.
        opens: Share of the sessions that are caused.
    """

    fatigue: float = 1.0
    later_hours: int = 0
    opens: float = 1.0


NO_FATIGUE = "no fatigue"
WORLDS: Mapping[str, World] = {
    TRAINED: World(),
    "fatigue halved": World(fatigue=0.5),
    "fatigue doubled": World(fatigue=2.0),
    "habits 3 hours later": World(later_hours=3),
    "opens 30 % fewer": World(opens=0.7),
    NO_FATIGUE: World(fatigue=0.0),
}


@dataclass(frozen=True)
class Answers:
    """How customers answer: the simulator's reminders, in a world that may differ.

    Attributes:
        kind: n kinds: habits times levels of use.
        use: Sessions a day by level.
        world: The differences.
    """

    kind: Ints
    use: Floats
    world: World
    trace_days: tuple[float, ...] = (FATIGUE_DAYS,)

    def __call__(self, index: Ints, memory: Memory) -> tuple[Floats, Floats]:
        """Return the chances of a session and of unsubscribing."""
        habit, level = np.divmod(self.kind[index], LEVELS)
        hour = (memory.time - self.world.later_hours) % HOURS
        fit = hour_fit()[habit, hour]
        fatigue = self.world.fatigue * memory.traces[:, -1]
        caused = session_chance(self.use[level], fit, fatigue, strength=self.world.opens)
        return caused, np.minimum(unsubscribe_chance(fit, fatigue), 1.0)


def customers(n: int, seed: int) -> tuple[Ints, Floats]:
    """Kinds of customers of a simulated world who are no bots, and the use of each level."""
    world = Simulator(customers=n, seed=seed, first_day=date(2026, 1, 1), days=30)
    truth = world.truth_customers().to_pandas()
    truth = truth[~truth["is_bot"]]
    use = truth["expected_daily_sessions"].to_numpy()
    level = np.minimum((use.argsort().argsort() * LEVELS) // len(use), LEVELS - 1)
    levels = np.array([use[level == one].mean() for one in range(LEVELS)])
    habit = truth["hour_habit"].map(HOUR_HABITS.index).to_numpy(dtype=np.int64)
    return habit * LEVELS + level, levels


def seen(kind: Ints, use: Floats, world: World, seed: int) -> Units:
    """What rows of eight weeks would show of customers."""
    rng = np.random.default_rng([seed, 1])
    habit, level = np.divmod(kind, LEVELS)
    sessions = rng.poisson(SEEN_DAYS * use[level])
    chances = np.roll(hour_chances(), world.later_hours, axis=1)[habit]
    counts = rng.multinomial(sessions, chances)
    return Units(sessions / SEEN_DAYS, smooth_habit(counts))


def make(name: str, people: tuple[Ints, Floats], seed: int, **options: Any) -> TimingEnvironment:
    """A world with the customers in it."""
    kind, use = people
    world = WORLDS[name]
    answers = Answers(kind, use, world)
    return TimingEnvironment(PROBLEM, seen(kind, use, world, seed), answers, seed=seed, **options)


def best_policy(name: str, people: tuple[Ints, Floats]) -> tuple[BestPolicy, Policy]:
    """The exact dynamic programme of a world, and its policy, which knows each customer's kind."""
    kind, use = people
    kinds = len(hour_chances()) * LEVELS
    best = solve(PROBLEM, Answers(np.arange(kinds), use, WORLDS[name]), kinds)

    def policy(now: Situation) -> Ints:
        chosen: Ints = best.of_kinds(kind, now).argmax(axis=1)
        return chosen

    return best, policy


def spaced(people: tuple[Ints, Floats], seed: int) -> float:
    """The number of days between sends, the same for all, that is best in the training world."""
    rules = {str(days): best_hour(PROBLEM, every_days=days) for days in SPACINGS}
    tried = compare(lambda: make(TRAINED, people, seed, **PAST), rules, days=FOLLOWED_DAYS)
    return max(SPACINGS, key=lambda days: tried.value(str(days)).value)


def learnt(options: argparse.Namespace, world: str, people: Any) -> dict[str, DoubleDQN]:
    """The learnt policies of a world."""
    policies = {
        BANDIT: DoubleDQN(
            updates=options.updates // 3,
            myopic=True,
            ignore=PROBLEM.memory_columns,
            random_state=options.seed,
        ),
        DQN: DoubleDQN(
            updates=options.updates,
            target_every=min(1_000, options.updates // 30),
            random_state=options.seed,
        ),
    }
    for name, policy in policies.items():
        started = time.perf_counter()
        policy.fit(make(world, people, options.seed + 1, size=options.at_once))
        print(f"{name} in {world}: {time.perf_counter() - started:.0f} s", flush=True)
    return policies


def lines(name: str, comparison: Comparison) -> list[dict[str, Any]]:
    """One line a policy."""
    return [
        {
            "world": name,
            "policy": policy,
            "customers": len(course.value),
            "value": comparison.value(policy).to_dict(),
            "over best hour": comparison.gain(policy, BEST_HOUR).to_dict(),
            "unsubscribes over best hour": comparison.gain(
                policy, BEST_HOUR, what="lost"
            ).to_dict(),
            "sends": float(course.sends.mean()),
            "sessions": float(course.engaged.mean()),
            "unsubscribed": float(course.lost.mean()),
        }
        for policy, course in comparison.courses.items()
    ]


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Learn, follow everywhere, and value from logs."""
    train, test = (customers(options.customers, options.seed + n) for n in (0, 1))
    started = time.perf_counter()
    policies = learnt(options, TRAINED, train)
    figures: dict[str, Any] = {"seconds": time.perf_counter() - started, "lines": []}
    days = spaced(train, options.seed)
    figures["days between sends"] = days

    def followed(name: str, learnt_here: Mapping[str, DoubleDQN]) -> Comparison:
        known, best = best_policy(name, test)
        rules: dict[str, Policy] = {
            RANDOM: at_random(options.seed),
            NOW: always_now,
            BEST_HOUR: best_hour(PROBLEM),
            SPACED: best_hour(PROBLEM, every_days=days),
            **learnt_here,
            BEST: best,
        }
        comparison = compare(
            lambda: make(name, test, options.seed + 2, **PAST), rules, days=FOLLOWED_DAYS
        )
        start = make(name, test, options.seed + 2, **PAST).now
        exact = float(known.of_kinds(test[0], start).max(axis=1).mean())
        figures.setdefault("exact value", {})[name] = exact
        return comparison

    for name in WORLDS:
        comparison = followed(name, policies)
        figures["lines"] += lines(name, comparison)
        value = {policy: comparison.value(policy).value for policy in comparison.courses}
        if name == TRAINED:
            figures["share of best"] = (value[DQN] - value[RANDOM]) / (value[BEST] - value[RANDOM])
            figures["simplest"] = _served(comparison)
            figures["logs"] = from_logs(options, train, test, policies[DQN])
    without = learnt(options, NO_FATIGUE, train)
    comparison = followed(NO_FATIGUE, without)
    figures["lines without memory"] = lines(f"{NO_FATIGUE}, learnt there", comparison)
    figures["without memory"] = {
        "serves": _served(comparison),
        "gain of the deep Q-network over the bandit": comparison.gain(DQN, BANDIT).to_dict(),
    }
    return figures


def _served(comparison: Comparison) -> str:
    """Which policy would serve of those that rows can teach."""
    order = [NOW, BEST_HOUR, BANDIT, DQN]
    return Comparison({name: comparison.courses[name] for name in order}, order).simplest()


def as_seldom(seed: int) -> tuple[Policy, Callable[[Any, Bools], Floats]]:
    """A policy that sends at the best hour, no more often than the logs, and its chances."""
    rng = np.random.default_rng(seed + 7)

    def chances(observation: Any, mask: Bools) -> Floats:
        habit = np.where(mask[:, :-1], observation[:, PROBLEM.habit_columns], -np.inf)
        send = p.NOTIFICATIONS_PER_DAY * mask[:, :-1].any(axis=1)
        table = np.zeros(mask.shape)
        table[np.arange(len(mask)), habit.argmax(axis=1)] = send
        table[:, -1] += 1.0 - send
        return table

    def policy(now: Situation) -> Ints:
        table = chances(now.observation, now.mask)
        drawn: Ints = (table.cumsum(axis=1) < rng.random((len(table), 1))).sum(axis=1)
        return drawn

    return policy, chances


def from_logs(
    options: argparse.Namespace,
    train: tuple[Ints, Floats],
    test: tuple[Ints, Floats],
    policy: DoubleDQN,
) -> dict[str, Any]:
    """The value of policies from logs with drawn outcomes, beside the truth; and one learnt so."""
    rare = at_random(options.seed + 5, not_today=1.0 - p.NOTIFICATIONS_PER_DAY)
    logs = [
        logged(make(TRAINED, people, options.seed + 3 + n, sample=True, **PAST), rare, 56)
        for n, people in enumerate((train, test))
    ]
    offline = DoubleDQN(
        updates=options.updates // 3,
        target_every=max(1, options.updates // 90),
        conservative=options.conservative,
        random_state=options.seed,
    ).fit_logged(logs[0])
    seldom, chances = as_seldom(options.seed)
    # an estimate from logs knows no last day: what comes after twice the days is worth little
    followed = compare(
        lambda: make(TRAINED, test, options.seed + 2, **PAST),
        {SELDOM: seldom, DQN: policy, OFFLINE: offline},
        days=2 * FOLLOWED_DAYS,
    )
    return {
        "steps": len(logs[1]),
        "value": {name: followed.value(name).to_dict() for name in followed.courses},
        "fitted Q evaluation": {
            name: fitted_q_evaluation(
                logs[1],
                of(logs[1].observation, logs[1].mask),
                of(logs[1].next_observation, logs[1].next_mask),
            ).to_dict()
            for name, of in (
                (SELDOM, chances),
                (DQN, policy.probabilities),
                (OFFLINE, offline.probabilities),
            )
        },
    }


def verdicts(figures: Mapping[str, Any]) -> dict[str, bool]:
    """Which bars are met."""
    return {f"{what}: {bar}": met(read(figures)) for what, bar, _, read, _, met in TIMING_BARS}


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--updates", type=int, default=15_000)
    parser.add_argument("--at-once", type=int, default=256, help="customers that act at once")
    parser.add_argument("--conservative", type=float, default=0.03)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    figures = measure(options)
    figures["bars"] = verdicts(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    print(
        "| world | policy | value | over best hour | sends | sessions | unsubscribed |\n"
        "|---|---|---:|---:|---:|---:|---:|"
    )
    for line in (*figures["lines"], *figures["lines without memory"]):
        value, over = line["value"], line["over best hour"]
        print(
            f"| {line['world']} | {line['policy']} | {value['value']:.3f} | "
            f"{over['value']:.3f} ({over['low']:.3f} to {over['high']:.3f}) | "
            f"{line['sends']:.1f} | {line['sessions']:.2f} | {line['unsubscribed']:.3f} |"
        )
    print(json.dumps({name: figures[name] for name in figures if "lines" not in name}, indent=1))
    return 0 if all(figures["bars"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
