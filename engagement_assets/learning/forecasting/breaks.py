"""Level shifts: when a series moved to another level for good.

Belongs here: detecting them. Does not belong here: what is done about one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import toeplitz
from scipy.signal import oaconvolve

from engagement_assets.learning.forecasting.panel import Floats
from engagement_assets.learning.json_data import JsonData

# Share of series without a shift for which one is reported.
FALSE_ALARMS = 0.01
_LEAST_CHANGE = 0.03
# Seasons before and after a time that are compared, the first of which a series has thrice as
# many; and how few after a time are enough at its end.
_WIDTHS, _LEAST_AFTER = (8, 4), 2
_SIMULATED, _SEED = 1_000, 0
_PERSISTENCE = np.round(np.arange(0.0, 0.96, 0.05), 2)


@dataclass(frozen=True)
class LevelShift(JsonData):
    """A change of level.

    Attributes:
        at: First time of the new level, as ISO text; it may be a few steps off.
        change: Relative change.
        deviations: Its size in standard errors of such a change.
    """

    at: str
    change: float
    deviations: float


@dataclass(frozen=True)
class _Shape:
    """How long a series is, its season, and the seasons that are compared."""

    count: int
    season: int
    width: int

    @property
    def half(self) -> int:
        return self.width * self.season

    @property
    def afters(self) -> range:
        """Seasons after a time: of most times all, of the latest ever fewer."""
        return range(self.width, _LEAST_AFTER - 1, -1)


def level_shifts(
    values: Floats, times: pd.DatetimeIndex, *, season: int, false_alarms: float = FALSE_ALARMS
) -> list[LevelShift]:
    """Return the level shifts of a series, in order of time.

    At each time a step is estimated beside a straight trend and the season, by least squares over
    eight seasons before and after it (four in short series; at the end of a series two are enough
    after): the slow course of a year is no step. The greatest is held against the greatest in
    simulated series without a shift whose noise has the same persistence (first-order
    autoregressive; estimated with the step taken out, which else looks like persistence). Where it
    passes it is taken out, and the next looked at. A shift is seen two seasons after it came.

    Args:
        values: t values, without holidays.
        times: Their times.
        season: Steps of a season.
        false_alarms: Share of series without a shift for which one is returned.
    """
    count = len(values)
    enough = [width for width in _WIDTHS if count >= 3 * width * season]
    if not enough or not np.any(values):
        return []
    shape = _Shape(count, season, enough[0])
    half = shape.half
    window = np.ones(2 * half + 1)
    size = np.convolve(np.abs(values), window, mode="same")
    level = size / np.convolve(np.ones(count), window, mode="same")
    level = np.maximum(level, 1e-3 * np.abs(values).mean())
    left, shifts = values[None].astype(np.float64), []
    # more would be a series of nothing but shifts
    for _ in range(count // half):
        place, step, residual = _greatest(left, level, shape)
        spread = float(_deviations(residual)[0])
        if spread == 0.0:
            break
        persistence = _persistence(residual[0], shape)
        error = spread * _errors(shape, persistence)[place[0] - half]
        change = float(step[0] / level[place[0]])
        if abs(change) <= error * _threshold(shape, persistence, false_alarms):
            break
        left[0, place[0] :] -= step[0]
        if abs(change) >= _LEAST_CHANGE:
            at = times[int(place[0])].isoformat()
            shifts.append(LevelShift(at, change, abs(change) / float(error)))
    return sorted(shifts, key=lambda shift: shift.at)


def _greatest(
    values: Floats, level: Floats, shape: _Shape
) -> tuple[NDArray[np.intp], Floats, Floats]:
    """Return place and size of each series' greatest step, and relative residuals without it."""
    half, count, season = shape.half, shape.count, shape.season
    steps = [_applied(_step(shape, shape.afters[0]), values)]
    for after in shape.afters[1:]:
        weights = _step(shape, after)
        # of these only the last season's times have no more after them
        steps.append(_applied(weights, values[:, 1 - season - len(weights) :]))
    every = np.hstack(steps)
    relative = np.abs(every) / (level[half : half + every.shape[1]] * _errors(shape, 0.0))
    at = relative.argmax(axis=1)
    step: Floats = np.take_along_axis(every, at[:, None], axis=1)[:, 0]
    place = at + half
    without = values - step[:, None] * (np.arange(count) >= place[:, None])
    residual = _applied(_rest(shape), without) / level[half : count - half]
    return place, step, residual


def _applied(weights: Floats, values: Floats) -> Floats:
    made: Floats = oaconvolve(values, weights[None, ::-1], mode="valid", axes=1)
    return made


def _design(before: int, after: int, season: int) -> Floats:
    """Return a straight trend and the season over some times, n x (season + 1)."""
    at = np.arange(-before, after)
    return np.column_stack([at / (before + after), np.eye(season)[at % season]])


@lru_cache
def _step(shape: _Shape, after: int) -> Floats:
    """Return the weights of the values around a time that estimate a step at it."""
    before, until = shape.half, after * shape.season
    step = (np.arange(-before, until) >= 0).astype(np.float64)
    design = np.column_stack([_design(before, until, shape.season), step])
    made: Floats = np.linalg.pinv(design)[-1]
    return made


@lru_cache
def _rest(shape: _Shape) -> Floats:
    """Return the weights of the values around a time that give its distance from a smooth one."""
    half = shape.half
    design = _design(half, half + 1, shape.season)
    made: Floats = np.eye(2 * half + 1)[half] - design[half] @ np.linalg.pinv(design)
    return made


def _deviations(residuals: Floats) -> Floats:
    """Return the deviation of each series, from the median, which single days do not move."""
    middle = residuals - np.median(residuals, axis=1, keepdims=True)
    made: Floats = 1.4826 * np.median(np.abs(middle), axis=1)
    return made


def _covariances(persistence: float, length: int) -> Floats:
    """Return the covariances of autoregressive noise of variance 1."""
    made: Floats = toeplitz(persistence ** np.arange(length))
    return made


@lru_cache
def _autocorrelations(shape: _Shape) -> Floats:
    """Return the residuals' first autocorrelation by persistence: smoothing takes some away."""
    now, then = np.append(_rest(shape), 0.0), np.insert(_rest(shape), 0, 0.0)
    made = []
    for one in _PERSISTENCE:
        covariances = _covariances(float(one), len(now))
        made.append((now @ covariances @ then) / (now @ covariances @ now))
    return np.array(made)


def _persistence(residual: Floats, shape: _Shape) -> float:
    """Return the persistence of the noise, a standard error above what the residuals show.

    Taken too small it makes chance a shift, taken too great only a shift harder to detect.
    """
    middle = residual - np.median(residual)
    # single days must not hide it
    most = 3.0 * float(_deviations(residual[None])[0])
    middle = np.clip(middle, -most, most)
    first = float((middle[1:] * middle[:-1]).sum() / (middle**2).sum())
    first += ((1.0 - min(first**2, 1.0)) / len(middle)) ** 0.5
    place = int(np.searchsorted(_autocorrelations(shape), first))
    return float(_PERSISTENCE[min(place, len(_PERSISTENCE) - 1)])


@lru_cache
def _errors(shape: _Shape, persistence: float) -> Floats:
    """Return the standard error of the step at each time, where the residuals' deviation is 1."""
    rest = _rest(shape)
    unit = (rest @ _covariances(persistence, len(rest)) @ rest) ** -0.5
    errors = []
    for after in shape.afters:
        step = _step(shape, after)
        times = shape.count - len(step) + 1 if after == shape.afters[0] else shape.season
        variance = step @ _covariances(persistence, len(step)) @ step
        errors += [unit * float(variance) ** 0.5] * times
    return np.array(errors)


@lru_cache
def _threshold(shape: _Shape, persistence: float, false_alarms: float) -> float:
    """Return the standard errors that the greatest step of a series without one seldom exceeds."""
    rng = np.random.default_rng(_SEED)
    noise = rng.normal(size=(_SIMULATED, shape.count))
    for at in range(1, shape.count):
        noise[:, at] = persistence * noise[:, at - 1] + (1.0 - persistence**2) ** 0.5 * noise[:, at]
    place, step, residual = _greatest(noise, np.ones(shape.count), shape)
    error = _deviations(residual) * _errors(shape, persistence)[place - shape.half]
    return float(np.quantile(np.abs(step) / error, 1.0 - false_alarms))
