"""What the world knows of its customers and the platform must not see.

Belongs here: the true causes and the probabilities that follow from them. Does not belong here:
any row of a contract table.
"""

from datetime import date

import numpy as np
import pyarrow as pa

from engagement_assets.source.simulator import parameters as p
from engagement_assets.source.simulator import tables
from engagement_assets.source.simulator.commerce import (
    expected_payments_per_session,
    subscribers_due,
)
from engagement_assets.source.simulator.experiment import Experiment, lifted, usual_rate
from engagement_assets.source.simulator.forecast import Forecast
from engagement_assets.source.simulator.life import LifeCourses
from engagement_assets.source.simulator.outlook import Outlook
from engagement_assets.source.simulator.population import HOUR_HABITS, Population
from engagement_assets.source.simulator.randomness import generator
from engagement_assets.source.simulator.reminders import Reminders

_PATHS = 48


class Truth:
    """The truth about customers on any day."""

    def __init__(
        self,
        population: Population,
        life: LifeCourses,
        experiment: Experiment,
        first_day: date,
        reminders: Reminders | None = None,
    ) -> None:
        self._population = population
        self._life = life
        self._experiment = experiment
        self._first_day = first_day
        self._reminders = reminders

    def customers(self, day: int) -> pa.Table:
        """Causes of every customer signed up by the end of a day, see `Simulator`."""
        people = self._population
        count = people.count(day)
        assigned = self._experiment.assigned(day)
        typical = usual_rate(people)[:count]
        weight = self._experiment.session_weight[:count]
        nominal = np.where(people.is_bot[:count], 0.0, self._experiment.nominal_effect[:count])
        plain = 1.0 - np.exp(-typical * weight)
        with_it = 1.0 - np.exp(-lifted(typical, weight, nominal) * weight)
        leaving = self._life.leaving_from[:count]
        known = leaving < day + 1
        variant = self._experiment.treated_variant[:count].astype(np.int64)
        whole = np.where(known, np.floor(leaving), 0.0)
        rest = np.where(known, leaving - whole, 0.0) * p.SECONDS_PER_DAY
        columns = {
            "customer_id": people.named(np.arange(count)),
            "persona": tables.labels(p.PERSONAS, people.persona[:count]),
            "is_bot": pa.array(people.is_bot[:count]),
            "is_fraud": pa.array(people.is_fraud[:count]),
            "community": pa.array(people.community[:count]),
            "hour_habit": tables.labels(HOUR_HABITS, people.habit[:count]),
            "favourite_category": tables.labels(p.CATEGORIES, people.favourite[:count]),
            "expected_daily_sessions": pa.array(typical),
            "expected_daily_engagement": pa.array(plain),
            "expected_session_revenue_usd": pa.array(expected_payments_per_session(people)[:count]),
            "leaving_from": tables.timestamps(self._first_day, whole, rest, known),
            "utc_offset_hours": pa.array(people.utc_offset[:count]),
            "experiment_variant": pa.array(["control", "treatment"]).take(
                pa.array(variant, mask=~assigned)
            ),
            "nominal_effect": pa.array(nominal),
            "expected_effect": pa.array(with_it - plain),
        }
        return pa.table(columns)

    def engagement(self, day: int) -> pa.Table:
        """Expected daily engagement of a day, as it is and in either variant."""
        count = self._population.count(day)
        weight = self._experiment.session_weight[:count]
        plain = self._life.rate(day)
        scale = self._life.remaining(day) * self._life.away(day)
        scale = np.where(self._population.is_bot[:count], 0.0, scale)
        treated = lifted(plain, weight, self._experiment.nominal_effect[:count] * scale)
        real = self._experiment.rate(day)
        names = ("expected_engagement", "control_engagement", "treated_engagement")
        # At most one session is caused in a day.
        alone = 1.0 - self._caused(day) * weight
        values = [1.0 - np.exp(-rate * weight) * alone for rate in (real, plain, treated)]
        return self._columns(day, **dict(zip(names, values, strict=True)))

    def _caused(self, day: int) -> np.ndarray:
        """Chance that a notification causes a session on a day, by customer."""
        if self._reminders is None:
            return np.zeros(self._population.count(day))
        return self._reminders.chances(day)

    def course(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Expected sessions and revenue in USD over some days, and who stays to their end."""
        count = self._population.count(last)
        sessions, bills = np.zeros(count), np.zeros(count)
        for day in range(first, last + 1):
            rate = self._experiment.rate(day)
            sessions[: len(rate)] += rate + self._caused(day)
            bills[subscribers_due(day, self._population, self._life)] += p.PREMIUM_PRICE_USD
        worth = expected_payments_per_session(self._population)[:count]
        return sessions, worth * sessions + bills, self._life.leaving_from[:count] >= last + 1

    def future_engagement(self, day: int, *, days: int) -> pa.Table:
        """Expected mean daily engagement over the days after a day, given all causes at its end."""
        outlook = Outlook(self._population, self._life, self._experiment, day, self._reminders)
        engagement = outlook.engagement(days=days, paths=_PATHS)
        return self._columns(day, expected_engagement=engagement)

    def future_revenue(self, day: int, *, days: int) -> pa.Table:
        """Expected revenue in USD of the days after a day, given all causes at its end."""
        outlook = Outlook(self._population, self._life, self._experiment, day, self._reminders)
        revenue = outlook.revenue(days=days, paths=_PATHS)
        return self._columns(day, expected_revenue_usd=revenue)

    def _columns(self, day: int, **values: np.ndarray) -> pa.Table:
        everybody = self._population.named(np.arange(self._population.count(day)))
        return pa.table({"customer_id": everybody, **values})

    def churn(self, day: int) -> pa.Table:
        """Probability of no session in the 30 days after a day, given all causes at its end."""
        count = self._population.count(day)
        leaving = self._life.leaving_from[:count]
        # Leavers without a hundredth of a session to come are gone.
        rest = self._population.rate[:count] * self._life.remaining(day)
        gone = (leaving < day + 1) & (rest < 1e-3)
        chance = np.where(self._population.is_bot[:count], 0.0, 1.0)
        for left in (False, True):
            who = np.flatnonzero(((leaving < day + 1) == left) & ~gone & (chance > 0))
            chance[who] = self._average(day, who, left=left)
        return self._columns(day, churn_probability=np.clip(chance, 0.0, 1.0))

    def _average(self, day: int, who: np.ndarray, *, left: bool) -> np.ndarray:
        forecast = Forecast(
            self._population, self._life, self._experiment, day, who, self._reminders
        )
        seed = self._population.seed
        total = np.zeros(len(who))
        for path in range(_PATHS):
            rng = generator(seed, "truth/churn", day, path, int(left))
            total += forecast.quiet_of_leavers(rng) if left else forecast.quiet_of_stayers(rng)
        return total / _PATHS
