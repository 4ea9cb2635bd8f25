"""Calibrate raw scores by how rare they are among the training rows.

Belongs here: the map from a raw score to surprise, and from surprise to the score in 0 to 1. Does
not belong here: making raw scores (the components) or probabilities of a label
(`engagement_assets.learning.evaluation.calibration`).

The surprise of a score is minus the log of the share of the training rows that scored as high: 0
for the lowest, ln 100 for the one in a hundred. Components of any scale become alike by it, and a
mean of surprises is Fisher's way to combine tail probabilities (Statistical Methods for Research
Workers, 1925): one component that is sure outweighs three that are not. Beyond the highest
training score it goes on along a straight line, so that odder is always higher.

The score is 1 - exp(-g * surprise) with g such that the one in `1 / review_share` scores 0.9. With
a share of 0.01 that is 1 - sqrt(tail): 0.29 for the median row, 0.68 for the one in ten, 0.9
for the one in a hundred, 0.97 for the one in a thousand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_MOST_KNOTS = 1500
_ALL_OF_THE_TOP = 500
# The tail that the line beyond the highest score takes its slope from.
_TAIL_SHARE = 0.05


@dataclass(frozen=True)
class TailRank:
    """A map from raw score to surprise, learnt from n training scores.

    Attributes:
        scores: Rising raw scores at the knots.
        surprises: Their surprises in nats.
        scale: Raw score beyond the last knot that is worth one nat.
    """

    scores: Floats
    surprises: Floats
    scale: float

    @classmethod
    def fit(cls, training_scores: ArrayLike) -> TailRank:
        """Learn from n finite scores."""
        ordered = np.sort(np.asarray(training_scores, dtype=np.float64))
        values, first = np.unique(ordered, return_index=True)
        n = len(ordered)
        surprises = -np.log((n - first) / (n + 1.0))
        if len(values) > _MOST_KNOTS:
            lower = np.linspace(0, len(values) - _ALL_OF_THE_TOP - 1, _MOST_KNOTS - _ALL_OF_THE_TOP)
            stored = np.r_[
                np.unique(np.round(lower).astype(np.int64)),
                np.arange(len(values) - _ALL_OF_THE_TOP, len(values)),
            ]
            values, surprises = values[stored], surprises[stored]
        # Mean excess of a tail that falls off exponentially is its scale.
        tail = ordered[-max(2, round(n * _TAIL_SHARE)) :]
        excess = float((tail - tail[0]).mean()) or float(np.ptp(ordered))
        return cls(values, surprises, excess or 1.0)

    def __call__(self, scores: ArrayLike) -> Floats:
        """The n surprises in nats, never negative."""
        s = np.asarray(scores, dtype=np.float64)
        beyond = np.maximum(s - self.scores[-1], 0.0) / self.scale
        out: Floats = np.interp(s, self.scores, self.surprises) + beyond
        return out

    def to_dict(self) -> dict[str, Any]:
        """Return the map as JSON data."""
        return {
            "scores": self.scores.tolist(),
            "surprises": self.surprises.tolist(),
            "scale": self.scale,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TailRank:
        """Read what `to_dict` wrote."""
        return cls(np.array(data["scores"]), np.array(data["surprises"]), float(data["scale"]))


def score_of(surprise: ArrayLike, *, review_share: float, flag_above: float = 0.9) -> Floats:
    """The score in [0, 1) of a surprise; the one in `1 / review_share` scores `flag_above`."""
    rate = np.log(1.0 - flag_above) / np.log(review_share)
    out: Floats = -np.expm1(-rate * np.asarray(surprise, dtype=np.float64))
    return out
