"""Retention offers: made by chance to the discontent, they keep some who would leave.

Belongs here: who is made which offer, who accepts, and what that does to the hazard of leaving.
Does not belong here: discontent and leaving (`life.py`).

In every week a quarter of the customers is looked at, each customer in every fourth week. Who is
discontent is offered nothing (logged as the offer `none`) or one of three things, by lot. Who
accepts has, in that week and the three after it, a smaller hazard of leaving.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from engagement_assets.source.simulator import parameters as p
from engagement_assets.source.simulator import tables
from engagement_assets.source.simulator.causes import Causes
from engagement_assets.source.simulator.population import Population
from engagement_assets.source.simulator.randomness import generator

OFFERS = ("none", "discount", "free_month", "personal_call")
OFFER_CHANCES = np.array([0.4, 0.2, 0.2, 0.2])
COST_USD = np.array([0.0, 3.0, 9.99, 15.0])
_ACCEPTED = np.array([0.0, 0.40, 0.35, 0.25])
_PAYERS_ACCEPT = 1.5
# Share of the hazard of leaving that an accepted offer takes away.
_KEEPS = np.array([0.0, 0.5, 0.6, 0.8])
_LASTS_WEEKS = 4
_EVERY_WEEKS = 4
_DISCONTENT = 1.0
_ANSWER_MEDIAN_HOURS, _ANSWER_WITHIN_HOURS = 3.0, 48.0
FIRST_WEEK = -(-p.LEAD_DAYS // p.DAYS_PER_WEEK)


@dataclass(frozen=True)
class _Made:
    """The offers of a week."""

    customer: np.ndarray
    kind: np.ndarray  # index into `OFFERS`
    accepted: np.ndarray


class Offers:
    """The offers of any week, made in the order of the weeks."""

    def __init__(self, population: Population, causes: Causes, held: np.ndarray) -> None:
        self._population = population
        self._strength = causes.strength
        self._on = causes.offers
        self._may = ~(population.is_bot | held)
        self._made: dict[int, _Made] = {}

    def make(self, week: int, discontent: np.ndarray, leaving: np.ndarray) -> None:
        """Make the offers of a week, given everybody's discontent and who leaves already."""
        if not self._on or week < FIRST_WEEK:
            return
        people = self._population
        count = people.count(week * p.DAYS_PER_WEEK - 1)
        draws = generator(people.seed, "offers", week).random((count, 2))
        looked_at = (np.arange(count) + week) % _EVERY_WEEKS == 0
        stays = self._may[:count] & ~leaving[:count]
        customer = np.flatnonzero(looked_at & stays & (discontent[:count] > _DISCONTENT))
        draws = draws[customer]
        kind = np.searchsorted(np.cumsum(OFFER_CHANCES)[:-1], draws[:, 0], side="right")
        pays = np.where(people.payment_chance[customer] > 0, _PAYERS_ACCEPT, 1.0)
        self._made[week] = _Made(customer, kind, draws[:, 1] < _ACCEPTED[kind] * pays)

    def hazard_factor(self, known: int, week: int, count: int) -> np.ndarray | None:
        """What the hazard of leaving in a week is multiplied with, given the offers up to another.

        Returns:
            One factor for each of the first `count` customers, or None where it is 1 for everybody.
        """
        factor: np.ndarray | None = None
        for made_in in range(max(week - _LASTS_WEEKS + 1, FIRST_WEEK), min(known, week) + 1):
            made = self._made.get(made_in)
            if made is None:
                continue
            factor = np.ones(count) if factor is None else factor
            who = made.customer[made.accepted]
            factor[who] *= np.maximum(1.0 - self._strength * _KEEPS[made.kind[made.accepted]], 0.0)
        return factor

    def rows(self, day: int, first_day: date) -> pa.Table:
        """The rows of table `retention_offers`: all of a week are made on its first day."""
        week, days_into = divmod(day, p.DAYS_PER_WEEK)
        if days_into or week not in self._made:
            return tables.empty("retention_offers")
        made = self._made[week]
        count = len(made.customer)
        rng = generator(self._population.seed, "offer_rows", week)
        seconds = (10.0 + 8.0 * rng.random(count)) * 3_600.0
        hours = _ANSWER_MEDIAN_HOURS * np.exp(rng.standard_normal(count))
        answer = seconds + np.minimum(hours, _ANSWER_WITHIN_HOURS) * 3_600.0
        return tables.build(
            "retention_offers",
            {
                "offer_id": tables.numbered_ids(f"o{day}-", count),
                "customer_id": self._population.named(made.customer),
                "occurred_at": tables.timestamps(first_day, day, seconds),
                "offer": tables.labels(OFFERS, made.kind),
                "cost_usd": COST_USD[made.kind],
                "propensity": OFFER_CHANCES[made.kind],
                "accepted_at": tables.timestamps(first_day, day, answer, made.accepted),
            },
        )
