"""Deleting 100 customers from 400 day partitions: day files rewritten, and a Delta table.

    pip install --no-deps --target DELTA deltalake==1.6.6 arro3-core==0.9.1
    PYTHONPATH=DELTA python -m benchmarks.table_formats --lake LAKE --json FILE

Over the sessions of a lake, which stays as it is. The product does not depend on delta-rs, so this
is no part of `make bench`; `docs/decisions/` says what follows. Each way ends where no file of the
table holds an erased id any more, as far as it can. Belongs here: this comparison.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engagement_assets.governance.privacy.places import LakeTable
from engagement_assets.source.contract import TABLES
from resources.lake import Lake
from resources.subjects import Subjects

TABLE = TABLES["sessions"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", required=True, help="a lake with source/sessions")
    parser.add_argument("--erased", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    source = Lake(options.lake)
    days = source.filled_days(TABLE.key)
    ids = source.read(TABLE.key, days=days, columns=["customer_id"]).column(0)
    people = sorted(ids.unique().to_pylist())
    erased = random.Random(options.seed).sample(people, options.erased)  # noqa: S311 - whom
    figures: dict[str, Any] = {
        "rows": len(ids),
        "partitions": len(days),
        "rows of the erased": int(pc.sum(pc.is_in(ids, value_set=pa.array(erased))).as_py()),
    }
    with tempfile.TemporaryDirectory() as folder:
        figures |= day_files(source, Path(folder) / "lake", erased)
        figures |= delta(source, Path(folder) / "delta", erased)
    for name, value in figures.items():
        print(f"| {name} | {value:,} |")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def day_files(source: Lake, root: Path, erased: list[str]) -> dict[str, Any]:
    """Rewrite day files as an erasure does."""
    lake = Lake(str(root))
    shutil.copytree(str(source.table_path(TABLE.key)), str(lake.table_path(TABLE.key)))
    place = LakeTable(lake, TABLE)
    subjects = Subjects(frozenset(erased))
    removed, seconds = timed(lambda: place.remove(subjects))
    left, counting = timed(lambda: place.count(subjects))
    return {
        "day files: seconds to remove": seconds,
        "day files: rows removed": removed,
        "day files: seconds to count what is left": counting,
        "day files: rows left": left,
        "day files: files that hold an erased id": holding(root, erased),
    }


def delta(source: Lake, root: Path, erased: list[str]) -> dict[str, Any]:
    """Delete from a Delta table, then remove the files that no version needs."""
    from deltalake import DeltaTable, write_deltalake  # noqa: PLC0415 - no dependency of ours

    for start in range(0, len(days := source.filled_days(TABLE.key)), 50):
        rows = [
            part.append_column("day", pa.array([day] * part.num_rows, pa.date32()))
            for day in days[start : start + 50]
            for part in [source.read(TABLE.key, days=[day])]
        ]
        write_deltalake(str(root), pa.concat_tables(rows), mode="append", partition_by=["day"])
    table = DeltaTable(str(root))
    names = ", ".join(f"'{one}'" for one in erased)
    done, seconds = timed(lambda: table.delete(f"customer_id IN ({names})"))
    after_delete = holding(root, erased)
    _, vacuum = timed(
        lambda: table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    )

    def forget() -> None:
        table.create_checkpoint()
        table.cleanup_metadata()

    _, metadata = timed(forget)
    return {
        "Delta: seconds to delete": seconds,
        "Delta: rows deleted": done["num_deleted_rows"],
        "Delta: files that hold an erased id after that": after_delete,
        "Delta: seconds to vacuum": vacuum,
        "Delta: seconds for a checkpoint and to clean the log": metadata,
        "Delta: files that hold an erased id in the end": holding(root, erased),
        "Delta: of them in its log": holding(root / "_delta_log", erased),
    }


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What work gives, and its seconds."""
    began = time.perf_counter()
    result = work()
    return result, round(time.perf_counter() - began, 2)


def holding(root: Path, erased: list[str]) -> int:
    """How many files hold an id of the erased."""
    wanted, names = pa.array(erased), [one.encode() for one in erased]
    count = 0
    for path in (path for path in root.rglob("*") if path.is_file()):
        if path.suffix == ".parquet" and "_delta_log" not in path.parts:
            ids = pq.ParquetFile(path).read(columns=["customer_id"]).column(0)
            count += bool(pc.any(pc.is_in(ids.cast(pa.string()), value_set=wanted)).as_py())
        else:
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content = str(pq.ParquetFile(path).read().to_pydict()).encode()
            count += any(name in content for name in names)
    return count


if __name__ == "__main__":
    main()
