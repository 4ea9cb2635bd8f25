"""What groups of rows cost: one customer's row, a query over all rows, the size of the file.

    python -m benchmarks.row_groups --home HOME

The last partition of some tables of a home is written again with groups of other sizes and read in
turns, on one thread. Belongs here: measuring. Does not belong here: writing files
(`resources.lake_files`).
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import duckdb
import pyarrow as pa

from resources.lake import Lake
from resources.lake_files import encode, read_rows
from resources.seals import unsealed

TABLES = ("features/customer_features", "ensemble/predictions", "churn/predictions")
SIZES = (2**20, 32_768, 16_384, 8_192)
TURNS = 7


def main() -> None:
    """Write the tables in each size, and print what reading them took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    pa.set_cpu_count(1)
    lake = Lake(str(options.home / "lake"))
    figures = []
    print(
        "| table | rows | rows of a group | file, MB | one customer's row, ms "
        "| a query over all rows, ms |\n|---|---:|---:|---:|---:|---:|"
    )
    for table in TABLES:
        rows = lake.read(table, days=lake.days(table)[-1:])
        for one in measure(table, rows):
            figures.append(one)
            print(
                "| {table} | {rows:,} | {group:,} | {mb:.2f} | {one:.1f} | {all:.1f} |".format(
                    **one
                )
            )
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def measure(table: str, rows: pa.Table) -> list[dict[str, float | str]]:
    """Read a table in groups of each size, in turns; medians of processor time."""
    ids = rows.column("customer_id").to_pylist()
    customer = ids[len(ids) // 2]
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as engine:
        engine.execute("SET threads = 1")
        paths = {size: Path(folder) / f"{size}.parquet" for size in SIZES}
        for size, path in paths.items():
            path.write_bytes(encode(rows, group_rows=size))
        seconds: dict[int, list[tuple[float, float]]] = {size: [] for size in SIZES}
        for _ in range(TURNS):
            for size, path in paths.items():
                seconds[size].append(
                    (
                        timed(lambda path=path: of_customer(path, customer)),
                        timed(lambda path=path: of_all(engine, path)),
                    )
                )
        return [
            {
                "table": table,
                "rows": len(rows),
                "group": min(size, len(rows)),
                "mb": paths[size].stat().st_size / 1e6,
                "one": 1e3 * median(one for one, _ in seconds[size]),
                "all": 1e3 * median(every for _, every in seconds[size]),
            }
            for size in SIZES
        ]


def of_customer(path: Path, customer: str) -> None:
    """Read one customer's row."""
    with path.open("rb") as file:
        read = read_rows(unsealed(file), "customer_id", [customer], None)
    if read.num_rows != 1:
        raise RuntimeError(f"{customer} has {read.num_rows} rows in {path}")


def of_all(engine: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Read every value of a file by SQL."""
    engine.execute("SELECT MAX(COLUMNS(*)) FROM read_parquet(?)", [str(path)]).fetchall()


def timed(work: Callable[[], None]) -> float:
    """Seconds of the processor that some work takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
