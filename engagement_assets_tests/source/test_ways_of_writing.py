"""Values as files and databases write them: blanks, capitals, exact decimals, infinities, dates."""

from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from raw_rows import FIRST, a_session, customers, quarantined, stored, table_of, take_in

from engagement_assets.source.checks import quarantine_outcome
from engagement_assets.source.contract import TABLES
from resources.lake import Lake


def with_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    """A table with a column in place of another, or added."""
    rest = [column for column in table.column_names if column != name]
    return table.select(rest).append_column(name, values)


@pytest.mark.parametrize(
    "ids",
    [
        pa.array([Decimal("1.000000000")], pa.decimal128(38, 9)),
        pa.array([Decimal("1")], pa.decimal128(38, 0)),
        pa.array(["1.000000000"]),
        pa.array(["1.0"]),
        pa.array([1], pa.int64()),
    ],
    ids=["decimal", "whole decimal", "decimal text", "float text", "integer"],
)
def test_a_whole_number_is_one_key_however_it_is_stored(lake: Lake, ids: pa.Array) -> None:
    people = customers("1")
    session = with_column(table_of("sessions", [a_session()]), "customer_id", ids)
    take_in({"customers": people, "sessions": session}, lake)
    assert [row["customer_id"] for row in stored(lake, "sessions")] == ["1"]


def test_a_decimal_with_a_fraction_is_no_key(lake: Lake) -> None:
    ids = pa.array([Decimal("1.5")], pa.decimal128(10, 1))
    session = with_column(table_of("sessions", [a_session()]), "customer_id", ids)
    take_in({"sessions": session}, lake)
    assert stored(lake, "sessions") == []
    assert len(quarantined(lake)) == 1


@pytest.mark.parametrize("key", ["v1.0", "1.20", "1.2.0"])
def test_a_key_that_is_no_whole_number_stays_as_it_is(lake: Lake, key: str) -> None:
    take_in({"sessions": table_of("sessions", [a_session(session_id=key)])}, lake)
    assert [row["session_id"] for row in stored(lake, "sessions")] == [key]


@pytest.mark.parametrize("blank", ["", " ", "\t"])
def test_blank_text_is_unknown_in_every_optional_text_column(lake: Lake, blank: str) -> None:
    optional = [c.name for c in TABLES["customers"].columns if c.type == "string" and c.nullable]
    people = customers("ann")
    for name in optional:
        people = people.append_column(name, pa.array([blank]))
    take_in({"customers": people}, lake)
    (row,) = stored(lake, "customers")
    assert {row[name] for name in optional} == {None}


def test_a_value_of_a_closed_list_may_be_written_in_capitals(lake: Lake) -> None:
    people = customers("ann").append_column("gender", pa.array([" Female"]))
    take_in({"customers": people}, lake)
    assert [row["gender"] for row in stored(lake, "customers")] == ["female"]


@pytest.mark.parametrize("extreme", [2**63 - 1, -(2**63 - 1)], ids=["infinity", "-infinity"])
def test_an_infinite_time_is_no_time(lake: Lake, extreme: int) -> None:
    people = with_column(
        customers("ann"), "signed_up_at", pa.array([extreme]).view(pa.timestamp("us"))
    )
    take_in({"customers": people}, lake)
    assert stored(lake, "customers") == []
    assert len(quarantined(lake)) == 1


def test_the_first_day_that_a_system_can_write_is_no_sign_up(lake: Lake) -> None:
    people = with_column(
        customers("ann"), "signed_up_at", pa.array([datetime(1, 1, 1)], pa.timestamp("us"))
    )
    take_in({"customers": people}, lake)
    assert stored(lake, "customers") == []


def test_a_load_date_lets_in_all_that_happened_on_that_local_day(lake: Lake) -> None:
    # 22:30 in New York is the next day in UTC, and the load date is still the local one
    evening = datetime(2024, 1, 1, 22, 30)
    rows = table_of("sessions", [a_session(occurred_at=evening)])
    rows = rows.append_column("recorded_at", pa.array([date(2024, 1, 1)], pa.date32()))
    take_in({"sessions": rows}, lake, days=3, timezone="America/New_York")
    assert sum(len(stored(lake, "sessions", day)) for day in range(3)) == 1
    assert not [row for day in range(3) for row in quarantined(lake, day)]


@pytest.mark.parametrize(("bad", "passed"), [(1, True), (10, True), (11, False)])
def test_few_bad_rows_of_a_small_day_stop_nothing(lake: Lake, bad: int, passed: bool) -> None:
    rows = [a_session(number, pages=-1 if number < bad else 1) for number in range(41)]
    take_in({"sessions": table_of("sessions", rows)}, lake)
    outcome = quarantine_outcome(lake, [FIRST], limit=0.01, least_rows=10)
    assert (outcome.problem == "") == passed
