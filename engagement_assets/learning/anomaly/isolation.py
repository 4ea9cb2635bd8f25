"""An isolation forest kept as plain arrays, with the features that isolate each row.

Belongs here: growing, scoring, attributing, and the arrays. Does not belong here: preparing the
table (`preparation.py`), putting scores together (`detector.py`).

The forest is that of Liu, Ting and Zhou (ICDM 2008), grown by scikit-learn. Its trees are then kept
as arrays, which can be written as data and read without trusting a pickle, and which the
attribution walks anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from engagement_assets.learning.anomaly.preparation import Matrix

Floats = NDArray[np.float64]

# Training rows of a tree at most.
_MAX_SAMPLES = 256
# Walks of a row through a tree that are made at once: what they touch stays in the cache.
_WALKS_AT_ONCE = 65_536
_EULER = 0.5772156649015329


@dataclass(frozen=True)
class IsolationTrees:
    """t trees of at most m nodes each, all arrays t x m, padded with leaves.

    Attributes:
        feature: Column that a node splits by, -1 for a leaf.
        threshold: A row goes left when its value is at most this.
        left: Node on the left; a leaf points at itself.
        right: Node on the right; a leaf points at itself.
        size: Training rows of the tree that reached the node.
    """

    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    size: NDArray[np.int32]

    @classmethod
    def fit(
        cls, matrix: Matrix, *, n_estimators: int, seed: int, n_jobs: int | None
    ) -> IsolationTrees:
        """Grow the trees on n x c values, each on 256 rows at most."""
        forest = IsolationForest(
            n_estimators=n_estimators,
            max_samples=min(_MAX_SAMPLES, len(matrix)),
            random_state=seed,
            n_jobs=n_jobs,
        ).fit(matrix)
        trees = [estimator.tree_ for estimator in forest.estimators_]
        most = max(tree.node_count for tree in trees)
        shape = (len(trees), most)
        feature = np.full(shape, -1, dtype=np.int32)
        threshold = np.zeros(shape, dtype=np.float32)
        left = np.tile(np.arange(most, dtype=np.int32), (len(trees), 1))
        right, size = left.copy(), np.ones(shape, dtype=np.int32)
        for i, tree in enumerate(trees):
            inner = np.flatnonzero(tree.children_left >= 0)
            feature[i, inner] = tree.feature[inner]
            threshold[i, inner] = _down(tree.threshold[inner])
            left[i, inner] = tree.children_left[inner]
            right[i, inner] = tree.children_right[inner]
            size[i, : tree.node_count] = tree.n_node_samples
        return cls(feature, threshold, left, right, size)

    @property
    def rows(self) -> int:
        """Training rows of each tree."""
        return int(self.size[0, 0])

    def score(self, matrix: Matrix) -> Floats:
        """The n anomaly scores of the paper, in (0, 1): 2 ** -(mean path / expected path)."""
        return self._walk(matrix, attribute=False)[0]

    def attribute(self, matrix: Matrix) -> Floats:
        """How much each of the c columns isolates each of the n rows, in halvings.

        A split that sends a row to one half of the others tells nothing of it; one that sends it
        to one in eight saves two more halvings. So each split on a row's path is worth
        log2(rows before / rows after) - 1 to its column. Summed over a path this is log2(rows /
        rows in the leaf) less the path's length: exactly what the path is shorter by than that of
        a balanced tree. Means over the trees; negative where a column makes a row ordinary.
        """
        return self._walk(matrix, attribute=True)[1]

    def _walk(self, matrix: Matrix, *, attribute: bool) -> tuple[Floats, Floats]:
        n, columns = matrix.shape
        trees, nodes = self.feature.shape
        score = np.empty(n)
        worth = np.zeros((n if attribute else 0, columns))
        expected = _expected_path(np.array([self.rows]))[0] or 1.0
        feature, threshold, left, right, size = (
            array.ravel()
            for array in (self.feature, self.threshold, self.left, self.right, self.size)
        )
        log_size = np.log2(size)
        ends = _expected_path(np.arange(self.rows + 1))
        block = max(1, _WALKS_AT_ONCE // trees)
        for start in range(0, n, block):
            part = np.ascontiguousarray(matrix[start : start + block])
            flat = part.ravel()
            # a walk is a row in a tree: where its row begins, where its tree begins, where it is
            at_row = np.repeat(np.arange(len(part)) * columns, trees)
            at_tree = np.tile(np.arange(trees) * nodes, len(part))
            at = at_tree.copy()
            length = np.zeros(len(at))
            credit = np.zeros(part.size if attribute else 0)
            going = np.arange(len(at))
            while going.size:
                here = at[going]
                split = feature[here]
                inner = split >= 0
                going, here, split = going[inner], here[inner], split[inner]
                places = at_row[going] + split
                there = np.where(flat[places] <= threshold[here], left[here], right[here])
                at[going] = at_tree[going] + there
                length[going] += 1.0
                if attribute:
                    gain = log_size[here] - log_size[at[going]] - 1.0
                    credit += np.bincount(places, weights=gain, minlength=len(credit))
            length += ends[size[at]]
            mean = length.reshape(-1, trees).mean(axis=1)
            score[start : start + len(part)] = 2.0 ** (-mean / expected)
            if attribute:
                worth[start : start + len(part)] = credit.reshape(part.shape) / trees
        return score, worth


def _down(threshold: Floats) -> NDArray[np.float32]:
    """The largest float32 not above: 32-bit values then fall on the same side as before."""
    near = threshold.astype(np.float32)
    return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)


def _expected_path(rows: NDArray[Any]) -> Floats:
    """Expected length of a path in a random tree of so many rows: c(n) of the paper."""
    count = rows.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        long = 2.0 * (np.log(count - 1.0) + _EULER) - 2.0 * (count - 1.0) / count
    out: Floats = np.where(count > 2, long, np.where(count == 2, 1.0, 0.0))
    return out
