"""Small tables of predictions, for tests of what is made from them.

Belongs here: filling a declared schema. Does not belong here: what is expected of it.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from engagement_assets.decisions.customers.declared import prediction_schemas
from engagement_assets.decisions.specs import DECISIONS
from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.models.specs import MODELS
from engagement_assets.settings.installation import PROJECT
from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.schema import TableSchema
from resources.sql import SqlFolder

SQL = SqlFolder(PROJECT / "sql")
BY_NAME = {spec.name: spec for spec in (*MODELS, *DECISIONS)}
FILLED: Mapping[str, Any] = {
    "string": "x",
    "float64": 0.5,
    "int64": 1,
    "bool": False,
    "date": date(2026, 1, 1),
    "timestamp": datetime(2026, 1, 1),
}


def filled(schema: TableSchema, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows of a schema: what is not given is null, or something harmless where it may not be."""
    full = [
        {
            column.name: row.get(column.name, None if column.nullable else FILLED[column.type])
            for column in schema.columns
        }
        for row in rows
    ]
    return pa.Table.from_pylist(full, schema=schema.arrow)


def engine_of(lake: Lake) -> DuckDBEngine:
    """An engine that knows every table of predictions."""
    return DuckDBEngine(lake, declared=prediction_schemas(), threads=1)


def write_people(lake: Lake, day: date, *customers: str) -> None:
    """A snapshot of some customers."""
    schema = prediction_schemas()[CUSTOMER_FEATURES.replace("/", ".")]
    rows = [{"customer_id": name, "snapshot_date": day} for name in customers]
    lake.write(CUSTOMER_FEATURES, filled(schema, rows), schema=schema, day=day)


def write_predictions(lake: Lake, model: str, day: date, rows: Sequence[Mapping[str, Any]]) -> None:
    """Predictions of a model, or choices of a decision."""
    spec = BY_NAME[model]
    table = filled(
        spec.schema, [{"snapshot_date": day, spec.VERSION_COLUMN: "v1", **r} for r in rows]
    )
    lake.write(spec.output, table, schema=spec.schema, day=day)
