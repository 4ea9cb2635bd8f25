"""How the scores of a model are spread: what drift of scores is measured by.

Belongs here: shares of scores by bin. Does not belong here: the index of drift
(`resources.checks`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

TWENTIETHS = tuple(round(0.05 * n, 2) for n in range(1, 20))


def score_shares(scores: Any, *, edges: Sequence[float] = TWENTIETHS) -> list[float]:
    """Return share of the scores up to each edge and above the last; the reference of their drift.

    Args:
        scores: n numbers.
        edges: m increasing edges; those of the twentieths of 0 to 1 by default.

    Returns:
        m + 1 shares; all 0 without scores.
    """
    values = np.asarray(scores, dtype=np.float64)
    bins = np.searchsorted(np.asarray(edges), values, side="left")
    counts = np.bincount(bins, minlength=len(edges) + 1)
    return [float(count / max(len(values), 1)) for count in counts]


def quantile_edges(scores: Any, *, bins: int = 20) -> list[float]:
    """Cut scores without natural bounds into bins of like size; ties give fewer edges."""
    inner = np.quantile(np.asarray(scores, dtype=np.float64), np.linspace(0, 1, bins + 1)[1:-1])
    return [float(edge) for edge in np.unique(inner)]
