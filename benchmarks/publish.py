"""Publishing a day to the online store, and reading from it.

    python -m benchmarks.publish --lake LAKE --store sqlite --customers 100000 --json FILE

Over the last day of a lake that `benchmarks.models` made (which this makes where none is given).
DynamoDB is a local moto server in a process of its own, so its figures are those of our side of the
wire and of moto, not of AWS. Belongs here: measuring. Does not belong here: the store.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.stages import GIB, SQL
from engagement_assets.decisions.customers.unified import CUSTOMERS, KNOWN_TABLES
from engagement_assets.serving.publishing import (
    PURPOSE,
    Published,
    publish_day,
)
from engagement_assets.serving.records import INPUTS
from engagement_assets.source.consent import Consent, agreed_customers
from engagement_assets.source.contract import TABLES
from engagement_assets.source.known import product_sql
from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.online_store.dynamodb import DynamoDBStore
from resources.online_store.dynamodb_requests import make_client
from resources.online_store.sqlite import SqliteStore
from resources.tables import Column, Table, by_sql_name

READS = 5_000
TABLE = "online"


def main() -> None:
    """Publish, publish again, read, and read while publishing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", help="a lake of benchmarks.models; made when left out")
    parser.add_argument("--store", choices=("sqlite", "dynamodb"), default="sqlite")
    parser.add_argument("--customers", type=int, default=10_000, help="so many of the lake's")
    parser.add_argument("--threads", type=int, default=8, help="requests at once, for DynamoDB")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(options.lake or made_lake(options.customers, folder))
        day = lake.days(CUSTOMERS)[-1]
        agreed = consents(lake)
        part = part_of(lake, day, options.customers, Path(folder) / "part")
        with opened(options, Path(folder)) as store:
            figures = measure(*store, part, day, agreed)
        figures["peak_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / GIB
        if options.store == "sqlite":
            file = Path(folder) / "online.sqlite"
            figures["file_mib"] = file.stat().st_size / 2**20
    for name, value in figures.items():
        shown = f"{value:,.3f}" if isinstance(value, float) else f"{value:,}"
        print(f"| {options.store}, {options.customers:,} customers: {name} | {shown} |")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def made_lake(customers: int, folder: str) -> str:
    """A lake with predictions of every model."""
    root = f"{folder}/lake"
    command = ["-m", "benchmarks.models", "--customers", str(customers), "--lake", root]
    subprocess.run([sys.executable, *command], check=True, capture_output=True)  # noqa: S603 - ours
    return root


def consents(lake: Lake) -> frozenset[str]:
    """Who agrees to personalisation."""
    consent = Consent.of(lake, provided=frozenset(TABLES), granted=(), purpose=PURPOSE)
    engine = DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES), threads=2)
    return agreed_customers(engine, product_sql(SQL), consent, purpose=PURPOSE)


def part_of(lake: Lake, day: date, customers: int, root: Path) -> Lake:
    """The first customers of a day in a lake of their own; the whole lake where that is all."""
    features = lake.read(INPUTS[0], days=[day])
    if features.num_rows <= customers:
        return lake
    import pyarrow.compute as pc  # noqa: PLC0415 - only for a part

    first = features.sort_by("customer_id").column("customer_id").slice(0, customers)
    part = Lake(str(root))
    for table in INPUTS:
        if not lake.exists(table, day):
            continue
        rows = lake.read(table, days=[day])
        chosen = rows.filter(pc.is_in(rows.column("customer_id"), value_set=first.combine_chunks()))
        kinds = {field.name: str(field.type) for field in rows.schema}
        names = {"double": "float64", "float": "float32", "date32[day]": "date"}
        there = Table(
            table, tuple(Column(name, names.get(kind, kind)) for name, kind in kinds.items())
        )
        part.write(there, chosen.cast(there.arrow), day=day)
    return part


@contextmanager
def opened(options: argparse.Namespace, folder: Path) -> Iterator[tuple[Any, str | int]]:
    """An empty store, and where another process finds it: a file or a port."""
    if options.store == "sqlite":
        path = str(folder / "online.sqlite")
        store = SqliteStore(path)
        yield store, path
        store.close()
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(  # noqa: S603 - a local server
        [sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        client = client_of(port, options.threads)
        make_table(client)
        yield DynamoDBStore(TABLE, client, threads=options.threads), port
    finally:
        server.terminate()
        server.wait()


def client_of(port: int, threads: int) -> Any:
    """A client of the local server."""
    # it takes any credentials
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
    return make_client(
        region="eu-west-1", endpoint_url=f"http://127.0.0.1:{port}", connections=threads + 2
    )


def make_table(client: Any) -> None:
    """An empty table, once the server answers."""
    for _ in range(100):
        try:
            client.create_table(
                TableName=TABLE,
                KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        except Exception:  # noqa: BLE001 - the server has not begun to answer
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("the local server did not begin to answer")


@contextmanager
def reading(where: str | int, release: str, ids: list[str]) -> Iterator[list[float]]:
    """Another process reads for as long as the block runs; its seconds are there afterwards."""
    context = multiprocessing.get_context("spawn")
    began, ended, answers = context.Event(), context.Event(), context.Queue()
    reader = context.Process(target=read_until, args=(where, release, ids, began, ended, answers))
    reader.start()
    began.wait()
    seconds: list[float] = []
    try:
        yield seconds
    finally:
        ended.set()
        seconds.extend(answers.get())
        reader.join()


def read_until(
    where: str | int, release: str, ids: list[str], began: Any, ended: Any, answers: Any
) -> None:
    """Read until told to end, as an application does."""
    store: Any = (
        SqliteStore(where)
        if isinstance(where, str)
        else DynamoDBStore(TABLE, client_of(where, threads=1))
    )
    store.get(release, ids[:1])
    began.set()
    answers.put(reads(store, release, ids, until=ended))


def measure(
    store: Any, where: str | int, lake: Lake, day: date, agreed: frozenset[str]
) -> dict[str, Any]:
    """Publish and read; seconds and sizes."""
    first = publish(store, lake, day, agreed)
    again = publish(store, lake, day, agreed)
    ids = lake.read(INPUTS[0], days=[day], columns=["customer_id"]).column(0).to_pylist()
    name = store.served().name
    quiet = reads(store, name, ids)
    sizes = [
        len(document)
        for start in range(0, min(len(ids), 2_000), 100)
        for document in store.get(name, ids[start : start + 100]).values()
    ]
    # one more customer agrees, so that it is another release, published while it is read
    with reading(where, name, ids) as busy:
        second = publish(store, lake, day, agreed | {"one more"})
    third = publish(store, lake, day, agreed | {"one more", "and another"})
    # key, names of the attributes and the number of `expires_at`, as DynamoDB counts them
    overhead = len(f"{name}#{ids[0]}") + len("key") + len("document") + len("expires_at") + 8
    return {
        "publish, s": first.seconds,
        "customers a second": first.customers / first.seconds,
        "publish the same again, s": again.seconds,
        "publish the next beside a reader, s": second.seconds,
        "publish a third, letting the first go, s": third.seconds,
        "documents and blobs, bytes": first.bytes,
        "document, mean bytes": float(np.mean(sizes)),
        "document, 99 % bytes": float(np.percentile(sizes, 99)),
        "write units an item, mean": float(
            np.mean([math.ceil((size + overhead) / 1_024) for size in sizes])
        ),
        **told("read of one", quiet),
        **told("read of one while publishing", busy),
    }


def publish(store: Any, lake: Lake, day: date, agreed: frozenset[str]) -> Published:
    """One publication."""
    return publish_day(lake, store, day, agreed=agreed, owner="benchmark")


def reads(store: Any, release: str, ids: list[str], *, until: Any = None) -> list[float]:
    """Seconds of single reads: a number of them, or as many as there is time for."""
    chance = np.random.default_rng(1)
    taken = []
    count = READS if store.is_local else READS // 10
    while (len(taken) < count) if until is None else (not until.is_set()):
        name = ids[int(chance.integers(len(ids)))]
        began = time.perf_counter()
        measured = store.get(release, [name])
        taken.append(time.perf_counter() - began)
        if not measured:
            raise RuntimeError(f"{name} has no document")
        if until is not None:
            # about as often as an application asks, not as fast as it can
            time.sleep(0.001)
    return taken


def told(what: str, seconds: list[float]) -> dict[str, float]:
    """Median and tail of reads, in milliseconds."""
    return {
        f"{what}, median ms": float(np.median(seconds)) * 1e3,
        f"{what}, 99 % ms": float(np.percentile(seconds, 99)) * 1e3,
    }


if __name__ == "__main__":
    main()
