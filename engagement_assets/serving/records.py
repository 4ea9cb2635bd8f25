"""What the online store keeps of a customer and day: one document, made from the lake.

A document is zlib (level 1) of JSON of this shape, with these keys in every one:

    customer_id       text
    snapshot_date     date of the features, YYYY-MM-DD
    features          the features by name; null where the feature is
    predictions       by model of `EXPLAINED`: its own columns, without reasons and version, or null
                      where it does not score this customer
    explanations      by model of `EXPLAINED`: a list, the strongest first, of {feature, value,
                      typical, contribution}; empty where there are none
    decisions         by decision: its own columns with action, propensity and reason, or null where
                      it does not judge this customer
    recommendations   {items: ids, the best first; source}, or null without a list or without the
                      consent to personalisation
    actions_due       texts of what the product's rules ask for
    model_versions    by model: the version that predicted this day, or null where none did
    consents          {personalisation: true or false}

A number that is not finite is null. Belongs here: the documents and their bytes. Does not belong
here: where they go (`publishing.py`) and what is kept of the day as a whole (`health.py`,
`cold_start.py`).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from engagement_assets.decisions.customers.unified import CUSTOMERS
from engagement_assets.decisions.specs import DECISIONS
from engagement_assets.features.catalogue import CUSTOMER_FEATURES, FEATURE_NAMES
from engagement_assets.lifecycle.spec import REASONS, ModelSpec, UseCaseSpec
from engagement_assets.models.specs import MODELS
from resources.lake import Lake

DOCUMENT_FORMAT = 2
# Level 1 is three times as fast as the default and its documents are a tenth larger.
LEVEL = 1
EXPLAINED = tuple(spec for spec in MODELS if spec.online)
INPUTS = (CUSTOMER_FEATURES, *(spec.output for spec in (*MODELS, *DECISIONS)), CUSTOMERS)
# the model that lists items for a customer
LISTING = next(spec for spec in MODELS if {"items", "source"} <= set(spec.table.names))
ACTIONS_APART = "; "
REASON_PARTS = ("feature", "value", "typical", "contribution")


class MixedVersionsError(RuntimeError):
    """A partition of predictions holds rows of several model versions."""


def encode(document: Mapping[str, Any]) -> bytes:
    """The bytes of a document."""
    # orjson writes numbers that are not finite as null
    return zlib.compress(orjson.dumps(document), LEVEL)


def decode(content: bytes) -> dict[str, Any]:
    """The document that `encode` wrote.

    Raises:
        ValueError: The bytes are none.
    """
    try:
        document: dict[str, Any] = orjson.loads(zlib.decompress(content))
    except zlib.error as error:
        raise ValueError(f"these bytes are no document: {error}") from error
    return document


@dataclass(frozen=True)
class DayTables:
    """The partitions of one day, sorted by customer.

    Attributes:
        day: The date of the features.
        features: One row a customer, in the order of the ids.
        predictions: By use case; one whose partition is not there or empty is left out.
        actions: What is due, in the order of `features`.
        versions: The version that predicted, by model; None for one that did not.
    """

    day: date
    features: pa.Table
    predictions: Mapping[str, pa.Table]
    actions: pa.ChunkedArray
    versions: Mapping[str, str | None]

    @classmethod
    def read(cls, lake: Lake, day: date) -> DayTables:
        """Read a day.

        Raises:
            MissingPartitionError: The features or the unified predictions are not there.
            MixedVersionsError: Two versions predicted within a day.
        """
        features = lake.read(
            CUSTOMER_FEATURES, days=[day], columns=["customer_id", *FEATURE_NAMES]
        ).sort_by("customer_id")
        unified = lake.read(CUSTOMERS, days=[day], columns=["customer_id", "actions_due"])
        places = places_of(features.column("customer_id"), unified)
        predictions = {
            spec.name: lake.read(spec.output, days=[day])
            for spec in (*MODELS, *DECISIONS)
            if lake.exists(spec.output, day) and lake.row_count(spec.output, day)
        }
        return cls(
            day,
            features,
            predictions,
            unified.column("actions_due").take(places),
            {
                spec.name: _version(spec, predictions.get(spec.name))
                for spec in (*MODELS, *DECISIONS)
            },
        )

    @property
    def customers(self) -> int:
        """How many documents the day has."""
        return int(self.features.num_rows)


def documents(
    tables: DayTables, agreed: frozenset[str], *, size: int, first: int = 0
) -> Iterator[list[dict[str, Any]]]:
    """The documents of a day, `size` a batch from batch `first` on, in the order of the ids."""
    # found once: where each customer's row is in each model's table
    places = {
        name: places_of(tables.features.column("customer_id"), table)
        for name, table in tables.predictions.items()
    }
    for start in range(first * size, tables.customers, size):
        yield _batch(tables, places, agreed, start, min(size, tables.customers - start))


def document_of(
    tables: DayTables, agreed: frozenset[str], rows: Sequence[int]
) -> list[dict[str, Any]]:
    """The documents of some customers, by their places in the order of the ids."""
    picked = DayTables(
        tables.day,
        tables.features.take(pa.array(rows, pa.int64())),
        tables.predictions,
        tables.actions.take(pa.array(rows, pa.int64())),
        tables.versions,
    )
    return next(documents(picked, agreed, size=max(1, len(rows))), [])


def _batch(
    tables: DayTables,
    places: Mapping[str, pa.Array],
    agreed: frozenset[str],
    start: int,
    count: int,
) -> list[dict[str, Any]]:
    features = tables.features.slice(start, count)
    customers = features.column("customer_id").to_pylist()
    day = tables.day.isoformat()
    rows = {
        name: tables.predictions[name].take(where.slice(start, count))
        for name, where in places.items()
    }
    predictions = [_predictions(spec, rows.get(spec.name), count) for spec in EXPLAINED]
    reasons = [_reasons(spec, rows.get(spec.name), count) for spec in EXPLAINED]
    choices = [_predictions(spec, rows.get(spec.name), count) for spec in DECISIONS]
    lists = _lists(rows.get(LISTING.name), customers, agreed)
    due = tables.actions.slice(start, count).to_pylist()
    names = [spec.name for spec in EXPLAINED]
    decisions = [spec.name for spec in DECISIONS]
    versions = dict(tables.versions)
    return [
        {
            "customer_id": customer,
            "snapshot_date": day,
            "features": values,
            "predictions": dict(zip(names, scores, strict=True)),
            "explanations": dict(zip(names, whys, strict=True)),
            "decisions": dict(zip(decisions, chosen, strict=True)),
            "recommendations": shown,
            "actions_due": actions.split(ACTIONS_APART) if actions else [],
            "model_versions": versions,
            "consents": {"personalisation": customer in agreed},
        }
        for customer, values, scores, whys, chosen, shown, actions in zip(
            customers,
            _dicts(features, FEATURE_NAMES),
            zip(*predictions, strict=True),
            zip(*reasons, strict=True),
            zip(*choices, strict=True),
            lists,
            due,
            strict=True,
        )
    ]


def _predictions(
    spec: UseCaseSpec, rows: pa.Table | None, count: int
) -> list[dict[str, Any] | None]:
    if rows is None:
        return [None] * count
    names = [column.name for column in spec.output_columns if not column.name.startswith("reason_")]
    there = rows.column("customer_id").is_valid().to_pylist()
    return [row if scored else None for row, scored in zip(_dicts(rows, names), there, strict=True)]


def _reasons(spec: ModelSpec, rows: pa.Table | None, count: int) -> list[list[dict[str, Any]]]:
    """Each customer's reasons; they are filled from the first on, and end where there is none."""
    if rows is None or f"reason_1_{REASON_PARTS[0]}" not in spec.table.names:
        return [[] for _ in range(count)]
    numbered = [
        list(
            zip(*(_values(rows.column(f"reason_{n}_{part}")) for part in REASON_PARTS), strict=True)
        )
        for n in range(1, REASONS + 1)
    ]
    return [
        [dict(zip(REASON_PARTS, reason, strict=True)) for reason in three if reason[0] is not None]
        for three in zip(*numbered, strict=True)
    ]


def _lists(
    rows: pa.Table | None, customers: Sequence[str], agreed: frozenset[str]
) -> list[dict[str, Any] | None]:
    """Recommended items; of customers who did not agree they are not even kept."""
    if rows is None:
        return [None] * len(customers)
    return [
        {"items": orjson.loads(items), "source": source}
        if items is not None and customer in agreed
        else None
        for customer, items, source in zip(
            customers,
            rows.column("items").to_pylist(),
            rows.column("source").to_pylist(),
            strict=True,
        )
    ]


def _dicts(rows: pa.Table, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    columns = [_values(rows.column(name)) for name in names]
    return (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Plain values; a null among floats is NaN, which is written as null like any other NaN."""
    if pa.types.is_floating(column.type):
        values: list[Any] = column.to_numpy().tolist()
        return values
    plain: list[Any] = column.to_pylist()
    return plain


def places_of(customers: pa.ChunkedArray, table: pa.Table) -> pa.Array:
    """Where each customer is in a table, null for one who is not there: what `take` takes."""
    places = pc.index_in(customers, value_set=table.column("customer_id").combine_chunks())
    return places.combine_chunks() if isinstance(places, pa.ChunkedArray) else places


def _version(spec: UseCaseSpec, rows: pa.Table | None) -> str | None:
    if rows is None:
        return None
    versions = rows.column(spec.VERSION_COLUMN).unique().to_pylist()
    if len(versions) != 1:
        raise MixedVersionsError(
            f"{spec.output} holds rows of {len(versions)} versions ({', '.join(versions)}); "
            "materialise that partition again"
        )
    return str(versions[0])
