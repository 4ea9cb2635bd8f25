"""Each way in which a raw row can break the contract, and the reason that it gets."""

import json
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from raw_rows import FIRST, a_session, at, customers, quarantined, stored, table_of, take_in

from engagement_assets.source.contract import TABLES
from engagement_assets.source.quarantine import Intake, intake, total
from resources.lake import Lake


def reasons_for(lake: Lake, name: str, *rows: dict[str, Any], **source: Any) -> list[str]:
    """Reasons of the rows that went to quarantine on the first day."""
    take_in({name: table_of(name, rows)}, lake, **source)
    return [row["reason"] for row in quarantined(lake)]


def reasons_for_raw(lake: Lake, name: str, raw: pa.Table) -> list[str]:
    take_in({name: raw}, lake)
    return [row["reason"] for row in quarantined(lake)]


def as_text(*rows: dict[str, Any]) -> pa.Table:
    """Sessions as a CSV file read as text gives them."""
    return pa.table(
        {
            column: pa.array([None if row[column] is None else str(row[column]) for row in rows])
            for column in rows[0]
        }
    )


def test_a_good_row_stays_out_of_quarantine(lake: Lake) -> None:
    assert reasons_for(lake, "sessions", a_session(pages=3, scroll_depth=0.5)) == []
    assert stored(lake, "sessions") == [
        {
            "session_id": "s0",
            "customer_id": "ann",
            "occurred_at": at(),
            "duration_seconds": 60.0,
            "device": None,
            "pages": 3,
            "impressions": None,
            "clicks": None,
            "scroll_depth": 0.5,
            "withdrawn_at": None,
            "recorded_at": at(),
        }
    ]


def test_a_null_key_goes_to_quarantine(lake: Lake) -> None:
    assert reasons_for(lake, "sessions", a_session(session_id=None)) == ["null key: session_id"]
    assert stored(lake, "sessions") == []


@pytest.mark.parametrize("blank", ["", " ", "\t "])
def test_a_blank_key_counts_as_null(lake: Lake, blank: str) -> None:
    assert reasons_for(lake, "sessions", a_session(session_id=blank)) == ["null key: session_id"]


def test_a_null_in_a_column_that_must_have_a_value_goes_to_quarantine(lake: Lake) -> None:
    actual = reasons_for(lake, "sessions", a_session(duration_seconds=None))
    assert actual == ["null value: duration_seconds"]


def test_a_row_without_any_time_goes_to_the_quarantine_of_the_first_day(lake: Lake) -> None:
    rows = table_of("sessions", [a_session(occurred_at=None)])
    report = take_in({"sessions": rows}, lake, days=3)
    assert [row["reason"] for row in quarantined(lake)] == ["null value: occurred_at"]
    assert report.total_quarantined == 1


def test_a_negative_duration_goes_to_quarantine(lake: Lake) -> None:
    actual = reasons_for(lake, "sessions", a_session(duration_seconds=-5.0))
    assert actual == ["out of bounds: duration_seconds = -5.0, expected 0 to 86400"]


def test_values_on_the_bounds_are_good_and_beyond_them_bad(lake: Lake) -> None:
    rows = [
        a_session(1, duration_seconds=0.0, scroll_depth=1.0, pages=0),
        a_session(2, duration_seconds=86_400.0, scroll_depth=0.0),
        a_session(3, duration_seconds=86_400.5),
        a_session(4, scroll_depth=1.01),
        a_session(5, pages=-1),
    ]
    assert reasons_for(lake, "sessions", *rows) == [
        "out of bounds: duration_seconds = 86400.5, expected 0 to 86400",
        "out of bounds: scroll_depth = 1.01, expected 0 to 1",
        "out of bounds: pages = -1, expected 0 or more",
    ]
    assert [row["session_id"] for row in stored(lake, "sessions")] == ["s1", "s2"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_goes_to_quarantine(lake: Lake, value: float) -> None:
    actual = reasons_for(lake, "sessions", a_session(duration_seconds=value))
    assert actual == [f"not a finite number: duration_seconds = {value}"]


def test_a_value_outside_the_closed_list_goes_to_quarantine(lake: Lake) -> None:
    row = {
        "interaction_id": "i1",
        "customer_id": "ann",
        "post_id": "p1",
        "kind": "FOLLOW",
        "occurred_at": at(),
    }
    assert reasons_for(lake, "interactions", row) == [
        "not allowed: kind = follow, expected one of view, like, comment, share"
    ]


def test_a_value_of_the_wrong_type_goes_to_quarantine_with_column_and_value(lake: Lake) -> None:
    rows = [
        a_session(1, duration_seconds="an hour"),
        a_session(2, occurred_at="yesterday", recorded_at=at()),
        a_session(3, pages="3.7"),
        a_session(4, pages=" 3.0 ", duration_seconds="1e2"),
    ]
    raw = as_text(*({"pages": "1", "recorded_at": at(), **row} for row in rows))
    assert reasons_for_raw(lake, "sessions", raw) == [
        "wrong type: duration_seconds = an hour is not a float64",
        "wrong type: occurred_at = yesterday is not a timestamp",
        "wrong type: pages = 3.7 is not a int64",
    ]
    assert [(row["pages"], row["duration_seconds"]) for row in stored(lake, "sessions")] == [
        (3, 100.0)
    ]


def test_an_unreadable_recorded_at_is_not_replaced_by_the_event_time(lake: Lake) -> None:
    raw = as_text(a_session(recorded_at="soon"))
    assert reasons_for_raw(lake, "sessions", raw) == [
        "wrong type: recorded_at = soon is not a timestamp"
    ]


def test_a_number_with_a_fraction_does_not_pass_for_a_whole_one(lake: Lake) -> None:
    raw = table_of("sessions", [a_session(1), a_session(2)])
    raw = raw.append_column("pages", pa.array([2.0, 2.5]))
    assert reasons_for_raw(lake, "sessions", raw) == ["wrong type: pages = 2.5 is not a int64"]
    assert [row["pages"] for row in stored(lake, "sessions")] == [2]


def test_personal_values_are_not_repeated_in_the_reason(lake: Lake) -> None:
    raw = customers("ann", "bob").append_column("birth_date", pa.array(["1990-02-30", None]))
    take_in({"customers": raw}, lake)
    (row,) = quarantined(lake)
    assert row["reason"] == "wrong type: birth_date is not a date"
    assert json.loads(row["row"])["birth_date"] == "1990-02-30"


def test_an_event_after_its_recorded_day_goes_to_quarantine(lake: Lake) -> None:
    row = a_session(occurred_at=at(1), recorded_at=at(0))
    assert reasons_for(lake, "sessions", row) == [
        "in the future: occurred_at = 2024-01-02 12:00:00 is after its recorded_at day 2024-01-01"
    ]


def test_an_event_later_on_its_recorded_day_is_good(lake: Lake) -> None:
    assert reasons_for(lake, "sessions", a_session(occurred_at=at(0, 20))) == []


def test_a_reply_before_its_message_goes_to_quarantine(lake: Lake) -> None:
    row = {
        "message_id": "m1",
        "customer_id": "ann",
        "recipient_id": "bob",
        "occurred_at": at(0, 12),
        "replied_at": at(0, 11),
    }
    assert reasons_for(lake, "messages", row) == [
        "before the event: replied_at = 2024-01-01 11:00:00 lies before occurred_at "
        "2024-01-01 12:00:00"
    ]


def test_a_row_of_an_unknown_customer_goes_to_quarantine(lake: Lake) -> None:
    assert reasons_for(lake, "sessions", a_session(customer_id="eve")) == [
        "unknown customer: customer_id = eve is not in customers by 2024-01-01"
    ]


def test_every_column_that_names_a_customer_must_name_a_known_one(lake: Lake) -> None:
    row = {
        "message_id": "m1",
        "customer_id": "ann",
        "recipient_id": "eve",
        "occurred_at": at(),
    }
    assert reasons_for(lake, "messages", row) == [
        "unknown customer: recipient_id = eve is not in customers by 2024-01-01"
    ]


def test_a_customer_is_known_from_the_day_it_was_recorded_on(lake: Lake) -> None:
    people = pa.concat_tables([customers("ann"), customers("eve", day=2)])
    rows = [a_session(day, customer_id="eve", occurred_at=at(day)) for day in range(4)]
    take_in({"customers": people, "sessions": table_of("sessions", rows)}, lake, days=4)
    assert [len(stored(lake, "sessions", day)) for day in range(4)] == [0, 0, 1, 1]
    assert [len(quarantined(lake, day)) for day in range(4)] == [1, 1, 0, 0]


def test_a_customer_whose_own_row_is_refused_is_not_known(lake: Lake) -> None:
    people = pa.table(
        {
            "customer_id": ["ann", "eve"],
            "signed_up_at": pa.array([at(), None], pa.timestamp("us")),
        }
    )
    rows = table_of("sessions", [a_session(customer_id="eve")])
    take_in({"customers": people, "sessions": rows}, lake)
    assert [row["reason"].split(":")[0] for row in quarantined(lake)] == [
        "null value",
        "unknown customer",
    ]


def test_a_row_keeps_all_its_reasons(lake: Lake) -> None:
    row = a_session(session_id=None, customer_id="eve", duration_seconds=-1.0, pages=-2)
    assert reasons_for(lake, "sessions", row) == [
        "null key: session_id; "
        "out of bounds: duration_seconds = -1.0, expected 0 to 86400; "
        "out of bounds: pages = -2, expected 0 or more; "
        "unknown customer: customer_id = eve is not in customers by 2024-01-01"
    ]


def test_the_quarantine_holds_the_row_as_it_came(lake: Lake) -> None:
    raw = as_text(a_session(pages="many", device="phone"))
    take_in({"sessions": raw}, lake)
    (row,) = quarantined(lake)
    assert row["table"] == "sessions"
    assert row["customer_id"] == "ann"
    assert json.loads(row["key"]) == {"session_id": "s0"}
    assert json.loads(row["row"]) == {
        "session_id": "s0",
        "customer_id": "ann",
        "occurred_at": "2024-01-01 12:00:00",
        "duration_seconds": "60.0",
        "pages": "many",
        "device": "phone",
    }


def test_the_report_counts_reasons_by_table(lake: Lake) -> None:
    rows = [a_session(1), a_session(2, pages=-1), a_session(3, pages=-1, duration_seconds=-1.0)]
    report = take_in({"sessions": table_of("sessions", rows)}, lake)
    assert report.reasons == {
        ("sessions", "out of bounds: pages"): 2,
        ("sessions", "out of bounds: duration_seconds"): 1,
    }
    assert (report.rows_of("sessions"), report.quarantined_of("sessions")) == (1, 2)
    assert report.quarantine_share == 2 / 5


def test_the_intake_of_a_day_can_be_counted_from_the_lake(lake: Lake) -> None:
    take_in({"sessions": table_of("sessions", [a_session(1), a_session(2, pages=-1)])}, lake)
    brought = intake(lake, [FIRST])[FIRST]
    assert brought["sessions"] == Intake(1, 1)
    assert brought["sessions"].share == 0.5
    assert brought["posts"] == Intake(0, 0)
    assert brought["posts"].share == 0.0
    assert total(brought) == Intake(3, 1)
    assert set(brought) == set(TABLES)


def test_a_known_customer_of_an_earlier_ingestion_stays_known(lake: Lake) -> None:
    rows = [a_session(day, occurred_at=at(day)) for day in range(2)]
    tables = {"sessions": table_of("sessions", rows)}
    take_in(tables, lake)
    from raw_rows import MemoryReader  # noqa: PLC0415 - used here alone

    from engagement_assets.source.ingestion import ingest  # noqa: PLC0415 - used here alone

    day = FIRST + timedelta(days=1)
    assert ingest(MemoryReader(tables), lake, day, day).total_quarantined == 0
