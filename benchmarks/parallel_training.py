"""The `training` job one model after another, and several at once: which is faster here.

    python -m benchmarks.parallel_training --home HOME --processes 1 2

Over a home that `make run` made. Belongs here: measuring. Does not belong here: the default
(`engagement_assets.settings.installation`).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TRAIN = """
import sys, time
from engagement_assets.commands.homes import prepare_home
from engagement_assets.settings.installation import Settings
from pathlib import Path
settings = Settings.load(Path(sys.argv[1])).with_values(training_processes=int(sys.argv[2]))
prepare_home(settings)
import dagster as dg
from engagement_assets.models.specs import MODELS
from engagement_assets.commands.runner import Runner
with dg.DagsterInstance.get() as instance:
    runner = Runner(instance, time.monotonic())
    config = {"config": {"as_of": settings.end.isoformat()}}
    runner.run("training", ops={f"{spec.name}__model": config for spec in MODELS})
"""


def main() -> None:
    """Time the job for each number of processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="a home to train in; a new one when left out")
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder) / "home"
        if options.home is None:
            make = ["run", "--home-dir", str(home), "--customers", str(options.customers)]
            subprocess.run(  # noqa: S603 - the project's own command
                [sys.executable, "-m", "engagement_assets.commands", *make],
                check=True,
                capture_output=True,
            )
        seconds = {count: timed(home, count) for count in options.processes}
    if options.json:
        options.json.write_text(json.dumps(seconds, indent=1))


def timed(home: Path, processes: int) -> float:
    """Seconds of one training with so many models at once."""
    began = time.perf_counter()
    done = subprocess.run(  # noqa: S603 - the text above
        [sys.executable, "-c", TRAIN, str(home.resolve()), str(processes)],
        check=False,
        capture_output=True,
        text=True,
    )
    spent = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    how = "one after another, one process" if processes == 1 else f"{processes} at once"
    print(f"| all models and the ensemble, {how} | {spent:.1f} s |", flush=True)
    return spent


if __name__ == "__main__":
    main()
