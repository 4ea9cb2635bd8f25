"""Contextual Thompson sampling in a world whose answer is known, beside simpler ways to choose.

    python -m benchmarks.bandits [--runs 20] [--decisions 100000] [--strength 4 1] [--json FILE]

Completing an action depends on the simulator's own chances (persona, time of day, device, last
action, engagement history); a completed one multiplies the expected sessions of the day after as
there, on the log times `--strength`: 1 is the simulator itself, in which all that can be gained is
lost in the noise of a visit more or less. The reward is whether the customer comes back the day
after, after doing nothing too. The persona is hidden, so the best policy is the best on what can be
observed. Policies are fitted again when the log has grown by a tenth, with forgetting every 500
decisions; the first 700 decisions are uniform, and no policy has a floor. In the swap world two
pairs of actions exchange what they do after half of the decisions. `bayesianbandits`, where it is
installed, is a reference. Exits with 1 where a bar is missed. Belongs here: measuring.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import math
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chisquare, t

from benchmarks.bandit_bars import BANDIT_BARS, STRENGTH
from engagement_assets.decisions.next_best_action.adapter import NextBestAction
from engagement_assets.decisions.next_best_action.policy import CONTEXT
from engagement_assets.decisions.next_best_action.spec import SPEC
from engagement_assets.features.catalogue import FEATURE_NAMES
from engagement_assets.learning.bandits.baselines import BestFixed, EpsilonGreedy, LinUCB
from engagement_assets.learning.bandits.design import Design
from engagement_assets.learning.bandits.thompson import ThompsonSampling
from engagement_assets.learning.markdown import table
from engagement_assets.lifecycle.decision import drawn
from engagement_assets.lifecycle.learnt import ContextChooser
from engagement_assets.serving.next_action import DrawFile, next_action
from engagement_assets.source.simulator.campaigns import LAST_ACTIONS, TIMES_OF_DAY
from engagement_assets.source.simulator.nudges import (
    ACTIONS,
    LAST_SHARES,
    LIFTS,
    completion_chances,
)
from engagement_assets.source.simulator.parameters import DEVICES

UNIFORM = 700
LAST = 0.2
DRAWS = 10_000
CONTEXTS = 200
REFIT_GROWTH = 1.1
REFIT_FORGETTING = 500
# after the swap: what each action does is what the other did
SWAPPED = np.array([5, 1, 3, 2, 4, 0, 6])
HALF_LIFE = 4_000.0


@dataclass(frozen=True)
class World:
    """Contexts, and the chance that the customer comes back after each action.

    Attributes:
        context: n rows of what can be observed.
        chance: n x 7, with the persona that is hidden.
        best: n positions of the best action on what can be observed.
        observed: n x 7 chances, the persona averaged out.
    """

    context: pd.DataFrame
    chance: np.ndarray
    observed: np.ndarray

    @classmethod
    def draw(cls, n: int, *, seed: int, strength: float) -> World:
        """Draw n contexts."""
        rng = np.random.default_rng([seed, 0])
        personas = len(LAST_SHARES)
        persona = rng.integers(personas, size=n)
        last = (np.cumsum(LAST_SHARES, axis=1)[persona, :-1] <= rng.random((n, 1))).sum(axis=1)
        time_of_day, device = rng.integers(4, size=n), rng.integers(3, size=n)
        often = np.clip(rng.normal(-0.7, 0.8, n), -2.0, 1.5)
        deep = (rng.integers(5, size=n) - 2) / 2.0
        many = np.clip(rng.normal(0.0, 0.7, n), -1.0, 2.0)
        history = np.stack([often, deep, many], axis=1)

        def back(who: np.ndarray) -> np.ndarray:
            done = completion_chances(who, time_of_day, device, last, history)
            stay = np.exp(-np.exp(often))[:, None]
            moved = np.exp(-np.exp(often[:, None] + strength * LIFTS))
            return np.asarray(1.0 - (1.0 - done) * stay - done * moved)

        given = LAST_SHARES / LAST_SHARES.sum(axis=0)
        observed = sum(given[who, last][:, None] * back(np.full(n, who)) for who in range(personas))
        context = pd.DataFrame(
            {
                "time_of_day": np.array(TIMES_OF_DAY)[time_of_day],
                "device": np.array(DEVICES)[device],
                "last_action": np.array(LAST_ACTIONS)[last],
                "often": often,
                "deep": deep,
                "many": many,
            }
        )
        return cls(context, back(persona), np.asarray(observed))


Maker = Callable[[], Any]


def run(world: World, make: Maker, *, seed: int, swap: bool = False) -> np.ndarray:
    """Return the observed chance of what was chosen, a decision at a time."""
    n, rng = len(world.context), np.random.default_rng([seed, 1])
    value, chance = world.observed.copy(), world.chance.copy()
    if swap:
        value[n // 2 :], chance[n // 2 :] = value[n // 2 :, SWAPPED], chance[n // 2 :, SWAPPED]
    reward_draws, positions = rng.random(n), rng.random(n)
    names = np.array(ACTIONS, dtype=object)
    chosen = rng.integers(len(ACTIONS), size=n)
    reward = reward_draws < chance[np.arange(n), chosen]
    start = UNIFORM
    while start < n:
        policy = make()
        forgets = getattr(policy, "half_life", None) is not None
        step = REFIT_FORGETTING if forgets else max(int(start * (REFIT_GROWTH - 1.0)), 70)
        end = min(start + step, n)
        past = slice(0, start)
        about = {"time": np.arange(start)} if forgets else {}
        policy.fit(world.context.iloc[past], names[chosen[past]], reward[past], **about)
        chances = policy.chances(world.context.iloc[start:end])
        actions = (np.cumsum(chances, axis=1)[:, :-1] <= positions[start:end, None]).sum(axis=1)
        chosen[start:end] = actions
        reward[start:end] = reward_draws[start:end] < chance[np.arange(start, end), actions]
        start = end
    return np.asarray(value[np.arange(n), chosen])


TS, GREEDY, FIXED, UCB = "Thompson sampling", "epsilon-greedy", "best fixed action", "LinUCB"
REFERENCE = "bayesianbandits"
MAKERS: dict[str, Maker] = {
    TS: lambda: ThompsonSampling(actions=ACTIONS, least_chance=0.0),
    GREEDY: lambda: EpsilonGreedy(actions=ACTIONS),
    FIXED: lambda: BestFixed(actions=ACTIONS),
    UCB: lambda: LinUCB(actions=ACTIONS),
}


class Reference:
    """Thompson sampling of `bayesianbandits`: a Bayesian logistic regression an arm."""

    def __init__(self) -> None:
        import bayesianbandits  # noqa: PLC0415 - may not be there

        self.library = bayesianbandits

    def fit(self, contexts: pd.DataFrame, action: np.ndarray, reward: np.ndarray) -> Reference:
        """Learn from n rows."""
        lib = self.library
        self.design = Design.fit(contexts)
        matrix = self.design.transform(contexts)
        arms = [lib.Arm(name, learner=lib.BayesianGLM(alpha=1.0)) for name in ACTIONS]
        self.agent = lib.ContextualAgent(arms, lib.ThompsonSampling(), random_seed=len(action))
        for name in ACTIONS:
            own = action == name
            if own.any():
                self.agent.select_for_update(name).update(matrix[own], reward[own].astype(float))
        return self

    def chances(self, contexts: pd.DataFrame) -> np.ndarray:
        """Return its own draws, which are all that it says."""
        drawn = self.agent.pull(self.design.transform(contexts))
        return np.eye(len(ACTIONS))[[ACTIONS.index(name) for name in drawn]]


def makers() -> dict[str, Maker]:
    """What is compared, with the reference where it is installed."""
    there = importlib.util.find_spec(REFERENCE) is not None
    return MAKERS | ({REFERENCE: Reference} if there else {})


def interval(values: Sequence[float]) -> dict[str, float]:
    """Mean of a figure of some seeds with its interval by Student's t."""
    n, mean = len(values), float(np.mean(values))
    reach = math.nan
    if n > 1:
        reach = float(t.ppf(0.975, n - 1) * np.std(values, ddof=1) / math.sqrt(n))
    return {"value": mean, "low": mean - reach, "high": mean + reach, "runs": n}


def stationary(runs: int, decisions: int, strength: float) -> dict[str, Any]:
    """Shares of (best - uniform) in the last fifth, and by how much Thompson's is above others."""
    shares: dict[str, list[float]] = {}
    tail = slice(int(decisions * (1 - LAST)), None)
    for seed in range(runs):
        world = World.draw(decisions, seed=seed, strength=strength)
        uniform = world.observed[tail].mean()
        gap = world.observed[tail].max(axis=1).mean() - uniform
        for name, make in makers().items():
            got = run(world, make, seed=seed)[tail].mean()
            shares.setdefault(name, []).append(float((got - uniform) / gap))
        logging.info(
            "strength %g, seed %d: %s", strength, seed, {k: v[-1] for k, v in shares.items()}
        )
    return {
        "share": {name: interval(values) for name, values in shares.items()},
        "above": {
            name: interval(np.subtract(shares[TS], values).tolist())
            for name, values in shares.items()
            if name != TS
        },
    }


def swapped(runs: int, decisions: int, strength: float) -> dict[str, Any]:
    """How much of its share Thompson sampling with forgetting wins back after the swap."""
    back = []
    half = decisions // 2
    for seed in range(runs):
        world = World.draw(decisions, seed=1_000 + seed, strength=strength)
        got = run(world, _forgetting, seed=1_000 + seed, swap=True)

        def share(part: slice, table: np.ndarray, got: np.ndarray = got) -> float:
            uniform, best = table[part].mean(), table[part].max(axis=1).mean()
            return float((got[part].mean() - uniform) / (best - uniform))

        before = share(slice(half - 5_000, half), world.observed)
        after = share(slice(half + 8_000, half + 10_000), world.observed[:, SWAPPED])
        back.append(after / before)
        logging.info("swap, seed %d: %.3f before, %.3f after", seed, before, after)
    return {"won back": interval(back)}


def _forgetting() -> ThompsonSampling:
    return ThompsonSampling(actions=ACTIONS, least_chance=0.0, half_life=HALF_LIFE)


def redrawn(seed: int = 0) -> dict[str, Any]:
    """Propensities of 200 contexts against 10,000 draws of each: chi-squared, by Bonferroni."""
    world = World.draw(20_000, seed=seed, strength=1.0)
    rng = np.random.default_rng([seed, 2])
    chosen = rng.integers(len(ACTIONS), size=20_000)
    reward = rng.random(20_000) < world.chance[np.arange(20_000), chosen]
    names = np.array(ACTIONS, dtype=object)
    policy = ThompsonSampling(actions=ACTIONS).fit(world.context, names[chosen], reward)
    p_values = []
    for chances in policy.chances(world.context.head(CONTEXTS)):
        actions = drawn(np.tile(chances, (DRAWS, 1)), rng.random(DRAWS))
        counts = np.bincount(actions, minlength=len(ACTIONS))
        p_values.append(float(chisquare(counts, chances * DRAWS).pvalue))
    return {
        "least p": min(p_values) * CONTEXTS,
        "below .05": float(np.mean(np.array(p_values) < 0.05)),
    }


def timed() -> dict[str, float]:
    """Milliseconds of an online draw with its reason, and seconds of 100,000 choices."""
    rng = np.random.default_rng(3)
    n = 20_000
    world = World.draw(n, seed=5, strength=1.0)
    log = world.context[["time_of_day", "device", "last_action"]].assign(
        acted_at=pd.Timestamp(2026, 1, 1),
        **{name: rng.random(n) * 20 for name in CONTEXT[3:]},
        action=rng.choice(SPEC.action_names, n),
        reward=rng.integers(0, 4, n) / 3,
    )
    decision = NextBestAction()
    policy = decision.fit(log, None)  # type: ignore[arg-type] - it reads nothing else
    chooser = ContextChooser(decision, policy, champion="measured", parameters={})
    features = dict.fromkeys(FEATURE_NAMES)
    features |= {"primary_time_of_day": "evening", "primary_device": "mobile", "logins_month": 4}
    record = {
        "customer_id": "c", "snapshot_date": "2026-01-01", "features": features,
        "consents": {"personalisation": True},
    }  # fmt: skip
    took, processor = [], []
    with tempfile.TemporaryDirectory() as folder:
        lines = DrawFile(Path(folder) / "draws.jsonl")
        for _ in range(2_000):
            begun, used = time.perf_counter(), time.process_time()
            next_action(chooser, record, {"device": "desktop"}, log=lines)
            took.append((time.perf_counter() - begun) * 1_000)
            processor.append((time.process_time() - used) * 1_000)
    many = log.iloc[np.arange(100_000) % n].reset_index(drop=True)
    many = many.assign(
        customer_id=[f"c{place}" for place in range(100_000)], snapshot_date=date(2026, 1, 1)
    )
    begun = time.perf_counter()
    chooser.choose(many)
    return {
        "draw p50 ms": float(np.median(took)),
        "draw p99 ms": float(np.quantile(took, 0.99)),
        "draw p99 processor ms": float(np.quantile(processor, 0.99)),
        "batch s": time.perf_counter() - begun,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--decisions", type=int, default=100_000)
    parser.add_argument("--swap-decisions", type=int, default=60_000)
    parser.add_argument("--strength", type=float, nargs="+", default=[4.0, 1.0])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    figures: dict[str, Any] = {"time": timed(), "redraws": redrawn()}
    figures["strengths"] = {
        f"{strength:g}": stationary(given.runs, given.decisions, strength)
        for strength in given.strength
    }
    figures["swap"] = swapped(given.runs, given.swap_decisions, given.strength[0])
    figures["decisions"] = given.decisions
    # without the world that the bars are about there is nothing to hold to them
    bars = BANDIT_BARS if STRENGTH in figures["strengths"] else ()
    figures["bars"] = {
        f"{what}: {bar}": bool(met(read(figures))) for what, bar, _, read, _, met in bars
    }
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")
    show(figures)
    return 0 if all(figures["bars"].values()) else 1


def show(figures: dict[str, Any]) -> None:
    """Print the shares as a table, and the other figures."""
    rows = [
        (strength, name, _text(share), _text(one["above"].get(name)))
        for strength, one in figures["strengths"].items()
        for name, share in one["share"].items()
    ]
    print(table(["strength", "policy", "share of (best - uniform)", "Thompson above it"], rows))
    print(json.dumps({name: figures[name] for name in figures if name != "strengths"}, indent=1))


def _text(figure: dict[str, float] | None) -> str:
    return "" if figure is None else "{value:.3f} ({low:.3f} to {high:.3f})".format(**figure)


if __name__ == "__main__":
    sys.exit(main())
