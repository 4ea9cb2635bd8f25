"""Flipped bits, hostile requests, odd settings and odd inputs, each judged.

Belongs here: attacks that are over in moments, and what counts as fallen. Does not belong here:
kills and the table (`break_it.py`).
"""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import clone
from typer.testing import CliRunner

from benchmarks.api_server import free_port, make_key
from benchmarks.load import HOST
from engagement_assets.commands.cli import app
from engagement_assets.learning.anomaly.detector import AnomalyDetector
from engagement_assets.learning.clustering.segmenter import Segmenter
from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier
from engagement_assets.learning.trees.regressor import BoundedBoostingRegressor
from engagement_assets.learning.trees.revenue import ZeroInflatedRevenueRegressor
from engagement_assets.learning.tuning.estimators import TunedClassifier
from engagement_assets.serving.records import decode
from resources.engine import DuckDBEngine, EngineError
from resources.lake import CorruptPartitionError, Lake
from resources.registry import ModelRegistry, RegistryError
from resources.sql import Query

# Outcomes by name, and a line for each try that fell.
Result = tuple[Counter[str], list[str]]
NOTICED, HARMLESS, OTHER = "noticed", "without effect", "read as other values"
READY_SECONDS = 240.0
EACH = 100
GROWTH_MIB = 100.0
WARM = 100


def flipped(content: bytes, chance: random.Random) -> bytes:
    """Turn one bit."""
    damaged = bytearray(content)
    damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def flips(home: Path, seed: int) -> Result:
    """Turn single bits of partitions, files of models and documents, and read them."""
    chance, outcomes, fell = random.Random(seed), Counter[str](), list[str]()  # noqa: S311 - which bit
    with tempfile.TemporaryDirectory() as folder:
        for kind in (_parquet, _models, _documents):
            for name, damaged in kind(home, Path(folder), chance):
                outcome, words = damaged()
                outcomes[f"{name} {outcome}"] += 1
                if outcome == OTHER:
                    fell.append(f"{name}: {words}")
    return outcomes, fell


Damage = tuple[str, Callable[[], tuple[str, str]]]


def _parquet(home: Path, folder: Path, chance: random.Random) -> Iterator[Damage]:
    files = sorted((home / "lake").glob("*/*/day=*/part.parquet"))
    for number in range(2 * EACH):
        path, name = chance.choice(files), ("Parquet", "Parquet by SQL")[number % 2]
        table = "/".join(path.parts[-4:-2])
        lake = Lake(str(folder / f"lake{number}"))
        place = Path(lake.root) / table / path.parts[-2] / path.name
        place.parent.mkdir(parents=True)
        shutil.copy(path, place)
        query = Query("all", f"SELECT * FROM {table.replace('/', '.')}")  # noqa: S608 - a table

        def rows(
            lake: Lake = lake, table: str = table, query: Query = query, name: str = name
        ) -> Any:
            if name == "Parquet":
                return lake.read(table, days=lake.days(table))
            return DuckDBEngine(lake, threads=1).select(query, {})

        def look(rows: Callable[[], Any] = rows, place: Path = place) -> tuple[str, str]:
            whole = rows()
            place.write_bytes(flipped(place.read_bytes(), chance))
            try:
                read = rows()
            except (CorruptPartitionError, EngineError) as error:
                return NOTICED, str(error)
            # the same nulls and NaN are the same values
            same = repr(read.to_pydict()) == repr(whole.to_pydict())
            return (HARMLESS if same else OTHER), "/".join(place.parts[-4:])

        yield name, look


def _models(home: Path, folder: Path, chance: random.Random) -> Iterator[Damage]:
    root = folder / "registry"
    shutil.copytree(home / "registry", root)
    registry = ModelRegistry(root)
    files = sorted(path for path in root.glob("*/*/*") if path.is_file() and path.stat().st_size)
    for _ in range(EACH):
        path = chance.choice(files)

        def look(path: Path = path) -> tuple[str, str]:
            whole = path.read_bytes()
            path.write_bytes(flipped(whole, chance))
            try:
                registry.open(path.parts[-3], path.parts[-2])
            except RegistryError as error:
                return NOTICED, str(error)
            finally:
                path.write_bytes(whole)
            return OTHER, str(path)

        yield "model", look


def _documents(home: Path, folder: Path, chance: random.Random) -> Iterator[Damage]:
    del folder
    with sqlite3.connect(f"file:{home / 'online.sqlite'}?mode=ro", uri=True) as file:
        rows = file.execute("SELECT document FROM records").fetchall()
    for _ in range(EACH):
        (content,) = chance.choice(rows)

        def look(content: bytes = content) -> tuple[str, str]:
            try:
                read = decode(flipped(content, chance))
            except ValueError as error:
                return NOTICED, str(error)
            return (HARMLESS if read == decode(content) else OTHER), "a document"

        yield "document", look


@contextmanager
def serving(home: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """`make serve` over a home; its port and its process."""
    port = free_port()
    programs = {"BIN": str(Path(sys.executable).parent), "API_PORT": str(port)}
    with (home.parent / f"{home.name}.serve.log").open("wb") as log:
        process = subprocess.Popen(
            ["make", "-e", "-s", "-o", ".venv/.installed", "serve"],  # noqa: S607 - the make of PATH
            cwd=Path(__file__).parents[1],
            env=os.environ
            | programs
            | {
                "HOME_DIR": str(home),
                "ENGAGEMENT_HOME": str(home),
                "ENGAGEMENT_API_PORT": str(port),
                # its model would be counted as what the requests took
                "ENGAGEMENT_API_WARM_SENTIMENT": "0",
            },
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        give_up = time.monotonic() + READY_SECONDS
        while status_of(port, get("/readyz")) != 200:
            if process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"`make serve` is not ready; see {log.name}")
            time.sleep(0.5)
        yield port, process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        process.wait(30)


def get(path: str, *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    """The bytes of a request."""
    length = [f"Content-Length: {len(body)}"] if body else []
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *length, *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body


def answer_of(port: int, sent: bytes) -> bytes:
    """What is answered to bytes, or nothing where the connection is closed without an answer."""
    with socket.create_connection((HOST, port), timeout=30) as opened:
        with suppress(OSError):
            opened.sendall(sent)
        answer = b""
        with suppress(OSError):
            while part := opened.recv(65_536):
                answer += part
        return answer


def status_of(port: int, sent: bytes) -> int:
    """The status of an answer; 0 where there is none."""
    try:
        return int(answer_of(port, sent)[9:12] or 0)
    except OSError:
        return 0


def hostile(key: str, reader: str, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """200 requests of ten kinds, none of which may be taken."""
    mine, json_type = f"X-API-Key: {key}", "Content-Type: application/json"
    batch = "/v1/customers:batch"

    def word(length: int) -> str:
        return "".join(chance.choices("abcdef0123456789", k=length))

    bodies = [
        b"", b"{", b"null", b"[" * 50_000, b'{"customer_ids": [NaN]}', b'{"customer_ids": []}',
        b'{"customer_ids": ["\\ud800"], "x": 1}', b'{"customer_ids": {"a": 1}}', b"\xff\xfe",
        b'{"customer_ids": [1e999]}', b'{"customer_ids": "c1"}', b'{"texts": []}',
        b'{"customer_ids": ["' + b"x" * 5_000 + b'"]}', b"x" * 300_000,
        json.dumps({"customer_ids": ["c1"] * 101}).encode(), b'{"customer_ids": [null]}',
        b'{"customer_ids": [["c1"]]}', b"1" * 5_000, b'"text"', b"\0" * 100,
    ]  # fmt: skip
    for n in range(20):
        yield "forged key", get("/v1/models", f"X-API-Key: eng_{word(12)}_{word(64)}")
        blank = chance.choice(["\xa0", "\x85", "\x0b", "\x0c"])
        yield "blank in a key", get("/v1/models", f"X-API-Key: {blank}{key}{blank}")
        yield (
            "too much header",
            get("/v1/models", *[mine, f"X-A: {'x' * 20_000}"] if n % 2 else ["X: 1"] * (150 + n)),
        )
        yield (
            "broken protocol",
            chance.choice(
                [
                    b"\0" * 64,
                    b"GET\r\n\r\n",
                    b"GET / HTTP/9.9\r\n\r\n",
                    bytes(chance.randbytes(200)),
                ]
            )
            + b"\r\n\r\n",
        )
        yield "odd body", get(batch, mine, json_type, method="POST", body=bodies[n])
        ids = ["../../etc/passwd", "%00", "%ff", "x" * 3_000, "%2e%2e%2f", "' OR 1=1--", "a\tb"]
        yield "odd path", get(f"/v1/customers/{ids[n % len(ids)].replace(' ', '%20')}{n}", mine)
        asked = ["limit=-1", "limit=1e9", "since=never", "limit=x", f"after={'x' * 200}"]
        yield "odd query", get(f"/v1/outbox?{asked[n % len(asked)]}&n={n}", mine)
        method = ["TRACE", "PUT", "DELETE", "PATCH", "LINK"][n % 5]
        yield "odd method", get("/v1/models", mine, method=method)
        begin, end = f"POST {batch} HTTP/1.1\r\nHost: x\r\n{mine}", "0\r\n\r\nGET / HTTP/1.1\r\n"
        double = [
            f"{begin}\r\n{one}\r\n\r\n{end}\r\n"
            for one in (
                "Content-Length: 3\r\nTransfer-Encoding: chunked", "Content-Length: -1",
                "Content-Length: 3\r\nContent-Length: 4", "Transfer-Encoding: x, chunked",
            )
        ]  # fmt: skip
        yield "smuggled", double[n % 4].encode()
        closed = ["/v1/events/texts", batch, "/v1/models:reload", "/v1/reviews/x/verdicts"][n % 4]
        yield (
            "scope",
            get(closed, f"X-API-Key: {reader}", json_type, method="POST", body=b'{"texts": []}'),
        )


def requests(home: Path, seed: int) -> Result:
    """Send hostile requests to `make serve`; none may be taken, fail there or slow it down."""
    chance, outcomes, fell = random.Random(seed), Counter[str](), list[str]()  # noqa: S311 - made-up bytes
    key, reader = make_key(home, ("admin",)), make_key(home, ("contact",))
    with serving(home) as (port, process):
        good = get("/v1/models", f"X-API-Key: {key}")
        before, memory = status_of(port, good), 0.0
        for number, (kind, sent) in enumerate(hostile(key, reader, chance)):
            if number == WARM:
                # models are loaded by then
                memory = memory_mib(process.pid)
            answer = answer_of(port, sent)
            status = int(answer[9:12]) if answer[9:12].isdigit() else 0
            outcomes[f"{status}" if status else "closed"] += 1
            if status == 200 or status >= 500 or b"Traceback" in answer:
                fell.append(f"{kind}: {status} to {sent[:80]!r}")
        grown = memory_mib(process.pid) - memory
        if before != 200 or status_of(port, good) != 200:
            fell.append("a good request is not answered 200")
        if grown > GROWTH_MIB:
            fell.append(f"memory grew by {grown:.0f} MiB")
    return outcomes, fell


def memory_mib(pid: int) -> float:
    """Resident memory of a process and those below it."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    own = sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
    below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(memory_mib(int(child)) for child in below)


ODD_SETTINGS = (
    ("CUSTOMERS", "0"), ("CUSTOMERS", "-5"), ("CUSTOMERS", "1e6"), ("CUSTOMERS", "9" * 30),
    ("CUSTOMERS", "9999999"), ("DAYS", "90"), ("DAYS", "3651"), ("DAYS", "nan"),
    ("SEED", "-1"), ("SEED", "4294967296"), ("SEED", "0x7"), ("DATE", "0001-01-01"),
    ("DATE", "9999-12-31"), ("DATE", "2026-02-30"), ("DATE", "0"), ("THREADS", "0"),
    ("THREADS", "100000"), ("BOOTSTRAP", "1"), ("CHANNEL_CAC", ","), ("CHANNEL_CAC", "a=inf"),
    ("CHANNEL_CAC", "a=1,a=2"), ("CHANNEL_CAC", "a=-1"), ("SAVE_RATE", "nan"),
    ("SAVE_RATE", "2"), ("COST_LOST_CUSTOMER", "inf"), ("COST_INTERVENTION", "0"),
    ("WEBHOOK", "file:///etc/passwd"), ("CONTACT_DELIVERY", "javascript:1"), ("SOURCE", "../x"),
    ("SOURCE", "nowhere"), ("HOME_DIR", "a\\b"), ("HOME_DIR", "/dev/null/x"),
    ("FAIRNESS_REFERENCE", "churn=maybe"), ("QUIET_FROM", "25"), ("REVIEW_SHARE", "0.5"),
    ("EXPERIMENT_WINDOW", "1"), ("WORLD", "flat"), ("RECOMMENDER", "best"),
    ("settings.json", b"null"), ("settings.json", b"\xff\xfe"), ("settings.json", b"{"),
    ("settings.json", b'{"customers": null}'), ("settings.json", b'{"no_such": 1}'),
    ("settings.json", b'{"ends": "perhaps"}'), ("settings.json", b"[" * 100_000),
)  # fmt: skip


def settings(home: Any, seed: int) -> Result:
    """Give the command odd settings; each must be refused in words."""
    del home, seed
    outcomes, fell = Counter[str](), list[str]()
    for name, value in ODD_SETTINGS:
        with tempfile.TemporaryDirectory() as folder:
            given = {"HOME_DIR": str(Path(folder) / "home")}
            if isinstance(value, bytes):
                Path(given["HOME_DIR"]).mkdir()
                (Path(given["HOME_DIR"]) / name).write_bytes(value)
            else:
                given[name] = value
            done = invoked(given)
        shown = f"{name}={value[:40]!r}"
        words = done.stderr.startswith("error: ") and "Traceback" not in done.stderr
        outcomes["refused in words" if words and done.exit_code else "fell"] += 1
        if not (words and done.exit_code):
            fell.append(f"{shown}: {done.exit_code}, {done.exception!r}")
    return outcomes, fell


def invoked(given: dict[str, str]) -> Any:
    """What `engagement home` does with settings, in this process and an environment of its own."""
    with patch.dict(os.environ):
        return CliRunner().invoke(app, ["home"], env=given)


def odd_inputs() -> dict[str, tuple[Any, Any, dict[str, Any]]]:
    """Tables, targets and parameters, by what is odd of them."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(120, 3)), columns=["a", "b", "c"])  # noqa: N806 - scikit-learn's name
    y = (X["a"] > 0).astype(int)
    near = [str(n) if n % 11 else " " for n in range(120)]
    return {
        "no table": (None, y, {}), "no rows": (X[:0], y[:0], {}), "one row": (X[:1], y[:1], {}),
        "three dimensions": (np.zeros((5, 2, 2)), y[:5], {}),
        "sparse": (sparse.csr_matrix(X.to_numpy()), y, {}),
        "complex table": (X.to_numpy() + 1j, y, {}), "infinite": (X.assign(a=np.inf), y, {}),
        "nulls alone": (X.assign(a=np.nan), y, {}), "text like numbers": (X.assign(a=near), y, {}),
        "identifiers": (X.assign(a=[f"id{n:05d}" for n in range(120)]), y, {}),
        "complex targets": (X, y.to_numpy() + 1j, {}), "null targets": (X, y.where(y > 0), {}),
        "one target": (X, y * 0, {}), "too few targets": (X, y[:7], {}),
        "seed of text": (X, y, {"random_state": "x"}),
    }  # fmt: skip


def estimators(home: Any, seed: int) -> Result:
    """Fit six estimators on 15 odd inputs; each must learn from it or refuse it in words."""
    del home, seed
    trees: dict[str, Any] = {"n_estimators": 2, "folds": 2, "n_jobs": 1}
    kinds: tuple[Any, ...] = (
        CalibratedBoostingClassifier(**trees), BoundedBoostingRegressor(**trees),
        ZeroInflatedRevenueRegressor(**trees), AnomalyDetector(neighbour_samples=2, n_jobs=1),
        Segmenter(n_clusters=2, resamples=2, n_jobs=1),
        TunedClassifier(trials=1, folds=2, n_jobs=1, families=("xgboost",)),
    )  # fmt: skip
    outcomes, fell = Counter[str](), list[str]()
    for kind in kinds:
        for name, (table, targets, parameters) in odd_inputs().items():
            outcome, words = fitted(kind, table, targets, parameters)
            outcomes[outcome] += 1
            if outcome == "fell":
                fell.append(f"{type(kind).__name__}, {name}: {words}")
    return outcomes, fell


def fitted(kind: Any, table: Any, targets: Any, parameters: dict[str, Any]) -> tuple[str, str]:
    """Fit an estimator; what came of it, and the words."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = clone(kind).set_params(**parameters)
            model.fit(table, targets)
            scores = np.asarray(model.predict(table), dtype=float)
    except (ValueError, TypeError, RuntimeError) as error:
        words = str(error)
        internal = any(mark in words for mark in ("src/", "Stack trace", "object has no attribute"))
        return ("fell" if internal or len(words.split()) < 3 else "refused in words"), words
    except Exception as error:  # noqa: BLE001 - a fault of any other kind has fallen
        return "fell", f"{type(error).__name__}: {error}"
    return ("learnt" if np.isfinite(scores).all() else "fell"), "scores that are not finite"
