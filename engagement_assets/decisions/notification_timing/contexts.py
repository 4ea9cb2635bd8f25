"""What is known of customers when a notification is due to them, from tables.

Belongs here: the log of notifications whose delay was drawn by lot, and the contexts of a day. Does
not belong here: what is made of them (`policy.py`).

Habits are counted by hours of UTC and turned by the clock's offset when the notification is due.
Nothing of moods, texts or sentiment is read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from engagement_assets.decisions.clocks import local_times
from engagement_assets.decisions.notification_timing.spec import (
    DELAYS,
    REWARD_ENGAGED,
    REWARD_LOST,
    send_name,
)
from engagement_assets.learning.reinforcement.timing import (
    HOURS,
    Floats,
    Ints,
    Memory,
    Situation,
    TimingProblem,
    Units,
    situation,
    smooth_habit,
)
from engagement_assets.lifecycle.adapter import Inputs

# What a policy sees and learns by, with the limits that always hold: at most 3 a day, none from
# 22:00 to 08:00 of the customer's own clock.
PROBLEM = TimingProblem(
    delays=DELAYS,
    opens=8,
    closes=22,
    most_a_day=3,
    reward_engaged=REWARD_ENGAGED,
    reward_lost=REWARD_LOST,
)
HABIT = tuple(f"habit_{hour}" for hour in range(HOURS))
TRACES = tuple(f"sends_{days:g}_days" for days in PROBLEM.trace_days)
LIMITS = ("opens", "closes", "most_a_day")
CONTEXT = (
    "hour", "weekday", "engagement", "since_hours", *TRACES, "sent_today", "may_rest", "reachable",
    *LIMITS, *HABIT,
)  # fmt: skip
USE_DAYS, MEMORY_DAYS, LOG_DAYS = 56, 28, 240
# In place of never: beyond all that is remembered.
NEVER_HOURS = 24.0 * 365.0
_MONDAY = np.datetime64("1970-01-05", "ns")


def limits_of(parameters: Mapping[str, Any]) -> dict[str, int]:
    """Return the limits of the settings, by column, none laxer than those that always hold."""
    return {
        "opens": max(PROBLEM.opens, parameters["quiet_to"]),
        "closes": min(PROBLEM.closes, parameters["quiet_from"]),
        "most_a_day": min(PROBLEM.most_a_day, parameters["contacts_a_day"]),
    }


def most_of_a_week(parameters: Mapping[str, Any]) -> float:
    """Return what is remembered where as much is sent in a week as contact lets through, evenly.

    The gate counts; by this a policy does not plan on what it will not let through.
    """
    sends = min(parameters["contacts_a_week"], parameters["contacts_a_channel_week"])
    longest = PROBLEM.trace_days[-1]
    return 1.0 / math.expm1(7.0 / (sends * longest)) if sends else -1.0


def units_of(contexts: pd.DataFrame) -> Units:
    """Return who the contexts are of."""
    habit = contexts[list(HABIT)].to_numpy(np.float64)
    return Units(contexts["engagement"].to_numpy(np.float64), habit)


def memory_of(contexts: pd.DataFrame) -> Memory:
    """Return what had been sent before, at the hours at which something is due."""
    # any week that has weeks before it
    day = MEMORY_DAYS + contexts["weekday"].to_numpy(np.int64)
    sent = contexts["sent_today"].to_numpy(np.int64)
    return Memory(
        time=day * HOURS + contexts["hour"].to_numpy(np.int64),
        since=contexts["since_hours"].to_numpy(np.float64),
        trace_days=PROBLEM.trace_days,
        traces=contexts[list(TRACES)].to_numpy(np.float64),
        last_day=np.where(sent > 0, day, -1),
        on_last_day=sent,
    )


def situation_of(contexts: pd.DataFrame, *, most_remembered: float = math.inf) -> Situation:
    """Return what a policy sees of n contexts, and what is allowed.

    Limits of the contexts are masked beside those that always hold; nothing is sent to who is not
    reachable, nor, where resting is a choice, to whom more is remembered than the most. Where
    something is sent anyway, as in a log, not to send is no choice, unless no hour is allowed.
    """
    now = situation(PROBLEM, units_of(contexts), memory_of(contexts))
    opens, closes, most = (contexts[name].to_numpy(np.int64)[:, None] for name in LIMITS)
    at = now.memory.time[:, None] + np.arange(DELAYS)
    sent = np.where(at // HOURS == now.memory.last_day[:, None], now.memory.on_last_day[:, None], 0)
    mask = now.mask.copy()
    mask[:, :-1] &= (at % HOURS >= opens) & (at % HOURS < closes) & (sent < most)
    mask[:, :-1] &= contexts["reachable"].to_numpy(bool)[:, None]
    may_rest = contexts["may_rest"].to_numpy(bool)
    remembered = now.memory.traces[:, -1]
    mask[:, :-1] &= (~may_rest | (remembered <= most_remembered))[:, None]
    mask[:, -1] = may_rest | ~mask[:, :-1].any(axis=1)
    return replace(now, mask=mask)


def read_log(inputs: Inputs, last_day: date) -> pd.DataFrame:
    """Return the notifications whose delay was drawn by lot and whose answer is known.

    Returns:
        `customer_id`, `acted_at` (when it was due), the context, `action`, `propensity`, `reward`,
        and whether the customer `engaged` and was `lost`.
    """
    since = max(inputs.first_day, last_day - timedelta(days=LOG_DAYS))
    query, known = inputs.sql.query, {"snapshot_date": last_day}
    sends = inputs.engine.select(
        query("notification_timing/sends"), {**known, "since_day": since}
    ).to_pandas()
    # of earlier ones neither habits nor what was sent before are known
    enough_from = since + timedelta(days=MEMORY_DAYS)
    uses = inputs.engine.select(
        query("notification_timing/uses_before_sends"), {**known, "since_day": enough_from}
    ).to_pandas()
    zones = _zones(inputs, last_day)
    sends["delay_hours"] = sends["delay_hours"].fillna(0.0)
    sends["acted_at"] = sends["occurred_at"] - pd.to_timedelta(sends["delay_hours"], "h")
    drawn = sends["propensity"].notna().to_numpy()
    over = sends["occurred_at"] + pd.Timedelta(hours=1) <= pd.Timestamp(
        last_day + timedelta(days=1)
    )
    enough = sends["acted_at"] >= pd.Timestamp(enough_from)
    taken = np.flatnonzero(drawn & over.to_numpy() & enough.to_numpy())
    rows = sends.iloc[taken].reset_index(drop=True)
    waited = rows["delay_hours"].round().astype(np.int64)
    local = local_times(rows["acted_at"].to_numpy(), rows["customer_id"].map(zones))
    rows = rows.assign(
        **_situations(
            rows["acted_at"], local, _hours_ago(sends, taken), rows["notification_id"], uses
        ),
        may_rest=False,
        reachable=True,
        action=waited.map({hours: send_name(hours) for hours in waited.unique()}).astype(object),
        engaged=rows["opened_at"] <= rows["occurred_at"] + pd.Timedelta(hours=1),
        lost=rows["unsubscribed_at"].notna(),
        **limits_of(inputs.parameters),
    )
    rows["engaged"] &= ~rows["lost"]
    rows["reward"] = REWARD_ENGAGED * rows["engaged"] + REWARD_LOST * rows["lost"]
    rows = rows[local.notna().to_numpy()].reset_index(drop=True)
    # at an hour from which none is allowed there was nothing to choose
    choosable = situation_of(rows).mask[:, :-1].any(axis=1)
    log: pd.DataFrame = rows[choosable].reset_index(drop=True)
    return log


def read_day(inputs: Inputs, day: date) -> pd.DataFrame:
    """Return the contexts of all customers whose clock is known, for the day after.

    A notification is due at the hour from which the hours that can be waited for hold the most of a
    customer's use.
    """
    query, known = inputs.sql.query, {"snapshot_date": day}
    people = inputs.engine.select(
        query("contact/customers"), {**known, "holdout": inputs.parameters["holdout_experiment"]}
    ).to_pandas()
    people["time_zone"] = people["time_zone"].fillna(inputs.reader.timezone)
    uses = inputs.engine.select(query("notification_timing/uses"), known).to_pandas()
    sends = inputs.engine.select(
        query("notification_timing/sends"),
        {**known, "since_day": day - timedelta(days=MEMORY_DAYS)},
    ).to_pandas()
    tomorrow = pd.Timestamp(day + timedelta(days=1))
    midnight = np.full(len(people), np.datetime64(tomorrow, "ns"))
    local = local_times(midnight, people["time_zone"])
    there = local.notna().to_numpy()
    people, local = (part[there].reset_index(drop=True) for part in (people, local))
    offset = local - tomorrow
    limits = limits_of(inputs.parameters)
    habit = _habit(people["customer_id"], uses, "customer_id", offset)
    clock = tomorrow + pd.Series(pd.to_timedelta(due_hours(habit, **limits), "h"))
    # the instant at which the clock shows that hour of the day after
    due = clock - offset
    ago = _ago_of(people["customer_id"], due, sends)
    contexts = _situations(due, clock, ago, people["customer_id"], uses, offset=offset)
    return pd.DataFrame(
        {
            "customer_id": people["customer_id"],
            "snapshot_date": day,
            **contexts,
            "may_rest": True,
            "reachable": _agreed(inputs, people["customer_id"], day)
            & ~people["opted_out"]
            & ~people["holdout"],
            **limits,
        }
    )


def due_hours(habit: Floats, *, opens: int, closes: int, most_a_day: int) -> Ints:  # noqa: ARG001 - limits by name
    """Return the hour from which the hours that can be waited for hold the most of n habits."""
    last = max(opens + 1, closes - DELAYS + 1)
    within = [
        habit[:, hour : min(hour + DELAYS, closes)].sum(axis=1) for hour in range(opens, last)
    ]
    hours: Ints = opens + np.stack(within).argmax(axis=0)
    return hours


def _situations(
    due: pd.Series,
    local: pd.Series,
    ago: Floats,
    ids: pd.Series,
    uses: pd.DataFrame,
    *,
    offset: pd.Series | None = None,
) -> dict[str, Any]:
    """Columns of what is known of n customers when something is due to them."""
    if offset is None:
        offset = (local - due.reset_index(drop=True)).fillna(pd.Timedelta(0))
    key = str(ids.name)
    habit = _habit(ids, uses, key, offset)
    counts = uses.groupby(key)["uses"].sum()
    clock = local.fillna(due.reset_index(drop=True)).to_numpy().astype("datetime64[ns]")
    time = np.floor((clock - _MONDAY) / np.timedelta64(1, "h")).astype(np.int64)
    memory = Memory.of_sends(time, ago, PROBLEM.trace_days)
    today = memory.last_day == time // HOURS
    return {
        "hour": time % HOURS,
        "weekday": time // HOURS % 7,
        "engagement": ids.map(counts).fillna(0.0).to_numpy(np.float64) / USE_DAYS,
        "since_hours": np.minimum(memory.since, NEVER_HOURS),
        **dict(zip(TRACES, memory.traces.T, strict=True)),
        "sent_today": np.where(today, memory.on_last_day, 0),
        **dict(zip(HABIT, habit.T, strict=True)),
    }


def _habit(ids: pd.Series, uses: pd.DataFrame, key: Any, offset: pd.Series) -> Floats:
    """Shares of use by hour of the clock, n x 24."""
    counts = (
        uses.pivot(index=key, columns="hour_of_day", values="uses")
        .reindex(index=ids, columns=range(HOURS))
        .fillna(0.0)
        .to_numpy(np.float64)
    )
    turned = np.round(_in_hours(offset)).astype(np.int64)
    hours = (np.arange(HOURS) - turned[:, None]) % HOURS
    return smooth_habit(np.take_along_axis(counts, hours, axis=1))


def _ago_of(customers: pd.Series, due: pd.Series, sends: pd.DataFrame) -> Floats:
    """Hours from an instant of each of n customers back to what was sent to them."""
    pairs = pd.DataFrame({"customer_id": customers, "due": due, "row": np.arange(len(due))}).merge(
        sends[["customer_id", "occurred_at"]], on="customer_id"
    )
    column = pairs.groupby("row").cumcount()
    ago = np.full((len(due), int(column.max()) + 1 if len(pairs) else 1), np.inf)
    ago[pairs["row"], column] = _in_hours(pairs["due"] - pairs["occurred_at"])
    return ago


def _in_hours(gaps: pd.Series) -> Floats:
    hours: Floats = gaps.dt.total_seconds().to_numpy(np.float64) / 3_600.0
    return hours


def _hours_ago(sends: pd.DataFrame, taken: Ints) -> Floats:
    """Hours from the due times of some of n notifications back to earlier sends to the customer.

    `sends` are in the order of customers and times; sends beyond what is remembered are infinite.
    """
    columns = []
    customer = pd.factorize(sends["customer_id"])[0]
    due, sent = (sends[name].to_numpy("datetime64[ns]") for name in ("acted_at", "occurred_at"))
    hours = np.full(len(sends), np.inf)
    for back in range(1, 3 * MEMORY_DAYS + 1):
        hours[:back] = np.inf
        gap = (due[back:] - sent[:-back]) / np.timedelta64(1, "s") / 3_600.0
        # what went out while this one was held back was not known when it was due
        known = customer[back:] == customer[:-back]
        known &= (gap > 0.0) & (gap <= HOURS * MEMORY_DAYS)
        if not known.any():
            break
        hours[back:] = np.where(known, gap, np.inf)
        columns.append(hours[taken])
    return np.stack(columns, axis=1) if columns else np.full((len(taken), 1), np.inf)


def _agreed(inputs: Inputs, customers: pd.Series, day: date) -> pd.Series:
    """Return who of the customers agreed to notifications by the end of a day."""
    if "consents" not in inputs.reader.provides():
        granted = "notifications" in inputs.reader.granted_consents
        return pd.Series(granted, index=customers.index)
    consents = inputs.engine.select(
        inputs.sql.query("contact/consents"), {"latest_day": day}
    ).to_pandas()
    return customers.isin(consents.loc[consents["purpose"] == "notifications", "customer_id"])


def _zones(inputs: Inputs, day: date) -> pd.Series:
    """Time zone by customer."""
    people = inputs.engine.select(
        inputs.sql.query("contact/customers"), {"snapshot_date": day, "holdout": ""}
    ).to_pandas()
    known = people.set_index("customer_id")["time_zone"]
    zones: pd.Series = known.fillna(inputs.reader.timezone)
    return zones
