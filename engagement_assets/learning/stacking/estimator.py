"""A learner on top of base models: it corrects one target's base prediction, or leaves it.

Belongs here: fitting, predicting, saving and loading the corrections. Does not belong here: where
the base predictions come from (`stacking.py`) and whether a correction is adopted (`training.py`).

Each correction is a few small boosted trees that start from the base model's own margin: with no
tree the base stands, so the learner can only add what the data show.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.json_data import naming
from engagement_assets.learning.trees.boosted import read_booster
from engagement_assets.learning.trees.encoder import TableEncoder

if TYPE_CHECKING:
    from upath import UPath

Floats = NDArray[np.float64]

FORMAT = "stacked-corrections/1"
STATE_FILE = "ensemble.json"
TREES = (10, 20, 40, 80, 160)
# from log-odds beyond which a probability is as good as certain
_CERTAIN = 1e-6


@dataclass(frozen=True)
class Target:
    """A prediction that is refined.

    Attributes:
        name: Name of the refined column.
        base: Column of the base prediction.
        label: Column of the label.
        objective: Objective of XGBoost.
        unit: Unit of the loss, for people.
        low: Least value.
        high: Greatest value, or None.
    """

    name: str
    base: str
    label: str
    objective: str
    unit: str
    low: float | None = 0.0
    high: float | None = 1.0

    @property
    def is_probability(self) -> bool:
        """Whether the target is a yes or a no."""
        return self.objective == "binary:logistic"

    def margin(self, base: Floats) -> Floats:
        """Return a base prediction as the trees add to it."""
        if not self.is_probability:
            return base
        p = np.clip(base, _CERTAIN, 1 - _CERTAIN)
        return np.asarray(np.log(p / (1 - p)))

    def value(self, margin: Floats) -> Floats:
        """Return the prediction that a margin stands for."""
        value = 1 / (1 + np.exp(-margin)) if self.is_probability else margin
        return np.asarray(np.clip(value, self.low, self.high), dtype=np.float64)

    def losses(self, labels: Floats, predicted: Floats) -> Floats:
        """Return the n losses: log loss of a probability, squared error of a number."""
        if self.is_probability:
            p = np.clip(predicted, _CERTAIN, 1 - _CERTAIN)
            return np.asarray(-(labels * np.log(p) + (1 - labels) * np.log(1 - p)))
        return np.asarray((labels - predicted) ** 2)


class Correction:
    """Trees on top of one base prediction.

    Args:
        target: What is refined.
        random_state: Seed.
        n_jobs: Threads; None for all cores.

    Attributes:
        n_trees_: Number of trees; 0 leaves the base as it is.
        tree_losses_: Mean out-of-fold loss of each number of trees that was tried.
    """

    def __init__(self, target: Target, *, random_state: int = 0, n_jobs: int | None = None) -> None:
        self.target = target
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, inputs: pd.DataFrame, labels: Floats, *, groups: pd.Series) -> Correction:
        """Choose the number of trees by groups left out, and fit them.

        Args:
            inputs: n x f: base predictions of rows that the base models did not see, and features.
            labels: n labels.
            groups: n names; the rows of a group are never on both sides.

        Raises:
            ValueError: When there are fewer than two groups.
        """
        self.encoder_ = TableEncoder.fit(inputs)
        matrix = self.encoder_.transform(inputs)
        margin = self.target.margin(inputs[self.target.base].to_numpy(np.float64))
        named = pd.factorize(groups)[0]
        people = len(np.unique(named))
        if people < 2:
            raise TooLittleDataError("an ensemble needs the rows of at least two groups")
        losses = {count: np.zeros(len(labels)) for count in (0, *TREES)}
        losses[0] = self.target.losses(labels, self.target.value(margin))
        folds = GroupKFold(n_splits=min(3, people), shuffle=True, random_state=self.random_state)
        for learn, judge in folds.split(matrix, groups=named):
            booster = self._train(matrix[learn], labels[learn], margin[learn], TREES[-1])
            data = self._data(matrix[judge], margin[judge])
            for count in TREES:
                margins = booster.predict(data, output_margin=True, iteration_range=(0, count))
                losses[count][judge] = self.target.losses(labels[judge], self.target.value(margins))
        self.tree_losses_ = {count: float(loss.mean()) for count, loss in losses.items()}
        self.n_trees_ = min(self.tree_losses_, key=lambda count: self.tree_losses_[count])
        self.booster_ = self._train(matrix, labels, margin, max(self.n_trees_, 1))
        return self

    def predict(self, inputs: pd.DataFrame) -> Floats:
        """Return the n refined predictions.

        Raises:
            ValueError: When columns are missing or have infinite values.
        """
        margin = self.target.margin(inputs[self.target.base].to_numpy(np.float64))
        if self.n_trees_ == 0:
            return self.target.value(margin)
        data = self._data(self.encoder_.transform(inputs), margin)
        margins = self.booster_.predict(data, output_margin=True)
        return self.target.value(np.asarray(margins, dtype=np.float64))

    def _train(
        self, matrix: NDArray[np.float32], labels: Floats, margin: Floats, trees: int
    ) -> xgb.Booster:
        data = self._data(matrix, margin)
        data.set_label(labels)
        parameters = {
            "objective": self.target.objective,
            "tree_method": "hist",
            "max_depth": 3,
            "learning_rate": 0.05,
            "subsample": 0.7,
            "colsample_bytree": 0.7,
            "min_child_weight": 20.0,
            "reg_lambda": 10.0,
            "seed": self.random_state,
            "nthread": -1 if self.n_jobs is None else self.n_jobs,
        }
        return xgb.train(parameters, data, num_boost_round=trees)

    def _data(self, matrix: NDArray[np.float32], margin: Floats) -> xgb.DMatrix:
        return xgb.DMatrix(matrix, base_margin=margin)

    def to_dict(self) -> dict[str, Any]:
        """Return all but the trees, as JSON data."""
        return {
            "target": self.target.name,
            "encoder": self.encoder_.to_dict(),
            "n_trees": self.n_trees_,
            "tree_losses": {str(count): loss for count, loss in self.tree_losses_.items()},
            "random_state": self.random_state,
            "n_jobs": self.n_jobs,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], target: Target, booster: xgb.Booster) -> Correction:
        """Read what `to_dict` wrote."""
        made = cls(target, random_state=int(data["random_state"]), n_jobs=data["n_jobs"])
        made.encoder_ = TableEncoder.from_dict(data["encoder"])
        made.n_trees_ = int(data["n_trees"])
        made.tree_losses_ = {int(count): loss for count, loss in data["tree_losses"].items()}
        made.booster_ = booster
        return made


class Ensemble:
    """Corrections of several targets, and which of them are adopted.

    Args:
        corrections: By the name of the target.
        adopted: Whether a target's correction serves; where not, the base prediction does.
    """

    def __init__(self, corrections: Mapping[str, Correction], adopted: Mapping[str, bool]) -> None:
        self.corrections = dict(corrections)
        self.adopted = dict(adopted)

    def predict(self, inputs: pd.DataFrame) -> pd.DataFrame:
        """Return refined predictions, a column a target; null where the base prediction is null."""
        refined = {}
        for name, correction in self.corrections.items():
            target = correction.target
            base = inputs[target.base].to_numpy(np.float64)
            values = target.value(target.margin(base))
            known = ~np.isnan(base)
            if self.adopted[name] and known.any():
                values[known] = correction.predict(inputs[known])
            refined[name] = np.where(known, values, np.nan)
        return pd.DataFrame(refined, index=inputs.index)

    def save(self, folder: Path | UPath | str) -> None:
        """Write trees in UBJSON, the rest in JSON; files of the same name are replaced."""
        target = Path(folder) if isinstance(folder, str) else folder
        target.mkdir(parents=True, exist_ok=True)
        for name, correction in self.corrections.items():
            payload = bytes(correction.booster_.save_raw("ubj"))
            (target / f"{name}.ubj").write_bytes(payload)
        state = {
            "format": FORMAT,
            "adopted": self.adopted,
            "corrections": {n: c.to_dict() for n, c in self.corrections.items()},
        }
        (target / STATE_FILE).write_text(json.dumps(state, indent=1, allow_nan=False))

    @classmethod
    def load(cls, folder: Path | UPath | str, *, targets: Mapping[str, Target]) -> Ensemble:
        """Read what `save` wrote. Check the files' hashes first (`ModelRegistry.open`).

        Raises:
            FileNotFoundError: When a file is missing.
            ValueError: When the files are of another format.
        """
        source = Path(folder) if isinstance(folder, str) else folder
        with naming(source / STATE_FILE):
            state = json.loads((source / STATE_FILE).read_text())
            if state.get("format") != FORMAT:
                raise ValueError(
                    f"{source} has format {state.get('format')!r}, expected {FORMAT!r}"
                )
            corrections = {
                name: Correction.from_dict(data, targets[name], read_booster(source, f"{name}.ubj"))
                for name, data in state["corrections"].items()
            }
            return cls(corrections, state["adopted"])
