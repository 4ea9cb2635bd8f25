"""Metrics of ranked lists.

Belongs here: precision, recall and NDCG of lists against what users turned to later, by full
ranking or among sampled negatives; coverage, diversity and novelty. Does not belong here: making
lists (`engagement_assets.models.recommendation`), their fairness (`ranking_fairness`).

Relevance is binary. Intervals are bootstraps over users. Sampled metrics do not rank methods as
full ranking does (Krichene and Rendle, KDD 2020): they are for comparing with published figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.bootstrap import Interval, interval

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class UserMetrics:
    """Metrics of each user's list, for users with at least one relevant item.

    Attributes:
        rows: Which rows of the lists they are, u of n.
        values: u values of each metric: precision, recall, ndcg, hit_rate.
    """

    rows: Ints
    values: dict[str, Floats]

    def intervals(self, *, n_bootstrap: int, seed: int) -> dict[str, Interval]:
        """Return means over the users and their intervals."""
        counts = resample_counts(len(self.rows), n_bootstrap=n_bootstrap, seed=seed)
        return {
            name: interval(float(values.mean()), counts @ values / len(values))
            for name, values in self.values.items()
        }


def resample_counts(n: int, *, n_bootstrap: int, seed: int) -> NDArray[np.float32]:
    """Draw users: how often each of n is in each resample, n_bootstrap x n."""
    rng = np.random.default_rng(seed)
    out = np.empty((n_bootstrap, n), dtype=np.float32)
    for row in out:
        row[:] = np.bincount(rng.integers(0, n, size=n), minlength=n)
    return out


def user_metrics(lists: Ints, relevant: sp.csr_matrix, *, k: int = 10) -> UserMetrics:
    """Precision, recall, NDCG and hit rate at k of each user.

    The gain of rank r is 1 / log2(r + 1); NDCG divides by the best that the number of the user's
    relevant items allows within k (Järvelin and Kekäläinen 2002). Precision divides by k, recall by
    the number of relevant items.

    Args:
        lists: n x at least 1 items, best first; -1 where a list has no more.
        relevant: n x items, not 0 where the item is relevant.
        k: Length of the lists that are judged.

    Raises:
        ValueError: Shapes differ, k is under 1, a list repeats an item, or no user has a relevant
            item.
    """
    if lists.shape[0] != relevant.shape[0]:
        raise ValueError(f"{lists.shape[0]} lists but {relevant.shape[0]} rows of relevance")
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    count = np.diff(_binary(relevant).indptr)
    rows = np.flatnonzero(count)
    if not len(rows):
        raise ValueError("no user has a relevant item: nothing can be measured")
    hits = _hits(lists[rows, :k], relevant[rows])
    count = count[rows]
    gains = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(gains)[np.minimum(count, k) - 1]
    hit_counts = hits.sum(axis=1)
    return UserMetrics(
        rows,
        {
            "precision": hit_counts / k,
            "recall": hit_counts / count,
            "ndcg": hits @ gains[: hits.shape[1]] / ideal,
            "hit_rate": (hit_counts > 0).astype(np.float64),
        },
    )


def _binary(relevant: sp.csr_matrix) -> sp.csr_matrix:
    made = relevant.tocsr(copy=True)
    made.sum_duplicates()
    made.eliminate_zeros()
    return made


def _hits(lists: Ints, relevant: sp.csr_matrix) -> Floats:
    ordered = np.sort(lists, axis=1)
    if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any():
        raise ValueError("a list repeats an item")
    made = _binary(relevant)
    owner = np.repeat(np.arange(made.shape[0]), np.diff(made.indptr))
    keys = np.sort(owner * np.int64(made.shape[1]) + made.indices)
    wanted = np.arange(len(lists))[:, None] * np.int64(made.shape[1]) + lists
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    hits: Floats = ((keys[place] == wanted) & (lists >= 0)).astype(np.float64)
    return hits


def list_metrics(
    lists: Ints,
    *,
    n_candidates: int,
    category: ArrayLike,
    popularity: ArrayLike,
) -> dict[str, float]:
    """Return what lists are like, whatever users turned to later.

    Args:
        lists: n x k items; -1 where a list has no more.
        n_candidates: Number of items that could have been shown.
        category: Category of each item; -1 unknown.
        popularity: People who used each item before the lists were made.

    Returns:
        `coverage`: share of the candidates that is shown to somebody. `categories`: mean number of
        categories in a list. `least_categories`: the least. `category_entropy`: mean Shannon
        entropy of a list's categories in bits. `novelty`: mean of -log2 of an item's share of
        all uses, one added to each item (Zhou et al., PNAS 2010). `exposure_gini`: Gini
        coefficient of how often the candidates are shown.
    """
    shown = lists >= 0
    kinds = np.asarray(category, dtype=np.int64)
    among = np.where(shown, kinds[lists], -1)
    width = max(int(kinds.max(initial=-1)) + 1, 1)
    cells = np.stack([(among == c).sum(axis=1) for c in range(width)], axis=1)
    total = np.maximum(cells.sum(axis=1, keepdims=True), 1)
    share = cells / total
    entropy = -(share * np.log2(np.where(share > 0, share, 1.0))).sum(axis=1)
    mass = np.asarray(popularity, dtype=np.float64) + 1.0
    novelty = -np.log2(mass / mass.sum())
    often = np.zeros(n_candidates)
    counts = np.unique(lists[shown], return_counts=True)[1]
    often[: len(counts)] = counts
    kinds_shown = (cells > 0).sum(axis=1)
    return {
        "coverage": len(counts) / n_candidates,
        "categories": float(kinds_shown.mean()),
        "least_categories": float(kinds_shown.min()),
        "category_entropy": float(entropy.mean()),
        "novelty": float(novelty[lists[shown]].mean()),
        "exposure_gini": gini(often),
    }


def gini(values: ArrayLike) -> float:
    """Return Gini coefficient of n values of at least 0: 0 all alike, towards 1 one has all."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    if not ordered.sum():
        return 0.0
    n = len(ordered)
    return float(2 * (np.arange(1, n + 1) * ordered).sum() / (n * ordered.sum()) - (n + 1) / n)


def sampled_metrics(
    positive: ArrayLike,
    negatives: ArrayLike,
    *,
    k: int = 10,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> Mapping[str, Interval]:
    """Return hit rate and NDCG at k of one relevant item among sampled others.

    The protocol of He et al., Neural Collaborative Filtering (WWW 2017): each user's last item
    against 99 random items that the user never touched. Ties count against the method.

    Args:
        positive: n scores of the relevant item.
        negatives: n x s scores of the others.
        k: Length of the list.
        n_bootstrap: Number of resamples of the users.
        seed: Seed of the resamples.
    """
    one = np.asarray(positive, dtype=np.float64)
    rank = (np.asarray(negatives, dtype=np.float64) >= one[:, None]).sum(axis=1)
    inside = rank < k
    values = {
        "sampled_hit_rate": inside.astype(np.float64),
        "sampled_ndcg": np.where(inside, 1.0 / np.log2(rank + 2.0), 0.0),
    }
    return UserMetrics(np.arange(len(one)), values).intervals(n_bootstrap=n_bootstrap, seed=seed)


def paired_difference(one: Floats, other: Floats, *, n_bootstrap: int, seed: int) -> Interval:
    """Return mean of `one` minus `other` over the same users, with its interval."""
    counts = resample_counts(len(one), n_bootstrap=n_bootstrap, seed=seed)
    gap = np.asarray(one) - np.asarray(other)
    return interval(float(gap.mean()), counts @ gap / len(gap))
