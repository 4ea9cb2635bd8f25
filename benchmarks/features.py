"""Time and memory of one snapshot: seven feature tables and the labels whose windows are closed.

    python benchmarks/features.py --lake data/lake --date 2025-03-31

Belongs here: measuring. It writes into the lake that it is given.
"""

import argparse
import resource
import time
from datetime import date
from pathlib import Path

from engagement_assets.features.catalogue import FEATURE_TABLES
from engagement_assets.features.labels import LABELS
from engagement_assets.features.snapshot import (
    data_days,
    land_feature_table,
    land_labels,
    require_source,
    required_days,
)
from engagement_assets.features.tables import KNOWN_TABLES
from engagement_assets.source.known import product_sql
from resources.engine import DuckDBEngine
from resources.lake import Lake, Written
from resources.tables import by_sql_name

SQL = product_sql(Path(__file__).resolve().parents[1] / "sql")


def peak_gib() -> float:
    """Peak resident memory of this process, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def report(written: Written, began: float) -> None:
    """Print one line: table, rows, bytes, seconds, peak memory."""
    print(
        f"{written.table:32} {written.rows:>9,} rows {written.bytes / 2**20:8.1f} MiB "
        f"{time.perf_counter() - began:7.2f} s   peak {peak_gib():5.2f} GiB"
    )


def main() -> None:
    """Land one snapshot and its labels, and print what each table cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lake", required=True, help="root of the lake")
    parser.add_argument("--date", required=True, type=date.fromisoformat, help="snapshot date")
    parser.add_argument("--threads", type=int, default=None, help="DuckDB threads; one a core")
    arguments = parser.parse_args()
    lake = Lake(arguments.lake)
    engine = DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES), threads=arguments.threads)
    began = time.perf_counter()
    first_day, last_day = data_days(lake)
    days = required_days(arguments.date, first_day)
    require_source(lake, days, first_day=first_day)
    print(f"{len(days)} days of data, checked in {time.perf_counter() - began:.2f} s")
    for table in FEATURE_TABLES:
        step = time.perf_counter()
        report(land_feature_table(engine, SQL, table, arguments.date), step)
    print(f"snapshot: {time.perf_counter() - began:.2f} s, peak {peak_gib():.2f} GiB")
    for label in LABELS.values():
        if label.closes_on(arguments.date) > last_day:
            print(f"{label.key:32} open until {label.closes_on(arguments.date)}")
            continue
        step = time.perf_counter()
        report(land_labels(engine, SQL, arguments.date, labels=[label])[label.key], step)


if __name__ == "__main__":
    main()
