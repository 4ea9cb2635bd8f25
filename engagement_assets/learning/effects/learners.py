"""Ways to learn the effect by features: the constant, the meta-learners and a causal forest.

Belongs here: what each fits, its intervals and its arrays. Does not belong here: the choice among
them (`estimator.py`) and nuisances (`nuisances.py`).

S-, T- and X-learner: Kuenzel et al., PNAS 116 (2019). DR-learner: Kennedy, Electronic Journal of
Statistics 17 (2023). R-learner: Nie and Wager, Biometrika 108 (2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from engagement_assets.learning.effects.forest import CausalForest
from engagement_assets.learning.effects.nuisances import Nuisances, mean_interval
from engagement_assets.learning.effects.regressor import Arrays, FlexibleRegressor
from engagement_assets.learning.evaluation.binary import Floats

# Refits on half of the rows behind an interval of a meta-learner.
HALF_SAMPLES = 20


class Learner(Protocol):
    """Learns the effect of a row from its features."""

    name: ClassVar[str]

    def fit(self, matrix: Floats, rows: Nuisances) -> Self:
        """Learn from n x f numbers and what is expected of the n rows."""

    def predict(self, matrix: Floats) -> Floats:
        """Return the n effects."""

    def add_intervals(self, matrix: Floats, rows: Nuisances) -> None:
        """Learn what `standard_errors` needs, from the rows that `fit` saw."""

    def standard_errors(self, matrix: Floats) -> Floats:
        """Return the n standard errors of the effects."""

    def arrays(self) -> Arrays:
        """Return what predicts, as arrays."""

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take what `arrays` gave."""


class _Seeded:
    """The seed and threads that every learner has.

    Args:
        seed: Seed of whatever chance it uses.
        threads: Threads.
        trees: Trees of a forest.
    """

    def __init__(self, *, seed: int = 0, threads: int = 1, trees: int = 100) -> None:
        self.seed, self.threads, self.trees = seed, threads, trees


class ConstantEffect(_Seeded):
    """The same effect for everybody: the mean of the doubly robust scores."""

    name: ClassVar[str] = "constant"

    def fit(self, matrix: Floats, rows: Nuisances) -> Self:  # noqa: ARG002 - it looks at no feature
        """Learn the mean effect."""
        interval = mean_interval(rows.scores)
        reach = stats.t.ppf(0.975, len(rows.scores) - 1)
        self.effect_, self.error_ = interval.value, (interval.high - interval.value) / reach
        return self

    def predict(self, matrix: Floats) -> Floats:
        """Return the mean effect n times."""
        return np.full(len(matrix), self.effect_)

    def add_intervals(self, matrix: Floats, rows: Nuisances) -> None:
        """Nothing to add: `fit` knows the error."""

    def standard_errors(self, matrix: Floats) -> Floats:
        """Return the standard error of the mean effect n times."""
        return np.full(len(matrix), self.error_)

    def arrays(self) -> Arrays:
        """Return effect and error."""
        return {"effect": np.array(self.effect_), "error": np.array(self.error_)}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take what `arrays` gave."""
        self.effect_, self.error_ = float(arrays["effect"]), float(arrays["error"])
        return self


class MetaLearner(_Seeded):
    """Effects by regressions, with standard errors by refits on half of the rows.

    A half sample without replacement differs from the whole as the whole differs from the
    population (Politis and Romano, Annals of Statistics 22, 1994). What regressions smooth away is
    in no such interval.
    """

    name: ClassVar[str]
    parts: ClassVar[tuple[str, ...]]

    def problems(
        self, matrix: Floats, rows: Nuisances
    ) -> dict[str, tuple[Floats, Floats, Floats | None]]:
        """Return features, targets and weights of each regression."""
        raise NotImplementedError

    def combine(self, models: Mapping[str, FlexibleRegressor], matrix: Floats) -> Floats:
        """Return the n effects by fitted regressions."""
        raise NotImplementedError

    def fit(self, matrix: Floats, rows: Nuisances) -> Self:
        """Fit the regressions."""
        self.treated_share_ = float(rows.treatment.mean())
        self.models_ = {
            part: FlexibleRegressor(seed=self.seed, threads=self.threads).fit(*problem)
            for part, problem in self.problems(matrix, rows).items()
        }
        self.halves_: list[dict[str, FlexibleRegressor]] = []
        return self

    def predict(self, matrix: Floats) -> Floats:
        """Return the n effects."""
        return self.combine(self.models_, matrix)

    def add_intervals(self, matrix: Floats, rows: Nuisances) -> None:
        """Refit on halves of the rows, half of each arm."""
        rng = np.random.default_rng(self.seed)
        arms = [np.flatnonzero(rows.treatment == arm) for arm in (0, 1)]
        for _ in range(HALF_SAMPLES):
            half = np.concatenate([rng.choice(arm, len(arm) // 2, replace=False) for arm in arms])
            half.sort()
            self.halves_.append(
                {
                    part: self.models_[part].like().refit(*problem)
                    for part, problem in self.problems(matrix[half], rows.rows(half)).items()
                }
            )

    def standard_errors(self, matrix: Floats) -> Floats:
        """Return the n standard errors."""
        whole = self.predict(matrix)
        squares = [(self.combine(half, matrix) - whole) ** 2 for half in self.halves_]
        errors: Floats = np.sqrt(np.mean(squares, axis=0))
        return errors

    def arrays(self) -> Arrays:
        """Return the regressions' arrays."""
        fits = {"whole": self.models_}
        fits |= {f"half{number}": models for number, models in enumerate(self.halves_)}
        return {
            "treated_share": np.array(self.treated_share_),
            "halves": np.array(len(self.halves_)),
            **{
                f"{fit}.{part}.{name}": value
                for fit, models in fits.items()
                for part, model in models.items()
                for name, value in model.arrays().items()
            },
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take what `arrays` gave."""

        def models(fit: str) -> dict[str, FlexibleRegressor]:
            return {
                part: FlexibleRegressor.from_arrays(
                    part_of(arrays, f"{fit}.{part}"), threads=self.threads
                )
                for part in self.parts
            }

        self.treated_share_ = float(arrays["treated_share"])
        self.models_ = models("whole")
        self.halves_ = [models(f"half{number}") for number in range(int(arrays["halves"]))]
        return self


def part_of(arrays: Mapping[str, NDArray[Any]], name: str) -> Arrays:
    """Return the arrays below a dotted name."""
    return {
        key.removeprefix(f"{name}."): value
        for key, value in arrays.items()
        if key.startswith(f"{name}.")
    }


class SLearner(MetaLearner):
    """One regression of the outcome on features and treatment."""

    name = "S-learner"
    parts = ("outcome",)

    def problems(
        self, matrix: Floats, rows: Nuisances
    ) -> dict[str, tuple[Floats, Floats, Floats | None]]:
        """Return the outcome by features and treatment."""
        return {"outcome": (_with(matrix, rows.treatment), rows.outcome, None)}

    def combine(self, models: Mapping[str, FlexibleRegressor], matrix: Floats) -> Floats:
        """Return the difference that the treatment makes."""
        treated, control = (_with(matrix, np.full(len(matrix), arm)) for arm in (1, 0))
        return models["outcome"].predict(treated) - models["outcome"].predict(control)


class TLearner(MetaLearner):
    """A regression of the outcome in each arm."""

    name = "T-learner"
    parts = ("control", "treated")

    def problems(
        self, matrix: Floats, rows: Nuisances
    ) -> dict[str, tuple[Floats, Floats, Floats | None]]:
        """Return the outcome by features, in each arm."""
        arms = {"control": rows.treatment == 0, "treated": rows.treatment == 1}
        return {name: (matrix[arm], rows.outcome[arm], None) for name, arm in arms.items()}

    def combine(self, models: Mapping[str, FlexibleRegressor], matrix: Floats) -> Floats:
        """Return the difference of the arms."""
        return models["treated"].predict(matrix) - models["control"].predict(matrix)


class XLearner(MetaLearner):
    """A regression in each arm of what the other arm was expected to bring."""

    name = "X-learner"
    parts = ("control", "treated")

    def problems(
        self, matrix: Floats, rows: Nuisances
    ) -> dict[str, tuple[Floats, Floats, Floats | None]]:
        """Return the imputed effects, in each arm."""
        control, treated = rows.treatment == 0, rows.treatment == 1
        return {
            "control": (matrix[control], (rows.treated - rows.outcome)[control], None),
            "treated": (matrix[treated], (rows.outcome - rows.control)[treated], None),
        }

    def combine(self, models: Mapping[str, FlexibleRegressor], matrix: Floats) -> Floats:
        """Return the mean of both, weighted by the other arm's share."""
        share = self.treated_share_
        control, treated = models["control"].predict(matrix), models["treated"].predict(matrix)
        return share * control + (1.0 - share) * treated


class DRLearner(MetaLearner):
    """A regression of the doubly robust scores."""

    name = "DR-learner"
    parts = ("effect",)

    def problems(
        self, matrix: Floats, rows: Nuisances
    ) -> dict[str, tuple[Floats, Floats, Floats | None]]:
        """Return the scores by features, weighted by their precision."""
        return {"effect": (matrix, rows.scores, rows.precision)}

    def combine(self, models: Mapping[str, FlexibleRegressor], matrix: Floats) -> Floats:
        """Return the expected score."""
        return models["effect"].predict(matrix)


class RLearner(DRLearner):
    """A regression of outcome residuals on treatment residuals."""

    name = "R-learner"

    def problems(
        self, matrix: Floats, rows: Nuisances
    ) -> dict[str, tuple[Floats, Floats, Floats | None]]:
        """Return the residuals' ratio, weighted by the treatment's residual squared."""
        residual = rows.treatment - rows.chance
        return {"effect": (matrix, (rows.outcome - rows.mean) / residual, residual**2)}


class ForestLearner(_Seeded):
    """A causal forest on residuals."""

    name: ClassVar[str] = "causal forest"

    def fit(self, matrix: Floats, rows: Nuisances) -> Self:
        """Grow the forest."""
        self.forest_ = CausalForest(trees=self.trees, seed=self.seed, threads=self.threads).fit(
            matrix, rows.treatment - rows.chance, rows.outcome - rows.mean
        )
        return self

    def predict(self, matrix: Floats) -> Floats:
        """Return the n effects."""
        return self.forest_.predict(matrix)

    def add_intervals(self, matrix: Floats, rows: Nuisances) -> None:
        """Nothing to add: the forest's bags know the error."""

    def standard_errors(self, matrix: Floats) -> Floats:
        """Return the n standard errors."""
        return self.forest_.standard_errors(matrix)

    def arrays(self) -> Arrays:
        """Return the forest's arrays."""
        return self.forest_.arrays()

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take what `arrays` gave."""
        self.forest_ = CausalForest.from_arrays(arrays)
        return self


def _with(matrix: Floats, treatment: NDArray[Any]) -> Floats:
    return np.column_stack([matrix, treatment])


LEARNERS: dict[str, type[ConstantEffect | MetaLearner | ForestLearner]] = {
    kind.name: kind
    for kind in (ConstantEffect, SLearner, TLearner, XLearner, DRLearner, RLearner, ForestLearner)
}
