"""Methods of forecasting with one interface: from any series to what follows each origin.

Belongs here: the interface, seasonal naive, statsforecast's models and Prophet. Does not belong
here: the LSTM (`lstm.py`), and choosing and weighting (`combination.py`).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.learning.forecasting.calendars import Effects
from engagement_assets.learning.forecasting.panel import Floats, Panel


@dataclass(frozen=True)
class History:
    """What a method may look at.

    Attributes:
        panel: Series as they were.
        usual: s x t values without what holidays and events did; most methods learn from these.
        effects: What the calendar does.
        families: Name of the total that each series is a part of, or its own.
        season: Steps of a season.
        horizon: Steps ahead.
    """

    panel: Panel
    effects: Effects
    families: Sequence[str]
    season: int
    horizon: int

    @property
    def usual(self) -> Floats:
        """The s x t values without what holidays and events did."""
        return self.effects.usual

    @property
    def phases(self) -> NDArray[np.int64]:
        """The t + h places in the season, counted from 1970, so that a weekday is one of them."""
        times = self.panel.ahead(self.horizon)
        step = pd.Timedelta(times[1] - times[0])
        start = (times[0] - pd.Timestamp(0)) // step
        made: NDArray[np.int64] = (start + np.arange(len(times))) % self.season
        return made

    @property
    def count(self) -> int:
        """How many times there are."""
        return int(self.usual.shape[1])


class Method(Protocol):
    """A method."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def must_earn(self) -> bool:
        """Whether it has weight only where it is better beyond chance: it costs much."""

    @property
    def everywhere(self) -> bool:
        """Whether it forecasts every series, or the few that matter most."""

    def forecast(
        self, history: History, rows: Sequence[int], origins: Sequence[int], *, fit_until: int
    ) -> Floats:
        """Return rows x origins x horizon forecasts.

        Args:
            history: The series; what follows an origin is not looked at for it.
            rows: Which series.
            origins: Places of the last known times, ascending.
            fit_until: Parameters are learnt from so many first times; states are up to the origin.
        """


@dataclass(frozen=True)
class SeasonalNaive:
    """The last season again."""

    name: str = "seasonal naive"
    must_earn: bool = False
    everywhere: bool = True

    def forecast(
        self,
        history: History,
        rows: Sequence[int],
        origins: Sequence[int],
        *,
        fit_until: int,  # noqa: ARG002 - nothing is learnt
    ) -> Floats:
        """Return the values of one season before; see `Method`."""
        ahead = np.arange(history.horizon) % history.season
        places = np.asarray(origins)[:, None] - history.season + 1 + ahead
        made: Floats = history.usual[np.asarray(rows)][:, places]
        return made


def _theta(season: int) -> Any:
    from statsforecast.models import OptimizedTheta  # noqa: PLC0415 - loads numba

    return OptimizedTheta(season_length=season)


def _arima(season: int) -> Any:
    from statsforecast.models import AutoARIMA  # noqa: PLC0415 - loads numba

    # the orders that daily and hourly data want; a search of all takes minutes a series
    return AutoARIMA(
        season_length=season,
        max_p=2,
        max_q=2,
        max_P=1,
        max_Q=1,
        max_d=1,
        max_D=1,
        approximation=True,
        nmodels=12,
    )


class EtsForms:
    """AutoETS whose form is chosen on the first series of a family and taken over by the others.

    A choice costs ten times a fit, and the parts of a total are alike it.
    """

    def __init__(self) -> None:
        self._chosen: dict[str, tuple[str, bool]] = {}

    def __call__(self, season: int, values: Floats, family: str) -> Any:
        """Return a fitted model."""
        from statsforecast.models import AutoETS  # noqa: PLC0415 - loads numba

        form, damped = self._chosen.get(family, ("AZA", None))
        model = AutoETS(season_length=season, model=form, damped=damped).fit(values)
        error, trend, seasonal, how = model.model_["components"]
        self._chosen.setdefault(family, (f"{error}{trend}{seasonal}", how == "D"))
        return model


@dataclass(frozen=True)
class Statistical:
    """A model of statsforecast, its parameters learnt now and then, its states up to each origin.

    Attributes:
        name: The method's name.
        make: Makes the unfitted model for a season; None: AutoETS with a form by family.
        refit: Origins after which parameters are learnt anew.
    """

    name: str
    make: Callable[[int], Any] | None = field(default=None, repr=False)
    must_earn: bool = False
    everywhere: bool = True
    refit: int = 56

    def forecast(
        self, history: History, rows: Sequence[int], origins: Sequence[int], *, fit_until: int
    ) -> Floats:
        """Return its forecasts; see `Method`."""
        made = np.empty((len(rows), len(origins), history.horizon))
        places = {row: place for place, row in enumerate(rows)}
        # the totals first: their forms are those of the parts
        order = sorted(rows, key=lambda row: history.families[row] != history.panel.names[row])
        for start in range(0, len(origins), self.refit):
            block = origins[start : start + self.refit]
            until = fit_until if start == 0 else block[0] + 1
            forms = EtsForms()
            for row in order:
                made[places[row], start : start + len(block)] = self._one(
                    history, row, block, until, forms
                )
        return made

    def _one(
        self, history: History, row: int, origins: Sequence[int], until: int, forms: EtsForms
    ) -> Floats:
        values = history.usual[row]
        if np.ptp(values[:until]) == 0:
            # nothing to estimate: a constant goes on
            return np.repeat(values[np.asarray(origins)][:, None], history.horizon, axis=1)
        with warnings.catch_warnings():
            # of numba's compiler, not of the data
            warnings.simplefilter("ignore")
            if self.make is None:
                model = forms(history.season, values[:until], history.families[row])
            else:
                model = self.make(history.season).fit(values[:until])
            if list(origins) == [until - 1]:
                ahead: Floats = model.predict(h=history.horizon)["mean"][None]
                return ahead
            return np.stack(
                [model.forward(values[: o + 1], h=history.horizon)["mean"] for o in origins]
            )


ETS = Statistical("AutoETS")
THETA = Statistical("Theta", _theta, everywhere=False)
# a search of orders is what costs the most, so there is one before the first origin
ARIMA = Statistical("AutoARIMA", _arima, must_earn=True, everywhere=False, refit=112)


@dataclass(frozen=True)
class ProphetMethod:
    """Prophet (Taylor and Letham 2018) with its changepoints; holidays are taken out as for all.

    It is fitted every `refit` steps; between, its level is moved by its mean error of the last
    season, without which a trend that is weeks old would be held against it.

    Attributes:
        refit: Steps between two fits.
        moved: Whether the level is moved.
    """

    QUIET: ClassVar[tuple[str, ...]] = ("prophet", "cmdstanpy")

    name: str = "Prophet"
    must_earn: bool = True
    everywhere: bool = False
    refit: int = 28
    moved: bool = True

    def forecast(
        self,
        history: History,
        rows: Sequence[int],
        origins: Sequence[int],
        *,
        fit_until: int,  # noqa: ARG002 - it is fitted anew
    ) -> Floats:
        """Return its forecasts; see `Method`."""
        times = history.panel.ahead(history.horizon)
        made = np.empty((len(rows), len(origins), history.horizon))
        for place, row in enumerate(rows):
            fitted_at, line = -np.inf, np.empty(0)
            for n, origin in enumerate(origins):
                if origin - fitted_at >= self.refit:
                    fitted_at, line = origin, self._line(history, row, origin, times)
                ahead = line[origin + 1 : origin + 1 + history.horizon]
                since = origin + 1 - history.season
                error = history.usual[row, since : origin + 1] - line[since : origin + 1]
                made[place, n] = ahead + (error.mean() if self.moved else 0.0)
        return made

    def _line(self, history: History, row: int, origin: int, times: pd.DatetimeIndex) -> Floats:
        """Fit up to an origin and return its value at every time."""
        from prophet import Prophet  # noqa: PLC0415 - seldom used

        for name in self.QUIET:
            # it logs each fit, and sets its own level again at the first
            logging.getLogger(name).disabled = True
        model = Prophet(
            weekly_seasonality=history.season == 7,
            yearly_seasonality=origin >= 730,
            uncertainty_samples=0,
        )
        size = max(float(np.abs(history.usual[row, : origin + 1]).mean()), 1e-9)
        past = pd.DataFrame(
            {"ds": times[: origin + 1], "y": history.usual[row, : origin + 1] / size}
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas' notices in Prophet's own code
            model.fit(past)
            line: Floats = model.predict(pd.DataFrame({"ds": times}))["yhat"].to_numpy()
        return size * line
