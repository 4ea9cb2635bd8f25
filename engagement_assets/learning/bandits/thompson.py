"""Contextual Thompson sampling: choose by a draw from what may be true of each action.

Belongs here: the estimator over a table. Does not belong here: posteriors (`posterior`), chances
(`chances`), simpler ways to choose (`baselines`).

Doing nothing is an action like the others: the reward is what happened after either, so the
difference is what an action adds. An action's chance is that its reward is the greatest under the
posteriors (Thompson 1933; Chapelle and Li, NIPS 2011), with a floor under it; the action is then
drawn from these very chances, so that the propensity of a choice is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import orjson
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from engagement_assets.learning.bandits.chances import floored, greatest_chances
from engagement_assets.learning.bandits.design import Design, Floats
from engagement_assets.learning.bandits.posterior import ArmPosteriors, fit_arms
from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.json_data import naming

FILE = "thompson.json"
# Weights below it change nothing.
_LEAST_WEIGHT = 1e-4
# Numbers beyond it overflow when they are squared and summed.
_GREATEST = 1e100


class ThompsonSampling(BaseEstimator):
    """Bayesian logistic regressions of the actions' rewards, and the chances that follow.

    The fit knows the log as a set: the same rows in any order give the same bytes, so a reward that
    comes late or out of order is learnt by fitting again with it.

    Args:
        actions: The k actions that may be taken.
        least_chance: Floor under each action's chance.
        half_life: Age at which a row counts half, in the unit of `time`; None: all count alike.
        exploration: Factor of the posteriors' deviations; below 1 it explores less than Thompson
            sampling proper, which Chapelle and Li found to pay.
        prior_scale: How far an action's log odds may lie from those of all, a standard deviation,
            before there are rows.

    Attributes:
        design_: The columns of the context.
        posteriors_: What is known of each action, in the order of `actions`.
    """

    def __init__(
        self,
        *,
        actions: Sequence[str],
        least_chance: float = 0.01,
        half_life: float | None = None,
        exploration: float = 0.5,
        prior_scale: float = 1.0,
    ) -> None:
        self.actions = actions
        self.least_chance = least_chance
        self.half_life = half_life
        self.exploration = exploration
        self.prior_scale = prior_scale

    def fit(
        self,
        contexts: pd.DataFrame,
        action: ArrayLike,
        reward: ArrayLike,
        *,
        time: ArrayLike | None = None,
    ) -> Self:
        """Learn from a log.

        Args:
            contexts: n contexts.
            action: n actions; rows of one that may not be taken are left out.
            reward: n rewards from 0 to 1.
            time: n times, numbers; needed with a half-life.

        Raises:
            TooLittleDataError: No row is of an action that may be taken.
            ValueError: A reward is no number from 0 to 1, a time lacks, the floors are too many, a
                parameter is out of its range, or a column has infinite values.
        """
        self._check()
        values = np.asarray(reward, dtype=np.float64)
        if not len(contexts) == len(np.asarray(action, object)) == len(values):
            raise ValueError("contexts, actions and rewards must be of one length")
        chosen = pd.Index(list(self.actions)).get_indexer(pd.Index(np.asarray(action, object)))
        if not ((values >= 0.0) & (values <= 1.0)).all():
            raise ValueError("rewards must be numbers from 0 to 1: scale or cap them")
        floored(np.zeros((0, len(self.actions))), least=self.least_chance)
        known = chosen >= 0
        if not known.any():
            raise TooLittleDataError(f"no row is of one of the actions {', '.join(self.actions)}")
        weight = self._weights(time, len(values))
        used = known & (weight >= _LEAST_WEIGHT)
        self.design_ = Design.fit(contexts[used])
        matrix = self.design_.transform(contexts[used])
        rows = np.column_stack([matrix, chosen[used], values[used], weight[used]])
        # the order of the rows must not change a sum
        rows = rows[np.lexsort(rows.T)]
        self.posteriors_ = fit_arms(
            np.ascontiguousarray(rows[:, :-3]),
            rows[:, -3].astype(np.int64),
            rows[:, -2],
            rows[:, -1],
            arms=len(self.actions),
            prior_scale=self.prior_scale,
        )
        return self

    def _check(self) -> None:
        """Refuse parameters with which nothing can be learnt."""
        if isinstance(self.actions, str) or len(set(self.actions)) < max(1, len(self.actions)):
            raise ValueError(f"actions must be names of which none comes twice, got {self.actions}")
        positive = {"half_life": self.half_life, "prior_scale": self.prior_scale}
        for name, value in positive.items():
            if value is not None and not 0.0 < value < _GREATEST:
                raise ValueError(f"{name} must be a number greater than 0, got {value}")
        if not 0.0 <= self.exploration < _GREATEST:
            raise ValueError(f"exploration must be a number of at least 0, got {self.exploration}")

    def _weights(self, time: ArrayLike | None, n: int) -> Floats:
        if self.half_life is None:
            return np.ones(n)
        if time is None:
            raise ValueError("a half-life needs the time of each row")
        at = np.asarray(time, dtype=np.float64)
        if not np.isfinite(at).all():
            raise ValueError("each row needs a time")
        weights: Floats = 0.5 ** ((at.max() - at) / self.half_life)
        return weights

    def with_actions(self, actions: Sequence[str]) -> Self:
        """Return the same for other actions: a new one starts from the prior, others are known."""
        new = type(self)(**{**self.get_params(), "actions": list(actions)})
        old = {name: place for place, name in enumerate(self.actions)}
        own = self.posteriors_
        prior = np.diag(1.0 / own.prior_precision)
        places = [old.get(name) for name in actions]
        new.design_ = self.design_
        new.posteriors_ = ArmPosteriors(
            mean=np.array([own.prior_mean if p is None else own.mean[p] for p in places]),
            covariance=np.array([prior if p is None else own.covariance[p] for p in places]),
            prior_mean=own.prior_mean,
            prior_precision=own.prior_precision,
            rows=np.array([0.0 if p is None else own.rows[p] for p in places]),
        )
        return new

    def chances(self, contexts: pd.DataFrame) -> Floats:
        """Return the chance of each action in n contexts, n x k."""
        check_is_fitted(self, "posteriors_")
        mean, deviation = self.posteriors_.linear(self.design_.transform(contexts))
        best = greatest_chances(mean, self.exploration * deviation)
        return floored(best, least=self.least_chance)

    def expected(self, contexts: pd.DataFrame) -> Floats:
        """Return the expected reward of each action in n contexts, n x k.

        The mean of a logistic of a normal value is near that of the value shrunk by
        sqrt(1 + pi variance / 8) (MacKay 1992).
        """
        mean, deviation = self.posteriors_.linear(self.design_.transform(contexts))
        rewards: Floats = expit(mean / np.sqrt(1.0 + np.pi * deviation**2 / 8.0))
        return rewards

    def advantages(self, contexts: pd.DataFrame, chosen: NDArray[np.int64]) -> Floats:
        """Return by column of the context what it adds to the choice, in log odds.

        Args:
            contexts: n contexts.
            chosen: n positions of actions.

        Returns:
            n x the columns of the context, in the order of `design_.columns`: the chosen action's
            coefficients less the mean of all actions', times the values; positive where it speaks
            for the choice.
        """
        matrix = self.design_.transform(contexts)
        beyond = self.posteriors_.mean - self.posteriors_.mean.mean(axis=0)
        added: Floats = (matrix * beyond[chosen]) @ self.design_.owners
        return added

    def save(self, folder: Path) -> None:
        """Write it as JSON."""
        own = self.posteriors_
        data: dict[str, Any] = {
            "parameters": {**self.get_params(), "actions": list(self.actions)},
            "design": self.design_.to_dict(),
            "posteriors": {name: value.tolist() for name, value in vars(own).items()},
        }
        (folder / FILE).write_bytes(orjson.dumps(data))

    @classmethod
    def load(cls, folder: Any) -> Self:
        """Read what `save` wrote into a folder, a path of any kind.

        Raises:
            BrokenFileError: It is not what was saved.
        """
        with naming(folder / FILE):
            data = orjson.loads((folder / FILE).read_bytes())
            made = cls(**data["parameters"])
            made.design_ = Design.from_dict(data["design"])
            made.posteriors_ = ArmPosteriors(
                **{name: np.array(value) for name, value in data["posteriors"].items()}
            )
            return made
