"""What matters for engagement, for product teams: groups, features and how each one bends.

Belongs here: summing up exact contributions over all customers. Does not belong here: computing
them (`learning.explanations.shap_values`) or the words around them (`reports.py`).

Contributions say what moves this model's score. A feature that goes with engagement need not cause
it: only an experiment says what a change of the product would do.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from engagement_assets.learning.explanations.explanation import Explanation, as_text

BINS = 5


def group_table(explanation: Explanation, groups: Mapping[str, str]) -> pd.DataFrame:
    """Measure how much each group of features moves the score; the rest is "other".

    Returns:
        One row a group, the strongest first: group, features, mean_abs_contribution (of the sum of
        its features' contributions to a customer's score, so that features that offset each other
        count little), share (of the sum over groups), strongest_feature.
    """
    strength = np.abs(explanation.contributions).mean(axis=0, dtype=np.float64)
    names = pd.Series([groups.get(name, "other") for name in explanation.features])
    rows = []
    for group, members in names.groupby(names):
        places = members.index.to_numpy()
        together = explanation.contributions[:, places].sum(axis=1, dtype=np.float64)
        rows.append(
            {
                "group": str(group),
                "features": len(places),
                "mean_abs_contribution": float(np.abs(together).mean()),
                "strongest_feature": explanation.features[places[strength[places].argmax()]],
            }
        )
    table = pd.DataFrame(rows)
    total = float(table["mean_abs_contribution"].sum())
    table.insert(3, "share", table["mean_abs_contribution"] / total if total else 0.0)
    return table.sort_values(
        "mean_abs_contribution", ascending=False, kind="stable", ignore_index=True
    )


def dependence_table(
    explanation: Explanation,
    values: pd.Series,
    score: pd.Series | np.ndarray,
    *,
    bins: int = BINS,
) -> pd.DataFrame:
    """Measure how the contribution of one feature goes with its value.

    Args:
        explanation: Of n customers.
        values: The feature's n values as people know them; its name says which feature.
        score: n predicted scores.
        bins: Bins of numbers, of about equal size; each level of a category is one, the most
            frequent `bins` of them. Null is a bin of its own.

    Returns:
        One row a bin, in order: value, customers, mean_contribution (units of the margin),
        mean_score.

    Raises:
        ValueError: When the feature was not explained.
    """
    if values.name not in explanation.features:
        raise ValueError(f"{values.name!r} is none of the explained features")
    place = explanation.features.index(str(values.name))
    frame = pd.DataFrame(
        {
            "bin": _bins(values.reset_index(drop=True), bins),
            "contribution": explanation.contributions[:, place].astype(np.float64),
            "score": np.asarray(score, dtype=np.float64),
        }
    )
    grouped = frame.groupby("bin", observed=True, sort=True)
    return pd.DataFrame(
        {
            "value": [str(name) for name, _ in grouped],
            "customers": grouped.size().to_numpy(),
            "mean_contribution": grouped["contribution"].mean().to_numpy(),
            "mean_score": grouped["score"].mean().to_numpy(),
        }
    )


def _bins(values: pd.Series, bins: int) -> pd.Series:
    """Return the bin of each value, as ordered categories with a name for people."""
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        known = numbers[~np.isnan(numbers)]
        if not known.size:
            return pd.Series(["unknown"] * len(values)).astype("category")
        # Equal values stay together: most customers are at zero of many features.
        edges = np.unique(np.quantile(known, np.linspace(0.0, 1.0, bins + 1)))
        codes = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 1)
        pairs = list(zip(codes.tolist(), numbers.tolist(), strict=True))
        used = sorted(set(codes[~np.isnan(numbers)].tolist()))
        names = {code: _span(known[codes[~np.isnan(numbers)] == code]) for code in used}
        texts = ["unknown" if np.isnan(number) else names[code] for code, number in pairs]
        order = list(dict.fromkeys([names[code] for code in used]))
    else:
        raw = values.astype(object).where(values.notna(), None)
        named = [None if value is None else as_text(value) for value in raw]
        frequent = pd.Series(named).value_counts().head(bins).index.tolist()
        texts = [
            "unknown" if text is None else text if text in frequent else "any other"
            for text in named
        ]
        order = [*frequent, "any other"]
    return pd.Series(pd.Categorical(texts, categories=[*order, "unknown"], ordered=True))


def _span(values: np.ndarray) -> str:
    low, high = as_text(float(values.min())), as_text(float(values.max()))
    return low if low == high else f"{low} to {high}"
