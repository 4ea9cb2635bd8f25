"""The bars of the forecast.

Belongs here: which there are. Does not belong here: measuring (`forecast.py`).
"""

from benchmarks.model_bars import Bar

FORECAST = "forecast"
FORECAST_BARS: tuple[Bar, ...] = (
    (
        "forecast: error of the totals beside seasonal naive's",
        "below 1",
        FORECAST,
        lambda f: max(row["beside_naive"] for row in f["world"]["totals"]),
        "{:.2f}",
        lambda v: v < 1.0,
    ),
    (
        "forecast: error of the totals beside the best single method's",
        "at most 1",
        FORECAST,
        lambda f: max(row["beside_best"] for row in f["world"]["totals"]),
        "{:.3f}",
        lambda v: v <= 1.0,
    ),
    (
        "forecast: mean distance from the world's expected engagement",
        "at most 5 %",
        FORECAST,
        lambda f: f["world"]["from_expected"]["value"],
        "{:.1%}",
        lambda v: v <= 0.05,
    ),
    (
        "forecast: least coverage of a horizon or weekday",
        "at least 93 %",
        FORECAST,
        lambda f: min(f["world"]["coverage"]["by_horizon"] + f["world"]["coverage"]["by_phase"]),
        "{:.1%}",
        lambda v: v >= 0.93,
    ),
    (
        "forecast: greatest coverage of a horizon or weekday",
        "at most 97 %",
        FORECAST,
        lambda f: max(f["world"]["coverage"]["by_horizon"] + f["world"]["coverage"]["by_phase"]),
        "{:.1%}",
        lambda v: v <= 0.97,
    ),
    (
        "forecast: coverage on holidays",
        "at least 90 %",
        FORECAST,
        lambda f: f["world"]["coverage"]["events"],
        "{:.1%}",
        lambda v: v >= 0.9,
    ),
    (
        "forecast: hours over their P95",
        "5 % +- 1.5",
        FORECAST,
        lambda f: f["world"]["hours_exceeded"],
        "{:.1%}",
        lambda v: abs(v - 0.05) <= 0.015,
    ),
    (
        "forecast: Peyton Manning, error taken off seasonal naive's, lower end",
        "above 0",
        FORECAST,
        lambda f: f["peyton"]["off_naive"]["low"],
        "{:.3f}",
        lambda v: v > 0.0,
    ),
    (
        "forecast: Peyton Manning, error taken off Prophet's, lower end",
        "above 0",
        FORECAST,
        lambda f: f["peyton"]["off_prophet"]["low"],
        "{:.3f}",
        lambda v: v > 0.0,
    ),
    (
        "forecast: series without a level shift for which one is reported",
        "at most 2 %",
        FORECAST,
        lambda f: f["breaks"]["alarms"],
        "{:.1%}",
        lambda v: v <= 0.02,
    ),
    (
        "forecast: days by which the world's level shift is missed",
        "at most 7",
        FORECAST,
        lambda f: f["breaks"]["days_off"],
        "{:.0f}",
        lambda v: v <= 7,
    ),
)
