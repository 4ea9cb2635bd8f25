"""Lines of code outside tests and benchmarks, now and before the code was reshaped.

    python -m benchmarks.code_size

Counts every line of the Python, SQL and Makefile that git tracks. Belongs here: that count.
"""

import argparse
import json
import subprocess
from pathlib import Path

BEFORE = "bb7bc14"
APART = ("engagement_assets_tests/", "benchmarks/")


def lines(commit: str) -> int:
    """Count the lines of a commit."""
    names = git("ls-tree", "-r", "--name-only", commit).splitlines()
    counted = [
        name
        for name in names
        if (name.endswith((".py", ".sql")) or name == "Makefile") and not name.startswith(APART)
    ]
    return sum(git("show", f"{commit}:{name}").count("\n") for name in counted)


def git(*arguments: str) -> str:
    """What git says."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)  # noqa: S603, S607 - fixed
    return done.stdout


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    figures = {"before": lines(BEFORE), "now": lines("HEAD")}
    print(f"| lines before (commit {BEFORE}) | {figures['before']:,} |")
    print(f"| lines now | {figures['now']:,} |")
    print(f"| fewer | {figures['before'] - figures['now']:,} |")
    if options.json:
        options.json.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
