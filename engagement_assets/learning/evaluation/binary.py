"""Binary labels with scores, checked and ranked: what the metrics and the lift are made from.

Belongs here: the checks of labels, scores and weights, and weighted ranking. Does not belong here:
a metric that a reader would look for (`metrics`).
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.tables import as_column

Floats = NDArray[np.float64]


class OneClassError(TooLittleDataError):
    """Only one class is present where a metric or a model needs both."""


def as_labels(y: ArrayLike, *, both_classes: bool = True) -> Floats:
    """Check binary labels and return them as n floats of 0 and 1.

    Args:
        y: n labels: booleans or the numbers 0 and 1, without nulls.
        both_classes: Whether both classes must be present.

    Raises:
        ValueError: When there are no labels, or one is neither 0 nor 1, or null.
        OneClassError: When `both_classes` and only one class is present.
    """
    series = as_column(y)
    if len(series) == 0:
        raise TooLittleDataError("there are no labels: give at least one row")
    nulls = int(series.isna().sum())
    if nulls:
        raise ValueError(f"{nulls} labels are null: drop the rows whose label is not known yet")
    if not pd.api.types.is_numeric_dtype(series.dtype):
        raise ValueError(f"labels must be the numbers 0 and 1, got {series.iloc[0]!r}")
    labels = series.to_numpy(dtype=np.float64)
    bad = labels[(labels != 0.0) & (labels != 1.0)]
    if bad.size:
        raise ValueError(f"labels must be 0 and 1, got {bad[0]:g}")
    if both_classes and (labels.min() == labels.max()):
        raise OneClassError(
            f"all {len(labels)} labels are {int(labels[0])}, of one class: both classes are needed"
        )
    return labels


def as_two_classes(y: ArrayLike) -> tuple[NDArray, Floats]:
    """Check the labels of two classes of whatever names.

    Args:
        y: n labels: those of `as_labels`, or two other numbers or texts, the second in their order
            being the positive one.

    Returns:
        The two classes, and n floats of 0 and 1.

    Raises:
        OneClassError: When only one class is present.
        ValueError: When there are no labels, some are null, or there are more than two classes.
    """
    series = as_column(y)
    there = series.dropna().unique()
    numeric = pd.api.types.is_numeric_dtype(series.dtype)
    if series.isna().any() or (numeric and (set(there) <= {0, 1} or not np.isfinite(there).all())):
        return np.array([0, 1]), as_labels(series)
    if numeric and (np.asarray(there, dtype=np.float64) % 1.0).any():
        raise ValueError(f"Unknown label type: labels must be classes, got {there[0]:g}")
    classes = np.sort(np.asarray(there))
    if len(classes) > 2:
        raise ValueError(
            "Only binary classification is supported. The labels have "
            f"{len(classes)} classes such as {classes[:3].tolist()}: give one class against the "
            "rest, as 1 and 0"
        )
    if len(classes) == 1:
        raise OneClassError(
            f"all {len(series)} labels are {classes[0]!r}, of one class: both classes are needed"
        )
    return classes, (series == classes[-1]).to_numpy(dtype=np.float64)


def checked(y: ArrayLike, p: ArrayLike, *, both_classes: bool = True) -> tuple[Floats, Floats]:
    """Check labels and as many finite scores; see `as_labels`.

    Raises:
        ValueError: When the two differ in length or a score is not finite.
        OneClassError: When `both_classes` and only one class is present.
    """
    labels = as_labels(y, both_classes=both_classes)
    probability = np.asarray(p, dtype=np.float64)
    if probability.shape != labels.shape:
        raise ValueError(
            f"{labels.shape[0]} labels but probabilities of shape {probability.shape}: "
            "give one probability a label"
        )
    if not np.isfinite(probability).all():
        raise ValueError("probabilities must be finite numbers")
    return labels, probability


def as_weights(weights: ArrayLike | None, *, rows: int) -> Floats:
    """Return the weights of n rows as floats: 1 each where there are none.

    Raises:
        ValueError: When there is not one a row.
    """
    if weights is None:
        return np.ones(rows)
    numbers = np.asarray(weights, dtype=np.float64)
    if numbers.shape != (rows,):
        raise ValueError(f"{rows} rows but weights of shape {numbers.shape}")
    return numbers


class Ranked:
    """Rows sorted once by falling score, so that weighted metrics need no further sort."""

    def __init__(self, y: Floats, p: Floats) -> None:
        self.order = np.argsort(-p, kind="stable")
        self.y = y[self.order]
        self.p = p[self.order]
        self.starts = np.flatnonzero(np.r_[True, np.diff(self.p) != 0.0])
        self._all_distinct = len(self.starts) == len(self.p)

    def _grouped(self, values: Floats) -> Floats:
        return values if self._all_distinct else np.add.reduceat(values, self.starts)

    def cumulative(self, weights: Floats) -> tuple[Floats, Floats]:
        """Count weighted positives and negatives at or above each distinct score, highest first."""
        positives = weights * self.y
        return (
            np.cumsum(self._grouped(positives)),
            np.cumsum(self._grouped(weights - positives)),
        )

    def auc(self, weights: Floats) -> float:
        """Return area under the ROC curve by the trapezoidal rule over distinct scores."""
        true, false = self.cumulative(weights)
        if true[-1] == 0.0 or false[-1] == 0.0:
            return math.nan
        heights = (true + np.r_[0.0, true[:-1]]) / 2.0
        return float(np.dot(np.diff(false, prepend=0.0), heights) / (true[-1] * false[-1]))

    def precision_at_recall(self, weights: Floats, recall: float) -> float:
        """Return precision at the highest score whose recall reaches the target."""
        true, false = self.cumulative(weights)
        if true[-1] == 0.0:
            return math.nan
        at = int(np.searchsorted(true, recall * true[-1] - 1e-9))
        return float(true[at] / (true[at] + false[at]))
