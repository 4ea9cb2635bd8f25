"""What the churn model does in its life: from the lake to candidate, fairness and predictions.

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
    explanation_markdown,
    explanation_warnings,
    snapshot_rows,
)
from engagement_assets.models.churn.bands import with_bands
from engagement_assets.models.churn.fairness import assess
from engagement_assets.models.churn.prediction import predict_churn
from engagement_assets.models.churn.promotion import champion_advantage
from engagement_assets.models.churn.reports import evaluation_markdown
from engagement_assets.models.churn.spec import LABEL, SPEC
from engagement_assets.models.churn.training import train_churn
from resources.registry import RegisteredModel


class ChurnAdapter(LabelledSnapshots):
    """The churn model's methods; see `ModelAdapter`."""

    label: ClassVar[Label] = LABEL
    learn = staticmethod(train_churn)
    fairness_of = staticmethod(assess)
    advantage_of = staticmethod(champion_advantage)
    report_of = staticmethod(evaluation_markdown)

    def predict(self, inputs: Inputs, model: RegisteredModel, day: date) -> Predicted:
        """Predict and explain every active customer of a snapshot."""
        rows = snapshot_rows(inputs, day)
        predicted = predict_churn(model, rows, k=REASONS, n_jobs=inputs.threads)
        probability, explanation = predicted.table["churn_probability"], predicted.explanation
        table = with_bands(predicted.table)
        counts = table["band"].value_counts()
        return Predicted(
            table,
            explanation.summary(),
            explanation_markdown(explanation, subject=SPEC.subject),
            figures={
                "mean_probability": float(probability.mean()) if len(table) else 0.0,
                **{f"band_{name}": int(counts.get(name, 0)) for name in ("high", "medium", "low")},
            },
            explanation_figures=explanation_figures(explanation),
            warnings=explanation_warnings(explanation),
        )
