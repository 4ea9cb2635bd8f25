"""What can be asked: metrics and dimensions, from the declarations of tables and use cases.

Belongs here: names, words and expressions. Does not belong here: running them (`query.py`) and
reading questions (`grammar.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from engagement_assets.decisions.counterfactuals.tables import ADVICE
from engagement_assets.decisions.customers.unified import CUSTOMERS, CUSTOMERS_TABLE
from engagement_assets.features.catalogue import CUSTOMER_FEATURES, CUSTOMER_FEATURES_TABLE
from engagement_assets.features.feature import Feature
from engagement_assets.governance.privacy.masking import of_groups_only
from engagement_assets.governance.tables import (
    FAIRNESS_MEASURES,
    FAIRNESS_MEASURES_TABLE,
    KNOWN_TABLES,
)
from engagement_assets.models.specs import MODELS
from resources.tables import Column

Aggregate = Literal["avg", "sum"]
VIEW = "customers"
COUNT = "count"
AGE_BAND = "age_band"
# One row a customer: features and what use cases say, of the last day that has both.
VIEWS: Mapping[str, tuple[str, ...]] = {
    VIEW: (CUSTOMER_FEATURES, CUSTOMERS),
    "influencers": ("network/influencers",),
    "forecast": ("forecast/predictions",),
    "programme": ("value/programme",),
    "fairness": (FAIRNESS_MEASURES,),
    "advice": (ADVICE.key,),
}
# Columns that no question reads: lists of items and which version made a row.
_UNASKED = ("_version", "recommended_items")
_NUMBERS = ("int64", "float64", "float32")
# Shorter words for what people ask most.
ALIASES = {
    "engagement": "engagement_score",
    "churn": "churn_probability",
    "churn risk": "churn_probability",
    "expected future revenue": "future_revenue_usd",
    "revenue": "transaction_revenue_month",
    "health": "customer_health",
}


@dataclass(frozen=True)
class Metric:
    """A number a customer, and how it is summed up.

    Attributes:
        column: Its column in the view `customers`.
        words: What it is called.
        unit: Its unit.
        aggregate: How it is summed up where a question does not say; None where it must say.
        of_groups_only: Whether it is shown of groups and of no single customer.
    """

    column: str
    words: str
    unit: str
    aggregate: Aggregate | None
    of_groups_only: bool


def _words(column: str) -> str:
    return column.removesuffix("_usd").removesuffix("_month").replace("_", " ")


def _asked(column: Column) -> bool:
    # what is only made coarse is asked for of groups
    return column.masking not in {"pseudonym", "withheld"} and not any(
        part in column.name for part in _UNASKED
    )


def _metric(column: Column) -> Metric:
    adds_up = column.name.endswith("_month") and (
        column.type == "int64" or column.name.endswith("revenue_month")
    )
    expected = column.name.startswith("future_revenue")
    unit = "USD" if "_usd" in column.name or "revenue" in column.name else column.unit
    return Metric(
        column.name,
        _words(column.name),
        unit,
        "sum" if adds_up or expected else None,
        of_groups_only(column),
    )


_COLUMNS = tuple(
    column
    for column in (*CUSTOMER_FEATURES_TABLE.columns, *CUSTOMERS_TABLE.columns)
    if _asked(column)
)
METRICS: dict[str, Metric] = {
    column.name: _metric(column) for column in _COLUMNS if column.type in _NUMBERS
}
DIMENSIONS: tuple[str, ...] = (
    AGE_BAND,
    *dict.fromkeys(
        column.name
        for column in _COLUMNS
        if column.type == "string"
        and (isinstance(column, Feature) or column.allowed or column.name == "segment")
    ),
)
DIMENSION_WORDS: dict[str, str] = {
    **{name.replace("_", " "): name for name in DIMENSIONS},
    "region": "location",
    "regions": "location",
    "device": "primary_device",
    "time of day": "primary_time_of_day",
}
METRIC_WORDS: dict[str, str] = {
    **{metric.words: name for name, metric in METRICS.items()},
    **{name: name for name in METRICS},
    **{words: name for words, name in ALIASES.items() if name in METRICS},
}
# What counterfactuals are asked for by, with the model whose score it is.
ADVISED: dict[str, str] = {spec.score: spec.name for spec in MODELS if spec.goal is not None}
REASONS: dict[str, str] = {
    "churn_probability": "churn_reasons",
    "engagement_score": "engagement_reasons",
    "lifetime_value_usd": "value_reasons",
    "future_revenue_usd": "value_reasons",
    "customer_health": "health_reasons",
}
MEANINGS: dict[str, Column] = {
    column.name: column
    for table in (*KNOWN_TABLES, FAIRNESS_MEASURES_TABLE, CUSTOMERS_TABLE, CUSTOMER_FEATURES_TABLE)
    for column in table.columns
    if column.meaning and _asked(column)
}
