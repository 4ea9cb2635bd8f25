"""Erasing 100 of 100,000 customers with 400 days of raw tables while the API answers.

    python -m benchmarks.erasure --customers 100000 --lake LAKE --json FILE

The days are taken in here unless a lake is named, which stays as it is. The online store gets a
document of drawn figures for each customer. `make erase`'s command runs as a
process of its own, its start included, while requests for customers who stay come at a fixed rate.
Belongs here: measuring. Does not belong here: erasing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import stages
from benchmarks.api_server import Server, free_port, make_key
from benchmarks.load import Outcome, get, offer
from engagement_assets.decisions.specs import DECISIONS
from engagement_assets.deployments.resources import resources_for
from engagement_assets.features.catalogue import CUSTOMER_FEATURES_TABLE, FEATURE_NAMES
from engagement_assets.governance.privacy.erasure import returned
from engagement_assets.serving.records import EXPLAINED, encode
from engagement_assets.settings.deployment import Deployment
from engagement_assets.settings.installation import Settings
from resources.lake import Lake
from resources.online_store.releases import Release
from resources.online_store.store import OnlineStore

RATE = 100.0
BATCH = 2_000
PEOPLE = "source/customers"


def main() -> None:
    """Erase, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--erased", type=int, default=100)
    parser.add_argument("--lake", type=Path, help="a lake with raw days; made when left out")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    # beside the lake: its files get one more name each, and nobody changes one in place
    with tempfile.TemporaryDirectory(dir=options.lake and options.lake.resolve().parent) as folder:
        home = Path(folder) / "home"
        _make_home(home, options)
        figures = measure(home, options)
    for name, value in figures.items():
        print(f"| {name} | {value:,} |" if isinstance(value, int) else f"| {name} | {value:,.2f} |")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def _make_home(home: Path, options: argparse.Namespace) -> None:
    days = [stages.FIRST_DAY + timedelta(days=number) for number in range(options.days)]
    if options.lake:
        days = Lake(str(options.lake)).days("source/sessions")
    settings = Settings(
        home=home, customers=options.customers, first_day=days[0], last_day=days[-1]
    )
    settings.save()
    if options.lake:
        models = shutil.ignore_patterns(".*")
        shutil.copytree(options.lake, settings.lake_root, copy_function=os.link, ignore=models)
        return
    command = ["-m", "benchmarks.stages", "--stage", "simulate", "--lake", settings.lake_root]
    command += ["--customers", str(options.customers), "--days", str(options.days)]
    subprocess.run([sys.executable, *command], check=True, capture_output=True)  # noqa: S603 - ours


def measure(home: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Erase in a home while it is served."""
    settings = Settings.load(home)
    own = resources_for(Deployment.LOCAL, settings)
    lake: Lake = own["lake"].lake
    days = lake.filled_days(PEOPLE)
    people = lake.read(PEOPLE, days=days, columns=["customer_id"]).column(0).unique().to_pylist()
    drawn = random.Random(options.seed)  # noqa: S311 - which customers are erased
    doomed = set(drawn.sample(sorted(people), options.erased))
    staying = sorted(set(people) - doomed)
    store: OnlineStore = own["online_store"].store
    _publish(store, sorted(people), settings)
    key = make_key(home, ("read",))
    server = Server(home, free_port(), home.parent / "log", lake="0", warm_sentiment="0")
    stop, outcome = threading.Event(), Outcome()

    def ask(number: int) -> bytes:
        del number
        return get(f"/v1/customers/{drawn.choice(staying)}", key)

    def load() -> None:
        while not stop.is_set():
            part = asyncio.run(offer(server.port, ask, rate=RATE, seconds=1.0))
            outcome.milliseconds += part.milliseconds
            outcome.seconds += part.seconds
            for status, count in part.statuses.items():
                outcome.statuses[status] = outcome.statuses.get(status, 0) + count

    asking = threading.Thread(target=load)
    asking.start()
    try:
        seconds, busy = _erase(home, doomed)
    finally:
        stop.set()
        asking.join()
        server.stop()
    (certificate,) = own["erasures"].erasures.certificates()
    began = time.perf_counter()
    back = returned(lake, own["erasures"].erasures)
    looked = time.perf_counter() - began
    release = store.served()
    assert release is not None  # noqa: S101 - published above
    erased = sorted(doomed)
    there = [store.get(release.name, erased[at : at + 100]) for at in range(0, len(erased), 100)]
    answered = outcome.summary()
    return {
        "customers": len(people),
        "days": len(lake.days("source/sessions")),
        "erased": len(doomed),
        "seconds": seconds,
        "seconds of a processor": busy,
        "removed": sum(certificate["removed"].values()),
        "survivors": sum(certificate["survivors"].values()) + len(back) + sum(map(len, there)),
        "requests meanwhile": answered["requests"],
        "requests that failed": answered["errors"],
        "p50 of a request, ms": answered["p50_ms"],
        "p99 of a request, ms": answered["p99_ms"],
        "longest request, ms": answered["max_ms"],
        "looking for who came back, seconds": looked,
    }


def _erase(home: Path, doomed: set[str]) -> tuple[float, float]:
    """Run the command; returns its seconds, and those that processors worked for it."""
    command = ["-m", "engagement_assets.commands", "erase", "--confirm", "--home-dir", str(home)]
    environ = {**os.environ, "ENGAGEMENT_HOME": str(home)}
    began, before = time.perf_counter(), os.times()
    done = subprocess.run(  # noqa: S603 - ours
        [sys.executable, *command, "--customer", ",".join(sorted(doomed))],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    after = os.times()
    busy = after.children_user + after.children_system
    busy -= before.children_user + before.children_system
    return time.perf_counter() - began, busy


def _publish(store: OnlineStore, people: list[str], settings: Settings) -> None:
    """Publish a document of drawn figures for each customer."""
    rng = np.random.default_rng(settings.seed)
    day = settings.end
    kinds = {
        column.name: column.type
        for column in CUSTOMER_FEATURES_TABLE.columns
        if column.name in FEATURE_NAMES
    }
    names, decisions = ([spec.name for spec in some] for some in (EXPLAINED, DECISIONS))

    def document(name: str, values: np.ndarray) -> bytes:
        return encode(
            {
                "customer_id": name,
                "snapshot_date": day.isoformat(),
                "features": {
                    one: value if kind.startswith("float") else None
                    for (one, kind), value in zip(kinds.items(), values.tolist(), strict=True)
                },
                "predictions": dict.fromkeys(names),
                "explanations": {one: [] for one in names},
                "decisions": dict.fromkeys(decisions),
                "recommendations": None,
                "actions_due": [],
                "model_versions": {},
                "consents": {"personalisation": True},
            }
        )

    with store.publishing(Release(f"{day}-made", day), owner="benchmark") as publication:
        for number, start in enumerate(range(0, len(people), BATCH)):
            some = people[start : start + BATCH]
            figures = rng.normal(size=(len(some), len(kinds)))
            rows = [(name, document(name, row)) for name, row in zip(some, figures, strict=True)]
            publication.put(number, rows)
        publication.serve()


if __name__ == "__main__":
    main()
