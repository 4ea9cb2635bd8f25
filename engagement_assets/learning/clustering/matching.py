"""Which cluster of one clustering is which of another, by the rows that they share.

Belongs here: agreement of two labellings of the same rows. Does not belong here: fitting.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

# More than half in common: no two clusters of one labelling can be the same one of the other.
SAME = 0.5


def jaccard(before: ArrayLike, now: ArrayLike) -> NDArray[np.float64]:
    """Return the Jaccard index of each cluster of one labelling with each of another.

    Args:
        before: n labels from 0 to a - 1.
        now: n labels of the same rows from 0 to b - 1.

    Returns:
        a x b: rows in both, of the rows in either.
    """
    one, other = np.asarray(before, dtype=np.int64), np.asarray(now, dtype=np.int64)
    a, b = int(one.max(initial=-1)) + 1, int(other.max(initial=-1)) + 1
    both = np.bincount(one * b + other, minlength=a * b).reshape(a, b).astype(np.float64)
    either = both.sum(axis=1, keepdims=True) + both.sum(axis=0, keepdims=True) - both
    index: NDArray[np.float64] = np.divide(
        both, either, out=np.zeros_like(both), where=either > 0.0
    )
    return index


def match(before: ArrayLike, now: ArrayLike, *, least: float = SAME) -> dict[int, int]:
    """Match the clusters of two labellings of the same rows, one to one.

    The matching has the greatest sum of Jaccard indices (Kuhn, Naval Res. Logist. Q. 2, 1955);
    pairs below `least` are dropped: such a cluster is gone, or new (Hennig, CSDA 52, 2007, calls a
    cluster dissolved at .5).

    Returns:
        The earlier cluster by the later one, for those that have one.
    """
    index = jaccard(before, now)
    pairs = zip(*linear_sum_assignment(-index), strict=True)
    return {int(new): int(old) for old, new in pairs if index[old, new] >= least}
