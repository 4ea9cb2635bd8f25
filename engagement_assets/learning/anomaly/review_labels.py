"""Learn from reviewers' labels: boosted trees on the columns and the detectors' surprises.

Belongs here: fitting on few review labels among many rows that nobody looked at, out-of-fold
scores, contributions. Does not belong here: whether it is used, and how it is mixed with the
unsupervised score (`detector.py`).

Method: XGBOD (Zhao and Hryniewicki, IJCNN 2018), boosted trees on the columns with the scores of
unsupervised detectors beside them. Who is reviewed is no random sample, so the trees also see
rows without a review label, as innocent: most are. That a few are not is what bagging is for
(Mordelet and Vert, Pattern Recognition Letters 37, 2014): each bag takes every review label and
another small draw of the others, so that a cheat whom nobody has looked at is called innocent in
few bags.
"""

# ruff: noqa: N803 - X is scikit-learn's name for a table of features

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]

_FOLDS = 4
_BAGS_A_FOLD = 3
_BAGS = 8
_OTHERS_A_FRAUD = 10
_FEWEST_OTHERS, _MOST_OTHERS = 1000, 5000
_ROUNDS = 60
# A bag is too small for threads: they would wait for each other longer than they work.
_THREADS = 1
_TREES = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 3,
    "learning_rate": 0.15,
    "subsample": 0.8,
    "colsample_bytree": 0.5,
    "min_child_weight": 1.0,
    "reg_lambda": 2.0,
}


@dataclass(frozen=True)
class ReviewLabelModel:
    """Bags of boosted trees.

    Attributes:
        boosters: One a bag.
    """

    boosters: tuple[xgb.Booster, ...]

    @classmethod
    def fit(
        cls, matrix: NDArray[np.float32], review_label: Floats, *, seed: int
    ) -> tuple[ReviewLabelModel, Floats]:
        """Fit the bags, and score every training row by bags that did not see it.

        Args:
            matrix: n x c values without null.
            review_label: n values: 1 fraud, 0 innocent, NaN not looked at; two of each class at
                least.
            seed: Seed of folds, draws and trees.

        Returns:
            The model, and n out-of-bag log-odds.
        """
        rng = np.random.default_rng(seed)
        judged = np.flatnonzero(~np.isnan(review_label))
        labels = review_label[judged]
        folds = max(2, min(_FOLDS, int(labels.sum()), int((1.0 - labels).sum())))
        total, times = np.zeros(len(matrix)), np.zeros(len(matrix))
        splitter = StratifiedKFold(n_splits=folds, shuffle=True, random_state=seed)
        for learn, aside in splitter.split(judged, labels):
            for _ in range(_BAGS_A_FOLD):
                rows = _bag(judged[learn], review_label, rng)
                booster = _grow(matrix, review_label, rows, seed=seed)
                unseen = np.ones(len(matrix), dtype=bool)
                # Review labels are scored in their own fold alone, as often as the others' folds
                # allow.
                unseen[judged] = False
                unseen[judged[aside]] = True
                unseen[rows] = False
                total[unseen] += _margin(booster, xgb.DMatrix(matrix[unseen], nthread=_THREADS))
                times[unseen] += 1.0
        boosters = [
            _grow(matrix, review_label, _bag(judged, review_label, rng), seed=seed + i)
            for i in range(_BAGS)
        ]
        model = cls(tuple(boosters))
        never = times == 0.0
        if never.any():
            # Only where there are hardly more rows than a bag holds.
            logger.info("%d rows were in every bag: scored by the model that saw them", never.sum())
            total[never], times[never] = model.margin(matrix[never]), 1.0
        return model, total / times

    def margin(self, matrix: NDArray[np.float32]) -> Floats:
        """Mean log-odds of n rows over the bags."""
        data = xgb.DMatrix(matrix, nthread=_THREADS)
        mean: Floats = np.mean([_margin(b, data) for b in self.boosters], axis=0)
        return mean

    def attribute(self, matrix: NDArray[np.float32]) -> Floats:
        """Mean SHAP contributions of n x c values over the bags, in log-odds."""
        data = xgb.DMatrix(matrix, nthread=_THREADS)
        total = np.zeros(matrix.shape)
        for booster in self.boosters:
            total += booster.predict(data, pred_contribs=True)[:, :-1]
        return total / len(self.boosters)

    def to_files(self) -> dict[str, bytes]:
        """Return the boosters in UBJSON by file name."""
        return {
            f"review_labels_{i}.ubj": bytes(booster.save_raw("ubj"))
            for i, booster in enumerate(self.boosters)
        }

    @classmethod
    def from_files(cls, files: list[bytes]) -> ReviewLabelModel:
        """Read the boosters in the order of `to_files`."""
        boosters = []
        for content in files:
            booster = xgb.Booster()
            booster.load_model(bytearray(content))
            boosters.append(booster)
        return cls(tuple(boosters))


def as_review_labels(review_labels: pd.Series | None, X: pd.DataFrame) -> Floats | None:
    """Check the review labels on n rows and return them as 1, 0 and NaN; None stays None.

    Raises:
        TypeError: They are no Series.
        ValueError: They have another length, another index or other values.
    """
    if review_labels is None:
        return None
    if not isinstance(review_labels, pd.Series):
        raise TypeError(
            f"review labels must be a pandas Series, got {type(review_labels).__name__}"
        )
    if len(review_labels) != len(X):
        raise ValueError(f"X has {len(X)} rows but there are {len(review_labels)} review labels")
    if not review_labels.index.equals(X.index):
        raise ValueError("review labels have another index than X: align them by row first")
    known = review_labels.dropna()
    strange = [value for value in known.unique() if value not in (0, 1)]
    if strange:
        raise ValueError(f"review labels must be true, false or null, got {strange[:3]}")
    out = np.full(len(X), np.nan)
    out[review_labels.notna().to_numpy()] = known.to_numpy().astype(np.float64)
    return out


def _bag(judged: NDArray[Any], review_label: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    others = np.flatnonzero(np.isnan(review_label))
    frauds = int(np.nansum(review_label[judged]))
    wanted = int(np.clip(_OTHERS_A_FRAUD * frauds, _FEWEST_OTHERS, _MOST_OTHERS))
    # At most half of them, so that every row is outside of some bags.
    drawn = rng.choice(others, size=min(wanted, len(others) // 2), replace=False)
    rows: NDArray[np.int64] = np.r_[judged, drawn].astype(np.int64)
    return rows


def _grow(
    matrix: NDArray[np.float32], review_label: Floats, rows: NDArray[np.int64], *, seed: int
) -> xgb.Booster:
    label = np.nan_to_num(review_label[rows], nan=0.0)
    data = xgb.QuantileDMatrix(matrix[rows], label=label, nthread=_THREADS)
    return xgb.train({**_TREES, "seed": seed, "nthread": _THREADS}, data, num_boost_round=_ROUNDS)


def _margin(booster: xgb.Booster, data: xgb.DMatrix) -> Floats:
    margin = booster.predict(data, output_margin=True)
    return np.asarray(margin, dtype=np.float64)
