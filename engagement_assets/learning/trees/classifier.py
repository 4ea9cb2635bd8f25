"""Classify rows by calibrated boosted trees, with the threshold of least cost.

Belongs here: fitting, predicting, explaining, saving and loading one classifier of any table of
numbers and categories. Does not belong here: which rows it learns from, its judgement or its
fairness (`learning.fairness`).
"""

# ruff: noqa: N803 - X is scikit-learn's name for a table of features

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.evaluation.binary import Floats, as_labels
from engagement_assets.learning.evaluation.thresholds import (
    CostModel,
    ThresholdChoice,
    cost_threshold,
    threshold_at_recall,
)
from engagement_assets.learning.trees.boosted import LOGISTIC, BoostedTrees, Matrix, least
from engagement_assets.learning.trees.encoder import TableEncoder

logger = logging.getLogger(__name__)

FORMAT = "calibrated-boosting-classifier/1"


@dataclass(kw_only=True, eq=False, repr=False)
class CalibratedBoostingClassifier(ClassifierMixin, BoostedTrees):
    """Calibrated gradient boosted trees with a cost-minimising threshold.

    `fit` scores every row by a model that did not see it (stratified folds), chooses the number of
    trees, the calibrator and the thresholds by those out-of-fold scores, and then fits the trees on
    every row. Trees: XGBoost's histogram method (Chen and Guestrin, KDD 2016).

    See `BoostedTrees` for the other parameters and attributes.

    Args:
        n_estimators: Most trees. How many are kept, from a sixteenth of it up, is chosen by the
            out-of-fold log loss: noisy or scarce data wants few.
        folds: Folds of the out-of-fold scores; fewer when a class has fewer rows.
        cost_miss: Cost of a positive that is missed.
        cost_action: Cost of acting on one row, in the same currency.
        success_rate: Share of the positives that an action averts, in (0, 1].
        recall_target: Recall of `threshold_at_recall_`.

    Attributes:
        classes_: The classes 0 and 1.
        oof_probability_: n calibrated out-of-fold probabilities, in the order of the rows.
        threshold_: Probability at or above which `predict` says 1: the least cost.
        threshold_choice_: What that threshold brings on the out-of-fold rows.
        threshold_at_recall_: The highest threshold that finds `recall_target` of the positives.
        n_trees_: Number of trees that was chosen.
        tree_log_losses_: Out-of-fold log loss in nats of each number that was tried.
        calibrator_: The map from margin to probability.
    """

    file_format = FORMAT

    n_estimators: int = 500
    learning_rate: float = 0.04
    cost_miss: float = 100.0
    cost_action: float = 5.0
    success_rate: float = 0.3
    recall_target: float = 0.8

    def fit(self, X: pd.DataFrame, y: ArrayLike, *, groups: ArrayLike | None = None) -> Self:
        """Fit the trees, the calibrator and the thresholds.

        Args:
            X: n x f numbers, booleans, text or categories; nulls allowed.
            y: n labels of 0 and 1.
            groups: n names, such as the person of each row, where rows belong together: the rows
                of a group are never both learnt from and scored out of fold.

        Raises:
            OneClassError: When y has only one class.
            TypeError: When X is no DataFrame or has a column of a type that cannot be used.
            ValueError: When X is empty, has infinite values or another length than y, when y has
                a value but 0 and 1, or when a class has fewer than two rows.
        """
        named = None if groups is None else pd.factorize(np.asarray(groups))[0]
        # An impossible cost should fail before minutes of training, not after.
        costs = CostModel(self.cost_miss, self.cost_action, self.success_rate)
        encoder = TableEncoder.fit(X)
        labels = as_labels(y)
        if len(labels) != len(X):
            raise ValueError(f"X has {len(X)} rows but y has {len(labels)} labels")
        matrix = encoder.transform(X)
        self.folds_ = self._usable_folds(labels)
        self._learn_table(X, encoder)
        self.classes_ = np.array([0, 1])

        kind = StratifiedKFold if named is None else StratifiedGroupKFold
        splitter = kind(n_splits=self.folds_, shuffle=True, random_state=self.random_state)
        self.tree_log_losses_, self.oof_probability_ = self._calibrated_out_of_fold(
            matrix, labels, splitter.split(matrix, labels, named)
        )
        self.n_trees_ = least(self.tree_log_losses_)
        self.threshold_choice_ = cost_threshold(labels, self.oof_probability_, costs=costs)
        self.threshold_ = self.threshold_choice_.threshold
        self.threshold_at_recall_ = threshold_at_recall(
            labels, self.oof_probability_, recall=self.recall_target
        )
        self._train_chosen(matrix, labels)
        return self

    def _train_chosen(self, matrix: Matrix, y: ArrayLike) -> None:
        self.booster_ = self._train(matrix, as_labels(y), self.n_trees_, objective=LOGISTIC)

    def _usable_folds(self, y: Floats) -> int:
        rarest = int(min(y.sum(), (1.0 - y).sum()))
        if rarest < 2:
            raise TooLittleDataError(
                "a class has only one row: at least two of each are needed for out-of-fold scores"
            )
        if rarest < self.folds:
            logger.warning(
                "The rarer class has %d rows: %d folds instead of %d", rarest, rarest, self.folds
            )
        return max(2, min(self.folds, rarest))

    @property
    def margin_unit(self) -> str:
        """The unit of margins and contributions."""
        return "log-odds"

    def decision_function(self, X: pd.DataFrame) -> Floats:
        """Return the n raw log-odds, which rank as the probabilities do."""
        return self.predict_margin(X)

    def predict_proba(self, X: pd.DataFrame) -> Floats:
        """Return the n x 2 calibrated probabilities of 0 and of 1."""
        margin = self.predict_margin(X)
        positive = self.calibrator_(margin)
        return np.column_stack([1.0 - positive, positive])

    def predict(self, X: pd.DataFrame) -> NDArray[np.int64]:
        """Return 1 for each of the n rows whose probability reaches `threshold_`."""
        return (self.predict_proba(X)[:, 1] >= self.threshold_).astype(np.int64)

    def _state(self) -> dict[str, Any]:
        return {
            "calibrator": self.calibrator_.to_dict(),
            "threshold_choice": self.threshold_choice_.to_dict(),
            "threshold_at_recall": self.threshold_at_recall_,
            "typical_values": self.typical_values_,
            "folds_used": self.folds_,
            "trees_used": self.n_trees_,
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.classes_ = np.array([0, 1])
        self.threshold_choice_ = ThresholdChoice.from_dict(state["threshold_choice"])
        self.threshold_ = self.threshold_choice_.threshold
        self.threshold_at_recall_ = float(state["threshold_at_recall"])
        self.n_trees_ = int(state["trees_used"])
