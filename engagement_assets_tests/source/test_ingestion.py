"""What an ingestion leaves in the lake, and what it reports."""

import random
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from raw_rows import (
    FIRST,
    MemoryReader,
    a_session,
    at,
    customers,
    partitions,
    quarantined,
    stored,
    table_of,
    take_in,
)

from engagement_assets.source.contract import TABLES
from engagement_assets.source.errors import ReaderError
from engagement_assets.source.ingestion import ingest
from engagement_assets.source.quarantine import QUARANTINE
from engagement_assets.source.readers import SimulatedReader
from engagement_assets.source.settings import IngestionSettings
from resources.lake import CorruptPartitionError, Lake, MissingPartitionError


def test_every_table_and_the_quarantine_get_one_partition_a_day(lake: Lake) -> None:
    take_in({}, lake, days=3)
    days = [FIRST + timedelta(days=count) for count in range(3)]
    for name, table in TABLES.items():
        assert lake.days(f"source/{name}") == days
        assert lake.read(f"source/{name}", days=days).schema.equals(table.arrow)
    assert lake.days(QUARANTINE.key) == days
    assert lake.read(QUARANTINE.key, days=days).schema.equals(QUARANTINE.arrow)


def test_a_day_without_rows_is_an_empty_partition(lake: Lake) -> None:
    rows = [a_session(0), a_session(2, occurred_at=at(2))]
    report = take_in({"sessions": table_of("sessions", rows)}, lake, days=3)
    assert [len(stored(lake, "sessions", day)) for day in range(3)] == [1, 0, 1]
    assert list(report.rows["sessions"].values()) == [1, 0, 1]


def test_missing_optional_tables_are_empty_and_reported(lake: Lake) -> None:
    report = take_in({}, lake)
    assert set(report.missing_tables) == set(TABLES) - {"customers", "sessions"}
    assert stored(lake, "messages") == []


def test_columns_that_are_not_provided_are_null_and_reported(lake: Lake) -> None:
    report = take_in({"sessions": table_of("sessions", [a_session()])}, lake)
    assert report.not_provided["sessions"] == (
        "device",
        "pages",
        "impressions",
        "clicks",
        "scroll_depth",
        "withdrawn_at",
    )
    assert stored(lake, "sessions")[0]["device"] is None


def test_a_column_of_nulls_of_whatever_type_is_as_good_as_none(lake: Lake) -> None:
    raw = table_of("sessions", [a_session()])
    raw = raw.append_column("device", pa.nulls(1, pa.int32())).append_column("pages", pa.nulls(1))
    take_in({"sessions": raw}, lake)
    assert stored(lake, "sessions")[0]["device"] is None


def test_columns_may_come_in_any_order(lake: Lake) -> None:
    rows = table_of("sessions", [a_session(device="web")])
    take_in({"sessions": rows.select(sorted(rows.column_names, reverse=True))}, lake)
    assert stored(lake, "sessions")[0]["device"] == "web"
    assert stored(lake, "sessions")[0]["customer_id"] == "ann"


def test_a_late_row_lands_in_the_day_it_was_recorded_on(lake: Lake) -> None:
    rows = [a_session(1), a_session(2, occurred_at=at(0), recorded_at=at(2))]
    report = take_in({"sessions": table_of("sessions", rows)}, lake, days=3)
    assert [row["session_id"] for row in stored(lake, "sessions", 0)] == ["s1"]
    assert [row["session_id"] for row in stored(lake, "sessions", 2)] == ["s2"]
    assert stored(lake, "sessions", 2)[0]["occurred_at"] == at(0)
    assert list(report.late["sessions"].values()) == [0, 0, 1]


def test_a_time_is_cut_to_the_millisecond_and_never_rounded_into_the_next_day(lake: Lake) -> None:
    last = at(0).replace(hour=23, minute=59, second=59, microsecond=999_999)
    take_in({"sessions": table_of("sessions", [a_session(1, occurred_at=last)])}, lake)
    (row,) = stored(lake, "sessions", 0)
    assert row["occurred_at"] == last.replace(microsecond=999_000)
    assert row["recorded_at"].microsecond % 1000 == 0


def test_a_null_recorded_at_is_the_event_time(lake: Lake) -> None:
    rows = [a_session(1, recorded_at=None), a_session(2, recorded_at=at(1))]
    take_in({"sessions": table_of("sessions", rows)}, lake, days=2)
    assert stored(lake, "sessions", 0)[0]["recorded_at"] == at(0)


def test_what_was_known_before_the_first_day_lands_in_the_first_partition(lake: Lake) -> None:
    rows = [a_session(1, occurred_at=at(-400))]
    take_in({"customers": customers("ann", day=-500), "sessions": table_of("sessions", rows)}, lake)
    assert stored(lake, "customers")[0]["signed_up_at"] == at(-500, 1)
    assert stored(lake, "sessions")[0]["recorded_at"] == at(-400)
    assert quarantined(lake) == []


def test_times_with_a_zone_become_utc(lake: Lake) -> None:
    raw = table_of("sessions", [a_session()]).set_column(
        2, "occurred_at", pa.array([at(0, 23.5)], pa.timestamp("ms", tz="Asia/Tokyo"))
    )
    take_in({"sessions": raw}, lake)
    assert stored(lake, "sessions")[0]["occurred_at"] == at(0, 23.5)


def test_naive_times_are_those_of_the_sources_zone(lake: Lake) -> None:
    # 00:30 in Oslo is 23:30 of the day before in UTC
    rows = table_of("sessions", [a_session(1, occurred_at=at(1, 0.5))])
    people = customers("ann", day=-1)
    take_in({"customers": people, "sessions": rows}, lake, days=2, timezone="Europe/Oslo")
    assert stored(lake, "sessions", 0)[0]["occurred_at"] == at(0, 23.5)
    assert stored(lake, "sessions", 1) == []


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2024-01-01 12:00:00", 11),
        ("2024-01-01T12:00:00Z", 12),
        ("2024-01-01T12:00:00+05:00", 7),
        ("2024-01-01 12:00:00.5-03", 15.000138888889),
        ("2024-01-01", -1),
    ],
)
def test_times_as_text_are_read_with_and_without_a_zone(lake: Lake, text: str, hour: float) -> None:
    raw = table_of("sessions", [a_session()]).set_column(2, "occurred_at", pa.array([text]))
    people = customers("ann", day=-1)
    take_in({"customers": people, "sessions": raw}, lake, timezone="Europe/Oslo")
    (row,) = stored(lake, "sessions")
    assert abs(row["occurred_at"] - at(0, hour)) < timedelta(milliseconds=1)


def test_dictionaries_narrow_numbers_and_other_units_are_taken(lake: Lake) -> None:
    raw = pa.table(
        {
            "session_id": pa.array([17], pa.int32()),
            "customer_id": pa.array(["ann"]).dictionary_encode(),
            "occurred_at": pa.array([at()], pa.timestamp("ns")),
            "duration_seconds": pa.array([60], pa.uint8()),
            "device": pa.array(["web"], pa.large_string()),
        }
    )
    take_in({"sessions": raw}, lake)
    assert stored(lake, "sessions")[0]["session_id"] == "17"
    assert stored(lake, "sessions")[0]["duration_seconds"] == 60.0


def test_good_rows_are_sorted_by_customer_time_and_key(lake: Lake) -> None:
    rows = [
        a_session(number, customer_id=who, occurred_at=at(0, hour))
        for number, (who, hour) in enumerate([("bob", 1), ("ann", 9), ("ann", 3), ("ann", 3)])
    ]
    take_in({"sessions": table_of("sessions", rows)}, lake)
    assert [row["session_id"] for row in stored(lake, "sessions")] == ["s2", "s3", "s1", "s0"]


def _world(seed: int) -> dict[str, pa.Table]:
    """Sessions and messages of 20 days, some of them bad, late or twice, in a random order."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    sessions = [
        a_session(
            draw.randrange(150),
            customer_id=draw.choice(["ann", "bob", "eve"]),
            occurred_at=(moment := at(draw.randrange(20), draw.random() * 23)),
            recorded_at=moment + timedelta(days=draw.choice([0, 0, 0, 1, 8])),
            duration_seconds=draw.choice([1.0, 2.0, -1.0]),
        )
        for _ in range(200)
    ]
    messages = [
        {
            "message_id": f"m{draw.randrange(60)}",
            "customer_id": "ann",
            "recipient_id": draw.choice(["bob", "eve"]),
            "occurred_at": at(draw.randrange(20), draw.random() * 23),
        }
        for _ in range(80)
    ]
    draw.shuffle(sessions)
    people = pa.concat_tables([customers("ann", "bob"), customers("eve", day=6)])
    return {
        "customers": people,
        "sessions": table_of("sessions", sessions),
        "messages": table_of("messages", messages),
    }


@pytest.mark.parametrize("chunk_days", [1, 3, 7])
def test_the_files_do_not_depend_on_how_many_days_are_read_at_once(
    tmp_path: Path, chunk_days: int
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    take_in(_world(1), Lake(str(whole)), days=28)
    take_in(_world(1), Lake(str(cut)), days=28, settings=IngestionSettings(chunk_days=chunk_days))
    assert partitions(Lake(str(whole))) == partitions(Lake(str(cut)))


def test_the_files_do_not_depend_on_the_order_of_the_rows(tmp_path: Path) -> None:
    tables = _world(2)
    turned = {
        name: table.take(pa.array(range(table.num_rows - 1, -1, -1)))
        for name, table in tables.items()
    }
    one, two = tmp_path / "one", tmp_path / "two"
    take_in(tables, Lake(str(one)), days=28)
    take_in(turned, Lake(str(two)), days=28)
    assert partitions(Lake(str(one))) == partitions(Lake(str(two)))


def test_ingesting_again_gives_the_same_bytes(lake: Lake) -> None:
    take_in(_world(3), lake, days=28)
    before = partitions(lake)
    take_in(_world(3), lake, days=28)
    assert partitions(lake) == before
    middle = FIRST + timedelta(days=11)
    ingest(MemoryReader(_world(3)), lake, middle, middle + timedelta(days=2))
    assert partitions(lake) == before


def test_a_day_whose_customers_are_not_in_the_lake_yet_is_an_error(lake: Lake) -> None:
    day = FIRST + timedelta(days=2)
    with pytest.raises(MissingPartitionError, match=r"source/customers.*2024-01-01, 2024-01-02"):
        ingest(MemoryReader({}), lake, day, day)


def test_a_corrupt_earlier_partition_is_named(lake: Lake) -> None:
    take_in({}, lake)
    path = lake.path("source/customers", FIRST)
    path.write_bytes(b"no parquet")
    day = FIRST + timedelta(days=1)
    with pytest.raises(CorruptPartitionError, match=r"customers/day=2024-01-01/part.parquet"):
        ingest(MemoryReader({}), lake, day, day)


def test_a_reader_that_returns_rows_of_other_days_is_at_fault(lake: Lake) -> None:
    class Careless(MemoryReader):
        def read(self, *_days: date) -> dict[str, pa.Table]:
            return dict(self.tables)

    rows = table_of("sessions", [a_session(occurred_at=at(5))])
    with pytest.raises(ReaderError, match=r"sessions.*1 rows were recorded on 2024-01-06"):
        ingest(Careless({"sessions": rows}), lake, FIRST, FIRST)


def test_progress_is_told_after_each_chunk(lake: Lake) -> None:
    lines: list[str] = []
    last = FIRST + timedelta(days=4)
    settings = IngestionSettings(chunk_days=2)
    ingest(MemoryReader({}), lake, FIRST, last, settings=settings, progress=lines.append)
    assert lines == [
        "2024-01-01 to 2024-01-02: day 2 of 5, 2 rows so far, 0 in quarantine",
        # few rows: the next chunk is longer
        "2024-01-03 to 2024-01-05: day 5 of 5, 2 rows so far, 0 in quarantine",
    ]


def test_a_simulated_source_is_taken_in_day_by_day(lake: Lake) -> None:
    class TwoDays:
        def day(self, day: date) -> dict[str, pa.Table]:
            number = (day - FIRST).days
            rows = [a_session(number, occurred_at=at(number))]
            new = customers("ann") if number == 0 else customers("ann").slice(0, 0)
            return {"customers": new, "sessions": table_of("sessions", rows)}

    reader = SimulatedReader(TwoDays(), first_day=FIRST, tables=frozenset(TABLES))
    report = ingest(reader, lake, FIRST, FIRST + timedelta(days=1))
    assert report.missing_tables == ()
    assert report.rows_of("sessions") == 2
