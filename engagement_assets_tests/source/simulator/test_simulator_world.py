"""The same arguments give the same world, whatever is asked for and in whatever order."""

import pyarrow as pa
import pytest

from engagement_assets.source.simulator import Simulator
from engagement_assets_tests.source.simulator.conftest import FIRST_DAY, at, make


def bytes_of(tables: dict[str, pa.Table]) -> dict[str, bytes]:
    out = {}
    for name, table in tables.items():
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table.combine_chunks())
        out[name] = sink.getvalue().to_pybytes()
    return out


def test_the_same_seed_gives_the_same_bytes():
    one, other = make().day(at(20)), make().day(at(20))
    assert bytes_of(one) == bytes_of(other)


def test_another_seed_gives_another_world():
    one, other = make().day(at(20)), make(seed=6).day(at(20))
    assert one["sessions"] != other["sessions"]
    assert one["posts"] != other["posts"]


@pytest.mark.parametrize("order", [range(30), range(29, -1, -1), [25, 3, 24, 29, 0]])
def test_a_day_does_not_depend_on_the_days_asked_for_before(order: list[int]):
    world = make()
    seen = {number: world.day(at(number)) for number in order}
    for number in (25, 24):
        assert bytes_of(seen[number]) == bytes_of(make().day(at(number)))


def test_truth_asked_for_first_changes_nothing():
    world = make()
    later = world.truth_churn(at(55))
    assert bytes_of(world.day(at(10))) == bytes_of(make().day(at(10)))
    assert make().truth_churn(at(55)) == later
    assert world.truth_customers(at(10)) == make().truth_customers(at(10))


def test_the_world_goes_on_after_the_range_and_grows():
    world = make(days=30)
    inside = bytes_of(world.day(at(29)))
    before = world.truth_customers()
    far = world.day(at(29 + 200))
    assert far["customers"].num_rows > 0
    assert far["sessions"].num_rows > 0
    assert bytes_of(world.day(at(29))) == inside
    assert bytes_of(make(days=30).day(at(229))) == bytes_of(far)
    assert world.truth_customers() == before
    after = world.truth_customers(at(229))
    assert before.num_rows == 800
    assert after.num_rows > 1.2 * before.num_rows
    same = ["customer_id", "persona", "is_bot", "community", "expected_daily_sessions"]
    assert after.select(same).slice(0, before.num_rows) == before.select(same)
    newcomers = after.slice(before.num_rows)
    assert set(newcomers["persona"].to_pylist()) == {"new_user"}


def test_customers_who_signed_up_later_make_friends_and_write():
    world = make(days=5)
    founders = set(world.truth_customers()["customer_id"].to_pylist())
    days = [world.day(at(number)) for number in range(300, 310)]
    for name in ("sessions", "interactions", "messages", "connections"):
        active = {value for day in days for value in day[name]["customer_id"].to_pylist()}
        assert active - founders, name


def test_the_whole_population_has_signed_up_by_the_end_of_the_range():
    world = make(customers=321, days=40)
    rows = sum(
        len(set(world.day(at(number))["customers"]["customer_id"].to_pylist()))
        for number in range(40)
    )
    assert rows >= 321
    assert world.truth_customers().num_rows == 321


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"customers": 0}, "customers is 0"),
        ({"days": 0}, "days is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_impossible_arguments_are_named(arguments: dict[str, int], message: str):
    legal = {"customers": 10, "seed": 1, "days": 10}
    with pytest.raises(ValueError, match=message):
        Simulator(first_day=FIRST_DAY, **{**legal, **arguments})


def test_days_before_the_first_are_refused():
    world = make(customers=20)
    for ask in (world.day, world.truth_churn, world.truth_engagement, world.truth_customers):
        with pytest.raises(ValueError, match="before the first day"):
            ask(at(-1))
