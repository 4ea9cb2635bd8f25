"""What a home predicts, explains and publishes, as values and digests to hold other code against.

    python -m benchmarks.small_world --home HOME --json benchmarks/results/small_world.json
    python -m benchmarks.small_world --home HOME

Without a home one is made: 1,500 customers up to 2026-11-21. Numbers are digested to
nine significant digits; versions of models, which change with the form of their files, are counted.
Belongs here: recording and comparing. Does not belong here:
which differences are wanted (`benchmarks/RESULTS.md` lists them).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

SKIPPED_GROUPS = ("source", "truth")
SAMPLES = 3
RECORD = Path(__file__).parent / "results" / "small_world.json"


def main() -> None:
    """Record a home, or compare it with the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="made when left out")
    parser.add_argument("--json", type=Path, help="write the record here instead of comparing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or made_home(Path(folder))
        record = {"tables": tables(home / "lake"), "documents": documents(home)}
    if options.json:
        options.json.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
        return
    differences = list(compare(json.loads(RECORD.read_text()), record))
    print("| what | difference |\n|---|---|")
    for line in differences:
        print(f"| {line} |")
    print(f"\n{len(differences)} differences.")


def made_home(home: Path) -> Path:
    """Make the small world with the product's own command."""
    world = {"CUSTOMERS": "1500", "DATE": "2026-11-21", "HOME_DIR": str(home)}
    subprocess.run(
        [sys.executable, "-m", "engagement_assets.commands", "run"],
        check=True,
        env=os.environ | world,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return home


def tables(lake: Path) -> dict[str, Any]:
    """Digest, nulls and first values of each column of every table's partitions."""
    record: dict[str, Any] = {}
    names = {
        str(path.parent.parent.relative_to(lake))
        for path in lake.rglob("*.parquet")
        if path.relative_to(lake).parts[0] not in SKIPPED_GROUPS
    }
    for name in sorted(names):
        values: dict[str, list[Any]] = defaultdict(list)
        for path in sorted((lake / name).rglob("*.parquet")):
            table = pq.ParquetFile(path).read()
            for column in table.column_names:
                values[column].extend(table.column(column).to_pylist())
        record[name] = {column: digested(column, measured) for column, measured in values.items()}
    return record


def documents(home: Path) -> dict[str, Any]:
    """The same of every leaf of the documents that are served."""
    leaves: dict[str, list[Any]] = defaultdict(list)
    with sqlite3.connect(f"file:{home / 'online.sqlite'}?mode=ro", uri=True) as connection:
        rows = connection.execute(
            "SELECT document FROM records JOIN served USING (release_id) ORDER BY customer_id"
        ).fetchall()
    for (document,) in rows:
        for path, value in flattened(json.loads(plain(document))):
            leaves[path].append(value)
    return {path: digested(path, values) for path, values in sorted(leaves.items())}


def plain(document: bytes) -> bytes:
    """A stored document, decompressed where it is compressed."""
    try:
        return zlib.decompress(document)
    except zlib.error:
        return document


def flattened(value: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    """Every leaf of JSON data with its path; places in lists are not part of it."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from flattened(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for part in value:
            yield from flattened(part, f"{path}[]")
    else:
        yield path, value


def digested(name: str, values: list[Any]) -> dict[str, Any]:
    """Count, nulls, digest and first values; of versions and moments of making, the count alone."""
    if "version" in name or name.endswith("_at") or "published" in name:
        return {"rows": len(values)}
    texts = [rounded(value) for value in values]
    return {
        "rows": len(values),
        "nulls": sum(value is None for value in values),
        "digest": hashlib.sha256("\x1f".join(texts).encode()).hexdigest()[:16],
        "first": texts[:SAMPLES],
    }


def rounded(value: Any) -> str:
    """A value as text, numbers to nine significant digits."""
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, list):
        return "[" + ",".join(rounded(part) for part in value) + "]"
    return str(value)


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[str]:
    """A line for each table, column or leaf that differs."""
    named = {(kind, name) for kind in before for record in (before, after) for name in record[kind]}
    for kind, name in sorted(named):
        one, two = before[kind].get(name), after[kind].get(name)
        if one is None or two is None:
            yield f"{kind} {name} | {'new' if one is None else 'gone'}"
            continue
        if kind == "documents":
            one, two = {"": one}, {"": two}
        for column in sorted(one.keys() | two.keys()):
            if one.get(column) != two.get(column):
                state = "new" if column not in one else "gone" if column not in two else "changed"
                yield f"{kind} {name} {column}".strip() + f" | {state}"


if __name__ == "__main__":
    main()
