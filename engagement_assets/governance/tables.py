"""The declarations of the review queue and of the long table of fairness.

Belongs here: names and columns. Does not belong here: what makes them (`sql/governance/`,
`fairness.py`).
"""

from engagement_assets.decisions.contact.tables import OUTBOX
from engagement_assets.decisions.counterfactuals.tables import TABLES as COUNTERFACTUAL_TABLES
from engagement_assets.decisions.customers.unified import KNOWN_TABLES as BELOW
from engagement_assets.decisions.experiments.tables import TABLES as EXPERIMENT_TABLES
from engagement_assets.features.catalogue import KEY_COLUMNS
from engagement_assets.governance.value.tables import TABLES as VALUE_TABLES
from engagement_assets.lifecycle.spec import REASONS
from engagement_assets.source.contract import CONSENT_PURPOSES
from resources.tables import Column, Table

REVIEW_QUEUE = "governance/review_queue"
# How far back an unbroken need of review is followed.
FLAGGED_DAYS = 30

REVIEW_QUEUE_TABLE = Table(
    REVIEW_QUEUE,
    (
        *KEY_COLUMNS,
        Column("anomaly_score", "float64", "How unlike the others (0-1)", nullable=False),
        Column("kind", "string", "unusual, sudden_drop, data_error or fraud_like"),
        Column("flagged_since", "date", "First day for review", nullable=False),
        Column("last_reviewed_on", "date", "Last verdict before that, or null"),
        *(
            Column(f"reason_{n}_{part}", "string", f"Reason {n}: the {words}")
            for n in range(1, REASONS + 1)
            for part, words in (
                ("feature", "feature"),
                ("value", "value"),
                ("typical", "typical value"),
            )
        ),
        Column("model_version", "string", "Champion that scored", nullable=False),
    ),
    description="Customers whom a person should look at, the highest anomaly score first, with "
    "reasons; a verdict in the table `reviews` takes a customer out.",
    unique=("customer_id",),
    owner="team:governance",
)

FAIRNESS_MEASURES = "governance/fairness_measures"
FAIRNESS_MEASURES_TABLE = Table(
    FAIRNESS_MEASURES,
    (
        Column("model", "string", nullable=False, meaning="The model"),
        Column("snapshot_date", "date", nullable=False, meaning="Day of the latest report"),
        Column("model_version", "string", nullable=False, meaning="The assessed candidate"),
        Column("verdict", "string", nullable=False, meaning="holds, fails or not judged"),
        Column("side", "string", nullable=False, meaning="Whose groups: customers or authors"),
        Column("attribute", "string", nullable=False, meaning="The sensitive attribute"),
        Column("group_name", "string", nullable=False, meaning="The group, or all judged ones"),
        Column("measure", "string", nullable=False, meaning="Name of the measure"),
        Column("value", "float64", meaning="Its value; null where unknown"),
        Column("low", "float64", meaning="Lower end of the 95 % interval"),
        Column("high", "float64", meaning="Upper end of the 95 % interval"),
        Column("people", "int64", nullable=False, meaning="Size of the group"),
        Column("judged", "bool", nullable=False, meaning="Whether the group was tested"),
        Column("ratio", "float64", meaning="Value over that of the highest judged group"),
        Column("due", "float64", meaning="The ratio that the truth gives the group, up to 1"),
        Column("p_value", "float64", meaning="Of the gap, corrected over the report"),
        Column(
            "least_detectable", "float64", meaning="Ratio seen in four of five samples, or null"
        ),
        Column("gap", "bool", nullable=False, meaning="Whether a gap is beyond chance"),
        Column("fails", "bool", nullable=False, meaning="Whether it counts against the model"),
        Column("reason", "string", nullable=False, meaning="Why it was not judged, or fails"),
    ),
    description="Every measure of every group of every model's latest fairness report: value, "
    "interval, p-value corrected over the report, the gap that would have been seen, and whether "
    "it fails.",
    unique=("model", "side", "attribute", "group_name", "measure"),
    owner="team:governance",
    without_customer="a row is about a group of customers",
)
CONSENT_LEDGER = "governance/consent_ledger"
CONSENT_LEDGER_TABLE = Table(
    CONSENT_LEDGER,
    (
        *KEY_COLUMNS,
        Column("purpose", "string", "For what", nullable=False, allowed=CONSENT_PURPOSES),
        Column("usable", "bool", "Whether they could be used for it that day", nullable=False),
        Column("since", "date", "Day of the latest statement; null where nothing is stated"),
    ),
    description="Who could be used for what on a day: every customer known by then and each "
    "purpose, by the latest statement known by then. Of whom nothing is stated, analytics is "
    "usable, and what a source without a table of consents grants for all.",
    unique=("customer_id", "purpose"),
    owner="team:governance",
)
# every table of the lake
KNOWN_TABLES: tuple[Table, ...] = (
    *BELOW,
    OUTBOX,
    *EXPERIMENT_TABLES,
    *COUNTERFACTUAL_TABLES,
    REVIEW_QUEUE_TABLE,
    FAIRNESS_MEASURES_TABLE,
    CONSENT_LEDGER_TABLE,
    *VALUE_TABLES,
)
