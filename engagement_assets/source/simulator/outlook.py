"""What is to be expected of customers in the days to come, given all causes at the end of a day.

Belongs here: expected engagement of the next days and expected revenue of the next months,
averaged over futures. Does not belong here: the chance of silence (`forecast.py`), the tables
(`truth.py`).

A future is a path of discontent. For engagement the week of leaving and absences are drawn with it,
since daily engagement bends. Revenue is linear in use, so leaving is summed over exactly along each
path (Rao-Blackwell). Simplifications of the revenue, all small: who begins to leave in a week does
so in its middle; the experiment lifts leavers in proportion to the use they have left; who is to be
assigned still is treated with a chance of a half, from the middle of the experiment on.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from engagement_assets.source.simulator import parameters as p
from engagement_assets.source.simulator.commerce import (
    BILLING_DAYS,
    expected_payments_per_session,
)
from engagement_assets.source.simulator.experiment import Experiment, lifted
from engagement_assets.source.simulator.life import LifeCourses, decay, hazard, next_discontent
from engagement_assets.source.simulator.population import (
    PREMIUM_WAIT_DAYS,
    Population,
)
from engagement_assets.source.simulator.randomness import generator
from engagement_assets.source.simulator.reminders import Reminders, with_caused

# A subscription is let go when a twentieth of the use is left.
_LET_GO_DECAYS = float(-np.log(0.05))
_AWAY_SHARE = 1.0 - p.AWAY_CHANCE * (1.0 - p.AWAY_FACTOR)


class Outlook:
    """Expectations of all customers signed up by the end of a day.

    Of their lives nothing after the day is used.
    """

    def __init__(
        self,
        population: Population,
        life: LifeCourses,
        experiment: Experiment,
        day: int,
        reminders: Reminders | None = None,
    ) -> None:
        self._people = population
        self._life = life
        self._experiment = experiment
        self._day = day
        self._count = count = population.count(day)
        self._mean = p.DISCONTENT_MEAN[population.persona[:count]].astype(np.float32)
        self._now = life.discontent(day)
        self._bot = population.is_bot[:count]
        self._tau = population.decay_days[:count]
        known = life.leaving_from[:count] < day + 1
        self._leaving = np.where(known, life.leaving_from[:count], np.inf)
        self._caused = np.zeros(count) if reminders is None else reminders.expected(day)
        self._influences: dict[int, np.ndarray | float] = {}
        self._weight = experiment.session_weight[:count]
        self._effect = np.where(self._bot, 0.0, experiment.nominal_effect[:count])

    def _discontents(
        self, stream: str, path: int, weeks: int
    ) -> Iterator[tuple[np.ndarray, np.random.Generator]]:
        """Discontent of the running week and of those after it, on a random path."""
        rng = generator(self._people.seed, stream, self._day, path)
        discontent = self._now
        for week in range(weeks):
            if week:
                noise = rng.standard_normal(self._count, np.float32)
                discontent = next_discontent(discontent, self._mean, noise)
            yield discontent, rng

    def engagement(self, *, days: int, paths: int) -> np.ndarray:
        """Expected mean daily engagement over some days, one number a customer."""
        ahead = np.arange(self._day + 1, self._day + 1 + days)
        first_week = self._day // p.DAYS_PER_WEEK
        weeks = int(ahead[-1]) // p.DAYS_PER_WEEK - first_week + 1
        treated = self._experiment.assigned(self._day)
        treated = treated & self._experiment.treated_variant[: self._count]
        effect = np.where(treated, self._effect, 0.0)
        total = np.zeros(self._count)
        for path in range(paths):
            leaving = self._leaving.copy()
            for week, (discontent, rng) in enumerate(
                self._discontents("truth/future_engagement", path, weeks)
            ):
                clock, absent = rng.standard_exponential(self._count), rng.random(self._count)
                away = np.where((absent < p.AWAY_CHANCE) & ~self._bot, p.AWAY_FACTOR, 1.0)
                start = max((first_week + week) * p.DAYS_PER_WEEK, self._day + 1)
                end = (first_week + week + 1) * p.DAYS_PER_WEEK
                if week == 0:
                    away = self._life.away(self._day)
                wait = clock / np.maximum(self._hazard(discontent) * self._kept(start), 1e-12)
                begun = start + p.DAYS_PER_WEEK * wait
                leaving = np.where(np.isinf(leaving) & (begun < end), begun, leaving)
                for day in ahead[(ahead >= start) & (ahead < end)]:
                    share = decay(day + 0.5 - leaving, self._tau) * away
                    rate = (
                        self._rate(discontent) * share * self._life.weekend(int(day))[: self._count]
                    )
                    rate = rate * self._influence(int(day))
                    rate = np.where(self._bot, p.BOT_RATE, rate * self._life.season(int(day)))
                    real = lifted(rate, self._weight, effect * share)
                    total += 1.0 - np.exp(-real * self._weight)
        return total / (paths * days)

    def revenue(self, *, days: int, paths: int) -> np.ndarray:
        """Expected revenue in USD over some days, refunds taken off, one number a customer."""
        sessions, staying = np.zeros(self._count), None
        spans = self._spans(days)
        for path in range(paths):
            course = [
                self._pass_week(state, span)
                for state, span in self._weeks("truth/future_revenue", path, spans)
            ]
            sessions += np.sum([used for used, _ in course], axis=0)
            stays = np.stack([left for _, left in course])
            staying = stays if staying is None else staying + stays
        assert staying is not None  # noqa: S101 - there is at least one path
        worth = expected_payments_per_session(self._people)[: self._count]
        bills = self._expected_bills(days, spans, staying / paths)
        revenue: np.ndarray = worth * sessions / paths + p.PREMIUM_PRICE_USD * bills
        return revenue

    def _rate(self, discontent: np.ndarray) -> np.ndarray:
        count = self._count
        mood = np.exp(-self._people.sensitivity[:count] * discontent)
        return with_caused(self._people.rate[:count] * mood, self._caused)

    def _influence(self, day: int) -> np.ndarray | float:
        """What multiplies use on a day, as it is known now."""
        if day not in self._influences:
            factor = self._life.influence(self._day, day)
            self._influences[day] = 1.0 if factor is None else factor
        return self._influences[day]

    def _kept(self, day: int) -> np.ndarray | float:
        """What multiplies the hazard of leaving on a day, as it is known now."""
        factor = self._life.hazard_factor(self._day, day)
        return 1.0 if factor is None else factor

    def _hazard(self, discontent: np.ndarray) -> np.ndarray:
        return hazard(self._people.hazard[: self._count], discontent)

    def _spans(self, days: int) -> list["_Span"]:
        ahead = np.arange(self._day + 1, self._day + 1 + days)
        spans = []
        for week in range(self._day // p.DAYS_PER_WEEK, int(ahead[-1]) // p.DAYS_PER_WEEK + 1):
            part = ahead[ahead // p.DAYS_PER_WEEK == week]
            season = float(np.mean([self._life.season(int(d)) for d in part])) if len(part) else 1.0
            start = float(part[0]) if len(part) else float(self._day + 1)
            middle = int(start) + len(part) // 2
            spans.append(
                _Span(
                    start,
                    len(part),
                    season * self._influence(middle),
                    self._kept(int(start)),
                    self._treated_share(start),
                )
            )
        return spans

    def _treated_share(self, day: float) -> np.ndarray:
        """Chance that the treatment works on a day: known, or a half for who may be assigned."""
        known = (
            self._experiment.assigned(self._day) & self._experiment.treated_variant[: self._count]
        )
        share = known.astype(np.float64)
        opens, closes = self._experiment.window
        if opens > self._day and day >= (opens + closes) / 2:
            share[self._experiment.may_be_assigned[: self._count]] = 0.5
        return share

    def _weeks(
        self, stream: str, path: int, spans: list["_Span"]
    ) -> Iterator[tuple["_State", "_Span"]]:
        stayers = np.isinf(self._leaving).astype(np.float64)
        left = np.where(stayers > 0, 0.0, decay(self._day + 1 - self._leaving, self._tau))
        state = _State(stayers, left, self._now)
        for span, (discontent, _) in zip(
            spans, self._discontents(stream, path, len(spans)), strict=True
        ):
            state.discontent = discontent
            yield state, span

    def _pass_week(self, state: "_State", span: "_Span") -> tuple[np.ndarray, np.ndarray]:
        """Expected sessions of a week, and who stays at its end; the state goes on to the next."""
        length, tau = span.length, self._tau
        if length == 0:
            return np.zeros(self._count), state.stayers.copy()
        begins = state.stayers * -np.expm1(
            -length / p.DAYS_PER_WEEK * self._hazard(state.discontent) * span.hazard_factor
        )
        half = length / 2.0
        days_used = state.left * tau * -np.expm1(-length / tau)
        days_used += begins * (half + tau * -np.expm1(-half / tau))
        days_used += (state.stayers - begins) * length
        state.left = state.left * np.exp(-length / tau) + begins * np.exp(-half / tau)
        state.stayers = state.stayers - begins
        plain = self._rate(state.discontent) * span.season
        treated = lifted(plain, self._weight, self._effect)
        rate = plain + span.treated * (treated - plain)
        used = np.where(self._bot, p.BOT_RATE * length, rate * days_used * _AWAY_SHARE)
        return used, state.stayers.copy()

    def _expected_bills(self, days: int, spans: list["_Span"], staying: np.ndarray) -> np.ndarray:
        """Expected subscriptions paid: every 30 days by those who are premium, from the first."""
        count, ends = self._count, np.array([span.start + span.length for span in spans])
        times = np.r_[float(self._day + 1), ends]
        stays = np.vstack([np.isinf(self._leaving).astype(np.float64), staying])

        def subscribed(moment: float) -> np.ndarray:
            """Chance that a subscription that is there at a moment still runs."""
            began = moment - _LET_GO_DECAYS * self._tau
            column = np.clip(np.searchsorted(times, began, side="right") - 1, 0, len(times) - 2)
            rows = np.arange(count)
            low, high = stays[column, rows], stays[column + 1, rows]
            part = np.clip((began - times[column]) / np.diff(times)[column].clip(1e-9), 0.0, 1.0)
            chance = np.where(began <= times[0], 1.0, low + part * (high - low))
            return np.where(np.isinf(self._leaving), chance, (self._leaving > began) * 1.0)

        since = self._people.premium_from[:count]
        has = since < self._day + 1
        odds = self._people.payment_chance[:count] > 0
        wait = np.where(odds, *PREMIUM_WAIT_DAYS)
        age = self._day + 1 - np.floor(np.where(has, since, 0.0))
        bills = np.zeros(count)
        for ahead in range(days):
            moment = self._day + 1 + ahead
            due = has & (np.mod(age + ahead, BILLING_DAYS) == 0) & (since < self._leaving)
            if due.any():
                bills += due * subscribed(moment + 0.5)
        for week, span in enumerate(spans):
            middle = span.start + span.length / 2.0 - self._day - 1
            joins = np.exp(-middle / wait) * span.length / wait
            # Who has joined for 15 days or more has paid the second time with a chance that grows.
            again = -np.expm1(-max(middle - BILLING_DAYS / 2.0, 0.0) / wait)
            fresh = joins * (stays[week] + stays[week + 1]) / 2.0
            runs = again * span.length / BILLING_DAYS * subscribed(span.start + span.length / 2.0)
            bills += np.where(has, 0.0, fresh + runs)
        return bills


@dataclass
class _Span:
    """The days of a week that lie ahead."""

    start: float  # the first of them
    length: int  # how many
    season: float | np.ndarray  # what multiplies use
    hazard_factor: float | np.ndarray  # what multiplies the hazard of leaving
    treated: np.ndarray  # chance of treatment


@dataclass
class _State:
    """Expected share of stayers, use left to leavers at the start of a week, and discontent."""

    stayers: np.ndarray
    left: np.ndarray
    discontent: np.ndarray
