"""From a text that was written to support's alert, at a rate, and across a server that is killed.

    python -m benchmarks.texts --seconds 60 --rate 50

Over a copy of a home that `make run` made, or over a small world of its own. Texts of customers who
agree to `sentiment` come one a request at their times, whether earlier ones were answered or not; a
receiver on this machine takes the alerts. A time is from when a text was due to when its alert
came. Then the server is killed under the same load and started again, and what was not answered is
sent again. Server, client and receiver share the machine. Exits with 1 where a bar is missed or an
alert is lost or of no cause.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.api_server import Server, free_port, make_key
from benchmarks.load import HOST, offer, post
from engagement_assets.deployments.resources import resources_for
from engagement_assets.deployments.serving import text_events
from engagement_assets.serving.api.routes import PREFIX
from engagement_assets.settings.deployment import Deployment
from engagement_assets.settings.installation import SETTINGS_FILE, Settings
from engagement_assets.signals.sentiment.events import LEASE_SECONDS

P99_MS = 100.0
CALM = (
    "meeting at three",
    "lovely light on the river",
    "the bus was on time",
    "new recipe tonight",
)
SAD = (
    "I hate everything about this, it is awful",
    "worst day ever, I feel terrible and nobody cares",
    "this is disgusting, I am so angry and sad",
)
SAD_SHARE = 0.3


@dataclass
class Support:
    """Takes alerts.

    Attributes:
        came: When each came, by text.
    """

    came: dict[str, list[float]] = field(default_factory=dict)


@contextmanager
def listening(support: Support) -> Iterator[str]:
    """Serve an address that takes alerts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            alert = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            support.came.setdefault(alert["text_id"], []).append(time.perf_counter())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Texts:
    """Texts to send, each of its own id.

    Attributes:
        bodies: A request's body each.
        ids: Their ids.
        low: Ids of those that score low, by the model itself.
    """

    bodies: list[bytes]
    ids: list[str]
    low: set[str]


def written(settings: Settings, count: int, first: int, rng: np.random.Generator) -> Texts:
    """Make texts of customers who agree, and score them as the server should."""
    events = text_events(resources_for(Deployment.LOCAL, settings))
    agreed = sorted(events.agreed())
    words = [
        f"{(SAD if rng.random() < SAD_SHARE else CALM)[rng.integers(3)]} {number}"
        for number in range(count)
    ]
    scores = events.scorer().score_texts(words)["score"].to_numpy()
    ids = [f"posts/bench{number}" for number in range(first, first + count)]
    bodies = [
        json.dumps(
            {
                "texts": [
                    {
                        "source_table": "posts",
                        "row_id": name.partition("/")[2],
                        "customer_id": agreed[int(rng.integers(len(agreed)))],
                        "text": text,
                    }
                ]
            }
        ).encode()
        for name, text in zip(ids, words, strict=True)
    ]
    low = {name for name, score in zip(ids, scores, strict=True) if score < events.alert_below}
    return Texts(bodies, ids, low)


def under_load(
    server: Server, key: str, texts: Texts, support: Support, rate: float
) -> dict[str, Any]:
    """Send texts at a rate; times to their alerts and answers."""
    began = time.perf_counter()
    outcome = asyncio.run(
        offer(
            server.port,
            lambda n: post(f"{PREFIX}/events/texts", key, texts.bodies[n]),
            rate=rate,
            seconds=len(texts.bodies) / rate,
        )
    )
    waits = [
        1e3 * (support.came[name][0] - began - number / rate)
        for number, name in enumerate(texts.ids)
        if name in support.came
    ]
    return {
        "answers": outcome.summary(),
        "alerts": len(waits),
        "alert_p50_ms": round(float(np.quantile(waits, 0.5)), 1),
        "alert_p99_ms": round(float(np.quantile(waits, 0.99)), 1),
    } | judged(texts, support)


def killed(server: Server, key: str, texts: Texts, support: Support, rate: float) -> dict[str, Any]:
    """Kill the server amid a load, start it, and send again what was not answered."""
    open_ids = set(range(len(texts.bodies)))

    def check(number: int, status: int, body: bytes) -> None:
        del body
        if status == 200:
            open_ids.discard(number)

    def send(numbers: Sequence[int]) -> None:
        asyncio.run(
            offer(
                server.port,
                lambda n: post(f"{PREFIX}/events/texts", key, texts.bodies[numbers[n]]),
                rate=rate,
                seconds=len(numbers) / rate,
                check=lambda n, status, body: check(numbers[n], status, body),
            )
        )

    timer = threading.Timer(len(texts.bodies) / rate / 2, server.kill)
    timer.start()
    send(sorted(open_ids))
    timer.join()
    unanswered = len(open_ids)
    server.start()
    for _ in itertools.takewhile(lambda n: open_ids and n < 10, itertools.count()):
        send(sorted(open_ids))
        if open_ids:
            time.sleep(LEASE_SECONDS / 3)
    return {"unanswered": unanswered, "never taken": len(open_ids)} | judged(texts, support)


def judged(texts: Texts, support: Support) -> dict[str, int]:
    """Compare the alerts that came with the texts that score low."""
    came = Counter({name: len(support.came.get(name, ())) for name in texts.ids})
    return {
        "low": len(texts.low),
        "lost": sum(not came[name] for name in texts.low),
        "of no cause": sum(bool(came[name]) for name in texts.ids if name not in texts.low),
        "told again under the same id": sum(max(0, count - 1) for count in came.values()),
    }


def processor() -> str:
    """Name the processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def make_world(home: Path) -> None:
    """Make a home of 1,000 customers: the texts' model and the consents are what is measured."""
    subprocess.run(  # noqa: S603 - the product itself
        [
            *(sys.executable, "-m", "engagement_assets.commands", "run"),
            *("--customers", "1000", "--days", "120", "--home-dir", str(home)),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="a home that `make run` made")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    count, support = round(options.rate * options.seconds), Support()
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as folder, listening(support) as url:
        home = Path(folder) / "home"
        if options.home:
            shutil.copytree(options.home, home)
        else:
            make_world(home)
        path = home / SETTINGS_FILE
        path.write_text(json.dumps(json.loads(path.read_text()) | {"webhook_url": url}))
        settings = Settings.load(home)
        key = make_key(home, ("events",))
        server = Server(home, free_port(), Path(folder) / "log")
        try:
            # the first text loads the model and reads the consents
            under_load(server, key, written(settings, 20, 0, rng), support, rate=5.0)
            texts = written(settings, count, 1_000, rng)
            figures = {
                "processor": processor(),
                "cores": os.cpu_count(),
                "load_before": round(os.getloadavg()[0], 1),
                "at a rate": under_load(server, key, texts, support, options.rate),
                "killed": killed(
                    server,
                    key,
                    written(settings, count // 2, 1_000_000, rng),
                    support,
                    options.rate,
                ),
            }
        finally:
            server.stop()
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))
    parts = [figures["at a rate"], figures["killed"]]
    wrong = any(part["lost"] or part["of no cause"] for part in parts)
    slow = figures["at a rate"]["alert_p99_ms"] >= P99_MS
    sys.exit(int(wrong or slow or bool(figures["killed"]["never taken"])))


if __name__ == "__main__":
    main()
