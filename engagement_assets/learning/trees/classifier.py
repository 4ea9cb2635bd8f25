"""Classify rows by calibrated boosted trees, with the threshold of least cost.

Belongs here: fitting, predicting, explaining, saving and loading one classifier of any table of
numbers and categories. Does not belong here: which rows it learns from, its judgement or its
fairness (`learning.fairness`).
"""

# ruff: noqa: N803, N806 - X is scikit-learn's name for a table of features

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.evaluation.binary import Floats, as_two_classes
from engagement_assets.learning.evaluation.calibration import fit_calibrator
from engagement_assets.learning.evaluation.metrics import log_loss, row_log_losses
from engagement_assets.learning.evaluation.regression import paired_loss_difference
from engagement_assets.learning.evaluation.thresholds import (
    CostModel,
    ThresholdChoice,
    cost_threshold,
    threshold_at_recall,
)
from engagement_assets.learning.trees.boosted import (
    LOGISTIC,
    BoostedTrees,
    Fold,
    Matrix,
    calibrated_loss,
    least,
    named_columns,
)
from engagement_assets.learning.trees.encoder import TableEncoder
from engagement_assets.learning.weights import taken, weighed_rows

logger = logging.getLogger(__name__)

FORMAT = "calibrated-boosting-classifier/1"
BOOSTED, FOREST = "boosted trees", "random forest"
# A random forest (Breiman, Machine Learning 45, 2001) as XGBoost makes one: all trees at once, each
# on other rows, each split on other columns.
_FOREST: dict[str, Any] = {
    "num_parallel_tree": 50,
    "learning_rate": 1.0,
    "subsample": 0.63,
    "colsample_bytree": 1.0,
    "colsample_bynode": 0.6,
    "max_depth": 7,
    "min_child_weight": 2.0,
    "reg_lambda": 1.0,
}
_RESAMPLES = 200
# Noisy rows want shallow trees, rows whose columns act together deep ones.
DEPTHS = (4, 7)
# Few great steps tell the depths apart as well as many small ones.
_RACE: dict[str, Any] = {"trees": 30, "learning_rate": 0.3}


@dataclass(kw_only=True, eq=False, repr=False)
class CalibratedBoostingClassifier(ClassifierMixin, BoostedTrees):
    """Calibrated gradient boosted trees with a cost-minimising threshold.

    `fit` scores every row by a model that did not see it (stratified folds), chooses the number of
    trees, the calibrator and the thresholds by those out-of-fold scores, and then fits the trees on
    every row. Trees: XGBoost's histogram method (Chen and Guestrin, KDD 2016).

    With `simple` columns, a random forest of them alone is scored out of fold beside, and is the
    model instead where its log loss is lower beyond chance: on few or noisy rows the simpler model
    is often the better one. The choice is made on those out-of-fold rows, never on a test.

    See `BoostedTrees` for the other parameters and attributes.

    Args:
        n_estimators: Most trees. How many are kept, from a sixteenth of it up, is chosen by the
            out-of-fold log loss: noisy or scarce data wants few.
        max_depth: Depth of a tree; None for the better of `DEPTHS` on the first fold.
        folds: Folds of the out-of-fold scores, fewer when a class has fewer rows; None for four, or
            three from 2,000 rows on.
        cost_miss: Cost of a positive that is missed.
        cost_action: Cost of acting on one row, in the same currency.
        success_rate: Share of the positives that an action averts, in (0, 1].
        recall_target: Recall of `threshold_at_recall_`.
        simple: Names of the few columns of the simpler model; None for no such model.

    Attributes:
        classes_: The two classes, the positive one second.
        oof_probability_: Calibrated out-of-fold probabilities of the rows that weigh anything, in
            their order.
        threshold_: Probability at or above which `predict` says 1: the least cost.
        threshold_choice_: What that threshold brings on the out-of-fold rows.
        threshold_at_recall_: The highest threshold that finds `recall_target` of the positives.
        kind_: `BOOSTED`, or `FOREST` where the simpler model is the better one.
        log_losses_: Out-of-fold log loss in nats of each of the two.
        max_depth_: Depth of a boosted tree.
        n_trees_: Number of boosted trees that was chosen.
        tree_log_losses_: Out-of-fold log loss in nats of each number that was tried.
        calibrator_: The map from margin to probability.
    """

    file_format = FORMAT

    n_estimators: int = 200
    max_depth: int | None = None
    learning_rate: float = 0.1
    folds: int | None = None
    cost_miss: float = 100.0
    cost_action: float = 5.0
    success_rate: float = 0.3
    recall_target: float = 0.8
    simple: list[str] | None = None

    def fit(
        self,
        X: pd.DataFrame,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Fit the trees, the calibrator and the thresholds.

        Args:
            X: n x f numbers, booleans, text or categories; nulls allowed.
            y: n labels of two classes, such as 0 and 1; the second in their order is the positive.
            groups: n names, such as the person of each row, where rows belong together: the rows
                of a group are never both learnt from and scored out of fold.
            sample_weight: n weights, 0 or more: how much a row counts beside the others in all
                that is learnt and chosen. A row of weight 0 is as if it were not there.

        Raises:
            OneClassError: When y has only one class.
            TypeError: When X is sparse or has a column of a type that cannot be used.
            ValueError: When X is empty, has infinite values or another length than y, lacks a
                simple column, when y has more than two classes, when a class has fewer than two
                rows, or as `weighed_rows` does.
        """
        # An impossible cost should fail before minutes of training, not after.
        costs = CostModel(self.cost_miss, self.cost_action, self.success_rate)
        self._validate_params()
        X, y, groups, weights = weighed_rows(X, y, groups, sample_weight)
        named = None if groups is None else pd.factorize(np.asarray(groups))[0]
        named_columns(X, self.simple or [])
        encoder = TableEncoder.fit(X)
        classes, labels = as_two_classes(y)
        if len(labels) != len(X):
            raise ValueError(f"X has {len(X)} rows but y has {len(labels)} labels")
        matrix = encoder.transform(X)
        self.folds_ = self._usable_folds(labels)
        self._learn_table(X, encoder)
        self.classes_ = classes

        kind = StratifiedKFold if named is None else StratifiedGroupKFold
        splitter = kind(n_splits=self.folds_, shuffle=True, random_state=self.random_state)
        dealt = list(splitter.split(matrix, labels, named))
        # a search gives numbers of NumPy, which JSON does not take
        self.max_depth_ = int(
            self.max_depth or self._better_depth(matrix, labels, weights, dealt[0])
        )
        self.tree_log_losses_, self.oof_probability_ = self._calibrated_out_of_fold(
            matrix, labels, dealt, weights=weights, max_depth=self.max_depth_
        )
        self.n_trees_ = least(self.tree_log_losses_)
        self._compare_with_forest(matrix, labels, weights, dealt, groups)
        self.threshold_choice_ = cost_threshold(
            labels, self.oof_probability_, costs=costs, weights=weights
        )
        self.threshold_ = self.threshold_choice_.threshold
        self.threshold_at_recall_ = threshold_at_recall(
            labels, self.oof_probability_, recall=self.recall_target, weights=weights
        )
        self._train_chosen(matrix, labels, weights)
        return self

    def _train_chosen(self, matrix: Matrix, y: ArrayLike, weights: Floats | None = None) -> None:
        _, labels = as_two_classes(y)
        self.booster_ = (
            self._train_forest(matrix, labels, weights)
            if self.kind_ == FOREST
            else self._train(
                matrix,
                labels,
                self.n_trees_,
                objective=LOGISTIC,
                weights=weights,
                max_depth=self.max_depth_,
            )
        )

    def _better_depth(
        self, matrix: Matrix, labels: Floats, weights: Floats | None, fold: Fold
    ) -> int:
        """Return the depth with the lesser log loss on the rows that one fold scores."""
        learnt, scored = fold
        losses = {}
        for depth in DEPTHS:
            trees = self._train(
                matrix[learnt],
                labels[learnt],
                objective=LOGISTIC,
                weights=taken(weights, learnt),
                max_depth=depth,
                **_RACE,
            )
            margin = self._margin(trees, self._data(matrix[scored]))
            losses[depth] = calibrated_loss(labels[scored], margin, weights=taken(weights, scored))
        return int(least(losses))

    def _compare_with_forest(
        self,
        matrix: Matrix,
        labels: Floats,
        weights: Floats | None,
        dealt: list[Fold],
        groups: ArrayLike | None,
    ) -> None:
        """Choose the forest of the simple columns where it is better out of fold beyond chance."""
        self.kind_ = BOOSTED
        self.log_losses_ = {BOOSTED: log_loss(labels, self.oof_probability_, weights=weights)}
        if not self.simple:
            return
        margin = np.empty(len(labels))
        for learn, held_out in dealt:
            forest = self._train_forest(matrix[learn], labels[learn], taken(weights, learn))
            margin[held_out] = self._margin(forest, self._data(matrix[held_out]))
        calibrator = fit_calibrator(labels, margin, weights=weights, seed=self.random_state)
        probability = calibrator(margin)
        self.log_losses_[FOREST] = log_loss(labels, probability, weights=weights)
        lead = paired_loss_difference(
            row_log_losses(labels, probability),
            row_log_losses(labels, self.oof_probability_),
            weights=weights,
            n_bootstrap=_RESAMPLES,
            seed=self.random_state,
            groups=groups,
        )
        if lead.low > 0.0:
            self.kind_ = FOREST
            self.calibrator_, self.oof_probability_ = calibrator, probability

    def _train_forest(self, matrix: Matrix, labels: Floats, weights: Floats | None) -> xgb.Booster:
        """Return a forest of the simple columns, which takes a matrix of all of them."""
        few = np.full_like(matrix, np.nan)
        places = [self.encoder_.features.index(name) for name in self.simple or []]
        few[:, places] = matrix[:, places]
        return self._train(few, labels, 1, objective=LOGISTIC, weights=weights, **_FOREST)

    def _usable_folds(self, y: Floats) -> int:
        rarest = int(min(y.sum(), (1.0 - y).sum()))
        if rarest < 2:
            raise TooLittleDataError(
                "a class has only one row: at least two of each are needed for out-of-fold scores"
            )
        wanted = self._wanted_folds(len(y))
        if rarest < wanted:
            logger.warning(
                "The rarer class has %d rows: %d folds instead of %d", rarest, rarest, wanted
            )
        return max(2, min(wanted, rarest))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

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

    def predict(self, X: pd.DataFrame) -> NDArray:
        """Return the second class for each of the n rows whose probability reaches `threshold_`."""
        positive = self.predict_proba(X)[:, 1] >= self.threshold_
        return self.classes_[positive.astype(np.intp)]

    def _state(self) -> dict[str, Any]:
        return {
            "classes": self.classes_.tolist(),
            "calibrator": self.calibrator_.to_dict(),
            "threshold_choice": self.threshold_choice_.to_dict(),
            "threshold_at_recall": self.threshold_at_recall_,
            "typical_values": self.typical_values_,
            "folds_used": self.folds_,
            "trees_used": self.n_trees_,
            "max_depth_used": self.max_depth_,
            "kind": self.kind_,
            "log_losses": self.log_losses_,
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.classes_ = np.array(state["classes"])
        self.threshold_choice_ = ThresholdChoice.from_dict(state["threshold_choice"])
        self.threshold_ = self.threshold_choice_.threshold
        self.threshold_at_recall_ = float(state["threshold_at_recall"])
        self.n_trees_ = int(state["trees_used"])
        # of a model that was written before depth was chosen, the depth that was asked for
        self.max_depth_ = int(state.get("max_depth_used") or state["parameters"]["max_depth"])
        self.kind_ = str(state["kind"])
        self.log_losses_ = {str(k): float(v) for k, v in state["log_losses"].items()}
