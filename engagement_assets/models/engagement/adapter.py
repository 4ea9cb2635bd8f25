"""What the engagement model does in its life: from the lake to candidate and predictions.

Belongs here: putting the pure modules of this folder behind the interface that every model has.
Does not belong here: learning, measuring and wording themselves.
"""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from engagement_assets.features.labels import Label
from engagement_assets.lifecycle.adapter import Inputs, Predicted
from engagement_assets.lifecycle.spec import REASONS
from engagement_assets.lifecycle.tabular import (
    LabelledSnapshots,
    explanation_figures,
    explanation_warnings,
    snapshot_rows,
)
from engagement_assets.models.engagement.fairness import assess
from engagement_assets.models.engagement.prediction import predict_engagement
from engagement_assets.models.engagement.promotion import champion_advantage
from engagement_assets.models.engagement.reports import evaluation_markdown, product_report
from engagement_assets.models.engagement.spec import LABEL
from engagement_assets.models.engagement.training import train_engagement
from resources.registry import RegisteredModel


class EngagementAdapter(LabelledSnapshots):
    """The engagement model's methods; see `ModelAdapter`."""

    label: ClassVar[Label] = LABEL
    learn = staticmethod(train_engagement)
    fairness_of = staticmethod(assess)
    advantage_of = staticmethod(champion_advantage)
    report_of = staticmethod(evaluation_markdown)

    def predict(self, inputs: Inputs, model: RegisteredModel, day: date) -> Predicted:
        """Predict and explain every customer of a snapshot."""
        rows = snapshot_rows(inputs, day)
        predicted = predict_engagement(model, rows, k=REASONS, n_jobs=inputs.threads)
        score, explanation = predicted.table["engagement_score"], predicted.explanation
        report, text = product_report(explanation, rows, score, margin_unit=predicted.margin_unit)
        return Predicted(
            predicted.table,
            explanation.summary() | report,
            text,
            figures={
                "mean_score": float(score.mean()) if len(score) else 0.0,
                "share_over_half": float((score > 0.5).mean()) if len(score) else 0.0,
            },
            explanation_figures=explanation_figures(explanation),
            warnings=explanation_warnings(explanation),
        )
