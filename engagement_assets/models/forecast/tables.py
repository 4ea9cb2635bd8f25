"""The tables that are made of a day's forecasts, besides the forecasts themselves.

Belongs here: names and columns. Does not belong here: what makes them (`assets.py`).
"""

from resources.tables import Column, Table

GROUP, OWNER = "forecast", "team:data-science"
NO_CUSTOMER = "a row is about all customers of a location, device or segment, or everywhere"
_DAY = Column("snapshot_date", "date", "Day at whose end (UTC) it was made", nullable=False)
SERIES = (
    Column(
        "metric",
        "string",
        "What is counted: engagement (sum of the daily engagement of all), active_customers, "
        "sessions, messages, revenue_usd",
        nullable=False,
    ),
    Column("breakdown", "string", "total, location, device or segment", nullable=False),
    Column("part", "string", "The location, device or segment; all for a total", nullable=False),
)
TARGET_DAY = Column("target_day", "date", "The day that is forecast (UTC)", nullable=False)
HORIZON = Column("horizon", "int64", "Days ahead", "days", nullable=False, minimum=1, maximum=7)
VALUE = (
    Column("value", "float64", "The forecast; parts add up to their total", nullable=False),
    Column("low", "float64", "Lower end of the 95 % interval", nullable=False),
    Column("high", "float64", "Upper end of the 95 % interval", nullable=False),
)

ACCURACY = Table(
    f"{GROUP}/accuracy",
    (
        _DAY,
        *SERIES,
        TARGET_DAY,
        HORIZON,
        *VALUE,
        Column("actual", "float64", "What it was, as known at the snapshot's end", nullable=False),
        Column("covered", "bool", "Whether it lay in the interval", nullable=False),
        Column("model_version", "string", "Champion that had forecast it", nullable=False),
    ),
    description="The forecasts of the day before beside what it was: once late rows are in.",
    unique=("metric", "breakdown", "part", "horizon"),
    owner=OWNER,
    without_customer=NO_CUSTOMER,
)
HOURS = Table(
    f"{GROUP}/hours",
    (
        _DAY,
        Column("starts_at", "timestamp", "Beginning of the hour (UTC)", nullable=False),
        HORIZON,
        Column("sessions", "float64", "Sessions forecast to begin in it", nullable=False),
        Column(
            "p95",
            "float64",
            "Sessions that it exceeds in one of twenty such hours",
            nullable=False,
        ),
        Column("units", "int64", "Units to provision for that", "units", nullable=False, minimum=0),
        Column(
            "is_peak",
            "bool",
            "Whether it is one of the three hours in a row with the most sessions of its day: the "
            "day's marketing window",
            nullable=False,
        ),
        Column("model_version", "string", "Champion that made the row", nullable=False),
    ),
    description="The capacity plan: sessions of each hour of the next seven days, and what to "
    "provision. Sessions of who refuses analytics are not counted: provision for them besides.",
    unique=("starts_at",),
    owner=OWNER,
    without_customer=NO_CUSTOMER,
)
TABLES = (ACCURACY, HOURS)
