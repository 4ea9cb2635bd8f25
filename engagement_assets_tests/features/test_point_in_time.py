"""Nothing that happened or became known after a snapshot date moves a feature of that date.

Each poison holds rows for every feature; the controls show that the same rows would move it if
they lay before the end of the date, so that these tests can fail.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from engagement_assets.features.catalogue import FEATURE_NAMES

from .hand_world import hand_world
from .worlds import FIRST_INSTANT_AFTER, LAST_INSTANT, S, World, at, snapshot

Rows = dict[str, dict[str, Any]]
BEFORE = at(2, 2)  # a Saturday night
LONG_AFTER = at(-3, 2)
MASKED = (("messages", "replied_at"), ("notifications", "opened_at"))


def poisoned(
    happened: datetime,
    recorded: datetime,
    *,
    signals: date,
    partition: date | None = None,
) -> World:
    """The hand-made world and wild rows in every table, which happened and were recorded so."""
    world = hand_world()
    filed: dict[str, Any] = {"recorded_at": recorded}
    if partition is not None:
        filed["partition"] = partition

    def add(table: str, **values: Any) -> None:
        for _ in range(7):
            world.add(table, happened, **{"customer_id": "ann", **filed, **values})

    for name in ("ann", "zoe"):
        world.add(
            "customers",
            happened,
            customer_id=name,
            birth_date=date(1950, 1, 1),
            gender="other",
            location="moon",
            account_type="gold",
            **filed,
        )
    session = {"device": "tv", "pages": 99, "impressions": 7, "clicks": 7, "scroll_depth": 1.0}
    for name in ("ann", "dan"):
        add("sessions", customer_id=name, duration_seconds=9999.0, **session)
    for number in range(7):
        post = {"post_id": f"p{number}", "category": f"category {number}"}
        world.add("posts", happened, **{"customer_id": "ann", **filed, **post})
    add("messages", recipient_id="bob")
    add("messages", customer_id="bob", recipient_id="ann", replied_at=happened)
    for kind in ("view", "like", "comment", "share"):
        for post_id in ("a-new", "b-sport"):
            add("interactions", kind=kind, post_id=post_id)
            add("interactions", customer_id="bob", kind=kind, post_id=post_id)
    add("event_joins")
    add("connections", other_customer_id="dan")
    add("referrals", referred_customer_id="dan")
    add("transactions", amount_usd=777.0)
    add("premium_usage", feature="wild")
    add("gig_listings")
    add("gig_applications")
    add("job_ratings", rating=1, on_time=False)
    add("notifications", opened_at=happened)
    add("reviews", confirmed_fraud=True)
    _signal(world, signals)
    return world


def _signal(world: World, day: date) -> None:
    world.sentiment[day] = [{"customer_id": "ann", "avg_sentiment_score": -1.0}]
    metrics = ("influence_score", "betweenness_centrality", "eigenvector_centrality")
    world.network[day] = [{"customer_id": "ann", **dict.fromkeys(metrics, 0.777)}]


def answered(when: datetime) -> World:
    """The hand-made world where every reply, opening and unsubscription not yet known came then."""
    world = hand_world()
    columns = (*MASKED, ("notifications", "unsubscribed_at"))
    for table, column in columns:
        for row in world.tables[table]:
            if row[column] is None or row[column] > LAST_INSTANT:
                row[column] = when
    return world


NEXT_DAY, DAY_BEFORE = S + timedelta(days=1), S - timedelta(days=1)
POISONS: dict[str, Callable[[], World]] = {
    "at the first instant after": lambda: poisoned(
        FIRST_INSTANT_AFTER, FIRST_INSTANT_AFTER, signals=NEXT_DAY
    ),
    "long after": lambda: poisoned(LONG_AFTER, LONG_AFTER, signals=LONG_AFTER.date()),
    "before, recorded after": lambda: poisoned(BEFORE, FIRST_INSTANT_AFTER, signals=DAY_BEFORE),
    "recorded after, filed before": lambda: poisoned(
        BEFORE, FIRST_INSTANT_AFTER, signals=NEXT_DAY, partition=S
    ),
    "after, recorded before": lambda: poisoned(
        FIRST_INSTANT_AFTER, LAST_INSTANT, signals=NEXT_DAY, partition=S
    ),
    "answered after": lambda: answered(FIRST_INSTANT_AFTER),
}
CONTROLS: dict[str, Callable[[], World]] = {
    "before, recorded at the last instant": lambda: poisoned(BEFORE, LAST_INSTANT, signals=S),
    "at the last instant": lambda: poisoned(LAST_INSTANT, LAST_INSTANT, signals=S),
}


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rows]:
    """The snapshot of the clean world, of each poisoned one and of each control, by name."""
    worlds = {"clean": hand_world, **POISONS, **CONTROLS}
    worlds["answered before"] = lambda: answered(LAST_INSTANT)
    return {
        name: snapshot(make(), tmp_path_factory.mktemp("world"), last_day=at(-3).date())
        for name, make in worlds.items()
    }


def column(rows: Rows, name: str) -> dict[str, Any]:
    return {customer: row[name] for customer, row in rows.items()}


@pytest.mark.parametrize("name", FEATURE_NAMES)
@pytest.mark.parametrize("poison", POISONS)
def test_what_comes_after_does_not_move_a_feature(
    snapshots: dict[str, Rows], poison: str, name: str
) -> None:
    assert column(snapshots[poison], name) == column(snapshots["clean"], name)


@pytest.mark.parametrize("name", FEATURE_NAMES)
@pytest.mark.parametrize("control", CONTROLS)
def test_the_same_rows_before_the_end_of_the_day_move_the_feature(
    snapshots: dict[str, Rows], control: str, name: str
) -> None:
    clean, moved = column(snapshots["clean"], name), column(snapshots[control], name)
    assert any(moved[customer] != value for customer, value in clean.items())


@pytest.mark.parametrize("name", ["response_time_avg_hours", "notification_open_rate_month"])
def test_an_answer_before_the_end_of_the_day_moves_the_feature(
    snapshots: dict[str, Rows], name: str
) -> None:
    assert column(snapshots["answered before"], name) != column(snapshots["clean"], name)


def test_a_customer_who_signs_up_later_is_not_in_the_snapshot(snapshots: dict[str, Rows]) -> None:
    assert "zoe" in snapshots["at the last instant"]
    assert all("zoe" not in snapshots[poison] for poison in POISONS)
