"""The value of a policy over time, from the logs of another: fitted Q evaluation.

Belongs here: the estimate and its interval. Does not belong here: single decisions, which
`learning.off_policy` evaluates from their propensities.

Fitted Q evaluation (Le, Voloshin and Yue, ICML 2019) regresses reward plus the discounted value of
what the policy does next, again and again. With a linear model its fixed point solves one system of
equations (least-squares temporal differences, Bradtke and Barto 1996), so that the error follows
from the residuals, those of a unit taken together (Hao et al., ICML 2021, show that its
distribution is normal in large logs). Where the model cannot hold the true values there is a bias
that no interval shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.json_data import JsonData
from engagement_assets.learning.reinforcement.timing import Floats
from engagement_assets.learning.reinforcement.transitions import Transitions

_LEAST_UNITS = 30


@dataclass(frozen=True)
class PolicyValue(JsonData):
    """A policy's value from the first situations of the logs.

    Attributes:
        value: Mean discounted reward of a unit from its first logged situation on.
        low: Lower end of the interval.
        high: Upper end of the interval.
        units: Units.
        steps: Steps.
        unlogged: Share of what the policy would do in the logged situations that is an action that
            the logs hardly have (less than one in a thousand): there the model extrapolates.
    """

    value: float
    low: float
    high: float
    units: int
    steps: int
    unlogged: float


def fitted_q_evaluation(
    transitions: Transitions,
    chances: Floats,
    next_chances: Floats,
    *,
    features: Callable[[NDArray[np.float32]], Floats] | None = None,
    ridge: float = 1e-4,
    level: float = 0.95,
) -> PolicyValue:
    """Estimate what a policy would bring from where the logged units began.

    Args:
        transitions: Logs of any policy.
        chances: n x a: what the policy to value would do in each situation.
        next_chances: n x a: and in the next.
        features: n x f observations to n x d numbers, in which the value of each action is linear;
            the observations with their squares, put on one scale, when None.
        ridge: Penalty on the squared weights, a transition.
        level: Coverage of the interval.

    Raises:
        TooLittleDataError: Fewer than 30 units.
    """
    unit = pd.factorize(transitions.unit)[0]
    units = int(unit.max()) + 1
    if units < _LEAST_UNITS:
        raise TooLittleDataError(f"{units} units in the logs: at least {_LEAST_UNITS} are needed")
    describe = features or _squares(transitions.observation)
    actions = transitions.mask.shape[1]
    here = describe(transitions.observation)
    taken = np.eye(actions)[transitions.action]
    now = _by_action(here, taken)
    then = _by_action(describe(transitions.next_observation), next_chances)
    then *= transitions.discount[:, None].astype(np.float64)
    system = now.T @ (now - then) + ridge * len(now) * np.eye(now.shape[1])
    weights = np.linalg.solve(system, now.T @ transitions.reward.astype(np.float64))
    begin = transitions.first
    start = _by_action(here[begin], chances[begin])
    values = start @ weights
    value = float(values.mean())
    residual = transitions.reward + then @ weights - now @ weights
    pull = now @ np.linalg.solve(system.T, start.mean(axis=0))
    influence = np.bincount(unit, weights=pull * residual, minlength=units)
    influence += np.bincount(unit[begin], weights=(values - value) / len(values), minlength=units)
    error = math.sqrt(float(influence @ influence) * units / (units - 1))
    half = float(norm.ppf(0.5 + level / 2.0)) * error
    rare = taken.mean(axis=0) < 0.001
    unlogged = float(chances[:, rare].sum() / len(chances))
    return PolicyValue(value, value - half, value + half, units, len(now), unlogged)


def _by_action(features: Floats, chances: Floats) -> Floats:
    """Return n x (d a): the features of each action, weighed by its chance."""
    crossed: Floats = (chances[:, :, None] * features[:, None, :]).reshape(len(features), -1)
    return crossed


def _squares(observation: NDArray[np.float32]) -> Callable[[NDArray[np.float32]], Floats]:
    mean = observation.mean(axis=0, dtype=np.float64)
    deviation = observation.std(axis=0, dtype=np.float64)
    deviation[deviation < 1e-6] = np.inf

    def describe(rows: NDArray[np.float32]) -> Floats:
        scaled = np.clip((rows - mean) / deviation, -4.0, 4.0)
        return np.column_stack([np.ones(len(scaled)), scaled, scaled**2])

    return describe
