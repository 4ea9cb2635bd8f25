"""What is tuned: a table as a matrix, its target, and folds that are dealt once.

Belongs here: checking a table before a search, its folds, and the loss of a prediction. Does not
belong here: learners (`learners`) and choosing among them (`search`).
"""

# ruff: noqa: N803 - X is scikit-learn's name for a table of features

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.model_selection import StratifiedGroupKFold

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.metrics import row_log_losses
from engagement_assets.learning.trees.boosted import Fold, Matrix, as_targets, regression_folds
from engagement_assets.learning.trees.encoder import CATEGORY, TableEncoder
from engagement_assets.learning.weights import taken

# A label of 0 and 1 by log loss; a number from 0 to 1, and any number, by squared error.
Kind = Literal["binary", "share", "number"]
BINARY, SHARE, NUMBER = "binary", "share", "number"
# Log-odds beyond which a chance counts as certain: one wrong row must not decide a log loss.
_CERTAIN = 15.0


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A table that is to be learnt.

    Attributes:
        kind: What the target is.
        encoder: The map from table to matrix.
        matrix: n x f numbers, NaN for null.
        target: n targets.
        groups: n codes of what belongs together.
        folds: Rows to learn from and rows to score; each row is scored once.
        weights: n weights of mean 1, or None where the rows weigh alike.
    """

    kind: Kind
    encoder: TableEncoder
    matrix: Matrix
    target: Floats
    groups: NDArray[np.intp]
    folds: list[Fold]
    weights: Floats | None = None

    @property
    def logistic(self) -> bool:
        """Whether learners give log-odds, else the target itself."""
        return self.kind != NUMBER

    @property
    def categories(self) -> list[int]:
        """Places of the columns of categories."""
        return [i for i, kind in enumerate(self.encoder.kinds.values()) if kind == CATEGORY]

    def predicted(self, margin: Floats) -> Floats:
        """Return predictions of the target from n margins."""
        return predicted(margin, self.kind)

    def losses(self, margin: Floats, rows: NDArray[np.intp] | slice = slice(None)) -> Floats:
        """Return the loss of each row: log loss in nats, or the squared error."""
        return row_losses(self.target[rows], self.predicted(margin), self.kind)

    def loss(self, margin: Floats, rows: NDArray[np.intp] | slice = slice(None)) -> float:
        """Return the mean of `losses`, by weight."""
        weights = None if self.weights is None else self.weights[rows]
        return float(np.average(self.losses(margin, rows), weights=weights))

    def digest(self) -> str:
        """Return a digest of the data, the weights and the folds."""
        summed = hashlib.sha256(self.kind.encode())
        weights = () if self.weights is None else (self.weights,)
        for part in (self.matrix, self.target, *weights, *(scored for _, scored in self.folds)):
            summed.update(np.ascontiguousarray(part).tobytes())
        return summed.hexdigest()

    def sample(self, rows: int, *, seed: int) -> Problem:
        """Return a part of whole groups with about so many rows, in the same folds."""
        if len(self.target) <= rows:
            return self
        order = np.random.default_rng(seed).permutation(int(self.groups.max()) + 1)
        sizes = np.bincount(self.groups)[order]
        chosen = np.isin(self.groups, order[: int(np.searchsorted(np.cumsum(sizes), rows)) + 1])
        place = np.cumsum(chosen) - 1
        folds = [(place[a[chosen[a]]], place[b[chosen[b]]]) for a, b in self.folds]
        return replace(
            self,
            matrix=self.matrix[chosen],
            target=self.target[chosen],
            groups=self.groups[chosen],
            folds=folds,
            weights=taken(self.weights, chosen),
        )


def predicted(margin: Floats, kind: Kind) -> Floats:
    """Return predictions from n margins: chances and shares of log-odds, or the margins."""
    if kind == NUMBER:
        return margin
    chance: Floats = expit(np.clip(margin, -_CERTAIN, _CERTAIN))
    return chance


def row_losses(target: Floats, prediction: Floats, kind: Kind) -> Floats:
    """Return the log loss in nats of n labels, or the squared error of n numbers."""
    if kind == BINARY:
        return row_log_losses(target, prediction)
    error: Floats = (target - prediction) ** 2
    return error


def kind_of(y: ArrayLike) -> Kind:
    """Return what a target is by its values: `BINARY` where all are 0 or 1, else `NUMBER`.

    Raises:
        ValueError: When it has values that are no numbers.
    """
    values = pd.Series(np.asarray(y)).infer_objects()
    if values.dtype == bool:
        return "binary"
    if not pd.api.types.is_numeric_dtype(values.dtype):
        count = values.nunique()
        raise ValueError(
            f"the target has {count} values such as {values.iloc[0]!r}: expected numbers, or two "
            "classes as 0 and 1"
        )
    return "binary" if set(values.dropna().unique()) <= {0, 1} else "number"


def problem_of(
    X: pd.DataFrame,
    y: ArrayLike,
    *,
    kind: Kind,
    groups: ArrayLike | None = None,
    fold: ArrayLike | None = None,
    folds: int = 5,
    seed: int = 0,
    weights: Floats | None = None,
) -> Problem:
    """Check a table and deal its folds.

    Args:
        X: n x f numbers, booleans, text or categories; nulls allowed.
        y: n targets.
        kind: What they are.
        groups: n names of what belongs together, such as the person of each row.
        fold: n names of folds, where they are fixed already.
        folds: Folds to deal where they are not.
        seed: Seed of the dealing.
        weights: n weights of mean 1, or None where the rows weigh alike.

    Raises:
        ConstantTargetError: When every target is the same.
        TooLittleDataError: When there are too few rows, groups or rows of a class.
        TypeError: When X is sparse or has a column of a type that cannot be used.
        ValueError: When a target is not of its kind, lengths differ, or a group has rows in two
            of the given folds.
    """
    encoder = TableEncoder.fit(X)
    target = as_targets(np.asarray(y, dtype=object) if len(X) == 0 else y, rows=len(X))
    outside = (target < 0.0) | (target > 1.0)
    if kind == BINARY and not set(np.unique(target)) <= {0.0, 1.0}:
        raise ValueError("a binary target has the values 0 and 1")
    if kind == SHARE and outside.any():
        raise ValueError(f"shares lie between 0 and 1, and {int(outside.sum())} targets do not")
    codes = np.arange(len(X)) if groups is None else pd.factorize(np.asarray(groups))[0]
    if len(codes) != len(X):
        raise ValueError(f"X has {len(X)} rows but {len(codes)} groups are given")
    if (codes < 0).any():
        raise ValueError(f"{int((codes < 0).sum())} groups are null: a row without one has no fold")
    if fold is not None:
        dealt = _given_folds(np.asarray(fold), codes, groups)
    elif kind == BINARY:
        dealt = _stratified(target, codes, folds=folds, seed=seed)
    else:
        dealt = regression_folds(len(X), folds=folds, groups=codes, seed=seed)
    return Problem(
        kind=kind,
        encoder=encoder,
        matrix=encoder.transform(X),
        target=target,
        groups=codes.astype(np.intp),
        folds=[(np.asarray(a), np.asarray(b)) for a, b in dealt],
        weights=weights,
    )


def _given_folds(fold: NDArray, codes: NDArray[np.intp], groups: ArrayLike | None) -> list[Fold]:
    if len(fold) != len(codes):
        raise ValueError(f"there are {len(codes)} rows but {len(fold)} folds are given")
    numbers, names = pd.factorize(fold)
    if (numbers < 0).any() or len(names) < 2:
        raise ValueError(f"at least two folds and no null are expected, got {list(names)}")
    several = pd.Series(numbers).groupby(codes).nunique()
    if (several > 1).any():
        first = int(several[several > 1].index[0])
        name = first if groups is None else np.asarray(groups)[codes == first][0]
        raise ValueError(
            f"{int((several > 1).sum())} groups have rows in two folds, such as {name!r}: what is "
            "learnt of a group in one fold would be scored in another; give each group one fold"
        )
    return [
        (np.flatnonzero(numbers != one), np.flatnonzero(numbers == one))
        for one in range(len(names))
    ]


def _stratified(labels: Floats, codes: NDArray[np.intp], *, folds: int, seed: int) -> list[Fold]:
    """Deal groups into folds with about as many of each class in each."""
    fewest = min(len(np.unique(codes[labels == one])) for one in (0.0, 1.0))
    if fewest < 2:
        raise TooLittleDataError(
            "a class has rows of only one group: at least two are needed to learn from one and "
            "score the other"
        )
    splitter = StratifiedGroupKFold(min(folds, fewest), shuffle=True, random_state=seed)
    return list(splitter.split(labels, labels, codes))
