"""What the calendar does to use: a holiday that moves, a level shift, and locations that differ.

Belongs here: factors of use by day, and by day and location. Does not belong here: the week, the
year and the holidays with fixed dates, which every world has (`life.py`).
"""

import math
from datetime import date, timedelta

import numpy as np

from engagement_assets.source.simulator import parameters as p
from engagement_assets.source.simulator.population import Population

# Use on the days of a feast that comes once in twelve moons, and on one of its first days.
_FEAST = (0.88, 0.84, 0.90)
_FEAST_ON = date(2024, 4, 10)
_TWELVE_MOONS_DAYS = 354.367
# From this part of the range on use is higher for good, as after a release that pleased.
SHIFT_AT, _SHIFT = 0.45, 1.08
# Growth a year, and how high and when in the year the season peaks, by location.
_GROWTH = np.array([0.0, 0.03, 0.10, -0.02, 0.01, -0.04, 0.06, 0.04, 0.12, 0.14, 0.02, 0.0])
_HEIGHT = np.array([2, 3, 4, 2, 6, 3, 5, 4, 2, 3, 4, 7]) / 100
_PEAK_DAY = np.array([15, 30, 190, 20, 10, 200, 25, 80, 180, 140, 40, 195])


class Seasons:
    """The calendar of a world; by location it is an `Influence`."""

    def __init__(self, population: Population, first_day: date) -> None:
        self._population = population
        self._first_day = first_day
        self._shift_day = p.LEAD_DAYS + round(SHIFT_AT * population.days)

    def common(self, day: int, when: date) -> float:
        """Factor of use of a day for everybody."""
        into = int((when - _FEAST_ON).days % _TWELVE_MOONS_DAYS)
        feast = _FEAST[into] if into < len(_FEAST) else 1.0
        return feast * (_SHIFT if day >= self._shift_day else 1.0)

    def factor(self, known: int, day: int) -> np.ndarray | None:
        """Factor of use of a day by location; see `Influence`."""
        when = self._first_day + timedelta(days=day - p.LEAD_DAYS)
        angle = 2.0 * math.pi * (when.timetuple().tm_yday - _PEAK_DAY) / 365.25
        growth = _GROWTH * (day - p.LEAD_DAYS) / 365.25
        by_location = np.exp(growth) * (1.0 + _HEIGHT * np.cos(angle))
        factors: np.ndarray = by_location[
            self._population.location[: self._population.count(known)]
        ]
        return factors
