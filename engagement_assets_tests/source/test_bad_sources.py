"""Sources that cannot be read as the contract asks: the error names what is wrong."""

from datetime import date, timedelta

import pyarrow as pa
import pytest
from raw_rows import FIRST, MemoryReader, a_session, files, table_of, take_in

from engagement_assets.source.errors import (
    ColumnsError,
    DayOutOfRangeError,
    MissingTableError,
    SourceError,
    SourceSettingsError,
)
from engagement_assets.source.ingestion import ingest
from engagement_assets.source.settings import IngestionSettings
from resources.lake import Lake

SESSIONS = table_of("sessions", [a_session(device="web")])


def test_a_source_without_a_required_table_is_refused(lake: Lake) -> None:
    reader = MemoryReader({})
    del reader.tables["sessions"]
    with pytest.raises(MissingTableError, match=r"memory has no sessions.*add sessions\.sql"):
        ingest(reader, lake, FIRST, FIRST)


def test_a_missing_column_that_may_not_be_null_is_named(lake: Lake) -> None:
    with pytest.raises(ColumnsError, match=r"table sessions.*lacks duration_seconds \(float64\)"):
        take_in({"sessions": SESSIONS.drop_columns(["duration_seconds"])}, lake)


def test_a_column_the_contract_does_not_know_is_named(lake: Lake) -> None:
    rows = SESSIONS.append_column("colour", pa.array(["red"]))
    with pytest.raises(ColumnsError, match=r"table sessions.*has colour, which the contract does"):
        take_in({"sessions": rows}, lake)


def test_an_unknown_column_is_refused_even_where_it_is_null_throughout(lake: Lake) -> None:
    rows = SESSIONS.append_column("colour", pa.nulls(1))
    with pytest.raises(ColumnsError, match="has colour"):
        take_in({"sessions": rows}, lake)


@pytest.mark.parametrize(
    ("column", "values", "kind"),
    [
        ("device", pa.array([{"os": "ios"}]), "STRUCT"),
        ("device", pa.array([1.5]), "DOUBLE"),
        ("device", pa.array([b"web"]), "BLOB"),
        ("occurred_at", pa.array([1_704_110_400]), "BIGINT"),
        ("duration_seconds", pa.array([timedelta(seconds=60)]), "INTERVAL"),
        ("duration_seconds", pa.array([[60.0]]), r"DOUBLE\[\]"),
        ("session_id", pa.array([1.0]), "DOUBLE"),
    ],
)
def test_a_column_of_a_wholly_wrong_kind_is_named(
    lake: Lake, column: str, values: pa.Array, kind: str
) -> None:
    rows = SESSIONS.set_column(SESSIONS.column_names.index(column), column, values)

    class Plain(MemoryReader):
        def read(self, *_days: date) -> dict[str, pa.Table]:
            return self.tables

    with pytest.raises(ColumnsError, match=rf"table sessions.*{column} is {kind}.*cannot become"):
        ingest(Plain({"sessions": rows}), lake, FIRST, FIRST)


def test_all_faults_of_a_table_are_told_at_once(lake: Lake) -> None:
    rows = SESSIONS.drop_columns(["duration_seconds"]).append_column("colour", pa.array(["red"]))
    with pytest.raises(ColumnsError, match=r"lacks duration_seconds.*has colour"):
        take_in({"sessions": rows}, lake)


def test_a_day_before_the_first_is_refused(lake: Lake) -> None:
    day = FIRST - timedelta(days=1)
    with pytest.raises(DayOutOfRangeError, match=r"2023-12-31 lies before.*2024-01-01"):
        ingest(MemoryReader({}), lake, day, FIRST)


def test_a_day_after_the_last_is_refused(lake: Lake) -> None:
    reader = MemoryReader({}, last_day=FIRST)
    with pytest.raises(DayOutOfRangeError, match=r"2024-01-02 lies after.*2024-01-01"):
        ingest(reader, lake, FIRST, FIRST + timedelta(days=1))


def test_days_that_run_backwards_are_refused(lake: Lake) -> None:
    with pytest.raises(DayOutOfRangeError, match="backwards"):
        ingest(MemoryReader({}), lake, FIRST + timedelta(days=1), FIRST)


def test_an_unknown_time_zone_is_named(lake: Lake) -> None:
    reader = MemoryReader({})
    reader.timezone = "Mars/Olympus"
    with pytest.raises(SourceSettingsError, match="Mars/Olympus"):
        ingest(reader, lake, FIRST, FIRST)


@pytest.mark.parametrize(
    "wrong",
    [
        {"quarantine_share_limit": 1.5},
        {"duplicate_lookback_days": -1},
        {"chunk_days": 0},
    ],
)
def test_settings_out_of_bounds_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(SourceSettingsError, match=next(iter(wrong))):
        IngestionSettings(**wrong)  # type: ignore[arg-type] # wrong on purpose


def test_a_refused_source_leaves_the_old_partitions_as_they_were(lake: Lake) -> None:
    from pathlib import Path  # noqa: PLC0415 - used here alone

    take_in({"sessions": SESSIONS}, lake)
    before = files(Path(lake.root))
    with pytest.raises(SourceError):
        take_in({"sessions": SESSIONS.append_column("colour", pa.array(["red"]))}, lake)
    after = files(Path(lake.root))
    assert (
        after["source/sessions/day=2024-01-01/part.parquet"]
        == (before["source/sessions/day=2024-01-01/part.parquet"])
    )
