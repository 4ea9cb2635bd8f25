"""How far a log can speak of another policy: weights, effective sample size, the overlap gate.

Belongs here: importance weights and what limits them. Does not belong here: estimates
(`estimates`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engagement_assets.learning.json_data import JsonData
from engagement_assets.learning.off_policy.log import DecisionLog, Floats, LogError, policy_table

LEAST_PROPENSITY = 0.01
MOST_MASS = 0.01
# Standard errors by which the mean weight must lack to 1: weights are skewed, so that three are not
# rare where nothing is missing.
_CHANCE = 5.0


class OverlapError(LogError):
    """The logging policy hardly ever does what the target policy would do."""


@dataclass(frozen=True)
class Overlap(JsonData):
    """How much of a policy a log covers.

    Attributes:
        rows: Decisions of the log.
        effective_sample_size: (sum of weights)^2 / sum of squared weights (Kish 1965).
        largest_weight: Largest target chance over propensity.
        rare_mass: Share of the target's choices whose propensity was below the least.
        missing_mass: Share of the target's choices that the log cannot have.
        exact: Whether the masses were read from logged probabilities of all actions; else they are
            estimated by the weights.
        passes: Whether the two masses together are at most the limit.
        reason: Why it does not pass, or "".
    """

    rows: int
    effective_sample_size: float
    largest_weight: float
    rare_mass: float
    missing_mass: float
    exact: bool
    passes: bool
    reason: str


def effective_sample_size(weights: ArrayLike) -> float:
    """Return the number of rows of equal weight that say as much as these; 0 for no weight."""
    w = np.asarray(weights, dtype=np.float64)
    squares = float(np.dot(w, w))
    return float(w.sum()) ** 2 / squares if squares else 0.0


def importance_weights(log: DecisionLog, target: Floats) -> Floats:
    """Return the target's chance of each chosen action over its propensity."""
    weights: Floats = log.of_chosen(target) / log.propensity
    return weights


def overlap(
    log: DecisionLog,
    policy: ArrayLike,
    *,
    least_propensity: float = LEAST_PROPENSITY,
    most_mass: float = MOST_MASS,
) -> Overlap:
    """Measure how much of a policy a log covers.

    Where all probabilities were logged, the masses are exact. Else the mass of rare choices is the
    mean of their weights, and what is missing is what actions never chosen have, or what the mean
    weight lacks to 1 beyond five standard errors, whichever is more.

    Args:
        log: n decisions.
        policy: As of `policy_table`.
        least_propensity: A propensity below it is rare.
        most_mass: Share of the target's choices that may be rare or missing.
    """
    target = policy_table(log, policy)
    weights = importance_weights(log, target)
    if log.probabilities is not None:
        rare = _mass(target, log.probabilities < least_propensity)
        missing = _mass(target, log.probabilities == 0.0)
        rare -= missing
    else:
        rare = float(np.mean(weights * (log.propensity < least_propensity)))
        never = np.bincount(log.chosen, minlength=len(log.actions)) == 0
        error = float(weights.std()) / len(log) ** 0.5
        lacking = 1.0 - float(weights.mean()) - _CHANCE * error
        missing = max(_mass(target, never[None, :]), lacking, 0.0)
    passes = rare + missing <= most_mass
    reason = (
        ""
        if passes
        else f"{rare + missing:.1%} of what the policy would choose was chosen with a propensity "
        f"below {least_propensity:g} ({rare:.1%}) or cannot be in the log ({missing:.1%}); at most "
        f"{most_mass:.0%} may be: log more exploration, or evaluate a policy nearer to the logged "
        "one"
    )
    return Overlap(
        rows=len(log),
        effective_sample_size=effective_sample_size(weights),
        largest_weight=float(weights.max()),
        rare_mass=rare,
        missing_mass=missing,
        exact=log.probabilities is not None,
        passes=passes,
        reason=reason,
    )


def _mass(target: Floats, where: NDArray[np.bool_]) -> float:
    return float((target * where).sum(axis=1).mean())
