"""Whether a gap between a group and the others may be chance, and which gap could have been seen.

Belongs here: the tests of one gap, their correction over a report, their power. Does not belong
here: which gaps are tested and what follows (`report`).

A group is tested against all other people together, never against the group that happens to
be highest: that group is chosen by looking, and a test that ignores the choice refuses fair models
too often (with twelve equal groups about three times as often as it says). Holm's correction
(Scandinavian Journal of Statistics 6, 1979) over all tests of a report bounds the chance that a
report of a fair model holds any finding, whatever the dependence between its tests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import fisher_exact, norm
from scipy.stats import t as student

from engagement_assets.learning.evaluation.binary import Floats

FOUR_FIFTHS = 0.8
POWER = 0.8
_ROUNDING = 1e-9
# A permutation test is dear: it is made only where Welch's test is below this.
_CLEAR = 0.05
_PERMUTATIONS, _AT_ONCE = 10_000, 100


@dataclass(frozen=True)
class Gap:
    """A group compared with all other people.

    Attributes:
        lower: Whether the group has less than the others.
        ratio: The lower of the two means over the higher.
        p_value: Two-sided p-value of the gap, not corrected.
        truth_p_value: P-value of the gap beyond that of the truth; 0 where no truth is known.
        standard_error: Standard error of the group's ratio to the others, were they equal.
        null_ratio: The ratio that the test asks to be passed: 1, or four fifths.
        due: The ratio that the truth gives, up to 1; None where no truth is known.
    """

    lower: bool
    ratio: float
    p_value: float
    truth_p_value: float
    standard_error: float
    null_ratio: float = 1.0
    due: float | None = None

    def least_detectable(self, *, alpha: float, tests: int, harm: bool = False) -> float | None:
        """Return the ratio to the others that is seen with 80 % power, or None if none is.

        A finding needs a ratio under four fifths and significance at `alpha / tests`, Holm's first
        step, both of which a group at this ratio reaches in four of five samples. Of a harm it is
        the others' ratio to a group that has more.
        """
        if not math.isfinite(self.standard_error):
            return None
        power = float(norm.ppf(POWER))
        critical = float(norm.isf(alpha / (2.0 * tests)))
        if harm:
            return 1.0 / max(
                1.0 + (critical + power) * self.standard_error,
                1.0 / FOUR_FIFTHS + power * self.standard_error,
            )
        ratio = min(
            self.null_ratio - (critical + power) * self.standard_error,
            FOUR_FIFTHS - power * self.standard_error,
        )
        return ratio if ratio > 0.0 else None


def equality(
    one: Floats, other: Floats, *, merit: tuple[Floats, Floats] | None = None
) -> Gap | None:
    """Test whether a group has as much as the others, and as much as its merit gives.

    Args:
        one: Values of the group's people.
        other: Values of the others.
        merit: What the truth gives the same people, group and others.

    Returns:
        The gap; None where there is nothing to compare.
    """
    if min(len(one), len(other)) < 2 or (other.mean() <= 0.0 and one.mean() <= 0.0):
        return None
    lower = bool(one.mean() < other.mean())
    means = sorted([float(one.mean()), float(other.mean())])
    whole = np.concatenate([one, other])
    error = math.sqrt(whole.var(ddof=1) * (1.0 / len(one) + 1.0 / len(other)))
    reference = float(other.mean())
    return Gap(
        lower=lower,
        ratio=means[0] / means[1],
        p_value=_different_means(one, other),
        truth_p_value=0.0 if merit is None else _beyond_merit(one, other, *merit, lower=lower),
        standard_error=error / reference if reference > 0.0 else math.nan,
        due=None if merit is None else _due(*merit, lower=lower),
    )


def calibration(
    predicted: Floats, true: Floats, others_predicted: Floats, others_true: Floats
) -> Gap | None:
    """Test whether a group's predictions to truth lie beyond four fifths of the others' ratio.

    Returns:
        The gap; None where a ratio is not known.
    """
    if min(len(true), len(others_true)) < 2 or min(true.mean(), others_true.mean()) <= 0.0:
        return None
    due = float(others_predicted.mean() / others_true.mean())
    ratio = float(predicted.mean() / true.mean()) / due
    lower = ratio < 1.0
    margin = FOUR_FIFTHS if lower else 1.0 / FOUR_FIFTHS
    score, error = _residual(
        predicted, true, others_predicted, others_true, due=margin * due, margin=margin
    )
    beyond = norm.sf(-score if lower else score)
    return Gap(
        lower=lower,
        ratio=min(ratio, 1.0 / ratio) if ratio > 0.0 else 0.0,
        p_value=float(min(1.0, 2.0 * beyond)),
        truth_p_value=0.0,
        standard_error=error / float(due * true.mean()),
        null_ratio=FOUR_FIFTHS,
    )


def _due(merit: Floats, others_merit: Floats, *, lower: bool) -> float:
    """The ratio of the lower to the higher that the merits give, up to 1; 1 where none has any."""
    own, theirs = float(merit.mean()), float(others_merit.mean())
    less, more = (own, theirs) if lower else (theirs, own)
    return min(1.0, less / more) if more > 0.0 else 1.0


def _beyond_merit(
    one: Floats, other: Floats, merit: Floats, others_merit: Floats, *, lower: bool
) -> float:
    """Two-sided p-value of a group having less (or more) by merit than the others have."""
    if others_merit.mean() <= 0.0:
        return 0.0
    due = float(other.mean() / others_merit.mean())
    score, _ = _residual(one, merit, other, others_merit, due=due, margin=1.0)
    return float(min(1.0, 2.0 * norm.sf(-score if lower else score)))


def _residual(
    values: Floats,
    merit: Floats,
    others: Floats,
    others_merit: Floats,
    *,
    due: float,
    margin: float,
) -> tuple[float, float]:
    """Mean of what a group has beyond what is due, over its standard error; and that error.

    `due` is estimated from the others, whose error is carried over by the delta method.
    """
    own = values - due * merit
    theirs = others - due / margin * others_merit
    carried = margin * float(merit.mean() / others_merit.mean())
    error = math.sqrt(own.var(ddof=1) / len(own) + carried**2 * theirs.var(ddof=1) / len(theirs))
    gap = float(own.mean())
    if error <= _ROUNDING:
        return (0.0 if abs(gap) <= _ROUNDING else math.copysign(math.inf, gap)), error
    return gap / error, error


def _different_means(one: Floats, other: Floats) -> float:
    if ((one == 0) | (one == 1)).all() and ((other == 0) | (other == 1)).all():
        return _two_proportions(one.sum(), len(one), other.sum(), len(other))
    return _by_chance(one, other)


def _two_proportions(hits: float, size: float, other_hits: float, other_size: float) -> float:
    """Two-sided p-value: pooled z, or Fisher's exact test where a cell expects under five."""
    pooled = (hits + other_hits) / (size + other_size)
    if pooled in (0.0, 1.0):
        return 1.0
    if min(size, other_size) * min(pooled, 1.0 - pooled) < 5.0:
        table = [[hits, size - hits], [other_hits, other_size - other_hits]]
        return float(fisher_exact(np.array(table, dtype=np.int64)).pvalue)
    error = math.sqrt(pooled * (1.0 - pooled) * (1.0 / size + 1.0 / other_size))
    return float(2.0 * norm.sf(abs(hits / size - other_hits / other_size) / error))


def _by_chance(one: Floats, other: Floats) -> float:
    """P-value of the difference of two means: the greater of Welch's and a permutation test's.

    Exposure is heavy-tailed: a few authors get most of it. A small group that happens to have none
    of them varies little, and Welch's test, which goes by its own variance, is too sure.
    """
    p_value = _welch(one, other)
    if p_value >= _CLEAR:
        return p_value
    pooled, size = np.concatenate([one, other]), min(len(one), len(other))
    rng = np.random.default_rng(0)
    gap, total = abs(float(one.mean() - other.mean())), float(pooled.sum())
    as_far, drawn = 1, 1
    for _ in range(0, _PERMUTATIONS, _AT_ONCE):
        keys = rng.random((_AT_ONCE, len(pooled)), dtype=np.float32)
        chosen = np.argpartition(keys, size - 1, axis=1)[:, :size]
        sums = pooled[chosen].sum(axis=1)
        gaps = np.abs(sums / size - (total - sums) / (len(pooled) - size))
        as_far += int((gaps >= gap * (1.0 - _ROUNDING)).sum())
        drawn += _AT_ONCE
        # far from the level that any correction asks for: more draws would change nothing
        if as_far > _AT_ONCE:
            break
    return max(p_value, as_far / drawn)


def _welch(one: Floats, other: Floats) -> float:
    """Two-sided p-value of Welch's test; where nothing varies, 1 for equal means and else 0."""
    gap = float(one.mean() - other.mean())
    parts = np.array([values.var(ddof=1) / len(values) for values in (one, other)])
    if parts.sum() <= (_ROUNDING * max(abs(one.mean()), abs(other.mean()))) ** 2:
        return 1.0 if abs(gap) <= _ROUNDING * abs(float(other.mean())) else 0.0
    freedom = parts.sum() ** 2 / (parts**2 / np.array([len(one) - 1, len(other) - 1])).sum()
    return float(2.0 * student.sf(abs(gap) / math.sqrt(parts.sum()), freedom))
