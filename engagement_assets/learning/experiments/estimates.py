"""The difference between two arms and its relative lift, with intervals.

A metric is a mean over units, or a ratio of two means over units, such as minutes a session. Both
are linearised at their means (the delta method; Deng, Knoblich and Lu, Applying the delta method in
metric analytics, KDD 2018): a unit's influence is (value - ratio * denominator) / mean denominator.
CUPED (Deng, Xu, Kohavi and Walker, Improving the sensitivity of online controlled experiments by
utilizing pre-experiment data, WSDM 2013) takes from it what covariates from before the assignment
predict, with the coefficients that make the difference's variance least, so that arms of unequal
size gain too. Degrees of freedom are Welch's.

Belongs here: estimates of two arms. Does not belong here: whether the arms may be compared
(`validity.py`), and many metrics at once (`analysis.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.experiments.sequences import (
    TUNED_FOR,
    sequence_factor,
    sequence_p_value,
)

# Units of both arms for each covariate below which none is used.
LEAST_UNITS_A_COVARIATE = 10
# Standard errors that the control's mean must lie from zero for a lift relative to it.
_AWAY_FROM_ZERO = 4.0
# Numbers beyond it overflow when they are squared.
_GREATEST = 1e100


@dataclass(frozen=True)
class Sample:
    """One arm's units.

    Attributes:
        values: n values, the numerators of a ratio.
        denominators: n denominators of a ratio, or None for a mean.
        covariates: n x k values from before the assignment, or None.
    """

    values: ArrayLike
    denominators: ArrayLike | None = None
    covariates: ArrayLike | None = None


@dataclass(frozen=True)
class Comparison:
    """A treatment compared with its control.

    Attributes:
        units: Units of control and treatment.
        control: The control's mean, or ratio, adjusted by the covariates.
        treatment: The treatment's.
        difference: Treatment less control, with the interval of one look that was planned.
        anytime: The same with the interval that holds at any look.
        relative: Treatment over control less one; None where the control's mean is not clearly
            away from zero.
        standard_error: Of the difference.
        p_value: Two-sided, of one look that was planned.
        anytime_p_value: The one that holds at any look.
        variance_reduction: Share of the difference's variance that the covariates took away.
    """

    units: tuple[int, int]
    control: float
    treatment: float
    difference: Interval
    anytime: Interval
    relative: Interval | None
    standard_error: float
    p_value: float
    anytime_p_value: float
    variance_reduction: float


@dataclass(frozen=True)
class _Arm:
    n: int
    ratio: float
    influence: Floats
    covariates: Floats


def compare(
    control: Sample,
    treatment: Sample,
    *,
    confidence: float = 0.95,
    tuned_for: float = TUNED_FOR,
) -> Comparison:
    """Compare two arms.

    Args:
        control: The control's units.
        treatment: The treatment's units.
        confidence: Level of all intervals.
        tuned_for: Units of both arms near which the interval of any look is narrowest.

    Raises:
        ValueError: Values are missing, not finite or too great to be squared, or lengths differ.
        TooLittleDataError: An arm has fewer than two units, a denominator is zero throughout, all
            units of both arms have one value, or the covariates give it exactly.
    """
    if not 0.5 < confidence < 1.0:
        raise ValueError(f"confidence must lie between 0.5 and 1, got {confidence}")
    alpha = 1.0 - confidence
    one, two = _arm(control, "control"), _arm(treatment, "treatment")
    if one.n + two.n < LEAST_UNITS_A_COVARIATE * one.covariates.shape[1]:
        # so few would be fitted, and the error with them would look too small
        one, two = (replace(arm, covariates=np.zeros((arm.n, 0))) for arm in (one, two))
    plain = _variance(two.influence) / two.n + _variance(one.influence) / one.n
    if plain <= 1e-24 * max(one.ratio**2, two.ratio**2):
        raise TooLittleDataError(
            "the metric has no variation: every unit of an arm has the same value, so no "
            "difference can be told from chance"
        )
    slopes = _slopes(one, two)
    both = one.n + two.n
    means = {arm is two: arm.covariates.mean(axis=0) for arm in (one, two)}
    overall = (one.n * means[False] + two.n * means[True]) / both
    base = float(one.ratio - (means[False] - overall) @ slopes)
    other = float(two.ratio - (means[True] - overall) @ slopes)
    # each arm's influence on the control's and on the treatment's adjusted mean
    spread = {arm is two: (arm.covariates - means[arm is two]) @ slopes for arm in (one, two)}
    on_base = {
        False: one.influence - (1.0 - one.n / both) * spread[False],
        True: two.n / both * spread[True],
    }
    on_other = {
        False: one.n / both * spread[False],
        True: two.influence - (1.0 - two.n / both) * spread[True],
    }
    error, freedom = _error(one, two, {arm: on_other[arm] - on_base[arm] for arm in on_base})
    if error**2 <= 1e-20 * plain:
        raise TooLittleDataError(
            "the covariates give the metric of every unit exactly, so no difference can be told "
            "from chance: leave out those that contain it"
        )
    difference = other - base
    z = difference / error
    reach = float(stdtrit(freedom, 1.0 - alpha / 2.0)) * error
    any_reach = sequence_factor(both, alpha=alpha, tuned_for=tuned_for) * error
    return Comparison(
        units=(one.n, two.n),
        control=base,
        treatment=other,
        difference=Interval(difference, difference - reach, difference + reach),
        anytime=Interval(difference, difference - any_reach, difference + any_reach),
        relative=_relative(one, two, (base, other), (on_base, on_other), alpha),
        standard_error=error,
        p_value=float(2.0 * stdtr(freedom, -abs(z))),
        anytime_p_value=sequence_p_value(z, both, alpha=alpha, tuned_for=tuned_for),
        variance_reduction=max(0.0, 1.0 - error**2 / plain),
    )


def _arm(sample: Sample, name: str) -> _Arm:
    values = np.asarray(sample.values, dtype=np.float64)
    n = len(values)
    if n < 2:
        raise TooLittleDataError(
            f"the {name} has {n} units: at least two are needed to see how much they vary"
        )
    per = _numbers(sample.denominators, n, name, default=1.0)[:, 0]
    covariates = _numbers(sample.covariates, n, name)
    if not (np.isfinite(values).all() and np.isfinite(per).all() and np.isfinite(covariates).all()):
        raise ValueError(
            f"the {name} has missing or infinite values: leave those units out, and say how many"
        )
    if max(np.abs(part).max(initial=0.0) for part in (values, per)) > _GREATEST:
        raise ValueError(f"the {name} has values beyond {_GREATEST:g}: give a greater unit")
    if per.mean() == 0.0:
        raise TooLittleDataError(f"the {name}'s denominators are zero throughout")
    ratio = float(values.mean() / per.mean())
    return _Arm(n, ratio, (values - ratio * per) / per.mean(), covariates)


def _numbers(given: ArrayLike | None, n: int, name: str, default: float | None = None) -> Floats:
    """The columns that are given, n rows."""
    if given is None:
        return np.zeros((n, 0)) if default is None else np.full((n, 1), default)
    columns = np.asarray(given, dtype=np.float64)
    columns = columns[:, None] if columns.ndim == 1 else columns
    if len(columns) != n:
        raise ValueError(f"the {name} has {n} values and {len(columns)} rows beside them")
    return columns


def _variance(values: Floats) -> float:
    return float(np.var(values, ddof=1))


def _slopes(one: _Arm, two: _Arm) -> Floats:
    """The covariates' coefficients that make the variance of the difference least."""
    inside = [(arm.covariates - arm.covariates.mean(axis=0)) / arm.n for arm in (one, two)]
    target = np.concatenate([arm.influence / arm.n for arm in (one, two)])
    slopes: Floats = np.linalg.lstsq(np.concatenate(inside), target, rcond=None)[0]
    return slopes


def _error(one: _Arm, two: _Arm, influence: dict[bool, Floats]) -> tuple[float, float]:
    """The standard error of a figure of both arms, and Welch's degrees of freedom."""
    parts = [_variance(influence[arm is two]) / arm.n for arm in (one, two)]
    total = sum(parts)
    shares = sum(part**2 / (arm.n - 1) for part, arm in zip(parts, (one, two), strict=True))
    return float(np.sqrt(total)), total**2 / shares if shares else float(one.n + two.n - 2)


def _relative(
    one: _Arm,
    two: _Arm,
    means: tuple[float, float],
    influences: tuple[dict[bool, Floats], dict[bool, Floats]],
    alpha: float,
) -> Interval | None:
    """The lift over the control's mean."""
    base, other = means
    on_base, on_other = influences
    base_error, _ = _error(one, two, on_base)
    if abs(base) <= _AWAY_FROM_ZERO * base_error or base == 0.0:
        return None
    lift = other / base - 1.0
    error, freedom = _error(
        one, two, {arm: (on_other[arm] - other / base * on_base[arm]) / base for arm in on_base}
    )
    reach = float(stdtrit(freedom, 1.0 - alpha / 2.0)) * error
    return Interval(lift, lift - reach, lift + reach)
