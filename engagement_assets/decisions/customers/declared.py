"""The unified predictions' declaration.

Belongs here: names, columns and texts. Does not belong here: the SQL that makes them
(`sql/predictions/`).
"""

from collections.abc import Mapping
from datetime import date

from engagement_assets.features.snapshot import declared_schemas as feature_schemas
from engagement_assets.models.specs import MODELS
from resources.schema import Column, TableSchema
from resources.sql import ParameterValue

CUSTOMERS = "predictions/customers"
CHANGES = "predictions/changes"
# A score between 0 and 1 that moves by less is no news; health counts a hundred times that.
LEAST_CHANGE = 0.05
# What is due besides what a churn band asks for.
RETENTION_ACTION = "retention call (high value, low engagement)"
REVIEW_ACTION = "human review"


def _reasons(column: str, words: str) -> Column:
    return Column(column, "string", description=f"Why: the strongest reasons of {words}")


def _version(model: str) -> Column:
    return Column(
        f"{model}_version", "string", description=f"Champion of {model} that predicted, or null"
    )


_CUSTOMER = Column("customer_id", "string", nullable=False, description="The customer")
_DAY = Column("snapshot_date", "date", nullable=False, description="Date of the features")

CUSTOMERS_SCHEMA = TableSchema(
    (
        _CUSTOMER,
        _DAY,
        Column("engagement_score", "float64", description="Engagement of the next 7 days (0-1)"),
        _reasons("engagement_reasons", "the engagement score"),
        Column(
            "churn_probability",
            "float64",
            description="Calibrated probability of no session in the 30 days after (0-1); null "
            "where there was none in the 30 days before",
        ),
        Column("churn_band", "string", description="high, medium or low"),
        Column(
            "above_cost_threshold", "bool", description="Whether contacting pays at stated costs"
        ),
        _reasons("churn_reasons", "the churn probability"),
        Column("future_revenue_usd", "float64", description="Expected revenue of 180 days (USD)"),
        Column("future_revenue_usd_p10", "float64", description="Its 10 % quantile (USD)"),
        Column("future_revenue_usd_p50", "float64", description="Its median (USD)"),
        Column("future_revenue_usd_p90", "float64", description="Its 90 % quantile (USD)"),
        Column("lifetime_value_usd", "float64", description="Revenue to date and to come (USD)"),
        Column("retention_priority", "bool", description="High value and low engagement"),
        Column("is_vip", "bool", description="Among the tenth of highest value"),
        Column(
            "acquire_channels",
            "string",
            description="Channels whose cost a customer of this value is worth, by comma",
        ),
        _reasons("value_reasons", "the value"),
        Column("anomaly_score", "float64", description="How unlike the others (0-1)"),
        Column("anomaly_kind", "string", description="Kind of anomaly of those for review"),
        Column("needs_review", "bool", description="Whether a person should look"),
        _reasons("anomaly_reasons", "the anomaly score"),
        Column("recommended_items", "string", description="Posts to show, best first (JSON list)"),
        Column("recommendation_source", "string", description="What brought most of them in"),
        Column("refined_churn_probability", "float64", description="Churn by the ensemble (0-1)"),
        Column(
            "refined_engagement_score", "float64", description="Engagement by the ensemble (0-1)"
        ),
        Column(
            "refined_future_revenue_usd", "float64", description="Revenue by the ensemble (USD)"
        ),
        Column("customer_health", "float64", description="One score of all (0-100)"),
        _reasons("health_reasons", "the health"),
        Column("actions_due", "string", description="What the product's rules ask for"),
        *(
            _version(model)
            for model in (
                "engagement",
                "churn",
                "lifetime_value",
                "anomaly",
                "recommendation",
                "ensemble",
            )
        ),
    )
)

CHANGES_SCHEMA = TableSchema(
    (
        _CUSTOMER,
        _DAY,
        Column("engagement_change", "float64", description="Engagement now less yesterday's"),
        Column("churn_change", "float64", description="Churn probability now less yesterday's"),
        Column("lifetime_value_change_usd", "float64", description="Value now less yesterday's"),
        Column("anomaly_change", "float64", description="Anomaly score now less yesterday's"),
        Column("health_change", "float64", description="Health now less yesterday's (points)"),
        Column("churn_band_before", "string", description="Yesterday's band, or null"),
        Column("churn_band_now", "string", description="Today's band, or null"),
        Column("needs_review_before", "bool", nullable=False, description="For review yesterday"),
        Column("needs_review_now", "bool", nullable=False, description="For review today"),
        Column("why", "string", nullable=False, description="A new model, or what changed"),
        Column("churn_reasons_before", "string", description="Yesterday's reasons of churn"),
        Column("churn_reasons_now", "string", description="Today's reasons of churn"),
        Column("engagement_reasons_before", "string", description="Yesterday's reasons of use"),
        Column("engagement_reasons_now", "string", description="Today's reasons of use"),
    )
)


def customer_parameters(day: date) -> dict[str, ParameterValue]:
    """Parameters of the SQL of the unified predictions."""
    return {
        "snapshot_date": day,
        "retention_action": RETENTION_ACTION,
        "review_action": REVIEW_ACTION,
    }


def prediction_schemas() -> Mapping[str, TableSchema]:
    """Schemas of every table up to the unified predictions, as `<group>.<table>`.

    Give them to the engine as `declared`, so that a table without a partition is empty.
    """
    models = {spec.predictions.replace("/", "."): spec.schema for spec in MODELS}
    own = {CUSTOMERS: CUSTOMERS_SCHEMA, CHANGES: CHANGES_SCHEMA}
    unified = {name.replace("/", "."): schema for name, schema in own.items()}
    return feature_schemas() | models | unified
