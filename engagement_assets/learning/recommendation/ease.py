"""EASE: a linear model from items to items, in closed form.

Belongs here: the estimator. Does not belong here: other factor models (`als`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from engagement_assets.learning.recommendation.data import Dataset, Floats, Ints
from engagement_assets.learning.recommendation.popularity import popularity
from engagement_assets.learning.recommendation.recommender import Recommender

logger = logging.getLogger(__name__)


@dataclass(kw_only=True, eq=False)
class EaseRecommender(Recommender):
    """Embarrassingly shallow autoencoder (Steck, WWW 2019).

    Minimises |X - X B|^2 + regularisation |B|^2 with a zero diagonal of B, where X is 1 for each
    user and item that came together (or the weight, tempered by `log(1 + weight)`).

    Args:
        regularisation: L2 penalty; larger for fewer data.
        use_weights: Learn from tempered weights instead of ones.
        max_items: Only so many of the most used items are learnt, as time goes with the cube of
            their number and memory with its square; others score 0.
        items_half_life_days: In the choice of those, a use counts half after so many days. Set it
            where items are soon forgotten, or the choice falls on items that are no longer shown.
    """

    kind = "ease"
    regularisation: float = 200.0
    use_weights: bool = False
    max_items: int = 4_000
    items_half_life_days: float | None = None

    def __post_init__(self) -> None:
        if not self.regularisation > 0:
            raise ValueError(f"regularisation must be above 0, got {self.regularisation}")
        if self.max_items < 1:
            raise ValueError(f"max_items must be at least 1, got {self.max_items}")
        if self.items_half_life_days is not None and not self.items_half_life_days > 0:
            raise ValueError(
                f"items_half_life_days must be above 0, got {self.items_half_life_days}"
            )

    def _fit(self, data: Dataset) -> None:
        matrix = data.matrix()
        matrix.data = np.log1p(matrix.data) if self.use_weights else np.ones_like(matrix.data)
        used = data.people().astype(np.float64)
        if self.items_half_life_days is not None:
            used = popularity(data, self.items_half_life_days)
        self.items_ = np.flatnonzero(used)
        if len(self.items_) > self.max_items:
            logger.warning(
                "EASE learns the %d most used of %d items", self.max_items, len(self.items_)
            )
            self.items_ = np.sort(np.argsort(-used, kind="stable")[: self.max_items])
        self.matrix_ = matrix[:, self.items_].tocsr()
        gram = np.asarray((self.matrix_.T @ self.matrix_).todense(), dtype=np.float32)
        gram[np.diag_indices_from(gram)] += self.regularisation
        inverse = _inverse(gram)
        weights = inverse / -np.diag(inverse)[None, :]
        np.fill_diagonal(weights, 0.0)
        self.weights_ = np.asarray(weights, dtype=np.float32)

    def score_block(self, users: Ints, items: Ints) -> Floats:
        """X B of some users and items."""
        place = np.full(self.data_.shape[1], -1, dtype=np.int64)
        place[self.items_] = np.arange(len(self.items_))
        column = place[items]
        out = np.zeros((len(users), len(items)), dtype=np.float32)
        known = np.flatnonzero(column >= 0)
        out[:, known] = self.matrix_[users] @ self.weights_[:, column[known]]
        return out


def _inverse(gram: Floats) -> Floats:
    """Inverse of a positive definite matrix, by Cholesky: half the work of a general one."""
    factor, failed = lapack.spotrf(gram, lower=1)
    if failed:
        raise ValueError(
            "EASE cannot invert its matrix: raise `regularisation` (numbers are 32 bits wide)"
        )
    lower, failed = lapack.spotri(factor, lower=1)
    lower = np.tril(lower)
    return np.asarray(lower + np.tril(lower, -1).T, dtype=np.float32)
