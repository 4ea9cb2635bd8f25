"""XGBoost as a learner that is tuned (Chen and Guestrin, KDD 2016); kept as UBJSON.

Belongs here: its parameters, fitting, explaining and keeping. Does not belong here: the search.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.explanations.shap_values import explain
from engagement_assets.learning.trees.boosted import Matrix
from engagement_assets.learning.tuning.learners import ROUNDS, XGBOOST, Draw, Learner


class XGBoostLearner(Learner):
    """Boosted trees by XGBoost's histogram method."""

    family = XGBOOST
    suffix = "ubj"
    # those of the platform's own boosted trees
    defaults = {  # noqa: RUF012 - declared a ClassVar by the base
        "rounds": 500,
        "learning_rate": 0.04,
        "max_depth": 4,
        "min_child_weight": 3.0,
        "subsample": 0.8,
        "colsample_bynode": 0.6,
        "reg_lambda": 2.0,
    }

    @classmethod
    def suggest(cls, draw: Draw) -> dict[str, Any]:
        """Draw parameters, from stumps to deep trees of few rows a leaf."""
        return {
            "rounds": draw.whole("rounds", 100, 800, log=True),
            "learning_rate": draw.number("learning_rate", 0.01, 0.3, log=True),
            "max_depth": draw.whole("max_depth", 2, 14),
            "min_child_weight": draw.number("min_child_weight", 0.01, 30.0, log=True),
            "subsample": draw.number("subsample", 0.5, 1.0),
            "colsample_bynode": draw.number("colsample_bynode", 0.2, 1.0),
            "reg_lambda": draw.number("reg_lambda", 0.01, 30.0, log=True),
        }

    def fit(self, matrix: Matrix, target: Floats, weights: Floats | None = None) -> Self:
        """Learn from n rows; see `Learner.fit`."""
        chosen = {k: v for k, v in self.parameters.items() if k != ROUNDS}
        self.booster = xgb.train(
            {
                **chosen,
                "objective": "reg:logistic" if self.logistic else "reg:squarederror",
                "tree_method": "hist",
                "seed": self.seed,
                "nthread": self.threads,
            },
            xgb.QuantileDMatrix(matrix, label=target, weight=weights, nthread=self.threads),
            num_boost_round=int(self.parameters[ROUNDS]),
        )
        return self

    def margin(self, matrix: Matrix, *, rounds: int | None = None) -> Floats:
        """Return n margins by the first trees, or by all."""
        data = xgb.DMatrix(matrix, nthread=self.threads)
        span = (0, rounds or 0)
        margin = self.booster.predict(data, output_margin=True, iteration_range=span)
        return np.asarray(margin, dtype=np.float64)

    def contributions(self, matrix: Matrix) -> tuple[NDArray[np.float32], float, str]:
        """Return exact Shapley values; see `explanations.shap_values`."""
        shown = explain(self.booster, pd.DataFrame(matrix), n_jobs=self.n_jobs, seed=self.seed)
        return shown.contributions, shown.base_value, shown.method

    def to_bytes(self) -> bytes:
        """Return the trees in UBJSON."""
        return bytes(self.booster.save_raw("ubj"))

    def restore(self, content: bytes) -> Self:
        """Take back the trees."""
        self.booster = xgb.Booster()
        self.booster.load_model(bytearray(content))
        return self
