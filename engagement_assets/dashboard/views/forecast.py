"""What is to be expected, how good past forecasts were, and the capacity that hours need."""

import pandas as pd

from engagement_assets.dashboard.pictures import Picture, band, picture_of
from engagement_assets.dashboard.reading import Reader


def pictures(reader: Reader) -> list[Picture]:
    """Return the page."""
    return [*ahead(reader), accuracy(reader), hours(reader)]


def ahead(reader: Reader) -> list[Picture]:
    """Return a band for each metric as a whole; one empty picture where there are none."""
    reading = reader.newest("forecast/predictions")
    rows = reading.rows
    whole = rows.groupby(["metric", "breakdown"])["part"].transform("nunique") == 1
    made = []
    names = ["target_day", "value", "low", "high"]
    for metric, of_metric in rows[whole].groupby("metric"):
        part = of_metric.sort_values("target_day")[names]
        part["target_day"] = pd.to_datetime(part["target_day"])
        label = str(metric).replace("_", " ")
        made.append(
            picture_of(
                f"Expected {label}",
                part,
                reading,
                chart=band(
                    part, when="target_day", value="value", low="low", high="high", label=label
                ),
                note="The band is meant to hold what comes on most days; how often past ones did "
                "is below.",
            )
        )
    return made or [
        picture_of("What is expected", rows.head(0), reading, empty="No forecast serves yet.")
    ]


def accuracy(reader: Reader) -> Picture:
    """Return how far forecasts that came due were off, and how often their band held."""
    reading = reader.newest("forecast/accuracy")
    rows = reading.rows.dropna(subset=["actual"])
    rows = rows.assign(error=(rows["actual"] - rows["value"]).abs())
    by = rows.groupby("metric").agg(
        mean_absolute_error=("error", "mean"),
        mean_actual=("actual", "mean"),
        share_covered=("covered", "mean"),
        forecasts=("error", "size"),
    )
    return picture_of(
        "How good past forecasts were",
        by.reset_index(),
        reading,
        empty="No forecast has come due yet, so nothing can be said of how good they are.",
    )


def hours(reader: Reader) -> Picture:
    """Return the hours of the days ahead with the capacity that each needs."""
    reading = reader.newest("forecast/hours")
    rows = reading.rows[["starts_at", "sessions", "p95", "units", "is_peak"]].sort_values(
        "starts_at"
    )
    return picture_of(
        "Capacity by the hour",
        rows,
        reading,
        chart=None
        if rows.empty
        else band(
            rows, when="starts_at", value="sessions", low="sessions", high="p95", label="Sessions"
        ),
        note="Up to `p95`, which 95 of 100 such hours stay below; `units` serve that many.",
        empty="No forecast by the hour yet.",
    )
