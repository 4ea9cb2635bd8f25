"""Level shifts: when a series moved to another level for good.

Belongs here: finding them. Does not belong here: what is done about one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from engagement_assets.learning.forecasting.panel import Floats
from engagement_assets.learning.json_data import JsonData

# Beyond this many of its usual deviations a change of level is no chance, over a year of days.
_DEVIATIONS = 5.0
_LEAST_CHANGE = 0.03


@dataclass(frozen=True)
class LevelShift(JsonData):
    """A change of level.

    Attributes:
        at: First time of the new level, as ISO text; it may be a few steps off.
        change: Relative change.
        deviations: Its size in usual deviations of such changes.
    """

    at: str
    change: float
    deviations: float


def level_shifts(values: Floats, times: pd.DatetimeIndex, *, season: int) -> list[LevelShift]:
    """Return the level shifts of a series, in order of time.

    The mean of two seasons after each time is held against that of two before; what such a change
    usually is, the median over all times says, which a few shifts do not move. A shift is seen two
    seasons after it came. A trend of some percent a month is none.

    Args:
        values: t values, without holidays.
        times: Their times.
        season: Steps of a season.
    """
    width = 2 * season
    if len(values) < 6 * width or not np.any(values):
        return []
    sums = np.concatenate([[0.0], np.cumsum(values)])
    mean = (sums[width:] - sums[:-width]) / width
    before, after = mean[:-width], mean[width:]
    # after[k] begins where before[k] ends, at time k + width
    change = (after - before) / np.maximum(np.abs(before), 1e-12 + 1e-3 * np.abs(values).mean())
    centre = float(np.median(change))
    usual = 1.4826 * float(np.median(np.abs(change - centre)))
    if usual == 0.0:
        return []
    size = np.abs(change - centre) / usual
    shifts = []
    while size.max() > _DEVIATIONS:
        place = int(size.argmax())
        if abs(change[place]) >= _LEAST_CHANGE:
            at = times[place + width].isoformat()
            shifts.append(LevelShift(at, float(change[place]), float(size[place])))
        size[max(place - width, 0) : place + width + 1] = 0.0
    return sorted(shifts, key=lambda shift: shift.at)
