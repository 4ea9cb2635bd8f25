"""The most influential nodes, and why.

Belongs here: choosing them and their reasons from a table of metrics. Does not belong here: the
metrics (`metrics.py`).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd

SHARE = 0.01
REASONS = 3
METRICS = (
    "degree",
    "betweenness_centrality",
    "eigenvector_centrality",
    "core_number",
    "clustering",
)


def influencers(metrics: pd.DataFrame, *, share: float = SHARE) -> pd.DataFrame:
    """The top share of nodes by influence, with the metrics in which they stand out most.

    A node stands out in a metric by how rare a value as high as its own is among all nodes, the
    share of nodes that reach it; only what exceeds the median is a reason.

    Args:
        metrics: A row a node: node, influence_score and the `METRICS`.
        share: Share of the nodes, rounded up; at least one node where there is any.

    Returns:
        rank from 1, node, influence_score, and for each of three reasons its metric, the node's
        value and the median of all, null where there are fewer reasons. Equal scores are ranked by
        node.

    Raises:
        ValueError: The share lies outside (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"share={share}: expected more than 0 and at most 1")
    count = math.ceil(share * len(metrics))
    top = metrics.sort_values(["influence_score", "node"], ascending=[False, True]).head(count)
    rarity = pd.DataFrame({name: _rarity(metrics[name]) for name in METRICS})
    medians = metrics[list(METRICS)].median()
    reasons = [
        _reasons(values, rare, medians)
        for values, rare in zip(
            top[list(METRICS)].to_dict("records"),
            rarity.loc[top.index].to_dict("records"),
            strict=True,
        )
    ]
    columns = [f"reason_{n}_{part}" for n in range(1, REASONS + 1) for part in _PARTS]
    table = pd.DataFrame(reasons, columns=columns, index=top.index)
    result = top[["node", "influence_score"]].assign(rank=np.arange(1, count + 1)).join(table)
    return result.reset_index(drop=True)


_PARTS = ("metric", "value", "typical")


def _rarity(values: pd.Series) -> pd.Series:
    """Share of the nodes whose value is at least as high."""
    return values.rank(method="max", ascending=False, pct=True)


def _reasons(
    values: Mapping[Hashable, float], rare: Mapping[Hashable, float], medians: pd.Series
) -> list[str | float | None]:
    standing = [name for name in METRICS if values[name] > medians[name]]
    standing.sort(key=lambda name: (rare[name], METRICS.index(name)))
    reasons: list[str | float | None] = []
    for name in standing[:REASONS]:
        reasons += [name, float(values[name]), float(medians[name])]
    return reasons + [None] * (REASONS * len(_PARTS) - len(reasons))
