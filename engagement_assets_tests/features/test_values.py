"""Features of tiny worlds against truths computed by hand, of random ones against the reference."""

import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engagement_assets.features.catalogue import FEATURE_NAMES, FEATURES

from .hand_world import ANN, EVE_NOT_ZERO, hand_world
from .reference import Reference
from .worlds import S, World, at, group_snapshot, snapshot

Rows = dict[str, dict[str, Any]]
CUSTOMERS = ("ann", "bob", "cat", "dan")
# a rounded value may differ from an exact one by half of its last decimal
TOLERANCE = 6e-7


@pytest.fixture(scope="module")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return snapshot(hand_world(), tmp_path_factory.mktemp("hand"))


@pytest.mark.parametrize("name", FEATURE_NAMES)
def test_a_feature_is_what_was_computed_by_hand(hand: Rows, name: str) -> None:
    assert hand["ann"][name] == ANN[name]


@pytest.mark.parametrize("name", FEATURE_NAMES)
def test_a_customer_who_never_did_anything_has_zeros_and_nulls(hand: Rows, name: str) -> None:
    assert hand["eve"][name] == EVE_NOT_ZERO.get(name, 0)


def test_the_day_before_the_birthday_one_is_a_year_younger(hand: Rows) -> None:
    assert hand["bob"]["age"] == 34


def test_the_reference_agrees_with_the_hand(hand: Rows) -> None:
    reference = Reference(hand_world(), S).features()
    assert_same(hand, reference)
    assert reference["ann"] == pytest.approx(ANN, abs=TOLERANCE)


@pytest.mark.parametrize(
    ("born", "on", "age"),
    [
        (date(2000, 2, 29), date(2025, 2, 28), 24),
        (date(2000, 2, 29), date(2025, 3, 1), 25),
        (date(1904, 3, 1), date(2025, 2, 28), 120),
        (date(1904, 2, 28), date(2025, 2, 28), None),
        (date(2025, 3, 1), date(2025, 3, 1), 0),
        (date(2025, 3, 2), date(2025, 3, 1), None),
    ],
)
def test_age_is_in_whole_years_and_unknown_where_it_cannot_be(
    tmp_path: Path, born: date, on: date, age: int | None
) -> None:
    world = World()
    world.customer("ann", at(34), birth_date=born)
    assert group_snapshot(world, tmp_path, "demographics", on=on)["ann"]["age"] == age


@pytest.mark.parametrize(
    ("login_days", "score"),
    [
        ([], 0.0),
        ([11], 0.0),
        (range(30), 1.0),
        (range(0, 30, 2), 0.965517),  # 15 gaps of 2: 1 - (60 - 30) / 870
        (range(15), 0.724138),  # 14 gaps of 1 and one of 16: 1 - (270 - 30) / 870
    ],
)
def test_consistency_grows_with_the_number_and_evenness_of_login_days(
    tmp_path: Path, login_days: Any, score: float
) -> None:
    world = World()
    world.customer("ann")
    for day in login_days:
        world.session("ann", at(day))
    row = group_snapshot(world, tmp_path, "derived")["ann"]
    assert row["session_consistency_score"] == score


def test_trend_is_steepest_after_a_sudden_start_and_its_mirror(tmp_path: Path) -> None:
    world = World()
    for name, days in (("up", (0, 1, 2)), ("down", (4, 5, 6)), ("even", range(7))):
        world.customer(name)
        for day in days:
            world.session(name, at(day, 1), duration_seconds=80_000.0)
    rows = group_snapshot(world, tmp_path, "derived")
    assert [rows[name]["last_7_day_engagement_trend"] for name in ("up", "down", "even")] == [
        0.214286,
        -0.214286,
        0.0,
    ]


@pytest.mark.parametrize("hour", [0, 5, 6, 11, 12, 17, 18, 23])
def test_parts_of_the_day_begin_at_0_6_12_and_18_oclock(tmp_path: Path, hour: int) -> None:
    world = World()
    world.customer("ann")
    world.session("ann", at(3, hour, 59))
    row = group_snapshot(world, tmp_path, "behaviour")["ann"]
    assert row["primary_time_of_day"] == ("night", "morning", "afternoon", "evening")[hour // 6]
    assert row["night_session_share"] == (hour < 6)


def test_weekend_is_saturday_and_sunday(tmp_path: Path) -> None:
    world = World()
    for weekday in range(7):  # S is a Monday
        world.customer(str(weekday))
        world.session(str(weekday), at(7 - weekday, 0))
    rows = group_snapshot(world, tmp_path, "behaviour")
    shares = [rows[str(weekday)]["weekend_session_share"] for weekday in range(7)]
    assert shares == [0, 0, 0, 0, 0, 1, 1]


def assert_same(rows: Rows, reference: Rows) -> None:
    """Check that all features of all customers agree with the reference."""
    assert rows.keys() == reference.keys()
    for customer, expected in reference.items():
        for name in FEATURE_NAMES:
            got, want = rows[customer][name], expected[name]
            if isinstance(want, float) and want is not None:
                want = pytest.approx(want, abs=TOLERANCE)
            assert got == want, f"{name} of {customer} is {got}, the reference says {want}"


customers = st.sampled_from(CUSTOMERS)
times = st.builds(
    at,
    st.one_of(st.integers(-2, 33), st.sampled_from([0, 1, 29, 30])),
    st.sampled_from([0, 5, 6, 12, 18, 23]),
    st.sampled_from([0, 59]),
)
delays = st.sampled_from([timedelta(), timedelta(), timedelta(hours=1), timedelta(days=2)])
small = st.integers(0, 4)
maybe = st.none() | small
VALUES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "sessions": {
        "duration_seconds": st.integers(0, 7200).map(float),
        "device": st.sampled_from([None, "ios", "web"]),
        "pages": maybe,
        "impressions": maybe,
        "clicks": maybe,
        "scroll_depth": st.none() | st.integers(0, 10).map(lambda tenths: tenths / 10),
    },
    "posts": {"category": st.sampled_from([None, "art", "music", "sport"])},
    "messages": {"recipient_id": customers, "wait": st.none() | st.integers(0, 72)},
    "interactions": {
        "post_id": st.integers(0, 6).map("posts-{}".format),
        "kind": st.sampled_from(["view", "view", "like", "comment", "share"]),
    },
    "event_joins": {},
    "connections": {"other_customer_id": customers},
    "referrals": {"referred_customer_id": customers},
    "transactions": {"amount_usd": st.integers(-999, 9999).map(lambda cents: cents / 100)},
    "premium_usage": {"feature": st.sampled_from(["export", "themes"])},
    "gig_listings": {},
    "gig_applications": {},
    "job_ratings": {
        "rating": st.integers(1, 5),
        "on_time": st.sampled_from([None, True, False]),
    },
    "notifications": {"wait": st.none() | st.integers(0, 72)},
    "reviews": {"confirmed_fraud": st.booleans()},
}
LATER = {"messages": "replied_at", "notifications": "opened_at"}


@st.composite
def events(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """One row of any table, some of them late, some of them after S."""
    table = draw(st.sampled_from(["sessions", "sessions", "interactions", *VALUES]))
    when = draw(times)
    row = {name: draw(values) for name, values in VALUES[table].items()}
    if table in LATER:
        wait = row.pop("wait")
        row[LATER[table]] = None if wait is None else when + timedelta(hours=wait)
    recorded = when + draw(delays)
    return table, {"when": when, "customer_id": draw(customers), "recorded_at": recorded, **row}


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Four customers and up to 80 rows."""
    world = World()
    for number, name in enumerate(CUSTOMERS):
        born = draw(st.none() | st.dates(date(1900, 1, 1), date(2030, 1, 1)))
        signed_up = at(34) if number == 0 else draw(times)
        world.customer(name, signed_up, birth_date=born, gender=draw(st.none() | st.just("other")))
    for table, row in draw(st.lists(events(), max_size=80)):
        world.add(table, **row)
    world.sentiment[S] = [{"customer_id": "ann", "avg_sentiment_score": -0.5}]
    return world


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(worlds())
def test_random_worlds_have_the_features_of_the_reference_within_their_bounds(
    world: World,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = snapshot(world, Path(folder))
    assert_same(rows, Reference(world, S).features())
    for row in rows.values():
        for feature in FEATURES.values():
            value = row[feature.name]
            if value is None:
                assert feature.nullable, f"{feature.name} is null"
                continue
            assert feature.minimum is None or value >= feature.minimum, feature.name
            assert feature.maximum is None or value <= feature.maximum, feature.name
            assert not feature.allowed or value in feature.allowed, feature.name
            if feature.decimals is not None:
                assert value == round(value, feature.decimals), feature.name
