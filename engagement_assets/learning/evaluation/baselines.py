"""Models that a data scientist has in ten minutes, to run beside another in its evaluation.

Belongs here: fitting them and predicting the rows that another model is judged on. Does not belong
here: measuring (`metrics`, `regression`) or which columns they see.

They are scikit-learn's own with its defaults, but for leaves of at least ten rows in the forest.
Results do not depend on the number of threads: what sums up in threads runs in one.
"""

# ruff: noqa: N803 - X is scikit-learn's name for a table of features

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from engagement_assets.learning.evaluation.binary import Floats

# More rows are sampled: a baseline is to cost little beside what it is compared with.
MOST_ROWS = 10_000
LINEAR, BOOSTING, FOREST = "linear", "histogram boosting", "random forest"


def baseline_predictions(
    X: pd.DataFrame,
    y: ArrayLike,
    new: pd.DataFrame,
    *,
    classify: bool,
    seed: int = 0,
    n_jobs: int | None = None,
) -> dict[str, Floats]:
    """Fit a linear model, histogram boosting and a random forest, and predict other rows.

    Args:
        X: n x f numbers; nulls are the column's median for those that take none, and a column
            without values is left out.
        y: n labels of 0 and 1, or n targets.
        new: m x f rows of the same columns.
        classify: Whether y is labels: logistic regression and chances instead of ridge regression
            and numbers.
        seed: Seed of the sample, the boosting and the forest.
        n_jobs: Threads of the forest's fit; one when None.

    Returns:
        By name, m chances of 1 or m numbers; nothing where no column has values.
    """
    learnt = list(X.columns[X.notna().any()])
    if not learnt:
        return {}
    table, target = _numbers(X[learnt]), np.asarray(y, dtype=np.float64)
    if len(table) > MOST_ROWS:
        some = np.sort(np.random.default_rng(seed).permutation(len(table))[:MOST_ROWS])
        table, target = table[some], target[some]
    rows = _numbers(new[learnt])
    predictions: dict[str, Floats] = {}
    with threadpool_limits(limits=1):
        for name, model in _models(classify=classify, seed=seed, n_jobs=n_jobs).items():
            model.fit(table, target)
            if name == FOREST:
                model[-1].set_params(n_jobs=1)
            predictions[name] = model.predict_proba(rows)[:, 1] if classify else model.predict(rows)
    return predictions


def _models(*, classify: bool, seed: int, n_jobs: int | None) -> dict[str, Any]:
    linear, boosting, forest = (
        (LogisticRegression, HistGradientBoostingClassifier, RandomForestClassifier)
        if classify
        else (Ridge, HistGradientBoostingRegressor, RandomForestRegressor)
    )

    def filled(*steps: BaseEstimator) -> Any:
        return make_pipeline(SimpleImputer(strategy="median"), *steps)

    return {
        LINEAR: filled(StandardScaler(), linear()),
        BOOSTING: boosting(random_state=seed),
        FOREST: filled(forest(min_samples_leaf=10, random_state=seed, n_jobs=n_jobs)),
    }


def _numbers(table: pd.DataFrame) -> Floats:
    return table.to_numpy(dtype=np.float64, na_value=np.nan)
