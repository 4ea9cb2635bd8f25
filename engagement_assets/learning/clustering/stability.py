"""How many clusters a table has, and whether it has any.

Belongs here: stability under resampling, and the comparison with one cloud. Does not belong here:
scales (`preparation.py`) and what a cluster is called (`naming.py`).
"""

# ruff: noqa: N803 - Z is a matrix

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from engagement_assets.learning.clustering.matching import jaccard
from engagement_assets.learning.json_data import JsonData

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

# Rows of a silhouette: every pair of them is measured.
SILHOUETTE_ROWS = 600
# Rows of each resample, from which a stable clustering comes out again or does not, and of those
# that it labels: shares of more rows are not told apart better than resamples differ.
RESAMPLED_ROWS = 2_500
# Clouds beside the data: the p-value of a silhouette beyond them all is 1 / 20.
CLOUDS = 19


@dataclass(frozen=True)
class Trial(JsonData):
    """What one number of clusters gives.

    Attributes:
        clusters: The number.
        silhouette: Mean silhouette width (Rousseeuw, J. Comput. Appl. Math. 20, 1987).
        cloud: Mean silhouette of as many clusters of Gaussian clouds with the same covariance.
        cloud_highest: The highest of them.
        jaccard: Mean Jaccard index of each cluster over resamples, of the largest cluster first.
    """

    clusters: int
    silhouette: float
    cloud: float
    cloud_highest: float
    jaccard: tuple[float, ...]

    @property
    def least_jaccard(self) -> float:
        """The mean Jaccard index of its least stable cluster."""
        return min(self.jaccard)

    @property
    def beside_cloud(self) -> float:
        """Its silhouette as a multiple of the clouds': those of few clusters are higher."""
        return self.silhouette / max(self.cloud, np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Structure:
    """The numbers that were tried, and the chance that one cloud looks as clustered.

    Attributes:
        trials: By number of clusters, in order.
        p_value: Chance of so great a distance above the cloud, at any of the numbers, in one cloud.
    """

    trials: tuple[Trial, ...]
    p_value: float


def fit_centres(Z: Floats, k: int, *, seed: int, starts: int) -> tuple[Floats, Labels]:
    """Return k centres and n labels by K-Means, clusters in order of size, the largest first."""
    fitted = KMeans(k, n_init=starts, random_state=seed).fit(Z)
    sizes = np.bincount(fitted.labels_, minlength=k)
    order = np.argsort(-sizes, kind="stable")
    place = np.empty(k, dtype=np.int64)
    place[order] = np.arange(k)
    return fitted.cluster_centers_[order].astype(np.float64), place[fitted.labels_]


def nearest(Z: Floats, centres: Floats) -> Labels:
    """Return the nearest of k centres of n rows."""
    labels: Labels = distances(Z, centres).argmin(axis=1).astype(np.int64)
    return labels


def distances(Z: Floats, centres: Floats) -> Floats:
    """Return n x k Euclidean distances."""
    squared = (Z**2).sum(axis=1)[:, None] - 2.0 * Z @ centres.T + (centres**2).sum(axis=1)
    apart: Floats = np.sqrt(np.maximum(squared, 0.0))
    return apart


def bootstrap_jaccard(
    Z: Floats, labels: Labels, *, resamples: int, seed: int, starts: int = 3
) -> Floats:
    """Return the mean Jaccard index of each cluster with its likest in clusterings of resamples.

    Each resample, drawn with replacement, is clustered anew and labels the n rows, or as many of
    them as a resample has, by its centres (Hennig, Cluster-wise assessment of cluster stability,
    CSDA 52, 2007).
    """
    rng = np.random.default_rng(seed)
    k = int(labels.max()) + 1
    size = min(len(Z), RESAMPLED_ROWS)
    shown = rng.permutation(len(Z))[:size]
    total = np.zeros(k)
    for _ in range(resamples):
        drawn = Z[rng.integers(0, len(Z), size)]
        centres, _ = fit_centres(drawn, k, seed=int(rng.integers(2**31)), starts=starts)
        total += jaccard(labels[shown], nearest(Z[shown], centres)).max(axis=1)
    return total / resamples


def structure(
    Z: Floats, numbers: Sequence[int], *, resamples: int, seed: int, starts: int
) -> Structure:
    """Try numbers of clusters, and hold the best against one Gaussian cloud.

    A silhouette is of data and of clouds of the same size, covariance and number of clusters
    (as Liu, Hayes, Nobel and Marron, JASA 103, 2008, test one cloud). The greatest distance above
    the mean cloud, over all numbers, is compared with each cloud's own, so that trying many numbers
    finds nothing where there is nothing.
    """
    rng = np.random.default_rng(seed)
    shown = Z[rng.permutation(len(Z))[:SILHOUETTE_ROWS]]
    deviations, middle = Z.std(axis=0), Z.mean(axis=0)
    ours = _silhouettes(shown, numbers, rng)
    theirs = np.array(
        [
            _silhouettes(middle + deviations * rng.standard_normal(shown.shape), numbers, rng)
            for _ in range(CLOUDS)
        ]
    )
    cloud = theirs.mean(axis=0)
    # each cloud's distance is from the mean of the others, as the data's is
    away = (theirs - cloud) * CLOUDS / (CLOUDS - 1)
    beyond = int((away.max(axis=1) >= (ours - cloud).max()).sum())
    wide = rng.permutation(len(Z))[: 3 * SILHOUETTE_ROWS]
    trials = []
    for place, k in enumerate(numbers):
        _, labels = fit_centres(Z, k, seed=seed, starts=starts)
        stable = bootstrap_jaccard(Z, labels, resamples=resamples, seed=seed)
        silhouette = silhouette_score(Z[wide], labels[wide])
        beside = (float(silhouette), float(cloud[place]), float(theirs[:, place].max()))
        trials.append(Trial(k, *beside, tuple(stable.tolist())))
    return Structure(tuple(trials), (beyond + 1) / (CLOUDS + 1))


def _silhouettes(Z: Floats, numbers: Sequence[int], rng: np.random.Generator) -> Floats:
    return np.array(
        [
            float(
                silhouette_score(Z, fit_centres(Z, k, seed=int(rng.integers(2**31)), starts=2)[1])
            )
            for k in numbers
        ]
    )
