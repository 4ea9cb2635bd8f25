"""EASE: a linear model from items to items, in closed form.

Belongs here: the estimator. Does not belong here: other factor models (`als`).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from scipy.linalg import lapack

from engagement_assets.learning.memory import available_bytes
from engagement_assets.learning.recommendation.data import Dataset, Floats, Ints
from engagement_assets.learning.recommendation.popularity import popularity
from engagement_assets.learning.recommendation.recommender import Recommender

logger = logging.getLogger(__name__)

# So many columns of a large square matrix are worked on at once.
_COLUMNS = 1_024
_PAIR_BYTES = 8
# 2 GB, where the system does not say what is free
_ITEMS_UNMEASURED = 16_000


@dataclass(kw_only=True, eq=False)
class EaseRecommender(Recommender):
    """Embarrassingly shallow autoencoder (Steck, WWW 2019).

    Minimises |X - X B|^2 + regularisation |B|^2 with a zero diagonal of B, where X is 1 for each
    user and item that came together (or the weight, tempered by `log(1 + weight)`).

    Args:
        regularisation: L2 penalty; chosen on interactions set aside when None.
        use_weights: Learn from tempered weights instead of ones.
        max_items: Only so many of the most used items are learnt, and others score 0, with a
            warning that says how many and of which share of the uses. When None, as many as half
            of the memory that is free at the fit holds, at 8 bytes for each pair of items (18 GB
            free: 33,000 items). Time goes with the cube of their number.
        items_half_life_days: In the choice of those, a use counts half after so many days. Set it
            where items are soon forgotten, or the choice falls on items that are no longer shown.
    """

    kind = "ease"
    grid: ClassVar[Mapping[str, Sequence[float]]] = {
        "regularisation": tuple(25.0 * 2**n for n in range(10))
    }
    # the penalty is held against how many people use two items, which fewer items do not change
    searched_items = 3_000
    regularisation: float | None = None
    use_weights: bool = False
    max_items: int | None = None
    items_half_life_days: float | None = None

    def __post_init__(self) -> None:
        if self.regularisation is not None and not self.regularisation > 0:
            raise ValueError(f"regularisation must be above 0, got {self.regularisation}")
        if self.max_items is not None and self.max_items < 1:
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
        known = np.flatnonzero(used)
        self.items_ = known
        most = _most_items() if self.max_items is None else self.max_items
        if len(known) > most:
            self.items_ = np.sort(np.argsort(-used, kind="stable")[:most])
        self.matrix_ = matrix[:, self.items_].tocsr()
        self.learnt_share_ = self.matrix_.nnz / max(matrix.nnz, 1)
        if len(known) > most:
            logger.warning(
                "EASE learns the %d most used of %d items, %.1f %% of the uses: %s bounds its "
                "memory",
                most, len(known), 100 * self.learnt_share_,
                "what is free" if self.max_items is None else "`max_items`",
            )  # fmt: skip
        weights = _inverse(_gram(self.matrix_, self.chosen("regularisation")))
        weights /= -np.diag(weights)[None, :].copy()
        np.fill_diagonal(weights, 0.0)
        self.weights_ = weights

    def score_block(self, users: Ints, items: Ints) -> Floats:
        """X B of some users and items."""
        place = np.full(self.data_.shape[1], -1, dtype=np.int64)
        place[self.items_] = np.arange(len(self.items_))
        column = place[items]
        out = np.zeros((len(users), len(items)), dtype=np.float32)
        known = np.flatnonzero(column >= 0)
        out[:, known] = self.matrix_[users] @ self.weights_[:, column[known]]
        return out


def _most_items() -> int:
    """So many items' matrix, and its copy in scoring, take half of the memory that is free."""
    free = available_bytes()
    if free is None:
        logger.info("Free memory is not known: EASE learns at most %d items", _ITEMS_UNMEASURED)
        return _ITEMS_UNMEASURED
    return max(1, math.isqrt(free // (2 * _PAIR_BYTES)))


def _gram(matrix: sp.csr_matrix, regularisation: float) -> Floats:
    """X'X with the penalty on its diagonal, in the order of columns that LAPACK works in place."""
    size = matrix.shape[1]
    gram = np.empty((size, size), dtype=np.float32, order="F")
    turned = matrix.T.tocsr()
    for start in range(0, size, _COLUMNS):
        span = slice(start, start + _COLUMNS)
        gram[:, span] = (turned @ matrix[:, span]).toarray()
    gram[np.diag_indices(size)] += np.float32(regularisation)
    return gram


def _inverse(gram: Floats) -> Floats:
    """Invert a positive definite matrix in place, by Cholesky: half the work of a general one."""
    factor, failed = lapack.spotrf(gram, lower=1, overwrite_a=1)
    if failed:
        raise ValueError(
            "EASE cannot invert its matrix: raise `regularisation` (numbers are 32 bits wide)"
        )
    inverse, failed = lapack.spotri(factor, lower=1, overwrite_c=1)
    for start in range(0, len(inverse), _COLUMNS):
        span = slice(start, start + _COLUMNS)
        lower = np.tril(inverse[span, span])
        inverse[span, span] = lower + np.tril(lower, -1).T
        inverse[span, start + _COLUMNS :] = inverse[start + _COLUMNS :, span].T
    return np.asarray(inverse, dtype=np.float32)
