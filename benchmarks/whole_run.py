"""One `make run` from an empty home and the daily job after it, by stage and by asset.

    python -m benchmarks.whole_run --customers 100000              # in a home of its own
    python -m benchmarks.whole_run --home HOME                     # what the records of a home say
    python -m benchmarks.whole_run --home HOME --daily 2026-11-29  # besides, the next day's job
    python -m benchmarks.whole_run --home HOME --run               # go on in a home

The walls are those of Dagster's own records, so that they are what a user waited for; a run that
was given twice is counted twice. Belongs here: reading the records. Does not belong here: single
stages outside Dagster (`stages.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from engagement_assets.commands.homes import prepare_home
from engagement_assets.settings.installation import HOME_VARIABLE, Settings

# Job by its name or the beginning of it, and the stage it belongs to.
STAGES = {
    "ingest": "taking in",
    "text_scores": "scoring texts of history",
    "signals": "signals of snapshots",
    "features": "features of snapshots",
    "label_": "labels",
    "training": "training",
    "train_": "training",
    "fairness_overview": "training",
    "predictions": "predictions and publishing",
    "weekly_training": "weekly models and network",
    "network_insights": "weekly models and network",
    "value": "measured value",
    "daily": "daily job",
}
# From a lake that was taken in to published predictions.
TO_PUBLISHED = (
    "scoring texts of history",
    "signals of snapshots",
    "features of snapshots",
    "labels",
    "training",
    "predictions and publishing",
)
SHOWN = 25
EXECUTE = ["-m", "dagster", "job", "execute", "-m", "engagement_assets.definitions"]
DAILY = [
    "-m",
    "dagster",
    "job",
    "execute",
    "-m",
    "engagement_assets.definitions",
    "-j",
    "daily",
    "--tags",
]


def main() -> None:
    """Run what is asked for, and print what the records say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--home", type=Path, help="a home after `make run`; made when left out")
    parser.add_argument("--run", action="store_true", help="go on with `make run` in that home")
    parser.add_argument("--daily", type=date.fromisoformat, help="run the daily job of this day")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as text:
        home, daily = options.home, options.daily
        figures: dict[str, Any] = {}
        given: list[str] = []
        if home is None:
            home, last = Path(text) / "home", date.today() - timedelta(days=2)
            world = {"customers": options.customers, "days": options.days, "date": last}
            given = [word for name, value in world.items() for word in (f"--{name}", str(value))]
            daily = daily or last + timedelta(days=1)
        if options.home is None or options.run:
            ran = ["-m", "engagement_assets.commands", "run", *given, "--home-dir", str(home)]
            figures["run"] = timed([sys.executable, *ran])
        open_home(home, daily)
        if daily is not None:
            tags = json.dumps({"dagster/partition": daily.isoformat()})
            figures["daily"] = timed([sys.executable, *EXECUTE, "-j", "daily", "--tags", tags])
        figures |= records(home)
    show(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def open_home(home: Path, last_day: date | None) -> None:
    """Make a home the one of this process and of those that it starts, until a day."""
    os.environ[HOME_VARIABLE] = str(home)
    settings = Settings.load(home)
    prepare_home(settings if last_day is None else settings.with_values(last_day=last_day))


def timed(command: Sequence[str]) -> dict[str, Any]:
    """Run a command to its end; its wall in seconds and the peak memory of its processes."""
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - the product itself
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {"seconds": time.monotonic() - began, "peak_gib": peak / 2**20}


def records(home: Path) -> dict[str, Any]:
    """Seconds by stage and by step, of the runs that ended well."""
    stages: dict[str, float] = defaultdict(float)
    steps: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    with dg.DagsterInstance.from_config(str(home / "dagster_home")) as instance:
        for run in instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS])):
            job = run.dagster_run.job_name
            stage = next((s for name, s in STAGES.items() if job.startswith(name)), job)
            if run.start_time and run.end_time:
                stages[stage] += run.end_time - run.start_time
            for step in instance.get_run_step_stats(run.dagster_run.run_id):
                if step.start_time and step.end_time:
                    steps[stage][step.step_key] += step.end_time - step.start_time
    return {"stages": dict(stages), "steps": {name: dict(each) for name, each in steps.items()}}


def show(figures: dict[str, Any]) -> None:
    """Print the stages and the dearest steps."""
    for name in ("run", "daily"):
        if name in figures:
            one = figures[name]
            print(f"{name}: {one['seconds']:.0f} s, peak memory {one['peak_gib']:.1f} GiB\n")
    stages = figures["stages"]
    print("| stage | seconds |\n|---|---:|")
    for name in dict.fromkeys([*STAGES.values(), *stages]):
        if name in stages:
            print(f"| {name} | {stages[name]:.0f} |")
    published = sum(stages.get(name, 0.0) for name in TO_PUBLISHED)
    print(f"| from the lake to published predictions | {published:.0f} |")
    print("\n| stage | step | seconds |\n|---|---|---:|")
    every = [
        (seconds, s, step) for s, each in figures["steps"].items() for step, seconds in each.items()
    ]
    for seconds, stage, step in sorted(every, reverse=True)[:SHOWN]:
        print(f"| {stage} | `{step}` | {seconds:.0f} |")


if __name__ == "__main__":
    main()
