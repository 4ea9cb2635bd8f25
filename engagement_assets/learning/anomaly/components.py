"""Fit the unsupervised detectors together on one prepared matrix.

Belongs here: fitting them, their scores and whose fault a score is, their arrays. Does not belong
here: each of them (`neighbours.py`, `tails.py`) and what a score
means (`calibration.py`).

They fail in different ways: the neighbours see what is far from everybody, the tails what is
extreme in many columns. Measured by `benchmarks.anomaly`. Where sides are declared
(`kinds.KindRules`), a third looks at them alone: it knows which way cheating goes, which the two
cannot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engagement_assets.learning.anomaly.neighbours import SubsampleNeighbours
from engagement_assets.learning.anomaly.preparation import Matrix
from engagement_assets.learning.anomaly.tails import DirectedTails, TailProbabilities

Floats = NDArray[np.float64]

NEIGHBOURS, TAILS = COMPONENTS = ("neighbours", "tails")
TRACES = "traces"


@dataclass(frozen=True)
class Components:
    """The fitted detectors.

    Attributes:
        neighbours: The neighbours in subsamples.
        tails: The empirical tails.
        traces: The declared sides, or None where none are declared.
    """

    neighbours: SubsampleNeighbours
    tails: TailProbabilities
    traces: DirectedTails | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of those that are there, `traces` last."""
        return COMPONENTS if self.traces is None else (*COMPONENTS, TRACES)

    @classmethod
    def fit(
        cls,
        matrix: Matrix,
        *,
        neighbour_samples: int,
        sides: Sequence[tuple[int, bool]],
        seed: int,
    ) -> Components:
        """Fit all on n x c values; `sides` are columns and whether their upper side is a trace."""
        tails = TailProbabilities.fit(matrix)
        return cls(
            SubsampleNeighbours.fit(matrix, n_samples=neighbour_samples, seed=seed),
            tails,
            _directed(tails, sides),
        )

    def score(self, matrix: Matrix, *, training: bool = False) -> Floats:
        """Give n x m raw scores in the order of `names`; higher is odder.

        Args:
            matrix: n x c values.
            training: Whether they are the training rows, in order.
        """
        return np.column_stack(
            [
                self.neighbours.score(matrix, training=training),
                self.tails.score(matrix),
                *([] if self.traces is None else [self.traces.score(matrix)]),
            ]
        )

    def shares(self, matrix: Matrix) -> dict[str, Floats]:
        """For each detector, the share of each of n x c values in the row's oddness.

        A row's shares are not negative and sum to 1. Where a detector finds nothing at all they are
        equal.
        """
        parts = {
            NEIGHBOURS: self.neighbours.attribute(matrix),
            TAILS: self.tails.attribute(matrix),
        }
        if self.traces is not None:
            # Less what a value in the middle has.
            parts[TRACES] = self.traces.attribute(matrix) - np.log(2.0)
        return {name: positive_shares(part) for name, part in parts.items()}

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that was learnt as named arrays."""
        parts: dict[str, Mapping[str, NDArray[Any]]] = {
            NEIGHBOURS: {"samples": self.neighbours.samples},
            TAILS: vars(self.tails),
            TRACES: {}
            if self.traces is None
            else {"columns": self.traces.columns, "high": self.traces.high},
        }
        return {
            f"{part}/{name}": np.ascontiguousarray(array)
            for part, arrays in parts.items()
            for name, array in arrays.items()
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Components:
        """Read what `to_arrays` gave."""

        def of(part: str) -> dict[str, NDArray[Any]]:
            ours = f"{part}/"
            return {n[len(ours) :]: a for n, a in arrays.items() if n.startswith(ours)}

        tails, sides = TailProbabilities(**of(TAILS)), of(TRACES)
        return cls(
            SubsampleNeighbours(**of(NEIGHBOURS)),
            tails,
            None if not sides else DirectedTails(tails, sides["columns"], sides["high"]),
        )


def _directed(tails: TailProbabilities, sides: Sequence[tuple[int, bool]]) -> DirectedTails | None:
    if not sides:
        return None
    columns, high = zip(*sides, strict=True)
    return DirectedTails(tails, np.array(columns, dtype=np.int64), np.array(high, dtype=bool))


def positive_shares(parts: NDArray[Any]) -> Floats:
    """Share of each of n x c values in the sum of its row's positive ones; equal if none is."""
    positive = np.maximum(parts.astype(np.float64), 0.0)
    total = positive.sum(axis=1, keepdims=True)
    even = np.full_like(positive, 1.0 / positive.shape[1])
    shares: Floats = np.divide(positive, total, out=even, where=total > 0)
    return shares
