"""Explaining sums: Shapley values are additive, so those of the parts add up.

Belongs here: contributions of several boosters together, and of a term beside the trees. Does not
belong here: computing them (`explanations`).
"""

# ruff: noqa: N803 - X is scikit-learn's name for a table of features

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.learning.explanations.explanation import Explanation
from engagement_assets.learning.explanations.shap_values import explain, rank_correlations


def explain_sum(
    models: Sequence[Any], X: pd.DataFrame, *, n_jobs: int | None = None, seed: int = 0
) -> Explanation:
    """Explain every row of a sum of margins: Shapley values are additive, so they add up.

    Args:
        models: Boosters of one output, over the same columns.
        X: n x f numbers as `explain` takes them.
        n_jobs: Threads of XGBoost, None for all cores.
        seed: Seed of the sample of rows that is compared.

    Raises:
        ValueError: When there are no models or rows, or columns are not those of a booster.
    """
    if not models:
        raise ValueError("there is no model to explain")
    parts = [explain(model, X, n_jobs=n_jobs, seed=seed) for model in models]
    if len(parts) == 1:
        return parts[0]
    stacked = np.stack([part.contributions for part in parts])
    total = np.asarray(stacked.sum(axis=0), dtype=np.float32)
    reasons = [part.fallback_reason for part in parts if part.fallback_reason]
    matrix = np.ascontiguousarray(X.to_numpy(dtype=np.float32, na_value=np.nan))
    return replace(
        parts[0],
        contributions=total,
        base_value=sum(part.base_value for part in parts),
        method=" + ".join(dict.fromkeys(part.method for part in parts)),
        additivity_error=sum(part.additivity_error for part in parts),
        fallback_reason="; ".join(reasons) or None,
        rank_correlation=rank_correlations(matrix, total, seed),
        seconds=sum(part.seconds for part in parts),
    )


def add_term(
    explanation: Explanation,
    X: pd.DataFrame,
    *,
    feature: str,
    term: NDArray[np.float64],
    mean: float,
    seed: int = 0,
) -> Explanation:
    """Add a term that depends on one feature alone: all of it is that feature's contribution.

    Args:
        explanation: Of the n rows of the trees, without the term.
        X: The n rows as they were explained.
        feature: The feature.
        term: n values of the term.
        mean: Its mean over the training rows, which goes to the base value.
        seed: Seed of the sample of rows for the rank correlation.
    """
    place = explanation.features.index(feature)
    contributions = explanation.contributions.copy()
    contributions[:, place] += (term - mean).astype(np.float32)
    matrix = np.ascontiguousarray(X.to_numpy(dtype=np.float32, na_value=np.nan))
    return replace(
        explanation,
        contributions=contributions,
        base_value=explanation.base_value + mean,
        rank_correlation=rank_correlations(matrix, contributions, seed),
    )
