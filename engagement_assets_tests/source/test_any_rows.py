"""Whatever rows come in: none is lost, and what is good keeps the contract."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_rows import FIRST, MemoryReader, at, customers, files

from engagement_assets.source.contract import TABLES
from engagement_assets.source.ingestion import ingest
from engagement_assets.source.mapping import open_mapped
from engagement_assets.source.quarantine import QUARANTINE
from resources.lake import Lake
from resources.tables import Column

NAMES = ("sessions", "messages", "job_ratings", "consents", "premium_usage")
DAYS = [FIRST + timedelta(days=count) for count in range(5)]
KNOWN = {"ann": 0, "bob": 3}
PEOPLE = pa.concat_tables([customers(name, day=day) for name, day in KNOWN.items()])

_times = st.datetimes(at(-1), at(4, 11)).map(str) | st.sampled_from(
    ["2024-01-02 05:00+02:00", "2024-01-03", "nonsense", "infinity", ""]
)
_names = st.sampled_from(["ann", "bob", "eve", "", " "])
_ids = st.sampled_from(["1", "2", "3", "", "é'\";", "x" * 200])
_numbers = st.floats(-2, 90_000).map(repr) | st.sampled_from(
    ["nan", "inf", "-1", "0", "1.0", "86400", "1e400", "5", "many", " 7 "]
)
_bools = st.sampled_from(["true", "false", "0", "1", "perhaps"])


def _values(field: Column) -> st.SearchStrategy[str | None]:
    if field.allowed:
        known: st.SearchStrategy[str] = st.sampled_from((*field.allowed, "other"))
    elif field.names_customer:
        known = _names
    else:
        known = {
            "timestamp": _times,
            "date": _times,
            "string": _ids,
            "float64": _numbers,
            "int64": _numbers,
            "bool": _bools,
        }[field.type]
    return st.none() | known | known


def _raw_rows(name: str) -> st.SearchStrategy[pa.Table]:
    fields = TABLES[name].columns
    row = st.fixed_dictionaries({field.name: _values(field) for field in fields})
    return st.lists(row, max_size=12).map(
        lambda rows: pa.table(
            {field.name: pa.array([r[field.name] for r in rows], pa.string()) for field in fields}
        )
    )


def _in_bounds(field: Column, value: Any) -> bool:
    return (field.minimum is None or value >= field.minimum) and (
        field.maximum is None or value <= field.maximum
    )


def _breaches(name: str, row: dict[str, Any], day_number: int) -> list[str]:
    """The contract, told a second time, row by row."""
    table = TABLES[name]
    actual = []
    for field in table.columns:
        value = row[field.name]
        if value is None:
            if not field.nullable:
                actual.append(f"{field.name} is null")
            continue
        if not _in_bounds(field, value):
            actual.append(f"{field.name} out of bounds")
        if field.allowed and value not in field.allowed:
            actual.append(f"{field.name} not allowed")
        if field.names_customer and not KNOWN.get(value, 99) <= day_number:
            actual.append(f"{field.name} unknown")
        if field.not_before and value < row[table.event_time]:
            actual.append(f"{field.name} before the event")
    recorded: datetime = row["recorded_at"]
    if row[table.event_time].date() > recorded.date():
        actual.append("in the future")
    if max(recorded.date(), FIRST) != DAYS[day_number]:
        actual.append("in another day's partition")
    return actual


@pytest.fixture(scope="module")
def lake_of_all(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """One lake for all examples: what an earlier one left must make no difference."""
    return Lake(str(tmp_path_factory.mktemp("lake")))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(raw=st.fixed_dictionaries({name: _raw_rows(name) for name in NAMES}))
def test_no_row_is_lost_and_good_rows_keep_the_contract(
    lake_of_all: Lake, raw: dict[str, pa.Table]
) -> None:
    reader = MemoryReader({"customers": PEOPLE, **raw})
    # rows of days that are not asked for stay where they are
    asked = reader.read(DAYS[0], DAYS[-1])
    lake = lake_of_all
    report = ingest(reader, lake, DAYS[0], DAYS[-1])
    refused = lake.read(QUARANTINE.key, days=DAYS).to_pylist()
    assert all(row["reason"] for row in refused)
    for name in NAMES:
        good = _check_good_rows(lake, name)
        bad = sum(row["table"] == name for row in refused)
        assert good + bad == asked[name].num_rows
        assert (report.rows_of(name), report.quarantined_of(name)) == (good, bad)
    before = files(Path(lake.root))
    ingest(reader, lake, DAYS[0], DAYS[-1])
    assert files(Path(lake.root)) == before


def _check_good_rows(lake: Lake, name: str) -> int:
    keys: list[tuple[Any, ...]] = []
    for number, day in enumerate(DAYS):
        rows = lake.read(f"source/{name}", days=[day]).to_pylist()
        assert [_breaches(name, row, number) for row in rows] == [[] for _ in rows]
        keys += [tuple(row[column] for column in TABLES[name].row_key) for row in rows]
    assert len(set(keys)) == len(keys)
    return len(keys)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(raw=st.fixed_dictionaries({name: _raw_rows(name) for name in NAMES}))
def test_every_row_of_a_mapped_file_is_taken_in_or_put_aside(
    tmp_path_factory: pytest.TempPathFactory, raw: dict[str, pa.Table]
) -> None:
    root = tmp_path_factory.mktemp("mapped")
    folder, lake = root / "sql" / "mine", Lake(str(root / "lake"))
    folder.mkdir(parents=True)
    (folder / "source.toml").write_text(f"first_day = {FIRST}\nlast_day = {DAYS[-1]}\n")
    for name, rows in {"customers": PEOPLE, **raw}.items():
        pq.write_table(rows, root / f"{name}.parquet")
        (folder / f"{name}.sql").write_text(f"FROM '{root}/{name}.parquet'")
    reader = open_mapped("mine", root=root / "sql", data=str(root))
    # a day at a time, as a daily schedule does
    for day in DAYS:
        ingest(reader, lake, day, day)
    refused = lake.read(QUARANTINE.key, days=DAYS).column("table").to_pylist()
    for name, rows in raw.items():
        assert _check_good_rows(lake, name) + refused.count(name) == rows.num_rows
