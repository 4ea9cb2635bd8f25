"""Sessions of a day, and how much is done in each.

Belongs here: when sessions happen, how long they last, on what device, and the counts of
interactions, messages, posts and joined events in each. Does not belong here: what those are.

Everything that happens in the app hangs on a session. A few customers' phones are offline for a
day: their sessions of that day, and what hangs on them, are recorded in the early hours of the
next.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from engagement_assets.source.simulator import parameters as p
from engagement_assets.source.simulator import tables
from engagement_assets.source.simulator.experiment import Experiment
from engagement_assets.source.simulator.population import Population, hour_chances
from engagement_assets.source.simulator.randomness import generator

_HOUR_STEPS = 2_048
_LAST_SECOND = p.SECONDS_PER_DAY - 0.001
_LATE_HOURS = 6.0


@dataclass(frozen=True)
class SessionBatch:
    """The sessions of a day that are recorded on the day, or those recorded a day late."""

    day: int  # day of the world on which they happen
    late: bool  # whether they are recorded a day late
    customer: np.ndarray  # customer of each session
    start: np.ndarray  # seconds of the day
    duration: np.ndarray  # seconds
    interactions: np.ndarray  # number of interactions in each session
    messages: np.ndarray  # number of messages
    posts: np.ndarray  # number of posts
    events: np.ndarray  # number of events joined
    device: np.ndarray  # index into `DEVICES`
    recorded: np.ndarray  # seconds of the following day at which a late session is recorded

    @property
    def size(self) -> int:
        """Number of sessions."""
        return len(self.customer)

    @property
    def mark(self) -> str:
        """What the ids of the rows of this batch share: the day, and whether they are late."""
        return f"{self.day}{'l' if self.late else '-'}"

    def moment(self, session: np.ndarray, part: np.ndarray) -> np.ndarray:
        """Seconds of the day at a part (0-1) of each of some sessions."""
        moments: np.ndarray = np.minimum(
            self.start[session] + part * self.duration[session], _LAST_SECOND
        )
        return moments

    def recorded_at(self, first_day: date, session: np.ndarray, seconds: np.ndarray) -> pa.Array:
        """When rows that happen in some sessions are recorded."""
        if self.late:
            return tables.timestamps(first_day, self.day + 1, self.recorded[session])
        return tables.timestamps(first_day, self.day, seconds)


class SessionMaker:
    """Makes the sessions of any day."""

    def __init__(
        self,
        population: Population,
        experiment: Experiment,
        caused: Callable[[int], tuple[np.ndarray, np.ndarray]] | None = None,
    ) -> None:
        self._population = population
        self._caused = caused
        self._experiment = experiment
        cumulative = np.cumsum(hour_chances(), axis=1)
        steps = (np.arange(_HOUR_STEPS) + 0.5) / _HOUR_STEPS
        self._hours = np.stack([np.searchsorted(row, steps) for row in cumulative])
        self._hours = np.minimum(self._hours, 23).astype(np.int8)

    def batch(self, day: int, *, late: bool) -> SessionBatch:
        """Sessions of a day of the world, recorded at once or a day late, by customer."""
        people = self._population
        count = people.count(day)
        offline = generator(people.seed, "offline", day).random(count) < p.LATE_SHARE
        rate = self._experiment.rate(day)
        awake = np.flatnonzero((offline == late) & (rate > 1e-6))
        rng = generator(people.seed, "sessions", day, int(late))
        customer = np.repeat(awake, rng.poisson(rate[awake]))
        back, place, when = self._brought_back(day, offline == late, customer)
        customer = np.insert(customer, place, back)
        size = len(customer)
        persona = people.persona[customer]
        depth = p.DEPTH_FACTORS[people.depth[customer]]
        length = np.exp(p.DURATION_SIGMA * rng.standard_normal(size))
        minutes = people.minutes[customer] * length
        swap = rng.random((2, size))
        usual = people.device[customer]
        start = self._starts(day, customer, rng)
        start[place + np.arange(len(place))] = when
        return SessionBatch(
            day=day,
            late=late,
            customer=customer,
            start=start,
            duration=np.clip(minutes * 60.0, 1.0, 6 * 3_600.0),
            interactions=rng.poisson(p.INTERACTIONS_PER_SESSION[persona] * depth),
            messages=rng.poisson(p.MESSAGES_PER_SESSION[persona] * depth),
            posts=rng.poisson(p.POSTS_PER_SESSION[persona] * depth),
            events=rng.poisson(p.EVENTS_PER_SESSION[persona] * depth),
            device=np.where(
                swap[0] < 0.15, np.floor(swap[1] * len(p.DEVICES)).astype(np.int8), usual
            ),
            recorded=rng.random(size) * _LATE_HOURS * 3_600.0,
        )

    def _brought_back(
        self, day: int, among: np.ndarray, customer: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Customers brought back by a notification, their places among others, and when."""
        if self._caused is None:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        back, when = self._caused(day)
        here = among[back]
        return back[here], np.searchsorted(customer, back[here]), when[here]

    def _starts(self, day: int, customer: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        people = self._population
        steps = rng.integers(0, _HOUR_STEPS, len(customer))
        hour = np.where(
            people.is_bot[customer], steps % 24, self._hours[people.habit[customer], steps]
        )
        hour = (hour - people.utc_offset[customer]) % 24
        start = (hour + rng.random(len(customer))) * 3_600.0
        # On the day of the sign-up what is left of the day is the whole day.
        opening = np.clip(people.signed_up[customer] - day, 0.0, 1.0) * p.SECONDS_PER_DAY
        squeezed = opening + 1.0 + start * (1.0 - (opening + 2.0) / p.SECONDS_PER_DAY)
        moments: np.ndarray = np.where(opening > 0, np.minimum(squeezed, _LAST_SECOND), start)
        return moments


def session_rows(batch: SessionBatch, population: Population, first_day: date) -> pa.Table:
    """The rows of table `sessions` of a batch."""
    if batch.size == 0:
        return tables.empty("sessions")
    rng = generator(population.seed, "session_rows", batch.day, int(batch.late))
    everyone = np.arange(batch.size)
    bot = population.is_bot[batch.customer]
    minutes = batch.duration / 60.0
    pages = 1 + batch.interactions + rng.poisson(0.7 * minutes)
    impressions = pages + rng.poisson(4.0 * pages)
    clicks = np.minimum(batch.interactions + rng.poisson(0.05 * impressions), impressions)
    depth = 0.2 + 0.16 * np.log1p(minutes) + 0.12 * rng.standard_normal(batch.size)
    return tables.build(
        "sessions",
        {
            "session_id": tables.numbered_ids(f"s{batch.mark}", batch.size),
            "customer_id": population.named(batch.customer),
            "occurred_at": tables.timestamps(first_day, batch.day, batch.start),
            "duration_seconds": np.round(batch.duration, 1),
            "device": tables.labels(p.DEVICES, batch.device),
            "pages": pages,
            "impressions": impressions,
            "clicks": clicks,
            "scroll_depth": np.where(bot, 0.0, np.round(np.clip(depth, 0.02, 1.0), 3)),
            "recorded_at": batch.recorded_at(first_day, everyone, batch.start),
        },
    )
