"""Arrow tables from arrays, in the shape of the contract.

Belongs here: ids, timestamps and tables. Does not belong here: anything about the world.
"""

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engagement_assets.source.contract import TABLES
from engagement_assets.source.simulator.parameters import LEAD_DAYS

Columns = dict[str, np.ndarray | pa.Array]
_EPOCH = date(1970, 1, 1)
_MICROSECONDS = 1_000_000
_SCHEMAS = {name: table.arrow for name, table in TABLES.items()}


def numbered_ids(prefix: str, count: int) -> pa.Array:
    """The ids ``prefix0``, ``prefix1``, … as an Arrow string array of length `count`."""
    numbers = pa.array(np.arange(count)).cast(pa.string())
    return pc.binary_join_element_wise(prefix, numbers, "")


def timestamps(
    first_day: date, days: np.ndarray | float, seconds: np.ndarray, known: np.ndarray | None = None
) -> pa.Array:
    """Instants as Arrow timestamps.

    Args:
        first_day: The first day that can be asked for, which is day `LEAD_DAYS` of the world.
        days: Day of the world of each instant, or of all of them.
        seconds: Seconds since the start of that day.
        known: Where the instant is known; null elsewhere.

    Returns:
        Timestamps in microseconds, UTC without a zone.
    """
    start = (first_day - _EPOCH).days - LEAD_DAYS
    whole_days = (np.asarray(days, dtype=np.int64) + start) * (86_400 * _MICROSECONDS)
    instants = whole_days + (np.asarray(seconds) * _MICROSECONDS).astype(np.int64)
    mask = None if known is None else ~known
    return pa.array(instants, mask=mask).view(pa.timestamp("us"))


def labels(names: tuple[str, ...] | list[str], codes: np.ndarray) -> pa.Array:
    """The name of each code, as an Arrow string array."""
    return pa.array(names, pa.string()).take(pa.array(codes))


def build(name: str, columns: Columns, keep: np.ndarray | None = None) -> pa.Table:
    """Put columns into the contract's order.

    Args:
        name: Name of a contract table.
        columns: Its columns; ``recorded_at`` is the event time where it is left out, and other
            columns that may be null are null where they are left out.
        keep: Which rows to keep, as a boolean mask or as indices; all by default.

    Returns:
        A table with exactly the contract's schema.
    """
    schema = _SCHEMAS[name]
    if "recorded_at" not in columns:
        columns = {**columns, "recorded_at": columns[TABLES[name].event_time]}
    unknown = pa.nulls(len(columns["recorded_at"]))
    optional = {field.name: unknown for field in TABLES[name].columns if field.nullable}
    columns = {**optional, **columns}
    arrays = [_array(columns[field.name], field.type) for field in schema]
    table = pa.Table.from_arrays(arrays, schema=schema)
    if keep is None:
        return table
    return table.filter(pa.array(keep)) if keep.dtype == bool else table.take(pa.array(keep))


def empty(name: str) -> pa.Table:
    """The contract table without rows."""
    return _SCHEMAS[name].empty_table()


def _array(values: np.ndarray | pa.Array, kind: pa.DataType) -> pa.Array:
    array = values if isinstance(values, pa.Array) else pa.array(values)
    return array if array.type == kind else array.cast(kind)
