"""Ten minutes of load while a day is published and processes are killed.

    python -m benchmarks.soak --lake LAKE --customers 100000 --seconds 600 --json FILE

The documents of a day are marked with it in every section: the model versions, a prediction, a
reason and an item all name the day. While requests come at 200 a second, the next day is published
again and again; a publisher is killed half-way and resumed; the server is killed and started once.
Every answer is checked: all of one day, the day of its release, and never of a day before one that
was answered seconds ago. Belongs here: this run. Does not belong here: load and server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks.api_server import (
    Server,
    figures,
    free_port,
    kept_lake,
    make_home,
    make_key,
    publish_home,
)
from benchmarks.load import Outcome, get, offer, post
from resources.online_store.releases import Release
from resources.online_store.sqlite import SqliteStore

RATE = 200.0
BATCH = 2_000
# So long a publish waits for the lease of one that was killed, and longer.
RESUME_SECONDS = 120.0
# The server looks for a new release once a second and reads it beside the requests.
TURN_SECONDS = 3.0


def main() -> None:
    """Run the soak, or be the publisher of one day."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", help="a lake of benchmarks.models; made when left out")
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--publish", nargs=2, metavar=("STORE", "DAY"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.publish:
        publish_marked(Path(options.publish[0]), date.fromisoformat(options.publish[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        measured = soak(Path(folder), options)
    figures("soak", measured)
    if options.json:
        options.json.write_text(json.dumps(measured, indent=1))


def publish_marked(store_path: Path, day: date) -> None:
    """Publish a day made of the day that is served, marked as its own."""
    from engagement_assets.serving.records import decode, encode  # noqa: PLC0415 - the publisher's

    store = SqliteStore(store_path)
    served = store.served()
    if served is None:
        raise RuntimeError("nothing is served yet")
    ids = json.loads((store_path.parent / "ids.json").read_text())
    blobs = {name: store.blob(served.name, name) for name in ("reference", "limits", "cold_start")}
    release = Release(f"{day}-{day:%m%d%m%d}", day, {**served.details})
    with store.publishing(release, owner=f"soak of {day}") as publication:
        (store_path.parent / f"begun_{day}").write_text(str(publication.done))
        for number, start in enumerate(range(0, len(ids), BATCH)):
            if number < publication.done:
                continue
            documents = {}
            for part in range(start, min(start + BATCH, len(ids)), 100):
                documents |= store.get(served.name, ids[part : part + 100])
            marked = [(who, encode(mark(decode(text), day))) for who, text in documents.items()]
            publication.put(number, marked)
        for name, content in blobs.items():
            if content is not None:
                publication.put_blob(name, content)
        publication.serve()


def mark(record: dict[str, Any], day: date) -> dict[str, Any]:
    """Name the day in every section of a document."""
    text = day.isoformat()
    record["snapshot_date"] = text
    record["model_versions"] = dict.fromkeys(record["model_versions"], text)
    record["actions_due"] = [text]
    record["predictions"]["engagement"]["engagement_score"] = day.toordinal() / 1e7
    for reasons in record["explanations"].values():
        for reason in reasons:
            reason["value"] = text
    if record["recommendations"] is not None:
        record["recommendations"] = {"items": [text], "source": text}
    return record


@dataclass
class Judge:
    """Looks at every answer.

    Attributes:
        wrong: What was wrong, the first twenty.
        days: Days that were seen, in order of their first answer.
        down: Whether the server is known to be down.
        errors_down: Requests that were not answered while it was.
        errors_up: Requests that were not answered although it was up.
    """

    wrong: list[str] = field(default_factory=list)
    days: list[str] = field(default_factory=list)
    down: bool = False
    errors_down: int = 0
    errors_up: int = 0
    newest_since: float = 0.0
    checked: int = 0

    def __call__(self, number: int, status: int, body: bytes) -> None:
        """Judge one answer."""
        del number
        if status != 200:
            if self.down:
                self.errors_down += 1
            else:
                self.errors_up += 1
                self._note(f"status {status} while the server was up")
            return
        answer = json.loads(body)
        customers = answer.get("customers", [answer])
        days = {one["snapshot_date"] for one in customers} | {
            one["release"][:10] for one in customers
        }
        if len(days) != 1:
            self._note(f"one answer has days {sorted(days)}")
            return
        day = days.pop()
        for one in customers:
            self._whole(one, day)
        if not self.days or day > self.days[-1]:
            self.days.append(day)
            self.newest_since = time.monotonic()
        elif day < self.days[-1] and time.monotonic() - self.newest_since > TURN_SECONDS:
            self._note(f"an answer of {day} although {self.days[-1]} was served before")
        self.checked += 1

    def _whole(self, one: dict[str, Any], day: str) -> None:
        marks = set(one["model_versions"].values())
        if "predictions" in one:
            score = one["predictions"]["engagement"]["engagement_score"]
            marks.add(date.fromordinal(round(score * 1e7)).isoformat())
            marks |= set(one["actions_due"])
        if "reasons" in one:
            marks |= {reason["value"] for reason in one["reasons"]}
        if one.get("items"):
            marks |= {*one["items"], one["list_source"]}
        if marks != {day}:
            self._note(f"an answer of {day} has parts of {sorted(map(str, marks - {day}))}")

    def _note(self, text: str) -> None:
        if len(self.wrong) < 20:
            self.wrong.append(text)


def soak(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The run."""
    home = folder / "home"
    lake = kept_lake(options.lake, options.customers, folder)
    settings = make_home(home, lake, customers=options.customers)
    publish_home(settings)
    store_path = home / "online.sqlite"
    ids = [f"c{number:07d}" for number in range(options.customers)]
    (home / "ids.json").write_text(json.dumps(ids))
    served = SqliteStore(store_path).served()
    assert served is not None  # noqa: S101 - published above
    day = served.snapshot_date + timedelta(days=1)
    run_publisher(store_path, day).wait()
    key = make_key(home, ("read",))
    server = Server(home, free_port(), folder / "log", lake="0", warm_sentiment="0")
    judge = Judge()
    chosen = random.Random(options.seed)  # noqa: S311 - which customers are asked for

    def request(number: int) -> bytes:
        who = chosen.choice(ids)
        kind = number % 10
        if kind == 0:
            some = chosen.sample(ids, 20)
            return post("/v1/customers:batch", key, json.dumps({"customer_ids": some}).encode())
        tail = {1: "/recommendations", 2: "/explanations/engagement"}.get(kind, "")
        return get(f"/v1/customers/{who}{tail}", key)

    told: dict[str, Any] = {}
    accidents = threading.Thread(
        target=accidents_of, args=(server, judge, store_path, day, options.seconds, told)
    )
    accidents.start()
    outcome: Outcome = asyncio.run(
        offer(server.port, request, rate=RATE, seconds=options.seconds, check=judge)
    )
    accidents.join()
    server.stop()
    return {
        **outcome.summary(),
        "checked": judge.checked,
        "wrong": judge.wrong,
        "days_seen": judge.days,
        "errors_while_down": judge.errors_down,
        "errors_while_up": judge.errors_up,
        **told,
    }


def run_publisher(store_path: Path, day: date) -> subprocess.Popen[bytes]:
    """A publisher as a process of its own."""
    return subprocess.Popen(  # noqa: S603 - itself
        [sys.executable, "-m", "benchmarks.soak", "--publish", str(store_path), day.isoformat()]
    )


def accidents_of(
    server: Server,
    judge: Judge,
    store_path: Path,
    day: date,
    seconds: float,
    told: dict[str, Any],
) -> None:
    """Publish days, kill a publisher half-way and resume it, kill the server once."""
    began = time.monotonic()
    told["published"] = 0
    time.sleep(0.05 * seconds)
    killed = run_publisher(store_path, day + timedelta(days=1))
    time.sleep(min(8.0, 0.05 * seconds))
    killed.kill()
    killed.wait()
    told["publisher_killed"] = killed.returncode
    began_again = time.monotonic()
    run_publisher(store_path, day + timedelta(days=1)).wait(RESUME_SECONDS)
    told["resumed_seconds"] = round(time.monotonic() - began_again, 1)
    told["published"] += 1
    begun = store_path.parent / f"begun_{day + timedelta(days=1)}"
    told["resumed_after_batch"] = int(begun.read_text())
    told["batches"] = -(-len(json.loads((store_path.parent / "ids.json").read_text())) // BATCH)
    time.sleep(max(0.0, 0.5 * seconds - (time.monotonic() - began)))
    publishing = run_publisher(store_path, day + timedelta(days=2))
    time.sleep(2.0)
    judge.down = True
    server.kill()
    told["restart_seconds"] = round(server.start(), 2)
    # requests that were sent into the dead socket are still coming back
    time.sleep(1.0)
    judge.down = False
    publishing.wait(RESUME_SECONDS)
    told["published"] += 1
    ahead = 3
    while time.monotonic() - began < 0.85 * seconds:
        run_publisher(store_path, day + timedelta(days=ahead)).wait(RESUME_SECONDS)
        told["published"] += 1
        ahead += 1


if __name__ == "__main__":
    main()
