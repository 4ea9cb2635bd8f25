"""Declared schemas: what is made to fit, and what is refused by name."""

from datetime import date, datetime

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.tables import ARROW_TYPES, DUCKDB_TYPES, Column, SchemaError, Table


def conform(column: Column, values: pa.Array) -> pa.Table:
    return Table("t/t", (column,)).conform(pa.table({column.name: values}))


@pytest.mark.parametrize(
    ("declared", "given_values", "want"),
    [
        ("string", pa.array(["a"]).dictionary_encode(), "a"),
        ("string", pa.array(["a"], pa.large_string()), "a"),
        ("int64", pa.array([1], pa.int8()), 1),
        ("float64", pa.array([1], pa.int32()), 1.0),
        ("float64", pa.array([1.5], pa.float32()), 1.5),
        ("date", pa.array([date(2024, 1, 1)], pa.date64()), date(2024, 1, 1)),
        ("string", pa.nulls(1), None),
        ("timestamp", pa.nulls(1), None),
    ],
)
def test_a_change_of_type_without_loss_is_made(
    declared: str, given_values: pa.Array, want: object
) -> None:
    table = conform(Column("x", declared), given_values)
    assert table.column("x").to_pylist() == [want]
    assert table.schema.field("x").type == ARROW_TYPES[declared]


@pytest.mark.parametrize(
    ("declared", "given_values"),
    [
        ("int64", pa.array(["1"])),
        ("string", pa.array([1])),
        ("int64", pa.array([1.0])),
        ("bool", pa.array([1])),
        ("int64", pa.array([2**63], pa.uint64())),
        ("timestamp", pa.array([date(2024, 1, 1)])),
        ("timestamp", pa.array([1], pa.timestamp("ns"))),
        ("string", pa.array([["a"]])),
    ],
)
def test_a_change_with_loss_or_of_kind_is_refused_by_name(
    declared: str, given_values: pa.Array
) -> None:
    with pytest.raises(SchemaError, match=rf"table t.*x is .*declared {declared}"):
        conform(Column("x", declared), given_values)


def test_a_timestamp_with_a_zone_becomes_utc_without_one() -> None:
    noon = pa.array([datetime(2024, 7, 1, 12)], pa.timestamp("us", tz="Europe/Oslo"))
    table = conform(Column("x", "timestamp"), noon)
    # the array's value is the instant: Arrow takes it as UTC and shows it in the zone
    assert table.column("x").to_pylist() == [datetime(2024, 7, 1, 12)]
    assert table.schema.field("x").type.tz is None


def test_all_faults_are_told_at_once() -> None:
    schema = Table("t/t", (Column("a", "int64"), Column("b", "string", nullable=False)))
    rows = pa.table({"b": pa.array([None], pa.string()), "c": [1]})
    with pytest.raises(SchemaError, match=r"missing: a; not declared: c; b has 1 nulls"):
        schema.conform(rows)


def test_a_column_declared_twice_is_refused() -> None:
    with pytest.raises(SchemaError, match="declared twice: a"):
        Table("t/t", (Column("a", "int64"), Column("a", "string")))


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(SchemaError, match="unknown type 'text'"):
        Column("a", "text")


def test_the_empty_table_and_the_empty_select_agree() -> None:
    schema = Table("t/t", tuple(Column(kind, kind) for kind in ARROW_TYPES))
    with duckdb.connect() as connection:
        selected = connection.execute(schema.empty_select()).to_arrow_table()
    assert schema.conform(selected).equals(schema.empty())
    assert set(DUCKDB_TYPES) == set(ARROW_TYPES)


@given(st.permutations(["a", "b", "c"]), st.lists(st.integers(-5, 5), min_size=1))
def test_the_order_of_columns_never_matters(order: list[str], values: list[int]) -> None:
    schema = Table("t/t", tuple(Column(name, "int64") for name in "abc"))
    rows = pa.table({name: [value + ord(name) for value in values] for name in order})
    actual = schema.conform(rows)
    assert actual.column_names == ["a", "b", "c"]
    assert actual.to_pylist() == rows.select(["a", "b", "c"]).to_pylist()
