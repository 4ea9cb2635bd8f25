"""The series that are forecast, as read from the lake.

Belongs here: which there are, and reading them as of a day. Does not belong here: forecasting.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from engagement_assets.learning.forecasting.calendars import Calendar, countries_of
from engagement_assets.learning.forecasting.panel import Floats, Sums
from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.models.segments.spec import SPEC as SEGMENTS
from engagement_assets.models.segments.tables import NONE
from engagement_assets.source.readers import SimulatedReader

METRICS = ("engagement", "active_customers", "sessions", "messages", "revenue_usd")
# Columns of sql/forecast/daily.sql that totals are broken down by; a further one is a line here.
BREAKDOWNS = ("location", "device", "segment")
TOTAL, ALL, OTHER = "total", "all", "other"
# Parts with a series of their own; the rest are one, since series of a few rows say little.
MOST_PARTS = 15
HISTORY_DAYS = 730
HORIZON = 7
SIMULATED_CALENDAR = Path(__file__).with_name("simulated_calendar.toml")
_SEPARATOR = "|"


def series_name(metric: str, breakdown: str = TOTAL, part: str = ALL) -> str:
    """Return the name of a series."""
    return metric if breakdown == TOTAL else _SEPARATOR.join((metric, breakdown, part))


def split_name(name: str) -> tuple[str, str, str]:
    """Return metric, breakdown and part of a series."""
    metric, *rest = name.split(_SEPARATOR, 2)
    return (metric, TOTAL, ALL) if not rest else (metric, rest[0], rest[1])


def segments_known(inputs: Inputs, day: date) -> date:
    """Return the latest day with segments up to a day; the day before all data without any.

    What is made of the day itself afterwards is not among them, so that a run that was killed in
    between forecasts the same when it is given again.
    """
    there = inputs.engine.lake.filled_days(SEGMENTS.predictions)
    return max((one for one in there if one <= day), default=inputs.first_day - timedelta(days=1))


def read_cells(
    inputs: Inputs, day: date, *, segments_by: date, days: int = HISTORY_DAYS
) -> pd.DataFrame:
    """Read what was done on each of the last days, by each breakdown, as known on a day.

    Args:
        inputs: What is read from.
        day: The last day.
        segments_by: The day up to which the latest segments of customers are those of all days.
        days: How many.
    """
    dates = {
        "first_day": max(inputs.first_day, day - timedelta(days=days - 1)),
        "last_day": day,
        "known_by_day": day,
        "segments_by": segments_by,
    }
    cells = inputs.engine.select(inputs.sql.query("forecast/daily"), dates).to_pandas()
    cells["day"] = pd.to_datetime(cells["day"])
    # engines give sums of whole numbers as decimals
    made: pd.DataFrame = cells.astype(dict.fromkeys(METRICS, "float64"))
    return made


def read_hours(inputs: Inputs, day: date, *, days: int) -> Floats:
    """Read the sessions of each hour of the last days, days x 24."""
    first = day - timedelta(days=days - 1)
    dates = {"first_day": first, "last_day": day, "known_by_day": day}
    rows = inputs.engine.select(inputs.sql.query("forecast/hours"), dates).to_pandas()
    made = np.zeros((days, 24))
    at = (pd.to_datetime(rows["day"]) - pd.Timestamp(first)).dt.days
    made[at, rows["hour"].astype(int)] = rows["sessions"].astype(float)
    return made


def parts_of(cells: pd.DataFrame) -> dict[str, list[str]]:
    """Return the parts of each breakdown that have a series of their own, and `OTHER`.

    One that nobody has a part of is none: segments, before there are any.
    """
    sizes = {
        by: cells.groupby(by)["sessions"].sum().nlargest(MOST_PARTS)
        for by in BREAKDOWNS
        if set(cells[by]) != {NONE}
    }
    return {by: [*sorted(size.index.astype(str)), OTHER] for by, size in sizes.items()}


def daily_series(
    cells: pd.DataFrame, parts: dict[str, list[str]], metrics: Sequence[str], *, last: date
) -> pd.DataFrame:
    """Return rows of (series, time, value), total and by part; a day without a row is 0."""
    days = pd.date_range(cells["day"].min(), pd.Timestamp(last))
    by_day = cells.set_index("day")
    made = []
    for metric in metrics:
        values = by_day[metric].astype(float)
        made.append((series_name(metric), values.groupby(level=0).sum()))
        for breakdown, named in parts.items():
            part = by_day[breakdown].astype(str)
            part = part.where(part.isin(named), OTHER)
            wide = values.groupby([values.index, part.to_numpy()]).sum().unstack().fillna(0.0)
            for name in named:
                one = wide[name] if name in wide else pd.Series(0.0, index=wide.index)
                made.append((series_name(metric, breakdown, name), one))
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "series": name,
                    "time": days,
                    "value": one.reindex(days, fill_value=0.0).to_numpy(),
                }
            )
            for name, one in made
        ],
        ignore_index=True,
    )


def sums_of(parts: dict[str, list[str]], metrics: Sequence[str]) -> Sums:
    """Return which series are sums of others."""
    return Sums(
        {
            series_name(metric): [
                [series_name(metric, breakdown, name) for name in named]
                for breakdown, named in parts.items()
            ]
            for metric in metrics
        }
    )


def regions_of(parts: dict[str, list[str]], metrics: Sequence[str]) -> dict[str, str]:
    """Return the location of each series that has one."""
    return {
        series_name(metric, "location", name): name
        for metric in metrics
        for name in parts["location"]
    }


def calendar_of(inputs: Inputs, locations: Sequence[str], day: date) -> Calendar:
    """Return the holidays and events that are known on a day.

    Those of the file of the settings; else of the simulated world's own; else of the countries
    that locations are named after.

    Raises:
        CalendarError: The file cannot be read.
    """
    file = inputs.parameters["forecast_calendar"]
    if not file and isinstance(inputs.reader, SimulatedReader):
        file = SIMULATED_CALENDAR
    if not file:
        return Calendar(countries_of(locations))
    last = day + timedelta(days=HORIZON)
    return Calendar.read(file, first=inputs.first_day, last=last)
