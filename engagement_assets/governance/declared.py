"""The declarations of the review queue and of the long table of fairness.

Belongs here: names and columns. Does not belong here: what makes them (`sql/governance/`,
`fairness.py`).
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

FAIRNESS_MEASURES = "governance/fairness_measures"
FAIRNESS_MEASURES_SCHEMA = TableSchema(
    (
        Column("model", "string", nullable=False, description="The model"),
        Column("snapshot_date", "date", nullable=False, description="Day of the latest report"),
        Column("model_version", "string", nullable=False, description="The assessed candidate"),
        Column("verdict", "string", nullable=False, description="holds, fails or not judged"),
        Column("side", "string", nullable=False, description="Whose groups: customers or authors"),
        Column("attribute", "string", nullable=False, description="The sensitive attribute"),
        Column("group_name", "string", nullable=False, description="The group, or all judged ones"),
        Column("measure", "string", nullable=False, description="Name of the measure"),
        Column("value", "float64", description="Its value; null where unknown"),
        Column("low", "float64", description="Lower end of the 95 % interval"),
        Column("high", "float64", description="Upper end of the 95 % interval"),
        Column("people", "int64", nullable=False, description="Size of the group"),
        Column("judged", "bool", nullable=False, description="Whether the group was tested"),
        Column("ratio", "float64", description="Value over that of the highest judged group"),
        Column("due", "float64", description="The ratio that the truth gives the group, up to 1"),
        Column("p_value", "float64", description="Of the gap, corrected over the report"),
        Column(
            "least_detectable", "float64", description="Ratio seen in four of five samples, or null"
        ),
        Column("gap", "bool", nullable=False, description="Whether a gap is beyond chance"),
        Column("fails", "bool", nullable=False, description="Whether it counts against the model"),
        Column("reason", "string", nullable=False, description="Why it was not judged, or fails"),
    )
)
