"""Treatment effects on public and planted data: who serves, how near, how often intervals cover.

    python -m benchmarks.effects                       # all: about an hour and a half on two cores
    python -m benchmarks.effects --runs 20 --seeds 4   # fewer runs
    python -m benchmarks.effects --only ihdp large

- ihdp: the chosen estimator on realisations of IHDP, whose truth is known; not part of the project.
- none: experiments whose effect is the same for everybody: how often the constant effect serves and
  the calibration test rejects.
- planted: effects by age, and harm to heavy users: error beside the constant effect's, intervals of
  the age groups, whether the harmed are excluded, and the gain of a policy at a budget of 20 %.
- campaign: an observational campaign that is confounded: how often intervals cover.
- large: 100,000 rows x 49 features: time and peak memory, in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engagement_assets.learning.effects.estimator import TreatmentEffectEstimator
from engagement_assets.learning.effects.heterogeneity import group_effects
from engagement_assets.learning.effects.policy import within_budget
from engagement_assets.learning.effects.refutation import observational_effect
from engagement_assets.learning.effects.trial import UnusableTrialError, checked_trial
from engagement_assets.learning.evaluation.binary import Floats

IHDP = Path("../shared/data/causal/ihdp_1_10.parquet")
AGES = ("18-24", "25-34", "35-44", "45-54", "55+")
AGE_EFFECTS = np.array([0.22, 0.16, 0.10, 0.05, 0.02])
HARM = 0.2
NOISE = 0.2
BUDGET = 0.2


def people(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Features of people: age and use, and six that say nothing."""
    table = pd.DataFrame({f"other_{i}": rng.normal(size=n) for i in range(6)})
    table["age"] = rng.integers(18, 75, n).astype(float)
    table["use"] = rng.gamma(2.0, 1.0, n)
    return table


def age_groups(table: pd.DataFrame) -> pd.Series:
    """The five groups of the age table."""
    return pd.cut(table["age"], [0, 24, 34, 44, 54, 200], labels=AGES).astype(object)


def plain(table: pd.DataFrame, rng: np.random.Generator) -> Floats:
    """Outcomes without the treatment, like a score of use."""
    steady = 0.3 + 0.08 * np.log1p(table["use"]) - 0.001 * table["age"]
    return np.asarray(steady + NOISE * rng.normal(size=len(table)))


def true_effect(table: pd.DataFrame) -> Floats:
    """Effects by age, less the harm to heavy users."""
    by_age = dict(zip(AGES, AGE_EFFECTS, strict=True))
    heavy = table["use"] > 3.3
    return np.asarray(age_groups(table).map(by_age).astype(float) - HARM * heavy)


def ihdp(options: Any) -> dict[str, Any]:
    """Measure sqrt PEHE of the chosen estimator, a realisation after another."""
    if not options.ihdp.exists():
        sys.exit(f"IHDP is not at {options.ihdp}: give its Parquet by --ihdp, or leave ihdp out")
    data = pd.read_parquet(options.ihdp)
    print("| IHDP | sqrt PEHE | served | slope of the calibration |\n|---|--:|---|--:|")
    rows = []
    for number, part in data.groupby("realisation"):
        features = part[[f"x{i}" for i in range(1, 26)]]
        truth = (part["mu1"] - part["mu0"]).to_numpy()
        model = TreatmentEffectEstimator(random_state=0, n_jobs=options.threads)
        model.fit(features, part["treatment"], part["y_factual"])
        error = float(np.sqrt(np.mean((model.effect(features) - truth) ** 2)))
        covers = model.effect_.low <= truth.mean() <= model.effect_.high
        rows.append({"pehe": error, "served": model.served_, "mean_covered": bool(covers)})
        print(
            f"| realisation {number} | {error:.2f} | {model.served_} | "
            f"{model.calibration_.slope:.2f} |",
            flush=True,
        )
    mean = float(np.mean([row["pehe"] for row in rows]))
    print(f"| mean | {mean:.3f} | | |\n")
    return {"rows": rows, "pehe": mean}


def none(options: Any) -> dict[str, Any]:
    """Count who serves and what is rejected where the effect is the same for everybody."""
    constant = rejected = refused = 0
    for run in range(options.runs):
        rng = np.random.default_rng(options.seed + run)
        table = people(options.rows // 2, rng)
        treatment = (rng.random(len(table)) < 0.5).astype(int)
        outcome = plain(table, rng) + 0.1 * treatment
        model = TreatmentEffectEstimator(random_state=run, n_jobs=options.threads)
        try:
            model.fit(table, treatment, outcome, propensity=np.full(len(table), 0.5))
        except UnusableTrialError:
            # a fair coin fails the test of the shares once in a thousand runs
            refused += 1
            continue
        constant += model.served_ == "constant"
        rejected += model.calibration_.p_value < 0.05
        sys.stderr.write(
            f"run {run + 1} of {options.runs}: the constant served in {constant}, the test "
            f"rejected in {rejected}, {refused} refused\n"
        )
    judged = options.runs - refused
    print(
        f"No heterogeneity, {options.runs} runs of {options.rows // 2:,} rows, of which {refused} "
        f"were refused for the shares of their arms: of the other {judged}, the constant effect "
        f"served in {constant}, the calibration test rejected in {rejected} (one-sided, 5 %).\n",
        flush=True,
    )
    return {
        "runs": judged,
        "refused": refused,
        "constant": constant / judged,
        "rejected": rejected / judged,
    }


def planted(options: Any) -> dict[str, Any]:
    """Measure effects that differ, and a policy from them, on people that were not learnt from."""
    print(
        "| seed | served | error | constant's | age intervals that cover | harmed treated | gain "
        "at 20 %, share of the best | random | by risk |\n|--:|---|--:|--:|--:|--:|--:|--:|--:|"
    )
    rows = []
    for seed in range(options.seeds):
        rng = np.random.default_rng(options.seed + 10_000 + seed)
        table, fresh = people(options.rows, rng), people(options.rows, rng)
        effect, fresh_effect = true_effect(table), true_effect(fresh)
        treatment = (rng.random(len(table)) < 0.5).astype(int)
        outcome = plain(table, rng) + effect * treatment
        model = TreatmentEffectEstimator(random_state=seed, n_jobs=options.threads)
        model.fit(table, treatment, outcome, propensity=np.full(len(table), 0.5))
        groups = age_groups(table)
        seen = group_effects(model.rows_.scores, groups, treatment).set_index("group")
        truth = pd.Series(effect).groupby(groups.to_numpy()).mean()
        covered = [bool(seen.low[g] <= truth[g] <= seen.high[g]) for g in AGES]
        predicted = model.effect(fresh)
        budget = BUDGET * len(fresh)
        risk = -np.log1p(fresh["use"].to_numpy()) + 0.3 * rng.normal(size=len(fresh))
        chosen = within_budget(predicted, 1.0, budget=budget, allowed=predicted > 0.0)
        best = within_budget(fresh_effect, 1.0, budget=budget)
        at_risk = within_budget(risk, 1.0, budget=budget)
        most = float(fresh_effect[best].sum())
        row = {
            "served": model.served_,
            "error": _rmse(predicted, fresh_effect),
            "constant_error": _rmse(np.full(len(fresh), model.effect_.value), fresh_effect),
            "covered": covered,
            "harmed_treated": float((fresh_effect[chosen] < 0.0).mean()),
            "gain": float(fresh_effect[chosen].sum()) / most,
            "random": BUDGET * float(fresh_effect.sum()) / most,
            "risk": float(fresh_effect[at_risk].sum()) / most,
        }
        rows.append(row)
        print(
            f"| {seed} | {row['served']} | {row['error']:.3f} | {row['constant_error']:.3f} | "
            f"{sum(covered)} of 5 | {row['harmed_treated']:.1%} | {row['gain']:.0%} | "
            f"{row['random']:.0%} | {row['risk']:.0%} |",
            flush=True,
        )
    print()
    return {
        "seeds": options.seeds,
        "rows": rows,
        "error_ratio": max(row["error"] / row["constant_error"] for row in rows),
        "age_coverage": float(np.mean([row["covered"] for row in rows])),
        "harmed_treated": max(row["harmed_treated"] for row in rows),
        "gain": min(row["gain"] for row in rows),
        "lead": min(row["gain"] - max(row["random"], row["risk"]) for row in rows),
    }


def _rmse(predicted: Floats, truth: Floats) -> float:
    return float(np.sqrt(np.mean((predicted - truth) ** 2)))


def campaign(options: Any) -> dict[str, Any]:
    """Count intervals that cover the mean effect of a campaign that those who use much are sent."""
    counts = {"doubly_robust": 0, "naive": 0, "stands": 0}
    for run in range(options.seeds):
        rng = np.random.default_rng(options.seed + 20_000 + run)
        table = people(options.rows // 2, rng)
        use = np.log1p(table["use"].to_numpy())
        treatment = (rng.random(len(table)) < 1.0 / (1.0 + np.exp(2.0 - 1.7 * use))).astype(int)
        effect = np.where(table["age"] < 35, 0.15, 0.05)
        outcome = plain(table, rng) + effect * treatment
        result = observational_effect(
            checked_trial(table, treatment, outcome), seed=run, threads=options.threads
        )
        for name, interval in (("doubly_robust", result.effect), ("naive", result.naive)):
            counts[name] += bool(interval.low <= effect.mean() <= interval.high)
        counts["stands"] += result.stands
    print(
        f"A confounded campaign, {options.seeds} runs of {options.rows // 2:,} rows: the doubly "
        f"robust interval covered in {counts['doubly_robust']}, the naive one in "
        f"{counts['naive']}; no test refuted the estimate in {counts['stands']}.\n",
        flush=True,
    )
    return {name: count / options.seeds for name, count in counts.items()}


def large(options: Any) -> dict[str, Any]:
    """Measure time and memory of 100,000 rows x 49 features, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.effects", "--only", "large_here"]
    command += ["--customers", str(options.customers), "--threads", str(options.threads)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - this module
    figures: dict[str, Any] = json.loads(output.splitlines()[-1])
    print(
        f"{options.customers:,} rows x 49 features, all learners: fit {figures['fit']:.0f} s, "
        f"effects and intervals of all {figures['intervals']:.0f} s, processor time of both "
        f"{figures['processor']:.0f} s, peak memory "
        f"{figures['peak_gib']:.2f} GiB; served: {figures['served']}.\n",
        flush=True,
    )
    return figures


def large_here(options: Any) -> dict[str, Any]:
    """Fit and predict 100,000 rows, and print the figures as JSON."""
    rng = np.random.default_rng(options.seed)
    n = options.customers
    table = pd.DataFrame(rng.normal(size=(n, 49)), columns=[f"feature_{i}" for i in range(49)])
    treatment = (rng.random(n) < 0.5).astype(int)
    effect = 0.1 + 0.2 * (table["feature_0"].to_numpy() > 0.0)
    outcome = 0.3 * table["feature_1"].to_numpy() + effect * treatment + rng.normal(size=n)
    started = time.perf_counter()
    model = TreatmentEffectEstimator(learners=options.learners, n_jobs=options.threads)
    model.fit(table, treatment, outcome, propensity=np.full(n, 0.5))
    fitted = time.perf_counter()
    model.effect(table)
    model.effect_interval(table)
    figures = {
        "fit": fitted - started,
        "intervals": time.perf_counter() - fitted,
        "seconds": time.perf_counter() - started,
        "processor": time.process_time(),
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "served": model.served_,
    }
    print(json.dumps(figures))
    return figures


PARTS: dict[str, Callable[[Any], dict[str, Any]]] = {
    part.__name__: part for part in (ihdp, none, planted, campaign, large, large_here)
}


def main() -> None:
    """Measure the parts that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS)[:-1])
    parser.add_argument("--ihdp", type=Path, default=IHDP)
    parser.add_argument("--runs", type=int, default=200, help="runs without heterogeneity")
    parser.add_argument("--seeds", type=int, default=20, help="runs with effects that differ")
    parser.add_argument("--rows", type=int, default=5_000, help="rows of a planted experiment")
    parser.add_argument("--customers", type=int, default=100_000, help="rows of `large`")
    parser.add_argument("--learners", nargs="+", help="those of `large`; all where not given")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = {name: PARTS[name](options) for name in options.only}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
