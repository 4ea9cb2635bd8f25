"""A day's forecast as a report for people.

Belongs here: words and the picture. Does not belong here: figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from engagement_assets.learning import markdown
from engagement_assets.learning.forecasting.rendering import forecast_picture
from engagement_assets.models.forecast.series import TOTAL, series_name


def report_markdown(history: pd.DataFrame, forecasts: pd.DataFrame, hours: pd.DataFrame) -> str:
    """Write a day's forecast: picture, totals, marketing windows, capacity.

    Args:
        history: Rows of series, time, value.
        forecasts: The rows of `forecast/predictions` of the day.
        hours: The rows of `forecast/hours` of the day.
    """
    totals = forecasts[forecasts["breakdown"] == TOTAL]
    metrics = list(dict.fromkeys(totals["metric"]))
    drawn = totals.assign(
        series=[series_name(metric) for metric in totals["metric"]],
        time=pd.to_datetime(totals["target_day"]),
    )
    rows = []
    for day, one in totals.groupby("target_day"):
        by_metric = {row["metric"]: _interval(row) for row in one.to_dict("records")}
        rows.append((f"{day:%a %Y-%m-%d}", *(by_metric[metric] for metric in metrics)))
    picture = forecast_picture(
        history,
        drawn,
        [series_name(m) for m in metrics],
        title="The last weeks and the next seven days",
    )
    return "\n\n".join(
        [
            picture,
            "The next seven days, with 95 % intervals:",
            markdown.table(["day (UTC)", *(name.replace("_", " ") for name in metrics)], rows),
            *_windows(totals, hours),
            "What cannot be said: what a campaign would change, and days beyond these seven.",
        ]
    )


def _windows(totals: pd.DataFrame, hours: pd.DataFrame) -> list[str]:
    """Return the marketing windows and the capacity plan."""
    if not len(hours):
        return []
    active = totals[totals["metric"] == "active_customers"]
    best = active.sort_values("value")["target_day"].iloc[-1]
    rows = []
    for day, one in hours.groupby(hours["starts_at"].dt.date):
        peak = one[one["is_peak"]]
        first, last = peak["starts_at"].min(), peak["starts_at"].max() + pd.Timedelta(hours=1)
        most = one.nlargest(1, "p95").iloc[0]
        rows.append(
            (
                f"{day:%a %Y-%m-%d}",
                f"{first:%H:%M}–{last:%H:%M}",
                f"{peak['sessions'].sum():,.0f}",
                f"{most['starts_at']:%H:%M}",
                f"{most['p95']:,.0f}",
                f"{most['units']:,}",
            )
        )
    head = ["day", "marketing window (UTC)", "sessions in it"]
    head += ["busiest hour", "P95 of its sessions", "units to provision"]
    return [
        f"Most customers are expected on {best:%A, %Y-%m-%d}. Each day's three busiest hours in a "
        "row are its marketing window; an hour exceeds its P95 one time in twenty.",
        markdown.table(head, rows),
    ]


def _interval(row: Mapping[Any, Any]) -> str:
    digits = 2 if abs(row["value"]) < 100 else 0
    return f"{row['value']:,.{digits}f} ({row['low']:,.{digits}f} to {row['high']:,.{digits}f})"
