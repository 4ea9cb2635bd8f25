"""Predict rows by base models that have not seen them.

Belongs here: dealing groups of rows into folds and predicting each fold by models of the others.
Does not belong here: what is learnt from it (`estimator.py`) and which models there are
(`bases.py`).

Stacked generalisation (Wolpert, Neural Networks 5, 1992): a learner on top must see predictions as
they will be later, of rows that the base model was not fitted on. A base model that knows its rows
by heart would otherwise be trusted for what it cannot do again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.learning.evaluation.splits import hash_split

logger = logging.getLogger(__name__)

FOLDS = 3

Predictor = Callable[[pd.DataFrame], NDArray[np.float64]]


@dataclass(frozen=True)
class BaseLearner:
    """A base model of the stack.

    Attributes:
        name: Column of its predictions.
        rows: Labelled rows that it is learnt from, with the column of groups; None where it only
            predicts.
        fit: Fits on some of these rows and gives how to predict others.
        champion: Predicts by the version that serves.
    """

    name: str
    rows: pd.DataFrame | None
    fit: Callable[[pd.DataFrame], Predictor]
    champion: Predictor


def fold_of(groups: pd.Series, *, folds: int = FOLDS) -> NDArray[np.int64]:
    """Return the fold of each row by the id of its group alone: the same in every table.

    Args:
        groups: n ids.
        folds: Number of folds.

    Returns:
        n numbers from 0 to `folds` - 1.
    """
    fold = np.zeros(len(groups), dtype=np.int64)
    left = np.ones(len(groups), dtype=np.bool_)
    for number in range(folds - 1):
        chosen = left & hash_split(
            groups, test_share=1 / (folds - number), salt=f"ensemble fold {number}"
        )
        fold[chosen] = number
        left &= ~chosen
    fold[left] = folds - 1
    return fold


def cross_fitted(
    bases: Mapping[str, BaseLearner],
    tables: Mapping[str, pd.DataFrame],
    *,
    group: str,
    folds: int = FOLDS,
) -> dict[str, pd.DataFrame]:
    """Predict by every base model the rows of groups that it was not fitted on.

    Args:
        bases: The base models by name.
        tables: Rows to predict by name, with the column of groups.
        group: Column whose rows belong together, such as the id of a person.
        folds: Number of folds.

    Returns:
        For each table a column a base model, in the order of its rows.

    Raises:
        ValueError: A base model was given no rows to be fitted on.
    """
    predictions = {
        name: pd.DataFrame(np.nan, index=rows.index, columns=list(bases))
        for name, rows in tables.items()
    }
    places = {name: fold_of(rows[group], folds=folds) for name, rows in tables.items()}
    for base in bases.values():
        if base.rows is None:
            raise ValueError(f"{base.name} has no rows to be fitted on again")
        own = fold_of(base.rows[group], folds=folds)
        for fold in range(folds):
            predict = base.fit(base.rows[own != fold].reset_index(drop=True))
            for name, rows in tables.items():
                here = places[name] == fold
                if here.any():
                    predictions[name].loc[here, base.name] = predict(rows[here])
            logger.info("%s without fold %d of %d: done", base.name, fold + 1, folds)
    return predictions
