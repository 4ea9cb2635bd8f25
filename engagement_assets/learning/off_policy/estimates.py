"""The value of a policy from the log of another: five estimators with intervals.

Belongs here: the estimators and their intervals. Does not belong here: reading a log (`log`), what
it covers (`overlap`), the reward model (`reward_model`).

Of row t, w is the target's chance of the chosen action over its propensity, r the reward, q(a) the
predicted reward of an action and m the mean of q under the target. The rows' scores are

- direct method: m
- IPS: w r (Horvitz and Thompson 1952); SNIPS: w r over the mean of w (Swaminathan and Joachims,
  NeurIPS 2015)
- doubly robust: m + w (r - q) (Dudik, Langford and Li, ICML 2011), q cross-fitted
- switch-DR: m + w (r - q) where w is at most tau, else m (Wang, Agarwal and Dudik, ICML 2017)

Where the choices do not depend on earlier rewards, an estimate is the mean of its scores, with the
normal interval of a mean over rows or over groups of rows.

A log that was collected adaptively has rows that depend on each other, and the mean of its scores
is not normal even in large logs. There the estimate is sum(h s) / sum(h) with the variance
sum(h^2 (s - estimate)^2) / sum(h)^2 (Hadad, Hirshberg, Zhan, Wager and Athey, PNAS 2021, eq. 4 and
5), where h_t = (E sum_a target(a)^2 / propensity_t(a))^(-1/2), "StableVar" of Zhan, Hadad,
Hirshberg and Athey, KDD 2021; Bibaut et al., NeurIPS 2021, weight by the inverse of the
estimated deviation itself. h_t and q know rows before t only, so that the scores are a martingale
whose steps have about equal variance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.json_data import JsonData
from engagement_assets.learning.off_policy.log import DecisionLog, Floats, LogError, policy_table
from engagement_assets.learning.off_policy.overlap import (
    Overlap,
    OverlapError,
    importance_weights,
    overlap,
)
from engagement_assets.learning.off_policy.reward_model import predicted_rewards

DIRECT, IPS, SNIPS = "direct method", "IPS", "self-normalised IPS"
DR, SWITCH_DR = "doubly robust", "switch-DR"
# The moving mean by which h_t follows the propensities spans this share of the log.
_SPAN, _SPAN_OF_CHOSEN = 0.02, 0.1
_LEAST_ADAPTIVE = 100
# thresholds of switch-DR that are tried, as quantiles of the weights
_QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99, 1.0)


@dataclass(frozen=True)
class Estimate(JsonData):
    """A policy's value by one estimator.

    Attributes:
        method: Name of the estimator.
        value: Mean reward a decision under the policy, or its difference to the baseline's.
        standard_error: Of the value; NaN where it is not known.
        low: Lower end of the interval; NaN where it is not known.
        high: Upper end of the interval.
        note: What the interval leaves out, or "".
    """

    method: str
    value: float
    standard_error: float
    low: float
    high: float
    note: str


@dataclass(frozen=True)
class Evaluation:
    """What a log says of a policy.

    Attributes:
        rows: Decisions.
        units: Independent units: groups, or rows.
        level: Coverage of the intervals.
        adaptive: Whether the intervals hold where the logging policy learnt from the log.
        overlap: What the log covers of the policy.
        baseline_overlap: The same of the baseline, or None where the value is no difference.
        estimates: By method.
    """

    rows: int
    units: int
    level: float
    adaptive: bool
    overlap: Overlap
    baseline_overlap: Overlap | None
    estimates: Mapping[str, Estimate]


def evaluate_policy(  # noqa: PLR0913 - keyword-only, each with a default
    log: DecisionLog,
    policy: ArrayLike | None,
    *,
    baseline: ArrayLike | None = None,
    adaptive: bool = False,
    rewards: ArrayLike | None = None,
    model: Any = None,
    folds: int = 3,
    level: float = 0.95,
    require_overlap: bool = True,
    random_state: int = 0,
) -> Evaluation:
    """Estimate what a policy would have brought, or by how much more than a baseline.

    Args:
        log: n decisions with k actions.
        policy: n x k chances of each action, or k that hold in every row; None for the logging
            policy itself.
        baseline: Another policy; the estimates are then of the difference to it.
        adaptive: Whether the logging policy learnt from the rewards of this log; the rows must then
            be in the order of their decisions.
        rewards: n x k expected rewards by models that did not see the row (`predicted_rewards`),
            where several policies are evaluated from one log; else they are predicted here.
        model: Regressor of scikit-learn for the reward, on the context and the column `action`;
            gradient boosting where None.
        folds: Parts of the cross-fitting of a log that is not adaptive.
        level: Coverage of the intervals.
        require_overlap: Whether a policy that the log does not cover is refused; else its overlap
            says so beside estimates that may be far off.
        random_state: Seed of the folds and of the default model.

    Raises:
        OverlapError: More than 1 % of the policy's choices, or of the baseline's, had a propensity
            below .01 or none.
        LogError: A policy or `rewards` has another shape, or a policy's rows do not sum to 1.
        TooLittleDataError: An adaptive log has fewer than 100 rows.
    """
    parts = [_Target.of(log, policy)]
    parts += [] if baseline is None else [_Target.of(log, baseline)]
    for which, part in zip(("policy", "baseline"), parts, strict=False):
        if require_overlap and not part.overlap.passes:
            raise OverlapError(f"the log cannot evaluate the {which}: {part.overlap.reason}")
    if adaptive and len(log) < _LEAST_ADAPTIVE:
        raise TooLittleDataError(
            f"{len(log)} rows of an adaptive log: at least {_LEAST_ADAPTIVE} are needed"
        )
    if rewards is None:
        rewards = predicted_rewards(
            log, model=model, folds=folds, adaptive=adaptive, random_state=random_state
        )
    expected = np.asarray(rewards, dtype=np.float64)
    shape = (len(log), len(log.actions))
    if expected.shape != shape:
        raise LogError(f"rewards for this log have shape {shape}, not {expected.shape}")
    weights, direct = parts[0].weights, parts[0].mean_of(log, expected)
    signed = parts[0].table
    if baseline is not None:
        weights, direct = weights - parts[1].weights, direct - parts[1].mean_of(log, expected)
        signed = None if signed is None or parts[1].table is None else signed - parts[1].table
    h = stabilising_weights(log, weights, signed) if adaptive else np.ones(len(log))
    corrections = weights * (log.reward - log.of_chosen(expected))
    tau = _switch(log, weights, direct, corrections)
    switched = direct + corrections * (np.abs(weights) <= tau)
    z = float(norm.ppf(0.5 + level / 2.0))

    def estimate(method: str, value: float, influence: Floats, note: str = "") -> Estimate:
        error = _standard_error(log, h, influence)
        return Estimate(method, value, error, value - z * error, value + z * error, note)

    def mean(method: str, scores: Floats, note: str = "") -> Estimate:
        value = float(np.dot(h, scores) / h.sum())
        return estimate(method, value, scores - value, note)

    normalised = [_self_normalised(log, h, part.weights) for part in parts]
    snips = normalised[0] if baseline is None else _less(normalised[0], normalised[1])
    unknown = float(np.dot(h, direct) / h.sum())
    cut = float(np.mean(np.abs(weights) > tau))
    estimates = (
        Estimate(
            DIRECT, unknown, math.nan, math.nan, math.nan, "the reward model's bias is not known"
        ),
        mean(IPS, weights * log.reward),
        estimate(SNIPS, *snips),
        mean(DR, direct + corrections),
        mean(SWITCH_DR, switched, f"{cut:.1%} of the rows only by the reward model" if cut else ""),
    )
    return Evaluation(
        rows=len(log),
        units=len(log) if log.groups is None else int(log.groups.max()) + 1,
        level=level,
        adaptive=adaptive,
        overlap=parts[0].overlap,
        baseline_overlap=None if baseline is None else parts[1].overlap,
        estimates={one.method: one for one in estimates},
    )


@dataclass(frozen=True)
class _Target:
    """A policy beside a log: its chances, None where only those of the chosen actions are known."""

    table: Floats | None
    weights: Floats
    overlap: Overlap

    @classmethod
    def of(cls, log: DecisionLog, policy: ArrayLike | None) -> _Target:
        given = log.probabilities if policy is None else policy
        if given is None:
            itself = Overlap(len(log), float(len(log)), 1.0, 0.0, 0.0, True, True, "")
            return cls(None, np.ones(len(log)), itself)
        table = policy_table(log, given)
        return cls(table, importance_weights(log, table), overlap(log, table))

    def mean_of(self, log: DecisionLog, rewards: Floats) -> Floats:
        """Return the expected reward of each row; of the logging policy that of what it chose."""
        if self.table is None:
            return log.of_chosen(rewards)
        mean: Floats = (self.table * rewards).sum(axis=1)
        return mean


def stabilising_weights(log: DecisionLog, weights: Floats, target: Floats | None) -> Floats:
    """Return h of each row from earlier rows alone; see the module.

    The expectation is a moving mean over earlier rows, of the sum where all probabilities were
    logged, else of the squared weights, which have the same mean. The first rows have none before
    them and get 0, and so do those before which a policy and its baseline never differed; where
    they never do, all rows count alike.

    Args:
        log: n decisions.
        weights: n importance weights, or their difference to a baseline's.
        target: n x k chances, or their difference to a baseline's, where they are known.
    """
    n = len(log)
    if log.probabilities is not None and target is not None:
        # a choice that cannot be in the log would make the variance infinite
        chance = np.maximum(log.probabilities, np.finfo(float).tiny)
        second = np.divide(target**2, chance, where=target != 0.0, out=np.zeros_like(chance))
        second, span = second.sum(axis=1), max(_SPAN * n, 2.0)
    else:
        second, span = weights**2, max(_SPAN_OF_CHOSEN * n, 2.0)
    moving = pd.Series(second).ewm(span=span).mean().shift(1).to_numpy()
    # by Jensen's inequality the mean square is at least the square of the mean
    least = pd.Series(np.abs(weights)).expanding().mean().shift(1).to_numpy() ** 2
    first = max(1, n // 50)
    h = np.zeros(n)
    spread = np.sqrt(np.maximum(moving, least)[first:])
    # where a policy and its baseline chose alike in all rows before there is nothing to weigh by
    h[first:] = np.divide(1.0, spread, where=spread > 0.0, out=np.zeros_like(spread))
    return h if h.any() else np.ones(n)


def _switch(log: DecisionLog, weights: Floats, direct: Floats, corrections: Floats) -> float:
    """Return the threshold with the least variance plus bound of the squared bias.

    The bias is at most the mean weight above it times the range of the rewards (Wang, Agarwal and
    Dudik 2017, section 4).
    """
    size = np.abs(weights)
    span = float(np.ptp(log.reward))

    def risk(tau: float) -> float:
        within = size <= tau
        bias = float(np.mean(size * ~within)) * span
        return float(np.var(direct + corrections * within)) / len(log) + bias**2

    candidates = sorted(map(float, set(np.quantile(size, _QUANTILES))), reverse=True)
    return min(candidates, key=risk)


def _self_normalised(log: DecisionLog, h: Floats, weights: Floats) -> tuple[float, Floats]:
    """Return the estimate by weights that sum to one, and each row's influence on it."""
    total = float(np.dot(h, weights))
    if not total:
        return math.nan, np.full(len(log), math.nan)
    value = float(np.dot(h * weights, log.reward)) / total
    return value, weights * (log.reward - value) * (h.sum() / total)


def _less(one: tuple[float, Floats], other: tuple[float, Floats]) -> tuple[float, Floats]:
    return one[0] - other[0], one[1] - other[1]


def _standard_error(log: DecisionLog, h: Floats, influence: Floats) -> float:
    """Return the error of a weighted mean, rows of a group taken together."""
    steps: Floats = h * influence
    if log.groups is not None:
        steps = np.bincount(log.groups, weights=steps).astype(np.float64)
    units = len(steps)
    correction = units / (units - 1) if units > 1 else math.nan
    return math.sqrt(correction * float(np.dot(steps, steps))) / float(h.sum())
