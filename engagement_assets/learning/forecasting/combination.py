"""Weights of methods, from their errors at origins whose truth is known.

Belongs here: weights and who earns one. Does not belong here: the methods, intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.optimize import nnls

from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.forecasting.panel import Floats

# Origins under which nobody earns a weight, and those of a block of the bootstrap.
LEAST_ORIGINS, BLOCK = 40, 14
_RESAMPLES = 500
# How much weights are held to those by error alone, and how much those prefer the lesser error.
_HELD, _SELECTIVE = 0.1, 4


@dataclass(frozen=True)
class Weights:
    """Weights of methods.

    Attributes:
        values: m weights that sum to 1.
        earned: By costly method, what it takes from the mean absolute error with its interval, as
            a share of that error; it has weight where the whole interval is above 0. None where
            there are too few origins to say.
    """

    values: Floats
    earned: dict[str, Interval | None]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data."""
        earned = {name: one and one.to_dict() for name, one in self.earned.items()}
        return {"values": self.values.tolist(), "earned": earned}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave."""
        earned = {name: one and Interval.from_dict(one) for name, one in data["earned"].items()}
        return cls(np.array(data["values"]), earned)


def weigh(errors: Floats, *, names: Sequence[str], must_earn: Sequence[bool], seed: int) -> Weights:
    """Return the weights that make the error least, costly methods only where they earn it.

    A costly method is admitted where, learnt on the first half of the origins, weights with it err
    less on the second half than weights without it, beyond chance.

    Args:
        errors: m x s x k x h errors, on one scale; NaN where a method has none.
        names: Names of the m methods.
        must_earn: Which of them are costly.
        seed: Seed of the resamples.
    """
    there = np.atleast_1d(~np.isnan(errors).all(axis=(1, 2, 3)))
    base = [m for m in range(len(names)) if there[m] and not must_earn[m]]
    costly = [m for m in range(len(names)) if there[m] and must_earn[m]]
    admitted = list(base)
    earned: dict[str, Interval | None] = {}
    origins, horizon = errors.shape[2], errors.shape[3]
    for method in costly:
        if origins < LEAST_ORIGINS:
            earned[names[method]] = None
            continue
        half = origins // 2
        # the truth of the first half is known before the second begins
        first, second = errors[:, :, : half - horizon + 1], errors[:, :, half:]
        without, together = _least(first, base), _least(first, [*base, method])
        losses = [
            np.abs(np.tensordot(weights, np.nan_to_num(second), axes=1)).mean(axis=(0, 2))
            for weights in (without, together)
        ]
        gain = block_interval(losses[0] - losses[1], scale=float(losses[0].mean()), seed=seed)
        earned[names[method]] = gain
        if gain.low > 0.0:
            admitted.append(method)
    return Weights(_least(errors, admitted), earned)


def _least(errors: Floats, admitted: Sequence[int]) -> Floats:
    """Weights of at least 0 with sum 1 that make the mean squared error least, somewhat held.

    They are held to weights by the inverse of the squared errors' fourth power: among methods of
    about the same error the least squares' weights are mostly noise, and such weights are nearly
    equal; a method that is better by far has nearly all of them.
    """
    m = len(errors)
    weights = np.zeros(m)
    flat = errors[list(admitted)].reshape(len(admitted), -1)
    square = flat @ flat.T / flat.shape[1]
    own = np.diag(square)
    if own.min() <= 0.0:
        # without errors, or without any of one
        weights[list(admitted)] = (own <= 0.0) / (own <= 0.0).sum()
        return weights
    near = (own.min() / own) ** _SELECTIVE
    near = near / near.sum()
    root = np.linalg.cholesky(square / own.mean() + _HELD * np.eye(len(admitted))).T
    sides = np.r_[np.linalg.solve(root.T, _HELD * near), 1e3]
    best, _ = nnls(np.vstack([root, np.full(len(admitted), 1e3)]), sides)
    weights[list(admitted)] = best / best.sum()
    return weights


def block_interval(
    values: Floats, *, scale: float = 1.0, seed: int, block: int = BLOCK
) -> Interval:
    """Return the mean of a series over a scale with its 95 % interval by a moving-block bootstrap.

    Neighbouring origins forecast the same days, so whole blocks are drawn (Künsch 1989).
    """
    n = len(values)
    block = min(block, max(n // 3, 1))
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, n - block + 1, (_RESAMPLES, -(-n // block)))
    places = (starts[:, :, None] + np.arange(block)).reshape(_RESAMPLES, -1)[:, :n]
    means = values[places].mean(axis=1)
    scale = scale or 1.0
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()) / scale, float(low) / scale, float(high) / scale)
