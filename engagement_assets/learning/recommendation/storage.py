"""A recommender as files: JSON, safetensors, Parquet; never code.

Belongs here: writing and reading a dataset, arrays and parameters. Does not belong here: what the
arrays mean (each estimator), hashes and versions (`resources.registry`).
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from engagement_assets.learning.recommendation.data import Dataset

if TYPE_CHECKING:
    from upath import UPath

FORMAT = "recommender/1"
STATE_FILE = "recommender.json"
ARRAYS_FILE = "arrays.safetensors"
TABLES = ("users", "items", "interactions", "links", "seen")


def write(
    folder: Path | UPath | str,
    *,
    kind: str,
    state: dict[str, Any],
    arrays: dict[str, NDArray[Any]],
    data: Dataset | None,
) -> None:
    """Write a recommender; its dataset too unless None."""
    target = Path(folder) if isinstance(folder, str) else folder
    target.mkdir(parents=True, exist_ok=True)
    described = {"format": FORMAT, "kind": kind, **state}
    tensors = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    if data is not None:
        described["dataset"] = {
            "as_of": data.as_of,
            "candidate_days": data.candidate_days,
            "categories": list(data.categories),
            "segments": list(data.segments),
            "has_links": data.links is not None,
            "has_seen": data.seen is not None,
        }
        if data.vectors is not None:
            tensors["dataset.vectors"] = np.ascontiguousarray(data.vectors)
        for name, table in _tables(data).items():
            buffer = io.BytesIO()
            pq.write_table(pa.Table.from_pandas(table, preserve_index=False), buffer)
            (target / f"{name}.parquet").write_bytes(buffer.getvalue())
    (target / ARRAYS_FILE).write_bytes(save_tensors(tensors))
    (target / STATE_FILE).write_text(json.dumps(described, indent=1, allow_nan=False))


def read(
    folder: Path | UPath | str, *, kind: str | None = None
) -> tuple[dict[str, Any], dict[str, NDArray[Any]], Dataset | None]:
    """Read what `write` wrote. Check the files' hashes first (`ModelRegistry.open`).

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: The files are of another format or kind.
    """
    source = Path(folder) if isinstance(folder, str) else folder
    state: dict[str, Any] = json.loads((source / STATE_FILE).read_text())
    if state.get("format") != FORMAT:
        raise ValueError(f"{source} has format {state.get('format')!r}, expected {FORMAT!r}")
    if kind is not None and state.get("kind") != kind:
        raise ValueError(f"{source} holds a {state.get('kind')!r}, expected {kind!r}")
    arrays = dict(load_tensors((source / ARRAYS_FILE).read_bytes()))
    described = state.get("dataset")
    if described is None:
        return state, arrays, None
    tables = {
        name: pq.read_table(io.BytesIO((source / f"{name}.parquet").read_bytes())).to_pandas()
        for name in TABLES
    }
    return state, arrays, _dataset(described, tables, arrays.pop("dataset.vectors", None))


def _tables(data: Dataset) -> dict[str, pd.DataFrame]:
    none = np.zeros((0, 2), dtype=np.int64)
    links = none if data.links is None else data.links
    seen = none if data.seen is None else data.seen
    return {
        "users": pd.DataFrame({"user": data.users, "segment": data.segment, "own": data.own}),
        "items": pd.DataFrame(
            {
                "item": data.items,
                "category": data.category,
                "published": data.published,
                "author": data.author,
            }
        ),
        "interactions": pd.DataFrame(
            {"user": data.user, "item": data.item, "day": data.day, "weight": data.weight}
        ),
        "links": pd.DataFrame({"user": links[:, 0], "author": links[:, 1], "day": data.link_day}),
        "seen": pd.DataFrame({"user": seen[:, 0], "item": seen[:, 1]}),
    }


def _dataset(
    told: dict[str, Any], tables: dict[str, pd.DataFrame], vectors: NDArray[Any] | None
) -> Dataset:
    users, items, rows, links, seen = (tables[name] for name in TABLES)
    return Dataset(
        users=pd.Index(users["user"].astype(object)),
        items=pd.Index(items["item"].astype(object)),
        user=rows["user"].to_numpy(),
        item=rows["item"].to_numpy(),
        day=rows["day"].to_numpy(),
        weight=rows["weight"].to_numpy(),
        as_of=float(told["as_of"]),
        candidate_days=told["candidate_days"],
        categories=tuple(told["categories"]),
        category=items["category"].to_numpy(),
        published=items["published"].to_numpy(),
        author=items["author"].to_numpy(),
        own=users["own"].to_numpy(),
        segments=tuple(told["segments"]),
        segment=users["segment"].to_numpy(),
        vectors=vectors,
        links=links[["user", "author"]].to_numpy() if told["has_links"] else None,
        link_day=links["day"].to_numpy(),
        seen=seen[["user", "item"]].to_numpy() if told["has_seen"] else None,
    )
