"""Labels: their windows, their edges, what they may know, and what the features share with them."""

import math
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.features.labels import LABELS, LabelWindowOpenError
from engagement_assets.features.snapshot import (
    SnapshotDateError,
    land_labels,
    land_snapshot,
    missing_tables,
)
from engagement_assets.source.contract import TABLES
from resources.lake import Lake, MissingPartitionError

from .worlds import FIRST_DAY, FIRST_INSTANT_AFTER, LAST_INSTANT, SQL, S, World, at, engine, rows_of

DAY = timedelta(days=1)


def label(
    world: World, root: Path, name: str, *, last_day: date | None = None, column: str = ""
) -> dict[str, Any]:
    """Values of a label at S by customer, with the window just closed unless told otherwise."""
    lake = world.write(root, last_day=last_day or LABELS[name].closes_on(S))
    written = land_labels(engine(lake), SQL, S, labels=[LABELS[name]])
    rows = rows_of(lake, f"labels/{name}", S)
    assert written[f"labels/{name}"].rows == len(rows)
    assert {row["snapshot_date"] for row in rows.values()} <= {S}
    return {customer: row[column or name] for customer, row in rows.items()}


@pytest.mark.parametrize(
    ("name", "days"), [("engagement_score", 7), ("churn_30_day", 30), ("lifetime_value_usd", 180)]
)
def test_a_label_exists_once_its_window_was_ingested(tmp_path: Path, name: str, days: int) -> None:
    declared = LABELS[name]
    closes = S + days * DAY
    assert (declared.window_days, declared.closes_on(S)) == (days, closes)
    assert declared.latest_snapshot_date(closes) == S
    declared.require_closed(S, last_day=closes)
    world = World()
    world.customer("ann")
    lake = world.write(tmp_path, last_day=closes - DAY)
    with pytest.raises(LabelWindowOpenError, match=f"{name} of {S}.*{closes}.*{closes - DAY}"):
        land_labels(engine(lake), SQL, S, labels=[LABELS[name]])
    assert not lake.exists(declared.key, S)


def test_no_label_is_written_while_one_of_them_is_open(tmp_path: Path) -> None:
    lake = World().write(tmp_path, last_day=S + 100 * DAY)
    with pytest.raises(LabelWindowOpenError, match="lifetime_value_usd"):
        land_labels(engine(lake), SQL, S)
    assert not lake.exists("labels/engagement_score", S)
    assert (
        len(
            land_labels(
                engine(lake), SQL, S, labels=[LABELS["engagement_score"], LABELS["churn_30_day"]]
            )
        )
        == 2
    )


def test_labels_need_all_days_of_their_window(tmp_path: Path) -> None:
    lake = World().write(tmp_path, last_day=S + 7 * DAY)
    lake.path("source/sessions", S + 4 * DAY).unlink()
    with pytest.raises(MissingPartitionError, match=str(S + 4 * DAY)):
        land_labels(engine(lake), SQL, S, labels=[LABELS["engagement_score"]])
    with pytest.raises(SnapshotDateError, match="begins on"):
        land_labels(engine(lake), SQL, FIRST_DAY - DAY, labels=[LABELS["engagement_score"]])


def test_engagement_is_the_mean_of_seven_days_with_zeros(tmp_path: Path) -> None:
    world = World()
    for name in ("ann", "bob"):
        world.customer(name)
    world.session("ann", FIRST_INSTANT_AFTER, duration_seconds=1800.0)
    world.add("posts", at(-1), customer_id="ann")
    world.add("messages", at(-1), customer_id="ann", recipient_id="bob")
    world.add("interactions", at(-1), customer_id="ann", post_id="p", kind="view")
    world.add("event_joins", at(-1), customer_id="ann")
    world.session("ann", LAST_INSTANT + 7 * DAY, duration_seconds=3600.0)
    # outside the window on either side
    world.session("ann", LAST_INSTANT, duration_seconds=3600.0)
    world.session("ann", FIRST_INSTANT_AFTER + 7 * DAY, duration_seconds=3600.0)
    first, last = 1 - math.exp(-(30 / 30 + 4 / 10)), 1 - math.exp(-60 / 30)
    actual = label(world, tmp_path, "engagement_score")
    assert actual == {"ann": round((first + last) / 7, 6), "bob": 0.0}


def test_engagement_stays_below_one(tmp_path: Path) -> None:
    world = World()
    world.customer("ann")
    for day in range(1, 8):
        world.session("ann", at(-day, 0), duration_seconds=86_400.0)
    assert label(world, tmp_path, "engagement_score")["ann"] <= 1.0


def test_churn_is_no_session_after_one_in_the_month(tmp_path: Path) -> None:
    world = World()
    sessions = {
        "left": [LAST_INSTANT],
        "left early": [at(29, 0)],
        "back first": [at(3), FIRST_INSTANT_AFTER],
        "back last": [at(3), LAST_INSTANT + 30 * DAY],
        "back too late": [at(3), FIRST_INSTANT_AFTER + 30 * DAY],
        "was not here": [at(29, 0) - timedelta(microseconds=1), at(-3)],
        "never": [],
    }
    for name, times in sessions.items():
        world.customer(name)
        for when in times:
            world.session(name, when)
    assert label(world, tmp_path, "churn_30_day") == {
        "left": 1,
        "left early": 1,
        "back first": 0,
        "back last": 0,
        "back too late": 1,
    }


def test_lifetime_value_is_revenue_to_date_and_of_180_days_within_bounds(tmp_path: Path) -> None:
    world = World()
    payments = {
        "both": [(at(3), 10.10), (FIRST_INSTANT_AFTER, 20.20)],
        "last": [(LAST_INSTANT, 1.0), (LAST_INSTANT + 180 * DAY, 2.0)],
        "beyond": [(FIRST_INSTANT_AFTER + 180 * DAY, 5.0)],
        "rich": [(at(3), 9_000.0), (at(-9), 9_000.0)],
        "refunded": [(at(3), 5.0), (at(-3), -7.5)],
        "none": [],
    }
    for name, paid in payments.items():
        world.customer(name)
        for when, amount in paid:
            world.add("transactions", when, customer_id=name, amount_usd=amount)
    name = "lifetime_value_usd"
    assert label(world, tmp_path, name) == {
        "both": 30.30,
        "last": 3.0,
        "beyond": 0.0,
        "rich": 10_000.0,
        "refunded": 0.0,
        "none": 0.0,
    }
    assert label(world, tmp_path, name, column="future_revenue_usd") == {
        "both": 20.20,
        "last": 2.0,
        "beyond": 0.0,
        "rich": 9_000.0,
        "refunded": -7.5,
        "none": 0.0,
    }


def test_lifetime_value_builds_on_the_feature_of_the_snapshot(tmp_path: Path) -> None:
    world = World()
    world.customer("ann")
    world.add("transactions", at(5), customer_id="ann", amount_usd=4.0)
    # paid before the snapshot, known after it: in neither part
    world.add("transactions", at(4), customer_id="ann", amount_usd=100.0, recorded_at=at(-2))
    world.add("transactions", at(-5), customer_id="ann", amount_usd=8.0)
    lake = world.write(tmp_path, last_day=S + 180 * DAY)
    land_snapshot(engine(lake), SQL, S)
    land_labels(engine(lake), SQL, S, labels=[LABELS["lifetime_value_usd"]])
    row = rows_of(lake, "labels/lifetime_value_usd", S)["ann"]
    feature = rows_of(lake, CUSTOMER_FEATURES, S)["ann"]["revenue_to_date_usd"]
    assert row["lifetime_value_usd"] == feature + row["future_revenue_usd"] == 12.0


def test_thousands_of_micropayments_add_up_exactly_in_features_and_label(tmp_path: Path) -> None:
    world = World()
    for name, amount in (("many", 0.004), ("tiny", 0.000_000_7)):
        world.customer(name)
        for number in range(1_000):
            for days in (3, 40, -3):
                when = at(days) + timedelta(seconds=number)
                world.add("transactions", when, customer_id=name, amount_usd=amount)
    world.customer("once")
    world.add("transactions", at(3), customer_id="once", amount_usd=0.004)
    world.add("transactions", at(-3), customer_id="once", amount_usd=0.003)
    lake = world.write(tmp_path, last_day=S + 180 * DAY)
    land_snapshot(engine(lake), SQL, S)
    land_labels(engine(lake), SQL, S, labels=[LABELS["lifetime_value_usd"]])
    features, labels = (
        rows_of(lake, CUSTOMER_FEATURES, S),
        rows_of(lake, "labels/lifetime_value_usd", S),
    )
    sums = {"many": (4.0, 8.0, 4.0, 12.0), "tiny": (7e-4, 1.4e-3, 7e-4, 2.1e-3)}
    for name, expected in (sums | {"once": (0.004, 0.004, 0.003, 0.007)}).items():
        paid = [features[name][f] for f in ("transaction_revenue_month", "revenue_to_date_usd")]
        brings = [labels[name][column] for column in ("future_revenue_usd", "lifetime_value_usd")]
        assert (*paid, *brings) == expected


def test_lifetime_value_is_null_without_transactions_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    world.customer("ann")
    assert label(world, tmp_path, "lifetime_value_usd") == {"ann": None}
    lake = Lake(str(tmp_path))
    assert missing_tables(lake, LABELS["lifetime_value_usd"]) == ["source/transactions"]
    assert missing_tables(lake, LABELS["churn_30_day"]) == []
    assert "source/transactions is not there" in caplog.text
    assert set().union(*(label.required_tables for label in LABELS.values())) <= {
        f"source/{name}" for name in TABLES
    }


def labelled_world() -> World:
    """Ann and Bob, active before S and after."""
    world = World()
    for name in ("ann", "bob"):
        world.customer(name)
        world.session(name, at(3))
        world.add("transactions", at(3), customer_id=name, amount_usd=5.0)
    world.session("ann", at(-3))
    world.add("transactions", at(-3), customer_id="ann", amount_usd=5.0)
    return world


def poison(world: World, days_after: int, recorded_days_after: int, filed_days_after: int) -> World:
    """Bob comes back and pays so many days after S; Zoe signs up then."""
    when = at(-days_after)
    filed = {"recorded_at": at(-recorded_days_after), "partition": at(-filed_days_after).date()}
    world.session("bob", when, duration_seconds=7200.0, **filed)
    world.add("transactions", when, customer_id="bob", amount_usd=55.0, **filed)
    world.add("customers", when, customer_id="zoe", **filed)
    return world


@pytest.mark.parametrize("name", LABELS)
def test_what_is_recorded_after_the_window_does_not_move_a_label(tmp_path: Path, name: str) -> None:
    days = LABELS[name].window_days
    last_day = S + (days + 2) * DAY
    clean = label(labelled_world(), tmp_path / "clean", name, last_day=last_day)
    after = days + 1
    # happened, was recorded, lies in the partition; the last is filed where it does not belong
    for number, times in enumerate(
        ((after, after, after), (days, after, after), (days, after, days))
    ):
        world = poison(labelled_world(), *times)
        assert label(world, tmp_path / str(number), name, last_day=last_day) == clean
    moved = poison(labelled_world(), days, days, days)
    actual = label(moved, tmp_path / "moved", name, last_day=last_day)
    assert actual["bob"] != clean["bob"]
    assert actual.keys() == clean.keys(), "who is labelled is known at the snapshot"


@pytest.mark.parametrize("name", LABELS)
def test_what_is_recorded_after_the_snapshot_does_not_change_who_is_labelled(
    tmp_path: Path, name: str
) -> None:
    last_day = LABELS[name].closes_on(S)
    clean = label(labelled_world(), tmp_path / "clean", name, last_day=last_day)
    world = labelled_world()
    world.customer("late", at(5), recorded_at=at(-1))
    world.customer("sleeper")
    world.session("sleeper", at(5), recorded_at=at(-1))
    actual = label(world, tmp_path / "late", name, last_day=last_day)
    assert "late" not in actual
    assert {customer: actual[customer] for customer in clean} == clean
    assert ("sleeper" in actual) == (name != "churn_30_day")


@pytest.mark.parametrize("name", LABELS)
def test_a_label_lands_the_same_bytes_again(tmp_path: Path, name: str) -> None:
    lake = labelled_world().write(tmp_path, last_day=LABELS[name].closes_on(S))
    table = LABELS[name].key
    actual = []
    for threads in (1, 4):
        land_labels(engine(lake, threads=threads), SQL, S, labels=[LABELS[name]])
        actual.append(lake.path(table, S).read_bytes())
    assert actual[0] == actual[1]
    assert lake.read(table, days=[S]).schema.equals(LABELS[name].arrow)
