"""Weights of rows: checking them, rows that weigh anything, and weighed quantiles.

Belongs here: what `sample_weight` of every estimator of a table means. Does not belong here: what
is learnt by weights (the estimators).
"""

# ruff: noqa: N803 - X is scikit-learn's name for a table of features

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import _check_sample_weight, check_consistent_length

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.tables import as_column, as_table


def checked_weights(sample_weight: ArrayLike, rows: Any) -> Floats:
    """Return the weights of rows as floats.

    Raises:
        ValueError: When a weight is null, infinite or under 0, when all are 0, or when there are
            not as many weights as rows.
    """
    weights: Floats = _check_sample_weight(
        sample_weight, rows, dtype=np.float64, ensure_non_negative=True
    )
    return weights


def weighed_rows(
    X: Any, y: ArrayLike, groups: ArrayLike | None, sample_weight: ArrayLike | None
) -> tuple[pd.DataFrame, ArrayLike, ArrayLike | None, Floats | None]:
    """Return table, targets and groups of the rows that weigh anything, and their weights.

    Only how weights compare counts: they are brought to a mean of 1, at which the penalties of the
    trees and the calibrator's pseudo-rows mean what they do without weights. Equal ones are none.

    Args:
        X: n x f numbers, booleans, text or categories.
        y: n targets or labels.
        groups: n names, or None.
        sample_weight: n weights, or None where the rows weigh alike.

    Raises:
        TypeError: When X is sparse.
        ValueError: When there are not as many targets or groups as rows, or as `checked_weights`
            does.
    """
    table = as_table(X)
    if sample_weight is None:
        return table, y, groups, None
    weights = checked_weights(sample_weight, table)
    targets = as_column(y)
    check_consistent_length(table, targets, groups)
    use = weights > 0.0
    weights = weights[use]
    return (
        table[use],
        targets[use],
        None if groups is None else np.asarray(groups)[use],
        None if weights.min() == weights.max() else weights / weights.mean(),
    )


def that_weigh(values: Any, sample_weight: ArrayLike | None) -> Any:
    """Return what stands beside the rows that `weighed_rows` returns: a table or an array.

    Raises:
        ValueError: When there are not as many values as weights.
    """
    if values is None or sample_weight is None:
        return values
    check_consistent_length(values, sample_weight)
    use = np.asarray(sample_weight, dtype=np.float64) > 0.0
    return values[use] if isinstance(values, pd.DataFrame) else np.asarray(values)[use]


def taken(values: Floats | None, rows: NDArray[Any]) -> Floats | None:
    """Return the values of some rows, or None where there are none."""
    return None if values is None else values[rows]


def quantile(values: Floats, level: float | Sequence[float], weights: Floats | None) -> Any:
    """Return quantiles of n values; of weighed ones a value itself, none between two."""
    if weights is None:
        return np.quantile(values, level)
    return np.quantile(values, level, weights=weights, method="inverted_cdf")
