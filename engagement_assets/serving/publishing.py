"""Publishing a day of the lake to the online store, in batches that a killed run goes on from.

Belongs here: the release, its name, the order of the batches, what is put beside them. Does not
belong here: the documents (`records.py`), the stores (`resources.online_store`) and when it runs
(`published.py`).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

import orjson

from engagement_assets.decisions.specs import DECISIONS
from engagement_assets.lifecycle.predictor import Context
from engagement_assets.lifecycle.scored import scored_model
from engagement_assets.serving.cold_start import cold_start_lists
from engagement_assets.serving.records import (
    DOCUMENT_FORMAT,
    EXPLAINED,
    INPUTS,
    LISTING,
    DayTables,
    documents,
    encode,
)
from resources.lake import Lake
from resources.online_store.releases import Release
from resources.online_store.store import Filling, OnlineStore

PURPOSE = "personalisation"
BATCH = 2_000
COLD_START = "cold_start"


@dataclass(frozen=True)
class Published:
    """What one publication did.

    Attributes:
        release: The release that is served afterwards.
        customers: Documents of the release.
        batches: Batches of the release.
        resumed: Batches that an earlier try had put.
        bytes: Size of the documents and blobs that this one put.
        seconds: Wall time.
        was_served: Whether this very release was served already, so that nothing was put.
    """

    release: Release
    customers: int
    batches: int
    resumed: int
    bytes: int
    seconds: float
    was_served: bool


def release_of(lake: Lake, day: date, agreed: frozenset[str], *, batch: int = BATCH) -> Release:
    """The release that a day of the lake makes.

    Its name tells what it is made from: the partitions, the consents, the form of the documents and
    how they are cut into batches, so that a release of this name can be gone on with.

    Raises:
        MissingPartitionError: The features or the unified predictions are not there.
    """
    made = hashlib.sha256(f"{DOCUMENT_FORMAT}/{batch}".encode())
    for table in INPUTS:
        needed = table in (INPUTS[0], INPUTS[-1])
        there = needed or lake.exists(table, day)
        made.update(f"/{table}/{lake.digest(table, day) if there else ''}".encode())
    for customer in sorted(agreed):
        made.update(b"/" + customer.encode(errors="surrogatepass"))
    details = {"format": DOCUMENT_FORMAT, "batch": batch, "agreed": len(agreed)}
    return Release(f"{day.isoformat()}-{made.hexdigest()[:16]}", day, details)


def publish_day(
    lake: Lake,
    store: OnlineStore,
    day: date,
    *,
    agreed: frozenset[str],
    owner: str,
    batch: int = BATCH,
    progress: Callable[[int, int], object] | None = None,
) -> Published:
    """Publish a day, going on where an earlier try stopped.

    After each batch `progress` is told how many customers of how many are put.

    Raises:
        MissingPartitionError: The day is not in the lake.
        OlderReleaseError: A newer day is served.
        StoreBusyError: Another publisher is at work.
        OnlineStoreError: The store refuses; what it took is gone on with the next time.
    """
    began = time.perf_counter()
    tables = DayTables.read(lake, day)
    batches = -(-tables.customers // batch)
    about = {
        "customers": tables.customers,
        "batches": batches,
        "model_versions": dict(tables.versions),
    }
    release = release_of(lake, day, agreed, batch=batch)
    release = replace(release, details={**release.details, **about})
    size = 0
    with store.publishing(release, owner=owner) as publication:
        resumed = publication.done
        if not publication.is_served:
            size = _fill(publication, tables, agreed, batch=batch, progress=progress)
        served = publication.serve()
    return Published(
        release=served,
        customers=tables.customers,
        batches=batches,
        resumed=min(resumed, batches),
        bytes=size,
        seconds=time.perf_counter() - began,
        was_served=publication.is_served,
    )


def _fill(
    publication: Filling,
    tables: DayTables,
    agreed: frozenset[str],
    *,
    batch: int,
    progress: Callable[[int, int], object] | None,
) -> int:
    """Put what is not there yet; how many bytes."""
    size = 0
    for name, content in day_blobs(tables).items():
        publication.put_blob(name, content)
        size += len(content)
    first = publication.done
    for number, part in enumerate(documents(tables, agreed, size=batch, first=first), first):
        rows = [(document["customer_id"], encode(document)) for document in part]
        publication.put(number, rows)
        size += sum(len(content) for _, content in rows)
        if progress is not None:
            progress(number * batch + len(rows), tables.customers)
    return size


def day_blobs(tables: DayTables) -> dict[str, bytes]:
    """What is kept of a day as a whole, by name."""
    lists = cold_start_lists(
        tables.features.select(["customer_id", "location"]),
        tables.predictions.get(LISTING.name),
    )
    return {COLD_START: orjson.dumps(lists)} | references_of(tables)


def references_of(tables: DayTables) -> dict[str, bytes]:
    """What stands for a day's customers where one of them is scored alone, by model."""
    context = Context({name: table.to_pandas() for name, table in tables.predictions.items()})
    customers = tables.features.column("customer_id").to_pandas()
    references = {
        spec.name: scored_model(spec).reference(customers, context)
        for spec in EXPLAINED
        if spec.placed_by_day
    }
    references |= {
        spec.name: spec.rule().reference(context) for spec in DECISIONS if not spec.learnt
    }
    return {name: content for name, content in references.items() if content is not None}
