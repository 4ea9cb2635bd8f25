"""Forecast by a regression of each step ahead on the last steps, the season and the year.

Belongs here: the harmonic regression. Does not belong here: the other methods (`methods.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.forecasting.methods import History
from engagement_assets.learning.forecasting.panel import Floats

# Seasons whose mean is the level that changes are measured from, and those that are inputs.
_LEVEL, _LAGS = 4, 2
_YEAR = pd.Timedelta(days=365.25)


@dataclass(frozen=True)
class HarmonicRegression:
    """A ridge regression a horizon (the direct method), fitted on what was known at each origin.

    What is learnt is the distance from the mean of the last four seasons. Inputs are the last two
    seasons, the mean of the same place in the last four, the place itself, and, once two years
    are known, sines and cosines of the year and what was so far ahead a year before.

    Attributes:
        refit: Origins after which it is fitted anew.
        harmonics: Pairs of sine and cosine of the year.
        penalty: Of squared coefficients of standardised inputs, as a share of the rows.
    """

    YEARS: ClassVar[int] = 2

    name: str = "harmonic regression"
    must_earn: bool = False
    everywhere: bool = True
    refit: int = 28
    harmonics: int = 6
    penalty: float = 0.1

    def forecast(
        self,
        history: History,
        rows: Sequence[int],
        origins: Sequence[int],
        *,
        fit_until: int,
    ) -> Floats:
        """Return its forecasts; see `Method`.

        Raises:
            TooLittleDataError: There are fewer than eight seasons to learn from.
        """
        made = np.empty((len(rows), len(origins), history.horizon))
        if fit_until < 2 * _LEVEL * history.season:
            raise TooLittleDataError(
                f"the regression looks at {_LEVEL} seasons and learns from as many at least; "
                f"{fit_until} times are too few"
            )
        for start in range(0, len(origins), self.refit):
            block = np.asarray(origins[start : start + self.refit])
            until = fit_until if start == 0 else int(block[0]) + 1
            for place, row in enumerate(rows):
                for h in range(history.horizon):
                    made[place, start : start + len(block), h] = self._ahead(
                        history, history.usual[row], h + 1, until, block
                    )
        return made

    def _ahead(
        self, history: History, values: Floats, h: int, until: int, origins: NDArray[np.int64]
    ) -> Floats:
        """Return the values h steps after some origins, of what the first times teach."""
        known = np.arange(_LEVEL * history.season - 1, until - h)
        with_year = until >= self.YEARS * _year(history)
        inputs, level = self._inputs(history, values, h, known, with_year=with_year)
        goal = values[known + h] - level
        centre, spread = inputs.mean(axis=0), inputs.std(axis=0)
        scaled = (inputs - centre) / np.where(spread > 0, spread, 1.0)
        square = scaled.T @ scaled + self.penalty * len(known) * np.eye(scaled.shape[1])
        slope = np.linalg.solve(square, scaled.T @ (goal - goal.mean()))
        new, level = self._inputs(history, values, h, origins, with_year=with_year)
        ahead: Floats = (
            level + goal.mean() + (new - centre) / np.where(spread > 0, spread, 1.0) @ slope
        )
        return ahead

    def _inputs(
        self, history: History, values: Floats, h: int, at: NDArray[np.int64], *, with_year: bool
    ) -> tuple[Floats, Floats]:
        """Return n x f inputs of n origins, and the level at each."""
        season = history.season
        last = values[at[:, None] - np.arange(_LEVEL * season)]
        level = last.mean(axis=1)
        # how long before the origin the same place of the season was
        back = -h % season + season * np.arange(_LEVEL)
        parts = [
            last[:, : _LAGS * season] - level[:, None],
            last[:, back].mean(axis=1, keepdims=True) - level[:, None],
            np.eye(season)[history.phases[at + h]],
        ]
        if with_year:
            year = _year(history)
            angle = 2.0 * np.pi * np.outer(at + h, np.arange(1, self.harmonics + 1)) / year
            parts += [np.sin(angle), np.cos(angle)]
            # whole seasons before, so that it was the same place; 0 where that is not known
            ago = at - season * round(year / season)
            there = ago >= _LEVEL * season - 1
            past = values[np.where(there, ago, 0) + h]
            sums = np.concatenate([[0.0], np.cumsum(values)])
            width = _LEVEL * season
            before = np.where(there, ago + 1, width)
            change = past - (sums[before] - sums[before - width]) / width
            parts.append(np.where(there, change, 0.0)[:, None])
        return np.hstack(parts), level


def _year(history: History) -> float:
    """How many steps a year has."""
    times = history.panel.times
    return float(_YEAR / (times[1] - times[0]))
