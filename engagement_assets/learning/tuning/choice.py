"""What is chosen of the scored configurations: an ensemble beside them, by quality and fairness.

Belongs here: the greedy ensemble, the Pareto front, and the rule. Does not belong here: trials
(`search`) or whether the choice may serve (`gate`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.fairness.measures import (
    CALIBRATION,
    SELECTED,
    regression_fairness,
    selection_fairness,
    top_threshold,
)
from engagement_assets.learning.tuning.problem import BINARY, Problem
from engagement_assets.learning.tuning.search import Scored

ENSEMBLE = "ensemble"
# Draws of the greedy selection, and from how many of the best it draws.
_DRAWS, _AMONG = 25, 25
# The four-fifths rule: what a group lacks beyond what the truth gives it.
FOUR_FIFTHS = 0.2
RULE = (
    "the least loss among the candidates whose worst group lacks at most {limit:.0%} beside the "
    "others, beyond what the truth gives it; where there is none, the candidate whose worst group "
    "lacks least"
)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A configuration or an ensemble of several.

    Attributes:
        name: What it is.
        weights: Share of each configuration by its place in the list of the scored.
        loss: Mean out-of-fold loss.
        unfairness: What the worst group lacks, 0 to 1; None where no groups are known.
        on_front: Whether no other is better in one of the two and as good in the other.
    """

    name: str
    weights: Mapping[int, float]
    loss: float
    unfairness: float | None = None
    on_front: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return what a report says of it."""
        return {
            "name": self.name,
            "members": len(self.weights),
            "loss": self.loss,
            "unfairness": self.unfairness,
            "on_front": self.on_front,
        }


def greedy_ensemble(problem: Problem, scored: Sequence[Scored]) -> dict[int, float]:
    """Return weights of a mean of margins, chosen with replacement (Caruana et al., ICML 2004).

    Each draw adds the configuration that lowers the out-of-fold loss of the mean most; the best
    number of draws is kept. A mean of log-odds and not of chances: its Shapley values are the mean
    of the members'.
    """
    margins = [one.margin for one in scored[:_AMONG]]
    total = np.zeros_like(problem.target)
    drawn: list[int] = []
    losses: list[float] = []
    for count in range(1, _DRAWS + 1):
        tried = [problem.loss((total + one) / count) for one in margins]
        best = int(np.argmin(tried))
        drawn.append(best)
        losses.append(tried[best])
        total += margins[best]
    draws = int(np.argmin(losses)) + 1
    return {place: times / draws for place, times in sorted(Counter(drawn[:draws]).items())}


def combined(scored: Sequence[Scored], weights: Mapping[int, float]) -> Floats:
    """Return the n out-of-fold margins of a candidate."""
    total: Floats = np.sum([w * scored[place].margin for place, w in weights.items()], axis=0)
    return total


def candidates(
    problem: Problem,
    scored: Sequence[Scored],
    *,
    unfairness: Callable[[Floats], float] | None = None,
) -> list[Candidate]:
    """Return every configuration and their ensemble, the least loss first.

    Args:
        problem: What is learnt.
        scored: The configurations, the best first.
        unfairness: What the worst group lacks by n predictions, where groups are known.
    """
    named = {one.name: {place: 1.0} for place, one in enumerate(scored)}
    weights = greedy_ensemble(problem, scored)
    if len(weights) > 1:
        named[ENSEMBLE] = weights
    made = []
    for name, shares in named.items():
        margin = combined(scored, shares)
        lacks = None if unfairness is None else unfairness(problem.predicted(margin))
        loss = problem.loss(margin)
        made.append(Candidate(name=name, weights=shares, loss=loss, unfairness=lacks))
    made.sort(key=lambda one: one.loss)
    return [_placed(one, made) for one in made]


def _placed(one: Candidate, others: Sequence[Candidate]) -> Candidate:
    def figures(candidate: Candidate) -> tuple[float, float]:
        return candidate.loss, candidate.unfairness or 0.0

    beaten = any(
        all(a <= b for a, b in zip(figures(other), figures(one), strict=True))
        and figures(other) != figures(one)
        for other in others
    )
    fields = vars(one) | {"on_front": not beaten}
    return Candidate(**fields)


def choose(made: Sequence[Candidate], *, limit: float = FOUR_FIFTHS) -> Candidate:
    """Return the candidate of `RULE`, which lies on the front."""
    front = [one for one in made if one.on_front]
    fair = [one for one in front if (one.unfairness or 0.0) <= limit]
    if fair:
        return min(fair, key=lambda one: one.loss)
    return min(front, key=lambda one: one.unfairness or 0.0)


def unfairness_of(
    problem: Problem, sensitive: pd.DataFrame, *, least_group: int
) -> Callable[[Floats], float]:
    """Return what measures how much the worst judged group lacks, 0 to 1.

    Selected are the highest predictions: of labels as many as have the label, of numbers a tenth.
    A group lacks what its rate is below that of the others, and its mean prediction below its mean
    target, beyond what the truth gives it; groups under `least_group` rows are not judged.
    """
    how: dict[str, Any] = {
        "attributes": list(sensitive.columns),
        "n_bootstrap": 0,
        "min_group_size": least_group,
    }

    def unfairness(prediction: Floats) -> float:
        if problem.kind == BINARY:
            share = float(problem.target.mean())
            chosen = prediction >= top_threshold(prediction, share=share)
            report = selection_fairness(problem.target, chosen, sensitive, **how)
        else:
            report = regression_fairness(problem.target, prediction, sensitive, **how)
        lacks = [
            1.0 - row.ratio / (row.due or 1.0)
            for row in report.rows
            if row.judged and row.ratio is not None and row.measure in (SELECTED, CALIBRATION)
        ]
        return float(np.clip(max(lacks, default=0.0), 0.0, 1.0))

    return unfairness
