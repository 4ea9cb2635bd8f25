"""Rows and bytes of a lake: what storage and scans cost is reckoned from these.

    python -m benchmarks.lake_size --customers 100000 --lake LAKE --json FILE

Over a lake of `benchmarks.models`. Raw tables are counted whole; of the derived ones the last day,
which is what a day adds. Belongs here: counting. Does not belong here: prices (`deploy/cost.py`).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.publish import made_lake

RAW = "source"
# One of these is made a day; labels are made once a snapshot and embeddings when a job is asked.
DERIVED = ("sentiment", "network", "features", "*/predictions", "predictions")


def main() -> None:
    """Count, print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--lake", help="a lake of benchmarks.models; made when left out")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lake = Path(options.lake or made_lake(options.customers, folder))
        measured = counted(lake, options.customers)
    for name, figure in measured.items():
        print(f"| {name} | {figure:,} |")
    if options.json:
        options.json.write_text(json.dumps(measured, indent=1))


def counted(lake: Path, customers: int) -> dict[str, float]:
    """Rows and bytes."""
    raw = list((lake / RAW).rglob("*.parquet"))
    rows = sum(pq.read_metadata(path).num_rows for path in raw)
    size = sum(path.stat().st_size for path in raw)
    days = len({path.parent.name for path in raw})
    derived = sum(
        newest.stat().st_size
        for table in {path.parent.parent for pattern in DERIVED for path in parts(lake, pattern)}
        for newest in max(table.iterdir()).glob("*.parquet")
    )
    return {
        "raw days": days,
        "raw rows": rows,
        "raw bytes": size,
        "raw bytes a row": round(size / rows, 1),
        "derived bytes of a day": derived,
        "derived bytes of a day a customer": round(derived / customers, 1),
    }


def parts(lake: Path, pattern: str) -> list[Path]:
    """Files of the tables whose group or name fits."""
    return [path for folder in lake.glob(pattern) for path in folder.rglob("*.parquet")]


if __name__ == "__main__":
    main()
