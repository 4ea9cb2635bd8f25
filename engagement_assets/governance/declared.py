"""The review queue's declaration.

Belongs here: names and columns. Does not belong here: the SQL that makes it (`sql/governance/`).
"""

from engagement_assets.lifecycle.spec import REASONS
from resources.schema import Column, TableSchema

REVIEW_QUEUE = "governance/review_queue"
# How far back an unbroken need of review is followed.
FLAGGED_DAYS = 30

REVIEW_QUEUE_SCHEMA = TableSchema(
    (
        Column("customer_id", "string", nullable=False, description="The customer"),
        Column("snapshot_date", "date", nullable=False, description="Date of the features"),
        Column(
            "anomaly_score", "float64", nullable=False, description="How unlike the others (0-1)"
        ),
        Column("kind", "string", description="unusual, sudden_drop, data_error or fraud_like"),
        Column("flagged_since", "date", nullable=False, description="First day for review"),
        Column("last_reviewed_on", "date", description="Last verdict before that, or null"),
        *(
            Column(f"reason_{n}_{part}", "string", description=f"Reason {n}: the {words}")
            for n in range(1, REASONS + 1)
            for part, words in (
                ("feature", "feature"),
                ("value", "value"),
                ("typical", "typical value"),
            )
        ),
        Column("model_version", "string", nullable=False, description="Champion that scored"),
    )
)
