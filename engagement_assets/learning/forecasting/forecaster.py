"""Forecast series by weighted methods with calibrated intervals and sums that hold.

Belongs here: the estimator. Does not belong here: its parts (the other modules), and words
(`rendering.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.forecasting import intervals
from engagement_assets.learning.forecasting.breaks import LevelShift, level_shifts
from engagement_assets.learning.forecasting.calendars import Calendar, effects
from engagement_assets.learning.forecasting.combination import Weights, weigh
from engagement_assets.learning.forecasting.intervals import HalfWidths, calibrate
from engagement_assets.learning.forecasting.lstm import WEIGHTS_FILE, Lstm
from engagement_assets.learning.forecasting.methods import (
    ARIMA,
    ETS,
    THETA,
    History,
    Method,
    ProphetMethod,
    SeasonalNaive,
)
from engagement_assets.learning.forecasting.panel import Floats, Folder, Panel, Sums, panel_of
from engagement_assets.learning.forecasting.reconciliation import Balance
from engagement_assets.learning.forecasting.regression import HarmonicRegression
from engagement_assets.learning.forecasting.replay import Replay
from engagement_assets.learning.json_data import naming

STATE_FILE = "forecaster.json"
# Seasons without which nothing is learnt, and those that parameters are learnt from at least.
LEAST_SEASONS, _FIRST_SEASONS = 8, 4
# A history of at least this many days is what the method is meant for; less works and says so.
YEAR = 365
_LEVEL = 4
# Weights and calibration are learnt anew after so many origins when the past is replayed.
_REPLAY = 14
_FEW_SERIES = 10


@dataclass(kw_only=True, eq=False)
class Forecaster:
    """Weighted methods, replayed at rolling origins.

    Each method's parameters are learnt before the first origin; its forecasts at each origin see
    nothing after it. Weights follow from the errors, costly methods must earn theirs, sums are
    made to hold, and intervals are calibrated on what the whole would have missed.

    Args:
        horizon: Steps ahead.
        season: Steps of a season.
        step: Distance of two times, as pandas names it.
        origins: Most origins that are replayed; the latest.
        level: Share of the values that lie in their interval.
        methods: Names of the methods, of `METHODS`.
        costly: Series that costly methods forecast too; where None, the totals of the sums, or
            all where there are no sums and at most ten series.
        random_state: Seed.
        n_jobs: Torch's threads.

    Attributes:
        names_: Names of the series.
        replay_: The replay that weights and intervals were learnt from.
        weights_: Weights by group of series: a total's (or a series' own) and its parts'.
        half_: Half-widths of the intervals.
        shifts_: Level shifts of each series without parts, or that is a total.
        notes_: What a reader should know, a sentence each.
    """

    METHODS = (
        "seasonal naive",
        "AutoETS",
        "harmonic regression",
        "Theta",
        "AutoARIMA",
        "Prophet",
        "LSTM",
    )

    horizon: int = 7
    season: int = 7
    step: str = "D"
    origins: int = 112
    level: float = 0.95
    methods: Sequence[str] = METHODS
    costly: Sequence[str] | None = None
    random_state: int = 0
    n_jobs: int = 1
    _lstm: Lstm | None = field(default=None, repr=False)

    def fit(
        self,
        table: pd.DataFrame,
        *,
        series: str = "series",
        time: str = "time",
        value: str = "value",
        sums: Sums | None = None,
        calendar: Calendar | None = None,
        regions: Mapping[str, str] | None = None,
    ) -> Self:
        """Learn weights and intervals.

        Args:
            table: Rows of (series, time, value).
            series: Column of the series' name.
            time: Column of the time.
            value: Column of the value.
            sums: Which series are sums of others.
            calendar: What is known of the days to come.
            regions: Region of those series that have one.

        Raises:
            TooLittleDataError: There are fewer than eight seasons.
            ValueError: The table is no grid of series (`panel_of`), sums do not add up, or a
                parameter is out of its range.
        """
        self._check()
        unknown = set(self.methods) - set(self.METHODS)
        if unknown or not set(self.methods) & {"seasonal naive", "AutoETS", "Theta"}:
            raise ValueError(
                f"methods must be of {', '.join(self.METHODS)}, with seasonal naive, AutoETS or "
                f"Theta among them; got {', '.join(self.methods)}"
            )
        panel = panel_of(
            table, series=series, time=time, value=value, step=self.step, season=self.season
        )
        self.sums_ = sums or Sums({})
        self.sums_.checked(panel)
        self.calendar_, self.regions_ = calendar or Calendar(), dict(regions or {})
        self.names_ = panel.names
        self.signed_ = np.asarray((panel.values < 0).any(axis=1))
        count = len(panel.times)
        notes = [*panel.notes, *self._said(panel)]
        k = min(self.origins, count - self.horizon - _FIRST_SEASONS * self.season + 1)
        history = self._history(panel, until=count - self.horizon - k + 1)
        self.notes_ = notes
        self._lstm = Lstm(random_state=self.random_state, n_jobs=self.n_jobs)
        self.replay_ = self._replay(
            history, np.arange(count - self.horizon - k, count - self.horizon)
        )
        self._learn(self.replay_)
        self.shifts_ = {
            name: level_shifts(history.usual[row], panel.times, season=self.season)
            for row, name in enumerate(panel.names)
            if self.sums_.family(name) == name
        }
        if self._lstm is not None and self._uses("LSTM"):
            self._lstm.fit(history, fit_until=count)
        else:
            self._lstm = None
        return self

    def _check(self) -> None:
        for name in ("horizon", "season", "origins"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
        if not 0.0 < self.level < 1.0:
            raise ValueError(f"level must lie between 0 and 1, got {self.level}")
        if isinstance(self.methods, str):
            raise ValueError(f"methods must be a list of names, got {self.methods!r}")

    def _said(self, panel: Panel) -> list[str]:
        """Refuse too short a history, and say what is unusual of it."""
        count = len(panel.times)
        least = max(LEAST_SEASONS * self.season, _FIRST_SEASONS * self.season + self.horizon)
        if count < least:
            raise TooLittleDataError(
                f"there are {count} times, and at least {least} are needed: {_FIRST_SEASONS} "
                f"seasons of {self.season} to learn from and origins to measure errors at"
            )
        notes = []
        if self.step == "D" and count < YEAR:
            notes.append(
                f"{count} days of history, {YEAR} are better: holidays of the rest of the year "
                "were never seen, and the season of the year is not known"
            )
        if self.signed_.any():
            below = [name for name, one in zip(panel.names, self.signed_, strict=True) if one]
            notes.append(f"{', '.join(below[:3])}: values below 0, so forecasts may be below 0 too")
        empty = [n for n, v in zip(panel.names, panel.values, strict=True) if not v.any()]
        if empty:
            notes.append(f"{', '.join(empty[:3])}: always 0, so 0 is forecast without an interval")
        return notes

    def _history(self, panel: Panel, *, until: int) -> History:
        made = effects(
            panel,
            self.calendar_,
            horizon=self.horizon,
            season=self.season,
            regions=self.regions_,
            sums=self.sums_,
            until=until,
        )
        families = tuple(self.sums_.family(name) for name in panel.names)
        return History(panel, made, families, self.season, self.horizon)

    def _methods(self) -> list[Method]:
        known: dict[str, Method] = {
            "seasonal naive": SeasonalNaive(),
            "AutoETS": ETS,
            "harmonic regression": HarmonicRegression(),
            "Theta": THETA,
            "AutoARIMA": ARIMA,
            "Prophet": ProphetMethod(),
        }
        if self._lstm is not None:
            known["LSTM"] = self._lstm
        return [known[name] for name in self.methods if name in known]

    def _important(self) -> list[int]:
        """Rows of the series that costly methods forecast."""
        chosen: Sequence[str] = self.costly if self.costly is not None else list(self.sums_.groups)
        if self.costly is None and not chosen and len(self.names_) <= _FEW_SERIES:
            chosen = self.names_
        return [row for row, name in enumerate(self.names_) if name in set(chosen)]

    @property
    def groups(self) -> dict[str, list[int]]:
        """Rows of the series that share weights."""
        groups: dict[str, list[int]] = {}
        for row, name in enumerate(self.names_):
            family = self.sums_.family(name)
            groups.setdefault(name if family == name else f"parts of {family}", []).append(row)
        return groups

    def _each(
        self, history: History, origins: Sequence[int], *, fit_until: int, wanted: Sequence[Method]
    ) -> Floats:
        """Forecasts of each method, m x s x k x h."""
        important = self._important()
        every = list(range(len(self.names_)))
        made = np.full((len(wanted), len(every), len(origins), self.horizon), np.nan)
        for m, method in enumerate(wanted):
            rows = every if method.everywhere else important
            if not rows:
                continue
            try:
                usual = method.forecast(history, rows, origins, fit_until=fit_until)
            except TooLittleDataError as error:
                self.notes_.append(f"{method.name} has no weight: {error}")
                continue
            ahead = np.asarray(origins)[:, None] + 1 + np.arange(self.horizon)
            share = history.effects.share[np.asarray(rows)][:, ahead]
            made[m, rows] = usual + share * np.abs(usual)
        return made

    def _replay(self, history: History, origins: NDArray[np.int64]) -> Replay:
        """Forecast at past origins, with weights and intervals of what was known at each."""
        values, ahead = history.panel.values, origins[:, None] + 1 + np.arange(self.horizon)
        first = int(origins[0]) + 1
        methods = self._methods()
        each = self._each(history, [int(o) for o in origins], fit_until=first, wanted=methods)
        actual, level = values[:, ahead], _level(history, origins, self.season)
        errors = (each - actual) / level[:, :, None]
        self._method_names = tuple(method.name for method in methods)
        self._must_earn = tuple(method.must_earn for method in methods)
        self._forecasts: NDArray[np.bool_] = np.isnan(each).sum(axis=(2, 3)) == 0
        point = np.empty(actual.shape)
        half = np.full(actual.shape, np.nan)
        on = history.effects.on[:, ahead]
        phases = history.phases[ahead]
        sd = history.effects.sd[:, ahead]
        start = min(intervals.LEAST_ORIGINS + self.horizon, len(origins) - 1)
        for at in [0, *range(start, len(origins), _REPLAY)]:
            until = min(at + _REPLAY, len(origins)) if at else start
            # origins whose last truth was known at this one
            known = max(at - self.horizon + 1, 0)
            weights = self._weights(errors[:, :, :known])
            balance = self._balance(errors[:, :, :known], level[:, :known], weights)
            point[:, at:until] = self._combined(each[:, :, at:until], weights, balance)
            if at:
                scores = (np.abs(point - actual) / level[:, :, None])[:, :known]
                widths = calibrate(
                    scores, phases[:known], ~on[:, :known], season=self.season, level=self.level
                )
                for n in range(at, until):
                    half[:, n] = _with_event(widths.at(phases[n]), sd[:, n]) * level[:, n, None]
        naive = np.abs(values[:, self.season : first] - values[:, : first - self.season])
        return Replay(
            origins,
            start,
            self._method_names,
            each,
            point,
            half,
            actual,
            ~on,
            phases,
            naive.mean(axis=1),
            level,
        )

    def _weights(self, errors: Floats) -> dict[str, Weights]:
        """Weights by group of series; equal ones of the cheap methods where nothing is known."""
        made = {}
        for group, rows in self.groups.items():
            if errors.shape[2] < self.season:
                cheap = self._forecasts[:, rows].all(axis=1) & ~np.array(self._must_earn)
                made[group] = Weights(cheap / cheap.sum(), {})
            else:
                made[group] = weigh(
                    errors[:, rows],
                    names=self._method_names,
                    must_earn=self._must_earn,
                    seed=self.random_state,
                )
        return made

    def _balance(self, errors: Floats, level: Floats, weights: Mapping[str, Weights]) -> Balance:
        """How totals and parts give way, from past errors of the weighted methods."""
        combined = self._weighted(np.nan_to_num(errors), weights) * level[:, :, None]
        return Balance.of(combined, names=self.names_, sums=self.sums_)

    def _weighted(self, each: Floats, weights: Mapping[str, Weights]) -> Floats:
        made = np.empty(each.shape[1:])
        for group, rows in self.groups.items():
            values = weights[group].values
            used = np.flatnonzero(values)
            made[rows] = np.tensordot(values[used], each[used][:, rows], axes=1)
        return made

    def _combined(self, each: Floats, weights: Mapping[str, Weights], balance: Balance) -> Floats:
        made = self._weighted(each, weights)
        made = np.where(self.signed_[:, None, None], made, np.maximum(made, 0.0))
        return balance.reconcile(made, names=self.names_, sums=self.sums_, signed=self.signed_)

    def _learn(self, replay: Replay) -> None:
        errors = (replay.each - replay.actual) / replay.level[:, :, None]
        self.weights_ = self._weights(errors)
        self.balance_ = self._balance(errors, replay.level, self.weights_)
        # what is served is calibrated on what would have been served: earlier weights, as replayed
        scores = np.abs(replay.point - replay.actual) / replay.level[:, :, None]
        self.half_ = calibrate(
            scores, replay.phases, replay.usual_time, season=self.season, level=self.level
        )

    def _uses(self, name: str) -> bool:
        place = self._method_names.index(name) if name in self._method_names else None
        return place is not None and any(w.values[place] > 0 for w in self.weights_.values())

    def predict(
        self,
        table: pd.DataFrame,
        *,
        series: str = "series",
        time: str = "time",
        value: str = "value",
        calendar: Calendar | None = None,
    ) -> pd.DataFrame:
        """Return what follows the last time of a table: series, time, horizon, value, low, high.

        Args:
            table: The series' history until then.
            series: Column of the series' name.
            time: Column of the time.
            value: Column of the value.
            calendar: What is known of the days to come; that of the fit where None.

        Raises:
            ValueError: The table is no grid of the series that were learnt from.
        """
        panel = panel_of(
            table, series=series, time=time, value=value, step=self.step, season=self.season
        )
        if panel.names != self.names_:
            other = sorted(set(panel.names) ^ set(self.names_))
            raise ValueError(
                f"{', '.join(other[:3])}: the series must be those that were learnt from; fit again"
            )
        self.sums_.checked(panel)
        if calendar is not None:
            self.calendar_ = calendar
        history = self._history(panel, until=len(panel.times))
        last = history.count - 1
        wanted = [m for m in self._methods() if self._uses(m.name)]
        if self._lstm is not None:
            self._lstm.use(self._lstm, fit_until=last + 1)
        part = self._each(history, [last], fit_until=last + 1, wanted=wanted)
        each = np.full((len(self._method_names), *part.shape[1:]), np.nan)
        each[[self._method_names.index(m.name) for m in wanted]] = part
        point = self._combined(each, self.weights_, self.balance_)[:, 0]
        ahead = last + 1 + np.arange(self.horizon)
        level = _level(history, np.array([last]), self.season)
        phases = history.phases[ahead]
        half = _with_event(self.half_.at(phases), history.effects.sd[:, ahead]) * level
        times = panel.ahead(self.horizon)[ahead]
        low = point - half
        return pd.DataFrame(
            {
                "series": np.repeat(self.names_, self.horizon),
                "time": np.tile(times, len(self.names_)),
                "horizon": np.tile(np.arange(1, self.horizon + 1), len(self.names_)),
                "value": point.ravel(),
                "low": np.where(self.signed_[:, None], low, np.maximum(low, 0.0)).ravel(),
                "high": (point + half).ravel(),
            }
        )

    def save(self, folder: Folder) -> None:
        """Write what was learnt as JSON, and the LSTM as safetensors; the calendar is not kept."""
        state = {
            "parameters": {
                "horizon": self.horizon,
                "season": self.season,
                "step": self.step,
                "origins": self.origins,
                "level": self.level,
                "methods": list(self.methods),
                "costly": self.costly and list(self.costly),
                "random_state": self.random_state,
                "n_jobs": self.n_jobs,
            },
            "names": self.names_,
            "sums": {total: [list(p) for p in parts] for total, parts in self.sums_.groups.items()},
            "regions": self.regions_,
            "signed": self.signed_.tolist(),
            "methods": self._method_names,
            "must_earn": self._must_earn,
            "weights": {group: one.to_dict() for group, one in self.weights_.items()},
            "balance": self.balance_.to_dict(),
            "width": self.half_.width.tolist(),
            "factor": self.half_.factor.tolist(),
            "shifts": {n: [one.to_dict() for one in shifts] for n, shifts in self.shifts_.items()},
            "notes": self.notes_,
        }
        (folder / STATE_FILE).write_text(json.dumps(state, allow_nan=False), encoding="utf-8")
        if self._lstm is not None:
            self._lstm.save(folder)

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read what `save` wrote.

        Raises:
            BrokenFileError: It is not what was saved.
        """
        with naming(folder / STATE_FILE):
            state = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
            model = cls(**state["parameters"])
            model.names_ = tuple(state["names"])
            model.sums_, model.regions_ = Sums(state["sums"]), state["regions"]
            model.calendar_, model.signed_ = Calendar(), np.array(state["signed"])
            model._method_names = tuple(state["methods"])
            model._must_earn = tuple(state["must_earn"])
            model.weights_ = {
                group: Weights.from_dict(one) for group, one in state["weights"].items()
            }
            model.balance_ = Balance.from_dict(state["balance"])
            model.half_ = HalfWidths(np.array(state["width"]), np.array(state["factor"]))
            model.shifts_ = {
                name: [LevelShift.from_dict(one) for one in shifts]
                for name, shifts in state["shifts"].items()
            }
            model.notes_ = state["notes"]
            if (folder / WEIGHTS_FILE).exists():
                model._lstm = Lstm.load(folder, season=model.season, horizon=model.horizon)
            return model


def _level(history: History, origins: NDArray[np.int64], season: int) -> Floats:
    """Mean absolute values of the last seasons at each origin, s x k; never 0."""
    width = _LEVEL * season
    sums = np.cumsum(np.abs(history.usual), axis=1)
    before = np.where(origins >= width, sums[:, origins - width], 0.0)
    level = (sums[:, origins] - before) / np.minimum(width, origins + 1)
    size = np.abs(history.usual[:, : origins[0] + 1]).mean(axis=1, keepdims=True)
    made: Floats = np.maximum(level, np.where(size > 0, 0.05 * size, 1.0))
    return made


def _with_event(half: Floats, sd: Floats) -> Floats:
    """Half-widths in units of the level, with what an event's effect adds."""
    made: Floats = np.sqrt(np.square(half) + np.square(1.96 * sd))
    return made
