"""Why a model gave its score: exact SHAP contributions, checked, and the reasons of a customer.

Belongs here: contributions of tree ensembles in log-odds (or the unit of the margin), their check,
the top reasons of each row and the importance of each feature. Does not belong here: drawing them
(`plots`) or the encoding of categories (the estimators do that before).

Contributions are path-dependent TreeSHAP (Lundberg et al., Nature Machine Intelligence 2, 2020):
exact Shapley values with the training rows' own shares at every split as the background. They are
computed by Woodelf (Nadel and Wettenstein, AAAI 2026, doi 10.1609/aaai.v40i29.39630), several
times faster than XGBoost's own on many rows. Woodelf is young, so no run is taken on trust: every
row's sum must meet its margin, and on a sample the contributions must meet the booster's own.
Where they do not, the booster's own are computed for all rows and the explanation says so. A few
rows, such as one customer's, are explained by the booster at once, since Woodelf has its fixed
cost.
"""

# ruff: noqa: N803 - X is scikit-learn's name for a table of features

from __future__ import annotations

import logging
import math
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray
from woodelf.core.cube_metric import ShapleyValues
from woodelf.core.trees.parse_models import load_decision_tree_ensemble_model
from woodelf.woodelf_sparse import hybrid_woodelf

logger = logging.getLogger(__name__)

Contributions = NDArray[np.float32]

METHOD_FAST = "woodelf path-dependent TreeSHAP"
METHOD_OWN = "xgboost pred_contribs (path-dependent TreeSHAP)"

_FALLING_BACK = (
    "Woodelf was not used for SHAP: %s. Falling back to XGBoost's own contributions, which are "
    "exact but several times slower."
)
_ROWS_COMPARED = 20
# Bounds the memory. Each call of Woodelf costs a second or two before its first row (300 trees of
# depth 5), so many small calls would be slower: ten of 10,000 rows took twice one of 100,000.
_ROWS_AT_ONCE = 200_000
_ROWS_FOR_DIRECTION = 20_000
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
        method: How the contributions were computed: `METHOD_FAST` or `METHOD_OWN`.
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


def explain(
    model: Any,
    X: pd.DataFrame,
    *,
    tolerance: float = 2e-3,
    fast_from_rows: int = 1500,
    n_jobs: int | None = None,
    seed: int = 0,
) -> Explanation:
    """Explain every row of a boosted tree model of one output.

    Args:
        model: An `xgboost.Booster`, or an estimator with `get_booster()`.
        X: n x f numbers as the booster was trained on, NaN for null, columns in its order.
        tolerance: Largest error allowed, as a share of the largest margin but at least of 1.
        fast_from_rows: With fewer rows the booster's own method is the quicker one and is used;
            that is no fallback.
        n_jobs: Threads of XGBoost, None for all cores; Woodelf uses one.
        seed: Seed of the sample of rows that is compared.

    Raises:
        ValueError: When there are no rows or columns are not those of the booster.
    """
    started = time.perf_counter()
    booster = model if isinstance(model, xgb.Booster) else model.get_booster()
    matrix = _matrix(booster, X)
    threads = -1 if n_jobs is None else n_jobs
    margin = _predict(booster, matrix, threads, output_margin=True)
    few = len(matrix) < fast_from_rows
    # of a few rows all, or of one for the base value
    own = _own_contributions(booster, matrix if few else matrix[:1], threads)
    base_value = float(own[0, -1])
    contributions, reason = None, None
    if not few:
        contributions, reason = _fast_contributions(booster, matrix)
    if contributions is not None:
        some = np.random.default_rng(seed).permutation(len(matrix))[:_ROWS_COMPARED]
        compared = _own_contributions(booster, matrix[some], threads)[:, :-1]
        reason = _complaint(
            _additivity_error(contributions, base_value, margin),
            float(np.abs(contributions[some] - compared).max()),
            allowed=tolerance * max(1.0, float(np.abs(margin).max())),
        )
    if reason is not None:
        logger.warning(_FALLING_BACK, reason)
        contributions = None
    method = METHOD_OWN if contributions is None else METHOD_FAST
    if contributions is None:
        contributions = (own if few else _own_contributions(booster, matrix, threads))[:, :-1]
    return Explanation(
        features=tuple(str(column) for column in X.columns),
        contributions=np.ascontiguousarray(contributions, dtype=np.float32),
        base_value=base_value,
        method=method,
        additivity_error=_additivity_error(contributions, base_value, margin),
        rows_checked=len(matrix),
        fallback_reason=reason,
        rank_correlation=rank_correlations(matrix, contributions, seed),
        seconds=time.perf_counter() - started,
    )


def _matrix(booster: xgb.Booster, X: pd.DataFrame) -> NDArray[np.float32]:
    if len(X) == 0:
        raise ValueError("there are no rows to explain")
    expected = booster.feature_names
    if expected is not None and list(X.columns) != list(expected):
        raise ValueError(f"the booster was trained on columns {expected}, got {list(X.columns)}")
    if booster.num_features() != X.shape[1]:
        raise ValueError(f"the booster has {booster.num_features()} features, got {X.shape[1]}")
    return np.ascontiguousarray(X.to_numpy(dtype=np.float32, na_value=np.nan))


def _complaint(error: float, apart: float, allowed: float) -> str | None:
    # Written so that a NaN is a complaint.
    if not error <= allowed:
        return f"additivity error {error:.3g} is above {allowed:.3g}"
    if not apart <= allowed:
        return f"contributions differ from XGBoost's own by {apart:.3g}, above {allowed:.3g}"
    return None


def _additivity_error(
    contributions: NDArray[Any], base_value: float, margin: NDArray[Any]
) -> float:
    sums = contributions.sum(axis=1, dtype=np.float64) + base_value
    return float(np.abs(sums - margin).max())


def _predict(
    booster: xgb.Booster, matrix: NDArray[np.float32], threads: int, **how: bool
) -> NDArray[np.float32]:
    data = xgb.DMatrix(matrix, feature_names=booster.feature_names, nthread=threads)
    out: NDArray[np.float32] = booster.predict(data, **how)
    return out


def _own_contributions(
    booster: xgb.Booster, matrix: NDArray[np.float32], threads: int
) -> NDArray[np.float32]:
    """The booster's own n x (f + 1) contributions; the last column is the base value."""
    return _predict(booster, matrix, threads, pred_contribs=True)


def _fast_contributions(
    booster: xgb.Booster, matrix: NDArray[np.float32]
) -> tuple[Contributions | None, str | None]:
    """Woodelf's contributions, or None and the reason."""
    try:
        # Names that can hold no character that a parser trips over.
        names = [f"f{i}" for i in range(matrix.shape[1])]
        trees = load_decision_tree_ensemble_model(booster, names)
        _undo_threshold_step(trees)
        out = np.zeros(matrix.shape, dtype=np.float32)
        for start in range(0, len(matrix), _ROWS_AT_ONCE):
            rows = pd.DataFrame(matrix[start : start + _ROWS_AT_ONCE], columns=names)
            values = hybrid_woodelf(
                trees, rows, None, ShapleyValues(), model_was_loaded=True, verbose=False
            )
            for i, name in enumerate(names):
                if name in values:
                    out[start : start + _ROWS_AT_ONCE, i] = values[name]
        return out, None
    # Any failure of a young library must end in the exact slow path, never in a lost report.
    except Exception as error:  # noqa: BLE001 - as said
        return None, f"it raised {type(error).__name__}: {error}"


def _undo_threshold_step(trees: Any) -> None:
    """Set the thresholds to XGBoost's own.

    Woodelf 0.4.8 moves each down by one float32 step, which is right for 64-bit values only. Here
    the values are 32-bit as XGBoost's are, and one that lies a step under a threshold went the
    wrong way: off a row's own path the sum still meets the margin, so additivity does not see it
    (measured: a few of 100,000 rows, errors up to 0.009).
    """
    for tree in trees.trees:
        for node in tree.bfs(including_leaves=False):
            node.value = float(np.nextafter(np.float32(node.value), np.float32(np.inf)))


def rank_correlations(
    matrix: NDArray[np.float32], contributions: NDArray[Any], seed: int
) -> NDArray[np.float64]:
    """The f Spearman correlations of value and contribution on a sample; see `Explanation`."""
    rows = np.random.default_rng(seed).permutation(len(matrix))[:_ROWS_FOR_DIRECTION]
    out = np.full(matrix.shape[1], math.nan)
    if len(rows) < 3:
        return out
    for i in range(matrix.shape[1]):
        value, contribution = matrix[rows, i], contributions[rows, i]
        known = np.isfinite(value)
        if known.sum() < 3 or np.ptp(value[known]) == 0 or np.ptp(contribution[known]) == 0:
            continue
        ranks = pd.DataFrame({"v": value[known], "c": contribution[known]}).rank()
        out[i] = float(np.corrcoef(ranks["v"], ranks["c"])[0, 1])
    return out


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
    names: Mapping[str, str] | None = None,
    k: int = 3,
    only_raising: bool = False,
) -> pd.DataFrame:
    """Give the k features that moved each row's score most.

    Args:
        explanation: Of the n rows of `X`.
        X: n rows as people know them (before encoding), with at least the explained columns.
        typical: A typical value of each feature, such as the median or most frequent one.
        names: What to call a feature in words, where that differs from its column.
        k: Reasons a row, at most the number of features.
        only_raising: Whether to give only features that raised the score; a row with fewer than k
            of them has null in the rest.

    Returns:
        n rows with the index of `X` and for j in 1..k the columns `reason_j_feature`,
        `reason_j_value`, `reason_j_typical` (text; "unknown" for null) and `reason_j_contribution`
        (float32, units of the margin), with `reason_j_name` when `names` is given.

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
    told = amount > 0 if only_raising else np.ones_like(amount, dtype=bool)
    values = _texts(X, explanation.features, chosen, told)

    feature_names = np.array(explanation.features, dtype=object)
    typicals = np.array([as_text(typical.get(f)) for f in explanation.features], dtype=object)
    columns: dict[str, Any] = {}
    for j in range(k):
        shown, at = told[:, j], chosen[:, j]
        prefix = f"reason_{j + 1}_"
        columns[prefix + "feature"] = _where(shown, feature_names[at])
        if names is not None:
            spoken = np.array([names.get(f, f) for f in explanation.features], dtype=object)
            columns[prefix + "name"] = _where(shown, spoken[at])
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
    told: NDArray[np.bool_],
) -> NDArray[np.object_]:
    out: NDArray[np.object_] = np.full(chosen.shape, None, dtype=object)
    if len(X) <= _FEW_ROWS:
        for row, place in zip(*np.nonzero(told), strict=True):
            out[row, place] = as_text(X[features[chosen[row, place]]].iloc[row])
        return out
    # Only the picked values are formatted, one feature at a time.
    for i, feature in enumerate(features):
        rows, places = np.nonzero((chosen == i) & told)
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
