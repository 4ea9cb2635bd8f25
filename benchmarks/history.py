"""Cost of taking in years of few rows: seconds, bytes and files.

    python -m benchmarks.history --days 5000 --rows 20000
    python -m benchmarks.history --days 400 --rows 400000

Every table of the contract is a CSV file mapped by one `SELECT`; the job `ingest` runs as
`make run` runs it, with its checks. Belongs here: what history costs. Does not belong here:
simulated sources, which write nearly every table every day (`benchmarks.stages`).
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc

from engagement_assets.source.contract import CUSTOMERS, MERGES, TABLES, WITHDRAWALS, SourceTable
from resources.tables import Column

SEED = 7
LAST = date(2026, 3, 1)
# Share of all rows by table; what is left is shared by the others.
SHARES = {"sessions": 0.4, "interactions": 0.25, "messages": 0.1, "posts": 0.08, CUSTOMERS: 0.05}
SOURCE = "archive"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=5000)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--json", help="write the figures here too")
    parser.add_argument("--home", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.home:
        ingest_archive(Path(options.home))
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = write_archive(Path(folder), days=options.days, rows=options.rows)
        child = [sys.executable, "-m", "benchmarks.history", "--home", folder]
        began = time.perf_counter()
        done = subprocess.run(child, capture_output=True, text=True, check=False)  # noqa: S603 - itself
        seconds = time.perf_counter() - began
        if done.returncode:
            sys.exit(done.stderr[-4000:])
        home = Path(folder) / "home"
        sizes = [path.lstat().st_blocks * 512 for path in home.rglob("*") if path.is_file()]
    name = f"{options.days:,} days of {len(TABLES)} tables with {rows:,} rows"
    figures = {"seconds": seconds, "megabytes": sum(sizes) / 1e6, "files": len(sizes)}
    print(
        f"| {name} | {seconds:.0f} s | {figures['megabytes']:.0f} MB | {figures['files']:,} files |"
    )
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1))


def ingest_archive(folder: Path) -> None:
    """Take the archive in, in a home of its own."""
    from engagement_assets.settings import installation  # noqa: PLC0415 - before all that reads it

    installation.MAPPINGS = folder / "sql"
    installation.known_sources.__defaults__ = (folder / "sql",)
    os.environ.pop(installation.HOME_VARIABLE, None)
    from engagement_assets.commands.homes import open_home  # noqa: PLC0415 - after the mappings

    os.environ[installation.HOME_VARIABLE] = str(folder / "home")
    given = {"home": folder / "home", "source": SOURCE, "source_data": str(folder / "data")}
    settings = open_home(given)
    import dagster as dg  # noqa: PLC0415 - after the home

    from engagement_assets.commands.runner import Runner  # noqa: PLC0415 - after the home

    with dg.DagsterInstance.get() as instance:
        Runner(instance, time.monotonic()).run("ingest", (settings.start, settings.end))


def write_archive(folder: Path, *, days: int, rows: int) -> int:
    """Write a CSV file and a mapping for every table; returns how many rows were written."""
    first = LAST - timedelta(days=days - 1)
    (folder / "data").mkdir()
    (folder / "sql" / SOURCE).mkdir(parents=True)
    settings = f'last_day = {LAST}\ngranted_consents = ["analytics"]\n'
    (folder / "sql" / SOURCE / "source.toml").write_text(settings)
    # these two end rows and customers, which is not what is measured
    tables = [table for name, table in TABLES.items() if name not in (MERGES, WITHDRAWALS)]
    customers = max(1, round(rows * SHARES[CUSTOMERS]))
    rest = (1 - sum(SHARES.values())) / (len(tables) - len(SHARES))
    draw = random.Random(SEED)  # noqa: S311 - no secret
    written = 0
    for table in tables:
        count = max(1, round(rows * SHARES.get(table.noun, rest)))
        made = [made_row(table, n, draw, first, days, customers) for n in range(count)]
        written += len(made)
        pc.write_csv(pa.Table.from_pylist(made), folder / "data" / f"{table.noun}.csv")
        sql = f"SELECT * FROM read_csv(:data || '/{table.noun}.csv', header = true)\n"  # noqa: S608 - own names
        (folder / "sql" / SOURCE / f"{table.noun}.sql").write_text(sql)
    return written


def made_row(
    table: SourceTable, number: int, draw: random.Random, first: date, days: int, customers: int
) -> dict[str, object]:
    """A legal row; customers sign up on the first day, so that all others know them."""
    start = datetime(first.year, first.month, first.day)
    day = 0 if table.noun == CUSTOMERS else draw.randrange(days)
    instant = start + timedelta(days=day, seconds=draw.randrange(80_000))
    row: dict[str, object] = {}
    for column in table.columns:
        if column.name == table.event_time:
            row[column.name] = instant
        elif column.names_customer:
            chosen = number if table.noun == CUSTOMERS else draw.randrange(customers)
            row[column.name] = f"c{chosen}"
        elif not column.nullable and column.name != "recorded_at":
            row[column.name] = made_value(column, number, draw, instant)
    return row


def made_value(column: Column, number: int, draw: random.Random, instant: datetime) -> object:
    """A legal value of a column that must have one."""
    if column.allowed:
        return draw.choice(sorted(column.allowed))
    low = column.minimum if column.minimum is not None else 0
    values = {
        "string": f"{column.name}{number}",
        "int64": int(low) + 1,
        "float64": float(low) + 0.5,
        "bool": True,
        "timestamp": instant,
        "date": instant.date(),
    }
    return values[column.type]


if __name__ == "__main__":
    main()
