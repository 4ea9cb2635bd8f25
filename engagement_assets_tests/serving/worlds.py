"""A small day of features and predictions of every model, for tests of what is published.

Belongs here: making the lake. Does not belong here: what is expected of it.
"""

import json
import random
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from engagement_assets.decisions.customers.unified import (
    CUSTOMERS_TABLE,
    customers_query,
)
from engagement_assets.features.catalogue import CUSTOMER_FEATURES_TABLE
from engagement_assets.models.specs import MODELS
from engagement_assets.source.contract import TABLES
from engagement_assets_tests.decisions.tables import engine_of, filled
from resources.lake import Lake
from resources.tables import Column

DAY = date(2026, 2, 10)
LOCATIONS = ("africa", "western_europe", None)
SOURCES = ("model", "segment popularity", "popularity")
# models that score only customers who used the app
ACTIVE_ONLY = ("churn", "anomaly")


def names(count: int) -> list[str]:
    """Customers, in no order."""
    made = [f"c{n:04d}" for n in range(count)]
    random.Random(count).shuffle(made)  # noqa: S311 - no secret
    return made


def write_features(lake: Lake, day: date, rows: Sequence[Mapping[str, Any]]) -> None:
    """A snapshot."""
    schema = CUSTOMER_FEATURES_TABLE
    full = [{"snapshot_date": day, **row} for row in rows]
    lake.write(schema, filled(schema, full), day=day)


def unify(lake: Lake, day: date) -> None:
    """The unified predictions of a day, as the platform makes them."""
    engine_of(lake).land(
        customers_query(), {"snapshot_date": day}, into=CUSTOMERS_TABLE,
        day=day,
    )  # fmt: skip


def write_world(
    lake: Lake,
    day: date = DAY,
    *,
    customers: int = 30,
    without: Sequence[str] = (),
    seed: int = 1,
) -> list[str]:
    """Features and predictions of every model but some; the customers by id."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    people = names(customers)
    write_features(lake, day, [_features(chance, name) for name in people])
    for spec in MODELS:
        if spec.name in without:
            continue
        scored = [name for name in people if spec.name not in ACTIVE_ONLY or chance.random() < 0.4]
        rows = [
            {column.name: _value(chance, spec.name, column) for column in spec.columns}
            | {"customer_id": name, "snapshot_date": day, "model_version": f"{spec.name}-v1"}
            for name in scored
        ]
        schema = spec.table
        lake.write(schema, filled(schema, rows), day=day)
    unify(lake, day)
    return sorted(people)


def _features(chance: random.Random, name: str) -> dict[str, Any]:
    return {
        "customer_id": name,
        "age": chance.choice([None, chance.randint(18, 90)]),
        "location": chance.choice(LOCATIONS),
        "logins_month": chance.randint(0, 30),
        "click_rate": chance.choice([None, float("nan"), chance.random()]),
        "trust_score": chance.random(),
    }


def _value(chance: random.Random, model: str, column: Column) -> Any:
    if model == "recommendation":
        first = chance.randint(0, 3)
        return {
            "items": json.dumps([f"p{n}" for n in range(first, first + 12)]),
            "items_shown": 12,
            "categories_shown": 3,
            "top_score": chance.random(),
            "source": chance.choice(SOURCES),
        }[column.name]
    if column.type == "bool":
        return chance.random() < 0.3
    if column.type == "date":
        return None if column.nullable and chance.random() < 0.2 else DAY
    if column.type == "float64":
        # steps, so that there are ties among ranks
        return None if column.nullable and chance.random() < 0.2 else round(chance.random(), 1)
    return None if column.nullable and chance.random() < 0.3 else f"{column.name} {name_of(chance)}"


def name_of(chance: random.Random) -> str:
    """One of a few words."""
    return chance.choice(["one", "two", "three"])


def noon(day: date) -> datetime:
    """The middle of a day."""
    return datetime(day.year, day.month, day.day, 12)


def write_consents(
    lake: Lake, day: date, *stated: tuple[str, bool] | tuple[str, bool, str]
) -> None:
    """Statements of a day, on personalisation where nothing else is said."""
    schema = TABLES["consents"]
    rows = [
        {
            "customer_id": name,
            "granted": granted,
            "purpose": rest[0] if rest else "personalisation",
            "occurred_at": noon(day),
            "recorded_at": noon(day),
        }
        for name, granted, *rest in stated
    ]
    lake.write(schema, pa.Table.from_pylist(rows, schema.arrow), day=day)


def write_customers(lake: Lake, day: date, *people: str) -> None:
    """Customers who signed up on a day."""
    schema = TABLES["customers"]
    rows = [
        {"customer_id": name, "signed_up_at": noon(day), "recorded_at": noon(day)}
        for name in people
    ]
    lake.write(schema, pa.Table.from_pylist(rows, schema.arrow), day=day)
