"""Bootstrap intervals over rows.

Belongs here: the interval type and the resampling that every metric shares. Does not belong here:
what is being estimated (`metrics`, `fairness`).

Intervals are percentile bootstraps (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
chapter 13).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from engagement_assets.learning.evaluation.binary import Floats


@dataclass(frozen=True)
class Interval:
    """An estimate and its bootstrap interval.

    Attributes:
        value: The estimate on the whole sample.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """Return the three numbers as JSON data."""
        return {"value": self.value, "low": self.low, "high": self.high}

    @classmethod
    def from_dict(cls, data: Mapping[str, float]) -> Interval:
        """Read what `to_dict` wrote."""
        return cls(float(data["value"]), float(data["low"]), float(data["high"]))

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


def resamples(n: int, *, n_bootstrap: int, seed: int) -> Iterator[Floats]:
    """Yield how often each of n rows is drawn, for each resample."""
    rng = np.random.default_rng(seed)
    for _ in range(n_bootstrap):
        yield np.bincount(rng.integers(0, n, size=n), minlength=n).astype(np.float64)


def interval(value: float, samples: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """Percentile interval of bootstrap samples; samples that are not numbers are left out.

    Args:
        value: The estimate on the whole sample.
        samples: Its values on the resamples.
        confidence: Share of the samples inside the interval, in (0, 1).
    """
    drawn = np.asarray(samples, dtype=np.float64)
    drawn = drawn[np.isfinite(drawn)]
    if not drawn.size:
        return Interval(float(value), math.nan, math.nan)
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    return Interval(float(value), float(low), float(high))
