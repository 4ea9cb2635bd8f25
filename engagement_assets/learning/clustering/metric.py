"""Distances by the spread within clusters instead of over all rows.

Belongs here: the linear map under which clusters are round. Does not belong here: scales of single
columns (`preparation.py`) and how many clusters there are (`stability.py`).
"""

# ruff: noqa: N803 - Z is a matrix

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from engagement_assets.learning.clustering.stability import fit_centres

Floats = NDArray[np.float64]

ROUNDS = 5
# How far the covariance within clusters is drawn to its diagonal: few rows are a poor estimate.
SHRUNK = 0.1


def within_metric(Z: Floats, clusters: int, *, seed: int, starts: int) -> Floats:
    """Return the p x p map after which the pooled covariance within clusters is the identity.

    What all rows differ in alike, such as how active somebody is at all, stretches every cluster in
    one direction, and K-Means cuts across it. Clusters and their covariance are learnt in turn
    (adaptive distances of Diday and Govaert, RAIRO Informatique 11, 1977). The result lies along
    principal axes, the longest first.

    Args:
        Z: n x p values.
        clusters: Clusters by which the covariance is learnt; more than there are does little harm.
        seed: Seed of K-Means.
        starts: Its starts.
    """
    centres, labels = fit_centres(Z, clusters, seed=seed, starts=starts)
    metric = np.eye(Z.shape[1])
    for _ in range(ROUNDS):
        metric = _inverse_root(Z - centres[labels])
        fitted = KMeans(clusters, n_init=1, init=centres @ metric).fit(Z @ metric)
        moved = bool((fitted.labels_ != labels).any())
        labels = fitted.labels_
        centres = np.array([Z[labels == place].mean(axis=0) for place in range(clusters)])
        if not moved:
            break
    _, axes = np.linalg.eigh(np.cov(Z @ metric, rowvar=False).reshape(metric.shape))
    turned: Floats = metric @ axes[:, ::-1]
    return turned


def _inverse_root(residuals: Floats) -> Floats:
    covariance = residuals.T @ residuals / len(residuals)
    diagonal = np.diag(np.diag(covariance))
    shrunk = (1.0 - SHRUNK) * covariance + SHRUNK * diagonal
    # a direction without any spread within clusters is as wide as rounding
    shrunk += np.eye(len(shrunk)) * np.finfo(np.float64).eps * max(np.trace(shrunk), 1.0)
    root: Floats = np.linalg.cholesky(np.linalg.inv(shrunk))
    return root
