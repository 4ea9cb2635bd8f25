"""Simpler ways to choose, to be compared with: the best fixed action, epsilon-greedy, LinUCB.

Belongs here: what a bandit must be better than. Does not belong here: Thompson sampling.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from engagement_assets.learning.bandits.design import Design, Floats
from engagement_assets.learning.bandits.thompson import ThompsonSampling


class BestFixed(BaseEstimator):
    """The action with the greatest mean reward, whatever the context; others by chance `epsilon`.

    Args:
        actions: The k actions.
        epsilon: Share of choices that are drawn from all actions alike.
    """

    def __init__(self, *, actions: Sequence[str], epsilon: float = 0.1) -> None:
        self.actions = actions
        self.epsilon = epsilon

    def fit(self, contexts: pd.DataFrame, action: ArrayLike, reward: ArrayLike) -> Self:  # noqa: ARG002 - others look at it
        """Learn from n rows."""
        means = pd.Series(np.asarray(reward, np.float64)).groupby(np.asarray(action, object)).mean()
        self.best_ = means.reindex(list(self.actions)).fillna(means.mean()).to_numpy()
        return self

    def chances(self, contexts: pd.DataFrame) -> Floats:
        """Return n x k chances."""
        return _mostly(np.tile(self.best_, (len(contexts), 1)), self.epsilon)


class EpsilonGreedy(ThompsonSampling):
    """The action with the greatest expected reward in the context; others by chance `epsilon`.

    Args:
        actions: The k actions.
        epsilon: Share of choices that are drawn from all actions alike.
        prior_scale: As of `ThompsonSampling`.
    """

    def __init__(
        self, *, actions: Sequence[str], epsilon: float = 0.1, prior_scale: float = 1.0
    ) -> None:
        super().__init__(actions=actions, prior_scale=prior_scale)
        self.epsilon = epsilon

    def chances(self, contexts: pd.DataFrame) -> Floats:
        """Return n x k chances."""
        return _mostly(self.posteriors_.linear(self.design_.transform(contexts))[0], self.epsilon)


class LinUCB(BaseEstimator):
    """The action with the greatest upper bound of a ridge regression (Li et al., WWW 2010).

    Args:
        actions: The k actions.
        alpha: Standard deviations of the bound.
        penalty: Of the ridge regression.
    """

    def __init__(self, *, actions: Sequence[str], alpha: float = 1.0, penalty: float = 1.0) -> None:
        self.actions = actions
        self.alpha = alpha
        self.penalty = penalty

    def fit(self, contexts: pd.DataFrame, action: ArrayLike, reward: ArrayLike) -> Self:
        """Learn from n rows."""
        self.design_ = Design.fit(contexts)
        matrix, chosen = self.design_.transform(contexts), np.asarray(action, object)
        rewards, d = np.asarray(reward, np.float64), matrix.shape[1]
        self.inverse_, self.mean_ = np.empty((len(self.actions), d, d)), []
        for place, name in enumerate(self.actions):
            own = matrix[chosen == name]
            self.inverse_[place] = np.linalg.inv(own.T @ own + self.penalty * np.eye(d))
            self.mean_.append(self.inverse_[place] @ (own.T @ rewards[chosen == name]))
        return self

    def chances(self, contexts: pd.DataFrame) -> Floats:
        """Return n x k chances, 1 for the greatest bound."""
        matrix = self.design_.transform(contexts)
        widths = [np.sqrt(((matrix @ one) * matrix).sum(axis=1)) for one in self.inverse_]
        return _mostly(matrix @ np.array(self.mean_).T + self.alpha * np.stack(widths, 1), 0.0)


def _mostly(values: Floats, epsilon: float) -> Floats:
    k = values.shape[1]
    greedy: Floats = np.eye(k)[values.argmax(axis=1)]
    chances: Floats = epsilon / k + (1.0 - epsilon) * greedy
    return chances
