"""Predicting and explaining a snapshot with a registered churn model.

Belongs here: from a snapshot to probabilities with reasons. Does not belong here: bands and
actions (`bands.py`).
"""

from dataclasses import dataclass

import pandas as pd

from engagement_assets.learning.explanations.shap_values import Explanation, top_reasons
from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier
from resources.registry import RegisteredModel


@dataclass(frozen=True)
class Predicted:
    """Predictions of one snapshot.

    Attributes:
        table: One row an active customer: `customer_id`, `churn_probability`,
            `above_cost_threshold` and the reasons.
        explanation: SHAP values of the same rows.
    """

    table: pd.DataFrame
    explanation: Explanation


def predict_churn(
    model: RegisteredModel, snapshot: pd.DataFrame, *, k: int, n_jobs: int
) -> Predicted:
    """Predict and explain every active customer of a snapshot.

    Args:
        model: The version that predicts.
        snapshot: Rows of `features/customer_features`.
        k: Reasons a customer.
        n_jobs: Threads.
    """
    return churn_of(load_churn(model, n_jobs=n_jobs), snapshot, k=k)


def load_churn(model: RegisteredModel, *, n_jobs: int) -> CalibratedBoostingClassifier:
    """The classifier of a version, ready to predict many times."""
    classifier = CalibratedBoostingClassifier.load(model.folder)
    classifier.set_params(n_jobs=n_jobs)
    return classifier


def churn_of(
    classifier: CalibratedBoostingClassifier, snapshot: pd.DataFrame, *, k: int
) -> Predicted:
    """As `predict_churn`, with a classifier that is loaded already."""
    active = snapshot[snapshot["logins_month"] > 0].reset_index(drop=True)
    inputs = active[list(classifier.feature_names_in_)]
    probability = classifier.predict_proba(inputs)[:, 1]
    explanation = classifier.explain(inputs)
    reasons = top_reasons(explanation, inputs, typical=classifier.typical_values_, k=k)
    table = pd.DataFrame(
        {
            "customer_id": active["customer_id"],
            "churn_probability": probability,
            "above_cost_threshold": probability >= classifier.threshold_,
        }
    )
    return Predicted(pd.concat([table, reasons], axis=1), explanation)
