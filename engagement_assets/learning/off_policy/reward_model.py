"""Expected reward of every action in every row, by models that did not see the row.

Belongs here: fitting the reward model on other rows, or on earlier ones. Does not belong here:
what is estimated from it (`estimates`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.learning.off_policy.log import DecisionLog, Floats, LogError

ACTION = "action"
# An adaptive log is cut where its length has doubled: each part is predicted from all before it.
_DOUBLINGS = 5

Rows = NDArray[np.int64]


def _default_model(random_state: int) -> Any:
    """Return a small gradient boosting regressor, which takes numbers, nulls and categories."""
    from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415 - slow to load

    return HistGradientBoostingRegressor(
        max_iter=60,
        max_leaf_nodes=8,
        categorical_features="from_dtype",
        random_state=random_state,
    )


def predicted_rewards(
    log: DecisionLog,
    *,
    model: Any = None,
    folds: int = 3,
    adaptive: bool = False,
    random_state: int = 0,
) -> Floats:
    """Predict the reward of each of k actions in each of n rows out of fold.

    Args:
        log: n decisions.
        model: A regressor of scikit-learn that takes a DataFrame of the context and the column
            `action`, a category; gradient boosting where None.
        folds: Parts of a log that is not adaptive; rows of one group share a part.
        adaptive: Whether each row may be predicted from earlier ones only, since later choices
            depend on its reward. The first rows, before which there are none, are predicted as 0.
        random_state: Seed of the parts and of gradient boosting.

    Returns:
        n x k rewards.
    """
    from sklearn.base import clone  # noqa: PLC0415 - slow to load

    model = _default_model(random_state) if model is None else model
    predicted = np.zeros((len(log), len(log.actions)))
    parts = _earlier(len(log)) if adaptive else _others(log, folds, random_state)
    context = _context(log)
    for train, test in parts:
        fitted = clone(model).fit(_inputs(log, context, log.chosen, train), log.reward[train])
        for position in range(len(log.actions)):
            same = np.full(len(log), position)
            predicted[test, position] = fitted.predict(_inputs(log, context, same, test))
    return predicted


def _earlier(n: int) -> Iterator[tuple[Rows, Rows]]:
    edges = [n // 2**power for power in range(_DOUBLINGS, 0, -1)] + [n]
    for first, end in pairwise(edges):
        if first and end > first:
            yield np.arange(first), np.arange(first, end)


def _others(log: DecisionLog, folds: int, random_state: int) -> Iterator[tuple[Rows, Rows]]:
    units = np.arange(len(log)) if log.groups is None else log.groups
    number = int(units.max()) + 1
    if not 2 <= folds <= number:
        raise LogError(f"{folds} folds of {number} independent units: give from 2 to {number}")
    rng = np.random.default_rng(random_state)
    fold = (rng.permutation(number) % folds)[units]
    for part in range(folds):
        yield np.flatnonzero(fold != part), np.flatnonzero(fold == part)


def _context(log: DecisionLog) -> pd.DataFrame:
    if ACTION in log.context.columns:
        raise LogError(f"a column of the context is named {ACTION!r}: give it another name")
    return pd.DataFrame(
        {
            name: values
            if pd.api.types.is_numeric_dtype(values.dtype)
            else values.astype("category")
            for name, values in log.context.items()
        }
    )


def _inputs(log: DecisionLog, context: pd.DataFrame, actions: Rows, rows: Rows) -> pd.DataFrame:
    codes = pd.Categorical(actions[rows], categories=list(range(len(log.actions))))
    return context.iloc[rows].reset_index(drop=True).assign(**{ACTION: codes})
