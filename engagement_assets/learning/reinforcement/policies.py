"""Policies of timing that need no learning of what comes later.

Belongs here: what a learnt policy is compared with. Does not belong here: learnt policies.
"""

from __future__ import annotations

import numpy as np

from engagement_assets.learning.reinforcement.timing import (
    Bools,
    Ints,
    Policy,
    Situation,
    TimingProblem,
)


def uniform_over(mask: Bools, rng: np.random.Generator) -> Ints:
    """Return an allowed action of each of n rows, all as likely."""
    drawn: Ints = np.where(mask, rng.random(mask.shape), -1.0).argmax(axis=1)
    return drawn


def at_random(seed: int, *, not_today: float | None = None) -> Policy:
    """Do anything that is allowed.

    Args:
        seed: Of the draws.
        not_today: Chance of not sending; that of any other action when None.
    """
    rng = np.random.default_rng(seed)

    def policy(now: Situation) -> Ints:
        if not_today is None:
            return uniform_over(now.mask, rng)
        rest = rng.random(len(now.mask)) < not_today
        send = now.mask.copy()
        send[:, -1] &= rest | (send.sum(axis=1) == 1)
        send[rest, :-1] = False
        return uniform_over(send, rng)

    return policy


def always_now(now: Situation) -> Ints:
    """Send at once, or as soon as is allowed."""
    first: Ints = now.mask.argmax(axis=1)
    return first


def best_hour(problem: TimingProblem, *, every_days: float = 0.0) -> Policy:
    """Send at the allowed hour at which the unit is used most.

    Args:
        problem: Where its habit stands in an observation.
        every_days: Least days since the last send; else it is not sent today.
    """

    def policy(now: Situation) -> Ints:
        habit = now.observation[:, problem.habit_columns]
        allowed = now.mask[:, :-1] & (now.memory.since >= 24.0 * every_days)[:, None]
        best = np.where(allowed, habit, -np.inf).argmax(axis=1)
        chosen: Ints = np.where(allowed.any(axis=1), best, problem.not_today)
        return chosen

    return policy
