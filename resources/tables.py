"""The one way to declare a table, and what follows from a declaration.

Belongs here: columns with their types, units and legal values, a table's names, the SQL that counts
illegal values, conforming rows to a declaration, the register of whom tables are about. Does not
belong here: which tables exist (each floor declares its own) and where they are stored.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import pyarrow as pa

from resources.sql import quote_name, quote_text

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
    """A declaration is not possible, or a table does not have what was declared for it."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: Column name, unique within its table.
        type: A key of `ARROW_TYPES`.
        meaning: What it says, without its unit.
        unit: Unit of a number, or "" where there is none.
        nullable: Whether null is a legal value.
        minimum: Least legal value, inclusive, or None for no bound.
        maximum: Greatest legal value, inclusive, or None for no bound.
        allowed: The legal values of a closed list, or () for any.
        not_before: Another column of the row whose time this one may not precede, or "".
        personal: Whether it is personal data: masked in logs, removed by an erasure.
        names_customer: Whether its value is a customer id.
        mentions_customer: Whether customer ids may stand within its text, such as in a row as JSON.
        clip: Size beyond which a number counts as this where one person's part is bounded
            (differential privacy): what a heavy user comes to, stated before any row is seen. None
            where `minimum` and `maximum` bound it.
        generalised: How it is made coarse for those who may not see people: `decade` for an age or
            a date of birth, `place` for where somebody lives; "" where it is not.
    """

    name: str
    type: str
    meaning: str = ""
    unit: str = ""
    nullable: bool = field(default=True, kw_only=True)
    minimum: float | None = field(default=None, kw_only=True)
    maximum: float | None = field(default=None, kw_only=True)
    allowed: tuple[str, ...] = field(default=(), kw_only=True)
    not_before: str = field(default="", kw_only=True)
    personal: bool = field(default=False, kw_only=True)
    names_customer: bool = field(default=False, kw_only=True)
    mentions_customer: bool = field(default=False, kw_only=True)
    clip: float | None = field(default=None, kw_only=True)
    generalised: Literal["", "decade", "place"] = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if self.type not in ARROW_TYPES:
            raise SchemaError(
                f"column {self.name!r}: unknown type {self.type!r}, expected one of "
                f"{', '.join(ARROW_TYPES)}"
            )

    @property
    def text(self) -> str:
        """The meaning with its unit."""
        return f"{self.meaning} ({self.unit})" if self.unit else self.meaning

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Least and greatest that a value counts as in differential privacy; None for no bounds."""
        if self.type == "bool":
            return 0.0, 1.0
        clip = self.clip
        low = -clip if self.minimum is None and clip is not None else self.minimum
        high = clip if self.maximum is None else self.maximum
        return None if low is None or high is None else (float(low), float(high))

    @property
    def legal(self) -> str:
        """The legal values in words, or "" for any."""
        if self.allowed:
            return ", ".join(self.allowed)
        bounds = [
            f"{sign} {bound:,g}"
            for sign, bound in (("≥", self.minimum), ("≤", self.maximum))
            if bound is not None
        ]
        if self.not_before:
            bounds.append(f"not before {self.not_before}")
        return ", ".join(bounds)

    @property
    def masking(self) -> Literal["", "pseudonym", "decade", "place", "withheld"]:
        """What those see of it who may not see people; "" for the value itself."""
        if self.names_customer:
            return "pseudonym"
        if self.generalised:
            return self.generalised
        return "withheld" if self.personal or self.mentions_customer else ""

    @property
    def violations(self) -> str | None:
        """A SQL aggregate that counts its illegal values, or None where every value is legal."""
        name = quote_name(self.name)
        limits = []
        if self.minimum is not None:
            limits.append(f"{name} < {self.minimum}")
        if self.maximum is not None:
            limits.append(f"{name} > {self.maximum}")
        if self.allowed:
            limits.append(f"{name} NOT IN ({', '.join(map(quote_text, self.allowed))})")
        if self.not_before:
            limits.append(f"{name} < {quote_name(self.not_before)}")
        if not limits:
            return None
        if self.type.startswith("float"):
            # NaN passes every comparison with a least value
            limits.append(f"isnan({name})")
        if not self.nullable:
            limits.append(f"{name} IS NULL")
        return f"count(*) FILTER (WHERE {' OR '.join(limits)})"


@dataclass(frozen=True)
class Table:
    """One table of the lake.

    Attributes:
        key: `<group>/<noun>`.
        columns: Its columns, in order.
        description: What one row is.
        unique: Columns that name a row within a partition.
        owner: Who answers for it, as Dagster names owners.
        steady: Whether its rows a day should be alike from day to day.
        checked: Whether it gets generated asset checks.
        without_customer: Why no row is about one customer, where none is.
    """

    key: str
    columns: tuple[Column, ...]
    description: str = field(default="", kw_only=True)
    unique: tuple[str, ...] = field(default=(), kw_only=True)
    owner: str = field(default="", kw_only=True)
    steady: bool = field(default=False, kw_only=True)
    checked: bool = field(default=True, kw_only=True)
    without_customer: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if len(self.asset_key) != 2 or not all(self.asset_key):
            raise SchemaError(f"table {self.key!r} is not named <group>/<noun>")
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise SchemaError(f"table {self.key}: columns declared twice: {', '.join(twice)}")
        unknown = [name for name in self.unique if name not in self.names]
        if unknown:
            raise SchemaError(f"table {self.key}: its key has no column {', '.join(unknown)}")

    @property
    def asset_key(self) -> list[str]:
        """Group and noun, as Dagster names an asset."""
        return self.key.split("/")

    @property
    def group(self) -> str:
        """The first part of its key."""
        return self.asset_key[0]

    @property
    def noun(self) -> str:
        """The second part of its key."""
        return self.asset_key[1]

    @property
    def sql_name(self) -> str:
        """`<group>.<noun>`, as SQL names it."""
        return self.key.replace("/", ".")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names in declared order."""
        return tuple(column.name for column in self.columns)

    @property
    def customer_columns(self) -> tuple[str, ...]:
        """Columns whose value is a customer id."""
        return tuple(column.name for column in self.columns if column.names_customer)

    @property
    def mentioning_columns(self) -> tuple[str, ...]:
        """Columns in whose texts customer ids may stand."""
        return tuple(column.name for column in self.columns if column.mentions_customer)

    @property
    def bounds(self) -> dict[str, str]:
        """SQL counts of illegal values, by column; columns without limits are left out."""
        counts = {column.name: column.violations for column in self.columns}
        return {name: sql for name, sql in counts.items() if sql is not None}

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

    def conform(self, rows: pa.Table) -> pa.Table:
        """Put the columns of some rows in declared order, by name, and check them.

        Returns:
            The same rows with the declared column order and types. A lossless change of type (a
            dictionary to its values, a narrower integer to a wider one, a timestamp with a zone to
            UTC) is made; any other is an error.

        Raises:
            SchemaError: A column is missing, unknown, wrongly typed, or null where null is not
                allowed. The message names every such column.
        """
        problems: list[str] = []
        missing = [column for column in self.names if column not in rows.column_names]
        unknown = [column for column in rows.column_names if column not in self.names]
        if missing:
            problems.append(f"missing: {', '.join(missing)}")
        if unknown:
            problems.append(f"not declared: {', '.join(unknown)}")
        arrays = []
        for column in self.columns:
            if column.name in missing:
                continue
            have = rows.column(column.name)
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
            raise SchemaError(f"table {self.key} breaks its declared schema: {'; '.join(problems)}")
        return pa.Table.from_arrays(arrays, schema=self.arrow)


def asset_keys(keys: Iterable[str]) -> list[list[str]]:
    """Tables `<group>/<noun>` as Dagster names assets, in order."""
    return [key.split("/") for key in sorted(keys)]


def by_sql_name(tables: Iterable[Table]) -> dict[str, Table]:
    """Tables by `<group>.<noun>`."""
    return {table.sql_name: table for table in tables}


def privacy_register(tables: Iterable[Table]) -> dict[str, tuple[str, ...]]:
    """The columns by which a customer's rows are found and removed, by table.

    Raises:
        SchemaError: A table names no column of a customer, so that an erasure would pass it by.
    """
    about = [table for table in tables if not table.without_customer]
    unfound = [table.key for table in about if not table.customer_columns]
    if unfound:
        raise SchemaError(
            f"no column of {', '.join(unfound)} is declared to name a customer; set "
            "names_customer=True on it, so that an erasure finds the rows, or without_customer"
        )
    return {table.key: table.customer_columns + table.mentioning_columns for table in about}


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
    return (utc(array) if pa.types.is_timestamp(have) else array).cast(want)


def utc(times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Timestamps in UTC without a zone, whatever zone they have."""
    unit, zone = times.type.unit, times.type.tz
    # Arrow keeps the instant in UTC; dropping the zone leaves UTC wall time
    return (
        times if zone is None else times.cast(pa.timestamp(unit, tz="UTC")).cast(pa.timestamp(unit))
    )


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
