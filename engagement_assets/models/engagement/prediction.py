"""Predicting and explaining a snapshot with a registered engagement model.

Belongs here: from a snapshot to scores with reasons. Does not belong here: what is made of the
scores (`reports.py`, `engagement_assets.decisions`).
"""

from dataclasses import dataclass

import pandas as pd

from engagement_assets.learning.explanations.shap_values import Explanation, top_reasons
from engagement_assets.learning.trees.boosted import named_columns
from engagement_assets.learning.trees.regressor import BoundedBoostingRegressor
from resources.registry import RegisteredModel


@dataclass(frozen=True)
class Predicted:
    """Predictions of one snapshot.

    Attributes:
        table: One row a customer: `customer_id`, `engagement_score` and the reasons.
        explanation: SHAP values of the same rows.
        margin_unit: The unit of the contributions.
    """

    table: pd.DataFrame
    explanation: Explanation
    margin_unit: str


def predict_engagement(
    model: RegisteredModel, snapshot: pd.DataFrame, *, k: int, n_jobs: int
) -> Predicted:
    """Predict and explain every customer of a snapshot.

    Args:
        model: The version that predicts.
        snapshot: Rows of `features/customer_features`.
        k: Reasons a customer.
        n_jobs: Threads.
    """
    return engagement_of(load_engagement(model, n_jobs=n_jobs), snapshot, k=k)


def load_engagement(model: RegisteredModel, *, n_jobs: int) -> BoundedBoostingRegressor:
    """The regressor of a version, ready to predict many times."""
    regressor = BoundedBoostingRegressor.load(model.folder)
    regressor.set_params(n_jobs=n_jobs)
    return regressor


def engagement_of(
    regressor: BoundedBoostingRegressor, snapshot: pd.DataFrame, *, k: int
) -> Predicted:
    """As `predict_engagement`, with a regressor that is loaded already."""
    rows = snapshot.reset_index(drop=True)
    inputs = named_columns(rows, list(regressor.feature_names_in_))
    explanation = regressor.explain(inputs)
    reasons = top_reasons(explanation, inputs, typical=regressor.typical_values_, k=k)
    table = pd.DataFrame(
        {"customer_id": rows["customer_id"], "engagement_score": regressor.predict(inputs)}
    )
    return Predicted(pd.concat([table, reasons], axis=1), explanation, regressor.margin_unit)
