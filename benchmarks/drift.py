"""False alarms of drift and volume over quiet days, and planted shifts that they see.

    python -m benchmarks.drift --json FILE [--customers 1500] [--quiet 60] [--seed 7]

Simulates a world, lands the features of a training snapshot and of the days after, and judges each
day against it as the checks do. Then it plants one shift after the other on the last day. Sparse,
tenure and weekend worlds that the simulator does not have are drawn beside. Belongs here:
measuring. Does not belong here: the checks.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks import stages
from engagement_assets.features.catalogue import CUSTOMER_FEATURES, FEATURES
from engagement_assets.features.drift import feature_drift
from engagement_assets.features.snapshot import land_snapshot
from engagement_assets.lifecycle.reports import table_markdown
from resources.checks import volume_outcome
from resources.drift import column_drift
from resources.lake import Lake
from resources.sql import SqlFolder

HISTORY_DAYS = 160
Change = Callable[[pd.Series, np.random.Generator], Any]


def _some(value: Any, share: float) -> Change:
    """Give a share of the customers another value."""
    return lambda values, rng: values.mask(rng.random(len(values)) < share, value)


# the feature that is changed on the last day, and how
PLANTED: dict[str, tuple[str, Change]] = {
    "nobody pays any more": ("transaction_revenue_month", lambda v, _: v * 0),
    "payments in cents": ("transaction_revenue_month", lambda v, _: v * 100),
    "revenue to date in cents": ("revenue_to_date_usd", lambda v, _: v * 100),
    "half of the sessions lost": ("logins_month", lambda v, _: v // 2),
    "scroll depth null for a third": ("scroll_depth_avg", _some(np.nan, 0.33)),
    "seconds for minutes": ("session_minutes_month", lambda v, _: v * 60),
    "a fifth of the sign-up dates is today": ("tenure_days", _some(0, 0.2)),
    "connections forgotten": ("connection_count", lambda v, _: v * 0),
    "trust lost for a third": ("trust_score", _some(0.0, 0.33)),
    "sessions forgotten for a third": ("days_since_last_login", _some(400, 0.33)),
    "another device for a third": ("primary_device", _some("tv", 0.33)),
    "no gigs any more": ("gig_applications_month", lambda v, _: v * 0),
}


def snapshots(options: Any, folder: str) -> dict[date, pa.Table]:
    """Simulate a world and return the features of the reference and of the days after it."""
    options.lake, options.days = folder, HISTORY_DAYS + options.quiet
    stages.stage_simulate(options)
    run, sql = stages.engine(options), SqlFolder(stages.SQL)
    made = {}
    for back in range(options.quiet, -1, -1):
        day = stages.end(options) - timedelta(days=back)
        land_snapshot(run, sql, day)
        made[day] = Lake(folder).read(CUSTOMER_FEATURES, days=[day])
    return made


def moved(reference: pa.Table, current: pa.Table, *, elapsed: int) -> list[str]:
    """Return the features that have drifted."""
    drifts = feature_drift(reference, current, elapsed_days=elapsed, history_days=HISTORY_DAYS)
    return [name for name, drift in drifts.items() if drift.beyond]


def quiet_days(made: dict[date, pa.Table]) -> dict[str, Any]:
    """Count the days on which a feature is taken for drifted, as now and by the calendar-blind."""
    (first, reference), *later = made.items()
    alarms: Counter[str] = Counter()
    blind: Counter[str] = Counter()
    days = {"now": 0, "blind": 0}
    for day, table in later:
        names = moved(reference, table, elapsed=(day - first).days)
        plain = [n for n in FEATURES if over(reference.column(n), table.column(n))]
        alarms.update(names)
        blind.update(plain)
        days["now"] += bool(names)
        days["blind"] += bool(plain)
    return {"days": len(later), "with_alarm": days, "features": dict(alarms), "blind": dict(blind)}


def over(reference: Any, current: Any) -> bool:
    """Return whether the index of a column exceeds its limit, whatever the calendar did."""
    return column_drift(reference, current).beyond


def planted(made: dict[date, pa.Table]) -> list[dict[str, Any]]:
    """Plant one shift after the other on the last day."""
    (first, reference), *_, (day, current) = made.items()
    measured = []
    for name, (column, change) in PLANTED.items():
        table = current.to_pandas()
        table[column] = change(table[column], np.random.default_rng(0))
        shifted = pa.Table.from_pandas(table, schema=current.schema, safe=False)
        names = moved(reference, shifted, elapsed=(day - first).days)
        measured.append({"shift": name, "feature": column, "seen": column in names})
    return measured


def drawn_worlds(rows: int = 1000, seeds: int = 20) -> list[dict[str, Any]]:
    """Count how often columns that are 92 % zero are taken for drifted, quiet and shifted."""
    shifts: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
        "quiet": lambda r: payers(r, rows, 0.08, 10.0),
        "nobody pays": lambda _: np.zeros(rows),
        "a third as many pay": lambda r: payers(r, rows, 0.025, 10.0),
        "three times as many pay": lambda r: payers(r, rows, 0.24, 10.0),
        "payers pay four times as much": lambda r: payers(r, rows, 0.08, 40.0),
    }
    out = []
    for name, draw in shifts.items():
        seen = 0
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            seen += over(pd.Series(payers(rng, rows, 0.08, 10.0)), pd.Series(draw(rng)))
        out.append({"column of 92 % zeros": name, "taken for drifted": f"{seen} of {seeds}"})
    return out


def payers(rng: np.random.Generator, rows: int, share: float, scale: float) -> np.ndarray:
    """Draw amounts that are zero but for a share."""
    return np.where(rng.random(rows) < share, rng.gamma(2.0, scale, rows), 0.0)


def unchanged_base(rows: int = 1000, seeds: int = 20) -> list[dict[str, Any]]:
    """Count bases that nobody joins or leaves in which a feature is taken for drifted."""
    out = []
    for days in (7, 30, 60, 90):
        now, blind = 0, 0
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            tenure = rng.integers(0, 400, rows)
            rate = payers(rng, rows, 0.3, 0.5)
            idle = rng.integers(0, 300, rows)

            def snapshot(
                after: int,
                tenure: np.ndarray = tenure,
                rate: np.ndarray = rate,
                idle: np.ndarray = idle,
            ) -> pa.Table:
                seen = np.minimum(tenure + after + 1, HISTORY_DAYS + after)
                own = {
                    "customer_id": [str(n) for n in range(rows)],
                    "tenure_days": tenure + after,
                    "revenue_to_date_usd": rate * seen,
                    "days_since_last_login": np.where(idle < 30, idle, idle + after),
                    "trust_score": 0.3 * (1.0 - np.exp(-(tenure + after) / 180.0)) + 0.35,
                }
                return pa.table({name: own.get(name, [None] * rows) for name in (*own, *FEATURES)})

            before, after = snapshot(0), snapshot(days)
            now += bool(moved(before, after, elapsed=days))
            blind += any(
                over(before.column(name), after.column(name))
                for name in FEATURES
                if before.column(name).null_count < rows
            )
        out.append(
            {
                "days after the reference, nobody joins": days,
                "bases with an alarm": f"{now} of {seeds}",
                "without the calendar": f"{blind} of {seeds}",
            }
        )
    return out


def volumes(seeds: int = 20, days: int = 60) -> list[dict[str, Any]]:
    """Count days that the volume check takes for odd in an app for offices, quiet and not."""
    start, out = date(2024, 5, 6), []
    shifts = {"quiet": 1.0, "half of the feed twice over": 3.0, "a third of the feed": 0.33}
    shifts["nothing"] = 0.0
    for name, factor in shifts.items():
        alarms = judged = 0
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            rows = {
                day: int(rng.poisson(1000 if day.weekday() < 5 else 40))
                for day in (start + timedelta(days=n) for n in range(28 + days))
            }
            for day in list(rows)[28:]:
                if factor != 1.0 and day.weekday() >= 5:
                    continue
                odd = rows | {day: int(rows[day] * factor)}
                alarms += bool(volume_outcome(odd, day).problem)
                judged += 1
        out.append({"days of an office app": name, "alarms": alarms, "days": judged})
    return out


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1500)
    parser.add_argument("--quiet", type=int, default=60, help="days after the reference")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = snapshots(options, folder)
    figures = {
        "customers": options.customers,
        "quiet": quiet_days(made),
        "planted": planted(made),
        "sparse": drawn_worlds(),
        "unchanged": unchanged_base(),
        "volume": volumes(),
    }
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    quiet = figures["quiet"]
    print(f"{options.customers:,} customers, {quiet['days']} quiet days after the reference: ")
    print(f"days with an alarm {quiet['with_alarm']}; features {quiet['features']}; ")
    print(f"without the calendar {quiet['blind']}\n")
    for part in ("planted", "sparse", "unchanged", "volume"):
        print(table_markdown(pd.DataFrame(figures[part])) + "\n")


if __name__ == "__main__":
    main()
