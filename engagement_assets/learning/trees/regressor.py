"""Predict a score between 0 and 1 by boosted trees.

Belongs here: fitting, predicting, explaining, saving and loading one regressor of any table of
numbers and categories. Does not belong here: which rows it learns from or its fairness.
"""

# ruff: noqa: N803 - X is scikit-learn's name for a table of features

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.regression import r2
from engagement_assets.learning.trees.boosted import (
    BOOSTER_FILE,
    BoostedTrees,
    as_targets,
    least,
    read_booster,
    regression_folds,
)
from engagement_assets.learning.trees.encoder import TableEncoder

if TYPE_CHECKING:
    from upath import UPath

logger = logging.getLogger(__name__)

FORMAT = "bounded-boosting-regressor/1"
SQUARED = "reg:squarederror"
LOGISTIC = "reg:logistic"
OBJECTIVES = (LOGISTIC, SQUARED)


# scikit-learn has no types
class BoundedBoostingRegressor(RegressorMixin, BoostedTrees):  # type: ignore[misc] # as said
    """Gradient boosted trees for a target between 0 and 1.

    `fit` predicts every row by a model that did not see it, for each objective and number of trees,
    keeps the pair with the least squared error, and fits that on every row. Both objectives aim at
    the mean: `reg:logistic` by cross-entropy with a fractional target (Papke and Wooldridge,
    Journal of Applied Econometrics 11, 1996), which never leaves 0 to 1; `reg:squarederror`
    directly, its predictions bounded.

    Args:
        objective: One of `OBJECTIVES`, or "auto" for the least out-of-fold squared error.
        n_estimators: Most trees; how many are kept is chosen out of fold.
        max_depth: Depth of a tree.
        learning_rate: Step of each tree.
        subsample: Share of the rows a tree sees.
        colsample_bytree: Share of the columns a tree sees.
        min_child_weight: Least sum of the second derivatives over the rows of a leaf: rows for the
            squared error, p (1 - p) each for the logistic.
        reg_lambda: L2 penalty of the leaf weights.
        folds: Folds of the out-of-fold predictions; fewer when there are fewer groups.
        random_state: Seed of the folds and the trees.
        n_jobs: Threads; None for all cores.

    Attributes:
        feature_names_in_: The f feature names in order.
        n_features_in_: Their number.
        oof_prediction_: n out-of-fold predictions, in the order of the rows.
        objective_: The objective that was chosen.
        n_trees_: The number of trees that was chosen.
        tree_r2_: Out-of-fold R2 of each objective and number of trees that was tried.
        folds_: Folds that were used.
        typical_values_: Median or most frequent value of each feature.
        encoder_: The map from table to matrix.
        booster_: The trees.
    """

    file_format = FORMAT

    def __init__(  # noqa: PLR0913 - scikit-learn wants every parameter in the constructor
        self,
        *,
        objective: str = "auto",
        n_estimators: int = 160,
        max_depth: int = 5,
        learning_rate: float = 0.08,
        subsample: float = 0.8,
        colsample_bytree: float = 0.6,
        min_child_weight: float = 5.0,
        reg_lambda: float = 2.0,
        folds: int = 3,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.objective = objective
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.learning_rate = learning_rate
        self.subsample = subsample
        self.colsample_bytree = colsample_bytree
        self.min_child_weight = min_child_weight
        self.reg_lambda = reg_lambda
        self.folds = folds
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: pd.DataFrame, y: ArrayLike, *, groups: ArrayLike | None = None) -> Self:
        """Choose objective and number of trees out of fold and fit on every row.

        Args:
            X: n x f numbers, booleans, text or categories; nulls allowed.
            y: n targets between 0 and 1.
            groups: n names, such as the person of each row, where rows belong together: the rows
                of a group are never both learnt from and predicted out of fold.

        Raises:
            ConstantTargetError: When every target is the same.
            TypeError: When X is no DataFrame or has a column of a type that cannot be used.
            ValueError: When X is empty or has infinite values, has another length than y, when
                there are fewer than two rows or groups, when a target is null or outside 0 to 1,
                or when the objective is unknown.
        """
        if self.objective not in (*OBJECTIVES, "auto"):
            raise ValueError(f"objective {self.objective!r} is none of {(*OBJECTIVES, 'auto')}")
        encoder = TableEncoder.fit(X)
        targets = as_targets(y, rows=len(X))
        if targets.min() < 0.0 or targets.max() > 1.0:
            raise ValueError(
                f"targets must lie between 0 and 1, got {targets.min():g} to {targets.max():g}"
            )
        matrix = encoder.transform(X)
        folds = regression_folds(len(X), folds=self.folds, groups=groups, seed=self.random_state)
        self.folds_ = len(folds)
        self._learn_table(X, encoder)
        tried = OBJECTIVES if self.objective == "auto" else (self.objective,)
        predictions: dict[tuple[str, int], Floats] = {}
        for objective in tried:
            margins = self._margins_out_of_fold(matrix, targets, folds, objective=objective)
            for count, margin in margins.items():
                predictions[objective, count] = _score(margin, objective)
        self.tree_r2_ = {pair: r2(targets, predicted) for pair, predicted in predictions.items()}
        self.objective_, self.n_trees_ = least({k: -value for k, value in self.tree_r2_.items()})
        self.oof_prediction_ = predictions[self.objective_, self.n_trees_]
        self.booster_ = self._train(matrix, targets, self.n_trees_, objective=self.objective_)
        return self

    def refitted(self, X: pd.DataFrame, y: ArrayLike) -> Self:
        """The same model fitted on other rows: objective and number of trees stay.

        For stacking, which needs models that have not seen some groups and cannot afford to
        choose everything again for each.

        Args:
            X: n x f as in `fit`.
            y: n targets between 0 and 1.

        Raises:
            ValueError: As in `fit`.
        """
        check_is_fitted(self, "booster_")
        fitted = copy.copy(self)
        encoder = TableEncoder.fit(X)
        fitted._learn_table(X, encoder)
        fitted.booster_ = fitted._train(
            encoder.transform(X),
            as_targets(y, rows=len(X)),
            self.n_trees_,
            objective=self.objective_,
        )
        return fitted

    @property
    def margin_unit(self) -> str:
        """The unit of margins and contributions."""
        return "log-odds" if self.objective_ == LOGISTIC else "score"

    def predict(self, X: pd.DataFrame) -> Floats:
        """Return the n predicted scores, within 0 to 1.

        Raises:
            TypeError: When a column has changed its type since the fit.
            ValueError: When columns are missing or have infinite values.
        """
        margin = self.predict_margin(X)
        return _score(margin, self.objective_)

    def save(self, folder: Path | UPath | str) -> None:
        """Write the fitted regressor as data: trees in UBJSON, the rest in JSON.

        Args:
            folder: Made when it is not there; files of the same name are replaced.
        """
        check_is_fitted(self, "booster_")
        state = {
            "typical_values": self.typical_values_,
            "objective_used": self.objective_,
            "trees_used": self.n_trees_,
            "folds_used": self.folds_,
        }
        self._write(folder, state, {BOOSTER_FILE: self.booster_})

    @classmethod
    def load(cls, folder: Path | UPath | str) -> Self:
        """Read what `save` wrote. Check the files' hashes first (`ModelRegistry.open`).

        Raises:
            FileNotFoundError: When a file is missing.
            ValueError: When the files are of another format.
        """
        model, state, source = cls._read(folder)
        model.objective_ = str(state["objective_used"])
        model.n_trees_ = int(state["trees_used"])
        model.folds_ = int(state["folds_used"])
        model.booster_ = read_booster(source)
        return model


def _score(margin: Floats, objective: str) -> Floats:
    score: Floats = expit(margin) if objective == LOGISTIC else np.clip(margin, 0.0, 1.0)
    return score
