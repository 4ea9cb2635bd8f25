"""The learners that are tuned: what they have in common, and how their parameters are drawn.

Belongs here: the interface and the registry of families. Does not belong here: the families
themselves (a module each, loaded where it is used) and the search.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.trees.boosted import TREE_SHARES, Matrix

if TYPE_CHECKING:
    import optuna

XGBOOST, LIGHTGBM, CATBOOST, NET = "xgboost", "lightgbm", "catboost", "net"
FAMILIES = {
    XGBOOST: "engagement_assets.learning.tuning.xgboost_learner:XGBoostLearner",
    LIGHTGBM: "engagement_assets.learning.tuning.lightgbm_learner:LightGBMLearner",
    CATBOOST: "engagement_assets.learning.tuning.catboost_learner:CatBoostLearner",
    NET: "engagement_assets.learning.tuning.net_learner:NetLearner",
}
ROUNDS = "rounds"


class Learner(ABC):
    """One learner of a matrix with given parameters.

    Attributes:
        family: Name of its family.
        suffix: Of its file.
        defaults: Parameters of the first trial of the family.

    Args:
        parameters: As `suggest` draws them; `rounds` trees or epochs at most.
        logistic: Whether it learns log-odds, by cross-entropy of targets from 0 to 1, else the
            target by squared error.
        categories: Places of the columns of categories.
        seed: Seed.
        n_jobs: Threads; None for all cores.
    """

    family: ClassVar[str]
    suffix: ClassVar[str]
    defaults: ClassVar[Mapping[str, Any]]

    def __init__(
        self,
        parameters: Mapping[str, Any],
        *,
        logistic: bool,
        categories: Sequence[int] = (),
        seed: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.parameters = dict(parameters)
        self.logistic = logistic
        self.categories = list(categories)
        self.seed = seed
        self.n_jobs = n_jobs

    @classmethod
    @abstractmethod
    def suggest(cls, draw: Draw) -> dict[str, Any]:
        """Draw parameters."""

    @abstractmethod
    def fit(self, matrix: Matrix, target: Floats, weights: Floats | None = None) -> Self:
        """Learn from n rows, weighed by n weights of mean 1 where there are any."""

    @abstractmethod
    def margin(self, matrix: Matrix, *, rounds: int | None = None) -> Floats:
        """Return n margins by the first rounds, or by all."""

    @abstractmethod
    def contributions(self, matrix: Matrix) -> tuple[NDArray[np.float32], float, str]:
        """Return n x f Shapley values of the margins, the base value, and the method in words."""

    @abstractmethod
    def to_bytes(self) -> bytes:
        """Return what was learnt, as data."""

    @abstractmethod
    def restore(self, content: bytes) -> Self:
        """Take back what `to_bytes` gave."""

    def stages(self) -> list[int]:
        """Return the numbers of rounds that are tried, rising, the most last."""
        most = int(self.parameters[ROUNDS])
        return sorted({max(1, round(most * share)) for share in TREE_SHARES})

    def staged(self, matrix: Matrix) -> dict[int, Floats]:
        """Return n margins by each number of rounds that is tried."""
        return {rounds: self.margin(matrix, rounds=rounds) for rounds in self.stages()}

    @property
    def threads(self) -> int:
        """Threads as the libraries take them: -1 for all cores."""
        return -1 if self.n_jobs is None else self.n_jobs


class Draw:
    """Draws the parameters of one family for a trial, each under a name of its own."""

    def __init__(self, trial: optuna.Trial, family: str) -> None:
        self._trial, self._family = trial, family

    def number(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Draw a number."""
        return float(self._trial.suggest_float(f"{self._family}.{name}", low, high, log=log))

    def whole(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """Draw a whole number."""
        return int(self._trial.suggest_int(f"{self._family}.{name}", low, high, log=log))

    def one_of(self, name: str, choices: Sequence[Any]) -> Any:
        """Draw one of several."""
        return self._trial.suggest_categorical(f"{self._family}.{name}", list(choices))


def family(name: str) -> type[Learner]:
    """Return the class of a family; loads its library.

    Raises:
        ValueError: There is no such family.
    """
    if name not in FAMILIES:
        raise ValueError(f"{name!r} is no learner; expected some of {', '.join(FAMILIES)}")
    module, kind = FAMILIES[name].split(":")
    learner: type[Learner] = getattr(importlib.import_module(module), kind)
    return learner
