"""The experiment `premium_upgrade`: who is in it, and what it does to engagement.

Belongs here: assignment, and the session rate at which expected daily engagement is as much higher
as the effect says. Does not belong here: rows of tables (`campaigns.py`).

Daily engagement is ``1 - exp(-(minutes / 30 + actions / 10))``. Sessions are Poisson with rate L
and what is done in each is independent, so its expectation is ``1 - exp(-L * k)`` with
``k = 1 - E[exp(-contribution of one session)]``. The effect is added by solving for L.
"""

import numpy as np

from engagement_assets.source.simulator import parameters as p
from engagement_assets.source.simulator.life import LifeCourses
from engagement_assets.source.simulator.population import Population
from engagement_assets.source.simulator.randomness import generator


def session_weight(population: Population) -> np.ndarray:
    """The constant k of each customer: what one session does to log(1 - engagement)."""
    nodes, shares = np.polynomial.hermite_e.hermegauss(31)
    lengths = np.exp(p.DURATION_SIGMA * nodes) / p.MINUTES_SCALE
    quiet = np.zeros(population.size)
    for length, share in zip(lengths, shares / shares.sum(), strict=True):
        quiet += share * np.exp(-population.minutes * length)
    actions = actions_per_session(population)
    weight: np.ndarray = 1.0 - quiet * np.exp(actions * np.expm1(-1.0 / p.ACTIONS_SCALE))
    return weight


def actions_per_session(population: Population) -> np.ndarray:
    """Expected interactions, messages, posts and joined events of one session."""
    per_session = (
        p.INTERACTIONS_PER_SESSION
        + p.MESSAGES_PER_SESSION
        + p.POSTS_PER_SESSION
        + p.EVENTS_PER_SESSION
    )
    actions: np.ndarray = per_session[population.persona] * p.DEPTH_FACTORS[population.depth]
    return actions


def usual_rate(population: Population) -> np.ndarray:
    """Expected sessions a day of each customer in a usual week, without any influence."""
    mood = population.sensitivity * p.DISCONTENT_MEAN[population.persona]
    usual: np.ndarray = np.where(population.is_bot, p.BOT_RATE, population.rate * np.exp(-mood))
    return usual


class Experiment:
    """Who is treated when, and with what effect.

    Attributes:
        assigned_day: Day of the world on which each customer is assigned if eligible.
        treated_variant: Whether the customer's variant is the treatment.
        nominal_effect: What the treatment would add to expected daily engagement if nothing stood
            in its way, by age at assignment.
        session_weight: The constant k of each customer.
        window: First day of the assignments and the day after their last, days of the world.
        may_be_assigned: Whether each customer is assigned if still there on the day.
    """

    def __init__(
        self, population: Population, life: LifeCourses, held: np.ndarray | None = None
    ) -> None:
        self._population = population
        self._life = life
        start, end = (p.LEAD_DAYS + round(part * population.days) for part in p.EXPERIMENT_WINDOW)
        self.window = (start, end)
        size = population.size
        draws = generator(population.seed, "experiment").random((size, 2))
        self.assigned_day = start + np.floor(draws[:, 0] * max(end - start, 1)).astype(np.int64)
        self.treated_variant = draws[:, 1] < 0.5
        age = (self.assigned_day - population.birth_day) / 365.25
        band = np.maximum(np.searchsorted(p.EFFECT_FROM_AGE, age, side="right") - 1, 0)
        self.nominal_effect = p.EFFECT_BY_AGE[band]
        self.may_be_assigned = (population.signed_up < start) & ~(
            population.is_bot | population.is_occasional
        )
        if held is not None:
            self.may_be_assigned &= ~held
        self.session_weight = session_weight(population)

    def assigned(self, day: int) -> np.ndarray:
        """Customers who are assigned by the end of a day: regular ones who stay."""
        self._life.advance(day)
        count = self._population.count(day)
        when = self.assigned_day[:count]
        stays = self._life.leaving_from[:count] > when
        taken: np.ndarray = self.may_be_assigned[:count] & stays & (when <= day)
        return taken

    def treated(self, day: int) -> np.ndarray:
        """Customers for whom the treatment works on a day: from the day after assignment."""
        count = self._population.count(day)
        since = self.assigned_day[:count] < day
        acts: np.ndarray = self.assigned(day) & self.treated_variant[:count] & since
        return acts

    def rate(self, day: int) -> np.ndarray:
        """Expected sessions of a day with the effect, of those signed up by its end."""
        rate = self._life.rate(day)
        chosen = np.flatnonzero(self.treated(day))
        effect = self.nominal_effect[chosen] * self._life.remaining(day)[chosen]
        effect *= self._life.away(day)[chosen]
        rate[chosen] = lifted(rate[chosen], self.session_weight[chosen], effect)
        return rate


def lifted(rate: np.ndarray, weight: np.ndarray, effect: np.ndarray) -> np.ndarray:
    """Session rate at which expected daily engagement is higher by an effect.

    Args:
        rate: Sessions a day without the effect.
        weight: The constant k of each customer.
        effect: What to add to expected daily engagement.

    Returns:
        The rate with the effect, never lower. Engagement is not lifted over `ENGAGEMENT_CEILING`.
    """
    quiet = np.exp(-rate * weight)
    wanted = np.maximum(quiet - effect, np.minimum(1.0 - p.ENGAGEMENT_CEILING, quiet))
    higher: np.ndarray = -np.log(wanted) / weight
    return higher
