"""Forecasts of the simulated world and of the public Peyton Manning log.

    python -m benchmarks.forecast                              # 1,000 customers, 500 origins
    python -m benchmarks.forecast --customers 500 --runs 200   # fewer origins
    python -m benchmarks.forecast --part breaks                # one part of it
    python -m benchmarks.forecast --lake FOLDER                # besides, what it costs over a lake

The world's days are made and counted here; every origin sees what was known then, and its weights
and intervals are of earlier origins. What the world expects of a day is known (`truth_engagement`).
Prophet alone is fitted at each of the origins that it is compared at. The log comes from
`shared/data/forecast`; it is left out where that is not there. Level shifts are looked for in made
series with and without one, and in a world of the default size, whose shift is planted. The parts
run beside each other, each in a process.

Belongs here: measuring. Does not belong here: forecasting.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engagement_assets.features.tables import KNOWN_TABLES
from engagement_assets.learning.forecasting.breaks import FALSE_ALARMS, level_shifts
from engagement_assets.learning.forecasting.calendars import Calendar, effects
from engagement_assets.learning.forecasting.combination import block_interval
from engagement_assets.learning.forecasting.forecaster import Forecaster
from engagement_assets.learning.forecasting.methods import History, ProphetMethod
from engagement_assets.learning.forecasting.panel import Sums, panel_of
from engagement_assets.learning.forecasting.replay import COMBINED, NAIVE, figures
from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.models.forecast.adapter import ForecastAdapter
from engagement_assets.models.forecast.capacity import exceedance, hour_scores
from engagement_assets.models.forecast.series import (
    SIMULATED_CALENDAR,
    daily_series,
    parts_of,
    regions_of,
    split_name,
    sums_of,
)
from engagement_assets.models.forecast.spec import SPEC
from engagement_assets.models.segments.tables import NONE
from engagement_assets.source.known import product_sql
from engagement_assets.source.readers import SimulatedReader
from engagement_assets.source.simulator import VARIANTS, Simulator
from engagement_assets.source.simulator.seasons import SHIFT_AT
from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.tables import by_sql_name

ROOT = Path(__file__).resolve().parents[1]
PEYTON = ROOT / ".." / "shared" / "data" / "forecast" / "peyton_manning.csv"
FIRST, SEED, HORIZON, SEASON = date(2023, 1, 1), 7, 7, 7
BEFORE = 365
PARTS = ("world", "peyton", "breaks")
# The world in which a planted shift is looked for: the default size, and about a year.
SHIFT_CUSTOMERS, SHIFT_DAYS = 10_000, 300
METRICS = ("engagement", "sessions")
_LONG = "unknown"


def world_days(customers: int, days: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Count a world's days: cells as the platform reads them, hours, expected engagement."""
    world = Simulator(
        customers=customers, seed=SEED, first_day=FIRST, days=days, causes=VARIANTS["causes"]
    )
    location: dict[str, str] = {}
    cells, hours, expected = [], np.zeros((days, 24)), np.zeros(days)
    for number in range(days):
        if number % 100 == 0:
            print(f"day {number} of {days}, {customers:,} customers", file=sys.stderr, flush=True)
        day = FIRST + timedelta(days=number)
        tables = world.day(day)
        people = tables["customers"].select(["customer_id", "location"]).to_pydict()
        location |= dict(zip(people["customer_id"], people["location"], strict=True))
        sessions = tables["sessions"].to_pandas()
        acts = pd.concat(
            [
                tables[name].select(["customer_id"]).to_pandas()
                for name in ("interactions", "messages", "posts", "event_joins")
            ]
        )["customer_id"].value_counts()
        by = sessions.sort_values("occurred_at").groupby("customer_id")
        used = pd.DataFrame(
            {
                "minutes": by["duration_seconds"].sum() / 60.0,
                "sessions": by.size().astype(float),
                "device": by["device"].first(),
            }
        )
        used["actions"] = acts.reindex(used.index, fill_value=0)
        used["engagement"] = 1.0 - np.exp(-(used["minutes"] / 30.0 + used["actions"] / 10.0))
        used["location"] = [location.get(name) or _LONG for name in used.index]
        used["device"] = used["device"].fillna(_LONG)
        cell = used.groupby(["location", "device"])[list(METRICS)].sum().reset_index()
        cells.append(cell.assign(day=pd.Timestamp(day), segment=NONE))
        at = sessions["occurred_at"].dt.hour.value_counts()
        hours[number, at.index] = at.to_numpy()
        expected[number] = np.sum(
            world.truth_engagement(day).column("expected_engagement").to_numpy()
        )
    return pd.concat(cells, ignore_index=True), hours, expected


def of_world(customers: int, origins: int) -> dict[str, Any]:
    """Errors, coverage and hours over many origins of one world."""
    days = BEFORE + origins + HORIZON + 27
    cells, hours, expected = world_days(customers, days)
    parts = parts_of(cells)
    last = FIRST + timedelta(days=days - 1)
    model = Forecaster(horizon=HORIZON, origins=origins + 27, random_state=SEED)
    began = time.monotonic()
    model.fit(
        daily_series(cells, parts, METRICS, last=last),
        sums=sums_of(parts, METRICS),
        calendar=Calendar.read(SIMULATED_CALENDAR, first=FIRST, last=last + timedelta(days=7)),
        regions=regions_of(parts, METRICS),
    )
    seconds = time.monotonic() - began
    replay = model.replay_
    made = figures(replay, model.groups, horizon=HORIZON, season=SEASON, seed=SEED)
    ahead = replay.origins[replay.first :, None] + 1 + np.arange(HORIZON)
    point = replay.point[model.names_.index("engagement"), replay.first :]
    # late rows are counted on the day they are recorded, for forecast and truth alike
    off = np.abs(point - expected[ahead]) / expected[ahead]
    scores = hour_scores(hours, replay.point[model.names_.index("sessions")], replay.origins)
    return {
        "customers": customers,
        "origins": len(replay.origins),
        "judged_origins": made["judged_origins"],
        "series": len(model.names_),
        "seconds": seconds,
        "totals": [
            {
                "metric": name,
                "errors": errors,
                "best": made["best"][name],
                "beside_naive": errors[COMBINED] / errors[NAIVE],
                "beside_best": errors[COMBINED] / errors[made["best"][name]],
                "off_best": made["advantage"][name][made["best"][name]],
                "off_naive": made["advantage"][name][NAIVE],
            }
            for name, errors in made["methods"].items()
            if split_name(name)[1] == "total" and not name.startswith("parts")
        ],
        "parts": {
            name: errors for name, errors in made["methods"].items() if name.startswith("parts")
        },
        "earned": {name: one.to_dict()["earned"] for name, one in model.weights_.items()},
        "from_expected": block_interval(off.mean(axis=1), seed=SEED).to_dict(),
        "coverage": made["coverage"],
        "hours_exceeded": exceedance(scores)[0],
        "shifts": {n: [one.to_dict() for one in there] for n, there in model.shifts_.items()},
    }


def of_peyton(origins: int) -> dict[str, Any]:
    """Errors on the public log, weekly beside Prophet alone."""
    rows = pd.read_csv(PEYTON, parse_dates=["ds"])
    table = pd.DataFrame({"series": "views", "time": rows["ds"], "value": rows["y"]})
    model = Forecaster(horizon=HORIZON, origins=origins + 27, random_state=SEED).fit(table)
    replay = model.replay_
    weekly = np.arange(replay.first, len(replay.origins), SEASON)
    panel = panel_of(table)
    plain = effects(
        panel,
        Calendar(),
        horizon=HORIZON,
        season=SEASON,
        regions={},
        sums=Sums({}),
        until=len(panel.times),
    )
    history = History(panel, plain, panel.names, SEASON, HORIZON)
    places = [int(origin) for origin in replay.origins[weekly]]
    alone = ProphetMethod(refit=1, moved=False).forecast(history, [0], places, fit_until=0)[0]
    actual = replay.actual[0, weekly]
    naive = replay.each[replay.methods.index(NAIVE), 0, weekly]
    errors = {
        COMBINED: np.abs(replay.point[0, weekly] - actual).mean(axis=1),
        NAIVE: np.abs(naive - actual).mean(axis=1),
        "Prophet alone": np.abs(alone - actual).mean(axis=1),
    }
    how = {"seed": SEED, "block": 4}
    made = figures(replay, model.groups, horizon=HORIZON, season=SEASON, seed=SEED)
    return {
        "weekly_origins": len(weekly),
        "errors": {name: float(values.mean()) for name, values in errors.items()},
        "off_naive": block_interval(errors[NAIVE] - errors[COMBINED], **how).to_dict(),
        "off_prophet": block_interval(errors["Prophet alone"] - errors[COMBINED], **how).to_dict(),
        "coverage": made["coverage"]["all"],
        "scaled": made["methods"]["views"],
        "weights": dict(zip(replay.methods, model.weights_["views"].values.tolist(), strict=True)),
        "notes": model.notes_,
    }


def made_series(count: int, *, days: int, persistence: float, shift: float) -> np.ndarray:
    """Return series with a week, a year, growth and noise that persists; a shift after 60 %."""
    rng, t = np.random.default_rng(SEED), np.arange(days)
    noise = rng.normal(size=(count, days))
    for day in range(1, days):
        new = (1.0 - persistence**2) ** 0.5 * noise[:, day]
        noise[:, day] = persistence * noise[:, day - 1] + new
    year = 0.05 * np.cos(2.0 * np.pi * (t / 365.25 + rng.random((count, 1))))
    growth = rng.uniform(-0.1, 0.3, (count, 1)) * t / 365.25
    level = np.where(t >= round(0.6 * days), 1.0 + shift, 1.0)
    week = 0.1 * np.sin(2.0 * np.pi * t / SEASON)
    return 1_000.0 * (1.0 + week + year) * (1.0 + growth) * level * (1.0 + 0.03 * noise)


def of_breaks(count: int) -> dict[str, Any]:
    """False alarms, what of shifts of 8 % is detected, and the shift of a world."""
    rows = []
    for days in (200, 365, 730):
        times = pd.date_range(FIRST, periods=days)
        for persistence in (0.0, 0.3, 0.6):
            quiet, moved = (
                made_series(count, days=days, persistence=persistence, shift=shift)
                for shift in (0.0, 0.08)
            )
            alarms = [bool(level_shifts(one, times, season=SEASON)) for one in quiet]
            detected = [
                any(
                    abs((pd.Timestamp(shift.at) - times[round(0.6 * days)]).days) <= SEASON
                    for shift in level_shifts(one, times, season=SEASON)
                )
                for one in moved
            ]
            rows.append(
                {
                    "days": days,
                    "persistence": persistence,
                    "alarms": float(np.mean(alarms)),
                    "detected": float(np.mean(detected)),
                }
            )
    cells, _, _ = world_days(SHIFT_CUSTOMERS, SHIFT_DAYS)
    last = FIRST + timedelta(days=SHIFT_DAYS - 1)
    parts = parts_of(cells)
    panel = panel_of(daily_series(cells, parts, METRICS, last=last))
    usual = effects(
        panel,
        Calendar.read(SIMULATED_CALENDAR, first=FIRST, last=last + timedelta(days=HORIZON)),
        horizon=HORIZON,
        season=SEASON,
        regions=regions_of(parts, METRICS),
        sums=sums_of(parts, METRICS),
        until=SHIFT_DAYS,
    ).usual
    planted = FIRST + timedelta(days=round(SHIFT_AT * SHIFT_DAYS))
    world = {
        name: level_shifts(usual[panel.names.index(name)], panel.times, season=SEASON)
        for name in METRICS
    }
    misses = [
        abs((pd.Timestamp(one.at) - pd.Timestamp(planted)).days)
        for shifts in world.values()
        for one in shifts
    ]
    return {
        "stated": FALSE_ALARMS,
        "series": count,
        "rows": rows,
        "alarms": float(np.mean([row["alarms"] for row in rows])),
        "planted": planted.isoformat(),
        # all days where none was reported
        "days_off": min(misses, default=SHIFT_DAYS),
        "world": {name: [one.to_dict() for one in shifts] for name, shifts in world.items()},
    }


def of_lake(folder: str) -> dict[str, Any]:
    """Seconds of reading and learning all series of a lake."""
    lake = Lake(folder)
    there = lake.days("source/sessions")
    declared = (*KNOWN_TABLES, *SPEC.reads_of_others)
    inputs = Inputs(
        engine=DuckDBEngine(lake, declared=by_sql_name(declared), threads=2),
        sql=product_sql(ROOT / "sql"),
        registry=None,  # type: ignore[arg-type] # nothing of it is read
        first_day=there[0],
        parameters={"forecast_calendar": str(SIMULATED_CALENDAR), "sessions_a_unit": 500},
        threads=2,
        seed=SEED,
        bootstrap=100,
        judging={},
        reader=SimulatedReader(None, first_day=there[0], tables=frozenset()),  # type: ignore[arg-type] # as above
    )
    began, processor = time.monotonic(), time.process_time()
    trained = ForecastAdapter().train(inputs, Snapshots((there[-1],), there[-1]))
    return {
        "series": len(trained.model.forecaster.names_),
        "days": len(there),
        "seconds": time.monotonic() - began,
        "processor_seconds": time.process_time() - processor,
    }


def lines(made: Mapping[str, Any]) -> list[str]:
    """Return what is printed."""
    return [
        line
        for part, write in (
            ("world", _world_lines),
            ("peyton", _peyton_lines),
            ("breaks", _breaks_lines),
            ("lake", _lake_lines),
        )
        if part in made
        for line in ("", *write(made[part]))
    ][1:]


def _world_lines(world: Mapping[str, Any]) -> list[str]:
    text = [
        f"World: {world['customers']:,} customers, {world['series']} series, "
        f"{world['judged_origins']} judged of {world['origins']} origins, "
        f"{world['seconds']:.0f} s to learn",
        "",
        "| total | errors (MASE) | beside seasonal naive | best single | beside it |",
        "|---|---|---:|---|---:|",
    ]
    for row in world["totals"]:
        errors = ", ".join(f"{name} {value:.3f}" for name, value in row["errors"].items())
        text.append(
            f"| {row['metric']} | {errors} | {row['beside_naive']:.2f} | {row['best']} | "
            f"{row['beside_best']:.3f} |"
        )
    off, covered = world["from_expected"], world["coverage"]
    text += [
        "",
        f"Distance from the world's expected engagement: {off['value']:.2%} ({off['low']:.2%} to "
        f"{off['high']:.2%}); hours over their P95: {world['hours_exceeded']:.1%}",
        f"Coverage {covered['all']:.1%}; by horizon "
        f"{', '.join(f'{value:.1%}' for value in covered['by_horizon'])}; by weekday "
        f"{', '.join(f'{value:.1%}' for value in covered['by_phase'])}; on holidays "
        f"{covered['events']:.1%} of {covered['event_times']:,}",
    ]
    return text


def _peyton_lines(peyton: Mapping[str, Any]) -> list[str]:
    errors = ", ".join(f"{name} {value:.4f}" for name, value in peyton["errors"].items())
    return [
        f"Peyton Manning, {peyton['weekly_origins']} weekly origins, mean absolute error: "
        f"{errors}; taken off seasonal naive {_span(peyton['off_naive'])}, off Prophet alone "
        f"{_span(peyton['off_prophet'])}; coverage {peyton['coverage']:.1%}",
    ]


def _breaks_lines(breaks: Mapping[str, Any]) -> list[str]:
    text = [
        f"Level shifts, {breaks['series']} made series a line with noise of 3 %; one false alarm "
        f"in {1 / breaks['stated']:.0f} series is meant to be:",
        "",
        "| days | persistence | without a shift, one reported | of 8 %, detected within a week |",
        "|---:|---:|---:|---:|",
    ]
    text += [
        f"| {row['days']} | {row['persistence']} | {row['alarms']:.1%} | {row['detected']:.0%} |"
        for row in breaks["rows"]
    ]
    reported = "; ".join(
        f"{name}: "
        + (
            ", ".join(f"{one['at'][:10]} ({one['change']:+.1%})" for one in shifts)
            or "none reported"
        )
        for name, shifts in breaks["world"].items()
    )
    return [
        *text,
        "",
        f"World of {SHIFT_CUSTOMERS:,} customers and {SHIFT_DAYS} days, use 8 % higher from "
        f"{breaks['planted']} on: {reported}",
    ]


def _lake_lines(lake: Mapping[str, Any]) -> list[str]:
    return [
        f"Over the lake: {lake['series']} series of {lake['days']} days in "
        f"{lake['seconds']:.0f} s ({lake['processor_seconds']:.0f} s of processor time)",
    ]


def _span(one: Mapping[str, float]) -> str:
    return f"{one['value']:.4f} ({one['low']:.4f} to {one['high']:.4f})"


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS, help="one part; all by default")
    parser.add_argument("--customers", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=500, help="origins that are judged")
    parser.add_argument("--series", type=int, default=200, help="series a line of `breaks`")
    parser.add_argument("--lake", help="a lake with raw tables, for what it costs")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    wanted = [part for part in PARTS if options.part in (None, part)]
    if "peyton" in wanted and not PEYTON.exists():
        print(f"left out for want of {PEYTON}: Peyton Manning")
        wanted.remove("peyton")
    with ProcessPoolExecutor(min(len(wanted), os.cpu_count() or 1)) as processes:
        running = {
            "breaks": lambda: processes.submit(of_breaks, options.series),
            "peyton": lambda: processes.submit(of_peyton, min(options.runs, 360)),
            "world": lambda: processes.submit(of_world, options.customers, options.runs),
        }
        begun = {part: running[part]() for part in wanted}
        made: dict[str, Any] = {part: one.result() for part, one in begun.items()}
    if options.lake:
        made["lake"] = of_lake(options.lake)
    print("\n".join(lines(made)))
    if options.json:
        options.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
