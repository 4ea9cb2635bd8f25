"""Thousands of made-up requests, valid and not, at every endpoint of a running API.

    python -m benchmarks.fuzz --lake LAKE --customers 100000 --cases 20000 --json FILE

Schemathesis makes them of the OpenAPI document: its examples, the edges of every member, random
bodies, and chains of requests that follow links from one answer into the next request. It checks
that no answer is a 5xx, that each has a status, a content type and a body that the document
declares, that invalid requests are refused and valid ones are not, and that nobody is let in
without a key. Belongs here: this run. Does not belong here: server (`api_server.py`).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from benchmarks.api_server import (
    Server,
    figures,
    free_port,
    kept_lake,
    make_home,
    make_key,
    publish_home,
)
from benchmarks.load import HOST

SCOPES = ("admin",)
PHASES = "examples,coverage,fuzzing,stateful"
# Loading the models takes a second: a few cases of it are as good as thousands.
# To its own list of how invalid data may be refused, 413 is added for those that are too long.
CONFIG = """\
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429]
[[operations]]
include-path = "/v1/models:reload"
[operations.phases.fuzzing.generation]
max-examples = 20
"""
LINE = 2_000
# Cases and failures found are an exit of 1; what is beyond is Schemathesis' own trouble.
RAN = (0, 1)


def main() -> None:
    """Fuzz a server over a lake of models, or over a home of the user's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", help="a lake of benchmarks.models; made when left out")
    parser.add_argument("--home", type=Path, help="a home whose day is published, not a lake")
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--examples", type=int, default=2_600, help="most, of each endpoint")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = options.home or folder / "home"
        if options.home is None:
            lake = kept_lake(options.lake, options.customers, folder)
            publish_home(make_home(home, lake, customers=options.customers))
        key = make_key(home, SCOPES)
        server = Server(home, free_port(), folder / "log", lake="1")
        try:
            measured = fuzz(server.port, key, folder, examples=options.examples, seed=options.seed)
        finally:
            server.stop()
    figures("schemathesis", measured)
    if options.json:
        options.json.write_text(json.dumps(measured, indent=1))


def fuzz(port: int, key: str, folder: Path, *, examples: int, seed: int) -> dict[str, Any]:
    """Run Schemathesis against a server of this machine.

    Args:
        port: Where it listens.
        key: A key that opens every endpoint.
        folder: For the report and the configuration.
        examples: Most random cases of an endpoint.
        seed: Of the cases.

    Returns:
        Numbers of cases, of those that failed a check and of answers by status, and the failures.

    Raises:
        RuntimeError: Schemathesis itself failed.
    """
    config, report = folder / "schemathesis.toml", folder / "report.json"
    config.write_text(CONFIG)
    # fmt: off
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run",
        f"http://{HOST}:{port}/v1/openapi.json", "--header", f"X-API-Key: {key}",
        "--phases", PHASES, "--max-examples", str(examples), "--seed", str(seed),
        "--continue-on-failure", "--no-color", "--report-json-path", str(report),
        "--generation-database", "none",
    ]
    # fmt: on
    before = statuses(port, key)
    # it keeps a cache where it runs
    done = subprocess.run(  # noqa: S603 - arguments of this file
        command, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode not in RAN or not report.exists():
        raise RuntimeError(f"schemathesis failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    told = json.loads(report.read_text())
    if told["failures"]:
        # a reproduction holds a whole request, which may be of a hundred customers
        sys.stderr.write("".join(f"{line[:LINE]}\n" for line in done.stdout.splitlines()))
    return {
        "cases": told["test_cases"]["generated"],
        "cases_with_failures": told["test_cases"]["with_failures"],
        "errored": told["test_cases"]["errored"],
        "operations_tested": told["operations"]["tested"],
        "operations": told["operations"]["total"],
        "seconds": round(told["running_time"], 1),
        "statuses": dict(sorted((statuses(port, key) - before).items())),
        "failures": told["failures"],
    }


def statuses(port: int, key: str) -> Counter[str]:
    """Answers by status, as the server itself counted them."""
    request = Request(f"http://{HOST}:{port}/metrics", headers={"X-API-Key": key})
    with urlopen(request) as answer:  # noqa: S310 - this machine
        lines = answer.read().decode()
    counted: Counter[str] = Counter()
    for status, count in re.findall(
        r'^engagement_api_requests_total\{.*status="(\d+)"\} (\S+)$', lines, re.MULTILINE
    ):
        counted[status] += int(float(count))
    return counted


if __name__ == "__main__":
    main()
