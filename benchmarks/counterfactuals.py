"""Counterfactuals of a learnt classifier on a planted world whose interventions are known.

    python -m benchmarks.counterfactuals --rows 1000

A spurious column follows from the outcome's hidden cause, so that the classifier uses it, and no
lever has it; beside, a lever that the world punishes is declared, which refits and data should not
advise. Belongs here: planting and measuring. Does not belong here: the search
(`learning.counterfactuals`).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd

from engagement_assets.learning.counterfactuals.search import CounterfactualSearch, Lever
from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier

LEVERS = (
    Lever(feature="posts_month", with_it=("posts_week",), direction="up", words="{after}"),
    Lever(feature="visits_month", with_it=("visits_week",), direction="up", words="{after}"),
    Lever(feature="complaints", direction="down", words="{after}"),
    # more of it raises the true risk
    Lever(feature="waits", direction="up", words="{after}"),
)
MOVED = {name for lever in LEVERS for name in lever.features}


def world(rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw rows: causes, columns that nobody can change, and a spurious one."""
    hidden = rng.normal(size=rows)
    posts, visits = rng.poisson(4, rows), rng.poisson(9, rows)
    return pd.DataFrame(
        {
            "posts_month": posts,
            "posts_week": rng.binomial(posts, 0.25),
            "visits_month": visits,
            "visits_week": rng.binomial(visits, 0.25),
            "complaints": rng.poisson(2, rows),
            "waits": rng.gamma(2.0, 2.0, rows),
            "age": rng.integers(18, 80, rows),
            "region": rng.choice(["north", "south", "west"], rows),
            "spurious": hidden + rng.normal(scale=0.3, size=rows),
            "hidden": hidden,
        }
    )


def true_risk(rows: pd.DataFrame) -> np.ndarray:
    """Return the chance of the outcome, which interventions move."""
    margin = (
        2.5
        - 0.3 * rows["posts_month"]
        - 0.2 * rows["visits_month"]
        + 0.4 * rows["complaints"]
        + 0.15 * rows["waits"]
        + rows["hidden"]
    )
    return 1 / (1 + np.exp(-margin.to_numpy(dtype=float)))


def main() -> None:
    """Print a line a figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--learn", type=int, default=4_000)
    parser.add_argument("--refits", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng = np.random.default_rng(asked.seed)
    drawn = world(asked.learn, rng)
    label = (rng.random(asked.learn) < true_risk(drawn)).astype(int)
    X = drawn.drop(columns="hidden")  # noqa: N806 - scikit-learn's name

    def fitted(places: np.ndarray) -> CalibratedBoostingClassifier:
        model = CalibratedBoostingClassifier(n_estimators=60, folds=3, n_jobs=1)
        # a row drawn twice is in one fold
        return model.fit(X.iloc[places], label[places], groups=places)

    model = fitted(np.arange(asked.learn))
    refits = [fitted(rng.integers(0, asked.learn, asked.learn)) for _ in range(asked.refits)]
    predictors = [lambda rows, one=one: one.predict_proba(rows)[:, 1] for one in (model, *refits)]
    search = CounterfactualSearch(levers=LEVERS, goal=0.4, side="below").fit(X)
    others = world(20 * asked.rows, rng)
    risky = others[predictors[0](others.drop(columns="hidden")) > 0.5].head(asked.rows)
    advised, right, valid, bad_lever, spurious = 0, 0, 0, 0, 0
    seconds, busy = list[float](), list[float]()
    for _, row in risky.iterrows():
        known = row.drop("hidden")
        started, worked = time.perf_counter(), time.thread_time()
        advice = search.search(known, predictors[0], refits=predictors[1:])
        seconds.append(time.perf_counter() - started)
        busy.append(time.thread_time() - worked)
        if advice is None:
            continue
        advised += 1
        stays = [name for name in X.columns if name not in MOVED]
        valid += bool(
            advice.predicted_after <= search.goal
            and len(advice.levers) <= 3
            and (advice.row[stays] == known[stays]).all()
            and advice.row["posts_week"] <= advice.row["posts_month"]
            and advice.row["visits_week"] <= advice.row["visits_month"]
        )
        bad_lever += any(lever.feature == "waits" for lever in advice.levers)
        spurious += bool(advice.row["spurious"] != known["spurious"])
        after = advice.row.to_frame().T.assign(hidden=row["hidden"])
        right += bool(true_risk(after)[0] < true_risk(row.to_frame().T)[0])
    p95, worked95 = (float(np.quantile(of, 0.95)) for of in (seconds, busy))
    print(f"| rows at risk, advised | {len(risky)}, {advised} |")
    print(f"| valid, nothing else touched, at most 3 changes | {valid} of {advised} |")
    print(f"| true risk falls under the intervention | {right} of {advised} |")
    print(f"| a lever that harms is advised | {bad_lever} of {advised} |")
    print(f"| the spurious column is advised | {spurious} of {advised} |")
    print(f"| seconds a row, p95 (one thread) | {p95:.3f} |")
    # less where other work held the processor meanwhile
    print(f"| of the processor's time, p95 | {worked95:.3f} |")
    if asked.json:
        figures = {
            "at risk": len(risky),
            "advised": advised,
            "valid": valid,
            "right": right,
            "harmful": bad_lever,
            "spurious": spurious,
            "p95 seconds": p95,
            "p95 processor seconds": worked95,
        }
        asked.json.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
