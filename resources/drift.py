"""How far a column of a table moved between two samples of its rows.

Belongs here: the population stability index and what chance gives. Does not belong here: which
columns and days are compared.

Text is compared by its values, null as one. Numbers are cut at the quantiles of the reference, and
a value that a tenth of the rows have, such as 0 where most have none, is a bin of its own. Such a
column is judged in parts: all bins; the other values among themselves; and, where few have one, how
many have one, relative to that share: else nobody paying any more would hide behind the many who
never did.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

# The usual reading: under 0.1 stable, 0.1 to 0.25 moved, above moved much (Siddiqi 2006).
PSI_LIMIT = 0.25
# Where fewer have another value than the usual one, the share that has one is judged by itself:
# its index through that share is under the limit from a third to double of it.
SPARSE = 0.1
SPARSE_LIMIT = 0.7
BINS = 10
# As near to a common value as this, of the median distance of the others, is that value.
NEAR = 0.02
_NULL = -1


@dataclass(frozen=True)
class Drift:
    """How far a distribution moved.

    Attributes:
        index: Population stability index; of a rare share, through that share.
        limit: `PSI_LIMIT` or `SPARSE_LIMIT`, or what chance alone gives on so few rows.
    """

    index: float
    limit: float

    @property
    def beyond(self) -> bool:
        """Whether the index is over its limit."""
        return self.index > self.limit


def psi(
    expected: Sequence[float], actual: Sequence[float], *, rows: tuple[int, int] | None = None
) -> float:
    """Population stability index of two sets of shares over the same bins.

    Args:
        expected: Shares of the reference, one a bin, summing to 1.
        actual: Shares now.
        rows: Rows behind the one and the other, where they may be few: an empty bin then counts as
            half a row, without which chance alone exceeds `psi_by_chance` by far.

    Returns:
        The sum of (actual - expected) · ln(actual / expected), each share at least 1e-4.
    """
    least = [max(1e-4, 0.5 / count) if count else 1e-4 for count in rows or (0, 0)]
    total = 0.0
    for before, now in zip(expected, actual, strict=True):
        e, a = max(before, least[0]), max(now, least[1])
        total += (a - e) * math.log(a / e)
    return total


def psi_by_chance(bins: int, reference: int, current: int, *, level: float = 0.01) -> float:
    """The index that two samples of one distribution exceed in a share `level` of cases.

    Under no drift the index is near a chi-squared variable with `bins` - 1 degrees of freedom
    times 1/n + 1/m (Yurdakul, Statistical properties of the population stability index, 2018);
    the quantile is Wilson and Hilferty's.
    """
    if bins < 2 or not reference or not current:
        return math.inf
    freedom = bins - 1
    spread = 2 / (9 * freedom)
    normal = NormalDist().inv_cdf(1 - level)
    quantile = freedom * (1 - spread + normal * math.sqrt(spread)) ** 3
    return quantile * (1 / reference + 1 / current)


def column_drift(
    reference: Any, current: Any, *, level: float = 0.01, weights: ArrayLike | None = None
) -> Drift:
    """Return the drift of a column, of the part that moved most for its limit.

    Args:
        reference: Values of n rows, an Arrow column or a Series.
        current: Values of m rows.
        level: Chance that a column is taken for drifted that is not, where rows are few.
        weights: m weights, where the current rows count differently.
    """
    import numpy as np  # noqa: PLC0415 - loads only when drift is measured
    import pandas as pd  # noqa: PLC0415 - loads only when drift is measured

    before, now = (
        pd.Series(v.to_pandas() if hasattr(v, "to_pandas") else v).reset_index(drop=True)
        for v in (reference, current)
    )
    weight = np.ones(len(now)) if weights is None else np.asarray(weights, dtype=np.float64)
    if pd.api.types.is_numeric_dtype(before):
        first, second = (np.asarray(v.astype("float64"), dtype=np.float64) for v in (before, now))
        parts = _numbers(first, second, weight, level)
    else:
        texts, texts_now = (
            v.astype(object).where(v.notna(), "∅").astype(str).to_numpy() for v in (before, now)
        )
        parts = [_drift(texts, texts_now, weight, level)]
    return max(parts, key=lambda drift: drift.index / drift.limit)


def _numbers(
    before: NDArray[np.float64], now: NDArray[np.float64], weight: NDArray[np.float64], level: float
) -> list[Drift]:
    """Return the drift of each part of a column of numbers."""
    import numpy as np  # noqa: PLC0415 - loads only when drift is measured

    known = before[~np.isnan(before)]
    values, counts = np.unique(known, return_counts=True)
    common = values[counts >= len(known) / BINS]
    before, now = (_snapped(v, common, before) for v in (before, now))
    rest, rest_now = (~np.isnan(v) & ~np.isin(v, common) for v in (before, now))
    inside = round(BINS * rest.sum() / max(1, len(known)))
    edges = _edges(before[rest], inside)
    parts = [_drift(_bins(before, common, edges), _bins(now, common, edges), weight, level)]
    if len(common) and rest.any():
        if rest_now.any():
            own = _edges(before[rest], BINS)
            others, others_now = (_bins(v, common[:0], own) for v in (before[rest], now[rest_now]))
            parts.append(_drift(others, others_now, weight[rest_now], level))
        share = float(rest.mean())
        if share < SPARSE:
            whether = _drift(rest, rest_now, weight, level)
            chance = psi_by_chance(2, len(before), len(now), level=level)
            parts.append(Drift(whether.index / share, max(SPARSE_LIMIT, chance / share)))
    return parts


def _snapped(
    values: NDArray[np.float64], common: NDArray[np.float64], reference: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Set what hardly differs from a common value to it.

    Such a value may be computed, as the score of all who are tied is, and move a little every day.
    """
    import numpy as np  # noqa: PLC0415 - loads only when drift is measured

    snapped = values.copy()
    for value in common:
        away = np.abs(reference - value)
        others = away[away > 0.0]
        if len(others):
            snapped[np.abs(values - value) <= NEAR * np.median(others)] = value
    return snapped


def _edges(values: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    import numpy as np  # noqa: PLC0415 - loads only when drift is measured

    if not len(values):
        return values
    edges: NDArray[np.float64] = np.unique(
        np.quantile(values, np.linspace(0, 1, max(bins, 1) + 1)[1:-1])
    )
    return edges


def _bins(
    values: NDArray[np.float64], common: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the bin of each value: between edges, of one common value, or of null."""
    import numpy as np  # noqa: PLC0415 - loads only when drift is measured

    bins: NDArray[np.int64] = np.searchsorted(edges, values, side="right")
    own = np.isin(values, common)
    bins[own] = _NULL - 1 - np.searchsorted(common, values[own])
    bins[np.isnan(values)] = _NULL
    return bins


def _drift(
    before: NDArray[Any], now: NDArray[Any], weight: NDArray[np.float64], level: float
) -> Drift:
    """Compare the labels of rows, where those of now count by their weight."""
    import numpy as np  # noqa: PLC0415 - loads only when drift is measured

    every, codes = np.unique(np.concatenate([before, now]), return_inverse=True)
    counts = (
        np.bincount(codes[: len(before)], minlength=len(every)),
        np.bincount(codes[len(before) :], weights=weight, minlength=len(every)),
    )
    expected, actual = ((c / max(float(c.sum()), 1.0)).tolist() for c in counts)
    rows = len(before), len(now)
    chance = psi_by_chance(len(every), len(before), len(now), level=level)
    return Drift(psi(expected, actual, rows=rows), max(PSI_LIMIT, chance))
