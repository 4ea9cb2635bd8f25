"""A table of numbers and categories as a filled, scaled matrix that distances make sense in.

Belongs here: filling nulls, taming tails, scaling, and which matrix column belongs to which
feature. Does not belong here: the encoding of types (`learning.trees.encoder`) or any detector.

* A category becomes its surprise: minus the log of its level's share of the training rows. A rare
  level is large, a level never seen is larger still.
* A number x becomes asinh((x - median) / spread): straight near the median, logarithmic far from
  it, so that a count of ten thousand is far out and yet does not drown every other feature
  (Burbidge, Magee and Robb, JASA 83, 1988).
* A null becomes the median, and a feature that is null for some but not all training rows gets a
  second column that says where it was null; features that are null for the same rows share one.
* Every column is then centred, divided by its standard deviation and cut at 8 of them.

A column without two values in training says nothing about who is unlike the rest: it is left out
and named in `left_out`.
"""

# ruff: noqa: N803, N806 - X is scikit-learn's name for a table of features

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.learning.tables import as_table
from engagement_assets.learning.trees.encoder import CATEGORY, TableEncoder

Matrix = NDArray[np.float32]

FARTHEST = 8.0
_QUARTILES_OF_A_NORMAL = 1.349


@dataclass(frozen=True)
class Preparation:
    """How rows become a matrix of c columns.

    Attributes:
        encoder: From table to numbers.
        surprises: For each category feature, the surprise of its levels in nats, most frequent
            first, then that of a level not seen.
        columns: For each of the c columns, the feature it comes from and whether it says where
            that feature was null.
        medians: c values that fill a null.
        spreads: c spreads of the asinh; 1 for a column that says where a feature was null.
        means: c means after the asinh.
        deviations: c standard deviations after the asinh.
        left_out: Features without two values in the training rows.
    """

    encoder: TableEncoder
    surprises: dict[str, list[float]]
    columns: tuple[tuple[str, bool], ...]
    medians: NDArray[np.float64]
    spreads: NDArray[np.float64]
    means: NDArray[np.float64]
    deviations: NDArray[np.float64]
    left_out: tuple[str, ...]

    @property
    def features(self) -> list[str]:
        """All features of the table, in order, those left out included."""
        return self.encoder.features

    @property
    def owners(self) -> NDArray[np.int64]:
        """For each column the position of its feature among `features`."""
        position = {name: i for i, name in enumerate(self.features)}
        return np.array([position[name] for name, _ in self.columns], dtype=np.int64)

    @classmethod
    def fit(cls, X: pd.DataFrame) -> Preparation:
        """Learn the encoding and the scales.

        Args:
            X: n x f numbers, booleans, text or categories; nulls allowed.

        Raises:
            TypeError: X is sparse or a column is of a type that cannot be used.
            ValueError: X is empty, has infinite values, or no column has two values.
        """
        X = as_table(X)
        encoder = TableEncoder.fit(X)
        surprises = {name: _surprises(X[name], encoder.levels[name]) for name in encoder.levels}
        numbers = _numbers(encoder, surprises, X)
        columns, learnt, left_out = [], [], []
        patterns: set[bytes] = set()
        for i, name in enumerate(encoder.features):
            value = numbers[:, i]
            null = np.isnan(value)
            known = value[~null]
            varies = known.size > 0 and known.min() < known.max()
            if varies:
                columns.append((name, False))
                learnt.append(_scales(value, float(np.median(known)), _spread(known)))
            # What is null together counts once: ten means of no session are one fact, not ten.
            new = null.tobytes() not in patterns
            if null.any() and not null.all() and new:
                patterns.add(null.tobytes())
                columns.append((name, True))
                learnt.append(_scales(null.astype(np.float64), 0.0, 1.0))
            elif not varies:
                left_out.append(name)
        if not columns:
            raise ValueError(
                "no column has two different values: nothing can be unlike the rest; "
                f"columns: {encoder.features}"
            )
        scales = np.array(learnt, dtype=np.float64)
        medians, spreads, means, deviations = scales.T
        return cls(
            encoder,
            surprises,
            tuple(columns),
            medians,
            spreads,
            means,
            deviations,
            tuple(left_out),
        )

    def transform(self, X: pd.DataFrame) -> Matrix:
        """Prepare rows.

        Args:
            X: n rows with at least the features, in any order.

        Returns:
            n x c float32 without null, cut at `FARTHEST` either way.

        Raises:
            TypeError: X is sparse or a column has changed its type.
            ValueError: X is empty, lacks features or has infinite values; they are named.
        """
        X = as_table(X, self.features)
        numbers = _numbers(self.encoder, self.surprises, X)
        out = np.empty((len(X), len(self.columns)), dtype=np.float32)
        for j, ((_, says_null), owner) in enumerate(zip(self.columns, self.owners, strict=True)):
            value = numbers[:, owner]
            null = np.isnan(value)
            value = null.astype(np.float64) if says_null else np.where(null, self.medians[j], value)
            bent = np.arcsinh((value - self.medians[j]) / self.spreads[j])
            scaled = (bent - self.means[j]) / self.deviations[j]
            out[:, j] = np.clip(scaled, -FARTHEST, FARTHEST)
        return out

    def by_feature(self, shares: NDArray[Any]) -> NDArray[np.float64]:
        """Sum n x c values of columns into n x f values of features."""
        out = np.zeros((len(shares), len(self.features)))
        for j, owner in enumerate(self.owners):
            out[:, owner] += shares[:, j]
        return out

    def to_dict(self) -> dict[str, Any]:
        """Return the preparation as JSON data."""
        return {
            "encoder": self.encoder.to_dict(),
            "surprises": self.surprises,
            "columns": [list(column) for column in self.columns],
            "medians": self.medians.tolist(),
            "spreads": self.spreads.tolist(),
            "means": self.means.tolist(),
            "deviations": self.deviations.tolist(),
            "left_out": list(self.left_out),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Preparation:
        """Read what `to_dict` wrote."""
        return cls(
            TableEncoder.from_dict(data["encoder"]),
            {str(name): [float(v) for v in values] for name, values in data["surprises"].items()},
            tuple((str(name), bool(says_null)) for name, says_null in data["columns"]),
            **{
                name: np.array(data[name], dtype=np.float64)
                for name in ("medians", "spreads", "means", "deviations")
            },
            left_out=tuple(data["left_out"]),
        )


def _surprises(values: pd.Series, levels: list[str]) -> list[float]:
    known = values.dropna()
    counts = known.astype(str).value_counts()
    # One more imagined row, of a level not seen.
    seen = [float(counts.get(level, 0)) for level in levels]
    return [-float(np.log(max(count, 1.0) / (len(known) + 1.0))) for count in [*seen, 1.0]]


def _numbers(
    encoder: TableEncoder, surprises: Mapping[str, list[float]], X: pd.DataFrame
) -> NDArray[np.float64]:
    numbers = encoder.transform(X).astype(np.float64)
    for i, (name, kind) in enumerate(encoder.kinds.items()):
        if kind == CATEGORY:
            known = ~np.isnan(numbers[:, i])
            numbers[known, i] = np.array(surprises[name])[numbers[known, i].astype(np.int64)]
    return numbers


def _spread(known: NDArray[np.float64]) -> float:
    """A spread that half of the values being equal does not make 0."""
    low, high = np.quantile(known, [0.25, 0.75])
    if high > low:
        return float(high - low) / _QUARTILES_OF_A_NORMAL
    away = np.abs(known - np.median(known))
    return float(np.median(away[away > 0]))


def _scales(
    value: NDArray[np.float64], median: float, spread: float
) -> tuple[float, float, float, float]:
    filled = np.where(np.isnan(value), median, value)
    bent = np.arcsinh((filled - median) / spread)
    return median, spread, float(bent.mean()), float(bent.std())
