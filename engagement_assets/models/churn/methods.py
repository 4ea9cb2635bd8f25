"""What the churn model does in its life: from the lake to candidate, fairness and predictions.

Belongs here: putting the pure modules of this folder behind the interface that every model has.
Does not belong here: learning, measuring and wording themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

from engagement_assets.evaluation.bootstrap import Interval
from engagement_assets.evaluation.metrics import paired_auc_difference
from engagement_assets.features.catalogue import MODEL_INPUTS
from engagement_assets.features.labels import Label
from engagement_assets.models.churn.bands import band_of
from engagement_assets.models.churn.declared import LABEL, SPEC
from engagement_assets.models.churn.estimator import ChurnClassifier
from engagement_assets.models.churn.fairness import Assessment, assess
from engagement_assets.models.churn.prediction import predict_churn
from engagement_assets.models.churn.reports import evaluation_markdown
from engagement_assets.models.churn.training import train_churn
from engagement_assets.models.dates import Snapshots
from engagement_assets.models.lifecycle.methods import Inputs, Predicted, Trained
from engagement_assets.models.lifecycle.spec import REASONS
from engagement_assets.models.tabular import (
    LabelledSnapshots,
    explanation_figures,
    explanation_markdown,
    explanation_warnings,
    snapshot_rows,
)
from engagement_assets.models.training import split_rows
from resources.registry import RegisteredModel


class ChurnMethods(LabelledSnapshots):
    """The churn model's methods; see `ModelMethods`."""

    label: ClassVar[Label] = LABEL

    def train(self, inputs: Inputs, snapshots: Snapshots) -> Trained:
        """Fit on the training people at the training snapshots, score the others later."""
        train, test = self.training_rows(inputs, snapshots)
        return train_churn(
            train,
            test,
            snapshots=snapshots,
            features=MODEL_INPUTS,
            parameters=inputs.parameters,
            n_bootstrap=inputs.bootstrap,
        )

    def evaluation_markdown(self, card: Mapping[str, Any]) -> str:
        """The evaluation of a version."""
        return evaluation_markdown(card)

    def assess(self, inputs: Inputs, model: RegisteredModel) -> Assessment:
        """The fairness of a version on its test people."""
        return assess(
            model.folder,
            self.test_rows(inputs, model),
            seed=inputs.seed,
            n_bootstrap=inputs.bootstrap,
        )

    def champion_lead(
        self, inputs: Inputs, champion: RegisteredModel, candidate: RegisteredModel
    ) -> Interval:
        """Champion minus candidate AUC on the candidate's test rows."""
        test = split_rows(self.test_rows(inputs, candidate), test=True)
        first, second = (
            ChurnClassifier.load(model.folder).predict_proba(test)[:, 1]
            for model in (champion, candidate)
        )
        return paired_auc_difference(
            test[LABEL.name], first, second, n_bootstrap=inputs.bootstrap, seed=inputs.seed
        )

    def predict(self, inputs: Inputs, model: RegisteredModel, day: date) -> Predicted:
        """Predict and explain every active customer of a snapshot."""
        rows = snapshot_rows(inputs, day)
        predicted = predict_churn(model, rows, k=REASONS, n_jobs=inputs.threads)
        probability, explanation = predicted.table["churn_probability"], predicted.explanation
        bands, actions = band_of(probability)
        table = predicted.table.assign(band=bands, action=actions)
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
