"""How customers fare from week to week: discontent, leaving, absences, and the use that follows.

Belongs here: the latent course of a life and the expected number of sessions of a day. Does not
belong here: what happens in a session, the experiment's effect (`experiment.py`).
"""

import math
from datetime import date, timedelta

import numpy as np

from engagement_assets.source.simulator import parameters as p
from engagement_assets.source.simulator.causes import Influence
from engagement_assets.source.simulator.offers import Offers
from engagement_assets.source.simulator.population import Population
from engagement_assets.source.simulator.randomness import generator
from engagement_assets.source.simulator.seasons import Seasons

_WEEKDAY_FACTORS = np.array([0.97, 0.96, 0.97, 0.99, 1.02, 1.06, 1.03])
_KEPT_DAYS = 12
_HOLIDAYS = {
    (1, 1): 0.85,
    (2, 14): 1.08,
    (7, 4): 0.92,
    (10, 31): 1.06,
    (11, 26): 0.93,
    (12, 24): 0.82,
    (12, 25): 0.75,
    (12, 26): 0.95,
    (12, 31): 0.88,
}


class LifeCourses:
    """The weekly course of every customer's life, computed as far as it is asked for.

    Attributes:
        leaving_from: When each customer began to leave, in days of the world; infinite where it is
            not known to have happened. What is known of a day does not change when later weeks
            are computed.
        influences: What multiplies the expected sessions of a day, beside the life itself.
    """

    def __init__(
        self,
        population: Population,
        first_day: date,
        offers: Offers | None = None,
        seasons: Seasons | None = None,
    ) -> None:
        self._population = population
        self._offers = offers
        self._seasons = seasons
        self._usual: dict[int, np.ndarray] = {}
        self.influences: list[Influence] = []
        self._first_day = first_day
        self._discontent: list[np.ndarray] = []
        self._remaining: dict[int, np.ndarray] = {}
        self.leaving_from = np.full(population.size, np.inf)
        self._mean = p.DISCONTENT_MEAN[population.persona].astype(np.float32)

    def advance(self, day: int) -> None:
        """Compute the weeks up to the one of a day of the world."""
        for week in range(len(self._discontent), day // p.DAYS_PER_WEEK + 1):
            self._step(week)

    def discontent(self, day: int) -> np.ndarray:
        """Discontent in the week of a day, of the customers signed up by its end."""
        self.advance(day)
        return self._discontent[day // p.DAYS_PER_WEEK][: self._population.count(day)]

    def remaining(self, day: int) -> np.ndarray:
        """Share of their use that leavers still have at noon of a day: 1 for those who stay."""
        if day not in self._remaining:
            self.advance(day)
            count = self._population.count(day)
            since = day + 0.5 - self.leaving_from[:count]
            if len(self._remaining) > _KEPT_DAYS:
                self._remaining.pop(next(iter(self._remaining)))
            self._remaining[day] = decay(since, self._population.decay_days[:count])
        return self._remaining[day]

    def away(self, day: int) -> np.ndarray:
        """Factor of use of a week's absences, of the customers signed up by the end of the day."""
        count = self._population.count(day)
        draws = generator(self._population.seed, "away", day // p.DAYS_PER_WEEK).random(count)
        absent = (draws < p.AWAY_CHANCE) & ~self._population.is_bot[:count]
        return np.where(absent, p.AWAY_FACTOR, 1.0)

    def season(self, day: int) -> float:
        """Factor of use of the calendar: week, year, holidays and trend."""
        when = self._first_day + timedelta(days=day - p.LEAD_DAYS)
        yearly = 1.0 + 0.05 * math.cos(2 * math.pi * (when.timetuple().tm_yday - 20) / 365.25)
        trend = 1.0 + 0.02 * (day - p.LEAD_DAYS) / 365.25
        holiday = _HOLIDAYS.get((when.month, when.day), 1.0)
        season = float(_WEEKDAY_FACTORS[when.weekday()]) * yearly * holiday * max(trend, 0.5)
        return season if self._seasons is None else season * self._seasons.common(day, when)

    def weekend(self, day: int) -> np.ndarray:
        """Factor of use of the weekday for each customer, 1 on average over a week."""
        factor = self._population.weekend[: self._population.count(day)]
        when = self._first_day + timedelta(days=day - p.LEAD_DAYS)
        norm = 7.0 / (5.0 + 2.0 * factor)
        return factor * norm if when.weekday() >= 5 else norm

    def rate(self, day: int) -> np.ndarray:
        """Expected sessions of those signed up by the end of a day, without `premium_upgrade`."""
        rate, factor = self.usual(day), self.influence(day, day)
        if factor is None:
            return rate.copy()
        return np.where(self._population.is_bot[: len(rate)], rate, rate * factor)

    def influence(self, known: int, day: int) -> np.ndarray | None:
        """What multiplies the expected sessions of a day, see `Influence`; not those of bots."""
        product: np.ndarray | None = None
        for influence in self.influences:
            factor = influence.factor(known, day)
            if factor is not None:
                product = factor if product is None else product * factor
        return product

    def usual(self, day: int) -> np.ndarray:
        """Expected sessions without any influence, kept for the influences that ask for them."""
        if day not in self._usual:
            if len(self._usual) > _KEPT_DAYS:
                self._usual.pop(next(iter(self._usual)))
            self._usual[day] = self._usual_rate(day)
        return self._usual[day]

    def hazard_factor(self, known: int, day: int) -> np.ndarray | None:
        """What multiplies the hazard of leaving on a day, given the offers made by another."""
        if self._offers is None:
            return None
        self.advance(known)
        week = p.DAYS_PER_WEEK
        return self._offers.hazard_factor(known // week, day // week, self._population.count(known))

    def _usual_rate(self, day: int) -> np.ndarray:
        count = self._population.count(day)
        mood = np.exp(-self._population.sensitivity[:count] * self.discontent(day))
        living = self._population.rate[:count] * mood * self.remaining(day) * self.away(day)
        rate = living * self.weekend(day) * self.season(day)
        return np.where(self._population.is_bot[:count], p.BOT_RATE, rate)

    def _step(self, week: int) -> None:
        people = self._population
        first = week * p.DAYS_PER_WEEK
        count = people.count(first + p.DAYS_PER_WEEK - 1)
        noise = generator(people.seed, "discontent", week).standard_normal(count, np.float32)
        before = self._discontent[-1] if self._discontent else np.empty(0, np.float32)
        discontent = self._mean[:count] + np.float32(p.DISCONTENT_START) + noise
        old = len(before)
        discontent[:old] = next_discontent(before, self._mean[:old], noise[:old])
        self._discontent.append(discontent)
        clock = generator(people.seed, "leaving", week).standard_exponential(count)
        risk = hazard(people.hazard[:count], discontent)
        if self._offers is not None:
            self._offers.make(week, discontent, np.isfinite(self.leaving_from))
            offered_factor = self._offers.hazard_factor(week, week, count)
            risk = risk if offered_factor is None else risk * offered_factor
        wait = clock / np.maximum(risk, 1e-12)
        starts = np.flatnonzero((wait < 1.0) & np.isinf(self.leaving_from[:count]))
        begun = first + p.DAYS_PER_WEEK * wait[starts]
        self.leaving_from[starts] = np.maximum(begun, people.signed_up[starts] + 0.5)


def next_discontent(discontent: np.ndarray, mean: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Discontent of the week after, given standard normal noise."""
    spread = np.float32(math.sqrt(1.0 - p.DISCONTENT_PERSISTENCE**2))
    carried = np.float32(p.DISCONTENT_PERSISTENCE) * (discontent - mean)
    following: np.ndarray = mean + carried + spread * noise
    return following


def hazard(content: np.ndarray, discontent: np.ndarray) -> np.ndarray:
    """Rate a week of beginning to leave, given the rate when content."""
    rate: np.ndarray = content * np.exp(p.HAZARD_DISCONTENT * discontent)
    return rate


def decay(days_since: np.ndarray, decay_days: np.ndarray) -> np.ndarray:
    """Share of their use left to leavers some days after they began to leave."""
    scaled = days_since / decay_days
    left = np.ones(len(scaled))
    left[scaled > p.GONE_AFTER_DECAYS] = 0.0
    falling = np.flatnonzero((scaled > 0.0) & (scaled <= p.GONE_AFTER_DECAYS))
    left[falling] = np.exp(-scaled[falling])
    return left
