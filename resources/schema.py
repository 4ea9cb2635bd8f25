"""Declared table schemas and the check that a table is what was declared.

Belongs here: column types, their Arrow and DuckDB names, conforming an Arrow table to a schema.
Does not belong here: which tables exist (their owners declare them) and where they are stored.
"""

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

ARROW_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    # Always UTC, stored without a zone: a zone in the file would make DuckDB, pandas and Athena
    # each show it their own way.
    "timestamp": pa.timestamp("us"),
}
DUCKDB_TYPES: dict[str, str] = {
    "string": "VARCHAR",
    "int64": "BIGINT",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "bool": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}


class SchemaError(ValueError):
    """A table does not have the columns, types or non-null values that were declared for it."""


@dataclass(frozen=True)
class Column:
    """One declared column.

    Attributes:
        name: Column name, unique within its table.
        type: A key of `ARROW_TYPES`.
        nullable: Whether null is a legal value.
        description: Meaning, with its unit, for dictionaries and the UI.
    """

    name: str
    type: str
    nullable: bool = True
    description: str = ""

    def __post_init__(self) -> None:
        if self.type not in ARROW_TYPES:
            raise SchemaError(
                f"column {self.name!r}: unknown type {self.type!r}, expected one of "
                f"{', '.join(ARROW_TYPES)}"
            )


@dataclass(frozen=True)
class TableSchema:
    """The declared columns of one table, in order."""

    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SchemaError(f"columns declared twice: {', '.join(twice)}")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names in declared order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def arrow(self) -> pa.Schema:
        """The Arrow schema, with nullability."""
        return pa.schema(
            pa.field(column.name, ARROW_TYPES[column.type], nullable=column.nullable)
            for column in self.columns
        )

    def empty(self) -> pa.Table:
        """A table with these columns and no rows."""
        return self.arrow.empty_table()

    def empty_select(self) -> str:
        """A DuckDB `SELECT` that yields these columns and no rows."""
        columns = ", ".join(
            f'CAST(NULL AS {DUCKDB_TYPES[column.type]}) AS "{column.name}"'
            for column in self.columns
        )
        return f"SELECT {columns} WHERE FALSE"

    def conform(self, table: pa.Table, *, name: str) -> pa.Table:
        """Put the columns of a table in declared order, by name, and check them.

        Args:
            table: The table to check; column order does not matter.
            name: What to call the table in errors.

        Returns:
            The same rows with the declared column order and types. A lossless change of type (a
            dictionary to its values, a narrower integer to a wider one, a timestamp with a zone to
            UTC) is made; any other is an error.

        Raises:
            SchemaError: A column is missing, unknown, wrongly typed, or null where null is not
                allowed. The message names every such column.
        """
        problems: list[str] = []
        missing = [column for column in self.names if column not in table.column_names]
        unknown = [column for column in table.column_names if column not in self.names]
        if missing:
            problems.append(f"missing: {', '.join(missing)}")
        if unknown:
            problems.append(f"not declared: {', '.join(unknown)}")
        arrays = []
        for column in self.columns:
            if column.name in missing:
                continue
            have = table.column(column.name)
            want = ARROW_TYPES[column.type]
            try:
                have = _cast(have, want)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                reason = str(error).splitlines()[0]
                problems.append(f"{column.name} is {have.type}, declared {column.type} ({reason})")
            else:
                if not column.nullable and have.null_count:
                    problems.append(f"{column.name} has {have.null_count} nulls, declared not null")
            arrays.append(have)
        if problems:
            raise SchemaError(f"table {name} breaks its declared schema: {'; '.join(problems)}")
        return pa.Table.from_arrays(arrays, schema=self.arrow)


def _cast(array: pa.ChunkedArray, want: pa.DataType) -> pa.ChunkedArray:
    """Cast without loss, refusing changes of kind (text to number, number to text)."""
    have = array.type
    if have.equals(want):
        return array
    if pa.types.is_null(have):
        return array.cast(want)
    if pa.types.is_dictionary(have):
        return _cast(array.cast(have.value_type), want)
    if _kind(have) != _kind(want) and not (
        pa.types.is_integer(have) and pa.types.is_floating(want)
    ):
        raise pa.ArrowInvalid(f"a {have} is not a {want}")
    if pa.types.is_timestamp(have) and have.tz is not None:
        # Arrow keeps the instant in UTC; dropping the zone leaves UTC wall time.
        array = array.cast(pa.timestamp(have.unit, tz="UTC")).cast(pa.timestamp(have.unit))
    return array.cast(want)


def _kind(kind: pa.DataType) -> str:
    tests = {
        "text": lambda t: (
            pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_string_view(t)
        ),
        "integer": pa.types.is_integer,
        "float": pa.types.is_floating,
        "boolean": pa.types.is_boolean,
        "date": pa.types.is_date,
        "timestamp": pa.types.is_timestamp,
    }
    return next((name for name, test in tests.items() if test(kind)), str(kind))
