"""Limits of contact over millions of decisions, and delivery by two publishers that are killed.

    python -m benchmarks.contact --runs 10000000

Decisions are drawn on days when clocks change somewhere, on leap days, on days that a zone's clock
does not have, and on any others, for customers in every time zone. What the gate lets through is
compared row by row with the limits worked out another way. Then two publishers make and deliver one
day's outbox at once, with different choices, and one of them is killed with SIGKILL before and
after each step: writing the outbox, renaming its file, claiming, sending, settling. Exits with 1
where a limit is broken, a message is wrongly withheld, lost, or a customer has two.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pandas as pd
import pyarrow as pa

from engagement_assets.decisions.contact.delivery import deliver
from engagement_assets.decisions.contact.gate import CAP_DAYS, DUE, ContactState, outbox
from engagement_assets.decisions.contact.limits import ContactLimits
from engagement_assets.decisions.contact.present import Present
from engagement_assets.decisions.contact.tables import OUTBOX
from resources.channels import Channel
from resources.claims import SqliteClaims
from resources.lake import Lake

ZONES = np.array(sorted(available_timezones() - {"localtime"}), dtype=object)
AT_ONCE = 250_000
# Clocks change in Europe, the Americas, Australia, Lord Howe (by half an hour), Egypt; leap days;
# Samoa had no 30 December 2011, Kwajalein no 21 August 1993; the ends of years.
ODD_DAYS = (
    date(2026, 3, 29), date(2026, 10, 25), date(2026, 3, 8), date(2026, 11, 1), date(2026, 4, 5),
    date(2026, 10, 4), date(2024, 4, 26), date(2024, 2, 29), date(2028, 2, 29), date(2023, 2, 28),
    date(2011, 12, 30), date(2011, 12, 31), date(1993, 8, 21), date(2025, 12, 31), date(2026, 1, 1),
)  # fmt: skip
CHANNELS = np.array(["email", "push", "in_app"], dtype=object)
DECISIONS = ("retention", "vip")
COOLDOWNS = {"retention": 5, "vip": 0}
NOBODY, NO_ZONE, HELD_OUT, OPTED_OUT, REFUSING, AGREED = 0.01, 0.01, 0.05, 0.05, 0.05, 0.8
CONTACTS_EACH = 2.5
MINUTES_BACK = 60 * 24 * 9


@dataclass(frozen=True)
class World:
    """Decisions of a day and what is known of their customers.

    Attributes:
        wanted: One row a customer and decision.
        state: As the gate takes it.
        day: Of the customers' clocks.
    """

    wanted: pd.DataFrame
    state: ContactState
    day: date


def draw(decisions: int, day: date, rng: np.random.Generator) -> World:
    """Draw so many decisions of a day."""
    count = max(decisions // len(DECISIONS), 1)
    names = np.char.add("c", np.arange(count).astype(str)).astype(object)
    zones = ZONES[rng.integers(0, len(ZONES), count)].copy()
    zones[rng.random(count) < NO_ZONE] = None
    zones[rng.random(count) < NO_ZONE] = "Atlantis/Town"
    people = pd.DataFrame(
        {
            "customer_id": names,
            "time_zone": zones,
            "holdout": rng.random(count) < HELD_OUT,
            "opted_out": rng.random(count) < OPTED_OUT,
            "refuses_analytics": rng.random(count) < REFUSING,
        }
    )[rng.random(count) >= NOBODY]
    consents = pd.DataFrame(
        {"customer_id": names[rng.random(count) < AGREED], "purpose": "notifications"}
    )
    size = rng.poisson(CONTACTS_EACH * count)
    end = np.datetime64(day, "us") + np.timedelta64(1, "D")
    minutes = rng.integers(0, MINUTES_BACK, size).astype("timedelta64[m]")
    ours = rng.random(size) < 0.3
    contacts = pd.DataFrame(
        {
            "customer_id": names[rng.integers(0, count, size)],
            "channel": CHANNELS[rng.integers(0, len(CHANNELS), size)],
            "decision": np.where(ours, np.array(DECISIONS, object)[rng.integers(0, 2, size)], None),
            "action": np.where(ours, "offer", None),
            "occurred_at": end - minutes,
        }
    )
    wanted = pd.concat(
        [
            pd.DataFrame(
                {
                    "customer_id": names,
                    "decision": decision,
                    "action": "offer",
                    "channel": CHANNELS[rng.integers(0, len(CHANNELS), count)],
                    "purpose": "notifications",
                    "cooldown_days": COOLDOWNS[decision],
                    "priority": 1,
                    "expected_usd": rng.random(count).round(1),
                    # any, or one that a stricter limit may not allow
                    "hour": np.where(rng.random(count) < 0.5, np.nan, rng.integers(8, 22, count)),
                }
            )
            for decision in DECISIONS
        ],
        ignore_index=True,
    )
    return World(wanted, ContactState(people, consents, contacts), day)


def clock(instants: pd.Series, zones: pd.Series) -> pd.Series:
    """What clocks show, by `zoneinfo` and each minute once; null without a zone."""
    asked = pd.DataFrame({"at": instants.dt.floor("min"), "zone": zones})
    once = asked.dropna().drop_duplicates()
    offsets = [
        ZoneInfo(zone).utcoffset(at.to_pydatetime().replace(tzinfo=UTC).astimezone(ZoneInfo(zone)))
        for at, zone in zip(once["at"], once["zone"], strict=True)
    ]
    both = asked.merge(once.assign(offset=pd.to_timedelta(offsets)), on=["at", "zone"], how="left")
    return instants + both["offset"].set_axis(instants.index)


def broken(world: World, judged: pd.DataFrame, limits: ContactLimits) -> Counter[str]:
    """Count by limit the due messages that break it, and those that are wrongly withheld.

    Args:
        world: What was asked and known.
        judged: The gate's answer.
        limits: Those that hold.
    """
    people = world.state.customers.set_index("customer_id")
    known = judged["customer_id"].isin(people.index)
    zone = judged["customer_id"].map(people["time_zone"])
    zone = zone.where(zone.isin(set(ZONES)))
    today = pd.Timestamp(world.day)
    past = world.state.contacts.copy()
    past["zone"] = past["customer_id"].map(people["time_zone"])
    shown = clock(past["occurred_at"], past["zone"].where(past["zone"].isin(set(ZONES))))
    past["ago"] = (today - shown.fillna(past["occurred_at"]).dt.normalize()).dt.days
    week = past[past["ago"] < CAP_DAYS]

    def count(rows: pd.DataFrame, *by: str) -> Any:
        counts = rows.groupby(list(by)).size().rename("count").reset_index()
        return judged[list(by)].merge(counts, how="left")["count"].fillna(0).to_numpy()

    since = past.groupby(["customer_id", "decision", "action"])["ago"].min()
    last = since.reindex(pd.MultiIndex.from_frame(judged[["customer_id", "decision", "action"]]))
    cooling = (last.to_numpy() < judged["cooldown_days"]).to_numpy()
    opens, closes = (clock(judged[name], zone) for name in ("not_before", "not_after"))
    due = (judged["status"] == DUE).to_numpy()
    breaches = {
        "unknown": ~known,
        "held out": judged["customer_id"].map(people["holdout"]).eq(True),
        "no consent": ~judged["customer_id"].isin(world.state.consents["customer_id"]),
        "opted out": judged["customer_id"].map(people["opted_out"]).eq(True),
        "refuses analytics": judged["customer_id"].map(people["refuses_analytics"]).eq(True),
        "cooldown": cooling,
        "a day": count(past[past["ago"] <= 0], "customer_id") >= limits.a_day,
        "a week": count(week, "customer_id") >= limits.a_week,
        "a channel": count(week, "customer_id", "channel") >= limits.a_channel_week,
        "no zone": zone.isna(),
    }
    barred = np.logical_or.reduce([np.asarray(breach, dtype=bool) for breach in breaches.values()])
    # of those that nothing bars the one of greatest value comes first, then by name
    free = judged[~barred].sort_values(
        ["customer_id", "expected_usd", "decision"], ascending=[True, False, True]
    )
    first = judged.index.isin(free.drop_duplicates("customer_id").index)
    day_is_there = zone.map({name: _has(name, world.day) for name in zone.dropna().unique()})
    return Counter(
        {
            name: int((np.asarray(breach, dtype=bool) & due).sum())
            for name, breach in breaches.items()
        }
        | {
            "outdone": int((due & ~barred & ~first).sum()),
            "another day": int((due & (opens.dt.normalize() != today)).sum()),
            "before the morning": int((due & ~(opens.dt.hour >= limits.quiet_to)).sum()),
            "after the evening": int(
                (due & ~(closes <= today + pd.Timedelta(hours=limits.quiet_from))).sum()
            ),
            "no time left": int((due & ~(judged["not_before"] < judged["not_after"])).sum()),
            "wrongly withheld": int((first & ~due & day_is_there.eq(True)).sum()),
        }
    )


def _has(zone: str, day: date) -> bool:
    """Whether a zone's clock shows the noon of a day."""
    noon = datetime.combine(day, datetime.min.time(), ZoneInfo(zone)) + timedelta(hours=12)
    return noon.astimezone(UTC).astimezone(ZoneInfo(zone)).date() == day


def limits_hold(decisions: int, seed: int) -> dict[str, Any]:
    """Judge so many decisions; figures with what is broken by limit."""
    rng = np.random.default_rng(seed)
    total, outcome, seconds, due, done = Counter[str](), Counter[str](), 0.0, 0, 0
    days = 0
    while done < decisions:
        day = (
            ODD_DAYS[days]
            if days < len(ODD_DAYS)
            else date(1990, 1, 1) + timedelta(days=int(rng.integers(0, 365 * 47)))
        )
        world = draw(min(AT_ONCE, decisions - done), day, rng)
        limits = ContactLimits(
            quiet_from=int(rng.integers(18, 23)),
            quiet_to=int(rng.integers(8, 12)),
            a_day=int(rng.integers(1, 4)),
        )
        began = time.perf_counter()
        judged = outbox(world.wanted, world.state, limits, day=day)
        seconds += time.perf_counter() - began
        total += broken(world, judged, limits)
        outcome.update(judged["suppressed_by"].fillna(DUE))
        due += int((judged["status"] == DUE).sum())
        done += len(judged)
        days += 1
    return {
        "decisions": done,
        "days": days,
        "due": due,
        "outcomes": dict(outcome.most_common()),
        "broken": dict(total),
        "gate_seconds": round(seconds, 1),
    }


class Inbox(Channel):
    """An app that keeps what it gets, a line each."""

    name = "inbox"

    def __init__(self, path: Path) -> None:
        self.path = path

    def send(self, alert: dict) -> None:
        """Keep a message."""
        with self.path.open("a") as file:
            file.write(json.dumps([alert["customer_id"], alert["message_id"]]) + "\n")


SNAPSHOT, SENDING = date(2026, 3, 9), datetime(2026, 3, 10, 14)


def publish(folder: Path, action: str, people: int, *, wait: float = 0.0) -> None:
    """Make the outbox of a day with one action and deliver it, as a run and its job do."""
    customers = pd.DataFrame({"customer_id": [f"c{n}" for n in range(people)]}).assign(
        time_zone="Europe/London",
        holdout=False,
        opted_out=False,
        refuses_analytics=False,
    )
    columns = ("customer_id", "channel", "decision", "action", "occurred_at")
    contacts = pd.DataFrame({name: pd.Series(dtype=object) for name in columns})
    contacts["occurred_at"] = contacts["occurred_at"].astype("datetime64[us]")
    state = ContactState(
        customers, customers[["customer_id"]].assign(purpose="notifications"), contacts
    )
    wanted = customers[["customer_id"]].assign(
        decision="retention", action=action, channel="email", purpose="notifications",
        cooldown_days=0, priority=1, expected_usd=None, hour=None, cost_usd=0.0, propensity=1.0,
        policy_version="v1", reason="",
    )  # fmt: skip
    rows = outbox(wanted, state, ContactLimits(), day=SNAPSHOT + timedelta(days=1))
    table = rows.assign(snapshot_date=SNAPSHOT)[list(OUTBOX.names)]
    lake = Lake(str(folder / "lake"))
    lake.write(
        OUTBOX, pa.Table.from_pandas(table, OUTBOX.arrow, preserve_index=False), day=SNAPSHOT
    )
    present = Present(
        lake.read(OUTBOX.key, days=[SNAPSHOT]).to_pandas(), {SNAPSHOT: state}, ContactLimits()
    )
    claims = SqliteClaims(folder / "claims.sqlite", clock=lambda: time.time() + wait)
    deliver(present, Inbox(folder / "inbox"), claims, clock=lambda: SENDING)


STEPS: tuple[tuple[Any, str], ...] = (
    (Lake, "write"), (os, "replace"), (SqliteClaims, "claim"), (Inbox, "send"),
    (SqliteClaims, "settle"),
)  # fmt: skip


def started(work: Callable[[], None], killed_at: int | None = None) -> int:
    """Do work in a process of its own, killed at its n-th moment; gives the process's id."""
    child = os.fork()
    if child:
        return child
    moments = 0

    def moment() -> None:
        nonlocal moments
        if moments == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        moments += 1

    def stepping(function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            moment()
            answer = function(*arguments, **named)
            moment()
            return answer

        return step

    for thing, name in STEPS:
        setattr(thing, name, stepping(getattr(thing, name)))
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - the parent only sees the status
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        os._exit(1)
    os._exit(0)


def killed_everywhere(people: int) -> dict[str, int]:
    """Kill a publisher at each of its moments, alone and beside another; figures of all of it."""
    figures, moment, was_killed = Counter[str](), 0, True
    while was_killed:
        # alone it gets to each of its moments; beside another they are in each other's way
        was_killed = _killed_once(people, moment, figures, at_once=False)
        _killed_once(people, moment, figures, at_once=True)
        moment += 1
    figures["moments"] = moment - 1
    return dict(figures)


def _killed_once(people: int, moment: int, figures: Counter[str], *, at_once: bool) -> bool:
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        first = started(lambda: publish(folder, "offer", people), moment)
        if not at_once:
            was_killed = os.WIFSIGNALED(os.waitpid(first, 0)[1])
        second = started(lambda: publish(folder, "nudge", people))
        if at_once:
            was_killed = os.WIFSIGNALED(os.waitpid(first, 0)[1])
        _ended_well(second)
        # when the killed one's leases have run out, a later pass goes over a third outbox
        _ended_well(started(lambda: publish(folder, "call", people, wait=1e6)))
        lines = [json.loads(line) for line in (folder / "inbox").read_text().splitlines()]
    ids: dict[str, set[str]] = {}
    for customer, name in lines:
        ids.setdefault(customer, set()).add(name)
    figures["publishers killed"] += was_killed
    figures["customers contacted"] += len(ids)
    figures["lost"] += people - len(ids)
    figures["customers with two messages"] += sum(len(names) > 1 for names in ids.values())
    figures["sent again under the same id"] += len(lines) - sum(map(len, ids.values()))
    return was_killed


def _ended_well(process: int) -> None:
    if os.waitpid(process, 0)[1]:
        raise RuntimeError("a publisher that was not killed failed")


def missed(figures: Mapping[str, Any]) -> list[str]:
    """Return the bars that are missed, in words."""
    over = {name: n for name, n in figures["limits"]["broken"].items() if n}
    killed = figures["killed"]
    return [
        *(f"{name}: {n} decisions" for name, n in over.items()),
        *(
            f"{name}: {killed[name]}"
            for name in ("lost", "customers with two messages")
            if killed[name]
        ),
    ]


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000_000, help="decisions")
    parser.add_argument("--people", type=int, default=5, help="customers of a killed publisher")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    # first, while this process has no threads
    killed = killed_everywhere(options.people)
    figures = {"killed": killed, "limits": limits_hold(options.runs, options.seed)}
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))
    problems = missed(figures)
    sys.stderr.write("".join(f"missed: {problem}\n" for problem in problems))
    sys.exit(int(bool(problems)))


if __name__ == "__main__":
    main()
