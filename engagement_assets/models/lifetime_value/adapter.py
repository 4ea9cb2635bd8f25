"""What the lifetime value model does in its life: from the lake to candidate and predictions.

Belongs here: putting the pure modules of this folder behind the interface that every model has.
Does not belong here: learning, measuring and wording themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from engagement_assets.features.catalogue import MODEL_INPUTS
from engagement_assets.features.labels import Label
from engagement_assets.learning.trees.revenue import TooFewPayersError
from engagement_assets.lifecycle.adapter import (
    Inputs,
    NotTrainableError,
    Predicted,
    Trained,
)
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.spec import REASONS
from engagement_assets.lifecycle.tabular import (
    LabelledSnapshots,
    explanation_figures,
    explanation_markdown,
    explanation_warnings,
    snapshot_rows,
)
from engagement_assets.models.lifetime_value.applications import application_columns
from engagement_assets.models.lifetime_value.fairness import assess
from engagement_assets.models.lifetime_value.prediction import predict_value
from engagement_assets.models.lifetime_value.promotion import champion_advantage
from engagement_assets.models.lifetime_value.reports import evaluation_markdown
from engagement_assets.models.lifetime_value.spec import COVERAGE, LABEL, SPEC
from engagement_assets.models.lifetime_value.training import train_value
from resources.registry import RegisteredModel

ENGAGEMENT = "engagement/predictions"
# of a normal distribution, within which chance stays in 95 % of samples
_DEVIATIONS_OF_CHANCE = 1.96


class LifetimeValueAdapter(LabelledSnapshots):
    """The lifetime value model's methods; see `ModelAdapter`."""

    label: ClassVar[Label] = LABEL
    fairness_of = staticmethod(assess)
    advantage_of = staticmethod(champion_advantage)
    report_of = staticmethod(evaluation_markdown)

    def train(self, inputs: Inputs, snapshots: Snapshots) -> Trained:
        """Fit on the training people at the training snapshots, score the others later."""
        train, test = (
            # the label's own name is the revenue to date and to come, of which the past is known
            rows.drop(columns=LABEL.name)
            for rows in self.training_rows(inputs, snapshots)
        )
        told = {name: value for name, value in inputs.parameters.items() if name != "channel_cac"}
        try:
            trained = train_value(
                train,
                test,
                snapshots=snapshots,
                features=MODEL_INPUTS,
                parameters=told,
                n_bootstrap=inputs.bootstrap,
                first_day=inputs.first_day,
            )
        except TooFewPayersError as error:
            raise NotTrainableError(str(error)) from error
        return replace(trained, card=_with_coverage_error(trained.card))

    def predict(self, inputs: Inputs, model: RegisteredModel, day: date) -> Predicted:
        """Predict and explain every customer of a snapshot, and say what follows."""
        rows = snapshot_rows(inputs, day)
        predicted = predict_value(model, rows, k=REASONS, n_jobs=inputs.threads)
        table, explanation = predicted.table, predicted.explanation
        costs: Mapping[str, float] = inputs.parameters["channel_cac"]
        applied = application_columns(
            table, engagement_score=_engagement(inputs, table["customer_id"], day), cac_usd=costs
        )
        table = table.join(applied)
        return Predicted(
            table,
            explanation.summary(),
            explanation_markdown(explanation, subject=SPEC.subject, unit=predicted.margin_unit),
            figures={
                "expected_revenue_usd": float(table["future_revenue_usd"].sum()),
                "vips": int(table["is_vip"].sum()),
                "retention_priorities": int(table["retention_priority"].sum()),
            },
            explanation_figures=explanation_figures(explanation),
            warnings=explanation_warnings(explanation),
        )


def _with_coverage_error(card: dict[str, Any]) -> dict[str, Any]:
    """How far the coverage lies from what it should be, and how far chance alone brings it."""
    metrics = card["metrics"]
    error = abs(metrics["coverage_atom_in_part"]["value"] - COVERAGE)
    deviation = math.sqrt(COVERAGE * (1.0 - COVERAGE) / card["test_customers"])
    return card | {
        "metrics": metrics | {"coverage_error": error},
        "coverage_error_by_chance": _DEVIATIONS_OF_CHANCE * deviation,
    }


def _engagement(inputs: Inputs, customers: pd.Series, day: date) -> pd.Series:
    """Predicted engagement of customers in their order; null where it is not predicted."""
    if not inputs.engine.lake.exists(ENGAGEMENT, day):
        return pd.Series(np.nan, index=customers.index)
    scores = inputs.engine.lake.read(
        ENGAGEMENT, days=[day], columns=["customer_id", "engagement_score"]
    ).to_pandas()
    found: pd.Series = customers.map(scores.set_index("customer_id")["engagement_score"])
    return found.astype(np.float64)
