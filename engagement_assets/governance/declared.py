"""The review queue's declaration.

Belongs here: names and columns. Does not belong here: the SQL that makes it (`sql/governance/`).
"""

from engagement_assets.decisions.customers.declared import KNOWN_TABLES as BELOW
from engagement_assets.features.catalogue import KEY_COLUMNS
from engagement_assets.lifecycle.spec import REASONS
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
# every table of the lake
KNOWN_TABLES: tuple[Table, ...] = (*BELOW, REVIEW_QUEUE_TABLE)
