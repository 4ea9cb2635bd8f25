"""Repair a failure of the 80 % rule by thresholds that differ between groups, at a stated price.

Belongs here: per-group thresholds, fitted on training people and judged on test people. Does not
belong here: the judgement itself (`fairness`) or the decision to use them.

The thresholds of groups that are selected too seldom are lowered just so far that each reaches a
target share of the highest group's selection rate; nobody loses an offer. This is
post-processing after Hardt, Price and Srebro (NeurIPS 2016), for demographic parity and without
chance: fairlearn's ThresholdOptimizer may flip coins between two thresholds, so the same
customer could be flagged today and not tomorrow. Treating people by a protected attribute may
itself be unlawful where the offer is of value: a person decides whether to use the thresholds, and
the report shows what they cost.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from engagement_assets.learning import markdown
from engagement_assets.learning.evaluation.binary import Floats, as_labels
from engagement_assets.learning.evaluation.thresholds import CostModel
from engagement_assets.learning.fairness.groups import group_names
from engagement_assets.learning.fairness.measures import selection_fairness, truly_top
from engagement_assets.learning.fairness.rendering import report_markdown
from engagement_assets.learning.fairness.report import FairnessReport
from engagement_assets.learning.json_data import JsonData

logger = logging.getLogger(__name__)

_MOST_ROUNDS = 50
# Smallest group that gets a threshold of its own, in people.
_MIN_GROUP_SIZE = 100

Price = dict[str, float | None]


@dataclass(frozen=True)
class GroupThresholds(JsonData):
    """A threshold for everybody and lower ones for some groups.

    Attributes:
        base: Probability at or above which anybody is flagged.
        lowered: For a column and group, its lower threshold. A customer of several such groups
            has the lowest of theirs.
    """

    base: float
    lowered: dict[str, dict[str, float]]

    def of(self, sensitive: pd.DataFrame) -> Floats:
        """Return the threshold of each of n customers.

        Raises:
            ValueError: When a column with lowered thresholds is missing.
        """
        out = np.full(len(sensitive), self.base)
        for column, groups in self.lowered.items():
            if column not in sensitive.columns:
                raise ValueError(f"column {column!r} is missing: it has thresholds of its own")
            own = pd.Series(group_names(sensitive[column])).map(groups).to_numpy(dtype=np.float64)
            out = np.fmin(out, own)
        return out

    def select(self, probability: ArrayLike, sensitive: pd.DataFrame) -> NDArray[np.bool_]:
        """Flag n customers by their probability and their groups."""
        flagged: NDArray[np.bool_] = np.asarray(probability, np.float64) >= self.of(sensitive)
        return flagged


def fit_group_thresholds(
    scores: ArrayLike,
    sensitive: pd.DataFrame,
    *,
    attributes: Sequence[str],
    threshold: float,
    target_ratio: float = 0.9,
) -> GroupThresholds:
    """Lower the thresholds of groups that are selected too seldom.

    Args:
        scores: n scores of training people, out of fold.
        sensitive: n rows with the columns.
        attributes: The attributes to even out, together.
        threshold: The threshold of everybody.
        target_ratio: Least selection rate of a group as a share of the highest group's. Above 0.8,
            so that the rule also holds on other people.

    Raises:
        ValueError: When the target ratio is not in (0, 1] or a column is missing.
    """
    if not 0.0 < target_ratio <= 1.0:
        raise ValueError(f"target_ratio must lie in (0, 1], got {target_ratio}")
    missing = [column for column in attributes if column not in sensitive.columns]
    if missing:
        raise ValueError(f"sensitive columns are missing: {missing}")
    values = np.asarray(scores, dtype=np.float64)
    members = {column: _members(group_names(sensitive[column])) for column in attributes}
    lowered: dict[str, dict[str, float]] = {column: {} for column in attributes}
    flagged = values >= threshold
    # Lowering a group of one column raises rates in the others; thresholds only fall, so it ends.
    for _ in range(_MOST_ROUNDS):
        changed = False
        for column, groups in members.items():
            rates = {group: float(flagged[rows].mean()) for group, rows in groups.items()}
            target = target_ratio * max(rates.values(), default=0.0)
            for group, rows in groups.items():
                wanted = int(np.ceil(target * len(rows) - 1e-9)) - int(flagged[rows].sum())
                if wanted > 0:
                    lowered[column][group] = _nth_highest(values[rows][~flagged[rows]], wanted)
                    flagged[rows] |= values[rows] >= lowered[column][group]
                    changed = True
        if not changed:
            break
    else:
        logger.warning(
            "The thresholds of %s still moved after %d rounds: a group may miss the target ratio",
            list(attributes),
            _MOST_ROUNDS,
        )
    return GroupThresholds(
        threshold, {column: groups for column, groups in lowered.items() if groups}
    )


def _members(groups: NDArray[np.object_]) -> dict[str, NDArray[np.intp]]:
    rows = pd.Series(np.arange(len(groups))).groupby(groups)
    return {str(g): r.to_numpy() for g, r in rows if len(r) >= _MIN_GROUP_SIZE}


def _nth_highest(scores: Floats, n: int) -> float:
    return float(np.sort(scores)[-n])


@dataclass(frozen=True)
class Mitigation:
    """Per-group thresholds with fairness and price on test people, before and after.

    Attributes:
        thresholds: The thresholds, fitted on training people.
        before: Fairness with one threshold for everybody.
        after: Fairness with the per-group thresholds.
        price: Figures of who is selected, "before" and "after"; None where undefined.
    """

    thresholds: GroupThresholds
    before: FairnessReport
    after: FairnessReport
    price: dict[str, Price]

    def worded(self, words: Mapping[str, str], selected_are: str) -> Mitigation:
        """Return the mitigation with a model's own words in its reports."""
        before, after = (r.worded(words, selected_are) for r in (self.before, self.after))
        return replace(self, before=before, after=after)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON data."""
        return {
            "thresholds": self.thresholds.to_dict(),
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "price": self.price,
        }

    def to_markdown(self) -> str:
        """Return the mitigation for people: thresholds, price, fairness before and after."""
        lines = [
            "### Mitigation by per-group thresholds",
            "",
            f"Everybody is flagged from {self.thresholds.base:.3f} on; lower for: "
            + (
                "; ".join(
                    f"{column}={markdown.inline(group)} from {value:.3f}"
                    for column, groups in self.thresholds.lowered.items()
                    for group, value in groups.items()
                )
                or "no group"
            )
            + ". Fitted on training people, reported on test people.",
            "",
        ]
        rows = []
        for name in self.price["before"]:
            cells = [self.price[when][name] for when in ("before", "after")]
            shown = ["–" if value is None else f"{value:.4f}" for value in cells]
            rows.append((name.replace("_", " "), *shown))
        align = [markdown.LEFT, markdown.RIGHT, markdown.RIGHT]
        lines.append(markdown.table(["", "before", "after"], rows, align=align))
        lines += ["", "After:", "", report_markdown(self.after)]
        return "\n".join(lines)


def mitigate(
    labels: ArrayLike,
    scores: ArrayLike,
    sensitive: pd.DataFrame,
    *,
    thresholds: GroupThresholds,
    price: Callable[[NDArray[np.bool_]], Price],
    attributes: Sequence[str],
    **settings: Any,
) -> Mitigation:
    """Report fitted thresholds on test people, before and after, with their price.

    Args:
        labels: n labels of 0 and 1 of test people.
        scores: n scores.
        sensitive: n rows with the sensitive attributes.
        thresholds: Fitted on other people by `fit_group_thresholds`.
        price: Figures of who is selected: `offer_price` or `value_price`.
        attributes: The attributes to report; those with lowered thresholds must be there.
        settings: Settings of `judging.fairness_report`.
    """
    values = np.asarray(scores, dtype=np.float64)
    flags = {"before": values >= thresholds.base, "after": thresholds.select(values, sensitive)}
    reports = {
        when: selection_fairness(labels, flagged, sensitive, attributes=attributes, **settings)
        for when, flagged in flags.items()
    }
    return Mitigation(
        thresholds,
        reports["before"],
        reports["after"],
        {when: price(flagged) for when, flagged in flags.items()},
    )


def offer_price(y: ArrayLike, flagged: NDArray[np.bool_], *, costs: CostModel) -> Price:
    """Return what offers to the flagged cost and reach, by n labels of 0 and 1."""
    labels = as_labels(y, both_classes=False)
    hits, with_label = float(np.dot(labels, flagged)), float(labels.sum())
    treated = float(flagged.sum())
    return {
        "accuracy": float(np.mean(flagged == (labels == 1.0))),
        "precision": hits / treated if treated else None,
        "recall": hits / with_label if with_label else None,
        "treated_share": treated / len(labels),
        "cost_per_row": costs.per_row(labels, flagged),
    }


def value_price(y: ArrayLike, selected: NDArray[np.bool_], *, share: float) -> Price:
    """Return what the selected are truly worth: their mean target, and the true top found."""
    truth = np.asarray(y, dtype=np.float64)
    top = truly_top(truth, share=share)
    return {
        "selected_share": float(selected.mean()),
        "mean_target_of_selected": float(truth[selected].mean()) if selected.any() else None,
        "precision": float(top[selected].mean()) if selected.any() else None,
        "recall": float(selected[top].mean()) if top.any() else None,
    }
