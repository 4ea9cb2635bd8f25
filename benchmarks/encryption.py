"""What an encrypted lake costs: encrypting it, reading days, and one snapshot of features.

    python -m benchmarks.encryption --customers 5000 --days 120

The same lake is read plain and encrypted in turns. Belongs here: measuring. Does not belong here:
encrypting.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median

from upath import UPath

from benchmarks import stages
from engagement_assets.features.catalogue import FEATURE_TABLES
from engagement_assets.features.snapshot import land_feature_table
from engagement_assets.features.tables import KNOWN_TABLES
from engagement_assets.source.known import product_sql
from resources.engine import DuckDBEngine
from resources.key_files import make_key
from resources.lake import Lake
from resources.tables import by_sql_name

TURNS = 3
READ = ("source/sessions", "source/messages", "source/posts")
SQL = product_sql(stages.SQL)


def main() -> None:
    """Make a lake, encrypt a copy, and print what each costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument("--days", type=int, default=120)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), options)
    for name, value in figures.items():
        print(f"| {name} | {value:,} |" if isinstance(value, int) else f"| {name} | {value:,.2f} |")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def measure(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """Take the days in twice, encrypt the second lake, and read both in turns."""
    make_key(folder / "lake.key")
    lakes = {
        "plain": Lake(str(folder / "plain")),
        "encrypted": Lake(str(folder / "encrypted"), key_file=str(folder / "lake.key")),
    }
    for lake in lakes.values():
        options.lake = lake.root
        stages.stage_simulate(options)
    files = sorted(Path(lakes["encrypted"].root).rglob("*.parquet"))
    size = sum(path.stat().st_size for path in files)
    # taken in plain: the simulator's stage knows no key
    recode = lakes["encrypted"].recode
    seconds = timed(lambda: [recode(UPath(path), encrypted=True) for path in files])
    figures: dict[str, float] = {
        "customers": options.customers,
        "days": options.days,
        "files": len(files),
        "MiB": size / 2**20,
        "encrypting, seconds": seconds,
        "files whose bytes show a column's name or an address": sum(
            any(word in path.read_bytes() for word in (b"customer_id", b"@example"))
            for path in files
        ),
    }
    return figures | in_turns(lakes, options)


def in_turns(lakes: dict[str, Lake], options: argparse.Namespace) -> dict[str, float]:
    """Median seconds of reading and of a snapshot, by lake."""
    last = stages.end(options)
    month = [last - timedelta(days=n) for n in range(30)]
    took: dict[str, list[float]] = {}
    for _ in range(TURNS):
        for kind, lake in lakes.items():
            engine = DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES), threads=2)
            work: dict[str, Callable[[], object]] = {
                "reading 30 days of three tables": lambda lake=lake: [
                    lake.read(table, days=month) for table in READ
                ],
                "a snapshot of features": lambda engine=engine: [
                    land_feature_table(engine, SQL, table, last) for table in FEATURE_TABLES
                ],
            }
            for name, task in work.items():
                took.setdefault(f"{name}, {kind}, seconds", []).append(timed(task))
    return {name: median(each) for name, each in took.items()}


def timed(task: Callable[[], object]) -> float:
    """Seconds that a task takes."""
    began = time.perf_counter()
    task()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
