"""Which causes of behaviour a world has, beside the customers' own lives.

Belongs here: the switches and what two worlds are called. Does not belong here: what a cause does
(`trials.py`, `offers.py`, `nudges.py`, `reminders.py`, `seasons.py`).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from engagement_assets.source.simulator.population import Population
from engagement_assets.source.simulator.randomness import generator


@dataclass(frozen=True, kw_only=True)
class Causes:
    """The causes of a world.

    Attributes:
        experiments: Whether there are experiments and a campaign beside `premium_upgrade`.
        offers: Whether retention offers are made.
        notifications: Whether notifications bring customers back, tire them and drive some away.
        actions: Whether the next best actions are taken, and change what customers do later.
        calendar: Whether there is a moving holiday, a level shift, and locations that differ.
        time_zones: Whether customers live by the clocks of their own time zones.
        holdout_share: Share of customers, drawn at sign-up, whom the company leaves alone: no
            experiment, action, offer or notification; 0 for none.
        strength: What the effects of experiments (but `premium_upgrade`), actions and offers, and
            the chance that a notification causes a session, are multiplied with; 0 is a world in
            which all of it is done in vain.

    Raises:
        ValueError: The share is not one, or the strength is negative.
    """

    experiments: bool = True
    offers: bool = True
    notifications: bool = True
    actions: bool = True
    calendar: bool = True
    time_zones: bool = True
    holdout_share: float = 0.05
    strength: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.holdout_share <= 1.0:
            raise ValueError(f"holdout_share is {self.holdout_share}, expected 0 to 1")
        if self.strength < 0.0:
            raise ValueError(f"strength is {self.strength}, expected 0 or more")


CAUSES = Causes()
PLAIN = Causes(
    experiments=False,
    offers=False,
    notifications=False,
    actions=False,
    calendar=False,
    time_zones=False,
    holdout_share=0.0,
)
VARIANTS = {"causes": CAUSES, "plain": PLAIN}


class Influence(Protocol):
    """A cause that multiplies the expected sessions of a day."""

    def factor(self, known: int, day: int) -> np.ndarray | None:
        """Factors of a day of the customers signed up by the end of the day `known`.

        Args:
            known: Day of the world up to whose end everything is known, not after `day`.
            day: Day of the world.

        Returns:
            One factor a customer, or None where it is 1 for everybody.
        """
        ...


def held_out(population: Population, share: float) -> np.ndarray:
    """Whether each customer is in the global holdout."""
    draws = generator(population.seed, "holdout").random(population.size)
    out: np.ndarray = draws < share
    return out
