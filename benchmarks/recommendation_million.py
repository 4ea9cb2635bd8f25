"""Every recommender by its defaults on a million interactions without times.

    python -m benchmarks.recommendation_million
    python -m benchmarks.recommendation_million --items 12092 --methods popularity ease als

No public set of that size is at hand: the interactions are those of a planted world of the size of
MovieLens-1M (`benchmarks.tastes`). One interaction of each person, drawn at random, is held out and
ranked among 99 items that the person never turned to (He et al., WWW 2017); the truth, which ranks
by the chances of the world, is the most that can be reached. Ties count against a method. Times are
processor seconds of one thread, since other work runs beside this.

Belongs here: measuring. Does not belong here: the methods.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from benchmarks.tastes import world_of_tastes
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.evaluation.ranking import paired_difference
from engagement_assets.learning.recommendation.fallback import ESTIMATORS
from engagement_assets.learning.recommendation.recommender import Recommender

NEGATIVES, K = 99, 10
TRUTH = "truth"
USERS, ITEMS, INTERACTIONS = 6_040, 3_706, 1_000_000
_USERS_AT_ONCE = 250


class Epochs(logging.Handler):
    """Processor seconds at the end of each epoch of the neural model, by its log."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.ends: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Note the moment."""
        if record.msg.startswith("Epoch"):
            self.ends.append(time.process_time())


@dataclass(frozen=True)
class Task:
    """What is learnt from and what is ranked.

    Attributes:
        train: `user`, `item`.
        users: u ids.
        items: u x 100 ids, the one that was held out first.
    """

    train: pd.DataFrame
    users: np.ndarray
    items: np.ndarray


def leave_one_out(rows: pd.DataFrame, *, items: int, seed: int) -> Task:
    """Hold one interaction of each person out, beside items that the person never turned to."""
    rng = np.random.default_rng(seed)
    out = rows.groupby("user").sample(1, random_state=seed).sort_values("user")
    train = rows.drop(out.index)
    taken = np.sort(rows["user"].to_numpy() * items + rows["item"].to_numpy())
    known = train["item"].unique()
    user = out["user"].to_numpy()
    others = rng.choice(known, (len(out), NEGATIVES))
    hit = np.ones(others.shape, dtype=bool)
    while hit.any():
        hit = np.isin(user[:, None] * items + others, taken)
        others[hit] = rng.choice(known, int(hit.sum()))
    # of somebody whose item nobody else has, nothing can be asked
    there = np.isin(out["item"], known)
    shown = np.concatenate([out["item"].to_numpy()[:, None], others], axis=1)
    return Task(train, user[there], shown[there])


def scores_of(model: Recommender, task: Task) -> np.ndarray:
    """A model's scores of what is ranked, u x 100."""
    data = model.data_
    rows = data.users.get_indexer(pd.Index(task.users))
    columns = data.items.get_indexer(pd.Index(task.items.ravel())).reshape(task.items.shape)
    every = np.arange(data.shape[1])
    blocks = [
        np.take_along_axis(
            model.score_block(rows[start : start + _USERS_AT_ONCE], every),
            columns[start : start + _USERS_AT_ONCE],
            axis=1,
        )
        for start in range(0, len(rows), _USERS_AT_ONCE)
    ]
    return np.concatenate(blocks)


def hits(scores: np.ndarray) -> dict[str, np.ndarray]:
    """HR@10 and NDCG@10 of each person."""
    rank = (scores[:, 1:] >= scores[:, :1]).sum(axis=1)
    inside = rank < K
    return {"hr": inside.astype(float), "ndcg": np.where(inside, 1 / np.log2(rank + 2.0), 0.0)}


def fit(name: str, train: pd.DataFrame) -> tuple[Recommender, dict[str, Any]]:
    """Fit a method by its defaults, and say what that took."""
    epochs = Epochs()
    logger = logging.getLogger("engagement_assets.learning.recommendation.neural_layers")
    logger.addHandler(epochs)
    logger.setLevel(logging.INFO)
    began, wall = time.process_time(), time.perf_counter()
    model = ESTIMATORS[name]().fit(train)
    took = {"seconds": time.process_time() - began, "wall": time.perf_counter() - wall}
    logger.removeHandler(epochs)
    if len(epochs.ends) > 1:
        took["epoch_seconds"] = float(np.median(np.diff(epochs.ends)))
        took["epochs"] = len(epochs.ends)
        took["best_epoch"] = getattr(model, "epochs_", 0)
    return model, took


def measure(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Fit and rank every method in one world."""
    world = world_of_tastes(
        users=options.users, items=options.items, interactions=options.interactions, seed=seed
    )
    task = leave_one_out(world.interactions, items=options.items, seed=seed)
    measured = {TRUTH: hits(world.log_odds[task.users[:, None], task.items])}
    methods: dict[str, Any] = {TRUTH: {}}
    for name in options.methods:
        model, took = fit(name, task.train)
        measured[name] = hits(scores_of(model, task))
        learnt = getattr(model, "items_", np.unique(model.data_.item))
        methods[name] = took | {
            "chosen": model.chosen_,
            "learnt_items": len(learnt),
            "learnt_share": model.learnt_share_,
            "held_out": dict(model.held_out_),
        }
        logging.getLogger(__name__).info("%s: HR@10 %.4f", name, measured[name]["hr"].mean())
    single = [name for name in ("ease", "als") if name in measured]
    best = max(single, key=lambda name: measured[name]["hr"].mean())
    for name, figures in methods.items():
        for metric, values in measured[name].items():
            against = np.zeros(len(values))
            figures[metric] = _interval(values, against)
            figures[f"{metric}_gap"] = _interval(values, measured[best][metric])
    return {
        "seed": seed,
        "interactions": len(world.interactions),
        "items": int(task.train["item"].nunique()),
        "people": len(task.users),
        "best_single": best,
        "methods": methods,
    }


def _interval(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    return paired_difference(one, other, n_bootstrap=500, seed=0).to_dict()


def main() -> None:
    """Measure some worlds and print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=USERS)
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--interactions", type=int, default=INTERACTIONS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--methods", nargs="+", default=list(ESTIMATORS), choices=list(ESTIMATORS))
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    if not {"ease", "als"} & set(options.methods):
        parser.error("ease or als must be among the methods: the others are held against them")
    torch.set_num_threads(1)
    runs = [measure(options, seed) for seed in options.seeds]
    for run in runs:
        print(
            f"\nWorld {run['seed']}: {run['interactions']:,} interactions of {run['people']:,} "
            f"people with {run['items']:,} items, no times\n\n"
            "| method, by its defaults | HR@10 (95 % over people) | NDCG@10 | HR@10 minus "
            f"{run['best_single']}'s | items learnt (share of the uses) | processor, s | chosen |\n"
            "|---|---|---|---|---:|---:|---|"
        )
        for name, row in run["methods"].items():
            hr, ndcg, gap = (Interval.from_dict(row[key]) for key in ("hr", "ndcg", "hr_gap"))
            took = "| – | – | – |"
            if name != TRUTH:
                took = (
                    f"| {row['learnt_items']:,} ({row['learnt_share']:.1%}) | "
                    f"{row['seconds']:.0f} | {row['chosen'] or '–'} |"
                )
            print(f"| {name} | {hr} | {ndcg} | {gap} {took}")
        neural = run["methods"].get("neural", {})
        if "epoch_seconds" in neural:
            print(
                f"\nAn epoch of the neural model: {neural['epoch_seconds']:.0f} s of one core; "
                f"{neural['epochs']} were run, the {neural['best_epoch']}th was kept."
            )
    if options.json:
        options.json.write_text(json.dumps(runs, indent=1))


if __name__ == "__main__":
    # threads that wait for each other on a busy machine would count as work
    with threadpool_limits(1):
        main()
