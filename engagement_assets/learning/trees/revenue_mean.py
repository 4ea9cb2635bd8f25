"""From the margins of trees to money: means, quantiles, and the zero of most rows.

Belongs here: pure arithmetic of the candidates and of quantiles with an atom at 0. Does not belong
here: training (`revenue.py`) or conformal calibration (`evaluation.quantiles`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from engagement_assets.learning.evaluation.binary import Floats, as_weights
from engagement_assets.learning.json_data import JsonData
from engagement_assets.learning.weights import quantile, taken

HURDLE, TWEEDIE, SQUARED = "hurdle", "tweedie", "squared"
CANDIDATES = (HURDLE, TWEEDIE, SQUARED)
# exp of more would be beyond any money
_LOG_LIMIT = 30.0
# Shares at which the predictions are cut into bins to be calibrated; most of the money is on top.
BIN_EDGES = (0.3, 0.6, 0.8, 0.9, 0.94, 0.97, 0.99)


@dataclass(frozen=True)
class Learning:
    """What a candidate for the mean learns.

    Attributes:
        objective: Objective of XGBoost.
        target: n targets.
        use: n booleans: the rows it learns from.
        log_link: Whether its margin is the logarithm of an amount.
    """

    objective: str
    target: Floats
    use: NDArray[np.bool_]
    log_link: bool

    def start(self, offset: Floats | None) -> tuple[Floats | None, dict[str, Any]]:
        """Return the margins that trees start from, and what XGBoost must be told of it."""
        if offset is None or not self.log_link:
            return None, {}
        # A base score of 1 is a margin of 0, so the trees' own margins need nothing added.
        return offset, {"base_score": 1.0}


@dataclass(frozen=True)
class Prior(JsonData):
    """How a rough guess of the amount becomes an offset of a log link.

    Attributes:
        typical: What an unknown guess is taken for: the mean of those above 0.
        least: What a guess of 0 or less is taken for: the least above 0.
        mean_offset: Mean offset of the training rows.
    """

    typical: float
    least: float
    mean_offset: float

    @classmethod
    def fit(cls, guess: Floats, *, name: str, weights: Floats | None = None) -> Prior:
        """Learn it from n guesses, weighed or not, of a column of this name; NaN for unknown.

        Raises:
            ValueError: When no guess is above 0.
        """
        known = guess > 0.0
        if not known.any():
            raise ValueError(f"the prior {name!r} has no value above 0")
        typical = float(np.average(guess[known], weights=taken(weights, known)))
        raw = cls(typical, float(guess[known].min()), 0.0)
        mean_offset = float(np.average(raw.offset(guess), weights=weights))
        return cls(raw.typical, raw.least, mean_offset)

    def offset(self, guess: Floats) -> Floats:
        """Return the logarithm of each of n guesses."""
        filled = np.where(np.isnan(guess), self.typical, guess)
        logs: Floats = np.log(np.maximum(filled, self.least))
        return logs


@dataclass(frozen=True)
class MeanCalibration(JsonData):
    """A rising map from a candidate's amount to the amount that out-of-fold rows paid.

    Trees that start from a prior, or that are few, leave many rows a little that pay nothing.
    The mean amount in bins of the prediction, made rising by isotonic regression, says how much it
    is; between bins it is interpolated, beyond the last the ratio of the last is kept.

    Attributes:
        knots: Mean prediction of each bin, rising, from 0.
        values: Amount of each, rising.
    """

    knots: tuple[float, ...]
    values: tuple[float, ...]

    @classmethod
    def fit(
        cls, amounts: Floats, predicted: Floats, *, weights: Floats | None = None
    ) -> MeanCalibration:
        """Learn it from n amounts and as many out-of-fold predictions, not negative.

        The mean of the map over the predictions is the mean amount, both weighed by the n weights.
        """
        edges = np.unique(quantile(predicted, BIN_EDGES, weights))
        part = np.searchsorted(edges, predicted, side="right")
        weighs = as_weights(weights, rows=len(amounts))
        size = np.bincount(part, weights=weighs)
        there = size > 0
        mean, paid = (
            np.bincount(part, weights=values * weighs)[there] / size[there]
            for values in (predicted, amounts)
        )
        rising = np.maximum(isotonic_regression(paid, weights=size[there]).x, 0.0)
        knots, values = np.r_[0.0, mean], np.r_[0.0, rising]
        if mean[0] <= 0.0:
            knots, values = knots[1:], values[1:]
        raw = cls(tuple(knots.tolist()), tuple(values.tolist()))
        total = float((raw(predicted) * weighs).sum())
        factor = max(float((amounts * weighs).sum()), 0.0) / total if total > 0.0 else 0.0
        return cls(raw.knots, tuple((factor * values).tolist()))

    def __call__(self, predicted: Floats) -> Floats:
        """Return the expected amount of each of n predictions."""
        knots, values = np.array(self.knots), np.array(self.values)
        ratio = values[-1] / knots[-1] if knots[-1] > 0.0 else 1.0
        inside = np.interp(predicted, knots, values)
        amounts: Floats = np.where(predicted > knots[-1], predicted * ratio, inside)
        return amounts


def learning(
    name: str, amounts: Floats, *, cut_off: float, weights: Floats | None = None
) -> Learning:
    """Return what a candidate learns from n amounts.

    Args:
        name: One of `CANDIDATES`.
        amounts: n amounts, some above 0.
        cut_off: For `squared`, the quantile of the payers' amounts that greater ones are set to.
        weights: n weights, by which that quantile is taken; None where the rows weigh alike.
    """
    pays = amounts > 0.0
    if name == HURDLE:
        # The others are not learnt from; 1 keeps the gamma loss defined.
        return Learning("reg:gamma", np.where(pays, amounts, 1.0), pays, log_link=True)
    everybody = np.ones(len(amounts), dtype=bool)
    if name == TWEEDIE:
        return Learning("reg:tweedie", np.maximum(amounts, 0.0), everybody, log_link=True)
    limit = float(quantile(amounts[pays], cut_off, taken(weights, pays)))
    return Learning("reg:squarederror", np.minimum(amounts, limit), everybody, log_link=False)


def expected(name: str, margin: Floats, chance: Floats) -> Floats:
    """Return the n expected amounts of a candidate, before scaling; never negative.

    Args:
        name: One of `CANDIDATES`.
        margin: n margins of its trees.
        chance: n chances of paying, which only the hurdle uses.
    """
    if name == SQUARED:
        direct: Floats = np.maximum(margin, 0.0)
        return direct
    amount: Floats = np.exp(np.minimum(margin, _LOG_LIMIT))
    return chance * amount if name == HURDLE else amount


def signed_log(amounts: Floats) -> Floats:
    """sign(y) log(1 + |y|): monotone, and tame in the tail."""
    logs: Floats = np.sign(amounts) * np.log1p(np.abs(amounts))
    return logs


def from_margins(margins: Floats, chance: Floats, *, levels: tuple[float, ...]) -> Floats:
    """Return the n x k quantiles in money, rising, at 0 where the chance says so.

    Args:
        margins: n x k quantiles in signed logarithms.
        chance: n chances of an amount above 0.
        levels: The k levels, rising.
    """
    size = np.expm1(np.minimum(np.abs(margins), _LOG_LIMIT))
    money = np.sign(margins) * size
    return at_zero(money, money, chance, levels=levels)


def at_zero(
    quantiles: Floats, before: Floats, chance: Floats, *, levels: tuple[float, ...]
) -> Floats:
    """Set quantiles to 0 that the chance of not paying reaches, and let none cross.

    A quantile is 0 where its level lies within the chance of an amount of 0 or less, unless it was
    moved above 0 by a conformal shift; and nobody who is likely to pay has one under 0.

    Args:
        quantiles: n x k quantiles.
        before: The same before a shift.
        chance: n chances of an amount above 0.
        levels: The k levels, rising.
    """
    none = (1.0 - chance)[:, None] >= np.array(levels)
    raised = quantiles > np.maximum(before, 0.0)
    zero = np.where(none & ~raised, 0.0, np.maximum(quantiles, 0.0))
    rising: Floats = np.sort(zero, axis=1)
    return rising


def like(quantiles: Floats, edges: list[float]) -> NDArray[np.object_]:
    """Name the group of each of n rows by its quantiles at 0 and the size of the greatest.

    Args:
        quantiles: n x k quantiles, rising.
        edges: Edges of the size, rising.
    """
    zeros = (quantiles <= 0.0).sum(axis=1)
    size = np.searchsorted(np.asarray(edges, dtype=np.float64), quantiles[:, -1], side="right")
    size = np.where(zeros == quantiles.shape[1], 0, size)
    names = [f"{zero} at zero, size {part}" for zero, part in zip(zeros, size, strict=True)]
    return np.array(names, dtype=object)
