"""Predict a score between 0 and 1 by boosted trees.

Belongs here: fitting, predicting, explaining, saving and loading one regressor of any table of
numbers and categories. Does not belong here: which rows it learns from or its fairness.
"""

# ruff: noqa: N803, N806 - X is scikit-learn's name for a table of features

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit
from sklearn.base import RegressorMixin

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.regression import r2
from engagement_assets.learning.trees.boosted import (
    BoostedTrees,
    Matrix,
    as_targets,
    least,
    regression_folds,
)
from engagement_assets.learning.trees.encoder import TableEncoder
from engagement_assets.learning.weights import weighed_rows

FORMAT = "bounded-boosting-regressor/1"
SQUARED = "reg:squarederror"
LOGISTIC = "reg:logistic"
OBJECTIVES = (LOGISTIC, SQUARED)


@dataclass(kw_only=True, eq=False, repr=False)
class BoundedBoostingRegressor(RegressorMixin, BoostedTrees):
    """Gradient boosted trees for a target between 0 and 1.

    `fit` predicts every row by a model that did not see it, for each objective and number of trees,
    keeps the pair with the least squared error, and fits that on every row. Both objectives aim at
    the mean: `reg:logistic` by cross-entropy with a fractional target (Papke and Wooldridge,
    Journal of Applied Econometrics 11, 1996), which never leaves 0 to 1; `reg:squarederror`
    directly, its predictions bounded.

    See `BoostedTrees` for the other parameters and attributes.

    Args:
        objective: One of `OBJECTIVES`, or "auto" for the least out-of-fold squared error.

    Attributes:
        oof_prediction_: Out-of-fold predictions of the rows that weigh anything, in their order.
        objective_: The objective that was chosen.
        n_trees_: The number of trees that was chosen.
        tree_r2_: Out-of-fold R2 of each objective and number of trees that was tried.
    """

    file_format = FORMAT

    objective: str = "auto"
    max_depth: int | None = 5
    learning_rate: float = 0.08
    min_child_weight: float = 5.0
    folds: int = 3

    def fit(
        self,
        X: pd.DataFrame,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Choose objective and number of trees out of fold and fit on every row.

        Args:
            X: n x f numbers, booleans, text or categories; nulls allowed.
            y: n targets between 0 and 1.
            groups: n names, such as the person of each row, where rows belong together: the rows
                of a group are never both learnt from and predicted out of fold.
            sample_weight: n weights, 0 or more: how much a row counts beside the others in all
                that is learnt and chosen. A row of weight 0 is as if it were not there.

        Raises:
            ConstantTargetError: When every target is the same.
            TypeError: When X is sparse or has a column of a type that cannot be used.
            ValueError: When X is empty or has infinite values, has another length than y, when
                there are fewer than two rows or groups, when a target is null or outside 0 to 1,
                when the objective is unknown, or as `weighed_rows` does.
        """
        if self.objective not in (*OBJECTIVES, "auto"):
            raise ValueError(f"objective {self.objective!r} is none of {(*OBJECTIVES, 'auto')}")
        self._validate_params()
        X, y, groups, weights = weighed_rows(X, y, groups, sample_weight)
        encoder = TableEncoder.fit(X)
        targets = as_targets(y, rows=len(X))
        if targets.min() < 0.0 or targets.max() > 1.0:
            raise ValueError(
                f"targets must lie between 0 and 1, got {targets.min():g} to {targets.max():g}"
            )
        matrix = encoder.transform(X)
        wanted = self._wanted_folds(len(X))
        folds = regression_folds(len(X), folds=wanted, groups=groups, seed=self.random_state)
        self.folds_ = len(folds)
        self._learn_table(X, encoder)

        def loss(objective: str, margin: Floats) -> float:
            return -r2(targets, _score(margin, objective), weights=weights)

        tried = OBJECTIVES if self.objective == "auto" else (self.objective,)
        made = {
            objective: self._out_of_fold(
                matrix,
                targets,
                folds,
                loss=partial(loss, objective),
                weights=weights,
                objective=objective,
            )
            for objective in tried
        }
        self.tree_r2_ = {
            (objective, count): -loss
            for objective, one in made.items()
            for count, loss in one.losses.items()
        }
        self.objective_, self.n_trees_ = least({k: -value for k, value in self.tree_r2_.items()})
        self.oof_prediction_ = _score(made[self.objective_].margin, self.objective_)
        self._train_chosen(matrix, targets, weights)
        return self

    def _train_chosen(self, matrix: Matrix, y: ArrayLike, weights: Floats | None = None) -> None:
        targets = as_targets(y, rows=len(matrix))
        self.booster_ = self._train(
            matrix, targets, self.n_trees_, objective=self.objective_, weights=weights
        )

    @property
    def margin_unit(self) -> str:
        """The unit of margins and contributions."""
        return "log-odds" if self.objective_ == LOGISTIC else "score"

    def predict(self, X: pd.DataFrame) -> Floats:
        """Return the n predicted scores, within 0 to 1; see `predict_margin` for what it raises."""
        return _score(self.predict_margin(X), self.objective_)

    def _state(self) -> dict[str, Any]:
        return {
            "typical_values": self.typical_values_,
            "objective_used": self.objective_,
            "trees_used": self.n_trees_,
            "folds_used": self.folds_,
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.objective_ = str(state["objective_used"])
        self.n_trees_ = int(state["trees_used"])


def _score(margin: Floats, objective: str) -> Floats:
    score: Floats = expit(margin) if objective == LOGISTIC else np.clip(margin, 0.0, 1.0)
    return score
