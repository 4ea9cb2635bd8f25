"""Tuned estimators: a classifier of two classes and a regressor.

Belongs here: what their margins become. Does not belong here: search, reasons and files
(`tuned.py`).
"""

# ruff: noqa: N803 - X is scikit-learn's name for a table of features

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, RegressorMixin

from engagement_assets.learning.evaluation.binary import Floats, as_two_classes
from engagement_assets.learning.evaluation.calibration import Calibrator, fit_calibrator
from engagement_assets.learning.evaluation.metrics import log_loss
from engagement_assets.learning.evaluation.thresholds import (
    CostModel,
    ThresholdChoice,
    cost_threshold,
    threshold_at_recall,
)
from engagement_assets.learning.tuning.problem import Kind, Problem, predicted
from engagement_assets.learning.tuning.tuned import TunedEstimator


@dataclass(kw_only=True, eq=False, repr=False)
class TunedClassifier(ClassifierMixin, TunedEstimator):
    """A tuned classifier of two classes: calibrated, with the threshold that costs least.

    See `TunedEstimator` for the other parameters and attributes, and
    `trees.classifier.CalibratedBoostingClassifier` for costs, thresholds and calibrator.

    Args:
        cost_miss: Cost of a positive that is missed.
        cost_action: Cost of acting on one row, in the same currency.
        success_rate: Share of the positives that an action averts, in (0, 1].
        recall_target: Recall of `threshold_at_recall_`.
    """

    file_format = "tuned-classifier/1"
    kind: ClassVar[Kind] = "binary"

    cost_miss: float = 100.0
    cost_action: float = 5.0
    success_rate: float = 0.3
    recall_target: float = 0.8

    def _targets(self, y: ArrayLike) -> ArrayLike:
        """Return 1 for the second of two classes and 0 for the first."""
        self.classes_, labels = as_two_classes(y)
        return labels

    def _learn_rest(self, problem: Problem) -> None:
        labels, weights = problem.target, problem.weights
        self.calibrator_ = fit_calibrator(
            labels, self.oof_margin_, weights=weights, seed=self.random_state
        )
        self.oof_probability_ = self.calibrator_(self.oof_margin_)
        costs = CostModel(self.cost_miss, self.cost_action, self.success_rate)
        self.threshold_choice_ = cost_threshold(
            labels, self.oof_probability_, costs=costs, weights=weights
        )
        self.threshold_ = self.threshold_choice_.threshold
        self.threshold_at_recall_ = threshold_at_recall(
            labels, self.oof_probability_, recall=self.recall_target, weights=weights
        )
        loss = log_loss(labels, self.oof_probability_, weights=weights)
        self.log_losses_ = {f"tuned {self.kind_}": loss}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    @property
    def kind_(self) -> str:
        """What predicts, in words."""
        return self.choice_.name

    def predict_proba(self, X: pd.DataFrame) -> Floats:
        """Return the n x 2 calibrated probabilities of the classes."""
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
            "log_losses": self.log_losses_,
        }

    def _restore(self, saved: Mapping[str, Any]) -> None:
        self.classes_ = np.array(saved["classes"])
        self.calibrator_ = Calibrator.from_dict(saved["calibrator"])
        self.threshold_choice_ = ThresholdChoice.from_dict(saved["threshold_choice"])
        self.threshold_ = self.threshold_choice_.threshold
        self.threshold_at_recall_ = float(saved["threshold_at_recall"])
        self.log_losses_ = {str(k): float(v) for k, v in saved["log_losses"].items()}


@dataclass(kw_only=True, eq=False, repr=False)
class TunedRegressor(RegressorMixin, TunedEstimator):
    """A tuned regressor by squared error.

    See `TunedEstimator` for the other parameters and attributes.

    Args:
        bounded: Whether targets lie between 0 and 1: learnt as log-odds, never left.
    """

    file_format = "tuned-regressor/1"

    bounded: bool = False

    def _kind(self) -> Kind:
        return "share" if self.bounded else "number"

    def predict(self, X: pd.DataFrame) -> Floats:
        """Return the n predicted numbers."""
        return predicted(self.predict_margin(X), self._kind())
