"""Whom to treat with a budget, and what that brings.

Belongs here: choosing by effect over cost, and the value of a choice. Does not belong here: the
effects (`estimator.py`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engagement_assets.learning.effects.nuisances import mean_interval
from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.bootstrap import Interval


def within_budget(
    priority: Floats,
    cost: Floats | float,
    *,
    budget: float,
    allowed: NDArray[np.bool_] | None = None,
    seed: int = 0,
) -> NDArray[np.bool_]:
    """Return which of n rows are treated: the highest priorities whose costs the budget pays.

    Args:
        priority: n priorities, such as the effect over the cost.
        cost: n costs of treating, or one for all, above 0.
        budget: The most that is spent.
        allowed: n booleans: who may be treated; None for all.
        seed: Seed of the order of ties.

    Raises:
        ValueError: A cost is not above 0, or the budget is below.
    """
    costs = np.broadcast_to(np.asarray(cost, dtype=np.float64), priority.shape)
    if not (costs > 0.0).all() or budget < 0.0:
        raise ValueError("costs must be above 0 and the budget at least 0")
    may = np.ones(len(priority), np.bool_) if allowed is None else allowed
    ties = np.random.default_rng(seed).random(len(priority))
    order = np.lexsort((ties, -priority))
    order = order[may[order]]
    paid = np.cumsum(costs[order]) <= budget * (1.0 + 1e-12)
    chosen = np.zeros(len(priority), dtype=np.bool_)
    # the first that the budget does not pay ends it: none after it was better
    chosen[order[: int(paid.sum())]] = True
    return chosen


def policy_gain(scores: Floats, chosen: ArrayLike, *, level: float = 0.95) -> Interval:
    """Return what treating the chosen brings, a row of all, with its interval.

    Args:
        scores: n doubly robust scores of rows that neither effects nor policy learnt from.
        chosen: n booleans, or n chances of being treated.
        level: Share of intervals that cover.
    """
    return mean_interval(scores * np.asarray(chosen, dtype=np.float64), level=level)


def policy_advantage(
    scores: Floats, chosen: ArrayLike, others: ArrayLike, *, level: float = 0.95
) -> Interval:
    """Return how much more one policy brings than another, a row of all, with its interval."""
    difference = np.asarray(chosen, dtype=np.float64) - np.asarray(others, dtype=np.float64)
    return mean_interval(scores * difference, level=level)
