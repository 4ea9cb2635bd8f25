"""Athena's types as the platform's.

Belongs here: what Athena writes and says of types. Does not belong here: where it writes it
(`athena.py`).
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from resources.tables import utc

_TYPES = {
    "varchar": pa.string(),
    "char": pa.string(),
    "string": pa.string(),
    "bigint": pa.int64(),
    "integer": pa.int64(),
    "int": pa.int64(),
    "smallint": pa.int64(),
    "tinyint": pa.int64(),
    "double": pa.float64(),
    "float": pa.float32(),
    "real": pa.float32(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}


def arrow_type(column: Mapping[str, Any]) -> pa.DataType:
    """The Arrow type of a column that `GetQueryResults` describes.

    Raises:
        ValueError: No query here gives such a type.
    """
    kind = column["Type"].lower().partition("(")[0]
    if kind == "decimal":
        return pa.decimal128(column["Precision"], column["Scale"])
    if kind not in _TYPES:
        raise ValueError(f"column {column['Name']}: Athena gives {column['Type']}")
    return _TYPES[kind]


def normalised(rows: pa.Table) -> pa.Table:
    """Rows in the types that DuckDB would give: whole numbers of 64 bits, times in microseconds."""
    columns = [_normal(rows.column(name)) for name in rows.column_names]
    return pa.table(columns, names=rows.column_names)


def _normal(values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _normal(values.cast(kind.value_type))
    if pa.types.is_timestamp(kind):
        return utc(values).cast(pa.timestamp("us"))
    if pa.types.is_integer(kind):
        return values.cast(pa.int64())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return values.cast(pa.string())
    return values
