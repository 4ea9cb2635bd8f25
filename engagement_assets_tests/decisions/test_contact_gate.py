"""Limits of contact hold whatever decisions want."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_assets.decisions.contact import gate
from engagement_assets.decisions.contact.gate import DUE, ContactState, barred_now, outbox
from engagement_assets.decisions.contact.limits import ContactLimits, LimitError

DAY = date(2026, 3, 10)
ZONES = sorted(available_timezones() - {"localtime"})


def people(*names, zone="Europe/Berlin", holdout=False, opted_out=False, refuses=False):
    frame = pd.DataFrame({"customer_id": list(names)})
    return frame.assign(
        time_zone=zone, holdout=holdout, opted_out=opted_out, refuses_analytics=refuses
    )


def wishes(*rows):
    """Candidates as (customer, decision) with further columns."""
    plain = {
        "action": "offer", "channel": "email", "purpose": "notifications", "cooldown_days": 0,
        "priority": 1, "expected_usd": None, "hour": None,
    }  # fmt: skip
    return pd.DataFrame([{**plain, "customer_id": c, "decision": d, **more} for c, d, more in rows])


def state(customers, *, agreed=None, contacts=()):
    agreed = list(customers["customer_id"]) if agreed is None else agreed
    columns = ["customer_id", "channel", "decision", "action", "occurred_at"]
    past = pd.DataFrame(list(contacts), columns=columns)
    past["occurred_at"] = past["occurred_at"].astype("datetime64[us]")
    return ContactState(
        customers,
        pd.DataFrame({"customer_id": agreed, "purpose": "notifications"}),
        past,
    )


def only(wanted, of, limits=None):
    (row,) = outbox(wanted, of, limits or ContactLimits(), day=DAY).to_dict("records")
    return row


def ago(days, *, channel="email", decision=None, action=None, who="ann"):
    return (who, channel, decision, action, datetime(2026, 3, 10, 11) - timedelta(days=days))


WISH = wishes(("ann", "retention", {}))


def test_a_message_is_due_within_the_open_hours_of_its_customers_clock():
    row = only(WISH, state(people("ann", zone="America/New_York")))
    assert (row["status"], row["suppressed_by"]) == (DUE, None)
    # 08:00 in New York, after the clocks went forward on 8 March, is 12:00 UTC
    assert pd.Timestamp(2026, 3, 10, 12) <= row["not_before"] < pd.Timestamp(2026, 3, 10, 15)
    assert row["not_after"] == pd.Timestamp(2026, 3, 11, 2)


@pytest.mark.parametrize("hour", [8, 14, 21])
def test_a_message_for_an_hour_is_due_within_it_and_the_mornings_are_spread(hour):
    names = [f"c{n}" for n in range(200)]
    wanted = wishes(*((name, "timing", {"hour": hour}) for name in names))
    rows = outbox(wanted, state(people(*names, zone="UTC")), ContactLimits(), day=DAY)
    begins = pd.Timestamp(DAY) + pd.Timedelta(hours=hour)
    last = (rows["not_before"] - begins).max()
    assert (rows["not_before"] >= begins).all()
    assert rows["not_before"].nunique() > 150
    within = 3 if hour == 8 else 1
    assert pd.Timedelta(hours=0.9 * within) < last < pd.Timedelta(hours=within)


@pytest.mark.parametrize(
    ("of", "why"),
    [
        (state(people("bob")), gate.UNKNOWN),
        (state(people("ann", holdout=True)), gate.HOLDOUT),
        (state(people("ann"), agreed=[]), gate.NO_CONSENT),
        (state(people("ann", opted_out=True)), gate.OPTED_OUT),
        (state(people("ann", refuses=True)), gate.REFUSES),
        (state(people("ann", zone="Atlantis/Town")), gate.NO_HOURS),
        (state(people("ann", zone=None)), gate.NO_HOURS),
        (state(people("ann"), contacts=[ago(0)] * 3), gate.DAY_CAP),
        (state(people("ann"), contacts=[ago(n, channel="push") for n in range(7)]), gate.WEEK_CAP),
        (state(people("ann"), contacts=[ago(n) for n in (1, 3, 6)]), gate.CHANNEL_CAP),
    ],
)
def test_what_bars_a_message_is_said(of, why):
    row = only(WISH, of)
    assert row["suppressed_by"] == why
    assert pd.isna(row["not_before"])


def test_contacts_of_more_than_a_week_ago_do_not_count():
    assert only(WISH, state(people("ann"), contacts=[ago(7), ago(8), ago(9)]))["status"] == DUE


def test_an_action_cools_down():
    wanted = wishes(("ann", "retention", {"cooldown_days": 14}))
    for days, expected in ((13, gate.COOLDOWN), (14, None)):
        past = [ago(days, decision="retention", action="offer")]
        assert only(wanted, state(people("ann"), contacts=past))["suppressed_by"] == expected
    other = [ago(3, decision="retention", action="nudge")]
    assert only(wanted, state(people("ann"), contacts=other))["status"] == DUE


def test_the_first_priority_wins_and_then_the_greater_value():
    wanted = wishes(
        ("ann", "a", {"priority": 2, "expected_usd": 90.0}),
        ("ann", "b", {"priority": 1, "expected_usd": 1.0}),
        ("ann", "c", {"priority": 1, "expected_usd": 5.0}),
    )
    rows = outbox(wanted, state(people("ann")), ContactLimits(), day=DAY)
    assert rows.set_index("decision")["suppressed_by"].to_dict() == {
        "a": gate.OUTDONE, "b": gate.OUTDONE, "c": None,
    }  # fmt: skip


def test_one_that_may_not_be_sent_leaves_room_for_another():
    wanted = wishes(("ann", "a", {"priority": 1, "purpose": "sms"}), ("ann", "b", {"priority": 2}))
    rows = outbox(wanted, state(people("ann")), ContactLimits(), day=DAY)
    assert rows["status"].tolist() == [gate.SUPPRESSED, DUE]


def test_the_same_day_made_again_gives_the_same_messages_in_any_order():
    wanted = wishes(*((name, "retention", {}) for name in "abcdefgh"))
    of = state(people(*"abcdefgh"))
    first = outbox(wanted, of, ContactLimits(), day=DAY)
    again = outbox(wanted.sample(frac=1, random_state=1), of, ContactLimits(), day=DAY)
    pd.testing.assert_frame_equal(first, again)
    assert first["message_id"].is_unique
    tomorrow = outbox(wanted, of, ContactLimits(), day=DAY + timedelta(days=1))
    assert not set(first["message_id"]) & set(tomorrow["message_id"])


def test_what_the_night_held_back_does_not_all_go_at_once():
    names = [f"c{n}" for n in range(1000)]
    rows = outbox(
        wishes(*((name, "retention", {}) for name in names)),
        state(people(*names)),
        ContactLimits(),
        day=DAY,
    )
    minutes = (rows["not_before"] - pd.Timestamp(2026, 3, 10, 7)).dt.total_seconds() // 60
    assert minutes.between(0, 179).all()
    assert minutes.value_counts().max() < 30


@pytest.mark.parametrize(
    "laxer", [{"a_day": 4}, {"quiet_from": 23}, {"quiet_to": 7}, {"a_week": -1}, {"quiet_from": 8}]
)
def test_no_limit_is_laxer_than_the_product_allows(laxer):
    with pytest.raises(LimitError):
        ContactLimits(**laxer)


def test_no_contact_at_all_may_be_asked_for():
    assert only(WISH, state(people("ann")), ContactLimits(a_day=0))["suppressed_by"] == gate.DAY_CAP


def test_what_changed_since_bars_a_message():
    before = state(people("ann"))
    due = outbox(WISH, before, ContactLimits(), day=DAY)
    noon = datetime(2026, 3, 10, 12)

    def why(of, now=noon):
        return barred_now(due, of, ContactLimits(), now=now).iloc[0]

    assert why(before) is None
    assert why(state(people("ann"), agreed=[])) == gate.NO_CONSENT
    assert why(state(people("ann", opted_out=True))) == gate.OPTED_OUT
    assert why(state(people("ann"), contacts=[ago(0)] * 3)) == gate.DAY_CAP
    assert why(before, datetime(2026, 3, 10, 6)) == gate.TOO_EARLY
    assert why(before, datetime(2026, 3, 10, 21)) == gate.TOO_LATE
    # moved to where it is night
    assert why(state(people("ann", zone="Pacific/Auckland"))) == gate.QUIET


@settings(max_examples=60, deadline=None)
@given(
    zones=st.lists(st.sampled_from([*ZONES, None, "nowhere"]), min_size=1, max_size=40),
    day=st.dates(date(1990, 1, 1), date(2037, 12, 31)),
    sent=st.lists(st.integers(0, 60 * 24 * 9), max_size=30),
    quiet=st.tuples(st.integers(18, 22), st.integers(8, 12)),
)
def test_no_due_message_breaks_a_limit(zones, day, sent, quiet):
    names = [f"c{n}" for n in range(len(zones))]
    limits = ContactLimits(quiet_from=quiet[0], quiet_to=quiet[1])
    end = datetime(day.year, day.month, day.day)
    past = [
        (names[n % len(names)], "email", None, None, end - timedelta(minutes=m))
        for n, m in enumerate(sent)
    ]
    of = state(people(*names).assign(time_zone=zones), contacts=past)
    rows = outbox(wishes(*((name, d, {}) for name in names for d in "xy")), of, limits, day=day)
    due = rows[rows["status"] == DUE].merge(of.customers, on="customer_id")
    assert due["customer_id"].is_unique
    assert (due["not_before"] < due["not_after"]).all()
    for row in due.itertuples():
        zone = ZoneInfo(row.time_zone)
        first, last = (
            at.to_pydatetime().replace(tzinfo=UTC).astimezone(zone)
            for at in (row.not_before, row.not_after - pd.Timedelta(1, "us"))
        )
        assert first.date() == last.date() == day
        assert quiet[1] <= first.hour
        assert last.hour < quiet[0]
        local = [
            (at.replace(tzinfo=UTC).astimezone(zone).date() - day).days
            for who, *_, at in past
            if who == row.customer_id
        ]
        week = [days for days in local if days > -gate.CAP_DAYS]
        assert len(week) < min(limits.a_week, limits.a_channel_week)
        assert sum(days >= 0 for days in local) < limits.a_day
    assert np.isin(rows["status"], [DUE, gate.SUPPRESSED]).all()
