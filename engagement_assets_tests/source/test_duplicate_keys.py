"""Keys that come more than once."""

from datetime import timedelta

import pyarrow as pa
import pytest
from raw_rows import (
    FIRST,
    MemoryReader,
    a_session,
    at,
    customers,
    quarantined,
    stored,
    table_of,
    take_in,
)

from engagement_assets.source.ingestion import ingest
from engagement_assets.source.quarantine import intake
from engagement_assets.source.settings import IngestionSettings
from resources.lake import Lake


def session_days(*days: int, **values: object) -> pa.Table:
    """The same session, delivered on several days by a source that dates its rows."""
    rows = [
        a_session(occurred_at=at(0), recorded_at=at(day, 12 + place * 0.01), **values)
        for place, day in enumerate(days)
    ]
    return table_of("sessions", rows)


def undated(*days: int) -> pa.Table:
    """A session id that is used again, by a source that does not date its rows."""
    return table_of("sessions", [a_session(occurred_at=at(day), pages=day) for day in days])


def test_a_row_that_comes_once_more_is_no_second_row_and_no_fault_of_its_day(lake: Lake) -> None:
    take_in({"sessions": session_days(0, 0, 0)}, lake)
    assert len(stored(lake, "sessions")) == 1
    assert [row["reason"] for row in quarantined(lake)] == ["duplicate row"] * 2
    assert intake(lake, [FIRST])[FIRST]["sessions"].share == 0.0


def test_of_rows_recorded_at_once_the_first_by_all_columns_is_kept_in_any_order(
    lake: Lake,
) -> None:
    rows = [a_session(pages=pages) for pages in (3, 1, 2)]
    take_in({"sessions": table_of("sessions", rows)}, lake)
    assert [row["pages"] for row in stored(lake, "sessions")] == [1]


def test_a_key_of_several_columns_repeats_only_where_all_do(lake: Lake) -> None:
    rows = [
        {"customer_id": who, "event_id": event, "occurred_at": at(0, hour)}
        for who, event, hour in (
            ("ann", "e1", 1),
            ("ann", "e2", 1),
            ("bob", "e1", 1),
            ("ann", "e1", 2),
        )
    ]
    take_in({"event_joins": table_of("event_joins", rows)}, lake)
    assert len(stored(lake, "event_joins")) == 3
    assert [row["reason"] for row in quarantined(lake)] == ["duplicate key: customer_id, event_id"]


@pytest.mark.parametrize("chunk_days", [1, 3, 30])
def test_a_key_without_a_date_of_its_own_repeats_across_chunk_borders(
    lake: Lake, chunk_days: int
) -> None:
    settings = IngestionSettings(chunk_days=chunk_days)
    take_in({"sessions": undated(0, 5)}, lake, days=6, settings=settings)
    assert len(stored(lake, "sessions", 0)) == 1
    assert [row["reason"] for row in quarantined(lake, 5)] == ["duplicate key: session_id"]


@pytest.mark.parametrize("chunk_days", [1, 4, 30])
def test_a_key_may_come_again_after_the_lookback(lake: Lake, chunk_days: int) -> None:
    settings = IngestionSettings(chunk_days=chunk_days)
    # day 5 repeats day 0; day 9 lies 9 days after the last good row, and repeats nothing
    take_in({"sessions": undated(0, 5, 9)}, lake, days=10, settings=settings)
    assert [len(quarantined(lake, day)) for day in (0, 5, 9)] == [0, 1, 0]


def test_without_lookback_only_the_same_partition_counts(lake: Lake) -> None:
    settings = IngestionSettings(duplicate_lookback_days=0)
    take_in({"sessions": undated(0, 0, 1)}, lake, days=2, settings=settings)
    assert [len(quarantined(lake, day)) for day in (0, 1)] == [1, 0]


def test_a_corrected_row_is_taken_after_a_refused_one(lake: Lake) -> None:
    rows = [
        a_session(recorded_at=at(0, 13), pages=-1),
        a_session(recorded_at=at(0, 14), pages=4),
        a_session(recorded_at=at(0, 15), pages=-1),
    ]
    take_in({"sessions": table_of("sessions", rows)}, lake)
    assert [row["pages"] for row in stored(lake, "sessions")] == [4]
    assert sorted(row["reason"] for row in quarantined(lake)) == [
        "out of bounds: pages = -1, expected 0 or more",
        "out of bounds: pages = -1, expected 0 or more",
    ]


def test_ingesting_a_day_again_does_not_see_its_own_rows_as_duplicates(lake: Lake) -> None:
    tables = {"sessions": session_days(0)}
    first = take_in(tables, lake)
    again = take_in(tables, lake)
    assert first.rows == again.rows
    assert again.total_quarantined == 0


def test_a_customer_may_come_again_as_a_new_version(lake: Lake) -> None:
    people = (
        pa.concat_tables([customers("ann")] * 2)
        .append_column("location", pa.array(["north", "south"]))
        .append_column("recorded_at", pa.array([at(0, 2), at(0, 3)], pa.timestamp("us")))
    )
    take_in({"customers": people}, lake)
    assert [row["recorded_at"] for row in stored(lake, "customers")] == [at(0, 2), at(0, 3)]
    assert quarantined(lake) == []


def test_the_same_version_of_a_customer_twice_is_a_duplicate(lake: Lake) -> None:
    take_in({"customers": customers("ann", "ann", "bob")}, lake)
    assert [row["customer_id"] for row in stored(lake, "customers")] == ["ann", "bob"]
    assert [row["reason"] for row in quarantined(lake)] == ["duplicate row"]


def test_rows_without_a_key_are_no_duplicates_of_each_other(lake: Lake) -> None:
    rows = [a_session(session_id=None, pages=pages) for pages in (1, 2)]
    take_in({"sessions": table_of("sessions", rows)}, lake)
    assert [row["reason"] for row in quarantined(lake)] == ["null key: session_id"] * 2


def test_earlier_days_that_are_not_there_to_compare_with_are_reported(lake: Lake) -> None:
    reader = MemoryReader({"sessions": session_days(0, 1)})
    ingest(reader, lake, FIRST, FIRST)
    (lake.path("source/sessions", FIRST)).unlink()
    day = FIRST + timedelta(days=1)
    report = ingest(reader, lake, day, day)
    assert [FIRST.isoformat() in notice for notice in report.notices] == [True]
