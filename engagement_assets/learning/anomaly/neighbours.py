"""Score rows by the distance to their nearest neighbours in small samples of the training rows.

Belongs here: sampling, distances, attribution, the arrays. Does not belong here: preparing the
table (`preparation.py`).

Method: nearest neighbours in subsamples (LeSiNN, Pang, Ting and Albrecht, ICDM workshops 2015;
Sugiyama and Borgwardt, NeurIPS 2013). A small sample holds few of a rare cluster, so a cluster of
alike cheats is far from its neighbour where nearest neighbours among all rows would be each
other; and its cost grows with the rows, not with their square.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engagement_assets.learning.anomaly.preparation import Matrix

Floats = NDArray[np.float64]

_SAMPLE_ROWS = 64
_ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class SubsampleNeighbours:
    """s samples of training rows.

    Attributes:
        samples: s x m x c values.
        drawn: s x m positions of the sampled rows among the training rows; None after a load, as
            they matter to the training rows alone.
    """

    samples: NDArray[np.float32]
    drawn: NDArray[np.int64] | None = None

    @classmethod
    def fit(cls, matrix: Matrix, *, n_samples: int, seed: int) -> SubsampleNeighbours:
        """Draw the samples from n x c values, of 64 rows or half of all."""
        rng = np.random.default_rng(seed)
        rows = max(1, min(_SAMPLE_ROWS, len(matrix) // 2))
        drawn = np.stack(
            [rng.choice(len(matrix), size=rows, replace=False) for _ in range(n_samples)]
        )
        return cls(matrix[drawn], drawn)

    def score(self, matrix: Matrix, *, training: bool = False) -> Floats:
        """Mean distance of n rows to their nearest neighbours.

        Args:
            matrix: n x c values.
            training: Whether they are the training rows, in order: a row is then no neighbour of
                itself.
        """
        return self._measure(matrix, training=training, attribute=False)[0]

    def attribute(self, matrix: Matrix) -> Floats:
        """Mean squared difference from the nearest neighbours of n rows in each of c columns."""
        return self._measure(matrix, training=False, attribute=True)[1]

    def _measure(self, matrix: Matrix, *, training: bool, attribute: bool) -> tuple[Floats, Floats]:
        n = len(matrix)
        total = np.zeros(n)
        parts = np.zeros((n if attribute else 0, matrix.shape[1]))
        own = np.einsum("ij,ij->i", matrix, matrix)
        for number, sample in enumerate(self.samples):
            theirs = np.einsum("ij,ij->i", sample, sample)
            for start in range(0, n, _ROWS_AT_ONCE):
                part = matrix[start : start + _ROWS_AT_ONCE]
                squared = theirs - 2.0 * (part @ sample.T)
                if training and self.drawn is not None:
                    drawn = self.drawn[number]
                    inside = (drawn >= start) & (drawn < start + len(part))
                    squared[drawn[inside] - start, inside] = np.inf
                nearest = squared.argmin(axis=1)
                least = squared[np.arange(len(part)), nearest] + own[start : start + len(part)]
                total[start : start + len(part)] += np.sqrt(np.maximum(least, 0.0))
                if attribute:
                    parts[start : start + len(part)] += (part - sample[nearest]) ** 2
        return total / len(self.samples), parts / len(self.samples)
