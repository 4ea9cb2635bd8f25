"""Wall time of the main job from an empty home, of its repetition, and of loading the location.

    python -m benchmarks.main_job --customers 10000

Belongs here: what a user waits for. Does not belong here: single stages (`benchmarks.stages`).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOADS = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--json", help="write the figures here too")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as home:
        given = ["--customers", str(options.customers), "--home-dir", home]
        for name in ("first run", "second run"):
            began = time.perf_counter()
            subprocess.run(  # noqa: S603 - the product itself
                [sys.executable, "-m", "engagement_assets.commands", "run", *given],
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            figures[name] = time.perf_counter() - began
            print(f"| {name}, {options.customers:,} customers | {figures[name]:.1f} s |")
        seconds = []
        for _ in range(LOADS):
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", "import engagement_assets.definitions"],
                check=True,
                env={**os.environ, "ENGAGEMENT_HOME": home},
            )
            seconds.append(time.perf_counter() - began)
    figures["load"] = sorted(seconds)[LOADS // 2]
    print(f"| location load, fresh interpreter, median of {LOADS} | {figures['load']:.2f} s |")
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
