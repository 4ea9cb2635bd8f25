"""One score of a customer's health, 0 to 100, and what it is made of.

Belongs here: the score and its parts. Does not belong here: the predictions it is made from.

The score is a weighted sum, so its parts add up exactly and each says how many points it gives:

    health = 100 * (0.35 * stays + 0.30 * engagement + 0.20 * value + 0.15 * ordinary)

`stays` is 1 minus the churn probability, and 0 for a customer without a session in the 30 days
before, whom the churn model does not score; `engagement` and `value` are ranks among all customers
of the day, 0 to 1; `ordinary` is 1 minus the anomaly score. A part that no model predicts yet is
left out and the other weights grow in proportion; `parts` says which are there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

WEIGHTS: Mapping[str, float] = {
    "stays": 0.35,
    "engagement": 0.30,
    "value": 0.20,
    "ordinary": 0.15,
}
SCALE = 100.0


def health_parts(
    predictions: pd.DataFrame, *, weights: Mapping[str, float] = WEIGHTS
) -> pd.DataFrame:
    """Points of each part of the health of customers.

    Args:
        predictions: n customers with `churn_probability` (null where not scored),
            `engagement_score`, `lifetime_value_usd` and `anomaly_score`; a column that is null
            throughout is a part that is not predicted yet.
        weights: Weight of each part.

    Returns:
        n rows, one column a part that is there: points, which add up to the health.

    Raises:
        ValueError: When no part is there, or a weight is negative or all are 0.
    """
    if min(weights.values()) < 0 or sum(weights.values()) <= 0:
        raise ValueError(f"weights must be 0 or more and not all 0, got {dict(weights)}")
    parts: dict[str, pd.Series] = {}
    if predictions["churn_probability"].notna().any():
        parts["stays"] = 1.0 - predictions["churn_probability"].fillna(1.0)
    for part, column in (("engagement", "engagement_score"), ("value", "lifetime_value_usd")):
        if predictions[column].notna().any():
            parts[part] = _rank(predictions[column])
    if predictions["anomaly_score"].notna().any():
        parts["ordinary"] = 1.0 - predictions["anomaly_score"].fillna(0.0)
    if not parts:
        raise ValueError("no model predicts anything that health is made of")
    total = sum(weights[part] for part in parts)
    return pd.DataFrame(
        {part: SCALE * weights[part] / total * values for part, values in parts.items()}
    )


def _rank(values: pd.Series) -> pd.Series:
    """Rank from 0 to 1, ties in the middle; a null is the lowest."""
    filled = values.fillna(-np.inf)
    count = len(filled)
    ranks: pd.Series = (filled.rank(method="average") - 1.0) / max(count - 1, 1)
    return ranks


def health_reasons(parts: pd.DataFrame, *, k: int) -> pd.DataFrame:
    """The parts that set a customer's health most apart from the average of the day.

    Args:
        parts: As `health_parts` gives them.
        k: Reasons a customer; fewer parts leave nulls.

    Returns:
        n rows: `reason_<i>_feature`, `_value` and `_typical` (points), `_contribution` (points
            above the average).
    """
    typical = parts.mean()
    apart = (parts - typical).to_numpy()
    order = np.argsort(-np.abs(apart), axis=1, kind="stable")
    names = np.array(parts.columns, dtype=object)
    rows = np.arange(len(parts))
    columns: dict[str, object] = {}
    for n in range(k):
        if n >= len(names):
            columns |= {f"reason_{n + 1}_{what}": None for what in ("feature", "value", "typical")}
            columns[f"reason_{n + 1}_contribution"] = np.nan
            continue
        chosen = order[:, n]
        columns[f"reason_{n + 1}_feature"] = names[chosen]
        columns[f"reason_{n + 1}_value"] = _points(parts.to_numpy()[rows, chosen])
        columns[f"reason_{n + 1}_typical"] = _points(typical.to_numpy()[chosen])
        columns[f"reason_{n + 1}_contribution"] = apart[rows, chosen]
    return pd.DataFrame(columns, index=parts.index)


def _points(values: np.ndarray) -> list[str]:
    return [f"{value:.1f} points" for value in values]
