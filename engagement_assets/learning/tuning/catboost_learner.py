"""CatBoost as a learner that is tuned (Prokhorenkova et al., NeurIPS 2018); kept as its cbm format.

Belongs here: its parameters, fitting, explaining and keeping. Does not belong here: the search.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
import pandas as pd
from catboost import CatBoost, Pool
from numpy.typing import NDArray

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.trees.boosted import Matrix
from engagement_assets.learning.tuning.learners import CATBOOST, ROUNDS, Draw, Learner

METHOD = "catboost ShapValues (path-dependent TreeSHAP)"
_CATEGORIES = "categories"


class CatBoostLearner(Learner):
    """Symmetric boosted trees; categories by ordered target statistics or by frequency rank."""

    family = CATBOOST
    suffix = "cbm"
    defaults = {  # noqa: RUF012 - declared a ClassVar by the base
        "rounds": 300,
        "learning_rate": 0.06,
        "depth": 6,
        "l2_leaf_reg": 3.0,
        "subsample": 0.8,
        "rsm": 1.0,
        "categories": True,
    }

    @classmethod
    def suggest(cls, draw: Draw) -> dict[str, Any]:
        """Draw parameters."""
        return {
            "rounds": draw.whole("rounds", 100, 600, log=True),
            "learning_rate": draw.number("learning_rate", 0.02, 0.3, log=True),
            "depth": draw.whole("depth", 3, 9),
            "l2_leaf_reg": draw.number("l2_leaf_reg", 0.1, 30.0, log=True),
            "subsample": draw.number("subsample", 0.5, 1.0),
            "rsm": draw.number("rsm", 0.3, 1.0),
            "categories": draw.one_of("categories", [False, True]),
        }

    def _pool(
        self, matrix: Matrix, target: Floats | None = None, weights: Floats | None = None
    ) -> Pool:
        places = self.categories if self.parameters[_CATEGORIES] else []
        if not places:
            return Pool(matrix, target, weight=weights)
        table = pd.DataFrame(matrix, columns=range(matrix.shape[1]))
        for place in places:
            # ranks as text, which categories are here; a null is one more
            ranks = table[place].fillna(-1).astype(int).astype(str)
            table[place] = ranks.astype(object)
        return Pool(table, target, weight=weights, cat_features=places)

    def fit(self, matrix: Matrix, target: Floats, weights: Floats | None = None) -> Self:
        """Learn from n rows; see `Learner.fit`."""
        chosen = {k: v for k, v in self.parameters.items() if k not in {ROUNDS, _CATEGORIES}}
        self.model = CatBoost(
            {
                **chosen,
                "iterations": int(self.parameters[ROUNDS]),
                "loss_function": "CrossEntropy" if self.logistic else "RMSE",
                "bootstrap_type": "Bernoulli",
                "random_seed": self.seed,
                "thread_count": self.threads,
                "allow_writing_files": False,
                "logging_level": "Silent",
            }
        )
        self.model.fit(self._pool(matrix, target, weights))
        # a time and a random name would make each fit of the same data other bytes
        metadata = self.model.get_metadata()
        for name in ("train_finish_time", "model_guid"):
            metadata[name] = ""
        return self

    def margin(self, matrix: Matrix, *, rounds: int | None = None) -> Floats:
        """Return n margins by the first trees, or by all."""
        margin = self.model.predict(
            self._pool(matrix),
            prediction_type="RawFormulaVal",
            ntree_end=rounds or 0,
            thread_count=self.threads,
        )
        return np.asarray(margin, dtype=np.float64)

    def contributions(self, matrix: Matrix) -> tuple[NDArray[np.float32], float, str]:
        """Return exact Shapley values by the model itself."""
        values = self.model.get_feature_importance(
            self._pool(matrix), type="ShapValues", thread_count=self.threads
        )
        return values[:, :-1].astype(np.float32), float(values[0, -1]), METHOD

    def to_bytes(self) -> bytes:
        """Return the trees in CatBoost's binary format, which is data."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "model.cbm"
            self.model.save_model(str(path), format="cbm")
            return path.read_bytes()

    def restore(self, content: bytes) -> Self:
        """Take back the trees."""
        self.model = CatBoost()
        self.model.load_model(blob=content)
        return self
