"""The churn model on the lifecycle: which active customers will have no session in 30 days.

Belongs here: what differs from other models that learn a label. Does not belong here: learning,
measuring and wording themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.features.labels import Label
from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.metrics import paired_auc_difference
from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier
from engagement_assets.lifecycle.predictor import Context, Predictions, Predictor, explained
from engagement_assets.lifecycle.spec import ModelSpec
from engagement_assets.lifecycle.tabular import LabelledSnapshots
from engagement_assets.models.churn.fairness import assess
from engagement_assets.models.churn.reports import evaluation_markdown
from engagement_assets.models.churn.spec import LABEL, SPEC
from engagement_assets.models.churn.training import train_churn
from resources.registry import RegisteredModel


class ChurnAdapter(LabelledSnapshots):
    """Churn of customers who used the app in the month; see `ModelAdapter`."""

    spec: ClassVar[ModelSpec] = SPEC
    label: ClassVar[Label] = LABEL
    target = LABEL.name
    output = "churn_probability"
    learn = staticmethod(train_churn)
    fairness_of = staticmethod(assess)
    advantage_of = staticmethod(paired_auc_difference)
    report_of = staticmethod(evaluation_markdown)

    def open(self, model: RegisteredModel, *, threads: int) -> CalibratedBoostingClassifier:
        """Load a version's classifier."""
        classifier = CalibratedBoostingClassifier.load(model.folder)
        classifier.set_params(n_jobs=threads)
        return classifier

    def score(self, estimator: Any, rows: pd.DataFrame) -> Floats:
        """Return the n probabilities of churn."""
        probability: Floats = estimator.predict_proba(rows[list(estimator.feature_names_in_)])[:, 1]
        return probability

    def scored(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        """Return who used the app in the month."""
        active: NDArray[np.bool_] = (rows["logins_month"] > 0).to_numpy(np.bool_)
        return active

    def load(
        self,
        model: RegisteredModel,
        *,
        parameters: Mapping[str, Any],  # noqa: ARG002 - others need them
        threads: int,
    ) -> Predictor:
        """Load a version, ready to predict many times."""
        classifier = self.open(model, threads=threads)

        def predictor(rows: pd.DataFrame, context: Context) -> Predictions:  # noqa: ARG001 - others need it
            active = rows[self.scored(rows)].reset_index(drop=True)
            if active.empty:
                return Predictions(SPEC.nobody())
            inputs = active[list(classifier.feature_names_in_)]
            probability = self.score(classifier, inputs)
            return explained(
                {
                    "customer_id": active["customer_id"],
                    "churn_probability": probability,
                    "above_cost_threshold": probability >= classifier.threshold_,
                },
                inputs,
                explanation=classifier.explain(inputs),
                typical=classifier.typical_values_,
            )

        return predictor

    def figures(self, table: pd.DataFrame) -> dict[str, float | int]:
        """Return the mean probability."""
        return {"mean_probability": float(table["churn_probability"].mean()) if len(table) else 0.0}
