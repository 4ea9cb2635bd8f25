"""Coverage of doubly robust intervals, and one public log evaluated from the other.

    python -m benchmarks.off_policy [--runs 200] [--rows 3000] [--json FILE]

Logs are drawn from a world whose answer is known: a log of a fixed policy, and logs of linear
Thompson sampling that learns from what it logs, updated every 100 decisions, each action with a
chance of at least .02. Their target policies are the best one and one that the learner comes to
avoid. Of the Open Bandit data (men, ten thousand rows of each policy), the click rate of one policy
must lie in the interval made from the other's rows. Belongs here: measuring.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.dummy import DummyRegressor

from engagement_assets.learning.markdown import table
from engagement_assets.learning.off_policy.estimates import DR, Evaluation, evaluate_policy
from engagement_assets.learning.off_policy.log import DecisionLog, decision_log
from engagement_assets.learning.off_policy.reward_model import predicted_rewards

ACTIONS = 4
EFFECTS = np.array([[0.9, -0.4], [-0.6, 0.8], [0.0, -0.9], [-0.5, -0.5]])
BATCH, FLOOR = 100, 0.02
# Seeds from this one on were not looked at while the estimators were made.
FIRST_SEED = 10_000
BANDIT_ACTIONS = 34
BANDIT_CONTEXT = ["position", *(f"user_feature_{n}" for n in range(4))]
POLICIES = ("random", "bts")
DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "bandit"


def chances(x: np.ndarray) -> np.ndarray:
    """The true chance of a reward by each action."""
    return np.asarray(1.0 / (1.0 + np.exp(1.0 - x @ EFFECTS.T)))


def best(x: np.ndarray) -> np.ndarray:
    """Three quarters for the best action, the rest for all alike."""
    return 0.75 * np.eye(ACTIONS)[chances(x).argmax(axis=1)] + 0.25 / ACTIONS


def worst(x: np.ndarray) -> np.ndarray:
    """Three quarters for the worst action: what a learner comes to avoid."""
    return 0.75 * np.eye(ACTIONS)[chances(x).argmin(axis=1)] + 0.25 / ACTIONS


TARGETS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"best": best, "worst": worst}


def softmax(x: np.ndarray) -> np.ndarray:
    """A fixed policy that leans to what is bad."""
    raised = np.exp(-0.8 * x @ EFFECTS.T)
    return floored(raised / raised.sum(axis=1, keepdims=True))


def floored(share: np.ndarray) -> np.ndarray:
    """Chances of which none is below the floor."""
    return np.asarray(FLOOR + (1.0 - ACTIONS * FLOOR) * share)


class Thompson:
    """Linear Thompson sampling with a floor under each action's chance."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.precision = np.stack([np.eye(3)] * ACTIONS)
        self.moment = np.zeros((ACTIONS, 3))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The chance that each action has the best draw, by 200 draws."""
        z = np.column_stack([np.ones(len(x)), x])
        cover = np.linalg.inv(self.precision)
        middle = np.einsum("kij,kj->ki", cover, self.moment)
        draws = np.stack(
            [
                self.rng.multivariate_normal(mean, 0.25 * around, size=200)
                for mean, around in zip(middle, cover, strict=True)
            ]
        )
        winner = np.einsum("ksd,nd->nsk", draws, z).argmax(axis=2)
        share = (winner[:, :, None] == np.arange(ACTIONS)).mean(axis=1)
        return floored(share)

    def learn(self, x: np.ndarray, chosen: np.ndarray, reward: np.ndarray) -> None:
        """Update the posterior of each action."""
        z = np.column_stack([np.ones(len(x)), x])
        for action in range(ACTIONS):
            own = chosen == action
            self.precision[action] += z[own].T @ z[own]
            self.moment[action] += z[own].T @ reward[own]


def drawn_log(kind: str, rows: int, seed: int) -> DecisionLog:
    """A log of the fixed policy, or of one that learns as it logs."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 2))
    p = np.empty((rows, ACTIONS))
    chosen, reward = np.empty(rows, dtype=int), np.empty(rows)
    learner = Thompson(rng)
    for first in range(0, rows, BATCH):
        part = slice(first, first + BATCH)
        p[part] = softmax(x[part]) if kind == "fixed" else learner(x[part])
        below = p[part].cumsum(axis=1) < rng.random((len(x[part]), 1))
        chosen[part] = np.minimum(below.sum(axis=1), ACTIONS - 1)
        chance = chances(x[part])[np.arange(len(x[part])), chosen[part]]
        reward[part] = rng.random(len(chance)) < chance
        learner.learn(x[part], chosen[part], reward[part])
    frame = pd.DataFrame({"x0": x[:, 0], "x1": x[:, 1], "action": chosen, "reward": reward})
    frame["propensity"] = p[np.arange(rows), chosen]
    return decision_log(
        frame,
        context=["x0", "x1"],
        actions=range(ACTIONS),
        probabilities=p if kind == "adaptive" else None,
    )


def coverage(runs: int, rows: int) -> list[dict[str, Any]]:
    """How often the intervals hold the true value, by log, reward model and target."""
    points = np.random.default_rng(1).normal(size=(1_000_000, 2))
    truth = {
        name: float((policy(points) * chances(points)).sum(axis=1).mean())
        for name, policy in TARGETS.items()
    }
    models = {"learnt": None, "wrong": DummyRegressor(strategy="constant", constant=0.9)}
    measured = []
    for kind in ("fixed", "adaptive", "adaptive, chosen chance only"):
        logs = [drawn_log(kind, rows, FIRST_SEED + run) for run in range(runs)]
        adaptive = kind != "fixed"
        for model, learner in models.items():
            rewards = [predicted_rewards(log, model=learner, adaptive=adaptive) for log in logs]
            for target, policy in TARGETS.items():
                estimates = [
                    evaluate_policy(
                        log, policy(log.context.to_numpy()), adaptive=adaptive, rewards=expected
                    ).estimates[DR]
                    for log, expected in zip(logs, rewards, strict=True)
                ]
                errors = np.array([one.value - truth[target] for one in estimates])
                widths = np.array([one.high - one.low for one in estimates])
                held = [one.low <= truth[target] <= one.high for one in estimates]
                measured.append(
                    {
                        "log": kind,
                        "reward model": model,
                        "target": target,
                        "truth": truth[target],
                        "runs": runs,
                        "coverage": float(np.mean(held)),
                        "bias": float(errors.mean()),
                        "width": float(widths.mean()),
                    }
                )
                print(measured[-1], flush=True)
    return measured


def open_bandit(folder: Path) -> list[dict[str, Any]]:
    """Each policy of the Open Bandit rows evaluated from the other's.

    The chances of Thompson sampling at every moment were not published: as a target it is the share
    of each item in its own rows, by position. As a log it is adaptive.
    """
    frames = {name: pd.read_parquet(folder / f"obd_men_{name}.parquet") for name in POLICIES}
    measured = []
    for logged, other in (POLICIES, POLICIES[::-1]):
        log = decision_log(
            frames[logged],
            context=BANDIT_CONTEXT,
            actions=range(BANDIT_ACTIONS),
            action="item_id",
            propensity="propensity_score",
            reward="click",
            acted_at="timestamp",
        )
        if other == "random":
            policy = np.full(BANDIT_ACTIONS, 1.0 / BANDIT_ACTIONS)
        else:
            shares = pd.crosstab(
                frames[other]["position"], frames[other]["item_id"], normalize="index"
            ).reindex(columns=range(BANDIT_ACTIONS), fill_value=0.0)
            policy = shares.loc[log.context["position"]].to_numpy()
        evaluation = evaluate_policy(log, policy, adaptive=logged == "bts", require_overlap=False)
        measured.append(bandit_row(logged, other, float(frames[other]["click"].mean()), evaluation))
    return measured


def bandit_row(logged: str, other: str, rate: float, evaluation: Evaluation) -> dict[str, Any]:
    """What the log of one policy says of the other."""
    interval = evaluation.estimates[DR]
    return {
        "from": logged,
        "to": other,
        "click rate": rate,
        "estimates": {
            name: [one.value, *([] if math.isnan(one.low) else [one.low, one.high])]
            for name, one in evaluation.estimates.items()
        },
        "holds": bool(interval.low <= rate <= interval.high),
        "effective sample size": evaluation.overlap.effective_sample_size,
        "gate": "passes" if evaluation.overlap.passes else evaluation.overlap.reason,
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = {
        "coverage": coverage(options.runs, options.rows),
        "bandit": open_bandit(DATA) if DATA.is_dir() else [],
    }
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    head = ["log", "reward model", "target", "truth", "runs", "coverage", "bias", "width"]
    cells = [
        [f"{row[name]:.4f}" if isinstance(row[name], float) else row[name] for name in head]
        for row in figures["coverage"]
    ]
    print(table(head, cells) + "\n")
    if not figures["bandit"]:
        print("Open Bandit: not measured, shared/data/bandit is not here")
    lines = [
        [
            f"{row['from']} to {row['to']}",
            f"{row['click rate']:.4f}",
            name,
            f"{value:.4f}",
            f"{ends[0]:.4f} to {ends[1]:.4f}" if ends else "–",
            f"{row['effective sample size']:,.0f}",
            row["gate"],
        ]
        for row in figures["bandit"]
        for name, (value, *ends) in row["estimates"].items()
    ]
    head = ["log to policy", "click rate", "estimator", "estimate", "interval", "ESS", "gate"]
    print(table(head, lines))


if __name__ == "__main__":
    main()
