"""Forecasts of totals and parts made to add up.

Belongs here: the projection. Does not belong here: forecasting.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engagement_assets.learning.forecasting.panel import Floats, Sums


def reconcile(
    forecasts: Floats,
    variances: Floats,
    *,
    names: Sequence[str],
    sums: Sums,
    signed: NDArray[np.bool_],
) -> Floats:
    """Return the forecasts nearest to these that add up.

    Least squares weighted by the series' error variances (Wickramasuriya, Athanasopoulos and
    Hyndman 2019, with the errors of series taken as uncorrelated): what is known badly moves most.

    Args:
        forecasts: s x … forecasts.
        variances: s error variances.
        names: Names of the s series.
        sums: Which of them are sums.
        signed: Which series may be below 0; where one of a family may, none of it is held.
    """
    place = {name: row for row, name in enumerate(names)}
    made = forecasts.copy()
    for total, breakdowns in sums.groups.items():
        rows = [place[total], *(place[part] for parts in breakdowns for part in parts)]
        constraint = np.zeros((len(breakdowns), len(rows)))
        constraint[:, 0] = 1.0
        start = 1
        for line, parts in enumerate(breakdowns):
            constraint[line, start : start + len(parts)] = -1.0
            start += len(parts)
        flat = made[rows].reshape(len(rows), -1)
        # a series without error still may move a little, or nothing could
        spread = np.maximum(variances[rows], 1e-9 * max(variances[rows].max(), 1e-300))
        moved = spread[:, None] * constraint.T
        flat = flat - moved @ np.linalg.solve(constraint @ moved, constraint @ flat)
        if not signed[rows].any():
            flat = np.maximum(flat, 0.0)
            start = 1
            for parts in breakdowns:
                part = flat[start : start + len(parts)]
                whole = part.sum(axis=0)
                share = np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), 1 / len(parts))
                flat[start : start + len(parts)] = share * flat[0]
                start += len(parts)
        made[rows] = flat.reshape(made[rows].shape)
    return made
