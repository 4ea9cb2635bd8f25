"""Compute exact SHAP contributions of boosted trees, and check them.

Belongs here: contributions in log-odds (or the unit of the margin) and their check. Does not belong
here: what is read from them (`explanation`), drawing them (`pictures`) or the encoding of
categories (the estimators do that before).

Contributions are path-dependent TreeSHAP (Lundberg et al., Nature Machine Intelligence 2, 2020):
exact Shapley values with the training rows' own shares at every split as the background. They are
computed by Woodelf (Nadel and Wettenstein, AAAI 2026, doi 10.1609/aaai.v40i29.39630), several
times faster than XGBoost's own on many rows. Woodelf is young, so no run is taken on trust: every
row's sum must meet its margin, and on a sample the contributions must meet the booster's own.
Where they do not, the booster's own are computed for all rows and the explanation says so. A few
rows, such as a single one, are explained by the booster at once, since Woodelf has its fixed
cost.
"""

# ruff: noqa: N803 - X is scikit-learn's name for a table of features

from __future__ import annotations

import logging
import math
import time
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray
from woodelf.core.cube_metric import ShapleyValues
from woodelf.core.trees.parse_models import load_decision_tree_ensemble_model
from woodelf.woodelf_sparse import hybrid_woodelf

from engagement_assets.learning.explanations.explanation import Contributions, Explanation

logger = logging.getLogger(__name__)

METHOD_FAST = "woodelf path-dependent TreeSHAP"
METHOD_OWN = "xgboost pred_contribs (path-dependent TreeSHAP)"

_FALLING_BACK = (
    "Woodelf was not used for SHAP: %s. Falling back to XGBoost's own contributions, which are "
    "exact but several times slower."
)
# Largest error allowed, as a share of the largest margin but at least of 1.
_TOLERANCE = 2e-3
# With fewer rows the booster's own method is the quicker one and is used; that is no fallback.
_FAST_FROM_ROWS = 1500
_ROWS_COMPARED = 20
# Bounds the memory. Each call of Woodelf costs a second or two before its first row (300 trees of
# depth 5), so many small calls would be slower: ten of 10,000 rows took twice one of 100,000.
_ROWS_AT_ONCE = 200_000
_ROWS_FOR_DIRECTION = 20_000


def explain(
    model: Any,
    X: pd.DataFrame,
    *,
    n_jobs: int | None = None,
    seed: int = 0,
) -> Explanation:
    """Explain every row of a boosted tree model of one output.

    Args:
        model: An `xgboost.Booster`, or an estimator with `get_booster()`.
        X: n x f numbers as the booster was trained on, NaN for null, columns in its order.
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
    few = len(matrix) < _FAST_FROM_ROWS
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
            allowed=_TOLERANCE * max(1.0, float(np.abs(margin).max())),
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
    """Return the booster's own n x (f + 1) contributions; the last column is the base value."""
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
    except Exception as error:  # noqa: BLE001 - the slow path answers
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
    """Compute f Spearman correlations of value and contribution on a sample of rows."""
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
