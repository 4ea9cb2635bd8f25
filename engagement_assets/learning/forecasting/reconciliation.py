"""Forecasts of totals and parts made to add up.

Belongs here: how totals and parts give way to each other. Does not belong here: forecasting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engagement_assets.learning.forecasting.panel import Floats, Sums

# Two breakdowns' gaps are nearly alike; so much of their size keeps their coefficients apart.
_RIDGE = 0.1


@dataclass(frozen=True)
class Balance:
    """How totals and parts give way to each other.

    A total gives way to its parts by the regression of its past errors on the gaps between it and
    their sum: the minimum-trace reconciliation of the total (Wickramasuriya, Athanasopoulos and
    Hyndman 2019) from the few covariances that matter for it, which some hundred origins can tell.
    The coefficients are shrunk by 1 / F, the share of what they explain that chance would (James
    and Stein 1961), each origin counted as one error since its steps are errors of the same days.
    What is left of a gap its parts take, the one that is known worst the most.

    Attributes:
        variances: s error variances.
        answer: By total, how much of each breakdown's gap it takes.
    """

    variances: Floats
    answer: Mapping[str, Floats]

    @classmethod
    def of(cls, errors: Floats, *, names: Sequence[str], sums: Sums) -> Balance:
        """Learn from s x n x h past errors; of none, totals hold and parts take all."""
        if not errors.shape[1]:
            held = {total: np.zeros(len(parts)) for total, parts in sums.groups.items()}
            return cls(np.ones(len(names)), held)
        place = {name: row for row, name in enumerate(names)}
        answer = {}
        for total, breakdowns in sums.groups.items():
            whole = errors[place[total]].ravel()
            gaps = np.stack([whole - _sum(errors, place, parts).ravel() for parts in breakdowns])
            answer[total] = _believed(whole, gaps, origins=errors.shape[1])
        return cls(np.square(errors).mean(axis=(1, 2)), answer)

    def reconcile(
        self, forecasts: Floats, *, names: Sequence[str], sums: Sums, signed: NDArray[np.bool_]
    ) -> Floats:
        """Return forecasts that add up.

        Args:
            forecasts: s x … forecasts.
            names: Names of the s series.
            sums: Which of them are sums.
            signed: Which series may be below 0; where one of a family may, none of it is held.
        """
        place = {name: row for row, name in enumerate(names)}
        made = forecasts.copy()
        for total, breakdowns in sums.groups.items():
            whole = made[place[total]]
            gaps = [whole - _sum(made, place, parts) for parts in breakdowns]
            moved = whole - np.tensordot(self.answer[total], np.stack(gaps), axes=1)
            rows = [place[total], *(place[part] for parts in breakdowns for part in parts)]
            held = not signed[rows].any()
            made[place[total]] = np.maximum(moved, 0.0) if held else moved
            for parts in breakdowns:
                where = [place[part] for part in parts]
                spread = self.variances[where]
                made[where] = _shared(made[where], made[place[total]], spread, held=held)
        return made

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data."""
        answer = {total: values.tolist() for total, values in self.answer.items()}
        return {"variances": self.variances.tolist(), "answer": answer}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Balance:
        """Read what `to_dict` gave."""
        answer = {total: np.array(values) for total, values in data["answer"].items()}
        return cls(np.array(data["variances"]), answer)


def _sum(values: Floats, place: Mapping[str, int], parts: Sequence[str]) -> Floats:
    made: Floats = values[[place[part] for part in parts]].sum(axis=0)
    return made


def _believed(whole: Floats, gaps: Floats, *, origins: int) -> Floats:
    """Return how much of each gap a total takes: the regression's coefficients, shrunk."""
    count = len(gaps)
    square = gaps @ gaps.T
    ridge = _RIDGE * np.trace(square) / count
    if ridge <= 0.0:
        return np.zeros(count)
    slope: Floats = np.linalg.solve(square + ridge * np.eye(count), gaps @ whole)
    rest = float(np.square(whole - slope @ gaps).sum())
    explained = max(float(whole @ whole) - rest, 0.0)
    by_chance = count * rest / max(origins - count, 1)
    return slope * max(1.0 - by_chance / explained, 0.0) if explained > 0.0 else 0.0 * slope


def _shared(parts: Floats, total: Floats, variances: Floats, *, held: bool) -> Floats:
    """Return parts that add up to a total, none below 0 where they are held."""
    left = total - parts.sum(axis=0)
    spread = variances if variances.sum() > 0 else np.ones(len(parts))
    share = (spread / spread.sum()).reshape(-1, *[1] * (parts.ndim - 1))
    made: Floats = parts + share * left
    if held:
        made = np.maximum(made, 0.0)
        whole = made.sum(axis=0)
        even = np.full(made.shape, 1.0 / len(parts))
        made = total * np.divide(made, whole, out=even, where=whole > 0)
    return made
