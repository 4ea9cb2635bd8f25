"""Which of a day's choices may reach a customer, and why the others may not.

Belongs here: applying consent, opt-outs, holdout, cooldowns, caps, hours, and the choice between
decisions. Does not belong here: reading tables (`state.py`) and wrapping for Dagster (`assets.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.decisions.contact.hours import is_open, local_days, open_hours
from engagement_assets.decisions.contact.limits import ContactLimits

DUE, SUPPRESSED = "due", "suppressed"
CAP_DAYS = 7
# Why a choice does not reach its customer, in the order in which it is asked.
UNKNOWN = "no customer, or a closed account"
HOLDOUT = "in the global holdout"
REFUSES = "refuses the analytics by which it was chosen"
NO_CONSENT = "no consent to this purpose"
OPTED_OUT = "opted out of notifications"
NO_HOURS = "the customer's time zone is unknown, or its clock has no such day"
COOLDOWN = "the same was done a short time ago"
DAY_CAP = "as many contacts today as are allowed"
WEEK_CAP = "as many contacts this week as are allowed"
CHANNEL_CAP = "as many contacts by this channel this week as are allowed"
OUTDONE = "another decision comes first"
QUIET = "the customer's clock is in the quiet hours"
TOO_EARLY, TOO_LATE = "not yet due", "its time has passed"


@dataclass(frozen=True)
class ContactState:
    """What is known of customers and past contacts by the end of the day before.

    Attributes:
        customers: One row a customer: `customer_id`, `time_zone` (IANA name or null), `holdout`,
            `opted_out`, `refuses_analytics`.
        consents: One row a customer and purpose that is agreed to: `customer_id`, `purpose`.
        contacts: Past contacts of at least the last seven days: `customer_id`, `channel`,
            `decision` and `action` (null where the app sent it by itself), `occurred_at` (UTC).
    """

    customers: pd.DataFrame
    consents: pd.DataFrame
    contacts: pd.DataFrame


def message_id(decision: str, action: str, customer_id: str, day: date) -> str:
    """Return the name of a message: the same however often the day is made."""
    text = "\x1f".join((decision, action, customer_id, day.isoformat()))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def outbox(
    candidates: pd.DataFrame, state: ContactState, limits: ContactLimits, *, day: date
) -> pd.DataFrame:
    """Judge the candidates of a day.

    Args:
        candidates: One row a customer and decision that wants to contact: `customer_id`,
            `decision`, `action`, `channel`, `purpose` (null: none is asked for), `cooldown_days`,
            `priority` (the lowest first), `expected_usd` (the highest first; null counts 0), `hour`
            of the customer's clock at which it is to be sent (null: any).
        state: What is known by the end of the day before.
        limits: How often and when.
        day: The day of the customers' clocks on which messages may be sent.

    Returns:
        The candidates in order of customer and decision, with `message_id`, `status` (`DUE` or
        `SUPPRESSED`), `suppressed_by` (null where due), and `not_before` and `not_after` in UTC
        (null where suppressed). A customer has at most one that is due.
    """
    rows = candidates.sort_values(["customer_id", "decision"], ignore_index=True)
    people = _people(rows, state)
    hours = open_hours(people["time_zone"], day, limits)
    why = _barred(rows, people, state, limits, today=np.full(len(rows), np.datetime64(day, "D")))
    why[pd.isna(why) & hours["opens"].isna().to_numpy()] = NO_HOURS
    why[_outdone(rows, pd.isna(why))] = OUTDONE
    due = pd.isna(why)
    ids = [
        message_id(*parts, day)
        for parts in zip(rows["decision"], rows["action"], rows["customer_id"], strict=True)
    ]
    opens = hours["opens"] + _spread(ids, limits, hours, rows["hour"])
    return rows.assign(
        message_id=ids,
        status=np.where(due, DUE, SUPPRESSED),
        suppressed_by=pd.Series(why, dtype=object),
        not_before=opens.where(due),
        not_after=hours["closes"].where(due),
    )


def barred_now(
    messages: pd.DataFrame, state: ContactState, limits: ContactLimits, *, now: datetime
) -> pd.Series:
    """Return why each of n messages that were due may not be sent now, null where it may.

    What changed since they were made counts: a withdrawn consent, an opt-out, contacts by others.

    Args:
        messages: Rows of `outbox` that are due.
        state: What is known now; the messages themselves are not among its contacts.
        limits: How often and when.
        now: The instant, UTC without zone.
    """
    rows = messages.reset_index(drop=True)
    people = _people(rows, state)
    instants = np.full(len(rows), np.datetime64(now, "us"))
    today = local_days(instants, people["time_zone"])
    why = _barred(rows, people, state, limits, today=today)
    why[~is_open(instants, people["time_zone"], limits)] = QUIET
    why[(rows["not_before"] > now).to_numpy()] = TOO_EARLY
    why[(rows["not_after"] <= now).to_numpy()] = TOO_LATE
    return pd.Series(why, index=messages.index, dtype=object)


def _people(rows: pd.DataFrame, state: ContactState) -> pd.DataFrame:
    """What is known of each row's customer, nulls where nothing is."""
    return rows[["customer_id"]].merge(
        state.customers, on="customer_id", how="left", validate="m:1"
    )


def _barred(
    rows: pd.DataFrame,
    people: pd.DataFrame,
    state: ContactState,
    limits: ContactLimits,
    *,
    today: NDArray[np.datetime64],
) -> NDArray[np.object_]:
    """Why each row may not reach its customer today, None where it may, but for the hours."""
    past = _past(rows.assign(today=today), state)
    this_week = past[past["days_ago"] < CAP_DAYS]
    counts = {
        DAY_CAP: (_count(rows, past[past["days_ago"] <= 0]), limits.a_day),
        WEEK_CAP: (_count(rows, this_week), limits.a_week),
        CHANNEL_CAP: (
            _count(rows, this_week[this_week["channel"] == this_week["of_channel"]]),
            limits.a_channel_week,
        ),
    }
    same = past[(past["decision"] == past["of_decision"]) & (past["action"] == past["of_action"])]
    last = same.groupby("row")["days_ago"].min().reindex(rows.index)
    reasons = [
        (people["opted_out"].isna(), UNKNOWN),
        (people["holdout"].eq(True), HOLDOUT),
        (people["refuses_analytics"].eq(True), REFUSES),
        (~_agreed(rows, state.consents), NO_CONSENT),
        (people["opted_out"].eq(True), OPTED_OUT),
        (last < rows["cooldown_days"], COOLDOWN),
        *((count >= most, reason) for reason, (count, most) in counts.items()),
    ]
    why = np.full(len(rows), None, dtype=object)
    for holds, reason in reversed(reasons):
        why[holds.to_numpy(dtype=bool)] = reason
    return why


def _agreed(rows: pd.DataFrame, consents: pd.DataFrame) -> pd.Series:
    given = pd.MultiIndex.from_frame(consents[["customer_id", "purpose"]])
    asked = pd.MultiIndex.from_frame(rows[["customer_id", "purpose"]])
    return pd.Series(rows["purpose"].isna().to_numpy() | asked.isin(given), index=rows.index)


def _past(rows: pd.DataFrame, state: ContactState) -> pd.DataFrame:
    """Each row's past contacts, and how many days of the customer's clock ago each was."""
    contacts = state.contacts.merge(
        state.customers[["customer_id", "time_zone"]], on="customer_id", how="left"
    )
    contacts["on"] = local_days(contacts["occurred_at"].to_numpy(), contacts["time_zone"])
    of = {"channel": "of_channel", "decision": "of_decision", "action": "of_action"}
    asked = rows[["customer_id", "today", *of]].rename(columns=of).rename_axis("row").reset_index()
    past = asked.merge(contacts, on="customer_id")
    ago = past["today"].to_numpy().astype("datetime64[D]") - past["on"].to_numpy().astype(
        "datetime64[D]"
    )
    return past.assign(days_ago=ago.astype(np.int64))


def _count(rows: pd.DataFrame, past: pd.DataFrame) -> pd.Series:
    """How many of the past contacts are each row's."""
    return past.groupby("row").size().reindex(rows.index, fill_value=0)


def _outdone(rows: pd.DataFrame, free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether another free candidate of the customer comes first."""
    value = rows["expected_usd"].astype("float64").fillna(0.0)
    order = rows.assign(value=-value)[free].sort_values(
        ["customer_id", "priority", "value", "decision"]
    )
    later = order.index[order.duplicated("customer_id")]
    outdone: NDArray[np.bool_] = rows.index.isin(later)
    return outdone


def _spread(
    ids: Sequence[str], limits: ContactLimits, hours: pd.DataFrame, hour: pd.Series
) -> pd.Series:
    """A time after the opening drawn by each message's name, so that not all go at once.

    What is to be sent at an hour goes within it; what the night held back, or may go at any, is
    spread further.
    """
    share = np.array([int(name[:12], 16) / 16**12 for name in ids])
    open_for = (hours["closes"] - hours["opens"]).dt.total_seconds().fillna(0.0).to_numpy()
    after = hour.astype("float64").fillna(limits.quiet_to).to_numpy() - limits.quiet_to
    # what a stricter limit closes before its hour goes in the last one
    wait = np.clip(3_600.0 * after, 0.0, np.maximum(open_for - 3_600.0, 0.0))
    spread = np.where(after > 0.0, 3_600.0, 60.0 * limits.spread_minutes)
    seconds = wait + np.floor(share * np.minimum(spread, open_for - wait))
    return pd.Series(pd.to_timedelta(seconds, unit="s"), index=hours.index)
