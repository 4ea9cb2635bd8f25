"""Contributions of features to scores, and what is read from them: importance and reasons.

Belongs here: the type, the importance of each feature and the top reasons of each row. Does not
belong here: computing contributions (`shap_values`) and drawing them (`pictures`). Light: nothing
but NumPy and pandas is imported.
"""

# ruff: noqa: N803 - X is scikit-learn's name for a table of features

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Contributions = NDArray[np.float32]

_CLEAR_DIRECTION = 0.3
# So few are put into words cell by cell: looking for each feature's rows takes longer.
_FEW_ROWS = 32


@dataclass(frozen=True)
class Explanation:
    """Contributions of every feature to every score.

    Attributes:
        features: The f feature names, in the order of the columns of `contributions`.
        contributions: n x f contributions in units of the margin (log-odds of a classifier).
        base_value: The margin of nobody in particular; base plus a row's contributions is the
            row's margin.
        method: How the contributions were computed, for people.
        additivity_error: Largest |base + sum of contributions - margin| over the rows.
        rows_checked: Number of rows whose sum was compared with the margin: all.
        fallback_reason: Why the fast method was not used, or None.
        rank_correlation: f Spearman correlations of a feature's encoded value with its
            contribution; NaN where the feature or its contribution is constant.
        seconds: Wall time in seconds.
        data: The n x f values before encoding, for pictures, or None.
    """

    features: tuple[str, ...]
    contributions: Contributions
    base_value: float
    method: str
    additivity_error: float
    rows_checked: int
    fallback_reason: str | None
    rank_correlation: NDArray[np.float64]
    seconds: float
    data: pd.DataFrame | None = None

    def summary(self) -> dict[str, Any]:
        """Return all but the contributions as JSON data, for metadata and model cards."""
        return {
            "method": self.method,
            "base_value": self.base_value,
            "additivity_error": self.additivity_error,
            "rows": len(self.contributions),
            "rows_checked": self.rows_checked,
            "fallback_reason": self.fallback_reason,
            "seconds": round(self.seconds, 3),
        }


def importance_table(explanation: Explanation, *, categories: Collection[str] = ()) -> pd.DataFrame:
    """Rank the features by how much they move scores.

    Args:
        explanation: The explanation of the rows of interest.
        categories: Features whose codes have no order of their own.

    Returns:
        One row a feature, the strongest first: feature, mean_abs_contribution (in units of the
        margin), share (of the sum over features), rank_correlation, direction ("raises" or
        "lowers" when a higher value does so, "mixed", "by category", or "none" for a feature that
        is not used or is constant).
    """
    strength = np.abs(explanation.contributions).mean(axis=0, dtype=np.float64)
    total = float(strength.sum())
    table = pd.DataFrame(
        {
            "feature": explanation.features,
            "mean_abs_contribution": strength,
            "share": strength / total if total else np.zeros_like(strength),
            "rank_correlation": explanation.rank_correlation,
            "direction": [
                "by category" if feature in categories else _direction(correlation)
                for feature, correlation in zip(
                    explanation.features, explanation.rank_correlation, strict=True
                )
            ],
        }
    )
    return table.sort_values(
        "mean_abs_contribution", ascending=False, kind="stable", ignore_index=True
    )


def _direction(correlation: float) -> str:
    if not math.isfinite(correlation):
        return "none"
    if abs(correlation) < _CLEAR_DIRECTION:
        return "mixed"
    return "raises" if correlation > 0 else "lowers"


def top_reasons(
    explanation: Explanation,
    X: pd.DataFrame,
    *,
    typical: Mapping[str, Any],
    k: int = 3,
    only_raising: bool = False,
) -> pd.DataFrame:
    """Give the k features that moved each row's score most.

    Args:
        explanation: Of the n rows of `X`.
        X: n rows as people know them (before encoding), with at least the explained columns.
        typical: A typical value of each feature, such as the median or most frequent one.
        k: Reasons a row, at most the number of features.
        only_raising: Whether to give only features that raised the score; a row with fewer than k
            of them has null in the rest.

    Returns:
        n rows with the index of `X` and for j in 1..k the columns `reason_j_feature`,
        `reason_j_value`, `reason_j_typical` (text; "unknown" for null) and `reason_j_contribution`
        (float32, units of the margin).

    Raises:
        ValueError: When `X` has other rows than the explanation or lacks a feature.
    """
    contributions = explanation.contributions
    if len(X) != len(contributions):
        raise ValueError(f"{len(contributions)} rows were explained but X has {len(X)}")
    missing = [feature for feature in explanation.features if feature not in X.columns]
    if missing:
        raise ValueError(f"X lacks explained features: {missing}")
    k = min(k, len(explanation.features))
    weight = contributions if only_raising else np.abs(contributions)
    first = np.argpartition(-weight, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(weight, first, axis=1), axis=1, kind="stable")
    chosen = np.take_along_axis(first, order, axis=1)
    amount = np.take_along_axis(contributions, chosen, axis=1)
    shown_cells = amount > 0 if only_raising else np.ones_like(amount, dtype=bool)
    values = _texts(X, explanation.features, chosen, shown_cells)

    feature_names = np.array(explanation.features, dtype=object)
    typicals = np.array([as_text(typical.get(f)) for f in explanation.features], dtype=object)
    columns: dict[str, Any] = {}
    for j in range(k):
        shown, at = shown_cells[:, j], chosen[:, j]
        prefix = f"reason_{j + 1}_"
        columns[prefix + "feature"] = _where(shown, feature_names[at])
        columns[prefix + "value"] = values[:, j]
        columns[prefix + "typical"] = _where(shown, typicals[at])
        columns[prefix + "contribution"] = np.where(shown, amount[:, j], np.nan).astype(np.float32)
    return pd.DataFrame(columns, index=X.index)


def _where(shown: NDArray[np.bool_], texts: NDArray[np.object_]) -> NDArray[np.object_]:
    out: NDArray[np.object_] = np.full(len(shown), None, dtype=object)
    out[shown] = texts[shown]
    return out


def _texts(
    X: pd.DataFrame,
    features: tuple[str, ...],
    chosen: NDArray[np.intp],
    shown: NDArray[np.bool_],
) -> NDArray[np.object_]:
    out: NDArray[np.object_] = np.full(chosen.shape, None, dtype=object)
    if len(X) <= _FEW_ROWS:
        for row, place in zip(*np.nonzero(shown), strict=True):
            out[row, place] = as_text(X[features[chosen[row, place]]].iloc[row])
        return out
    # Only the picked values are formatted, one feature at a time.
    for i, feature in enumerate(features):
        rows, places = np.nonzero((chosen == i) & shown)
        if rows.size:
            picked = X[feature].iloc[rows]
            texts = {value: as_text(value) for value in picked.dropna().unique()}
            out[rows, places] = [texts.get(value, "unknown") for value in picked.tolist()]
    return out


def as_text(value: Any) -> str:
    """Write a feature's value for people: "unknown" for null, three figures of a fraction."""
    if value is None or value is pd.NA or value is pd.NaT or value != value:  # noqa: PLR0124 - NaN
        return "unknown"
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, float, np.integer, np.floating)):
        number = float(value)
        if number.is_integer():
            return f"{number:.0f}"
        if abs(number) >= 100.0:
            return f"{number:.1f}"
        return f"{number:.3g}"
    return str(value)
