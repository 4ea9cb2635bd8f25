"""The tables of experiments.

Belongs here: their declarations. Does not belong here: what makes them (`sql/experiments/`,
`measuring.py`).
"""

from engagement_assets.signals.tables import KNOWN_TABLES as BELOW
from resources.tables import Column, Table

OWNER = "team:data-science"
REPORT = "experiments/report"


def _id(name: str, meaning: str, *, customer: bool = False) -> Column:
    return Column(name, "string", meaning, nullable=False, names_customer=customer)


def _number(name: str, meaning: str) -> Column:
    return Column(name, "float64", meaning)


def _share(name: str, meaning: str) -> Column:
    return Column(name, "float64", meaning, "0-1", minimum=0, maximum=1)


_DAY = Column("snapshot_date", "date", "The day", nullable=False)
_EXPERIMENT = _id("experiment", "The experiment")
_CUSTOMER = _id("customer_id", "The customer", customer=True)

ASSIGNMENTS = Table(
    "experiments/assignments",
    (
        _EXPERIMENT,
        _CUSTOMER,
        _DAY,
        _id("variant", "The variant"),
        Column(
            "variant_rank", "int64", "1 for the first variant given, which counts", nullable=False
        ),
        Column("assigned_at", "timestamp", "When it was given (UTC)", nullable=False),
        _share("propensity", "Chance with which it was given, or null"),
    ),
    description="Which customer was given which variant of which experiment, as known by the day; "
    "the first one counts, a second one says that the assignment was changed midway.",
    unique=("experiment", "customer_id", "variant"),
    owner=OWNER,
)
EXPOSURES = Table(
    "experiments/exposures",
    (
        _EXPERIMENT,
        _CUSTOMER,
        _DAY,
        Column("variant", "string", "The variant; null without an assignment"),
        Column("assigned_at", "timestamp", "When it was given (UTC), or null"),
        Column("first_exposed_at", "timestamp", "First exposure (UTC)", nullable=False),
        Column("exposures", "int64", "Exposures", "exposures", nullable=False, minimum=1),
    ),
    description="Who met what an experiment tests, as known by the day.",
    unique=("experiment", "customer_id"),
    owner=OWNER,
)
RESULTS = Table(
    "experiments/results",
    (
        _EXPERIMENT,
        _id("metric", "The metric"),
        _id("variant", "The variant that is compared with the control"),
        _DAY,
        _id("role", "primary, secondary or guardrail"),
        _id("verdict", "better, worse, no effect shown or not judged"),
        _id("reason", "Why it is not judged, or empty"),
        _id("experiment_verdict", "The experiment's: blocked, stop, or that of its primary metric"),
        _id("blocked", "Why nothing may be concluded from the experiment, or empty"),
        Column("from_experiment", "bool", "Whether variants had known chances", nullable=False),
        Column("window_days", "int64", "Days of outcome", "days", nullable=False),
        Column("units_control", "int64", "Customers of the control", "customers", nullable=False),
        Column("units", "int64", "Customers of the variant", "customers", nullable=False),
        _number("mean_control", "The control's mean, adjusted by what went before"),
        _number("mean", "The variant's mean, adjusted"),
        _number("difference", "The variant's mean less the control's"),
        _number("low", "Lower end of its 95 % interval at one look"),
        _number("high", "Upper end"),
        _number("standard_error", "Its standard error"),
        _number("anytime_low", "Lower end of the interval that holds at any look"),
        _number("anytime_high", "Upper end"),
        _number("relative", "The variant's mean over the control's, less one"),
        _number("relative_low", "Lower end of its interval at one look"),
        _number("relative_high", "Upper end"),
        _share("p_value", "Of one look"),
        _share("anytime_p_value", "That holds at any look"),
        _share(
            "corrected_p_value",
            "The same, corrected over the metrics of the role; null where not judged",
        ),
        _share("variance_reduction", "Share of variance that what went before took away"),
        _number("least_detectable", "Effect seen in four of five such experiments"),
        _number("shrunk", "The likeliest effect of one that is shown: the winner's curse"),
    ),
    description="What each experiment shows by the day: a row an experiment, metric and variant, "
    "with intervals at one look and at any, and a verdict.",
    unique=("experiment", "metric", "variant"),
    owner=OWNER,
    without_customer="a row is about arms of many customers",
)
TABLES = (ASSIGNMENTS, EXPOSURES, RESULTS)
KNOWN_TABLES: tuple[Table, ...] = (*BELOW, *TABLES)
