"""LightGBM as a learner that is tuned (Ke et al., NeurIPS 2017); kept as its text format.

Belongs here: its parameters, fitting, explaining and keeping. Does not belong here: the search.
"""

from __future__ import annotations

from typing import Any, Self

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.trees.boosted import Matrix
from engagement_assets.learning.tuning.learners import LIGHTGBM, ROUNDS, Draw, Learner

METHOD = "lightgbm pred_contrib (path-dependent TreeSHAP)"
_CATEGORIES = "categories"


class LightGBMLearner(Learner):
    """Leaf-wise boosted trees; categories as such or by the rank of their frequency."""

    family = LIGHTGBM
    suffix = "txt"
    # LightGBM's own, with more rounds to choose from
    defaults = {  # noqa: RUF012 - declared a ClassVar by the base
        "rounds": 200,
        "learning_rate": 0.1,
        "num_leaves": 31,
        "min_data_in_leaf": 20,
        "bagging_fraction": 1.0,
        "feature_fraction_bynode": 1.0,
        "lambda_l2": 0.001,
        "extra_trees": False,
        "categories": True,
    }

    @classmethod
    def suggest(cls, draw: Draw) -> dict[str, Any]:
        """Draw parameters."""
        return {
            "rounds": draw.whole("rounds", 100, 800, log=True),
            "learning_rate": draw.number("learning_rate", 0.01, 0.3, log=True),
            "num_leaves": draw.whole("num_leaves", 4, 256, log=True),
            "min_data_in_leaf": draw.whole("min_data_in_leaf", 1, 100, log=True),
            "bagging_fraction": draw.number("bagging_fraction", 0.5, 1.0),
            "feature_fraction_bynode": draw.number("feature_fraction_bynode", 0.2, 1.0),
            "lambda_l2": draw.number("lambda_l2", 0.001, 30.0, log=True),
            "extra_trees": draw.one_of("extra_trees", [False, True]),
            "categories": draw.one_of("categories", [False, True]),
        }

    def fit(self, matrix: Matrix, target: Floats, weights: Floats | None = None) -> Self:
        """Learn from n rows; see `Learner.fit`."""
        chosen = {k: v for k, v in self.parameters.items() if k not in {ROUNDS, _CATEGORIES}}
        places = self.categories if self.parameters[_CATEGORIES] else []
        data = lgb.Dataset(
            matrix.astype(np.float64),
            label=target,
            weight=weights,
            categorical_feature=places,
            params={"verbosity": -1, "feature_pre_filter": False},
        )
        self.booster = lgb.train(
            {
                **chosen,
                "bagging_freq": 1,
                "objective": "cross_entropy" if self.logistic else "regression",
                "seed": self.seed,
                "deterministic": True,
                "force_row_wise": True,
                "num_threads": max(0, self.threads),
                "verbosity": -1,
            },
            data,
            num_boost_round=int(self.parameters[ROUNDS]),
        )
        return self

    def margin(self, matrix: Matrix, *, rounds: int | None = None) -> Floats:
        """Return n margins by the first trees, or by all."""
        return self._predicted(matrix, raw_score=True, num_iteration=rounds or -1)

    def contributions(self, matrix: Matrix) -> tuple[NDArray[np.float32], float, str]:
        """Return exact Shapley values by the booster itself."""
        values = self._predicted(matrix, pred_contrib=True)
        return values[:, :-1].astype(np.float32), float(values[0, -1]), METHOD

    def _predicted(self, matrix: Matrix, **how: Any) -> Floats:
        values = self.booster.predict(
            matrix.astype(np.float64), num_threads=max(0, self.threads), **how
        )
        return np.asarray(values, dtype=np.float64)

    def to_bytes(self) -> bytes:
        """Return the trees as text."""
        text: str = self.booster.model_to_string()
        return text.encode()

    def restore(self, content: bytes) -> Self:
        """Take back the trees."""
        self.booster = lgb.Booster(model_str=content.decode())
        return self
