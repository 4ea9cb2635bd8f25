"""Whether a fresh default run ends with every model serving, over pairs of seed and date.

    python -m benchmarks.default_runs --json benchmarks/results/default_runs.json

Each pair is a whole run of the command line on a new home of 1,500 customers (about four minutes on
two cores), whose home is removed afterwards. The JSON file is written when a pair is done, and
pairs that stand there are not run again, so it may be stopped at any time. Every refusal is written
with its gap and what the truth gives that group. Belongs here: running and summing up. Does not
belong here: the rule (`engagement_assets.learning.fairness`).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from resources.registry import ModelRegistry

CUSTOMERS = 1_500
LAST = date(2026, 11, 26)
APART = timedelta(days=17)
LAST_CHARACTERS = 4_000


def main() -> None:
    """Run the pairs that are not done and sum up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="the pairs that are done")
    parser.add_argument("--pairs", type=int, default=20)
    options = parser.parse_args()
    done = json.loads(options.json.read_text()) if options.json.exists() else []
    with tempfile.TemporaryDirectory() as folder:
        for pair in range(options.pairs):
            if all(line["pair"] != pair for line in done):
                done.append(run(pair, Path(folder) / f"pair-{pair}"))
                options.json.write_text(json.dumps(done, indent=1) + "\n")
                print(f"pair {pair} is done", file=sys.stderr, flush=True)
    print(summary(done))


def run(pair: int, home: Path) -> dict[str, Any]:
    """Run one pair and say what serves."""
    seed, last = pair, LAST - pair * APART
    shutil.rmtree(home, ignore_errors=True)
    began = time.monotonic()
    made = subprocess.run(  # noqa: S603 - this project's own command
        [
            sys.executable,
            "-m",
            "engagement_assets.commands",
            "run",
            *("--customers", str(CUSTOMERS)),
            *("--seed", str(seed)),
            *("--date", last.isoformat()),
            *("--home-dir", str(home)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    models = {
        path.parent.parent.name: verdict(path, ModelRegistry(home / "registry"))
        for path in sorted((home / "reports").glob("*/fairness/report.json"))
        if path.parent.parent.name != "governance"
    }
    able = {name: model for name, model in models.items() if model["verdict"] != "not trained"}
    line = {
        "pair": pair,
        "seed": seed,
        "date": last.isoformat(),
        "exit_status": made.returncode,
        "seconds": round(time.monotonic() - began),
        "not_serving": [name for name, model in able.items() if not model["serves"]],
        "overview": (home / "reports" / "governance" / "fairness" / "report.json").exists(),
        "models": models,
        "said": made.stderr[-LAST_CHARACTERS:] if made.returncode or not models else "",
    }
    shutil.rmtree(home, ignore_errors=True)
    return line


def verdict(path: Path, registry: ModelRegistry) -> dict[str, Any]:
    """What a model's fairness report says, and whether the model serves."""
    name, figures = path.parent.parent.name, json.loads(path.read_text())
    if "not_trained" in figures:
        return {"verdict": "not trained", "reason": figures["not_trained"], "serves": False}
    report = figures["report"]
    return {
        "verdict": report["verdict"],
        "tests": report["tests"],
        "failures": [row for row in report["rows"] if row["fails"]],
        "power": report["power"],
        "serves": registry.champion(name) is not None,
    }


def summary(done: list[dict[str, Any]]) -> str:
    """Every refusal with its gap, and how many runs end with every model serving, as Markdown."""
    out = [
        "| seed | last day | exit status | not serving | refused | fairness |",
        "|--:|---|--:|---|---|---|",
    ]
    for line in done:
        refused = [
            f"{name}: {row['side']} by {row['attribute']}={row['group']}, {row['measure']} "
            f"{row['reason']}, due by the truth {row['due']}, p {row['p_value']:.2g}"
            for name, model in line["models"].items()
            for row in model.get("failures", [])
        ]
        verdicts = ", ".join(f"{name} {model['verdict']}" for name, model in line["models"].items())
        out.append(
            f"| {line['seed']} | {line['date']} | {line['exit_status']} | "
            f"{', '.join(line['not_serving']) or 'none'} | {'; '.join(refused) or 'none'} | "
            f"{verdicts} |"
        )
    good = sum(not line["not_serving"] and not line["exit_status"] for line in done)
    minutes = sum(line["seconds"] for line in done) / 60
    return "\n".join(
        [
            *out,
            "",
            f"{good} of {len(done)} runs end with every model serving; {minutes:.0f} minutes in "
            "all, which the time above leaves out for runs that were done before.",
        ]
    )


if __name__ == "__main__":
    main()
