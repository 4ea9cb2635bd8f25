"""Wall time of `make run` on public data as sources, and what each model came to.

    python -m benchmarks.whole_sources --data ../shared/data

Takes the example mappings of `sql/source/` whole: ingestion, features, every model, publishing.
Belongs here: what a user with such tables waits for and gets. Does not belong here: how good a
model is (`benchmarks.deskdrop`, `benchmarks.movielens`).
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from engagement_assets.models.specs import MODELS

SOURCES = {"deskdrop": "deskdrop", "movielens": "movielens-100k"}
CHAMPION = re.compile(r"^ {2}(\w+) +[0-9a-f]{16},")
NOT_SERVED = re.compile(r"^ {2}(\w+) +(nothing serves.*)$")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--json", help="write the figures here too")
    options = parser.parse_args()
    figures = {name: run(name, options.data / folder) for name, folder in SOURCES.items()}
    print("| source | wall time | CPU time | served | not served |\n|---|---:|---:|---|---|")
    for name, made in figures.items():
        why = "; ".join(f"{model}: {reason}" for model, reason in made["not served"].items())
        served = ", ".join(made["served"])
        print(f"| {name} | {made['wall']:.0f} s | {made['cpu']:.0f} s | {served} | {why} |")
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1))


def run(source: str, data: Path) -> dict[str, object]:
    """Run the product on a source from an empty home.

    Raises:
        FileNotFoundError: The folder of the source is not there.
        subprocess.CalledProcessError: The run failed.
        ValueError: Its summary does not name every model.
    """
    if not data.is_dir():
        raise FileNotFoundError(f"{data} is not there; --data names the folder of public data")
    with tempfile.TemporaryDirectory() as home:
        given = ["--source", source, "--source-data", str(data.resolve()), "--home-dir", home]
        before, began = os.times(), time.perf_counter()
        done = subprocess.run(  # noqa: S603 - the product itself
            [sys.executable, "-m", "engagement_assets.commands", "run", *given],
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        after = os.times()
    wall, lines = time.perf_counter() - began, done.stdout.splitlines()
    served = [match[1] for line in lines if (match := CHAMPION.match(line))]
    others = {match[1]: match[2] for line in lines if (match := NOT_SERVED.match(line))}
    passed_over = {spec.name for spec in MODELS} - {*served, *others}
    if passed_over:
        raise ValueError(f"the summary says nothing of {', '.join(sorted(passed_over))}")
    cpu = sum(after[2:4]) - sum(before[2:4])
    return {"wall": wall, "cpu": cpu, "served": served, "not served": others}


if __name__ == "__main__":
    main()
