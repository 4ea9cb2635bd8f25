"""The declarations of what the programme brought and of the business case.

Belongs here: names and columns. Does not belong here: what makes them (`measures.py`, `logs.py`,
`expectations.py`).
"""

from engagement_assets.governance.value.expectations import CANNOT_BE_TOLD, MET, NOT_MET
from engagement_assets.governance.value.measures import COUNTED
from resources.tables import Column, Table

GROUP, OWNER = "value", "team:governance"
NO_CUSTOMER = "a row is about all customers of an experiment"
_DAY = Column("snapshot_date", "date", "Last day that was counted", nullable=False)
_INTERVAL = "end of the 95 % interval"

PROGRAMME_TABLE = Table(
    f"{GROUP}/programme",
    (
        _DAY,
        Column("capability", "string", "The part of the programme, or `programme`", nullable=False),
        Column(
            "method",
            "string",
            "global holdout, own experiment, off-policy estimate or not measured",
            nullable=False,
        ),
        Column("source", "string", "The experiment or the log of decisions", nullable=False),
        Column("metric", "string", "What is measured of a customer", nullable=False),
        Column(
            "verdict",
            "string",
            f"better, worse, no effect shown, not judged, or {COUNTED} for what was spent",
            nullable=False,
        ),
        Column("reason", "string", "Why it was not judged, or what else there is to know"),
        Column("units_with", "int64", "Customers with the part, or decisions", nullable=False),
        Column("units_without", "int64", "Customers without it", nullable=False),
        Column("mean_with", "float64", "Mean with it"),
        Column("mean_without", "float64", "Mean without it"),
        Column("difference", "float64", "What it adds for each of those with it"),
        Column("low", "float64", f"Lower {_INTERVAL}, for one look"),
        Column("high", "float64", f"Upper {_INTERVAL}, for one look"),
        Column("anytime_low", "float64", f"Lower {_INTERVAL} that holds at any look"),
        Column("anytime_high", "float64", f"Upper {_INTERVAL} that holds at any look"),
        Column("relative", "float64", "The difference over the mean without"),
        Column("relative_low", "float64", f"Its lower {_INTERVAL}"),
        Column("relative_high", "float64", f"Its upper {_INTERVAL}"),
        Column("total", "float64", "The difference times those with it"),
        Column("total_low", "float64", f"Its lower {_INTERVAL} that holds at any look"),
        Column("total_high", "float64", f"Its upper {_INTERVAL} that holds at any look"),
        Column("variance_reduction", "float64", "Share of the variance taken away", "0-1"),
        Column("least_detectable", "float64", "Difference seen in four of five samples"),
    ),
    description="What the programme and each of its parts brought, metric by metric, with its "
    "interval and how it was measured.",
    unique=("capability", "source", "metric"),
    owner=OWNER,
    without_customer=NO_CUSTOMER,
)

CASE_TABLE = Table(
    f"{GROUP}/business_case",
    (
        _DAY,
        Column("name", "string", "What was to change", nullable=False),
        Column("metric", "string", "What measures it, or empty", nullable=False),
        Column("expected", "float64", "Expected relative change, or return", nullable=False),
        Column("measured", "float64", "Measured change, or null"),
        Column("low", "float64", f"Its lower {_INTERVAL} that holds at any look"),
        Column("high", "float64", f"Its upper {_INTERVAL} that holds at any look"),
        Column(
            "verdict",
            "string",
            "Whether it was met",
            nullable=False,
            allowed=(MET, NOT_MET, CANNOT_BE_TOLD),
        ),
        Column("reason", "string", "Why it cannot be told, or who measured it"),
        Column("customers", "int64", "Customers it was measured on"),
        Column("customers_needed", "int64", "Customers with whom it could be told"),
    ),
    description="What was expected of the programme beside what was measured, and how many "
    "customers it would take to tell.",
    unique=("name",),
    owner=OWNER,
    without_customer=NO_CUSTOMER,
)
TABLES = (PROGRAMME_TABLE, CASE_TABLE)
