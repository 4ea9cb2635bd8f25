"""Connections of one process share an instance of DuckDB, and nothing else."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from resources import engine
from resources.engine import DuckDBEngine, connect
from resources.lake import Lake
from resources.sql import Query
from resources.tables import Column, Table

LIMIT = "1GB"
OWN = "SELECT count(*) FROM duckdb_databases() WHERE database_name LIKE 'own_%'"


@pytest.fixture(autouse=True)
def begun_anew() -> Iterator[None]:
    engine._instance.cache_clear()
    yield
    engine._instance.cache_clear()


def test_one_that_is_open_sees_nothing_of_another() -> None:
    with (
        connect(memory_limit=LIMIT, timezone="Asia/Tokyo") as first,
        connect(memory_limit=LIMIT) as second,
    ):
        first.execute("CREATE SCHEMA a; CREATE TABLE a.b AS SELECT 1 AS x; CREATE TABLE c (x INT)")
        first.register("rows", pa.table({"x": [1]}))
        for name in ("a.b", "c", "rows"):
            first.execute(f"FROM {name}")
            with pytest.raises(duckdb.CatalogException):
                second.execute(f"FROM {name}")
        zones = [
            one.execute("SELECT current_setting('TimeZone')").fetchone() for one in (first, second)
        ]
    assert zones == [("Asia/Tokyo",), ("UTC",)]
    assert engine._instance.cache_info().currsize == 1


def test_nothing_stays_of_one_that_is_closed_in_whatever_state() -> None:
    with connect(memory_limit=LIMIT) as one:
        one.execute("CREATE TABLE a AS SELECT 1 AS x")
        one.execute("BEGIN; INSERT INTO a VALUES (2)")
    with pytest.raises(duckdb.ParserException), connect(memory_limit=LIMIT) as one:
        one.execute("no SQL")
    with pytest.raises(duckdb.Error), connect(memory_limit=LIMIT, timezone="nowhere"):
        pass
    with connect(memory_limit=LIMIT) as one:
        assert one.execute(OWN).fetchone() == (1,)


def test_a_partition_that_was_put_in_place_of_another_is_what_is_read(tmp_path: Path) -> None:
    lake, day = Lake(str(tmp_path)), date(2024, 1, 1)
    table = Table("people/all", (Column("age", "int64"),))
    read = []
    query = Query("ages", "SELECT age FROM people.all")
    for age in (30, 31, 32):
        lake.write(table, pa.table({"age": [age]}), day=day)
        read += DuckDBEngine(lake).select(query, {}).to_pylist()
    assert [row["age"] for row in read] == [30, 31, 32]


class Ended:
    """An instance after a fault of DuckDB's own, and its connections."""

    def cursor(self) -> "Ended":
        return self

    def execute(self, _sql: str) -> None:
        raise duckdb.FatalException("database has been invalidated because of a previous error")

    def close(self) -> None:
        return

    def __enter__(self) -> "Ended":
        return self

    def __exit__(self, *_: object) -> None:
        return


def test_after_a_fault_of_duckdb_the_next_has_another_instance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(duckdb, "connect", lambda *_, **__: Ended())
        with pytest.raises(duckdb.FatalException), connect(memory_limit=LIMIT):
            pass
    with connect(memory_limit=LIMIT) as one:
        assert one.execute("SELECT 1").fetchone() == (1,)
