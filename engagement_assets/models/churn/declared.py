"""What the churn assets and their checks share: names, schema, and the checks themselves.

Belongs here: declarations. Does not belong here: making anything (`assets.py`, `daily.py`) and
judging it (`checks.py`).
"""

import dagster as dg

from engagement_assets.features.labels import LABELS
from engagement_assets.models.champion import AUC_FLOOR, CALIBRATION_CEILING
from resources.checks import PSI_LIMIT
from resources.schema import Column, TableSchema

NAME = "churn"
PREDICTIONS = f"{NAME}/predictions"
LABEL = LABELS["churn_30_day"]
OWNERS = ["team:data-science"]
CODE_VERSION = "1"
REASONS = 3

PREDICTIONS_SCHEMA = TableSchema(
    (
        Column("customer_id", "string", nullable=False, description="The customer"),
        Column("snapshot_date", "date", nullable=False, description="Date of the features"),
        Column(
            "churn_probability",
            "float64",
            nullable=False,
            description="Calibrated probability of no session in the 30 days after (0-1)",
        ),
        Column("band", "string", nullable=False, description="high over 0.7, medium over 0.5, low"),
        Column("action", "string", nullable=False, description="What the product's rule asks for"),
        Column(
            "above_cost_threshold",
            "bool",
            nullable=False,
            description="Whether contacting pays at the stated costs",
        ),
        *(
            column
            for n in range(1, REASONS + 1)
            for column in (
                Column(f"reason_{n}_feature", "string", description=f"Reason {n}: the feature"),
                Column(f"reason_{n}_value", "string", description=f"Reason {n}: its value"),
                Column(f"reason_{n}_typical", "string", description=f"Reason {n}: typical value"),
                Column(
                    f"reason_{n}_contribution",
                    "float64",
                    description=f"Reason {n}: SHAP contribution (log-odds)",
                ),
            )
        ),
        Column("model_version", "string", nullable=False, description="Champion that predicted"),
    )
)

QUALITY = dg.AssetCheckSpec(
    "quality_floor",
    # on the report, not on the model: a candidate that fails is still reported on
    asset=[NAME, "evaluation"],
    description=f"AUC on other people at a later time is at least {AUC_FLOOR}.",
    blocking=True,
)
CALIBRATION = dg.AssetCheckSpec(
    "calibration",
    asset=[NAME, "evaluation"],
    description=f"The expected calibration error is at most {CALIBRATION_CEILING}, or no more than "
    "a perfectly calibrated model would show on so few customers.",
    blocking=True,
)
EIGHTY_PERCENT = dg.AssetCheckSpec(
    "eighty_percent_rule",
    asset=[NAME, "fairness"],
    description="No group is flagged at less than 80 % of the rate of the most flagged group "
    "beyond chance.",
    blocking=True,
)
MODEL_BLOCKING = [QUALITY.key, CALIBRATION.key, EIGHTY_PERCENT.key]
PREDICTION_TEXTS = {
    "schema": "The partition is there, whole, and has the declared columns and types.",
    "keys": "Every customer is predicted once.",
    "bounds": "Every probability lies in 0 to 1.",
    "volume": "The number of predictions lies near that of the 7 days before.",
    "score_drift": "The distribution of scores is near that of the champion's test people "
    f"(population stability index at most {PSI_LIMIT}).",
}
PREDICTION_BLOCKING = ("schema", "keys", "bounds")
PREDICTION_SPECS = [
    dg.AssetCheckSpec(
        name, asset=[NAME, "predictions"], description=text, blocking=name in PREDICTION_BLOCKING
    )
    for name, text in PREDICTION_TEXTS.items()
]
ADDITIVITY = dg.AssetCheckSpec(
    "additivity",
    asset=[NAME, "explanations"],
    description="Base value plus contributions equals the model's score on a sample, and the "
    "fast exact method was used.",
)
