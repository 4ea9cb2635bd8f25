"""The lake: whole partitions by name, and errors that say what is missing or broken."""

import os
import threading
import time
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from resources.engine import DuckDBEngine, EngineError
from resources.files import STALE_TEMPORARY_SECONDS
from resources.key_files import make_key
from resources.lake import (
    CorruptPartitionError,
    Lake,
    LakeError,
    MissingPartitionError,
    put_atomically,
)
from resources.lake_files import encode, read_rows
from resources.seals import unsealed
from resources.sql import Query
from resources.tables import Column, SchemaError, Table

DAY = date(2024, 1, 1)
SCHEMA = Table("people/all", (Column("name", "string", nullable=False), Column("age", "int64")))
ROWS = pa.table({"name": ["ann", "bob"], "age": [30, None]})


@pytest.fixture
def local_lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def encrypted_lake(tmp_path: Path) -> Lake:
    make_key(tmp_path / "keys" / "lake.key")
    return Lake(str(tmp_path / "lake"), key_file=str(tmp_path / "keys" / "lake.key"))


@pytest.fixture(params=["local", "encrypted", "s3"])
def lake(request: pytest.FixtureRequest) -> Lake:
    if request.param == "s3":
        actual: Lake = request.getfixturevalue("installed").lake
        return actual
    local: Lake = request.getfixturevalue(f"{request.param}_lake")
    return local


def write(lake: Lake, rows: pa.Table = ROWS, day: date | None = DAY) -> None:
    lake.write(SCHEMA, rows, day=day)


def plain(lake: Lake) -> bytes:
    """The partition's file as it was before encryption."""
    with lake.content(lake.path("people/all", DAY)) as file:
        return file.read()


def test_what_is_written_is_read_back(lake: Lake) -> None:
    written = lake.write(SCHEMA, ROWS, day=DAY)
    assert lake.read("people/all", days=[DAY]).to_pylist() == ROWS.to_pylist()
    assert (written.rows, written.bytes) == (2, lake.path("people/all", DAY).stat().st_size)
    assert lake.row_count("people/all", DAY) == 2


def test_columns_are_written_by_name_whatever_their_order(lake: Lake) -> None:
    write(lake, ROWS.select(["age", "name"]))
    assert lake.read("people/all", days=[DAY]).column_names == ["name", "age"]
    assert lake.read("people/all", days=[DAY]).column("age").to_pylist() == [30, None]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (ROWS.append_column("extra", pa.array([1, 2])), "not declared: extra"),
        (ROWS.drop_columns(["age"]), "missing: age"),
        (pa.table({"name": ["ann"], "age": ["old"]}), "age is string, declared int64"),
        (pa.table({"name": [None], "age": [1]}), "name has 1 nulls"),
    ],
)
def test_rows_that_break_the_schema_leave_the_old_partition(
    lake: Lake, rows: pa.Table, said: str
) -> None:
    write(lake)
    before = lake.path("people/all", DAY).read_bytes()
    with pytest.raises(SchemaError, match=rf"people/all.*{said}"):
        write(lake, rows)
    assert lake.path("people/all", DAY).read_bytes() == before


def test_an_empty_result_is_a_partition_with_its_schema(lake: Lake) -> None:
    write(lake)
    write(lake, ROWS.slice(0, 0))
    actual = lake.read("people/all", days=[DAY])
    assert actual.num_rows == 0
    assert actual.schema.equals(SCHEMA.arrow)


def test_the_cheap_empty_write_leaves_the_same_bytes(lake: Lake) -> None:
    write(lake, ROWS.slice(0, 0))
    before = plain(lake)
    lake.write_empty(SCHEMA, day=DAY)
    assert plain(lake) == before


def test_rows_of_some_values_are_read_from_the_days_that_have_them(lake: Lake) -> None:
    for number, names in enumerate((["ann", "bob"], ["cleo"], [], ["ann"])):
        ages = pa.array([number] * len(names), pa.int64())
        write(
            lake,
            pa.table({"name": pa.array(names, pa.string()), "age": ages}),
            DAY + timedelta(number),
        )
    days = [DAY + timedelta(number) for number in range(4)]
    seen = lake.read_where("people/all", days=days, column="name", values=["ann", "cleo"])
    assert seen.to_pylist() == [
        {"name": "ann", "age": 0}, {"name": "cleo", "age": 1}, {"name": "ann", "age": 3},
    ]  # fmt: skip
    nobody = lake.read_where("people/all", days=days, column="name", values=["x"], columns=["age"])
    assert (nobody.num_rows, nobody.column_names) == (0, ["age"])
    with pytest.raises(MissingPartitionError):
        lake.read_where("people/all", days=[DAY - timedelta(1)], column="name", values=["ann"])


@given(
    names=st.lists(st.none() | st.text(max_size=3), max_size=20),
    wanted=st.lists(st.text(max_size=3), min_size=1, max_size=3),
    size=st.integers(1, 5),
    by_name=st.booleans(),
)
def test_groups_of_rows_do_not_change_which_rows_are_read(
    names: list[str | None], wanted: list[str], size: int, by_name: bool
) -> None:
    if by_name:
        names.sort(key=lambda name: (name is None, name or ""))
    rows = pa.table(
        {"name": pa.array(names, pa.string()), "row": pa.array(range(len(names)), pa.int64())}
    )
    content = unsealed(BytesIO(encode(rows, group_rows=size)))
    read = read_rows(content, "name", wanted, ["row"])
    expected = [row for row, name in enumerate(names) if name in wanted]
    assert read.to_pydict() == {"row": expected}


def test_the_same_rows_give_the_same_bytes(lake: Lake) -> None:
    write(lake)
    before = plain(lake)
    write(lake)
    assert plain(lake) == before


def test_days_are_listed_in_order(lake: Lake) -> None:
    for day in (date(2024, 2, 1), DAY, date(2023, 12, 31)):
        write(lake, day=day)
    assert lake.days("people/all") == [date(2023, 12, 31), DAY, date(2024, 2, 1)]
    assert lake.days("people/none") == []


def test_a_missing_partition_is_named_with_what_there_is(lake: Lake) -> None:
    write(lake)
    with pytest.raises(
        MissingPartitionError, match=r"people/all.*2024-01-02.*holds 2024-01-01 to 2024-01-01"
    ):
        lake.read("people/all", days=[DAY, date(2024, 1, 2)])
    with pytest.raises(MissingPartitionError, match="holds no partition"):
        lake.row_count("people/none", DAY)
    with pytest.raises(MissingPartitionError, match="people/none is not in the lake"):
        lake.read("people/none")


def test_asking_for_no_days_is_an_error(lake: Lake) -> None:
    with pytest.raises(LakeError, match="no days"):
        lake.read("people/all", days=[])


def changed(whole: bytes) -> bytes:
    # beyond the name of the key, another one of which is no key at hand
    return whole[:20] + whole[20:].upper()


@pytest.mark.parametrize("damage", [lambda whole: whole[:-20], lambda _whole: b"", changed])
def test_a_corrupt_file_is_named(lake: Lake, damage: object) -> None:
    write(lake)
    path = lake.path("people/all", DAY)
    path.write_bytes(damage(path.read_bytes())[:-1])  # type: ignore[operator] # a parameter of several kinds
    for look in (
        lambda: lake.read("people/all", days=[DAY]),
        lambda: lake.row_count("people/all", DAY),
    ):
        with pytest.raises(CorruptPartitionError, match=r"day=2024-01-01/part.parquet"):
            look()


def by_python(lake: Lake) -> pa.Table:
    return lake.read("people/all", days=[DAY])


def by_sql(lake: Lake) -> pa.Table:
    query = Query("people", "SELECT name, age FROM people.all ORDER BY name")
    return DuckDBEngine(lake, threads=1).select(query, {})


@pytest.mark.parametrize("reader", [by_python, by_sql])
def test_a_bit_that_turned_is_never_read_as_another_value(local_lake: Lake, reader) -> None:
    rng = np.random.default_rng(0)
    rows = pa.table(
        {"name": [f"c{n:05d}" for n in range(2_000)], "age": rng.integers(0, 10**9, 2_000)}
    )
    write(local_lake, rows)
    path = Path(str(local_lake.path("people/all", DAY)))
    whole = path.read_bytes()
    refused = 0
    for number, place in enumerate(rng.choice(len(whole), 200, replace=False)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        # the clock of files is too coarse to tell these writes apart
        os.utime(path, ns=(number, number))
        try:
            read = reader(local_lake)
        except CorruptPartitionError:
            refused += 1
        else:
            assert read.to_pydict() == rows.to_pydict()
    assert refused > 150


def test_the_engine_names_a_corrupt_file_too(local_lake: Lake) -> None:
    write(local_lake)
    path = Path(str(local_lake.path("people/all", DAY)))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CorruptPartitionError, match=r"day=2024-01-01/part.parquet"):
        DuckDBEngine(local_lake).select(Query("ages", "SELECT age FROM people.all"), {})


def test_a_query_lists_the_days_of_each_table_once(local_lake: Lake, monkeypatch) -> None:
    write(local_lake)
    write(local_lake, day=DAY + timedelta(days=1))
    listed, listdir = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: listed.append(folder) or listdir(folder))
    assert by_sql(local_lake).num_rows == 4
    assert listed == [str(local_lake.table_path("people/all"))]


@pytest.mark.parametrize("kind", ["local", "encrypted"])
@pytest.mark.parametrize("older_first", [True, False])
def test_a_column_that_one_partition_lacks_is_null_there(
    kind: str, older_first: bool, request: pytest.FixtureRequest
) -> None:
    lake: Lake = request.getfixturevalue(f"{kind}_lake")
    days = [DAY, DAY + timedelta(days=1)]
    old, new = days if older_first else days[::-1]
    older = Table("people/all", SCHEMA.columns[:1])
    lake.write(older, pa.table({"name": ["cid"]}), day=old)
    write(lake, day=new)
    assert by_sql(lake).to_pydict() == {"name": ["ann", "bob", "cid"], "age": [30, None, None]}
    write(lake, day=old)
    assert not lake.is_mixed("people/all", days)


def test_the_engine_reads_partitions_with_their_day_in_utc(local_lake: Lake) -> None:
    write(local_lake)
    query = Query("q", "SELECT name, day, current_setting('TimeZone') AS zone FROM people.all")
    assert DuckDBEngine(local_lake).select(query, {}).to_pylist()[0] == {
        "name": "ann",
        "day": DAY,
        "zone": "UTC",
    }


@pytest.mark.parametrize("name", ["home[12]", "home?", "home*", "ho[m]e1"])
def test_a_root_is_no_pattern_that_other_lakes_match(tmp_path: Path, name: str) -> None:
    query = Query("names", "SELECT name FROM people.all")
    for root in ("home1", name):
        lake = Lake(str(tmp_path / root))
        write(lake, pa.table({"name": [root], "age": [1]}))
    read = DuckDBEngine(lake).select(query, {})
    assert read.column("name").to_pylist() == [name]
    for day in lake.days("people/all"):
        lake.path("people/all", day).unlink()
    write(lake, pa.table({"name": ["one file"], "age": [1]}), day=None)
    read = DuckDBEngine(lake).select(query, {})
    assert read.column("name").to_pylist() == ["one file"]


def test_a_root_with_a_backslash_is_refused_in_words(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "a\\b"))
    write(lake)
    with pytest.raises(EngineError, match="a backslash for a slash"):
        DuckDBEngine(lake).select(Query("names", "SELECT name FROM people.all"), {})


@pytest.mark.parametrize("name", ["people", "a/b/c", "/people", "people/"])
def test_a_table_is_named_by_group_and_name(lake: Lake, name: str) -> None:
    with pytest.raises(LakeError, match="<group>/<name>"):
        lake.path(name, None)


def test_a_failed_write_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = UPath(tmp_path / "a" / "file")
    put_atomically(path, b"old")

    def full(_source: str, _target: str) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        put_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in (tmp_path / "a").iterdir()] == ["file"]


def test_a_reader_never_sees_a_half_written_partition(lake: Lake) -> None:
    many = pa.table({"name": ["x" * 50] * 20_000, "age": list(range(20_000))})
    write(lake, many)
    stop = threading.Event()

    def rewrite() -> None:
        while not stop.is_set():
            write(lake, many)

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        for _ in range(40):
            assert lake.row_count("people/all", DAY) == 20_000
    finally:
        stop.set()
        writer.join()


def test_a_temporary_file_of_a_killed_run_is_swept_once_it_is_old(local_lake: Lake) -> None:
    write(local_lake)
    folder = Path(str(local_lake.path("people/all", DAY))).parent
    old, young = folder / ".part.parquet.1.tmp", folder / ".part.parquet.2.tmp"
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    long_ago = time.time() - STALE_TEMPORARY_SECONDS - 60
    os.utime(old, (long_ago, long_ago))
    write(local_lake)
    assert not old.exists()
    assert young.exists()


def test_a_temporary_file_that_vanishes_during_the_sweep_does_no_harm(
    local_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(local_lake)
    folder = Path(str(local_lake.path("people/all", DAY))).parent
    (folder / ".part.parquet.1.tmp").write_bytes(b"of another writer")
    scan = os.scandir

    class Vanishing:
        def __init__(self, path: str) -> None:
            self.path = path

        def __enter__(self) -> list[os.DirEntry[str]]:
            with scan(self.path) as entries:
                actual = list(entries)
            for entry in actual:
                if entry.name.endswith(".tmp") and ".1." in entry.name:
                    Path(entry.path).unlink(missing_ok=True)
            return actual

        def __exit__(self, *_error: object) -> None:
            return None

    monkeypatch.setattr(os, "scandir", Vanishing)
    write(local_lake)
    assert local_lake.row_count("people/all", DAY) == 2


def test_a_table_without_partitions_is_one_file(lake: Lake) -> None:
    write(lake, day=None)
    assert lake.read("people/all").num_rows == 2
    assert lake.exists("people/all", None)
    assert not lake.exists("people/all", DAY)


def test_a_remote_root_is_told_apart() -> None:
    assert Lake("/somewhere").is_local
    assert Lake("file:///somewhere").is_local
    assert not Lake("s3://bucket/prefix").is_local


def test_a_lake_may_lie_in_another_file_system() -> None:
    lake = Lake("memory://lake-test")
    write(lake)
    assert lake.days("people/all") == [DAY]
    assert lake.read("people/all", days=[DAY]).num_rows == 2


def test_days_without_rows_share_a_file_and_read_as_partitions(lake: Lake) -> None:
    days = [DAY + timedelta(days=number) for number in range(1500)]
    write(lake, day=days[7])
    empty = [day for day in days if day not in (days[7], days[9])]
    lake.write_empty_days(SCHEMA, empty)
    assert lake.days("people/all") == sorted({*empty, days[7]})
    assert lake.filled_days("people/all") == [days[7]]
    assert lake.row_counts("people/all", days[6:9]) == {days[6]: 0, days[7]: 2, days[8]: 0}
    assert lake.read("people/all", days=days[:3]).schema == SCHEMA.arrow
    assert lake.read("people/all", days=days[:9]).num_rows == 2
    assert lake.schema("people/all", days[1400]).equals(SCHEMA.arrow)
    assert not lake.exists("people/all", days[9])
    with pytest.raises(MissingPartitionError):
        lake.read("people/all", days=days[8:10])


def test_a_day_goes_from_rows_to_none_and_back(lake: Lake) -> None:
    write(lake)
    lake.write_empty_days(SCHEMA, [DAY])
    assert lake.row_count("people/all", DAY) == 0
    write(lake)
    assert lake.row_count("people/all", DAY) == 2
    lake.write_empty_days(SCHEMA, [DAY, DAY + timedelta(days=1)])
    assert lake.row_counts("people/all", [DAY]) == {DAY: 0}


def test_files_of_days_without_rows_that_others_stand_for_are_removed(local_lake: Lake) -> None:
    days = [DAY + timedelta(days=number) for number in range(3)]
    for written in (days[1:], days[1:2], days):
        local_lake.write_empty_days(SCHEMA, written)
    assert len(list((local_lake.table_path(SCHEMA.key) / "_empty").iterdir())) == 1
    assert local_lake.days(SCHEMA.key) == days


def test_a_table_of_days_without_rows_alone_can_be_queried(local_lake: Lake) -> None:
    local_lake.write_empty_days(SCHEMA, [DAY])
    engine = DuckDBEngine(local_lake, declared={"people.all": SCHEMA})
    assert engine.select(Query("all", "SELECT name FROM people.all"), {}).num_rows == 0


def test_a_partition_is_rewritten_without_some_rows_and_keeps_its_note(lake: Lake) -> None:
    lake.write(SCHEMA, ROWS, day=DAY, note="from files")

    def doomed(rows: pa.Table) -> np.ndarray:
        assert rows.column_names == ["name"]
        return np.array([name == "ann" for name in rows.column("name").to_pylist()])

    assert lake.rewrite("people/all", DAY, doomed, columns=["name"], only_count=True) == 1
    assert lake.row_count("people/all", DAY) == 2
    assert lake.rewrite("people/all", DAY, doomed, columns=["name"]) == 1
    before = lake.digest("people/all", DAY)
    assert lake.read("people/all", days=[DAY]).to_pylist() == ROWS.to_pylist()[1:]
    assert lake.note("people/all", DAY) == "from files"
    assert lake.rewrite("people/all", DAY, doomed, columns=["name"]) == 0
    assert lake.digest("people/all", DAY) == before
