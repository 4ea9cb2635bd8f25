"""What every estimate of an effect needs of a row: expected outcomes, the chance of treatment.

Belongs here: learning them out of fold, and the doubly robust score. Does not belong here: effects
by features (`learners.py`).

The score of a row is the augmented inverse-propensity one (Robins, Rotnitzky and Zhao, JASA 1994)
with cross-fitting (Chernozhukov et al., The Econometrics Journal 21, 2018): its mean is the effect
where either the outcomes or the chances are right, and of an experiment the chances are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.model_selection import StratifiedKFold

from engagement_assets.learning.effects.regressor import FlexibleRegressor
from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.bootstrap import Interval

# Estimated chances are kept this far from 0 and 1; known ones are used as known.
LEAST_CHANCE = 0.01


@dataclass(frozen=True, eq=False)
class Nuisances:
    """What is expected of n rows.

    Attributes:
        control: n expected outcomes without the treatment.
        treated: n expected outcomes with it.
        chance: n chances of being treated.
        treatment: n of 0 and 1.
        outcome: n outcomes.
    """

    control: Floats
    treated: Floats
    chance: Floats
    treatment: NDArray[np.int64]
    outcome: Floats

    @property
    def mean(self) -> Floats:
        """N expected outcomes, whichever the arm."""
        return self.chance * self.treated + (1.0 - self.chance) * self.control

    @property
    def scores(self) -> Floats:
        """N doubly robust scores of the effect."""
        expected = np.where(self.treatment == 1, self.treated, self.control)
        weight = np.where(self.treatment == 1, 1.0 / self.chance, -1.0 / (1.0 - self.chance))
        scores: Floats = self.treated - self.control + weight * (self.outcome - expected)
        return scores

    @property
    def precision(self) -> Floats:
        """N weights of the scores: one is the surer the more even its chances of the arms are."""
        return self.chance * (1.0 - self.chance)

    def distance(self, effects: Floats) -> Floats:
        """Return the n squared distances of effects to the scores, weighted by precision."""
        weighted: Floats = self.precision / self.precision.mean() * (self.scores - effects) ** 2
        return weighted

    def rows(self, chosen: NDArray[Any]) -> Nuisances:
        """Return some of the rows."""
        return Nuisances(*(part[chosen] for part in vars(self).values()))

    def and_those(self, other: Nuisances) -> Nuisances:
        """Return these rows, and those of another after them."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Nuisances(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True, eq=False)
class NuisanceModels:
    """Fitted regressions of outcomes and, where they are not known, of chances."""

    control: FlexibleRegressor
    treated: FlexibleRegressor
    chance: FlexibleRegressor | None

    @classmethod
    def fit(
        cls,
        matrix: Floats,
        treatment: NDArray[np.int64],
        outcome: Floats,
        *,
        known: bool,
        seed: int,
        threads: int,
    ) -> NuisanceModels:
        """Learn outcomes of both arms and, unless `known`, the chance of being treated."""

        def regressor() -> FlexibleRegressor:
            return FlexibleRegressor(seed=seed, threads=threads)

        untreated, chosen = treatment == 0, treatment == 1
        chance = None if known else regressor().fit(matrix, treatment.astype(np.float64))
        return cls(
            regressor().fit(matrix[untreated], outcome[untreated]),
            regressor().fit(matrix[chosen], outcome[chosen]),
            chance,
        )

    def __call__(
        self,
        matrix: Floats,
        treatment: NDArray[np.int64],
        outcome: Floats,
        propensity: Floats | None,
    ) -> Nuisances:
        """Return what is expected of n rows that they have not seen."""
        if self.chance is not None:
            chance = np.clip(self.chance.predict(matrix), LEAST_CHANCE, 1.0 - LEAST_CHANCE)
        else:
            if propensity is None:
                raise ValueError("the chances were to be known, and are not given")
            chance = propensity
        control, treated = self.control.predict(matrix), self.treated.predict(matrix)
        return Nuisances(control, treated, chance, treatment, outcome)


def cross_fitted(
    matrix: Floats,
    treatment: NDArray[np.int64],
    outcome: Floats,
    propensity: Floats | None,
    *,
    folds: int,
    seed: int,
    threads: int,
) -> Nuisances:
    """Return what is expected of n rows by models that have not seen them.

    Args:
        matrix: n x f numbers, NaN for null.
        treatment: n of 0 and 1.
        outcome: n outcomes.
        propensity: n known chances, or None where they are to be learnt.
        folds: Folds, each with both arms.
        seed: Seed of folds and models.
        threads: Threads.
    """
    n = len(outcome)
    parts = {name: np.empty(n) for name in ("control", "treated", "chance")}
    splits = StratifiedKFold(folds, shuffle=True, random_state=seed).split(matrix, treatment)
    for learn, rest in splits:
        models = NuisanceModels.fit(
            matrix[learn],
            treatment[learn],
            outcome[learn],
            known=propensity is not None,
            seed=seed,
            threads=threads,
        )
        chances = None if propensity is None else propensity[rest]
        part = models(matrix[rest], treatment[rest], outcome[rest], chances)
        for name, values in parts.items():
            values[rest] = getattr(part, name)
    return Nuisances(**parts, treatment=treatment, outcome=outcome)


def mean_interval(scores: Floats, *, level: float = 0.95) -> Interval:
    """Return the mean of n scores with its interval by Student's t.

    Raises:
        ValueError: There are fewer than two.
    """
    if len(scores) < 2:
        raise ValueError(f"{len(scores)} scores give no interval: at least 2 are needed")
    mean = float(scores.mean())
    error = float(scores.std(ddof=1) / np.sqrt(len(scores)))
    reach = float(stats.t.ppf(0.5 + level / 2.0, len(scores) - 1)) * error
    return Interval(mean, mean - reach, mean + reach)
