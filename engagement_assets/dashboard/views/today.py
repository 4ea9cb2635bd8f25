"""What is served and how old it is, what moved in a week and against the forecast, and alerts."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import numpy as np
import pandas as pd

from engagement_assets.dashboard.pictures import ORANGE, Picture, bars, intervals, picture_of
from engagement_assets.dashboard.reading import Reader, Reading
from engagement_assets.decisions.customers.unified import CHANGES, CUSTOMERS
from engagement_assets.learning.reinforcement.comparison import mean_interval
from engagement_assets.models.specs import EVERY_MODEL

MEASURES: dict[str, str] = {
    "engagement_score": "Engagement (0-1)",
    "churn_probability": "Churn risk (0-1)",
    "future_revenue_usd": "Future revenue a customer (USD)",
    "anomaly_score": "Anomaly (0-1)",
    "customer_health": "Health (0-100)",
}
WEEK = 7
# fewer give no interval that says anything
LEAST = 10


def level(reader: Reader) -> Picture:
    """Return the mean of each score on the newest day, with its interval."""
    reading = reader.newest(CUSTOMERS, list(MEASURES))
    made = [_mean(label, reading.rows[name]) for name, label in MEASURES.items()]
    return picture_of(
        "Where customers stand",
        pd.DataFrame([row for row in made if row]),
        reading,
        note=f"Means over the {len(reading.rows):,} customers who are scored, with 95 % intervals; "
        "churn and anomalies are scored for those who used the app.",
        empty="No customer is scored yet: run `make run`.",
    )


def week(reader: Reader) -> Picture:
    """Return how each score of the same customers changed in a week, with its interval."""
    columns = ["customer_id", *MEASURES]
    now = reader.newest(CUSTOMERS, columns)
    before = (
        reader.newest(CUSTOMERS, columns, until=now.day - timedelta(days=WEEK))
        if now.day
        else Reading(now.rows, CUSTOMERS, None)
    )
    both = now.rows.merge(before.rows, on="customer_id", suffixes=("", "_before"))
    made = []
    for name, label in MEASURES.items():
        change = both[name].astype(float) - both[f"{name}_before"].astype(float)
        row = _mean(label, change)
        if row:
            # so that scores of other units can stand beside each other
            spread = float(both[f"{name}_before"].std(ddof=1)) or np.nan
            made.append(
                row
                | {"change_in_spreads": float(row["mean"]) / spread}
                | {f"{end}_in_spreads": float(row[end]) / spread for end in ("low", "high")}
            )
    rows = pd.DataFrame(made) if before.day else pd.DataFrame()
    return picture_of(
        f"What moved since {before.day}" if before.day else "What moved in a week",
        rows,
        now,
        chart=None
        if rows.empty
        else intervals(
            rows.dropna(),
            of="measure",
            value="change_in_spreads",
            low="low_in_spreads",
            high="high_in_spreads",
            label="Change, in standard deviations between customers",
        ),
        note=f"Of {len(both):,} customers who are scored on both days, with 95 % intervals; one "
        "that crosses the dashed line may be chance.",
        empty=f"Nothing was predicted {WEEK} days or more before: a week is needed to compare.",
    )


def reasons(reader: Reader) -> Picture:
    """Return why customers moved, the most frequent first."""
    reading = reader.newest(CHANGES, ["why"])
    counts = reading.rows["why"].dropna().value_counts().head(10)
    rows = counts.rename_axis("why").reset_index(name="customers")
    return picture_of(
        "Why they moved",
        rows,
        reading,
        chart=bars(rows, of="why", value="customers", label="Customers", colour=ORANGE),
        note=f"The ten most frequent, of {len(reading.rows):,} customers with a change.",
        empty="Nobody's predictions changed since the day before, or there is no day before.",
    )


def against_forecast(reader: Reader) -> Picture:
    """Return what happened on the last day that was forecast, beside its band."""
    reading = reader.newest("forecast/accuracy")
    rows = reading.rows
    if not rows.empty:
        rows = rows[rows["target_day"] == rows["target_day"].max()]
        rows = rows.sort_values("horizon").drop_duplicates(["metric", "breakdown", "part"])
        rows = rows.assign(measure=rows["metric"] + ", " + rows["part"].fillna("all"))
        rows = rows[["measure", "target_day", "actual", "value", "low", "high", "covered"]]
    return picture_of(
        "Against the forecast",
        rows,
        reading,
        note="`covered`: whether what happened lies in the interval of the forecast.",
        empty="No forecast has come due yet.",
    )


def served(reader: Reader, *, today: date) -> Picture:
    """Return which version of each model serves, and how old what it predicted is."""
    made = []
    for spec in EVERY_MODEL:
        if not spec.daily_parts:
            continue
        day = reader.last_day(spec.output)
        version = reader.registry.champion(spec.name)
        made.append(
            {
                "model": spec.name.replace("_", " "),
                "version": version or "nothing serves",
                "predicted": day,
                "days_old": (today - day).days if day else None,
            }
        )
    reading = Reading(pd.DataFrame(made), CUSTOMERS, reader.last_day(CUSTOMERS))
    return picture_of("What is served", reading.rows, reading)


def alerts(lines: Iterable[Mapping[str, str]], *, words: bool) -> pd.DataFrame:
    """Return the latest alerts, newest first.

    Args:
        lines: Alerts, oldest first.
        words: Whether their texts, in which customers may be named, may be shown.
    """
    names = ["at", "severity", "kind", "asset", "check", *(["message"] if words else [])]
    rows = pd.DataFrame(list(lines)[-20:][::-1])
    return rows.reindex(columns=names)


def age(reader: Reader, *, today: date) -> tuple[int | None, str]:
    """Return how many days old the newest predictions are, and that in words."""
    day = reader.last_day(CUSTOMERS)
    if day is None:
        return None, "Nothing is predicted yet: run `make run`."
    days = (today - day).days
    if days <= 1:
        return days, f"Everything that is complete: up to {day}."
    return days, f"Not today: the newest predictions are of {day}, {days} days ago."


def pictures(reader: Reader, *, today: date) -> list[Picture]:
    """Return the page."""
    return [
        level(reader),
        week(reader),
        reasons(reader),
        against_forecast(reader),
        served(reader, today=today),
    ]


def _mean(label: str, values: pd.Series) -> dict[str, float | str]:
    numbers = values.dropna().to_numpy(dtype=np.float64)
    if len(numbers) < LEAST:
        return {}
    mean = mean_interval(numbers)
    return {
        "measure": label,
        "mean": mean.value,
        "low": mean.low,
        "high": mean.high,
        "customers": len(numbers),
    }
