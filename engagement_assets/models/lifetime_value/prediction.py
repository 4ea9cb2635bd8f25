"""Predicting and explaining a snapshot with a registered value model.

Belongs here: from a snapshot to money with reasons. Does not belong here: what the business does
with it (`applications.py`).
"""

from dataclasses import dataclass

import pandas as pd

from engagement_assets.learning.explanations.shap_values import Explanation, top_reasons
from engagement_assets.learning.trees.boosted import named_columns
from engagement_assets.models.lifetime_value.applications import lifetime_value
from engagement_assets.models.lifetime_value.inputs import REVENUE
from engagement_assets.models.lifetime_value.model import ValueModel
from resources.registry import RegisteredModel


@dataclass(frozen=True)
class Predicted:
    """Predictions of one snapshot.

    Attributes:
        table: One row a customer: `customer_id`, `future_revenue_usd_p10`, `_p50` and `_p90`,
            `future_revenue_usd` (the mean), `payment_chance`, `lifetime_value_usd` and the reasons.
        explanation: SHAP values of the same rows.
        margin_unit: The unit of the contributions.
    """

    table: pd.DataFrame
    explanation: Explanation
    margin_unit: str


def predict_value(
    model: RegisteredModel, snapshot: pd.DataFrame, *, k: int, n_jobs: int
) -> Predicted:
    """Predict and explain every customer of a snapshot.

    Args:
        model: The version that predicts.
        snapshot: Rows of `features/customer_features`.
        k: Reasons a customer.
        n_jobs: Threads.
    """
    return value_of(load_value(model, n_jobs=n_jobs), snapshot, k=k)


def load_value(model: RegisteredModel, *, n_jobs: int) -> ValueModel:
    """The value model of a version, ready to predict many times."""
    value = ValueModel.load(model.folder)
    value.regressor.set_params(n_jobs=n_jobs)
    return value


def value_of(value: ValueModel, snapshot: pd.DataFrame, *, k: int) -> Predicted:
    """As `predict_value`, with a model that is loaded already."""
    regressor = value.regressor
    rows = snapshot.reset_index(drop=True)
    past = named_columns(rows, ["customer_id", REVENUE])
    inputs = value.inputs(rows)
    explanation = regressor.explain(inputs)
    reasons = top_reasons(explanation, inputs, typical=regressor.typical_values_, k=k)
    mean, chance, quantiles = regressor.predict_all(inputs)
    table = pd.DataFrame(
        {
            "customer_id": past["customer_id"],
            "future_revenue_usd_p10": quantiles[:, 0],
            "future_revenue_usd_p50": quantiles[:, 1],
            "future_revenue_usd_p90": quantiles[:, 2],
            "future_revenue_usd": mean,
            "payment_chance": chance,
            "lifetime_value_usd": lifetime_value(past[REVENUE], mean),
        }
    )
    return Predicted(pd.concat([table, reasons], axis=1), explanation, regressor.margin_unit)
