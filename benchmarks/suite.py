"""Wall time of the test suite, run as `make test` runs it.

    python -m benchmarks.suite

Belongs here: that one figure. Does not belong here: the tests.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    """Run the suite and print its closing line and seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", help="write the figures here too")
    options = parser.parse_args()
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal"],
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    lines = done.stdout.strip().splitlines()
    print(f"| {lines[-1]} | {seconds:.0f} s |")
    for line in lines:
        if line.startswith(("FAILED", "ERROR")):
            print(line, file=sys.stderr, flush=True)
    if done.returncode:
        raise SystemExit("the suite failed; its time says nothing")
    if options.json:
        Path(options.json).write_text(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
