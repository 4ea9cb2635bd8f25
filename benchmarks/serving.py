"""The API under load: cached reads, capacity, scoring on demand, start.

    python -m benchmarks.serving --lake LAKE --customers 100000 --json FILE

Over a lake that `benchmarks.models` made, published into a SQLite store in a temporary home. Client
and server share the machine. Belongs here: measuring. Does not belong here: the API.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
from collections.abc import Callable
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
from benchmarks.load import Outcome, get, offer, one_after_another, post

RATE = 300.0
CAPACITY_RATES = (400, 600, 800, 1000, 1200, 1400, 1700, 2000, 2500, 3000)
CAPACITY_SECONDS = 10.0
CAPACITY_P99_MS = 50.0
ON_DEMAND = 1_000


def main() -> None:
    """Measure everything, print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", help="a lake of benchmarks.models; made when left out")
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        lake = kept_lake(options.lake, options.customers, Path(folder))
        settings = make_home(home, lake, customers=options.customers)
        result = {"publish": publish_home(settings)}
        figures("publish to SQLite", result["publish"])
        key = make_key(home, ("read", "score", "admin"))
        server = Server(home, free_port(), Path(folder) / "log", lake="1")
        try:
            result |= measured(server, key, options)
        finally:
            server.stop()
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))


def measured(server: Server, key: str, options: argparse.Namespace) -> dict[str, Any]:
    """Every figure of a running server."""
    chosen = random.Random(options.seed)  # noqa: S311 - which customers are asked for
    ids = [f"c{chosen.randrange(options.customers):07d}" for _ in range(200_000)]

    def path(number: int, tail: str = "") -> str:
        return f"/v1/customers/{ids[number % len(ids)]}{tail}"

    def read(number: int) -> bytes:
        return get(path(number), key)

    result: dict[str, Any] = {"start to ready": {"seconds": round(server.ready_seconds, 2)}}
    figures("start to ready", result["start to ready"])
    # the sentiment model is loaded after the start; it should not be measured with the rest
    asyncio.run(one_after_another(server.port, read, count=2_000))

    def keep(name: str, outcome: Outcome, **more: Any) -> None:
        result[name] = {**outcome.summary(), **more}
        figures(name, result[name])

    keep(
        f"cached read, {RATE:.0f}/s for {options.seconds:.0f} s",
        asyncio.run(offer(server.port, read, rate=RATE, seconds=options.seconds)),
    )
    for name, tail in (
        ("cached explanation", "/explanations/churn"),
        ("cached recommendations", "/recommendations"),
    ):
        keep(
            f"{name}, {RATE:.0f}/s for 10 s",
            asyncio.run(
                offer(server.port, lambda n, t=tail: get(path(n, t), key), rate=RATE, seconds=10)
            ),
        )
    result["capacity"] = capacity(server.port, read)
    figures("most requests/s with p99 under 50 ms", result["capacity"])
    on_demand(server, key, path, keep)
    batches(server, key, ids, keep)
    result["memory"] = {"rss_mib": round(server.memory_mib())}
    figures("memory of the worker", result["memory"])
    return result


def capacity(port: int, read: Callable[[int], bytes]) -> dict[str, Any]:
    """The greatest rate whose p99 stays under the limit, without an error."""
    best: dict[str, Any] = {}
    for rate in CAPACITY_RATES:
        outcome = asyncio.run(offer(port, read, rate=rate, seconds=CAPACITY_SECONDS))
        if outcome.quantile(0.99) >= CAPACITY_P99_MS or outcome.errors:
            best["next"] = {"rate": rate, **outcome.summary()}
            break
        best = {"rate": rate, **outcome.summary()}
    return best


def on_demand(
    server: Server, key: str, path: Callable[[int, str], str], keep: Callable[..., None]
) -> None:
    """Scores with reasons computed while the caller waits."""
    keep(
        "on demand, five scores with reasons, one after another",
        asyncio.run(
            one_after_another(
                server.port, lambda n: get(path(n, "?compute=true"), key), count=ON_DEMAND
            )
        ),
    )
    keep(
        "on demand, 20/s for 20 s",
        asyncio.run(
            offer(server.port, lambda n: get(path(n, "?compute=true"), key), rate=20, seconds=20)
        ),
    )
    text = json.dumps({"consent": True, "texts": ["what a lovely morning this is"]}).encode()
    keep(
        "sentiment of one text, one after another",
        asyncio.run(
            one_after_another(server.port, lambda _: post("/v1/sentiment", key, text), count=300)
        ),
    )


def batches(server: Server, key: str, ids: list[str], keep: Callable[..., None]) -> None:
    """Reads of 100 customers at once."""

    def request(number: int) -> bytes:
        some = ids[100 * number : 100 * number + 100]
        return post("/v1/customers:batch", key, json.dumps({"customer_ids": some}).encode())

    keep(
        "batch of 100, one after another",
        asyncio.run(one_after_another(server.port, request, count=200)),
    )


if __name__ == "__main__":
    main()
