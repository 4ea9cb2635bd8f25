"""Classify rows by calibrated boosted trees, with the threshold of least cost.

Belongs here: fitting, predicting, explaining, saving and loading one classifier of any table of
numbers and categories. Does not belong here: which rows it learns from, its judgement or its
fairness (`learning.fairness`).
"""

# ruff: noqa: N803 - X is scikit-learn's name for a table of features

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.utils.validation import check_is_fitted

from engagement_assets.learning.evaluation.binary import Floats, as_labels
from engagement_assets.learning.evaluation.calibration import Calibrator, fit_calibrator
from engagement_assets.learning.evaluation.metrics import log_loss
from engagement_assets.learning.evaluation.thresholds import (
    CostModel,
    ThresholdChoice,
    cost_threshold,
    threshold_at_recall,
)
from engagement_assets.learning.trees.boosted import (
    BOOSTER_FILE,
    BoostedTrees,
    Matrix,
    least,
    read_booster,
)
from engagement_assets.learning.trees.encoder import TableEncoder

if TYPE_CHECKING:
    from upath import UPath

logger = logging.getLogger(__name__)

FORMAT = "calibrated-boosting-classifier/1"

_OBJECTIVE = "binary:logistic"


# scikit-learn has no types
class CalibratedBoostingClassifier(ClassifierMixin, BoostedTrees):  # type: ignore[misc] # as said
    """Calibrated gradient boosted trees with a cost-minimising threshold.

    `fit` scores every row by a model that did not see it (stratified folds), chooses the number of
    trees, the calibrator and the thresholds by those out-of-fold scores, and then fits the trees on
    every row. Trees: XGBoost's histogram method (Chen and Guestrin, KDD 2016).

    Args:
        n_estimators: Most trees. How many are kept, from a sixteenth of it up, is chosen by the
            out-of-fold log loss: noisy or scarce data wants few.
        max_depth: Depth of a tree.
        learning_rate: Step of each tree.
        subsample: Share of the rows a tree sees.
        colsample_bytree: Share of the columns a tree sees.
        min_child_weight: Least sum of p (1 - p) over the rows of a leaf.
        reg_lambda: L2 penalty of the leaf weights.
        folds: Folds of the out-of-fold scores; fewer when a class has fewer rows.
        cost_miss: Cost of a positive that is missed.
        cost_action: Cost of acting on one row, in the same currency.
        success_rate: Share of the positives that an action averts, in (0, 1].
        recall_target: Recall of `threshold_at_recall_`.
        random_state: Seed of the folds and the trees.
        n_jobs: Threads; None for all cores.

    Attributes:
        feature_names_in_: The f feature names in order.
        n_features_in_: Their number.
        classes_: The classes 0 and 1.
        oof_probability_: n calibrated out-of-fold probabilities, in the order of the rows.
        threshold_: Probability at or above which `predict` says 1: the least cost.
        threshold_choice_: What that threshold brings on the out-of-fold rows.
        threshold_at_recall_: The highest threshold that finds `recall_target` of the positives.
        typical_values_: Median or most frequent value of each feature.
        folds_: Folds that were used.
        n_trees_: Number of trees that was chosen.
        tree_log_losses_: Out-of-fold log loss in nats of each number that was tried.
        calibrator_: The map from margin to probability.
        encoder_: The map from table to matrix.
        booster_: The trees.
    """

    file_format = FORMAT

    def __init__(  # noqa: PLR0913 - scikit-learn wants every parameter in the constructor
        self,
        *,
        n_estimators: int = 500,
        max_depth: int = 4,
        learning_rate: float = 0.04,
        subsample: float = 0.8,
        colsample_bytree: float = 0.6,
        min_child_weight: float = 3.0,
        reg_lambda: float = 2.0,
        folds: int = 4,
        cost_miss: float = 100.0,
        cost_action: float = 5.0,
        success_rate: float = 0.3,
        recall_target: float = 0.8,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.learning_rate = learning_rate
        self.subsample = subsample
        self.colsample_bytree = colsample_bytree
        self.min_child_weight = min_child_weight
        self.reg_lambda = reg_lambda
        self.folds = folds
        self.cost_miss = cost_miss
        self.cost_action = cost_action
        self.success_rate = success_rate
        self.recall_target = recall_target
        self.random_state = random_state
        self.n_jobs = n_jobs

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
        CostModel(self.cost_miss, self.cost_action, self.success_rate)
        encoder = TableEncoder.fit(X)
        labels = as_labels(y)
        if len(labels) != len(X):
            raise ValueError(f"X has {len(X)} rows but y has {len(labels)} labels")
        matrix = encoder.transform(X)
        self.folds_ = self._usable_folds(labels)
        self._learn_table(X, encoder)
        self.classes_ = np.array([0, 1])

        margin = self._choose_trees(self._out_of_fold_margins(matrix, labels, named), labels)
        self.calibrator_ = fit_calibrator(labels, margin, seed=self.random_state)
        self.oof_probability_ = self.calibrator_(margin)
        self.threshold_choice_ = cost_threshold(
            labels,
            self.oof_probability_,
            cost_miss=self.cost_miss,
            cost_action=self.cost_action,
            success_rate=self.success_rate,
        )
        self.threshold_ = self.threshold_choice_.threshold
        self.threshold_at_recall_ = threshold_at_recall(
            labels, self.oof_probability_, recall=self.recall_target
        )
        self.booster_ = self._train(matrix, labels, self.n_trees_, objective=_OBJECTIVE)
        return self

    def _usable_folds(self, y: Floats) -> int:
        rarest = int(min(y.sum(), (1.0 - y).sum()))
        if rarest < 2:
            raise ValueError(
                "a class has only one row: at least two of each are needed for out-of-fold scores"
            )
        if rarest < self.folds:
            logger.warning(
                "The rarer class has %d rows: %d folds instead of %d", rarest, rarest, self.folds
            )
        return max(2, min(self.folds, rarest))

    def _out_of_fold_margins(
        self, matrix: Matrix, y: Floats, groups: NDArray[np.int64] | None
    ) -> dict[int, Floats]:
        """The out-of-fold log-odds of every row, for each number of trees that is tried."""
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        splitter = kind(n_splits=self.folds_, shuffle=True, random_state=self.random_state)
        folds = splitter.split(matrix, y, groups)
        return self._margins_out_of_fold(matrix, y, folds, objective=_OBJECTIVE)

    def _choose_trees(self, margins: dict[int, Floats], y: Floats) -> Floats:
        """Keep the number of trees with the least log loss and return its log-odds."""
        # Calibrated first: too many trees are too sure of themselves, which calibration undoes.
        self.tree_log_losses_ = {
            count: log_loss(y, fit_calibrator(y, margin, method="sigmoid")(margin))
            for count, margin in margins.items()
        }
        self.n_trees_ = least(self.tree_log_losses_)
        return margins[self.n_trees_]

    def decision_function(self, X: pd.DataFrame) -> Floats:
        """Return the n raw log-odds, which rank as the probabilities do."""
        return self.predict_margin(X)

    def refitted(self, X: pd.DataFrame, y: ArrayLike) -> Self:
        """The same model fitted on other rows: number of trees, calibrator and thresholds stay.

        For stacking, which needs models that have not seen some groups and cannot afford to
        choose everything again for each.

        Args:
            X: n x f as in `fit`.
            y: n labels of 0 and 1.

        Raises:
            ValueError: As in `fit`.
        """
        check_is_fitted(self, "booster_")
        fitted = copy.copy(self)
        encoder = TableEncoder.fit(X)
        fitted._learn_table(X, encoder)
        fitted.booster_ = fitted._train(
            encoder.transform(X), as_labels(y), self.n_trees_, objective="binary:logistic"
        )
        return fitted

    def predict_proba(self, X: pd.DataFrame) -> Floats:
        """Return the n x 2 calibrated probabilities of 0 and of 1."""
        margin = self.predict_margin(X)
        positive = self.calibrator_(margin)
        return np.column_stack([1.0 - positive, positive])

    def predict(self, X: pd.DataFrame) -> NDArray[np.int64]:
        """Return 1 for each of the n rows whose probability reaches `threshold_`."""
        return (self.predict_proba(X)[:, 1] >= self.threshold_).astype(np.int64)

    def save(self, folder: Path | UPath | str) -> None:
        """Write the fitted classifier as data: trees in UBJSON, the rest in JSON.

        The out-of-fold probabilities are not kept: they belong to the training rows.

        Args:
            folder: Made when it is not there; files of the same name are replaced.
        """
        check_is_fitted(self, "booster_")
        state = {
            "calibrator": self.calibrator_.to_dict(),
            "threshold_choice": self.threshold_choice_.to_dict(),
            "threshold_at_recall": self.threshold_at_recall_,
            "typical_values": self.typical_values_,
            "folds_used": self.folds_,
            "trees_used": self.n_trees_,
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
        model.classes_ = np.array([0, 1])
        model.calibrator_ = Calibrator.from_dict(state["calibrator"])
        model.threshold_choice_ = ThresholdChoice.from_dict(state["threshold_choice"])
        model.threshold_ = model.threshold_choice_.threshold
        model.threshold_at_recall_ = float(state["threshold_at_recall"])
        model.folds_ = int(state["folds_used"])
        model.n_trees_ = int(state["trees_used"])
        model.booster_ = read_booster(source)
        return model
