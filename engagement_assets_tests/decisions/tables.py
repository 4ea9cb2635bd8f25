"""Small tables of predictions, for tests of what is made from them.

Belongs here: filling a declared schema. Does not belong here: what is expected of it.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from engagement_assets.decisions.customers.unified import KNOWN_TABLES
from engagement_assets.decisions.specs import DECISIONS
from engagement_assets.features.catalogue import CUSTOMER_FEATURES_TABLE
from engagement_assets.models.specs import MODELS
from engagement_assets.settings.installation import PROJECT
from engagement_assets.source.known import product_sql
from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.tables import Table, by_sql_name

SQL = product_sql(PROJECT / "sql")
BY_NAME = {spec.name: spec for spec in (*MODELS, *DECISIONS)}
FILLED: Mapping[str, Any] = {
    "string": "x",
    "float64": 0.5,
    "int64": 1,
    "bool": False,
    "date": date(2026, 1, 1),
    "timestamp": datetime(2026, 1, 1),
}


def filled(table: Table, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows of a table: what is not given is null, or something harmless where it may not be."""
    full = [
        {
            column.name: row.get(column.name, None if column.nullable else FILLED[column.type])
            for column in table.columns
        }
        for row in rows
    ]
    return pa.Table.from_pylist(full, schema=table.arrow)


def engine_of(lake: Lake) -> DuckDBEngine:
    """An engine that knows every table of predictions."""
    return DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES), threads=1)


def write_people(lake: Lake, day: date, *customers: str) -> None:
    """A snapshot of some customers."""
    rows = [{"customer_id": name, "snapshot_date": day} for name in customers]
    lake.write(CUSTOMER_FEATURES_TABLE, filled(CUSTOMER_FEATURES_TABLE, rows), day=day)


def write_predictions(lake: Lake, model: str, day: date, rows: Sequence[Mapping[str, Any]]) -> None:
    """Predictions of a model, or choices of a decision."""
    spec = BY_NAME[model]
    table = filled(
        spec.table, [{"snapshot_date": day, spec.VERSION_COLUMN: "v1", **r} for r in rows]
    )
    lake.write(spec.table, table, day=day)
