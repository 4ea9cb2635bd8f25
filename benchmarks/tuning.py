"""Tuning against its bars: no deployment by chance, planted and public data, kill, a large table.

Prints Markdown tables. Parts: `chance` (50 identical configurations with other seeds: how often the
best or their ensemble would be deployed), `planted` (R2 beside the best possible and the defaults),
`public` (phoneme and credit_g, AUC of outer folds beside LightGBM's defaults; the CSV are not part
of the project), `kill` (a search is killed and goes on), `large` (rows of 100,000 customers).

    python -m benchmarks.tuning --part public --runs 10 --minutes 10 --threads 2

`--runs` is the number of repetitions: of `planted` worlds, ten times as many of `chance`, and of
`public` outer folds, of ten.
"""

# ruff: noqa: N806 - X is scikit-learn's name for a table of features

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from engagement_assets.learning.evaluation.metrics import auc
from engagement_assets.learning.evaluation.regression import r2
from engagement_assets.learning.tuning.choice import candidates, combined
from engagement_assets.learning.tuning.estimators import TunedClassifier, TunedRegressor
from engagement_assets.learning.tuning.gate import challenge
from engagement_assets.learning.tuning.learners import LIGHTGBM, XGBOOST, family
from engagement_assets.learning.tuning.problem import problem_of
from engagement_assets.learning.tuning.search import Scored
from engagement_assets.learning.tuning.study import TRIALS_FILE

DATA = Path("../shared/data/automl")
PARTS = ("chance", "planted", "public", "kill", "large")
SEEDS = 50
_WORLDS = 10


def world(rows: int, seed: int, *, noise: float) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return features, the true mean of a number, and the number: steps, products, curves."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(rows, 12)), columns=[f"x{i}" for i in range(12)])
    X["kind"] = rng.choice(list("abcdef"), rows)
    bump = X["kind"].map(dict(zip("abcdef", (0.0, 0.4, -0.4, 0.8, -0.8, 0.2), strict=True)))
    mean = np.sin(X["x0"]) + 0.7 * (X["x1"] > 0.3) + 0.5 * X["x2"] * X["x3"] + 0.3 * X["x4"] + bump
    truth = mean.to_numpy(np.float64)
    return X, truth, truth + noise * rng.normal(size=rows)


def chance(options: argparse.Namespace) -> dict[str, Any]:
    """Count how often the best of 50 seeds of one configuration, or their ensemble, is deployed."""
    learner, rows, deployed, gains = family(XGBOOST), 1_000, 0, []
    parameters = {**learner.defaults, "rounds": 60}
    worlds = _WORLDS * options.runs
    for run in range(worlds):
        X, _, y = world(3 * rows, 1_000 + run, noise=1.0)
        problem = problem_of(X[:rows], y[:rows], kind="number", folds=2, seed=run)
        later = problem.encoder.transform(X[rows:])
        scored, fresh = [], []
        for seed in range(SEEDS):
            how: dict[str, Any] = {"logistic": False, "seed": seed, "n_jobs": options.threads}
            margin = np.empty(rows)
            for learn, held_out in problem.folds:
                fitted = learner(parameters, **how).fit(
                    problem.matrix[learn], problem.target[learn]
                )
                margin[held_out] = fitted.margin(problem.matrix[held_out])
            loss = problem.loss(margin)
            one = Scored(
                name=str(seed), family=XGBOOST, parameters=parameters, margin=margin, loss=loss
            )
            scored.append(one)
            fresh.append(
                learner(parameters, **how).fit(problem.matrix, problem.target).margin(later)
            )
        # the first seed serves; what the search would choose of the others challenges it
        places = sorted(range(SEEDS), key=lambda place: scored[place].loss)
        ranked = [scored[place] for place in places]
        best = candidates(problem, ranked)[0]
        renamed = [
            Scored(name="", family=XGBOOST, parameters={}, margin=fresh[place], loss=0.0)
            for place in places
        ]
        own = combined(renamed, best.weights)
        truth = y[rows:]
        judged = challenge((truth - fresh[0]) ** 2, (truth - own) ** 2, n_bootstrap=500, seed=run)
        deployed += judged.passes
        gains.append(judged.reduction.value)
    print("| 50 seeds of one configuration | figure |\n|---|---:|")
    print(f"| worlds | {worlds} |\n| deployed | {deployed} |")
    print(f"| mean lower loss | {np.mean(gains):.2%} |\n| most | {max(gains):.2%} |\n", flush=True)
    return {"runs": worlds, "deployed": deployed, "most": max(gains)}


def planted(options: argparse.Namespace) -> dict[str, Any]:
    """Compare R2 on fresh rows with the best possible and with the default learners."""
    print("| world | best possible R2 | tuned | share of it | XGBoost default | LightGBM default |")
    print("|---|--:|--:|--:|--:|--:|")
    shares, rows, leads = [], 6_000, []
    for run in range(options.runs):
        X, mean, y = world(2 * rows, run, noise=0.8)
        learn, test = slice(0, rows), slice(rows, None)
        model = TunedRegressor(
            trials=options.trials, minutes=options.minutes, n_jobs=options.threads, random_state=run
        ).fit(X[learn], y[learn])
        best, own = r2(y[test], mean[test]), r2(y[test], model.predict(X[test]))
        encoder = model.encoder_
        matrix = encoder.transform(X)
        defaults = []
        for name, rounds in ((XGBOOST, 500), (LIGHTGBM, 100)):
            kind = family(name)
            plain = kind(
                {**kind.defaults, "rounds": rounds},
                logistic=False,
                categories=[len(encoder.features) - 1],
                n_jobs=options.threads,
            ).fit(matrix[learn], y[learn])
            defaults.append(r2(y[test], plain.margin(matrix[test])))
        shares.append(own / best)
        leads.append(own - max(defaults))
        print(
            f"| {run} | {best:.4f} | {own:.4f} | {own / best:.1%} | {defaults[0]:.4f} "
            f"| {defaults[1]:.4f} |",
            flush=True,
        )
    print()
    return {"least_share": min(shares), "least_lead": min(leads)}


def public(options: argparse.Namespace) -> dict[str, Any]:
    """Return the mean AUC of outer folds, beside LightGBM's defaults on the same."""
    figures: dict[str, Any] = {}
    print(
        "| data | outer folds | tuned AUC | LightGBM default | tuned less default (95 %) "
        "| s a fold |"
    )
    print("|---|--:|--:|--:|--:|--:|")
    for name in ("phoneme", "credit_g"):
        path = options.data / f"{name}.csv"
        if not path.exists():
            sys.exit(
                f"{path} is not there; give the folder of phoneme.csv and credit_g.csv by --data"
            )
        table = pd.read_csv(path)
        X, y = table.drop(columns="label"), table["label"].to_numpy()
        dealt = list(StratifiedKFold(10, shuffle=True, random_state=0).split(X, y))
        rows = []
        started = time.perf_counter()
        for learn, test in dealt[: options.runs]:
            model = TunedClassifier(
                trials=options.trials, minutes=options.minutes, n_jobs=options.threads
            ).fit(X.iloc[learn], y[learn])
            matrix = model.encoder_.transform(X)
            kind = family(LIGHTGBM)
            plain = kind(
                {**kind.defaults, "rounds": 100},
                logistic=True,
                categories=[
                    i for i, k in enumerate(model.encoder_.kinds.values()) if k == "category"
                ],
                n_jobs=options.threads,
            ).fit(matrix[learn], y[learn].astype(float))
            own, other = model.predict_margin(X.iloc[test]), plain.margin(matrix[test])
            rows.append((auc(y[test], own), auc(y[test], other)))
            print(
                f"<!-- {name} {rows[-1][0]:.4f} {rows[-1][1]:.4f} {model.choice_.name} "
                f"{len(model.trials_)} trials -->",
                file=sys.stderr,
                flush=True,
            )
        seconds = (time.perf_counter() - started) / len(rows)
        own, other = np.array(rows).T
        lead = own - other
        rng = np.random.default_rng(0)
        drawn = lead[rng.integers(0, len(lead), (2000, len(lead)))].mean(axis=1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        print(
            f"| {name} | {len(rows)} | {own.mean():.4f} | {other.mean():.4f} "
            f"| {lead.mean():.4f} ({low:.4f} to {high:.4f}) | {seconds:.0f} |",
            flush=True,
        )
        figures[name] = {
            "auc": float(own.mean()),
            "default": float(other.mean()),
            "folds": len(rows),
        }
    print()
    return figures


def kill(options: argparse.Namespace) -> dict[str, Any]:
    """Kill a search (SIGKILL) and compare the trials after it has gone on with an unbroken one."""
    X, _, y = world(1_500, 5, noise=0.8)
    trials = []
    kills = 0
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "table.csv"
        X.assign(y=y).to_csv(path, index=False)
        for folder in ("whole", "cut"):
            words = [sys.executable, "-m", "engagement_assets.learning.tuning", str(path)]
            words += ["--target", "y", "--trials", "12", "--threads", str(options.threads)]
            words += ["--minutes", "60", "--out", str(Path(name) / folder)]
            record = Path(name) / folder / "study" / TRIALS_FILE
            while folder == "cut" and kills < 3:
                before = len(record.read_text().splitlines()) if record.exists() else 0
                process = subprocess.Popen(  # noqa: S603 - this project's own command
                    words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
                )
                while process.poll() is None:
                    time.sleep(0.1)
                    if record.exists() and len(record.read_text().splitlines()) >= before + 3:
                        os.kill(process.pid, signal.SIGKILL)
                        process.wait()
                kills += 1
            subprocess.run(words, check=True, capture_output=True)  # noqa: S603 - as above: ours
            lines = [json.loads(line) for line in record.read_text().splitlines()]
            for line in lines:
                del line["notes"]["seconds"]
            model = {p.name: p.read_bytes() for p in (Path(name) / folder / "model").iterdir()}
            trials.append((lines, model))
    same = trials[0] == trials[1]
    print(
        f"| kills | same trials and model |\n|--:|---|\n| {kills} | {'yes' if same else 'NO'} |\n"
    )
    return {"kills": kills, "same": same}


def large(options: argparse.Namespace) -> dict[str, Any]:
    """Time a search over rows of 100,000 customers, 45 columns."""
    X, _, y = world(options.rows, 9, noise=0.8)
    rng = np.random.default_rng(3)
    more = pd.DataFrame(rng.normal(size=(len(X), 32)), columns=[f"z{i}" for i in range(32)])
    X = pd.concat([X, more], axis=1)
    started = time.perf_counter()
    model = TunedClassifier(
        trials=options.trials, minutes=options.minutes, n_jobs=options.threads
    ).fit(X, (y > 0).astype(int), groups=np.arange(len(X)))
    searched = time.perf_counter() - started
    model.explain(X)
    explained = time.perf_counter() - started - searched
    print("| rows | columns | trials | search and fit | explaining all | chosen |")
    print("|--:|--:|--:|--:|--:|---|")
    print(
        f"| {len(X):,} | {X.shape[1]} | {len(model.trials_)} of {options.trials} "
        f"| {searched:.0f} s | {explained:.0f} s | {model.choice_.name} |\n",
        flush=True,
    )
    return {"rows": len(X), "seconds": searched, "explained": explained}


def main() -> None:
    """Run the chosen parts and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS, help="one part; all by default")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    made = {name: globals()[name](options) for name in PARTS if options.part in (None, name)}
    if options.json:
        options.json.write_text(json.dumps(made, indent=1))


if __name__ == "__main__":
    main()
