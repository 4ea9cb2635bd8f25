"""Whether the holdout's interval covers the incremental revenue that was planted.

    python -m benchmarks.value [--runs 100] [--customers 20000] [--json FILE]

Each world has customers with skewed revenue and use, of whom 5 % are held out; the programme adds
to what each would have paid, by an amount that depends on the customer, and costs money. The truth
is the sum over those who have it. Worlds are arrays in the form of `sql/value/units.sql`, half of
them with nothing planted. Belongs here: measuring.
"""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engagement_assets.governance.value.measures import HOLDOUT, PROGRAMME
from engagement_assets.governance.value.plan import RETENTION, REVENUE, ROI, read_plan
from engagement_assets.governance.value.programme import measure_programme
from engagement_assets.learning.markdown import table

FIRST, LAST = date(2025, 6, 1), date(2026, 5, 31)
HELD_OUT = 0.05
# Seeds from this one on were not looked at while the measures were made.
FIRST_SEED = 10_000
# What the programme adds to a customer's revenue of a year, in USD, at the mean.
GAIN = 8.0
SAVED = 0.05
OFFER_USD, OFFERED = 2.0, 0.2


def world(customers: int, seed: int, *, gain: float, saved: float) -> tuple[pd.DataFrame, float]:
    """Customers of a holdout, and the incremental revenue of those who are not held out."""
    rng = np.random.default_rng(seed)
    n = customers
    out = rng.random(n) < HELD_OUT
    use = rng.gamma(0.8, 1.25, n)
    pays = rng.random(n) < 0.35
    without = pays * use * rng.lognormal(3.0, 0.9, n)
    # who uses the app more gains more, and some gain nothing
    adds = gain * use * (rng.random(n) < 0.5) * 2.0
    revenue = without + np.where(out, 0.0, adds)
    stays = rng.random(n) < np.clip(0.35 + 0.25 * np.minimum(use, 1.5) + saved * ~out, 0, 1)
    sessions = rng.poisson(25 * use)
    joined = pd.Series(pd.Timestamp(FIRST) + pd.to_timedelta(rng.integers(-200, 200, n), "D"))
    age = rng.uniform(18, 75, n)
    rows = pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(n)],
            "variant": np.where(out, HOLDOUT, PROGRAMME),
            "propensity": np.where(out, HELD_OUT, 1 - HELD_OUT),
            "assigned_at": joined,
            "counted_from": joined.clip(lower=pd.Timestamp(FIRST)),
            "retained": stays.astype(float),
            "revenue_usd": revenue,
            "sessions": sessions.astype(float),
            "session_minutes": sessions * rng.lognormal(2.0, 0.3, n),
            "engagement": np.clip(use / 8, 0, 1),
            "notifications": np.where(out, 0, rng.poisson(30, n)).astype(float),
            "actions": 0.0,
            "offers_usd": np.where(out, 0.0, OFFER_USD * (rng.random(n) < OFFERED)),
            "sessions_before": np.where(joined < pd.Timestamp(FIRST), rng.poisson(6 * use), 0.0),
            "revenue_before_usd": 0.0,
            "birth_date": joined - pd.to_timedelta(age * 365.25, "D"),
            "gender": rng.choice(["female", "male"], n),
            "location": rng.choice(["north", "south", "west"], n),
        }
    )
    return rows, float(adds[~out].sum())


def measured(rows: pd.DataFrame) -> dict[str, Any]:
    """The programme's rows by metric."""
    plan = read_plan()
    value = measure_programme(
        plan.model_copy(update={"capabilities": ()}),
        holdout="global_holdout",
        units=lambda _: rows,
        decisions=lambda _: rows,
        first_day=FIRST,
        last_day=LAST,
    )
    return {row.metric: row for row in value.rows}


def worlds(runs: int, customers: int) -> list[dict[str, Any]]:
    """Coverage and verdicts over worlds with an effect, and with none."""
    found = []
    for planted, gain, saved in (("an effect", GAIN, SAVED), ("nothing", 0.0, 0.0)):
        covered = once = effects = pays = kept = 0
        widths = []
        for run in range(runs):
            rows, truth = world(customers, FIRST_SEED + run, gain=gain, saved=saved)
            of = measured(rows)
            revenue = of[REVENUE]
            covered += revenue.total_low <= truth <= revenue.total_high
            once += revenue.low <= truth / revenue.units_with <= revenue.high
            effects += revenue.verdict != "no effect shown"
            kept += of[RETENTION].verdict != "no effect shown"
            pays += of[ROI].verdict == "better"
            widths.append(revenue.anytime_high - revenue.anytime_low)
        found.append(
            {
                "planted": planted,
                "worlds": runs,
                "customers": customers,
                "covered": covered,
                "covered at one look": once,
                "effect on revenue shown": effects,
                "effect on retention shown": kept,
                "return shown above 0": pays,
                "width, USD a customer": float(np.mean(widths)),
            }
        )
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = {"worlds": worlds(options.runs, options.customers)}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    head = list(figures["worlds"][0])
    rows = [
        [f"{row[name]:.2f}" if isinstance(row[name], float) else row[name] for name in head]
        for row in figures["worlds"]
    ]
    print(table(head, rows))


if __name__ == "__main__":
    main()
