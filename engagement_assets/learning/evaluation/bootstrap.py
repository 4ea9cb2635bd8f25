"""Bootstrap intervals over rows.

Belongs here: the interval type and the resampling that every metric shares. Does not belong here:
what is being estimated (`metrics`, `fairness`).

Intervals are percentile bootstraps (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
chapter 13).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.json_data import JsonData

# share of the samples below an interval of 95 %, and above it
_TAIL = (1.0 - 0.95) / 2.0

# a statistic that takes the weight of each row
Weighted = Callable[[Floats], float]


@dataclass(frozen=True)
class Interval(JsonData):
    """An estimate and its interval.

    Attributes:
        value: The estimate on the whole sample.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


def resamples(
    n: int, *, n_bootstrap: int, seed: int, groups: ArrayLike | None = None
) -> Iterator[Floats]:
    """Yield how often each of n rows is drawn, for each resample.

    With `groups`, n names, whole groups are drawn: rows of one person are no further evidence.
    """
    rng = np.random.default_rng(seed)
    codes = None if groups is None else pd.factorize(np.asarray(groups))[0]
    units = n if codes is None else int(codes.max(initial=-1)) + 1
    for _ in range(n_bootstrap):
        drawn = np.bincount(rng.integers(0, units, size=units), minlength=units)
        yield (drawn if codes is None else drawn[codes]).astype(np.float64)


def interval(value: float, samples: ArrayLike) -> Interval:
    """Return the 95 % percentile interval of bootstrap samples.

    Args:
        value: The estimate on the whole sample.
        samples: Its values on the resamples; those that are no numbers are left out.
    """
    drawn = np.asarray(samples, dtype=np.float64)
    drawn = drawn[np.isfinite(drawn)]
    if not drawn.size:
        return Interval(float(value), math.nan, math.nan)
    low, high = np.quantile(drawn, [_TAIL, 1.0 - _TAIL])
    return Interval(float(value), float(low), float(high))


def bootstrap(
    statistics: Callable[[Floats], Sequence[float] | Floats],
    *,
    rows: int,
    n_bootstrap: int,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> list[Interval]:
    """Return the intervals of k statistics over the same resamples.

    Args:
        statistics: From n weights to k values.
        rows: n.
        n_bootstrap: Number of resamples; 0 gives intervals of NaN.
        seed: Seed of the resamples.
        groups: n names of what is drawn as a whole, or None where each row is.
    """
    values = statistics(np.ones(rows))
    weights = resamples(rows, n_bootstrap=n_bootstrap, seed=seed, groups=groups)
    draws = [statistics(one) for one in weights]
    samples = np.array(draws, dtype=np.float64).reshape(n_bootstrap, len(values))
    return [interval(value, samples[:, i]) for i, value in enumerate(values)]


def bootstrapped(
    scores: Mapping[str, Weighted],
    *,
    rows: int,
    n_bootstrap: int,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> dict[str, Interval]:
    """Return the interval of each named statistic; see `bootstrap`."""
    intervals = bootstrap(
        lambda weights: [score(weights) for score in scores.values()],
        rows=rows,
        n_bootstrap=n_bootstrap,
        seed=seed,
        groups=groups,
    )
    return dict(zip(scores, intervals, strict=True))


def ratio(numerator: Floats, denominator: Floats) -> Weighted:
    """Return the weighted sum of one over that of the other, NaN where the latter is 0."""

    def weighted(weights: Floats) -> float:
        below = float(np.dot(weights, denominator))
        return float(np.dot(weights, numerator)) / below if below else math.nan

    return weighted


def mean(values: Floats) -> Weighted:
    """Return the weighted mean of n values."""
    return ratio(values, np.ones_like(values))
