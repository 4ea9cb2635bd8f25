"""The engagement model on the lifecycle: how much a customer will use the app in the next days.

Belongs here: what differs from other models that learn a label. Does not belong here: learning,
measuring and wording themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pandas as pd

from engagement_assets.features.labels import Label
from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.regression import squared_error_advantage
from engagement_assets.learning.trees.boosted import named_columns
from engagement_assets.learning.trees.regressor import BoundedBoostingRegressor
from engagement_assets.lifecycle.predictor import Context, Predictions, Predictor, explained
from engagement_assets.lifecycle.spec import ModelSpec
from engagement_assets.lifecycle.tabular import LabelledSnapshots
from engagement_assets.models.engagement.fairness import assess
from engagement_assets.models.engagement.reports import evaluation_markdown, product_report
from engagement_assets.models.engagement.spec import LABEL, SPEC
from engagement_assets.models.engagement.training import train_engagement
from resources.registry import RegisteredModel


class EngagementAdapter(LabelledSnapshots):
    """Engagement of every customer; see `ModelAdapter`."""

    spec: ClassVar[ModelSpec] = SPEC
    label: ClassVar[Label] = LABEL
    target = LABEL.name
    output = "engagement_score"
    learn = staticmethod(train_engagement)
    fairness_of = staticmethod(assess)
    advantage_of = staticmethod(squared_error_advantage)
    report_of = staticmethod(evaluation_markdown)

    def open(self, model: RegisteredModel, *, threads: int) -> BoundedBoostingRegressor:
        """Load a version's regressor."""
        regressor = BoundedBoostingRegressor.load(model.folder)
        regressor.set_params(n_jobs=threads)
        return regressor

    def score(self, estimator: Any, rows: pd.DataFrame) -> Floats:
        """Return the n expected scores."""
        score: Floats = estimator.predict(rows[list(estimator.feature_names_in_)])
        return score

    def load(
        self,
        model: RegisteredModel,
        *,
        parameters: Mapping[str, Any],  # noqa: ARG002 - others need them
        threads: int,
    ) -> Predictor:
        """Load a version, ready to predict many times."""
        regressor = self.open(model, threads=threads)

        def predictor(rows: pd.DataFrame, context: Context) -> Predictions:  # noqa: ARG001 - others need it
            rows = rows.reset_index(drop=True)
            inputs = named_columns(rows, list(regressor.feature_names_in_))
            return explained(
                {
                    "customer_id": rows["customer_id"],
                    "engagement_score": regressor.predict(inputs),
                },
                inputs,
                explanation=regressor.explain(inputs),
                typical=regressor.typical_values_,
                unit=regressor.margin_unit,
            )

        return predictor

    def figures(self, table: pd.DataFrame) -> dict[str, float | int]:
        """Return the mean score and the share over a half."""
        score = table["engagement_score"]
        return {
            "mean_score": float(score.mean()) if len(score) else 0.0,
            "share_over_half": float((score > 0.5).mean()) if len(score) else 0.0,
        }

    def explanation_report(
        self, predictions: Predictions, rows: pd.DataFrame
    ) -> tuple[dict[str, Any], str]:
        """Return what moves engagement, for those who make the product."""
        assert predictions.explanation is not None  # noqa: S101 - for the type checker
        score = predictions.table["engagement_score"]
        return product_report(predictions.explanation, rows, score, margin_unit=predictions.unit)
