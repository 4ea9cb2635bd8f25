"""Landing snapshots: what they need, their edges, null rules, and that a re-run changes nothing."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from engagement_assets.features.catalogue import (
    CUSTOMER_FEATURES,
    FEATURE_NAMES,
    FEATURE_TABLES,
    FEATURES,
    GROUPS,
)
from engagement_assets.features.snapshot import (
    SnapshotDateError,
    SnapshotError,
    land_feature_table,
    land_snapshot,
    month_days,
    require_source,
    required_days,
)
from engagement_assets.signals.tables import CUSTOMER_SENTIMENT
from engagement_assets.source.contract import REQUIRED_TABLES, TABLES
from resources.lake import Lake, MissingPartitionError

from .hand_world import hand_world
from .worlds import (
    FIRST_DAY,
    FIRST_INSTANT_AFTER,
    LAST_INSTANT,
    SQL,
    S,
    World,
    at,
    days_between,
    engine,
    group_snapshot,
    rows_of,
    snapshot,
)

OPTIONAL = [name for name, table in TABLES.items() if not table.required]


def test_a_snapshot_lands_seven_tables_with_a_row_for_each_customer(tmp_path: Path) -> None:
    lake = hand_world().write(tmp_path)
    written = land_snapshot(engine(lake), SQL, S)
    assert list(written) == [*(f"features/{group}" for group in GROUPS), CUSTOMER_FEATURES]
    for table, report in written.items():
        assert (report.table, report.day, report.rows) == (table, S, 5)
        rows = lake.read(table, days=[S])
        assert rows.schema.equals(FEATURE_TABLES[table].arrow)
        assert rows["customer_id"].to_pylist() == ["ann", "bob", "cat", "dan", "eve"]
        assert set(rows["snapshot_date"].to_pylist()) == {S}


def test_the_wide_table_is_the_groups_side_by_side(tmp_path: Path) -> None:
    lake = hand_world().write(tmp_path)
    land_snapshot(engine(lake), SQL, S)
    wide = rows_of(lake, CUSTOMER_FEATURES, S)
    for group in GROUPS:
        for customer, row in rows_of(lake, f"features/{group}", S).items():
            assert row == {name: wide[customer][name] for name in row}


@pytest.mark.parametrize("threads", [1, 4])
def test_a_rerun_gives_the_same_bytes_with_any_number_of_threads(
    tmp_path: Path, threads: int
) -> None:
    lake = crowd().write(tmp_path)
    land_snapshot(engine(lake), SQL, S)
    before = {table: lake.path(table, S).read_bytes() for table in FEATURE_TABLES}
    land_snapshot(engine(lake, threads=threads), SQL, S)
    after = {table: lake.path(table, S).read_bytes() for table in FEATURE_TABLES}
    assert before == after


def test_the_order_of_rows_in_the_files_does_not_matter(tmp_path: Path) -> None:
    world = crowd()
    turned = World({name: rows[::-1] for name, rows in world.tables.items()})
    assert snapshot(world, tmp_path / "a") == snapshot(turned, tmp_path / "b")


def crowd() -> World:
    """Forty customers with sums that depend on the order of floating additions."""
    world = World()
    for number in range(40):
        name = f"c{number:02}"
        world.customer(name)
        for step in range(25):
            when = at((number + step) % 30, step % 24)
            world.session(name, when, duration_seconds=0.1 * step + number / 7, scroll_depth=0.1)
            world.add("transactions", when, customer_id=name, amount_usd=0.1 * step + 0.01)
            post = {"post_id": f"p{number}-{step}", "category": f"k{step % 6}"}
            world.add("posts", when, customer_id=name, **post)
            seen = {"post_id": f"p{(number + step) % 40}-{step}", "kind": "view"}
            world.add("interactions", when, customer_id=name, **seen)
    return world


def test_the_month_holds_its_first_and_last_instant(tmp_path: Path) -> None:
    world = World()
    start = at(29, 0)
    for name, when in {
        "before": start - timedelta(microseconds=1),
        "first": start,
        "last": LAST_INSTANT,
        "after": FIRST_INSTANT_AFTER,
    }.items():
        world.customer(name)
        world.session(name, when)
    rows = group_snapshot(world, tmp_path, "engagement", last_day=at(-1).date())
    assert {name: row["logins_month"] for name, row in rows.items()} == {
        "before": 0,
        "first": 1,
        "last": 1,
        "after": 0,
    }
    assert rows["before"]["days_since_last_login"] == 30
    assert rows["after"]["days_since_last_login"] is None


def test_a_row_recorded_later_counts_from_the_day_it_was_recorded(tmp_path: Path) -> None:
    world = World()
    world.customer("ann")
    world.session("ann", at(3), recorded_at=at(-2, 0))
    lake = world.write(tmp_path, last_day=at(-2).date())
    for day, logins in ((S, 0), (at(-1).date(), 0), (at(-2).date(), 1)):
        land_feature_table(engine(lake), SQL, "features/engagement", day)
        row = rows_of(lake, "features/engagement", day)["ann"]
        assert (row["logins_month"], row["days_since_last_login"]) == (
            logins,
            5 if logins else None,
        )


def test_a_late_row_may_fall_out_of_the_month_before_it_is_known(tmp_path: Path) -> None:
    world = World()
    world.customer("ann", at(34))
    world.session("ann", at(30), recorded_at=at(0))
    row = group_snapshot(world, tmp_path, "engagement")["ann"]
    assert (row["logins_month"], row["days_since_last_login"]) == (0, 30)


def test_the_latest_version_of_a_customer_that_was_known_holds(tmp_path: Path) -> None:
    world = World()
    signed_up = at(34)
    for recorded, kind in ((at(34), "first"), (at(5), "second"), (at(-1), "third")):
        world.customer("ann", signed_up, account_type=kind, recorded_at=recorded)
    lake = world.write(tmp_path, last_day=at(-1).date())
    actual = {}
    for day in (at(6).date(), S, at(-1).date()):
        land_feature_table(engine(lake), SQL, "features/demographics", day)
        actual[day] = rows_of(lake, "features/demographics", day)["ann"]["account_type"]
    assert list(actual.values()) == ["first", "second", "third"]


@pytest.mark.parametrize("turn", [1, -1])
def test_of_two_devices_used_alike_always_the_same_one_is_the_primary(
    tmp_path: Path, turn: int
) -> None:
    world = World()
    world.customer("ann")
    for device in ("web", "ios")[::turn]:
        world.session("ann", at(2), device=device)
    row = snapshot(world, tmp_path)["ann"]
    assert row["primary_device"] == "ios"
    assert row["logins_month"] == 2


def test_a_snapshot_of_another_day_is_not_mixed_in(tmp_path: Path) -> None:
    lake = hand_world().write(tmp_path)
    land_snapshot(engine(lake), SQL, at(1).date())
    land_snapshot(engine(lake), SQL, S)
    assert rows_of(lake, CUSTOMER_FEATURES, S)["ann"]["session_minutes_month"] == 60.0
    assert lake.row_count(CUSTOMER_FEATURES, S) == 5


# null rules: unknown is not zero


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Ann's features where only the required tables are there."""
    world = hand_world()
    for name in OPTIONAL:
        world.tables.pop(name, None)
    world.sentiment.clear()
    world.network.clear()
    return snapshot(world, tmp_path_factory.mktemp("bare"))["ann"]


@pytest.mark.parametrize("name", FEATURE_NAMES)
def test_without_optional_tables_their_features_are_null_and_no_others(
    bare: dict[str, Any], name: str
) -> None:
    feature = FEATURES[name]
    optional = not feature.sources[0].endswith(REQUIRED_TABLES) or bool(feature.needs)
    assert (bare[name] is None) == optional


@pytest.mark.parametrize("table", OPTIONAL)
def test_an_optional_table_without_rows_makes_null_exactly_what_needs_it(
    tmp_path: Path, table: str
) -> None:
    world = hand_world()
    world.tables.pop(table, None)
    lake = world.write(tmp_path)
    # there, but empty: the same as not there
    lake.write_empty(TABLES[table], day=S)
    land_snapshot(engine(lake), SQL, S)
    rows = rows_of(lake, CUSTOMER_FEATURES, S)
    null = {name for name in FEATURE_NAMES if all(row[name] is None for row in rows.values())}
    needing = {
        name
        for name, feature in FEATURES.items()
        if f"source/{table}" in feature.needs and not feature.needs_any
    }
    assert null == needing


def test_trust_is_known_while_ratings_or_reviews_are(tmp_path: Path) -> None:
    world = hand_world()
    del world.tables["reviews"], world.tables["job_ratings"]
    assert group_snapshot(world, tmp_path, "derived")["ann"]["trust_score"] is None


def test_a_table_whose_first_row_comes_after_the_date_is_unknown_on_it(tmp_path: Path) -> None:
    world = hand_world()
    world.tables["posts"] = [
        {**world.tables["posts"][0], "occurred_at": at(-1), "recorded_at": at(-1)}
    ]
    rows = group_snapshot(world, tmp_path, "engagement", last_day=at(-1).date())
    assert rows["ann"]["posts_month"] is None


def test_a_world_without_customers_gives_empty_tables(tmp_path: Path) -> None:
    lake = World().write(tmp_path)
    written = land_snapshot(engine(lake), SQL, S)
    assert {report.rows for report in written.values()} == {0}


# what a snapshot needs


def test_a_snapshot_needs_every_day_from_the_first(tmp_path: Path) -> None:
    days = required_days(S, FIRST_DAY)
    assert (days[0], days[-1], len(days)) == (FIRST_DAY, S, 35)
    assert len(month_days(S, FIRST_DAY)) == 30
    assert month_days(FIRST_DAY + timedelta(days=2), FIRST_DAY) == days[:3]
    lake = hand_world().write(tmp_path)
    assert require_source(lake, days)["posts"][0] == at(32).date()


@pytest.mark.parametrize("table", REQUIRED_TABLES)
def test_a_missing_day_of_a_required_table_is_named(tmp_path: Path, table: str) -> None:
    lake = hand_world().write(tmp_path)
    gone = at(33).date()
    lake.path(f"source/{table}", gone).unlink()
    with pytest.raises(MissingPartitionError, match=rf"source/{table} .* {gone}"):
        land_snapshot(engine(lake), SQL, S)
    assert not lake.exists(CUSTOMER_FEATURES, S)


def test_a_date_before_the_data_or_after_it_is_refused(tmp_path: Path) -> None:
    lake = hand_world().write(tmp_path)
    early, late = FIRST_DAY - timedelta(days=1), S + timedelta(days=1)
    with pytest.raises(SnapshotDateError, match=f"{early}.*begins on {FIRST_DAY}"):
        land_snapshot(engine(lake), SQL, early)
    with pytest.raises(SnapshotDateError, match=f"{late} lies after the data.* ends on {S}"):
        land_snapshot(engine(lake), SQL, late)


def test_a_first_day_that_was_never_ingested_is_named(tmp_path: Path) -> None:
    lake = hand_world().write(tmp_path)
    before = FIRST_DAY - timedelta(days=1)
    with pytest.raises(MissingPartitionError, match=str(before)):
        land_snapshot(engine(lake), SQL, S, first_day=before)


def test_an_empty_lake_says_that_nothing_was_ingested(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    with pytest.raises(MissingPartitionError, match="source/sessions has no partition"):
        land_snapshot(engine(lake), SQL, S)
    with pytest.raises(MissingPartitionError, match="source/customers has no partition"):
        require_source(lake, [S])


def test_days_that_an_optional_table_lacks_are_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    world.customer("ann")
    for day in (5, 3, 0):
        world.add("messages", at(day), customer_id="ann", recipient_id="ann")
    lake = world.write(tmp_path)
    gaps = require_source(lake, list(days_between(FIRST_DAY, S)))
    assert gaps == {"messages": [at(day).date() for day in (4, 2, 1)]}
    assert f"messages lacks 3 from {at(4).date()}" in caplog.text


def test_the_wide_table_needs_all_groups(tmp_path: Path) -> None:
    lake = hand_world().write(tmp_path)
    land_snapshot(engine(lake), SQL, S)
    lake.path("features/social", S).unlink()
    with pytest.raises(MissingPartitionError, match="features/social"):
        land_feature_table(engine(lake), SQL, CUSTOMER_FEATURES, S)


def test_groups_of_different_sources_do_not_make_a_wide_table(tmp_path: Path) -> None:
    lake = hand_world().write(tmp_path)
    land_snapshot(engine(lake), SQL, S)
    rows = lake.read("features/social", days=[S])
    schema = FEATURE_TABLES["features/social"]
    lake.write(schema, rows.slice(1), day=S)
    with pytest.raises(SnapshotError, match=r"demographics 5.*social 4"):
        land_feature_table(engine(lake), SQL, CUSTOMER_FEATURES, S)


def test_a_signal_that_names_a_customer_twice_is_found_out(tmp_path: Path) -> None:
    world = hand_world()
    lake = world.write(tmp_path)
    once = lake.read(CUSTOMER_SENTIMENT.key, days=[S])
    twice = pa.concat_tables([once, once])
    lake.write(CUSTOMER_SENTIMENT, twice, day=S)
    with pytest.raises(SnapshotError, match="derived 6"):
        land_snapshot(engine(lake), SQL, S)


def test_a_leap_day_has_a_snapshot(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    leap = date(2024, 2, 29)
    for table in REQUIRED_TABLES:
        schema = TABLES[table]
        lake.write_empty(schema, day=leap)
    assert land_snapshot(engine(lake), SQL, leap)[CUSTOMER_FEATURES].rows == 0
