"""What reviewers' verdicts teach: boosted trees on the columns and the detectors' surprises.

Belongs here: fitting on few verdicts among many rows that nobody looked at, out-of-fold scores,
contributions. Does not belong here: whether it is used, and how it is mixed with the unsupervised
score (`detector.py`).

Method: XGBOD (Zhao and Hryniewicki, IJCNN 2018), boosted trees on the columns with the scores of
unsupervised detectors beside them. Who is reviewed is no random sample, so the trees also see
rows without a verdict, as innocent: most are. That a few are not is what bagging is for (Mordelet
and Vert, Pattern Recognition Letters 37, 2014): each bag takes every verdict and another small
draw of the others, so that a cheat whom nobody has looked at is called innocent in few bags.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
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
class VerdictModel:
    """Bags of boosted trees.

    Attributes:
        boosters: One a bag.
        n_jobs: Threads, -1 for all cores.
    """

    boosters: tuple[xgb.Booster, ...]
    n_jobs: int

    @classmethod
    def fit(
        cls, matrix: NDArray[np.float32], verdict: Floats, *, seed: int, n_jobs: int
    ) -> tuple[VerdictModel, Floats]:
        """Fit the bags, and score every training row by bags that did not see it.

        Args:
            matrix: n x c values without null.
            verdict: n values: 1 fraud, 0 innocent, NaN not looked at; two of each class at least.
            seed: Seed of folds, draws and trees.
            n_jobs: Threads, -1 for all cores.

        Returns:
            The model, and n out-of-bag log-odds.
        """
        rng = np.random.default_rng(seed)
        judged = np.flatnonzero(~np.isnan(verdict))
        labels = verdict[judged]
        folds = max(2, min(_FOLDS, int(labels.sum()), int((1.0 - labels).sum())))
        total, times = np.zeros(len(matrix)), np.zeros(len(matrix))
        splitter = StratifiedKFold(n_splits=folds, shuffle=True, random_state=seed)
        for learn, aside in splitter.split(judged, labels):
            for _ in range(_BAGS_A_FOLD):
                rows = _bag(judged[learn], verdict, rng)
                booster = _grow(matrix, verdict, rows, seed=seed, n_jobs=n_jobs)
                unseen = np.ones(len(matrix), dtype=bool)
                # Verdicts are scored in their own fold alone, as often as the others' folds allow.
                unseen[judged] = False
                unseen[judged[aside]] = True
                unseen[rows] = False
                total[unseen] += _margin(booster, matrix[unseen], n_jobs)
                times[unseen] += 1.0
        boosters = [
            _grow(matrix, verdict, _bag(judged, verdict, rng), seed=seed + i, n_jobs=n_jobs)
            for i in range(_BAGS)
        ]
        model = cls(tuple(boosters), n_jobs)
        never = times == 0.0
        if never.any():
            # Only where there are hardly more rows than a bag holds.
            logger.info("%d rows were in every bag: scored by the model that saw them", never.sum())
            total[never], times[never] = model.margin(matrix[never]), 1.0
        return model, total / times

    def margin(self, matrix: NDArray[np.float32]) -> Floats:
        """Mean log-odds of n rows over the bags."""
        return np.mean([_margin(b, matrix, self.n_jobs) for b in self.boosters], axis=0)

    def attribute(self, matrix: NDArray[np.float32]) -> Floats:
        """Mean SHAP contributions of n x c values over the bags, in log-odds."""
        data = xgb.DMatrix(matrix, nthread=self.n_jobs)
        total = np.zeros(matrix.shape)
        for booster in self.boosters:
            total += booster.predict(data, pred_contribs=True)[:, :-1]
        return total / len(self.boosters)

    def to_files(self) -> dict[str, bytes]:
        """Return the boosters in UBJSON by file name."""
        return {
            f"verdicts_{i}.ubj": bytes(booster.save_raw("ubj"))
            for i, booster in enumerate(self.boosters)
        }

    @classmethod
    def from_files(cls, files: list[bytes], *, n_jobs: int) -> VerdictModel:
        """Read the boosters in the order of `to_files`."""
        boosters = []
        for content in files:
            booster = xgb.Booster()
            booster.load_model(bytearray(content))
            boosters.append(booster)
        return cls(tuple(boosters), n_jobs)


def _bag(judged: NDArray[Any], verdict: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    others = np.flatnonzero(np.isnan(verdict))
    frauds = int(np.nansum(verdict[judged]))
    wanted = int(np.clip(_OTHERS_A_FRAUD * frauds, _FEWEST_OTHERS, _MOST_OTHERS))
    # At most half of them, so that every row is outside of some bags.
    drawn = rng.choice(others, size=min(wanted, len(others) // 2), replace=False)
    return np.r_[judged, drawn].astype(np.int64)


def _grow(
    matrix: NDArray[np.float32], verdict: Floats, rows: NDArray[np.int64], *, seed: int, n_jobs: int
) -> xgb.Booster:
    label = np.nan_to_num(verdict[rows], nan=0.0)
    data = xgb.QuantileDMatrix(matrix[rows], label=label, nthread=n_jobs)
    return xgb.train({**_TREES, "seed": seed, "nthread": n_jobs}, data, num_boost_round=_ROUNDS)


def _margin(booster: xgb.Booster, matrix: NDArray[np.float32], n_jobs: int) -> Floats:
    found = booster.predict(xgb.DMatrix(matrix, nthread=n_jobs), output_margin=True)
    return np.asarray(found, dtype=np.float64)
