"""What the limits of connections cost a request: the API as it is, and on uvicorn's own protocol.

    python -m benchmarks.connection_limits --home HOME

Both serve one home, and are asked in turns for stored predictions, one request after another. A
process's own seconds are hardly moved by what else the machine does. Belongs here: measuring. Does
not belong here: the limits (`serving/api/connection.py`).
"""

import argparse
import asyncio
import json
import os
import tempfile
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import uvicorn

from benchmarks.api_server import Server, free_port, make_key
from benchmarks.load import get, one_after_another
from engagement_assets.serving.api.keys import KEYS_FILE
from resources.lake import Lake

TURNS = 7
REQUESTS = 3_000
BOUNDED, PLAIN = "within limits (`make serve`)", "uvicorn's own"
PREDICTIONS = "predictions/customers"


class PlainServer(Server):
    """The API on the protocol that uvicorn chooses by itself."""

    command = ("-m", "benchmarks.connection_limits", "--plain")


def main() -> None:
    """Ask both servers in turns, and print what a request takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="a home that `make run` made")
    parser.add_argument("--plain", action="store_true", help="serve without the limits")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.plain:
        serve_plain()
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(options.home.resolve(), Path(folder))
    print("| protocol | requests/s | p50, ms | p99, ms | ms of a processor |")
    print("|---|---:|---:|---:|---:|")
    for name, one in figures.items():
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in one.values())} |")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def serve_plain() -> None:
    """Serve as the product does, but for the protocol."""
    from engagement_assets.commands.serve import serve_api  # noqa: PLC0415 - of the server alone
    from engagement_assets.settings.api import ApiSettings  # noqa: PLC0415 - of the server alone

    serve = uvicorn.run
    with patch.object(uvicorn, "run", lambda *a, **k: serve(*a, **k | {"http": "httptools"})):
        serve_api(ApiSettings())


def measure(home: Path, folder: Path) -> dict[str, dict[str, float]]:
    """Ask both in turns; the median of each figure."""
    # a home beside it, so that the key for this is in no home of a person
    for path in home.iterdir():
        if path.name != KEYS_FILE:
            (folder / path.name).symlink_to(path)
    key = make_key(folder, ("read",))
    lake = Lake(str(home / "lake"))
    day = lake.days(PREDICTIONS)[-1]
    ids = lake.read(PREDICTIONS, days=[day], columns=["customer_id"])["customer_id"].to_pylist()
    servers = {
        BOUNDED: Server(folder, free_port(), folder / "bounded.log"),
        PLAIN: PlainServer(folder, free_port(), folder / "plain.log"),
    }
    took: dict[str, list[dict[str, float]]] = {name: [] for name in servers}
    try:
        for turn in range(TURNS + 1):
            for name, server in servers.items():
                one = ask(server, key, ids)
                if turn:
                    took[name].append(one)
    finally:
        for server in servers.values():
            server.stop()
    return {
        name: {figure: median(turn[figure] for turn in turns) for figure in turns[0]}
        for name, turns in took.items()
    }


def ask(server: Server, key: str, ids: list[str]) -> dict[str, float]:
    """Ask for many customers, one after another.

    Raises:
        RuntimeError: One was not answered.
    """
    before = seconds_of(server.process.pid)
    outcome = asyncio.run(
        one_after_another(
            server.port, lambda n: get(f"/v1/customers/{ids[n % len(ids)]}", key), count=REQUESTS
        )
    )
    if outcome.errors:
        raise RuntimeError(f"{outcome.errors} requests were not answered: {outcome.statuses}")
    summary: dict[str, Any] = outcome.summary()
    return {
        "requests/s": summary["answered_per_second"],
        "p50_ms": summary["p50_ms"],
        "p99_ms": summary["p99_ms"],
        "processor_ms": 1000 * (seconds_of(server.process.pid) - before) / REQUESTS,
    }


def seconds_of(process: int) -> float:
    """Seconds of a processor that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
