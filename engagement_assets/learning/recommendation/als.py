"""Implicit-feedback matrix factorisation by alternating least squares.

Belongs here: the estimator. Does not belong here: other linear models (`ease`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engagement_assets.learning.recommendation.data import Dataset, Floats, Ints
from engagement_assets.learning.recommendation.recommender import Recommender

_AT_ONCE = 100_000


@dataclass(kw_only=True, eq=False)
class AlsRecommender(Recommender):
    """Weighted matrix factorisation (Hu, Koren and Volinsky, ICDM 2008).

    Preferences are 1 for what came together and 0 otherwise; the confidence in a 1 is
    1 + alpha log(1 + weight). Each half-step is solved by a few steps of conjugate gradients for
    all rows at once (Takács, Pilászy and Tikk, RecSys 2011). The penalty of a row grows with how
    much it has interacted (Rendle et al., RecSys 2022).

    Args:
        factors: Width of the embeddings.
        regularisation: L2 penalty; chosen on interactions set aside when None.
        alpha: Weight of confidence; chosen like it when None.
        penalty_exponent: 0 for the same penalty for all rows, 1 for one in proportion to their
            interactions, which then means the same for few users as for many.
        iterations: Passes over users and items.
        steps: Conjugate-gradient steps of each half-step.
        random_state: Seed of the first factors.
    """

    kind = "als"
    grid: ClassVar[Mapping[str, Sequence[float]]] = {
        "regularisation": (0.03, 0.1, 0.3, 1.0),
        "alpha": (0.5, 2.0, 10.0),
    }
    searched_interactions = 100_000
    factors: int = 64
    regularisation: float | None = None
    alpha: float | None = None
    penalty_exponent: float = 1.0
    iterations: int = 10
    steps: int = 3
    random_state: int = 0

    def __post_init__(self) -> None:
        if self.factors < 1 or self.iterations < 1 or self.steps < 1:
            raise ValueError("factors, iterations and steps must be at least 1")
        if any(value is not None and not value > 0 for value in (self.regularisation, self.alpha)):
            raise ValueError("regularisation and alpha must be above 0")

    def _fit(self, data: Dataset) -> None:
        matrix = data.matrix()
        matrix.data = (self.chosen("alpha") * np.log1p(matrix.data)).astype(np.float32)
        rng = np.random.default_rng(self.random_state)
        scale = 1.0 / np.sqrt(self.factors)
        users = (scale * rng.standard_normal((data.shape[0], self.factors))).astype(np.float32)
        items = (scale * rng.standard_normal((data.shape[1], self.factors))).astype(np.float32)
        by_item = matrix.T.tocsr()
        # Rows without interactions solve to zero: left out of the work.
        row, column = (np.flatnonzero(np.diff(m.indptr)) for m in (matrix, by_item))
        dense = matrix[row][:, column].tocsr()
        turned = dense.T.tocsr()
        u, i = users[row], items[column]
        for _ in range(self.iterations):
            u = self._solve(dense, i, u)
            i = self._solve(turned, u, i)
        self.user_factors_ = np.zeros_like(users)
        self.item_factors_ = np.zeros_like(items)
        self.user_factors_[row], self.item_factors_[column] = u, i

    def _solve(self, confidence: sp.csr_matrix, other: Floats, start: Floats) -> Floats:
        """Least squares of each row of `start` with the other side fixed."""
        gram = other.T @ other
        row = np.repeat(np.arange(confidence.shape[0]), np.diff(confidence.indptr))
        size = np.diff(confidence.indptr).astype(np.float32)
        penalty = (self.chosen("regularisation") * size**self.penalty_exponent)[:, None]

        def times(x: Floats) -> Floats:
            scaled = confidence.copy()
            scaled.data = confidence.data * _products(x, other, row, confidence.indices)
            return np.asarray(x @ gram + penalty * x + scaled @ other, dtype=np.float32)

        wanted = confidence.copy()
        wanted.data = 1.0 + confidence.data
        x = start
        residual = np.asarray(wanted @ other, dtype=np.float32) - times(x)
        direction = residual
        size_now = (residual**2).sum(axis=1, keepdims=True)
        for _ in range(self.steps):
            moved = times(direction)
            length = (direction * moved).sum(axis=1, keepdims=True)
            step = np.divide(size_now, length, out=np.zeros_like(length), where=length > 0)
            x = x + step * direction
            residual = residual - step * moved
            size_next = (residual**2).sum(axis=1, keepdims=True)
            turn = np.divide(size_next, size_now, out=np.zeros_like(size_now), where=size_now > 0)
            direction, size_now = residual + turn * direction, size_next
        return x

    def score_block(self, users: Ints, items: Ints) -> Floats:
        """Products of the factors."""
        scores: Floats = self.user_factors_[users] @ self.item_factors_[items].T
        return scores


def _products(left: Floats, right: Floats, row: Ints, column: NDArray[Any]) -> Floats:
    """Inner products of pairs of rows, some at a time to spare memory."""
    out = np.empty(len(row), dtype=np.float32)
    for start in range(0, len(row), _AT_ONCE):
        span = slice(start, start + _AT_ONCE)
        np.einsum("ij,ij->i", left[row[span]], right[column[span]], out=out[span])
    return out
