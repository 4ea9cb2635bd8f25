"""The unified predictions' declaration.

Belongs here: names, columns and texts. Does not belong here: the SQL that makes them
(`sql/predictions/`).
"""

from datetime import date

from engagement_assets.features.catalogue import KEY_COLUMNS, OWNER
from engagement_assets.features.tables import KNOWN_TABLES as BELOW
from engagement_assets.models.specs import MODELS
from resources.sql import ParameterValue
from resources.tables import Column, Table

CUSTOMERS = "predictions/customers"
CHANGES = "predictions/changes"
# A score between 0 and 1 that moves by less is no news; health counts a hundred times that.
LEAST_CHANGE = 0.05
# What is due besides what a churn band asks for.
RETENTION_ACTION = "retention call (high value, low engagement)"
REVIEW_ACTION = "human review"


def _reasons(column: str, words: str) -> Column:
    return Column(column, "string", f"Why: the strongest reasons of {words}")


def _version(model: str) -> Column:
    return Column(f"{model}_version", "string", f"Champion of {model} that predicted, or null")


CUSTOMERS_TABLE = Table(
    CUSTOMERS,
    (
        *KEY_COLUMNS,
        Column("engagement_score", "float64", "Engagement of the next 7 days (0-1)"),
        _reasons("engagement_reasons", "the engagement score"),
        Column(
            "churn_probability",
            "float64",
            "Calibrated probability of no session in the 30 days after (0-1); null "
            "where there was none in the 30 days before",
        ),
        Column("churn_band", "string", "high, medium or low"),
        Column("above_cost_threshold", "bool", "Whether contacting pays at stated costs"),
        _reasons("churn_reasons", "the churn probability"),
        Column("future_revenue_usd", "float64", "Expected revenue of 180 days (USD)"),
        Column("future_revenue_usd_p10", "float64", "Its 10 % quantile (USD)"),
        Column("future_revenue_usd_p50", "float64", "Its median (USD)"),
        Column("future_revenue_usd_p90", "float64", "Its 90 % quantile (USD)"),
        Column("lifetime_value_usd", "float64", "Revenue to date and to come (USD)"),
        Column("retention_priority", "bool", "High value and low engagement"),
        Column("is_vip", "bool", "Among the tenth of highest value"),
        Column(
            "acquire_channels",
            "string",
            "Channels whose cost a customer of this value is worth, by comma",
        ),
        _reasons("value_reasons", "the value"),
        Column("anomaly_score", "float64", "How unlike the others (0-1)"),
        Column("anomaly_kind", "string", "Kind of anomaly of those for review"),
        Column("needs_review", "bool", "Whether a person should look"),
        _reasons("anomaly_reasons", "the anomaly score"),
        Column("recommended_items", "string", "Posts to show, best first (JSON list)"),
        Column("recommendation_source", "string", "What brought most of them in"),
        Column("refined_churn_probability", "float64", "Churn by the ensemble (0-1)"),
        Column("refined_engagement_score", "float64", "Engagement by the ensemble (0-1)"),
        Column("refined_future_revenue_usd", "float64", "Revenue by the ensemble (USD)"),
        Column("customer_health", "float64", "One score of all (0-100)"),
        _reasons("health_reasons", "the health"),
        Column("actions_due", "string", "What the product's rules ask for"),
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
    ),
    description="Everything that the models say of a customer, one row a customer: scores, bands, "
    "quantiles, reasons, recommended posts, actions due, model versions.",
    unique=("customer_id",),
    owner=OWNER,
    steady=True,
)

CHANGES_TABLE = Table(
    CHANGES,
    (
        *KEY_COLUMNS,
        Column("engagement_change", "float64", "Engagement now less yesterday's"),
        Column("churn_change", "float64", "Churn probability now less yesterday's"),
        Column("lifetime_value_change_usd", "float64", "Value now less yesterday's"),
        Column("anomaly_change", "float64", "Anomaly score now less yesterday's"),
        Column("health_change", "float64", "Health now less yesterday's (points)"),
        Column("churn_band_before", "string", "Yesterday's band, or null"),
        Column("churn_band_now", "string", "Today's band, or null"),
        Column("needs_review_before", "bool", "For review yesterday", nullable=False),
        Column("needs_review_now", "bool", "For review today", nullable=False),
        Column("why", "string", "A new model, or what changed", nullable=False),
        Column("churn_reasons_before", "string", "Yesterday's reasons of churn"),
        Column("churn_reasons_now", "string", "Today's reasons of churn"),
        Column("engagement_reasons_before", "string", "Yesterday's reasons of use"),
        Column("engagement_reasons_now", "string", "Today's reasons of use"),
    ),
    description="What moved since the day before and why: customers of whom a score moved by "
    f"{LEAST_CHANGE} or more, or whose band or review changed.",
    unique=("customer_id",),
    owner=OWNER,
)
KNOWN_TABLES: tuple[Table, ...] = (
    *BELOW,
    *(spec.table for spec in MODELS),
    CUSTOMERS_TABLE,
    CHANGES_TABLE,
)


def customer_parameters(day: date) -> dict[str, ParameterValue]:
    """Parameters of the SQL of the unified predictions."""
    return {
        "snapshot_date": day,
        "retention_action": RETENTION_ACTION,
        "review_action": REVIEW_ACTION,
    }
