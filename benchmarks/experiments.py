"""How often an experiment without effect shows one, and what a broken or empty one is called.

    python -m benchmarks.experiments --runs 2000

Outcomes are drawn, not simulated by the world: visits that a habit from before the assignment
predicts (CUPED), minutes a visit (a ratio), and revenue that is mostly zero with a heavy tail. Each
run is looked at 100 times, from 200 to 4,000 units. Exits with 1 where a bar of the issue is
missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engagement_assets.learning.experiments.analysis import (
    NO_EFFECT,
    Analysis,
    Covariate,
    Design,
    Metric,
    analyse,
)
from engagement_assets.learning.experiments.estimates import Comparison, Sample, compare
from engagement_assets.learning.experiments.sequences import LEAST_UNITS

# Seeds from this one on were never looked at while the method was chosen.
FIRST_SEED = 20_000
UNITS, LOOKS = 4_000, 100
DAY = pd.Timestamp("2026-03-01")
METRICS = (
    Metric(
        name="visits",
        value="visits",
        since="assigned_at",
        covariates=(Covariate("before", "assigned_at"),),
        role="primary",
    ),
    Metric(name="minutes per visit", value="minutes", denominator="visits", since="assigned_at"),
    Metric(name="revenue", value="revenue", since="assigned_at"),
)
DESIGN = Design(name="experiment", shares={"control": 0.5, "treatment": 0.5})


def units_of(seed: int, *, n: int = UNITS, effect: float = 0.0) -> pd.DataFrame:
    """Units in the order in which they come in, with an effect on visits."""
    rng = np.random.default_rng([FIRST_SEED + seed, n])
    before = rng.gamma(1.0, 4.0, n)
    treated = rng.random(n) < 0.5
    visits = rng.poisson(before + 1.0) + effect * treated
    paid = rng.random(n) < 0.1
    return pd.DataFrame(
        {
            "unit": np.arange(n),
            "variant": np.where(treated, "treatment", "control"),
            "assigned_at": DAY,
            "before": before,
            "visits": visits,
            "minutes": visits * rng.gamma(2.0, 4.0, n),
            "revenue": np.where(paid, rng.lognormal(2.5, 1.0, n), 0.0),
        }
    )


def compared(units: pd.DataFrame, metric: Metric, looks: np.ndarray) -> list[Comparison]:
    """The two arms at each look, a number of units."""
    treated = (units["variant"] == "treatment").to_numpy()
    columns = [c.column for c in metric.covariates]
    values, covariates = units[metric.value].to_numpy(), units[columns].to_numpy()
    per = units[metric.denominator].to_numpy() if metric.denominator else None

    def arm(inside: np.ndarray) -> Sample:
        own = np.flatnonzero(inside)
        return Sample(values[own], None if per is None else per[own], covariates[own])

    return [compare(arm(~treated[:n]), arm(treated[:n])) for n in looks]


def leaves_out(interval: Any, truth: float = 0.0) -> bool:
    """Whether an interval does not hold the truth."""
    return not interval.low <= truth <= interval.high


def false_alarms(runs: int) -> dict[str, dict[str, float]]:
    """Shares of runs without effect in which an interval leaves out zero."""
    looks = np.unique(np.linspace(2 * LEAST_UNITS, UNITS, LOOKS).astype(int))
    alarms = {m.name: dict.fromkeys(("fixed", "peeking", "any look"), 0) for m in METRICS}
    for run in range(runs):
        units = units_of(run)
        for metric in METRICS:
            at_looks = compared(units, metric, looks)
            own = alarms[metric.name]
            own["fixed"] += leaves_out(at_looks[-1].difference)
            own["peeking"] += any(leaves_out(look.difference) for look in at_looks)
            own["any look"] += any(leaves_out(look.anytime) for look in at_looks)
    return {name: {k: v / runs for k, v in own.items()} for name, own in alarms.items()}


def analysed(units: pd.DataFrame) -> Analysis:
    """The whole analysis."""
    return analyse(units, DESIGN, METRICS)


def reports(runs: int) -> dict[str, float]:
    """Shares of runs that are called what they are, at one look."""
    sound = [analysed(units_of(run)) for run in range(runs)]
    empty = [analysis.rows[0] for analysis in sound]
    least = float(np.mean([row.least_detectable for row in empty]))
    seen = [analysed(units_of(run, effect=least)).rows[0] for run in range(runs)]
    small = [analysed(units_of(run, effect=0.6 * least)).rows[0] for run in range(runs)]
    shown = [row for row in small if row.verdict == "better"]

    def lost(run: int) -> pd.DataFrame:
        """A treatment whose heavy users are logged too seldom."""
        units = units_of(run)
        heavy = (units["variant"] == "treatment") & (units["before"] > 6.0)
        return units[~heavy | (units["unit"] % 2 == 0)]

    def chosen(run: int) -> pd.DataFrame:
        """An assignment by behaviour, in arms of equal size."""
        units = units_of(run)
        rank = units["before"].rank(pct=True)
        rng = np.random.default_rng(run)
        treated = rng.random(len(units)) < 0.35 + 0.3 * rank
        return units.assign(variant=np.where(treated, "treatment", "control"))

    return {
        "called without effect": float(np.mean([row.verdict == NO_EFFECT for row in empty])),
        "sound, blocked": float(np.mean([bool(analysis.blocked) for analysis in sound])),
        "least detectable effect, seen": float(np.mean([r.verdict == "better" for r in seen])),
        "effect on visits": least,
        "small effect": 0.6 * least,
        "small effect, as shown": float(np.mean([row.difference for row in shown])),
        "small effect, shrunk": float(np.mean([row.shrunk for row in shown])),
        "heavy users lost, named": float(np.mean([named(lost(run)) for run in range(runs)])),
        "chosen by behaviour, named": float(np.mean([named(chosen(run)) for run in range(runs)])),
    }


def named(units: pd.DataFrame) -> bool:
    """Whether what is broken is named."""
    words = ("sample-ratio mismatch", "differed before")
    return any(word in text for text in analysed(units).blocked for word in words)


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--runs", type=int, default=2_000, help="experiments without effect")
    options = parser.parse_args()
    alarms = false_alarms(options.runs)
    figures = reports(max(20, options.runs // 10))
    print("| metric | fixed look | 100 looks at a fixed level | 100 looks, any-look interval |")
    print("|---|--:|--:|--:|")
    for name, own in alarms.items():
        print(f"| {name} | {' | '.join(f'{share:.2%}' for share in own.values())} |")
    print("\n| what | figure |\n|---|--:|")
    for name, value in figures.items():
        print(f"| {name} | {value:.3f} |")
    if options.json:
        result = {"runs": options.runs, "false alarms": alarms, "reports": figures}
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    # at fewer runs than the bar's, chance alone exceeds a percentage point
    margin = max(0.01, 2.5 * (0.05 * 0.95 / options.runs) ** 0.5)
    if any(abs(own["fixed"] - 0.05) > margin or own["any look"] > 0.05 for own in alarms.values()):
        sys.exit("a bar is missed")


if __name__ == "__main__":
    main()
