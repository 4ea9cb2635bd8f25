"""What would have been forecast at past origins, and how good it was.

Belongs here: the figures of a replay. Does not belong here: making one (`forecaster.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engagement_assets.learning.forecasting.combination import block_interval
from engagement_assets.learning.forecasting.panel import Floats

COMBINED, NAIVE = "combination", "seasonal naive"


@dataclass(frozen=True)
class Replay:
    """What would have been forecast at each origin, from what was known by then.

    Attributes:
        origins: k places of the last known time.
        first: The first origin that has weights and intervals from earlier ones.
        methods: Names of the m methods.
        each: m x s x k x h forecasts of each; NaN where a method forecasts no such series.
        point: s x k x h forecasts, weighted and added up.
        half: s x k x h half-widths of the intervals; NaN before `first`.
        actual: s x k x h values.
        usual_time: s x k x h, false on events.
        phases: k x h places in the season.
        scale: s mean absolute errors of the seasonal naive method before the first origin.
        level: s x k mean absolute values of the last seasons.
    """

    origins: NDArray[np.int64]
    first: int
    methods: tuple[str, ...]
    each: Floats
    point: Floats
    half: Floats
    actual: Floats
    usual_time: NDArray[np.bool_]
    phases: NDArray[np.int64]
    scale: Floats
    level: Floats

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Whether each value lies in its interval, of s x origins from `first` on x h."""
        error = np.abs(self.actual - self.point)[:, self.first :]
        inside: NDArray[np.bool_] = error <= self.half[:, self.first :] + 1e-9
        return inside


def figures(
    replay: Replay, groups: Mapping[str, Sequence[int]], *, horizon: int, season: int, seed: int
) -> dict[str, Any]:
    """Return errors and coverage at the origins that have weights and intervals from earlier ones.

    Args:
        replay: The replay.
        groups: Rows of the series by group, each a line of the table.
        horizon: Steps ahead.
        season: Places in a season.
        seed: Seed of the resamples.

    Returns:
        JSON data: `origins`, `methods` (by group and method the mean absolute scaled error), `best`
        (by group the best single method), `advantage` (by group and other method, how much less
        the combination errs, with interval), `coverage` of all, by `horizon`, by `phase` and of
        `events`, `width` (mean relative width).
    """
    later = slice(replay.first, None)
    actual, scale = replay.actual[:, later], np.where(replay.scale > 0, replay.scale, np.nan)
    errors = {
        COMBINED: np.abs(replay.point[:, later] - actual) / scale[:, None, None],
        **{
            name: np.abs(replay.each[m][:, later] - actual) / scale[:, None, None]
            for m, name in enumerate(replay.methods)
        },
    }
    methods: dict[str, Any] = {}
    advantage: dict[str, Any] = {}
    best = {}
    for group, rows in groups.items():
        by_origin = {
            name: _mean(error[list(rows)], (0, 2))
            for name, error in errors.items()
            if np.isfinite(error[list(rows)]).any()
        }
        if not by_origin:
            # all of it is 0, which leaves nothing to scale errors by
            continue
        methods[group] = {name: float(values.mean()) for name, values in by_origin.items()}
        singles = {name: error for name, error in methods[group].items() if name != COMBINED}
        best[group] = min(singles, key=lambda name: singles[name])
        advantage[group] = {
            name: block_interval(values - by_origin[COMBINED], seed=seed).to_dict()
            for name, values in by_origin.items()
            if name != COMBINED
        }
    return {
        "origins": len(replay.origins),
        "judged_origins": actual.shape[1],
        "methods": methods,
        "best": best,
        "advantage": advantage,
        "coverage": coverage(replay, season=season, horizon=horizon),
    }


def coverage(replay: Replay, *, season: int, horizon: int) -> dict[str, Any]:
    """Return the share of values in their interval: of all usual times, by part, and on events."""
    covered, usual = replay.covered, replay.usual_time[:, replay.first :]
    phases = np.broadcast_to(replay.phases[replay.first :][None], covered.shape)
    steps = np.broadcast_to(np.arange(horizon), covered.shape)

    def share(mask: NDArray[np.bool_]) -> float | None:
        return float(covered[mask].mean()) if mask.any() else None

    return {
        "all": share(usual),
        "by_horizon": [share(usual & (steps == h)) for h in range(horizon)],
        "by_phase": [share(usual & (phases == p)) for p in range(season)],
        "events": share(~usual),
        "event_times": int((~usual).sum()),
    }


def _mean(values: Floats, axes: tuple[int, ...]) -> Floats:
    made: Floats = np.nanmean(values, axis=axes)
    return made
