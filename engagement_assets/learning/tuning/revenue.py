"""Predict zero-inflated revenue with a tuned mean.

Belongs here: putting a tuned regressor in the place of the mean. Does not belong here: chance and
quantiles of paying (`trees.revenue`) and the search.
"""

# ruff: noqa: N803, N806 - X is scikit-learn's name for a table of features

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import ArrayLike

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.explanations.explanation import Explanation
from engagement_assets.learning.trees.boosted import Matrix, as_targets
from engagement_assets.learning.trees.revenue import CUT_OFF, ZeroInflatedRevenueRegressor
from engagement_assets.learning.trees.revenue_mean import SQUARED, MeanCalibration, learning
from engagement_assets.learning.tuning.estimators import TunedRegressor
from engagement_assets.learning.weights import that_weigh, weighed_rows

if TYPE_CHECKING:
    from upath import UPath


@dataclass(kw_only=True, eq=False, repr=False)
class TunedRevenueRegressor(ZeroInflatedRevenueRegressor):
    """Revenue whose mean a search chose, beside the chance and the quantiles of the base.

    The search is by squared error on amounts that are cut off as for the base's `squared`; a rising
    map from its out-of-fold amounts to the mean undoes the cut-off. What the base had chosen for
    the mean stands in `mean_losses_` beside.

    Args:
        search: Parameters of `TunedRegressor` besides the seed and the threads.

    Attributes:
        tuned_: The tuned regressor.
    """

    file_format = "tuned-revenue-regressor/1"

    search: dict[str, Any] | None = None
    tuned_: TunedRegressor = field(init=False)

    def fit(
        self,
        X: pd.DataFrame,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        sensitive: pd.DataFrame | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn chance and quantiles, then search for the mean; see both for what they raise."""
        X, y, groups, weights = weighed_rows(X, y, groups, sample_weight)
        sensitive = that_weigh(sensitive, sample_weight)
        super().fit(X, y, groups=groups, sample_weight=weights)
        amounts = as_targets(y, rows=len(X))
        tuned = TunedRegressor(
            **(self.search or {}), random_state=self.random_state, n_jobs=self.n_jobs
        )
        self.tuned_ = tuned.fit(
            X,
            _cut_off(amounts, weights),
            groups=groups,
            sensitive=sensitive,
            sample_weight=weights,
        )
        self.calibration_ = MeanCalibration.fit(amounts, self.tuned_.oof_margin_, weights=weights)
        self.oof_prediction_ = self.calibration_(self.tuned_.oof_margin_)
        errors = (amounts - self.oof_prediction_) ** 2
        error = float(np.sqrt(np.average(errors, weights=weights)))
        self.mean_losses_ = {**self.mean_losses_, self.mean_in_words: error}
        return self

    @property
    def mean_in_words(self) -> str:
        """What predicts the mean."""
        return f"tuned {self.tuned_.choice_.name}"

    def _train_chosen(self, matrix: Matrix, y: ArrayLike, weights: Floats | None = None) -> None:
        super()._train_chosen(matrix, y, weights)
        cut = _cut_off(as_targets(y, rows=len(matrix)), weights)
        self.tuned_ = self.tuned_.refitted_on(self.encoder_, matrix, cut, weights)

    def set_params(self, **parameters: Any) -> Self:
        """Set parameters; threads also of the tuned regressor."""
        super().set_params(**parameters)
        if hasattr(self, "tuned_"):
            self.tuned_.set_params(n_jobs=self.n_jobs)
        return self

    def _mean(self, matrix: Matrix, data: xgb.DMatrix, chance: Floats) -> Floats:  # noqa: ARG002 - as the base has it
        return self.calibration_(self.tuned_.matrix_margin(matrix))

    def predict_margin(self, X: pd.DataFrame) -> Floats:
        """Return the n numbers that `explain` explains: amounts before calibration."""
        return self.tuned_.predict_margin(X)

    @property
    def margin_unit(self) -> str:
        """The unit of margins and contributions."""
        return "USD before calibration"

    def explain(self, X: pd.DataFrame) -> Explanation:
        """Return the SHAP contributions to `predict_margin`; see `TunedEstimator.explain`."""
        return self.tuned_.explain(X)

    def save(self, folder: Path | UPath | str) -> None:
        """Write both as data."""
        super().save(folder)
        self.tuned_.save(folder)

    def _state(self) -> dict[str, Any]:
        search = {k: v for k, v in (self.search or {}).items() if k != "study"}
        return super()._state() | {"parameters": self.get_params() | {"search": search}}

    @classmethod
    def load(cls, folder: Path | UPath | str) -> Self:
        """Read what `save` wrote. Check the files' hashes first (`ModelRegistry.open`).

        Raises:
            FileNotFoundError: When a file is missing.
            ValueError: When the files are of another format.
        """
        model = super().load(folder)
        model.tuned_ = TunedRegressor.load(folder)
        return model

    def tuning(self) -> Mapping[str, Any]:
        """Return how the mean was chosen; see `TunedEstimator.tuning`."""
        return self.tuned_.tuning()


def _cut_off(amounts: Floats, weights: Floats | None) -> Floats:
    return learning(SQUARED, amounts, cut_off=CUT_OFF, weights=weights).target
