"""Break the platform on purpose, and count what noticed it, what did no harm and what fell.

    python -m benchmarks.break_it --only attacks --home HOME   # all but kills, a home with models
    python -m benchmarks.break_it --only kills --kills 30      # a world of its own
    python -m benchmarks.break_it --only daily --kills 9       # three days, killed in between

Flipped bits, hostile requests at a running `make serve`, odd settings and odd inputs of estimators
are in `break_it_attacks.py`, damaged files of state and hostile questions in `break_it_files.py`.
Kills: a run is killed at random moments and given again until it has
ended; then every Parquet file, version of a model and document must be that of a run that was left
alone. Belongs here: kills, and the table. Does not belong here: the other attacks.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks import break_it_attacks as attacks
from benchmarks import break_it_files
from benchmarks.small_world import documents

LAST_DAY = date(2026, 11, 20)
WORLD = {"SEED": "3", "WORLD": "plain", "BOOTSTRAP": "20", "THREADS": "1", "TIMING_UPDATES": "20"}
DAILY = 3
# As often a run is killed on the way to its end, at least.
KILLS_A_RUN = 4
# Of a home, beside its lake; Dagster's records and times differ from run to run.
SHOWN = 5


def main() -> None:
    """Make the attacks and print what came of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="a home with models; made when left out")
    parser.add_argument("--only", action="append", choices=[*ATTACKS, *KILLS, UNKILLED])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--customers", type=int, default=400, help="of a world that is made")
    parser.add_argument("--days", type=int, default=95)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    asked = options.only or [UNKILLED, *KILLS]
    if UNKILLED in asked:
        asked = [*ATTACKS, *(name for name in asked if name in KILLS)]
    WORLD.update(CUSTOMERS=str(options.customers), DAYS=str(options.days))
    figures: dict[str, Any] = {}
    print("| attack | tries | outcomes | fell |\n|---|---:|---|---:|", flush=True)
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        home = options.home
        if home is None and {"flips", "requests", "questions"} & set(asked):
            home = folder / "home"
            undisturbed(home, [LAST_DAY])
        for name in asked:
            began = time.monotonic()
            if name in KILLS:
                days = [LAST_DAY + timedelta(days=n) for n in range(KILLS[name])]
                outcomes, fell = killed(folder / name, days, options.kills, options.seed)
            else:
                outcomes, fell = ATTACKS[name](home, options.seed)
            figures[name] = {
                "tries": sum(outcomes.values()),
                "outcomes": dict(sorted(outcomes.items())),
                "fell": fell,
            }
            shown = ", ".join(f"{count} {what}" for what, count in sorted(outcomes.items()))
            print(f"| {name} | {sum(outcomes.values())} | {shown} | {len(fell)} |", flush=True)
            sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
            for line in fell:
                sys.stderr.write(f"fell: {name}: {line}\n")
    for name, figure in figures.items():
        for line in figure["fell"][:SHOWN]:
            print(f"\n{name}: `{line}`")
    if options.json:
        # what is run apart joins what was run before
        before = json.loads(options.json.read_text()) if options.json.exists() else {}
        options.json.write_text(json.dumps(before | figures, indent=1, sort_keys=True) + "\n")


ATTACKS: dict[str, Callable[[Any, int], attacks.Result]] = {
    "flips": attacks.flips,
    "requests": attacks.requests,
    "settings": attacks.settings,
    "estimators": attacks.estimators,
    "files": break_it_files.files,
    "questions": break_it_files.questions,
}
# All of them.
UNKILLED = "attacks"
# Days that are run one after another.
KILLS = {"kills": 1, "daily": DAILY}


def killed(folder: Path, days: Sequence[date], kills: int, seed: int) -> attacks.Result:
    """Kill runs of some days at random moments, and compare with runs that were left alone.

    Homes are made until so many runs were killed. A moment lies within a part of what the day took
    undisturbed, so that each home is killed several times, late in its run too; of several days
    each is killed as often.
    """
    folder.mkdir()
    chance = random.Random(seed)  # noqa: S311 - moments of kills
    seconds = undisturbed(folder / "alone", days)
    theirs = content(folder / "alone")
    fell: list[str] = []
    done = homes = 0
    # on a busy machine a run gets less far than it did undisturbed, and one home would take all
    most = min(-(-kills // len(days)), 2 * KILLS_A_RUN)
    while done < kills:
        homes += 1
        home = folder / f"killed {homes}"
        for day, longest in zip(days, seconds, strict=True):
            for _ in range(min(kills - done, most)):
                process = started(home, day)
                try:
                    if process.wait(chance.uniform(0.0, longest / KILLS_A_RUN)) != 0:
                        fell.append(f"the run of {day} in {home.name} failed after {done} kills")
                    break
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    done += 1
            undisturbed(home, [day])
        ours = content(home)
        fell += [
            f"{name} in {home.name} differs from the run that was left alone"
            for name in sorted(ours | theirs)
            if ours.get(name) != theirs.get(name)
        ]
    return Counter({f"killed on the way of {homes} homes to their end": done}), fell


def undisturbed(home: Path, days: Sequence[date]) -> list[float]:
    """Run days one after another; seconds of each."""
    seconds = []
    for day in days:
        began = time.monotonic()
        if started(home, day).wait() != 0:
            raise RuntimeError(f"the run of {day} failed; see {home}.log")
        seconds.append(time.monotonic() - began)
    return seconds


def started(home: Path, day: date) -> subprocess.Popen[bytes]:
    """Start a run of a home up to a day."""
    home.parent.mkdir(exist_ok=True)
    with Path(f"{home}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "engagement_assets.commands", "run"],
            env=os.environ | WORLD | {"HOME_DIR": str(home), "DATE": day.isoformat()},
            stdout=log,
            stderr=log,
        )


def content(home: Path) -> dict[str, Any]:
    """Digests of all partitions, the versions of all models, and the documents that are served."""
    held: dict[str, Any] = {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (home / "lake").rglob("*.parquet")
    }
    for card in (home / "registry").glob("*/*/card.json"):
        held[str(card.parent.relative_to(home))] = "version"
    if (home / "online.sqlite").exists():
        held |= {f"document {name}": value for name, value in documents(home).items()}
    return held


if __name__ == "__main__":
    main()
