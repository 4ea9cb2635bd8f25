"""Whether the holdout's interval covers the incremental revenue that was planted.

    python -m benchmarks.value [--runs 100] [--customers 20000] [--simulated 20] [--json FILE]

Each world has customers with skewed revenue and use, of whom 5 % are held out; the programme adds
to what each would have paid, by an amount that depends on the customer, and costs money. The truth
is the sum over those who have it. Worlds are arrays in the form of `sql/value/units.sql`, half of
them with nothing planted. Beside them small worlds of the simulator go through the tables and the
SQL, with all causes and with `strength` 0, in which all but `premium_upgrade` is done in vain;
their truth is `truth_programme`. Belongs here: measuring.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from engagement_assets.governance.tables import KNOWN_TABLES
from engagement_assets.governance.value.assets import ProgrammeResource
from engagement_assets.governance.value.measures import HOLDOUT, NO_EFFECT, PROGRAMME
from engagement_assets.governance.value.plan import RETENTION, REVENUE, ROI, read_plan
from engagement_assets.governance.value.programme import measure_programme
from engagement_assets.learning.markdown import table
from engagement_assets.settings.installation import PROJECT
from engagement_assets.source.contract import TABLES
from engagement_assets.source.known import product_sql
from engagement_assets.source.simulator import Simulator
from engagement_assets.source.simulator.causes import CAUSES, Causes
from resources.days import days_between
from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.tables import by_sql_name

FIRST, LAST = date(2025, 6, 1), date(2026, 5, 31)
HELD_OUT = 0.05
# Seeds from this one on were not looked at while the measures were made.
FIRST_SEED = 10_000
# What the programme adds to a customer's revenue of a year, in USD, at the mean.
GAIN = 8.0
SAVED = 0.05
OFFER_USD, OFFERED = 2.0, 0.2
# of a simulated world: 5 % held out are enough to be judged
CUSTOMERS, DAYS = 3_000, 120
TABLES_READ = (
    "customers", "experiment_assignments", "sessions", "transactions", "notifications",
    "action_log", "retention_offers",
)  # fmt: skip
# everything is done in vain, but that `premium_upgrade` keeps its effect
VAIN = replace(CAUSES, strength=0.0)


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
    result = []
    for planted, gain, saved in (("an effect", GAIN, SAVED), ("nothing", 0.0, 0.0)):
        covered = once = effects = pays = kept = 0
        widths = []
        for run in range(runs):
            rows, truth = world(customers, FIRST_SEED + run, gain=gain, saved=saved)
            of = measured(rows)
            revenue = of[REVENUE]
            covered += revenue.total_low <= truth <= revenue.total_high
            once += revenue.low <= truth / revenue.units_with <= revenue.high
            effects += revenue.verdict != NO_EFFECT
            kept += of[RETENTION].verdict != NO_EFFECT
            pays += of[ROI].verdict == "better"
            widths.append(revenue.anytime_high - revenue.anytime_low)
        result.append(
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
    return result


def simulated(seed: int, causes: Causes) -> tuple[dict[str, Any], float]:
    """The programme's rows in a world of the simulator, and its true incremental revenue."""
    simulator = Simulator(customers=CUSTOMERS, seed=seed, first_day=FIRST, days=DAYS, causes=causes)
    last = FIRST + timedelta(days=DAYS - 1)
    parts: dict[str, list[pa.Table]] = {name: [] for name in TABLES_READ}
    for day in days_between(FIRST, last):
        made = simulator.day(day)
        for name in TABLES_READ:
            parts[name].append(made[name])
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder)
        for name, tables in parts.items():
            rows = pa.concat_tables(tables)
            # what is late is known at the end: one partition is read as all of them
            lake.write(TABLES[name], rows, day=last)
        run = DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES), threads=1)
        settings = {"holdout_experiment": "global_holdout", "business_case": "", "seed": 0}
        read = ProgrammeResource(programme_days=DAYS, churn_window=30, **settings).readers(
            run, product_sql(PROJECT / "sql"), last
        )
        rows = replace(read, since=FIRST).units("global_holdout")
    truth = simulator.truth_programme(FIRST, last).to_pandas().set_index("customer_id")
    adds = truth["revenue_usd_programme"] - truth["revenue_usd_holdout"]
    having = rows.loc[rows["variant"] == PROGRAMME, "customer_id"]
    return measured(rows), float(adds.reindex(having).sum())


def simulated_worlds(runs: int) -> list[dict[str, Any]]:
    """Coverage and verdicts over small worlds of the simulator."""
    measured = []
    for planted, causes in (("all causes", CAUSES), ("premium_upgrade alone", VAIN)):
        covered = effects = judged = 0
        truths, estimates = [], []
        for run in range(runs):
            of, truth = simulated(FIRST_SEED + run, causes)
            revenue = of[REVENUE]
            if revenue.total is None:
                continue
            judged += 1
            covered += revenue.total_low <= truth <= revenue.total_high
            effects += revenue.verdict != NO_EFFECT
            truths.append(truth)
            estimates.append(revenue.total)
        measured.append(
            {
                "simulated with": planted,
                "worlds": runs,
                "judged": judged,
                "covered": covered,
                "effect on revenue shown": effects,
                "mean truth, USD": float(np.mean(truths)),
                "mean estimate, USD": float(np.mean(estimates)),
                "spread of the estimates, USD": float(np.std(estimates)),
            }
        )
    return measured


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--simulated", type=int, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = {
        "worlds": worlds(options.runs, options.customers) if options.runs else [],
        "simulated": simulated_worlds(options.simulated) if options.simulated else [],
    }
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    for part in figures.values():
        if part:
            head = list(part[0])
            rows = [
                [
                    f"{row[name]:,.2f}" if isinstance(row[name], float) else row[name]
                    for name in head
                ]
                for row in part
            ]
            print(table(head, rows) + "\n")


if __name__ == "__main__":
    main()
