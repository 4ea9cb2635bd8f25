"""Notifications with consequences: they bring customers back, tire them, and drive some away.

Belongs here: what is sent when, what it causes, and who unsubscribes. Does not belong here: the
notifications of a plain world, which cause nothing (`messaging.py`).

Whom a day's notifications go to is drawn by lot; some are exploratory: held back for 0 to 9 hours,
by lot. A notification causes a session within the hour with a chance that grows with the customer's
use and the hour's fit to their habit, and falls with fatigue: the sum of earlier notifications,
each forgotten by 1/e in four days. Fatigue and bad hours also raise the chance of unsubscribing.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from engagement_assets.source.simulator import parameters as p
from engagement_assets.source.simulator import tables
from engagement_assets.source.simulator.causes import Causes
from engagement_assets.source.simulator.life import LifeCourses
from engagement_assets.source.simulator.messaging import (
    OPEN_MEDIAN_MINUTES,
    hour_fit,
    open_logit,
)
from engagement_assets.source.simulator.population import Population
from engagement_assets.source.simulator.randomness import generator

FATIGUE_DAYS = 4.0
_EXPLORED_SHARE, _DELAYS = 0.3, 10
_SESSION_CHANCE, _MOST = 0.25, 0.6
_BY_USE, _BY_HOUR, _BY_FATIGUE = 0.7, 0.8, 0.6
_OPEN_FATIGUE = 0.5
_UNSUBSCRIBE_CHANCE, _UNSUBSCRIBE_FATIGUE, _UNSUBSCRIBE_BAD_HOUR = 0.0015, 0.8, 0.8
_BAD_HOUR_FIT = -1.0
_SEND_LAST = 0.1  # seconds before midnight
_CACHED_DAYS = 4
# Mean of what fatigue takes away, where notifications come at random.
_MEAN_RESPITE = float(
    np.exp(
        p.NOTIFICATIONS_PER_DAY
        * FATIGUE_DAYS
        * np.mean(np.expm1(-_BY_FATIGUE * (u := (np.arange(200) + 0.5) / 200)) / u)
    )
)


@dataclass(frozen=True)
class _Sending:
    """When the notifications of a day are sent, and whom they drive away."""

    explored: np.ndarray
    delay: np.ndarray
    seconds: np.ndarray
    fit: np.ndarray  # of the hour to the habit
    unsubscribe_chance: np.ndarray
    stops: np.ndarray


@dataclass(frozen=True)
class Sent:
    """The notifications of a day, by customer."""

    customer: np.ndarray
    fatigue: np.ndarray
    seconds: np.ndarray  # seconds of the day
    delay: np.ndarray  # whole hours
    explored: np.ndarray  # whether the delay was drawn by lot
    session_chance: np.ndarray
    unsubscribe_chance: np.ndarray
    returns: np.ndarray  # whether a session is caused
    opened: np.ndarray
    opens: np.ndarray  # seconds of the day
    stops: np.ndarray  # whether the customer unsubscribes


class Reminders:
    """The notifications of any day, sent in the order of the days."""

    def __init__(
        self,
        population: Population,
        life: LifeCourses,
        causes: Causes,
        held: np.ndarray,
        agreed: Callable[[int], np.ndarray],
    ) -> None:
        self._population = population
        self._life = life
        self._strength = causes.strength
        self._agreed = agreed
        self._held = held
        self._fit = hour_fit()
        self._fatigue = np.zeros(population.size, np.float32)
        self._unsubscribed = np.full(population.size, np.inf)
        self._who: list[tuple[np.ndarray, np.ndarray]] = []
        self._days: OrderedDict[int, Sent] = OrderedDict()

    def sent(self, day: int) -> Sent:
        """The notifications of a day, not before the first that can be asked for."""
        while len(self._who) <= day - p.LEAD_DAYS:
            self._step(p.LEAD_DAYS + len(self._who))
        if day not in self._days:
            self._days[day] = self._send(day, *self._who[day - p.LEAD_DAYS])
            while len(self._days) > _CACHED_DAYS:
                self._days.popitem(last=False)
        return self._days[day]

    def caused(self, day: int) -> tuple[np.ndarray, np.ndarray]:
        """Customers whom a day's notifications bring back, and the second at which they come."""
        if day < p.LEAD_DAYS:
            return np.empty(0, np.int64), np.empty(0)
        sent = self.sent(day)
        return sent.customer[sent.returns], sent.opens[sent.returns]

    def chances(self, day: int) -> np.ndarray:
        """Chance of a caused session of each customer signed up by the end of a day."""
        chances = np.zeros(self._population.count(day))
        if day >= p.LEAD_DAYS:
            sent = self.sent(day)
            chances[sent.customer] = sent.session_chance
        return chances

    def expected(self, day: int) -> np.ndarray:
        """Expected caused sessions of a day to come, of those subscribed at the end of a day.

        Returns:
            What `with_caused` makes sessions of, by customer; 0 where there are none.
        """
        people, count = self._population, self._population.count(day)
        self.sent(day)
        subscribed = self._agreed(day)[:count] & ~self._held[:count] & ~people.is_bot[:count]
        subscribed &= self._unsubscribed[:count] > day
        by_habit = np.exp(_BY_HOUR * self._fit).mean(axis=1)[people.habit[:count]]
        chance = p.NOTIFICATIONS_PER_DAY * self._strength * _SESSION_CHANCE * _MEAN_RESPITE
        return np.where(subscribed, chance * by_habit, 0.0)

    def rows(self, day: int, first_day: date) -> pa.Table:
        """The rows of table `notifications` of a day."""
        sent = self.sent(day)
        return tables.build(
            "notifications",
            {
                "notification_id": self._ids(day),
                "customer_id": self._population.named(sent.customer),
                "occurred_at": tables.timestamps(first_day, day, sent.seconds),
                "opened_at": tables.timestamps(first_day, day, sent.opens, sent.opened),
                "unsubscribed_at": tables.timestamps(first_day, day, sent.opens + 10.0, sent.stops),
                "propensity": pa.array(
                    np.full(len(sent.customer), 1.0 / _DELAYS), mask=~sent.explored
                ),
                "delay_hours": sent.delay.astype(np.float64),
            },
        )

    def truth(self, day: int) -> pa.Table:
        """Fatigue, and the chances of a session and of unsubscribing, by notification of a day."""
        sent = self.sent(day)
        return pa.table(
            {
                "notification_id": self._ids(day),
                "fatigue": sent.fatigue.astype(np.float64),
                "session_chance": sent.session_chance,
                "unsubscribe_chance": sent.unsubscribe_chance,
            }
        )

    def _ids(self, day: int) -> pa.Array:
        return tables.numbered_ids(f"n{day}-", len(self.sent(day).customer))

    def _step(self, day: int) -> None:
        people = self._population
        count = people.count(day - 1)
        lots = generator(people.seed, "reminders", day).random(count)
        may = self._agreed(day)[:count] & ~self._held[:count] & (self._unsubscribed[:count] > day)
        customer = np.flatnonzero(may & (lots < p.NOTIFICATIONS_PER_DAY)).astype(np.int32)
        self._fatigue *= np.float32(np.exp(-1.0 / FATIGUE_DAYS))
        fatigue = self._fatigue[customer]
        self._fatigue[customer] += np.float32(1.0)
        self._who.append((customer, fatigue))
        _, sending = self._sending(day, customer, fatigue)
        self._unsubscribed[customer[sending.stops]] = day

    def _sending(
        self, day: int, customer: np.ndarray, fatigue: np.ndarray
    ) -> tuple[np.ndarray, _Sending]:
        """Lots of a day's notifications, when they are sent, and whom they drive away."""
        people = self._population
        draws = generator(people.seed, "reminders_sent", day).random((8, len(customer)))
        explored = draws[0] < _EXPLORED_SHARE
        # What is held back is due early enough to be sent on the same day.
        due = draws[1] * np.where(explored, 24.0 - _DELAYS + 1.0, 24.0)
        delay = np.where(explored, np.floor(_DELAYS * draws[2]), 0.0)
        seconds = np.minimum((due + delay) * 3_600.0, p.SECONDS_PER_DAY - _SEND_LAST)
        hour = np.floor(seconds / 3_600.0).astype(np.int64)
        fit = self._fit[people.habit[customer], (hour + people.utc_offset[customer]) % 24]
        self._life.advance(day)
        stays = (self._life.leaving_from[customer] >= day) & ~people.is_bot[customer]
        leaving = np.where(stays, unsubscribe_chance(fit, fatigue), 0.0)
        stops = draws[4] < leaving
        return draws, _Sending(explored, delay, seconds, fit, leaving, stops)

    def _send(self, day: int, customer: np.ndarray, fatigue: np.ndarray) -> Sent:
        people = self._population
        draws, sending = self._sending(day, customer, fatigue)
        bot = people.is_bot[customer]
        use = self._life.usual(day)[customer]
        chance = session_chance(use, sending.fit, fatigue, strength=self._strength)
        chance = np.where(bot, 0.0, chance)
        returns = draws[3] < chance
        seconds, stops = sending.seconds, sending.stops
        there = self._life.remaining(day)[customer] * ~bot
        logit = open_logit(people, self._life.discontent(day), customer, sending.fit)
        opened = draws[5] < there / (1.0 + np.exp(_OPEN_FATIGUE * fatigue - logit))
        wait = 60.0 * OPEN_MEDIAN_MINUTES * -np.log2(1.0 - draws[7])
        soon = np.minimum(seconds + 1.0 + 3_500.0 * draws[6], p.SECONDS_PER_DAY - 0.01)
        return Sent(
            customer=customer,
            fatigue=fatigue,
            seconds=seconds,
            delay=sending.delay,
            explored=sending.explored,
            session_chance=chance,
            unsubscribe_chance=sending.unsubscribe_chance,
            returns=returns,
            opened=opened | returns | stops,
            opens=np.where(returns, soon, seconds + 1.0 + wait),
            stops=stops,
        )


def session_chance(
    use: np.ndarray, fit: np.ndarray, fatigue: np.ndarray, *, strength: float = 1.0
) -> np.ndarray:
    """Chance that a notification causes a session, by use, the hour's fit to the habit, fatigue."""
    chance = strength * _SESSION_CHANCE * use**_BY_USE
    chances: np.ndarray = np.minimum(chance * np.exp(_BY_HOUR * fit - _BY_FATIGUE * fatigue), _MOST)
    return chances


def unsubscribe_chance(fit: np.ndarray, fatigue: np.ndarray) -> np.ndarray:
    """Chance that a notification makes a customer who stays unsubscribe."""
    tired = _UNSUBSCRIBE_FATIGUE * fatigue + _UNSUBSCRIBE_BAD_HOUR * (fit < _BAD_HOUR_FIT)
    chances: np.ndarray = _UNSUBSCRIBE_CHANCE * np.exp(tired)
    return chances


def with_caused(rate: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Sessions a day with those that notifications cause on average, see `Reminders.expected`."""
    more: np.ndarray = rate + expected * rate**_BY_USE
    return more
