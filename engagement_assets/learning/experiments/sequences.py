"""Intervals that hold at any look, however often one looks and whenever one stops.

The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas
(Time-uniform central limit theory and asymptotic confidence sequences, Annals of Statistics 52(6),
2024, equation 5): with an estimate of standard error s from n units,

    estimate ± s * sqrt(2 (n r + 1) / (n r) * log(sqrt(n r + 1) / alpha)),

where r = (-2 log alpha + log(1 - 2 log alpha)) / n* is chosen before looking so that it is narrow
near n* units. It is Robbins' normal mixture with the variance estimated. Valid where units come in
one after another and a unit's outcome, once counted, is final; it is asymptotic, so no look is
taken at fewer than `LEAST_UNITS` units of an arm.

Belongs here: the sequence and its p-value. Does not belong here: estimates (`estimates.py`).
"""

from __future__ import annotations

import math

# Units of an arm below which nothing is said, and units that have another value than most, of both
# arms: with fewer a mean is far from normal.
LEAST_UNITS = 100
LEAST_EVENTS = 20
# Units of both arms near which the sequence is narrowest; it widens slowly away from them.
TUNED_FOR = 1_000


def _intrinsic(n: int, tuned_for: float, alpha: float) -> float:
    """The term n r of the formula."""
    if n < 1 or not 0.0 < tuned_for < math.inf:
        raise ValueError(f"units must be at least 1, got {n} and tuned_for={tuned_for}")
    return n * (-2.0 * math.log(alpha) + math.log(1.0 - 2.0 * math.log(alpha))) / tuned_for


def sequence_factor(n: int, *, alpha: float = 0.05, tuned_for: float = TUNED_FOR) -> float:
    """Return how many standard errors the sequence reaches to each side after n units."""
    size = _intrinsic(n, tuned_for, alpha)
    return math.sqrt(2.0 * (size + 1.0) / size * math.log(math.sqrt(size + 1.0) / alpha))


def sequence_p_value(
    z: float, n: int, *, alpha: float = 0.05, tuned_for: float = TUNED_FOR
) -> float:
    """Return the least level at which the sequence leaves out zero, for an estimate of z errors.

    Args:
        z: The estimate over its standard error.
        n: Units behind it.
        alpha: The level that the sequence is tuned for.
        tuned_for: Units near which it is narrowest.
    """
    size = _intrinsic(n, tuned_for, alpha)
    log_p = 0.5 * math.log(size + 1.0) - 0.5 * z * z * size / (size + 1.0)
    return math.exp(min(0.0, log_p))
