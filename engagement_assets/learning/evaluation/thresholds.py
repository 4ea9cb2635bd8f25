"""From a probability to a decision: at which probability it pays to step in.

Belongs here: choosing a threshold on out-of-fold predictions. Does not belong here: thresholds
that differ between groups of people (`mitigation`) or which action is chosen.

The cost model. A positive that is left alone costs `cost_miss`. Acting on any row costs
`cost_action`, averts a positive with probability `success_rate`, whichever it is, and does nothing
to a negative. So acting on a row of probability p pays when p * success_rate * cost_miss >
cost_action, that is above the break-even probability cost_action / (success_rate * cost_miss)
(Elkan, The foundations of cost-sensitive learning, IJCAI 2001). `success_rate` is an assumption
until an experiment has measured it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engagement_assets.learning.evaluation.binary import Floats, Ranked, as_labels, as_weights
from engagement_assets.learning.json_data import JsonData

NOBODY = 1.0


@dataclass(frozen=True)
class CostModel:
    """What a missed positive and an action cost, in one currency.

    Attributes:
        cost_miss: Cost of a missed positive.
        cost_action: Cost of acting on one row.
        success_rate: Share of the positives that an action averts, in (0, 1].
    """

    cost_miss: float
    cost_action: float
    success_rate: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.cost_miss) and self.cost_miss > 0.0):
            raise ValueError(f"cost_miss must be above 0, got {self.cost_miss}")
        if not (np.isfinite(self.cost_action) and self.cost_action >= 0.0):
            raise ValueError(f"cost_action must be 0 or more, got {self.cost_action}")
        if not 0.0 < self.success_rate <= 1.0:
            raise ValueError(f"success_rate must lie in (0, 1], got {self.success_rate}")

    @property
    def break_even(self) -> float:
        """The probability above which contacting pays; above 1 it never pays."""
        return self.cost_action / (self.success_rate * self.cost_miss)

    def per_row(
        self, y: ArrayLike, contacted: ArrayLike, *, weights: ArrayLike | None = None
    ) -> float:
        """Return the mean expected cost a row when the marked rows are acted on.

        Args:
            y: n labels of 0 and 1.
            contacted: n booleans.
            weights: n weights of the rows, or None where they weigh alike.
        """
        labels = as_labels(y, both_classes=False)
        marked = np.asarray(contacted, dtype=np.float64)
        lost = labels * (1.0 - self.success_rate * marked)
        weighs = as_weights(weights, rows=len(labels))
        return float(np.average(self.cost_miss * lost + self.cost_action * marked, weights=weighs))


@dataclass(frozen=True)
class ThresholdChoice(JsonData):
    """A threshold and what it brings on the rows it was chosen on.

    Attributes:
        threshold: Rows at or above this probability are acted on; 1.0 means none.
        break_even: The analytic threshold of perfectly calibrated probabilities.
        cost_per_row: Mean cost at the threshold, in the currency of the cost model.
        cost_of_nothing: Mean cost when none is acted on.
        cost_of_all: Mean cost when all are.
        precision: Share of the contacted who are positives; None when none is acted on.
        recall: Share of the positives that are acted on.
        treated_share: Share of the rows that are acted on.
        success_rate: The assumed share of averted positives.
    """

    threshold: float
    break_even: float
    cost_per_row: float
    cost_of_nothing: float
    cost_of_all: float
    precision: float | None
    recall: float
    treated_share: float
    success_rate: float


def cost_threshold(
    y: ArrayLike,
    p: ArrayLike,
    *,
    costs: CostModel,
    weights: ArrayLike | None = None,
) -> ThresholdChoice:
    """Choose the threshold that costs least on these rows.

    Every distinct probability, and acting on none, is tried. Between equal costs the higher
    threshold wins, so that no action is in vain. Give out-of-fold probabilities: those of
    rows the model was fitted on are too sure of themselves.

    Args:
        y: n labels of 0 and 1.
        p: n probabilities.
        costs: The cost model.
        weights: n weights of the rows, or None where they weigh alike.

    Raises:
        OneClassError: When only one class is present.
    """
    labels = as_labels(y)
    scores, contacted, positives = _cumulative(labels, p, weights)
    change = costs.cost_action * contacted - costs.success_rate * costs.cost_miss * positives
    best = int(np.argmin(np.r_[0.0, change]))
    threshold = NOBODY if best == 0 else float(scores[best - 1])
    return describe_threshold(labels, p, threshold=threshold, costs=costs, weights=weights)


def describe_threshold(
    y: ArrayLike,
    p: ArrayLike,
    *,
    threshold: float,
    costs: CostModel,
    weights: ArrayLike | None = None,
) -> ThresholdChoice:
    """Return what acting at or above a threshold brings on n rows; see `cost_threshold`."""
    labels = as_labels(y)
    marked: NDArray[np.bool_] = np.asarray(p, dtype=np.float64) >= threshold
    weighs = as_weights(weights, rows=len(labels))
    hits, flagged = float(np.dot(weighs, labels * marked)), float(np.dot(weighs, marked))
    return ThresholdChoice(
        threshold=float(threshold),
        break_even=costs.break_even,
        cost_per_row=costs.per_row(labels, marked, weights=weighs),
        cost_of_nothing=costs.per_row(labels, np.zeros_like(labels), weights=weighs),
        cost_of_all=costs.per_row(labels, np.ones_like(labels), weights=weighs),
        precision=hits / flagged if flagged else None,
        recall=hits / float(np.dot(weighs, labels)),
        treated_share=flagged / float(weighs.sum()),
        success_rate=costs.success_rate,
    )


def threshold_at_recall(
    y: ArrayLike, p: ArrayLike, *, recall: float = 0.8, weights: ArrayLike | None = None
) -> float:
    """Return the highest threshold that finds at least this share of the positives.

    Args:
        y: n labels of 0 and 1.
        p: n probabilities.
        recall: Share of the positives to find, in (0, 1].
        weights: n weights of the rows, or None where they weigh alike.

    Raises:
        OneClassError: When only one class is present.
        ValueError: When the recall is not in (0, 1].
    """
    if not 0.0 < recall <= 1.0:
        raise ValueError(f"recall must lie in (0, 1], got {recall}")
    labels = as_labels(y)
    scores, _, positives = _cumulative(labels, p, weights)
    return float(scores[int(np.searchsorted(positives, recall * positives[-1] - 1e-9))])


def _cumulative(
    y: Floats, p: ArrayLike, weights: ArrayLike | None
) -> tuple[Floats, Floats, Floats]:
    """Return distinct scores from the highest, with the weight of rows and positives from each."""
    probability = np.asarray(p, dtype=np.float64)
    if probability.shape != y.shape:
        raise ValueError(f"{len(y)} labels but probabilities of shape {probability.shape}")
    ranked = Ranked(y, probability)
    weighs = as_weights(weights, rows=len(y))
    positives, negatives = ranked.cumulative(weighs[ranked.order])
    return ranked.p[ranked.starts], positives + negatives, positives
