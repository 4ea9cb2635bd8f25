"""What a day's forecasts are held against and used for.

Belongs here: accuracy of earlier forecasts, hours, the report's rows. Does not belong here: assets.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.models.forecast.adapter import ForecastModel, history_of
from engagement_assets.models.forecast.capacity import PROFILE_WEEKS, expected_hours, peak_hours
from engagement_assets.models.forecast.reports import report_markdown
from engagement_assets.models.forecast.series import (
    ALL,
    HORIZON,
    TOTAL,
    read_hours,
    series_name,
)
from engagement_assets.models.forecast.spec import SPEC
from engagement_assets.models.forecast.tables import ACCURACY, HOURS
from resources.lake import Lake
from resources.registry import RegisteredModel

NOT_MADE = "not_made"
_KEY = ["metric", "breakdown", "part"]


@dataclass(frozen=True)
class DayOfForecasts:
    """What is made of a day's forecasts.

    Attributes:
        accuracy: Rows of `forecast/accuracy`.
        hours: Rows of `forecast/hours`.
        figures: The report's figures.
        text: The report.
    """

    accuracy: pd.DataFrame
    hours: pd.DataFrame
    figures: dict[str, Any]
    text: str


def day_of_forecasts(inputs: Inputs, model: RegisteredModel | None, day: date) -> DayOfForecasts:
    """Make the tables and the report of a day; without a model they say so."""
    if model is None:
        reason = "there are no forecasts of the day: train the forecast, whose assets say why not"
        accuracy, hours = (table.empty().to_pandas() for table in (ACCURACY, HOURS))
        return DayOfForecasts(accuracy, hours, {NOT_MADE: reason}, f"No report: {reason}.")
    learnt = ForecastModel.load(model.folder)
    lake = inputs.engine.lake
    forecasts = lake.read(SPEC.predictions, days=[day]).to_pandas()
    history = history_of(inputs, learnt, day)
    accuracy = accuracy_of(earlier_forecasts(lake, day), history, day=day)
    hours = hours_of(
        forecasts,
        learnt,
        read_hours(inputs, day, days=PROFILE_WEEKS * 7),
        day=day,
        sessions_a_unit=inputs.parameters["sessions_a_unit"],
    ).assign(model_version=model.version)
    shown = {
        "held_against_truth": len(accuracy),
        "covered": float(accuracy["covered"].mean()) if len(accuracy) else None,
        "units_at_most": int(hours["units"].max()),
    }
    text = report_markdown(history, forecasts, hours)
    return DayOfForecasts(accuracy, hours[list(HOURS.names)], shown, text)


def earlier_forecasts(lake: Lake, day: date) -> pd.DataFrame:
    """Read what was forecast for the day before a day, at each of the seven days before that."""
    target = day - timedelta(days=1)
    made = [target - timedelta(days=ahead) for ahead in range(1, HORIZON + 1)]
    there = [one for one in made if lake.exists(SPEC.predictions, one)]
    if not there:
        empty: pd.DataFrame = SPEC.table.empty().to_pandas()
        return empty
    rows: pd.DataFrame = lake.read(SPEC.predictions, days=there).to_pandas()
    return rows[pd.to_datetime(rows["target_day"]).dt.date == target]


def accuracy_of(forecasts: pd.DataFrame, history: pd.DataFrame, *, day: date) -> pd.DataFrame:
    """Hold forecasts of the day before a day against what it was.

    It waits a day: some rows come late, and a day that is not whole would judge wrongly.
    """
    that_day = history[history["time"] == pd.Timestamp(day) - pd.Timedelta(days=1)]
    actual = that_day.set_index("series")["value"]
    names = [series_name(*key) for key in forecasts[_KEY].itertuples(index=False, name=None)]
    made = forecasts.assign(actual=actual.reindex(names).to_numpy(), snapshot_date=day)
    # a part that has gone since is no series any more
    made = made.dropna(subset=["actual"])
    made["covered"] = made["actual"].between(made["low"] - 1e-9, made["high"] + 1e-9)
    return made[list(ACCURACY.names)].reset_index(drop=True)


def hours_of(
    forecasts: pd.DataFrame,
    learnt: ForecastModel,
    past: np.ndarray,
    *,
    day: date,
    sessions_a_unit: int,
) -> pd.DataFrame:
    """Plan the hours of the next seven days from the sessions that are forecast for them."""
    whole = forecasts[(forecasts["breakdown"] == TOTAL) & (forecasts["part"] == ALL)]
    daily = whole[whole["metric"] == "sessions"].sort_values("horizon")["value"].to_numpy()
    expected = expected_hours(past, daily, origin=len(past) - 1)
    p95 = learnt.need.p95(expected)
    first = pd.Timestamp(day) + pd.Timedelta(days=1)
    return pd.DataFrame(
        {
            "snapshot_date": day,
            "starts_at": pd.date_range(first, periods=expected.size, freq="h"),
            "horizon": np.repeat(np.arange(1, len(daily) + 1), expected.shape[1]),
            "sessions": expected.ravel(),
            "p95": p95.ravel(),
            "units": np.ceil(p95.ravel() / sessions_a_unit).astype(np.int64),
            "is_peak": peak_hours(expected).ravel(),
        }
    )
