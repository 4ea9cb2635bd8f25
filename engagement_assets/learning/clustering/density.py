"""Clusters of any shape where rows lie densely, and the rows that lie in none.

Belongs here: HDBSCAN as a second look at a table. Does not belong here: giving every row a cluster
(`segmenter.py`).
"""

# ruff: noqa: N803 - Z is a matrix

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score

from engagement_assets.learning.json_data import JsonData

# Every row is compared with those near it; more rows find the same dense places.
MOST_ROWS = 5_000
LEAST_SHARE = 0.01
LEAST_ROWS = 15


@dataclass(frozen=True)
class Density(JsonData):
    """What HDBSCAN sees in a table.

    Attributes:
        rows: Rows that were looked at.
        clusters: Dense places that it finds; 0 where it finds no two.
        outliers: Share of the rows that lie in none.
        agreement: Adjusted Rand index with another labelling, on the rows that lie in one; None
            without clusters.
    """

    rows: int
    clusters: int
    outliers: float
    agreement: float | None


def density(
    Z: NDArray[np.float64],
    labels: NDArray[np.int64],
    *,
    seed: int,
    most_rows: int = MOST_ROWS,
    n_jobs: int | None = None,
) -> Density:
    """Look for dense places in at most `most_rows` of n rows, and compare them with n labels.

    Campello, Moulavi and Sander, PAKDD 2013. A cluster has at least one in a hundred of the rows.
    """
    picked = np.random.default_rng(seed).permutation(len(Z))[:most_rows]
    least = max(LEAST_ROWS, round(LEAST_SHARE * len(picked)))
    clusterer = HDBSCAN(min_cluster_size=least, min_samples=LEAST_ROWS, n_jobs=n_jobs, copy=True)
    dense = clusterer.fit_predict(Z[picked])
    inside = dense >= 0
    clusters = int(dense.max(initial=-1)) + 1
    return Density(
        len(picked),
        clusters,
        float(1.0 - inside.mean()),
        float(adjusted_rand_score(labels[picked][inside], dense[inside])) if clusters else None,
    )
