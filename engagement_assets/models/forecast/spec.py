"""The forecast's declaration.

Belongs here: names, columns, limits and texts. Does not belong here: what it does (`adapter.py`).
"""

from engagement_assets.lifecycle.gates import QualityGate
from engagement_assets.lifecycle.spec import ModelSpec
from engagement_assets.models.forecast.tables import (
    HORIZON,
    NO_CUSTOMER,
    SERIES,
    TARGET_DAY,
    VALUE,
)
from engagement_assets.models.segments.spec import SPEC as SEGMENTS
from resources.tables import Column

EVENTS = (
    "source/customers",
    "source/sessions",
    "source/interactions",
    "source/messages",
    "source/posts",
    "source/event_joins",
    "source/transactions",
)
# Coverage over a few hundred origins is this near to what is promised, or intervals are wrong.
MOST_COVERAGE_ERROR = 0.03

SPEC = ModelSpec(
    name="forecast",
    subject="use of the days to come",
    code_version="3",
    implementation="engagement_assets.models.forecast.adapter:ForecastAdapter",
    kinds=frozenset({"statsforecast", "prophet", "pytorch"}),
    learns_from=EVENTS,
    predicts_from=EVENTS,
    required=("source/customers", "source/sessions"),
    window_days=0,
    snapshots=1,
    least_days=60,
    reads_snapshots=False,
    lineage=(SEGMENTS.predictions,),
    reads_of_others=(SEGMENTS.table,),
    cadence="weekly",
    without=frozenset({"fairness", "explanations"}),
    without_customer=NO_CUSTOMER,
    online=False,
    parameters=("forecast_calendar", "sessions_a_unit"),
    gates=(
        QualityGate(
            check="better_than_seasonal_naive",
            metric="advantage",
            words="error below seasonal naive's",
            description="At rolling origins, the mean absolute scaled error of the totals is below "
            "that of the same day a week before.",
            at_least=0.0,
            customers="judged_origins",
        ),
        QualityGate(
            check="coverage",
            metric="coverage_error",
            words="distance of the intervals' coverage from 95 %",
            description="At rolling origins, the 95 % intervals hold 95 % of the values, give or "
            f"take {MOST_COVERAGE_ERROR:.0%} or what chance gives on so few days.",
            at_most=MOST_COVERAGE_ERROR,
            by_chance="coverage_by_chance",
            exact=True,
        ),
    ),
    comparison_metric="mean absolute scaled error",
    fairness=None,
    columns=(
        *SERIES,
        TARGET_DAY,
        HORIZON,
        *VALUE,
        Column(
            "to_usual",
            "float64",
            "The forecast over the mean of the last 28 days",
            nullable=False,
        ),
    ),
    key=("metric", "breakdown", "part", "target_day"),
    score="to_usual",
    texts={
        "model": "Candidate that forecasts engagement, active customers, sessions, messages and "
        "revenue of the next seven days, total and by location, device and segment: seasonal "
        "naive, AutoETS, a harmonic regression, Theta, AutoARIMA, Prophet and an LSTM, weighted by "
        "their errors at rolling origins.",
        "evaluation": "Errors of the combination and of each method at rolling origins, what "
        "weight each has and why, and how often the intervals hold.",
        "champion": "The weights and intervals that forecast. They move each week, if the "
        "candidate passes the checks.",
        "predictions": "The next seven days of each metric, total and by part, with 95 % "
        "intervals; parts add up to their total.",
    },
    purpose="Says what use to expect, so that capacity and campaigns are planned by it. It says "
    "what will be if things go on, and not what a campaign would change.",
    limits=(
        "Past days are counted without customers whose account was closed or erased since.",
        "A holiday that the history has not seen has an interval for any holiday.",
        "Of the last day, rows that come late (some 0.5 %) are not counted yet.",
        "Engagement, messages and revenue of a day count to the device of its first session.",
        "A customer counts to one segment on all days, the latest at the training: those of it are "
        "forecast, whoever joins it later. Without segments at the training there is no such part.",
        "What customers who refuse analytics do is not counted, nor are hours planned for it.",
    ),
)
