"""From a probability to a decision: at which probability it pays to step in.

Belongs here: choosing a threshold on out-of-fold predictions. Does not belong here: thresholds
that differ between groups of people (`mitigation`) or which intervention is chosen
(`engagement_assets.decisions`).

The cost model. A churner who is left alone costs `cost_lost_customer`. Contacting anyone costs
`cost_intervention`. A contacted churner stays with probability `save_rate`, whoever it is; a
contacted customer who would have stayed anyway stays. So contacting a customer whose churn
probability is p pays when p * save_rate * cost_lost_customer > cost_intervention, that is above
the break-even probability cost_intervention / (save_rate * cost_lost_customer) (Elkan, The
foundations of cost-sensitive learning, IJCAI 2001). `save_rate` is an assumption until an
experiment has measured it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engagement_assets.learning.evaluation.binary import Floats, as_labels

NOBODY = 1.0


@dataclass(frozen=True)
class CostModel:
    """What losing and contacting a customer cost, in one currency.

    Attributes:
        cost_lost_customer: Cost of a churner who is lost.
        cost_intervention: Cost of contacting one customer.
        save_rate: Share of the contacted churners whom the contact keeps, in (0, 1].
    """

    cost_lost_customer: float
    cost_intervention: float
    save_rate: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.cost_lost_customer) and self.cost_lost_customer > 0.0):
            raise ValueError(f"cost_lost_customer must be above 0, got {self.cost_lost_customer}")
        if not (np.isfinite(self.cost_intervention) and self.cost_intervention >= 0.0):
            raise ValueError(f"cost_intervention must be 0 or more, got {self.cost_intervention}")
        if not 0.0 < self.save_rate <= 1.0:
            raise ValueError(f"save_rate must lie in (0, 1], got {self.save_rate}")

    @property
    def break_even(self) -> float:
        """The churn probability above which contacting pays; above 1 it never pays."""
        return self.cost_intervention / (self.save_rate * self.cost_lost_customer)

    def per_customer(self, y: ArrayLike, contacted: ArrayLike) -> float:
        """Mean expected cost a customer when the marked customers are contacted.

        Args:
            y: n labels of 0 and 1.
            contacted: n booleans.
        """
        labels = as_labels(y, both_classes=False)
        marked = np.asarray(contacted, dtype=np.float64)
        lost = labels * (1.0 - self.save_rate * marked)
        return float(np.mean(self.cost_lost_customer * lost + self.cost_intervention * marked))


@dataclass(frozen=True)
class ThresholdChoice:
    """A threshold and what it brings on the rows it was chosen on.

    Attributes:
        threshold: A customer is contacted at or above this probability; 1.0 contacts nobody.
        break_even: The analytic threshold of perfectly calibrated probabilities.
        cost_per_customer: Mean cost at the threshold, in the currency of the cost model.
        cost_of_nothing: Mean cost when nobody is contacted.
        cost_of_all: Mean cost when everybody is contacted.
        precision: Share of the contacted who are churners; None when nobody is contacted.
        recall: Share of the churners who are contacted.
        treated_share: Share of the customers who are contacted.
        save_rate: The assumed share of contacted churners who are kept.
    """

    threshold: float
    break_even: float
    cost_per_customer: float
    cost_of_nothing: float
    cost_of_all: float
    precision: float | None
    recall: float
    treated_share: float
    save_rate: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ThresholdChoice:
        """Read what `to_dict` wrote."""
        return cls(**data)


def cost_threshold(
    y: ArrayLike,
    p: ArrayLike,
    *,
    cost_lost_customer: float,
    cost_intervention: float,
    save_rate: float,
) -> ThresholdChoice:
    """Choose the threshold that costs least on these rows.

    Every distinct probability, and contacting nobody, is tried. Between equal costs the higher
    threshold wins, so that nobody is contacted in vain. Give out-of-fold probabilities: those of
    rows the model was fitted on are too sure of themselves.

    Args:
        y: n labels of 0 and 1.
        p: n probabilities.
        cost_lost_customer: Cost of a churner who is lost.
        cost_intervention: Cost of contacting one customer, in the same currency.
        save_rate: Share of the contacted churners whom the contact keeps, in (0, 1].

    Raises:
        OneClassError: When only one class is present.
        ValueError: When a cost or the save rate is out of its bounds.
    """
    costs = CostModel(cost_lost_customer, cost_intervention, save_rate)
    labels = as_labels(y)
    scores, contacted, found = _cumulative(labels, np.asarray(p, dtype=np.float64))
    change = cost_intervention * contacted - save_rate * cost_lost_customer * found
    best = int(np.argmin(np.r_[0.0, change]))
    threshold = NOBODY if best == 0 else float(scores[best - 1])
    return describe_threshold(labels, p, threshold=threshold, costs=costs)


def describe_threshold(
    y: ArrayLike, p: ArrayLike, *, threshold: float, costs: CostModel
) -> ThresholdChoice:
    """Say what a given threshold brings on these rows.

    Args:
        y: n labels of 0 and 1.
        p: n probabilities.
        threshold: Contact at or above this probability.
        costs: The cost model.

    Raises:
        OneClassError: When only one class is present.
    """
    labels = as_labels(y)
    marked: NDArray[np.bool_] = np.asarray(p, dtype=np.float64) >= threshold
    hits = float(np.dot(labels, marked))
    return ThresholdChoice(
        threshold=float(threshold),
        break_even=costs.break_even,
        cost_per_customer=costs.per_customer(labels, marked),
        cost_of_nothing=costs.per_customer(labels, np.zeros_like(labels)),
        cost_of_all=costs.per_customer(labels, np.ones_like(labels)),
        precision=hits / float(marked.sum()) if marked.any() else None,
        recall=hits / float(labels.sum()),
        treated_share=float(marked.mean()),
        save_rate=costs.save_rate,
    )


def threshold_at_recall(y: ArrayLike, p: ArrayLike, *, recall: float = 0.8) -> float:
    """The highest threshold that finds at least this share of the churners.

    Args:
        y: n labels of 0 and 1.
        p: n probabilities.
        recall: Share of the churners to find, in (0, 1].

    Raises:
        OneClassError: When only one class is present.
        ValueError: When the recall is not in (0, 1].
    """
    if not 0.0 < recall <= 1.0:
        raise ValueError(f"recall must lie in (0, 1], got {recall}")
    labels = as_labels(y)
    scores, _, found = _cumulative(labels, np.asarray(p, dtype=np.float64))
    return float(scores[int(np.searchsorted(found, recall * found[-1] - 1e-9))])


def _cumulative(y: Floats, p: Floats) -> tuple[Floats, Floats, Floats]:
    """Distinct scores from the highest, with the customers and churners at or above each."""
    if p.shape != y.shape:
        raise ValueError(f"{len(y)} labels but probabilities of shape {p.shape}")
    order = np.argsort(-p, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(p[order]) != 0.0, True])
    return p[order][ends], (ends + 1).astype(np.float64), np.cumsum(y[order])[ends]
