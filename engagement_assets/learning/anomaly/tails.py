"""Score rows by how far out in the tails of the columns they lie.

Belongs here: the empirical tails and their arrays. Does not belong here: preparing the table
(`preparation.py`).

Method: ECOD (Li et al., IEEE TKDE 2022): for each column the share of the training rows at least
as far out on the lower and on the upper side; minus the logs are summed over the columns, lower
sides, upper sides and the rarer of the two apart, and the largest sum is the score. It has no
parameter and no chance in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engagement_assets.learning.anomaly.preparation import Matrix

Floats = NDArray[np.float64]

_MOST_KNOTS = 4096


@dataclass(frozen=True)
class TailProbabilities:
    """The empirical distribution of each of c columns.

    Attributes:
        knots: c x k sorted values: all training values, or evenly spaced order statistics.
    """

    knots: NDArray[np.float32]

    @classmethod
    def fit(cls, matrix: Matrix) -> TailProbabilities:
        """Learn from n x c values."""
        ordered = np.sort(matrix, axis=0)
        if len(ordered) > _MOST_KNOTS:
            at = np.round(np.linspace(0, len(ordered) - 1, _MOST_KNOTS)).astype(np.int64)
            ordered = ordered[at]
        return cls(np.ascontiguousarray(ordered.T))

    def attribute(self, matrix: Matrix) -> Floats:
        """How far each of n x c values is rarer than the column's median, in nats."""
        low, high = self._tails(matrix)
        rarer: Floats = np.maximum(np.maximum(low, high) - np.log(2.0), 0.0)
        return rarer

    def score(self, matrix: Matrix) -> Floats:
        """The largest of the three sums, in nats, for n rows."""
        low, high = self._tails(matrix)
        sums = [side.sum(axis=1) for side in (low, high, np.maximum(low, high))]
        largest: Floats = np.max(sums, axis=0)
        return largest

    def _tails(self, matrix: Matrix) -> tuple[Floats, Floats]:
        low = np.empty(matrix.shape)
        high = np.empty(matrix.shape)
        count = self.knots.shape[1]
        for j, knots in enumerate(self.knots):
            below = np.searchsorted(knots, matrix[:, j], side="right")
            above = count - np.searchsorted(knots, matrix[:, j], side="left")
            low[:, j] = -np.log((below + 1.0) / (count + 2.0))
            high[:, j] = -np.log((above + 1.0) / (count + 2.0))
        return low, high


@dataclass(frozen=True)
class DirectedTails:
    """How far out a row lies on the declared side of some columns: a trace that one knows of.

    Attributes:
        tails: The distributions of all c columns.
        columns: The t columns with a declared side.
        high: For each of the t columns, whether its upper side is meant.
    """

    tails: TailProbabilities
    columns: NDArray[np.int64]
    high: NDArray[np.bool_]

    def attribute(self, matrix: Matrix) -> Floats:
        """Minus the log of the declared tail in nats, 0 in the columns without a side: n x c."""
        low, high = self.tails._tails(matrix)
        out = np.zeros(matrix.shape)
        out[:, self.columns] = np.where(self.high, high[:, self.columns], low[:, self.columns])
        return out

    def score(self, matrix: Matrix) -> Floats:
        """The sum over the columns, in nats, for n rows."""
        total: Floats = self.attribute(matrix).sum(axis=1)
        return total
