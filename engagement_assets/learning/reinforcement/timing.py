"""The problem of when to send: what is seen of a unit, what may be done, and what it is worth.

Belongs here: actions, limits, what is remembered of past sends, and what a policy sees of it. Does
not belong here: how units answer, and what happens next (`environment`).

All times are whole hours of a unit's own clock since a Monday's midnight.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

HOURS = 24
_LONGEST_SILENCE_HOURS = 24.0 * 60.0
_LEAST_SHARE = 0.2 / HOURS


@dataclass(frozen=True)
class TimingProblem:
    """What may be done when something is due, and what it is worth.

    The actions are to send now, after 1, 2, … hours, and, last, not to send today.

    Args:
        delays: How many hours there are to send at: now, and up to `delays - 1` hours later.
        opens: First hour of the day at which may be sent.
        closes: Hour from which on nothing may be sent.
        most_a_day: Most sends on a day.
        reward_engaged: For a unit that engages after a send.
        reward_lost: For a unit that a send drives away.
        discount_a_day: What a reward a day later is worth; hours discount by its 24th root.
        dues_a_day: How often a day something is due, each in its own part of the day.
        trace_days: Spans of memory that a policy sees: each send counts 1 and is forgotten by 1/e
            in so many days.
        most_remembered: The most that the trace of the last span may hold where something is sent:
            beyond what logs have, nothing is known of the answers.

    Raises:
        ValueError: A number is out of its range.
    """

    delays: int = 10
    opens: int = 8
    closes: int = 22
    most_a_day: int = 3
    reward_engaged: float = 1.0
    reward_lost: float = -0.5
    discount_a_day: float = 0.97
    dues_a_day: int = 1
    trace_days: tuple[float, ...] = (1.0, 3.0, 7.0)
    most_remembered: float = math.inf

    def __post_init__(self) -> None:
        if not 0 <= self.opens < self.closes <= HOURS:
            raise ValueError(f"opens {self.opens} and closes {self.closes}: no hours of a day")
        if not 0.0 < self.discount_a_day < 1.0:
            raise ValueError(f"discount_a_day is {self.discount_a_day}, not between 0 and 1")
        if self.dues_a_day < 1 or HOURS % self.dues_a_day:
            raise ValueError(f"dues_a_day is {self.dues_a_day}, which does not divide 24")
        if min(self.delays, self.most_a_day) < 1 or min(self.trace_days, default=0.0) <= 0.0:
            raise ValueError("delays, most_a_day and every one of trace_days must be above 0")

    @property
    def actions(self) -> int:
        """How many actions there are."""
        return self.delays + 1

    @property
    def not_today(self) -> int:
        """The action of not sending today."""
        return self.delays

    @property
    def memory_columns(self) -> tuple[int, ...]:
        """Columns of an observation that tell of earlier sends."""
        return tuple(range(1, 3 + len(self.trace_days)))

    @property
    def habit_columns(self) -> slice:
        """Columns of an observation with the habit at the hour of each delay."""
        first = 3 + len(self.trace_days) + 4
        return slice(first, first + self.delays)

    def discount(self, hours: ArrayLike) -> Floats:
        """Return what a reward so many hours later is worth."""
        worth: Floats = self.discount_a_day ** (np.asarray(hours, dtype=np.float64) / HOURS)
        return worth


@dataclass(frozen=True)
class Units:
    """What is known of n units beside what was sent to them.

    Attributes:
        engagement: n rates of use, at least 0.
        habit: n x 24: the share of a unit's use in each hour of its day, or counts of it.
    """

    engagement: Floats
    habit: Floats

    def __post_init__(self) -> None:
        if self.habit.shape != (len(self.engagement), HOURS):
            raise ValueError(f"habit has shape {self.habit.shape}, not (units, {HOURS})")

    def __len__(self) -> int:
        return len(self.engagement)

    @cached_property
    def log_habit(self) -> Floats:
        """The log of the habit over an even one, n x 24."""
        logs: Floats = np.log(HOURS * np.maximum(self.habit, _LEAST_SHARE))
        return logs

    def take(self, index: Ints) -> Units:
        """Return the units at some positions."""
        return Units(self.engagement[index], self.habit[index])


def smooth_habit(counts: ArrayLike, *, prior: float = 12.0) -> Floats:
    """Return each unit's share of use by hour, pulled to all units' where it is seldom seen.

    Args:
        counts: n x 24 uses by hour.
        prior: How many uses of everybody's habit count beside a unit's own.
    """
    seen = np.asarray(counts, dtype=np.float64)
    everybody = seen.sum(axis=0) + 1.0
    smooth = seen + prior * everybody / everybody.sum()
    shares: Floats = smooth / smooth.sum(axis=1, keepdims=True)
    return shares


@dataclass(frozen=True)
class Memory:
    """What was sent to n units, up to an hour of each one's clock.

    Attributes:
        time: n hours of the units' clocks.
        since: n hours since the last send; infinite where there was none.
        trace_days: k spans of memory.
        traces: n x k sums of earlier sends, each forgotten by 1/e in the span.
        last_day: n days of the last send, -1 where there was none.
        on_last_day: n sends on that day.
    """

    time: Ints
    since: Floats
    trace_days: tuple[float, ...]
    traces: Floats
    last_day: Ints
    on_last_day: Ints

    @classmethod
    def of_sends(cls, time: Ints, ago: Floats, trace_days: tuple[float, ...]) -> Self:
        """Remember past sends.

        Args:
            time: n hours of the units' clocks.
            ago: n x m hours since each of the past sends; infinite or NaN where there is none.
            trace_days: k spans of memory.
        """
        hours = np.where(np.isnan(ago), np.inf, ago)
        spans = HOURS * np.asarray(trace_days)
        traces = np.stack([np.exp(-hours / span).sum(axis=1) for span in spans], axis=1)
        known = np.isfinite(hours)
        days = np.full(hours.shape, -1, dtype=np.int64)
        days[known] = np.floor((time[:, None] - np.where(known, hours, 0.0)) / HOURS)[known]
        last = days.max(axis=1, initial=-1)
        on_last = ((days == last[:, None]) & known).sum(axis=1)
        since = hours.min(axis=1, initial=np.inf)
        return cls(time, since, trace_days, traces, last, on_last)

    def later(self, hours: Ints) -> Memory:
        """Return the memory so many hours later."""
        spans = HOURS * np.asarray(self.trace_days)
        traces = self.traces * np.exp(-hours[:, None] / spans)
        return Memory(
            self.time + hours,
            self.since + hours,
            self.trace_days,
            traces,
            self.last_day,
            self.on_last_day,
        )

    def with_sends(self, sent: Bools) -> Memory:
        """Return the memory after a send to some of the units, at this hour."""
        today = self.time // HOURS
        on_day = np.where(self.last_day == today, self.on_last_day + 1, 1)
        return Memory(
            self.time,
            np.where(sent, 0.0, self.since),
            self.trace_days,
            self.traces + sent[:, None],
            np.where(sent, today, self.last_day),
            np.where(sent, on_day, self.on_last_day),
        )


@dataclass(frozen=True)
class Situation:
    """What is due to n units: what a policy sees, and what it may do.

    Attributes:
        units: The n units.
        memory: What was sent to them.
        observation: n x f numbers, see `observe`.
        mask: n x a: whether each action is allowed.
    """

    units: Units
    memory: Memory
    observation: NDArray[np.float32]
    mask: Bools


Policy = Callable[[Situation], Ints]


def situation(problem: TimingProblem, units: Units, memory: Memory) -> Situation:
    """Return what a policy sees of n units to which something is due."""
    return Situation(
        units, memory, observe(problem, units, memory), allowed_actions(problem, memory)
    )


def allowed_actions(problem: TimingProblem, memory: Memory) -> Bools:
    """Return n x a: whether each send is within the limits, and true of no send."""
    at = memory.time[:, None] + np.arange(problem.delays)
    hour = at % HOURS
    sent = np.where(at // HOURS == memory.last_day[:, None], memory.on_last_day[:, None], 0)
    allowed = (hour >= problem.opens) & (hour < problem.closes) & (sent < problem.most_a_day)
    remembered = memory.traces[:, len(problem.trace_days) - 1]
    allowed &= (remembered <= problem.most_remembered)[:, None]
    return np.concatenate([allowed, np.ones((len(at), 1), dtype=bool)], axis=1)


def observe(problem: TimingProblem, units: Units, memory: Memory) -> NDArray[np.float32]:
    """Return what a policy sees of n units.

    What `observe_now` returns, the habit at the hours of the later delays, and the same of the best
    open hour.
    """
    later = memory.time[:, None] + np.arange(1, problem.delays)
    habit = np.take_along_axis(units.log_habit, later % HOURS, axis=1)
    best = units.log_habit[:, problem.opens : problem.closes].max(axis=1, keepdims=True)
    return np.concatenate([observe_now(problem, units, memory), habit, best], 1, dtype=np.float32)


def observe_now(problem: TimingProblem, units: Units, memory: Memory) -> NDArray[np.float32]:
    """Return what is seen of n units whatever may be waited for.

    Engagement, hours since the last send, traces of sends, sends on the day, hour of the day and
    day of the week (as points of a circle), and the log of the habit at the hour over an even one.
    """
    hour = memory.time % HOURS
    today = np.where(memory.last_day == memory.time // HOURS, memory.on_last_day, 0)
    day_angle = 2.0 * np.pi * hour / HOURS
    week_angle = 2.0 * np.pi * (memory.time // HOURS % 7) / 7.0
    silence = np.log1p(np.minimum(memory.since, _LONGEST_SILENCE_HOURS) / HOURS)
    columns = [
        np.log1p(units.engagement),
        silence,
        *memory.traces.T[: len(problem.trace_days)],
        today,
        np.sin(day_angle),
        np.cos(day_angle),
        np.sin(week_angle),
        np.cos(week_angle),
        units.log_habit[np.arange(len(units)), hour],
    ]
    return np.stack(columns, axis=1).astype(np.float32)
