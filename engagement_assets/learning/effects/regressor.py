"""A regression of a table on a number, by whichever kind predicts best out of fold, as arrays.

Belongs here: the choice between a smooth function and boosted trees, weights, and arrays that keep
what was learnt. Does not belong here: what is regressed (`learners.py`, `nuisances.py`).

The smooth function is ridge regression on the features and on Nystroem's features of a Gaussian
kernel (Williams and Seeger, NIPS 2000), its widths and penalties chosen by leave-one-out errors.
Both kinds can end at a constant: an infinite penalty, no tree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import KFold

from engagement_assets.learning.evaluation.binary import Floats

Arrays = dict[str, NDArray[Any]]

# Rows on which the kind is chosen, width and penalty are, and a kernel is learnt: more make it slow
# and hardly better.
MOST_ROWS_TO_CHOOSE = 4_000
MOST_ROWS_TO_SMOOTH = 1_000
MOST_ROWS_OF_KERNEL = 20_000
_WIDTHS = (0.0, 0.1, 0.3)
_PENALTIES = np.logspace(-4, 6, 11)
_NUGGET = 1e-8
_COMPONENTS = 400
_COMPONENTS_TO_CHOOSE = 200
_TREE_COUNTS = (0, 5, 15, 30, 60, 120)
_FOLDS = 2
# of a feature in standard deviations: beyond them a smooth function would run away
_BOUND = 4.0
_TREES = {
    "max_depth": 3,
    "learning_rate": 0.1,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "min_child_weight": 5.0,
    "reg_lambda": 2.0,
    "tree_method": "hist",
    "objective": "reg:squarederror",
}


class FlexibleRegressor:
    """Ridge regression on a kernel's features, or boosted trees, by the error out of fold.

    Args:
        seed: Seed of folds, kernel and trees.
        threads: Threads of the trees.
    """

    def __init__(self, *, seed: int = 0, threads: int = 1) -> None:
        self.seed, self.threads = seed, threads

    def fit(self, matrix: Floats, target: Floats, weight: Floats | None = None) -> Self:
        """Choose and fit.

        Args:
            matrix: n x f numbers, NaN for null.
            target: n numbers.
            weight: n weights, or None for equal ones.
        """
        weight = np.ones(len(target)) if weight is None else weight / weight.mean()
        rng = np.random.default_rng(self.seed)
        some = _some(rng, len(target), MOST_ROWS_TO_CHOOSE)
        self._scale(matrix)
        few = _some(rng, len(target), MOST_ROWS_TO_SMOOTH)
        self.width_, self.penalty_ = self._smoothest(matrix[few], target[few], weight[few])
        errors: dict[tuple[str, int], float] = {}
        folds = KFold(min(_FOLDS, len(some)), shuffle=True, random_state=self.seed)
        for learn, test in folds.split(some):
            inside, outside = some[learn], some[test]
            rest, share = target[outside], weight[outside]
            smooth = self._fit_smooth(matrix[inside], target[inside], weight[inside])
            guesses = {("smooth", 0): self._smooth(smooth, matrix[outside])}
            trees = self._fit_trees(
                matrix[inside], target[inside], weight[inside], max(_TREE_COUNTS)
            )
            for count in _TREE_COUNTS:
                guesses["trees", count] = self._tree_guess(trees, matrix[outside], count)
            for kind, guess in guesses.items():
                errors[kind] = errors.get(kind, 0.0) + float(share @ (rest - guess) ** 2)
        self.kind_, self.trees_ = min(errors, key=lambda kind: errors[kind])
        self.out_of_fold_mse_ = errors[self.kind_, self.trees_] / float(weight[some].sum())
        return self.refit(matrix, target, weight)

    def refit(self, matrix: Floats, target: Floats, weight: Floats | None = None) -> Self:
        """Fit what `fit` chose on other rows."""
        weight = np.ones(len(target)) if weight is None else weight
        if self.kind_ == "smooth":
            rng = np.random.default_rng(self.seed)
            some = _some(rng, len(target), MOST_ROWS_OF_KERNEL)
            self.model_ = self._fit_smooth(matrix[some], target[some], weight[some])
        else:
            self.model_ = self._fit_trees(matrix, target, weight, self.trees_)
        return self

    def like(self) -> FlexibleRegressor:
        """Return a regressor with the same choices, to be refitted."""
        other = FlexibleRegressor(seed=self.seed, threads=self.threads)
        for name in ("width_", "penalty_", "kind_", "trees_", "middle_", "spread_"):
            setattr(other, name, getattr(self, name))
        return other

    def predict(self, matrix: Floats) -> Floats:
        """Return the n predictions of n x f numbers."""
        if self.kind_ == "smooth":
            return self._smooth(self.model_, matrix)
        return self._tree_guess(self.model_, matrix, self.trees_)

    def _scale(self, matrix: Floats) -> None:
        known = np.isfinite(matrix)
        filled = np.where(known, matrix, np.nan)
        empty = ~known.any(axis=0)
        filled[:, empty] = 0.0
        self.middle_ = np.nanmedian(filled, axis=0)
        spread = np.nanstd(filled, axis=0)
        self.spread_ = np.where(spread > 0.0, spread, 1.0)

    def _scaled(self, matrix: Floats) -> Floats:
        filled = np.where(np.isfinite(matrix), matrix, self.middle_)
        scaled: Floats = np.clip((filled - self.middle_) / self.spread_, -_BOUND, _BOUND)
        return scaled

    def _smoothest(self, matrix: Floats, target: Floats, weight: Floats) -> tuple[float, float]:
        """Return width and penalty with the least leave-one-out error."""
        scaled, best = self._scaled(matrix), (-np.inf, 0.0, 1.0)
        for width in _WIDTHS:
            parts = self._kernel(scaled, width, _COMPONENTS_TO_CHOOSE)
            ridge = RidgeCV(_PENALTIES).fit(_features(scaled, *parts), target, sample_weight=weight)
            if ridge.best_score_ > best[0]:
                best = (float(ridge.best_score_), width, float(ridge.alpha_))
        return best[1], best[2]

    def _kernel(
        self, scaled: Floats, width: float, components: int = _COMPONENTS
    ) -> tuple[Floats, Floats, float]:
        """Return the landmarks of a kernel, their whitening, and the gamma of the Gaussian."""
        f = scaled.shape[1]
        if width == 0.0:
            return np.empty((0, f)), np.empty((0, 0)), 0.0
        rng = np.random.default_rng(self.seed)
        landmarks = scaled[_some(rng, len(scaled), components)]
        alike = _similarities(landmarks, landmarks, width / f)
        # Any square root of the inverse gives ridge regression the same fit, and Cholesky's is the
        # cheapest; landmarks that are nearly the same would have none.
        root = cholesky(alike + _NUGGET * np.eye(len(landmarks)), lower=True)
        whitening = solve_triangular(root, np.eye(len(landmarks)), lower=True)
        return landmarks, whitening * np.sqrt(f), width / f

    def _fit_smooth(self, matrix: Floats, target: Floats, weight: Floats) -> Arrays:
        scaled = self._scaled(matrix)
        landmarks, whitening, gamma = self._kernel(scaled, self.width_)
        ridge = Ridge(self.penalty_).fit(
            _features(scaled, landmarks, whitening, gamma), target, sample_weight=weight
        )
        f = scaled.shape[1]
        return {
            "landmarks": landmarks,
            # of each landmark's similarity itself, so that predicting needs no whitening
            "weights": whitening.T @ ridge.coef_[f:],
            "gamma": np.array(gamma),
            "slopes": ridge.coef_[:f],
            "intercept": np.array(ridge.intercept_),
        }

    def _smooth(self, model: Arrays, matrix: Floats) -> Floats:
        out = np.empty(len(matrix))
        for start in range(0, len(matrix), MOST_ROWS_OF_KERNEL):
            part = slice(start, start + MOST_ROWS_OF_KERNEL)
            scaled = self._scaled(matrix[part])
            out[part] = scaled @ model["slopes"] + model["intercept"]
            if len(model["landmarks"]):
                alike = _similarities(scaled, model["landmarks"], float(model["gamma"]))
                out[part] += alike @ model["weights"]
        return out

    def _fit_trees(self, matrix: Floats, target: Floats, weight: Floats, count: int) -> Arrays:
        mean = float(np.average(target, weights=weight))
        spread = float(np.std(target)) or 1.0
        if count == 0:
            return {"mean": np.array(mean)}
        data = xgb.QuantileDMatrix(
            matrix, label=(target - mean) / spread, weight=weight, nthread=self.threads
        )
        parameters = _TREES | {"seed": self.seed, "nthread": self.threads, "base_score": 0.0}
        booster = xgb.train(parameters, data, num_boost_round=count)
        saved = np.frombuffer(bytes(booster.save_raw("ubj")), dtype=np.uint8)
        return {"mean": np.array(mean), "spread": np.array(spread), "booster": saved}

    def _tree_guess(self, model: Arrays, matrix: Floats, count: int) -> Floats:
        if count == 0:
            return np.full(len(matrix), float(model["mean"]))
        booster = xgb.Booster({"nthread": self.threads})
        booster.load_model(bytearray(model["booster"].tobytes()))
        guess = booster.inplace_predict(matrix, iteration_range=(0, count), predict_type="margin")
        guessed: Floats = np.asarray(guess, dtype=np.float64) * model["spread"] + model["mean"]
        return guessed

    def arrays(self) -> Arrays:
        """Return what predicts, as arrays."""
        return {
            **{f"model.{name}": value for name, value in self.model_.items()},
            "middle": self.middle_,
            "spread": self.spread_,
            "trees": np.array(self.trees_),
            "is_smooth": np.array(self.kind_ == "smooth"),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, threads: int) -> Self:
        """Return what `arrays` gave, ready to predict."""
        made = cls(threads=threads)
        made.model_ = {
            name.removeprefix("model."): value
            for name, value in arrays.items()
            if name.startswith("model.")
        }
        made.middle_, made.spread_ = arrays["middle"], arrays["spread"]
        made.trees_ = int(arrays["trees"])
        made.kind_ = "smooth" if arrays["is_smooth"] else "trees"
        return made


def _some(rng: np.random.Generator, n: int, most: int) -> NDArray[np.intp]:
    """Return positions of at most so many of n rows, in order."""
    if n <= most:
        return np.arange(n)
    return np.sort(rng.choice(n, most, replace=False))


def _features(scaled: Floats, landmarks: Floats, whitening: Floats, gamma: float) -> Floats:
    """Return the n x (f + landmarks) features of ridge regression."""
    if not len(landmarks):
        return scaled
    return np.hstack([scaled, _similarities(scaled, landmarks, gamma) @ whitening.T])


def _similarities(scaled: Floats, landmarks: Floats, gamma: float) -> Floats:
    """Return the n x m values of the Gaussian kernel of n rows with m landmarks."""
    squares = (scaled**2).sum(axis=1)[:, None] + (landmarks**2).sum(axis=1)
    similarities: Floats = np.exp(-gamma * np.maximum(squares - 2.0 * scaled @ landmarks.T, 0.0))
    return similarities
