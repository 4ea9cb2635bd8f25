"""A causal forest that is kept as arrays.

Belongs here: growing it with econml and evaluating its arrays. Does not belong here: residuals
(`nuisances.py`) and the choice among learners (`estimator.py`).

Honest trees of a generalised random forest (Athey, Tibshirani and Wager, Annals of Statistics 47,
2019) split residuals of treatment and outcome; variances come from little bags of trees that share
a half sample. econml can keep its forest only by pickle, so trees are read out and evaluated here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from engagement_assets.learning.effects.regressor import Arrays
from engagement_assets.learning.evaluation.binary import Floats

BAG = 4
# of the rows that one tree sees: more make the forest slow and its trees alike
_MOST_ROWS_OF_TREE = 5_000
_ROWS_AT_ONCE = 20_000
_NODE_ARRAYS = ("left", "right", "feature", "threshold", "moment", "slope")


class CausalForest:
    """Effects by a forest's weighted regression of outcome residuals on treatment residuals.

    Args:
        trees: Trees, a multiple of 4.
        seed: Seed of samples and splits.
        threads: Threads.
    """

    def __init__(self, *, trees: int = 100, seed: int = 0, threads: int = 1) -> None:
        self.trees, self.seed, self.threads = trees, seed, threads

    def fit(self, matrix: Floats, treatment: Floats, outcome: Floats) -> Self:
        """Grow the trees.

        Args:
            matrix: n x f numbers, NaN for null.
            treatment: n treatments minus their chance.
            outcome: n outcomes minus what was expected.
        """
        from econml.grf import CausalForest as Grown  # noqa: PLC0415 - takes two seconds

        self.middle_ = _medians(matrix)
        grown = Grown(
            n_estimators=self.trees,
            subforest_size=BAG,
            max_samples=min(0.45, _MOST_ROWS_OF_TREE / len(matrix)),
            min_samples_leaf=10,
            fit_intercept=False,
            n_jobs=self.threads,
            random_state=self.seed,
        ).fit(_filled(matrix, self.middle_), treatment[:, None], outcome[:, None])
        parts = [estimator.tree_ for estimator in grown.estimators_]
        starts = np.cumsum([0, *(part.node_count for part in parts)])
        self.roots_ = starts[:-1].astype(np.int64)
        nodes: dict[str, list[NDArray[Any]]] = {name: [] for name in _NODE_ARRAYS}
        for start, part in zip(self.roots_, parts, strict=True):
            leaf = part.children_left < 0
            own = np.arange(part.node_count)
            # a leaf leads to itself, so that all rows can walk as many steps
            nodes["left"].append(np.where(leaf, own, part.children_left) + start)
            nodes["right"].append(np.where(leaf, own, part.children_right) + start)
            nodes["feature"].append(np.where(leaf, 0, part.feature))
            nodes["threshold"].append(part.threshold)
            nodes["moment"].append(part.precond[:, 0])
            nodes["slope"].append(part.jac[:, 0])
        self.nodes_ = {name: np.concatenate(values) for name, values in nodes.items()}
        self.depth_ = max(int(part.max_depth) for part in parts)
        return self

    def predict(self, matrix: Floats) -> Floats:
        """Return the n effects."""
        return self._effects_and_errors(matrix)[0]

    def standard_errors(self, matrix: Floats) -> Floats:
        """Return the n standard errors of the effects."""
        return self._effects_and_errors(matrix)[1]

    def _effects_and_errors(self, matrix: Floats) -> tuple[Floats, Floats]:
        effects, errors = np.empty(len(matrix)), np.empty(len(matrix))
        for start in range(0, len(matrix), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            moment, slope = self._leaves(_filled(matrix[part], self.middle_))
            mean_slope = slope.mean(axis=0)
            effect = moment.mean(axis=0) / mean_slope
            effects[part] = effect
            errors[part] = _bag_error(slope * effect - moment) / np.abs(mean_slope)
        return effects, errors

    def _leaves(self, filled: Floats) -> tuple[Floats, Floats]:
        """Return moment and slope of the leaf of each of n rows in each tree, trees x n."""
        nodes, rows = self.nodes_, np.arange(len(filled))
        moment = np.empty((len(self.roots_), len(filled)))
        slope = np.empty_like(moment)
        for tree, root in enumerate(self.roots_):
            at = np.full(len(filled), root)
            for _ in range(self.depth_):
                goes_left = filled[rows, nodes["feature"][at]] <= nodes["threshold"][at]
                there = np.where(goes_left, nodes["left"][at], nodes["right"][at])
                if (there == at).all():
                    break
                at = there
            moment[tree], slope[tree] = nodes["moment"][at], nodes["slope"][at]
        return moment, slope

    def arrays(self) -> Arrays:
        """Return what predicts, as arrays."""
        nodes = {f"node.{name}": value for name, value in self.nodes_.items()}
        return nodes | {
            "roots": self.roots_,
            "depth": np.array(self.depth_),
            "middle": self.middle_,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return what `arrays` gave, ready to predict."""
        made = cls(trees=len(arrays["roots"]))
        made.nodes_ = {name: arrays[f"node.{name}"] for name in _NODE_ARRAYS}
        made.roots_, made.depth_ = arrays["roots"], int(arrays["depth"])
        made.middle_ = arrays["middle"]
        return made


def _bag_error(moments: Floats) -> Floats:
    """Return the n standard errors of a mean over trees, by the bootstrap of little bags.

    The variance between bags, less what few trees in a bag add to it; as it must be positive, by
    the mean of a normal posterior cut off at 0, as grf and econml do.

    Args:
        moments: trees x n moments at the estimate, bags one after another.
    """
    bags = moments.reshape(-1, BAG, moments.shape[1])
    between = bags.mean(axis=1).var(axis=0)
    within = ((bags**2).mean(axis=(0, 1)) - (bags.mean(axis=1) ** 2).mean(axis=0)) / (BAG - 1)
    raw = between - within
    scale = np.maximum(between, within) * np.sqrt(2.0 / len(bags))
    z = raw / np.maximum(scale, 1e-10)
    variance: Floats = raw + scale * stats.norm.pdf(z) / np.maximum(stats.norm.cdf(z), 1e-300)
    return np.sqrt(np.maximum(variance, 0.0))


def _medians(matrix: Floats) -> Floats:
    known = np.where(np.isfinite(matrix), matrix, np.nan)
    known[:, ~np.isfinite(matrix).any(axis=0)] = 0.0
    middle: Floats = np.nanmedian(known, axis=0)
    return middle


def _filled(matrix: Floats, middle: Floats) -> Floats:
    filled: Floats = np.where(np.isfinite(matrix), matrix, middle)
    return filled
