"""What an experiment could see, before and after it, and what a chosen winner overstates.

Belongs here: power, least detectable effects, the winner's curse. Does not belong here: estimates.
"""

from __future__ import annotations

import math

from scipy.optimize import brentq
from scipy.stats import norm

POWER = 0.8
ALPHA = 0.05


def least_detectable(
    standard_error: float, *, power: float = POWER, alpha: float = ALPHA, reach: float | None = None
) -> float:
    """Return the effect that is seen with a chance of `power`.

    Args:
        standard_error: Of the difference.
        power: The chance.
        alpha: Level of the two-sided test.
        reach: Standard errors that its interval reaches to each side, instead of those of one look
            that was planned.

    Raises:
        ValueError: Power or level do not lie between 0 and 1.
    """
    if not 0.0 < power < 1.0 or not 0.0 < alpha < 1.0:
        raise ValueError(f"power and alpha must lie between 0 and 1, got {power} and {alpha}")
    sides = float(norm.isf(alpha / 2.0)) if reach is None else reach
    return standard_error * (sides + float(norm.ppf(power)))


def standard_error_of(deviation: float, *, units: int, treated_share: float = 0.5) -> float:
    """Return the standard error of a difference between two arms that together have n units.

    Args:
        deviation: Standard deviation of the metric among units, after covariates if they are used.
        units: Units of both arms.
        treated_share: Share of them that is treated.

    Raises:
        ValueError: The share is not strictly between 0 and 1, there are no units, or the deviation
            is negative.
    """
    if not 0.0 < treated_share < 1.0 or units < 2 or not 0.0 <= deviation < math.inf:
        raise ValueError(
            "expected at least 2 units, a deviation of at least 0 and a treated share between 0 "
            f"and 1, got {units}, {deviation} and {treated_share}"
        )
    return deviation * math.sqrt(1.0 / (units * treated_share * (1.0 - treated_share)))


def power_of(effect: float, standard_error: float, *, alpha: float = ALPHA) -> float:
    """Return the chance that an effect is seen.

    Raises:
        ValueError: The standard error is no number greater than 0, or the effect is none.
    """
    if not 0.0 < standard_error < math.inf or math.isnan(effect):
        raise ValueError(
            f"standard_error must be greater than 0 and effect a number, got {standard_error} and "
            f"{effect}"
        )
    sides, z = float(norm.isf(alpha / 2.0)), effect / standard_error
    return float(norm.sf(sides - z) + norm.cdf(-sides - z))


def units_needed(
    effect: float,
    deviation: float,
    *,
    treated_share: float = 0.5,
    power: float = POWER,
    alpha: float = ALPHA,
) -> int:
    """Return how many units of both arms together an effect is seen with.

    Raises:
        ValueError: The effect is zero, or so near it that no number of units shows it; or a number
            is out of its range.
    """
    if not math.isfinite(effect) or abs(effect) <= 1e-100 * deviation:
        raise ValueError(f"an effect of {effect} is never seen: name the least one that matters")
    one = least_detectable(
        standard_error_of(deviation, units=2, treated_share=treated_share), power=power, alpha=alpha
    )
    return max(2, math.ceil(2.0 * (one / effect) ** 2))


def shrunk_winner(estimate: float, standard_error: float, *, reach: float) -> float:
    """Return the effect that is likeliest, given that one speaks of it since it passed a bar.

    An estimate that is reported since it lies beyond `reach` standard errors overstates: the
    winner's curse. This is the conditional maximum likelihood estimate of Zhong and Prentice
    (Bias-reduced estimators and confidence intervals for odds ratios in genome-wide association
    studies, Biostatistics 9(4), 2008, equation 4). Far beyond the bar it is the estimate itself.

    Raises:
        ValueError: The estimate did not pass the bar, or the standard error is not above 0.
    """
    if not standard_error > 0.0:
        raise ValueError(f"standard_error must be greater than 0, got {standard_error}")
    z = abs(estimate) / standard_error
    if not z >= reach:
        raise ValueError(f"the estimate lies {z:.2f} standard errors from 0, not beyond {reach:g}")

    def surplus(mean: float) -> float:
        """What the expectation of a z that passed the bar has over this one."""
        passed = norm.sf(reach - mean) + norm.cdf(-reach - mean)
        return float(mean + (norm.pdf(reach - mean) - norm.pdf(reach + mean)) / passed - z)

    if surplus(z) <= 0.0:
        return estimate
    likeliest = brentq(surplus, 0.0, z)
    return math.copysign(likeliest * standard_error, estimate)
