"""Sessions by hour, from those by day, and what to provision for them.

Belongs here: the profile of a week, its P95, the marketing windows. Does not belong here: the
forecast of days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engagement_assets.learning.forecasting.panel import Floats
from engagement_assets.learning.json_data import JsonData

PROFILE_WEEKS, PERCENTILE, PEAK_HOURS = 8, 0.95, 3
_HOURS = 24
# A weekday's own profile counts beside that of all days like so many weeks.
_PRIOR_WEEKS = 2.0
# Origins that the percentile is learnt from, and under which it is not judged.
MOST_ORIGINS, LEAST_ORIGINS = 112, 28


@dataclass(frozen=True)
class HourlyNeed(JsonData):
    """How far sessions of an hour exceed their forecast.

    Attributes:
        excess: By hour, the 95th percentile of (sessions - forecast) over the forecast's square
            root, at past origins.
        exceeded: Share of hours of later origins that exceeded the plan of earlier ones.
        hours: How many such hours there were.
    """

    excess: tuple[float, ...]
    exceeded: float
    hours: int

    def p95(self, expected: Floats) -> Floats:
        """Return the sessions of n x 24 hours that are exceeded in one of twenty."""
        made: Floats = np.maximum(expected + np.array(self.excess) * np.sqrt(expected), 0.0)
        return made


def expected_hours(hours: Floats, daily: Floats, *, origin: int) -> Floats:
    """Return the sessions of each hour of the days after an origin, h x 24.

    Args:
        hours: t x 24 sessions of past days.
        daily: h sessions forecast for the days after.
        origin: Place of the last known day.
    """
    first = max(origin + 1 - PROFILE_WEEKS * 7, 0)
    past = hours[first : origin + 1]
    whole = past.sum(axis=0)
    common = whole / whole.sum() if whole.sum() > 0 else np.full(_HOURS, 1.0 / _HOURS)
    made = np.empty((len(daily), _HOURS))
    for ahead, total in enumerate(daily):
        like = past[(np.arange(first, origin + 1) - (origin + 1 + ahead)) % 7 == 0]
        prior = _PRIOR_WEEKS * past.sum() / max(len(past), 1)
        share = (like.sum(axis=0) + prior * common) / max(like.sum() + prior, 1e-12)
        made[ahead] = total * share
    return made


def hour_scores(hours: Floats, daily: Floats, origins: NDArray[np.int64]) -> Floats:
    """Return how far hours exceeded their forecast, over its square root, k x h x 24.

    Args:
        hours: t x 24 sessions of past days.
        daily: k x h sessions that were forecast for the days after each origin.
        origins: k places of the last known days.
    """
    horizon = daily.shape[1]
    scores = np.empty((len(origins), horizon, _HOURS))
    for n, origin in enumerate(origins):
        expected = expected_hours(hours, daily[n], origin=int(origin))
        actual = hours[origin + 1 : origin + 1 + horizon]
        scores[n] = (actual - expected) / np.sqrt(np.maximum(expected, 1e-9))
    return scores


def exceedance(scores: Floats) -> tuple[float, int]:
    """Return the share of hours over the P95 that the origins before them gave, and how many."""
    k, horizon, _ = scores.shape
    over = []
    for at in range(min(LEAST_ORIGINS, k - 1), k, 7):
        known = scores[max(at - MOST_ORIGINS, 0) : max(at - horizon + 1, 1)]
        over.append((scores[at : at + 7] > _percentile(known)).ravel())
    whole = np.concatenate(over)
    return float(whole.mean()), int(whole.size)


def hourly_need(hours: Floats, daily: Floats, origins: NDArray[np.int64]) -> HourlyNeed:
    """Learn how far hours exceed their forecast; see `hour_scores` and `exceedance`."""
    scores = hour_scores(hours, daily, origins)
    exceeded, count = exceedance(scores)
    return HourlyNeed(tuple(_percentile(scores[-MOST_ORIGINS:]).tolist()), exceeded, count)


def _percentile(scores: Floats) -> Floats:
    """Return the 95th percentile of each hour of the day."""
    made: Floats = np.quantile(scores, PERCENTILE, axis=(0, 1), method="higher")
    return made


def peak_hours(expected: Floats) -> NDArray[np.bool_]:
    """Return which hours of each day are its marketing window, n x 24."""
    made = np.zeros(expected.shape, dtype=bool)
    for day, sessions in enumerate(expected):
        sums = np.convolve(sessions, np.ones(PEAK_HOURS), mode="valid")
        start = int(sums.argmax())
        made[day, start : start + PEAK_HOURS] = True
    return made
