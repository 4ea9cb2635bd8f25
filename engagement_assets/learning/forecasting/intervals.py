"""Intervals by conformal calibration on rolling origins.

Belongs here: half-widths by horizon and place in the season. Does not belong here: forecasts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engagement_assets.learning.forecasting.panel import Floats

# A weekday's own error counts like so many of all weekdays.
_PRIOR_ROWS = 4.0
LEAST_ORIGINS = 19


@dataclass(frozen=True)
class HalfWidths:
    """Half-widths of intervals, in units of a series' level.

    Attributes:
        width: s x h, of a usual place in the season.
        factor: s x p, of each place in the season.
    """

    width: Floats
    factor: Floats

    def at(self, phases: NDArray[np.int64]) -> Floats:
        """Return s x h half-widths of h times at these places in the season."""
        made: Floats = self.width * self.factor[:, phases]
        return made


def calibrate(
    scores: Floats,
    phases: NDArray[np.int64],
    usual: NDArray[np.bool_],
    *,
    season: int,
    level: float,
) -> HalfWidths:
    """Return half-widths that hold a share of the errors of past origins.

    Normalised split conformal prediction (Lei et al. 2018) by horizon: absolute errors are divided
    by what is usual for the place in the season, and their (n + 1)-corrected quantile multiplies
    it again. Errors of neighbouring origins are alike, so the share holds over many origins and
    not for each week.

    Args:
        scores: s x n x h absolute errors over the level.
        phases: n x h places in the season.
        usual: s x n x h, false on events, which have an uncertainty of their own.
        season: Places of a season.
        level: Share of the errors within.
    """
    masked = np.where(usual, scores, np.nan)
    s, _, h = scores.shape
    mean = np.nanmean(masked, axis=1, keepdims=True)
    relative = np.divide(masked, mean, out=np.ones_like(masked), where=mean > 0)
    relative = np.where(usual, relative, 0.0)
    factor = np.ones((s, season))
    for phase in range(season):
        # of all horizons: what is hard of a weekday is so from afar and from near
        on = (phases == phase)[None] & usual
        own = (relative * on).sum(axis=(1, 2)) / h
        rows = on.sum(axis=(1, 2)) / h
        factor[:, phase] = (own + _PRIOR_ROWS) / (rows + _PRIOR_ROWS)
    standard = masked / factor[:, phases]
    count = np.sum(usual, axis=1).min()
    place = min(np.ceil((count + 1) * level) / max(count, 1), 1.0)
    return HalfWidths(np.nanquantile(standard, place, axis=1, method="higher"), factor)
