"""Attack a federation: rebuild a row from an update, and tell who took part.

Belongs here: the attacks and what they prove. Does not belong here: defences.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engagement_assets.learning.federated.net import Vector, VectorNet
from engagement_assets.learning.json_data import JsonData


def invert_update(net: VectorNet, update: Vector) -> NDArray[np.float64]:
    """Return the d inputs that an update of one row points to.

    The gradient of a first layer's unit is its error times the inputs, that of its bias the error
    alone (Geiping et al., NeurIPS 2020, proposition 3.1), so their quotient is the row: exact for
    logistic regression and for one step of any net.
    """
    names = list(net.shapes)
    weight, bias = names[0], names[1]
    parts = dict(zip(names, np.split(update, np.cumsum(net.sizes)[:-1]), strict=True))
    layer = parts[weight].reshape(net.shapes[weight])
    unit = int(np.abs(parts[bias]).argmax())
    if parts[bias][unit] == 0.0:
        return np.full(layer.shape[1], np.nan)
    inputs: NDArray[np.float64] = layer[unit] / parts[bias][unit]
    return inputs


@dataclass(frozen=True)
class Audit(JsonData):
    """How well an attacker tells trainings with a canary from those without.

    Args:
        epsilon: Lower bound that the attack proves, with the stated confidence; 0 for nothing.
        auc: How well its scores rank the two.
        trials: Trainings of each kind whose scores were judged.
        confidence: Of the bound.
    """

    epsilon: float
    auc: float
    trials: int
    confidence: float


def audit(
    score: Callable[[bool, int], float],
    *,
    trials: int,
    delta: float,
    confidence: float = 0.95,
    seed: int = 0,
) -> Audit:
    """Bound epsilon from below by trainings with and without a canary.

    Half of the trainings choose the threshold; on the other half the rates of true and false
    alarms have Clopper-Pearson bounds, and epsilon is at least log((TPR - delta) / FPR), or the
    same of the other side (Jagielski et al., NeurIPS 2020).

    Args:
        score: Trains with the canary or without it, with a seed, and returns the attacker's score:
            higher where it believes that the canary took part.
        trials: Trainings of each kind.
        delta: Of the claim.
        confidence: Of the bound.
        seed: Of the trainings.
    """
    rng = np.random.default_rng(seed)
    seeds = rng.integers(2**31, size=(2, trials))
    present = np.array([score(True, int(number)) for number in seeds[0]])
    absent = np.array([score(False, int(number)) for number in seeds[1]])
    half = trials // 2
    thresholds = np.unique(np.concatenate([present[:half], absent[:half]]))
    best = max(
        thresholds,
        key=lambda t: _epsilon(present[:half] >= t, absent[:half] >= t, delta, confidence),
    )
    judged = (present[half:] >= best, absent[half:] >= best)
    above = (present[half:, None] > absent[None, half:]).mean()
    equal = (present[half:, None] == absent[None, half:]).mean()
    return Audit(
        _epsilon(*judged, delta, confidence), float(above + equal / 2), trials - half, confidence
    )


def _epsilon(
    alarms_with: NDArray[np.bool_],
    alarms_without: NDArray[np.bool_],
    delta: float,
    confidence: float,
) -> float:
    """Return the greater of both sides' bounds, each at half the error."""
    error = (1.0 - confidence) / 4.0
    sides = (
        (alarms_with.sum(), alarms_without.sum()),
        ((~alarms_without).sum(), (~alarms_with).sum()),
    )
    n = len(alarms_with)
    bounds = [0.0]
    for true, false in sides:
        low = _beta(error, true, n - true + 1) if true else 0.0
        high = _beta(1.0 - error, false + 1, n - false) if false < n else 1.0
        if low > delta:
            bounds.append(math.log((low - delta) / high))
    return max(bounds)


def _beta(share: float, a: float, b: float) -> float:
    from scipy.stats import beta  # noqa: PLC0415 - scipy.stats takes a second to load

    return float(beta.ppf(share, a, b))
