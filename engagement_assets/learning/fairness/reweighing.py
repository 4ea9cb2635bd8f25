"""Weigh training rows so that group and label are independent of each other.

Belongs here: the weights, rows drawn by them, and what a model that learns from them gains and
costs. Does not belong here: thresholds (`mitigation`).

Weights after Kamiran and Calders (Knowledge and Information Systems 33, 2012): a row of group g
and label y weighs P(g) P(y) / P(g, y). A learner that takes no weights learns from rows that are
drawn by them, each as often as its weight rounded down or up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from engagement_assets.learning.evaluation.binary import Floats, Ranked, as_labels
from engagement_assets.learning.evaluation.bootstrap import Weighted
from engagement_assets.learning.fairness.groups import group_names
from engagement_assets.learning.fairness.mitigation import (
    MIN_GROUP_SIZE,
    Figures,
    Marks,
    Mitigation,
    compared,
    selection_figures,
)

REWEIGHING = "reweighing"
_SMALL = "groups too small"


def reweighing_weights(
    y: ArrayLike,
    sensitive: pd.DataFrame,
    *,
    attributes: Sequence[str],
    min_group_size: int = MIN_GROUP_SIZE,
) -> Floats:
    """Return n weights of mean 1 under which no group has the label more often than another.

    Args:
        y: n labels of 0 and 1.
        sensitive: n rows with the columns.
        attributes: The attributes, whose groups are taken together: those of a gender and an age.
        min_group_size: Groups of fewer rows are one.

    Raises:
        ValueError: When a column is missing.
    """
    missing = [column for column in attributes if column not in sensitive.columns]
    if missing:
        raise ValueError(f"sensitive columns are missing: {missing}")
    labels = as_labels(y, both_classes=False)
    groups = pd.Series([""] * len(labels))
    for column in attributes:
        groups = groups + "|" + pd.Series(group_names(sensitive[column])).astype(str)
    groups = groups.where(groups.map(groups.value_counts()) >= min_group_size, _SMALL)
    table = pd.DataFrame({"group": groups, "label": labels, "row": 1.0})
    sizes = {
        by: table.groupby(list(by))["row"].transform("sum").to_numpy()
        for by in (("group",), ("label",), ("group", "label"))
    }
    weights: Floats = sizes["group",] * sizes["label",] / (len(table) * sizes["group", "label"])
    return weights


def drawn_rows(weights: Floats, *, seed: int = 0) -> NDArray[np.intp]:
    """Return the places of about n rows, each as often as its weight rounded down or up."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(weights))
    ends = np.floor(np.cumsum(weights[order]) + rng.random())
    times = np.diff(np.r_[0.0, ends]).astype(np.intp)
    rows: NDArray[np.intp] = np.sort(np.repeat(order, times))
    return rows


def reweighed(
    labels: ArrayLike,
    sensitive: pd.DataFrame,
    *,
    scores: tuple[ArrayLike, ArrayLike],
    thresholds: tuple[float, float],
    figures: Callable[[Marks], Figures] | None = None,
    **settings: Any,
) -> Mitigation:
    """Report a model that learnt from weighed rows beside one that did not, on other people.

    Args:
        labels: n labels of 0 and 1 of people whom neither has learnt from.
        sensitive: n rows with the sensitive attributes.
        scores: n scores of the model without weights, and of that with them.
        thresholds: Of each.
        figures: Figures of who is selected; `selection_figures` when None. AUC is added.
        settings: Settings of `selection_fairness`, with the attributes.
    """
    y = as_labels(labels, both_classes=False)
    both = [np.asarray(one, dtype=np.float64) for one in scores]
    before, after = (one >= cut for one, cut in zip(both, thresholds, strict=True))
    of_marks = figures or (lambda marks: selection_figures(y, marks))
    return compared(
        y,
        sensitive,
        (before, after),
        (
            {**of_marks(before), "auc": _auc(y, both[0])},
            {**of_marks(after), "auc": _auc(y, both[1])},
        ),
        method=REWEIGHING,
        words="The model learns from rows weighed so that label and group are independent.",
        fitted={},
        **settings,
    )


def _auc(y: Floats, scores: Floats) -> Weighted:
    ranked = Ranked(y, scores)
    return lambda weights: ranked.auc(weights[ranked.order])
