"""The lifetime value model on the lifecycle: what a customer will bring in, and has brought in.

Belongs here: what differs from other models that learn a label. Does not belong here: learning,
measuring and wording themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pandas as pd

from engagement_assets.features.catalogue import MODEL_INPUTS
from engagement_assets.features.labels import Label
from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.regression import squared_error_advantage
from engagement_assets.learning.trees.boosted import named_columns
from engagement_assets.learning.trees.revenue import TooFewPayersError
from engagement_assets.lifecycle.adapter import Inputs, NotTrainableError, Trained
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.predictor import Context, Predictions, Predictor, explained
from engagement_assets.lifecycle.spec import ModelSpec
from engagement_assets.lifecycle.tabular import LabelledSnapshots
from engagement_assets.models.lifetime_value.fairness import assess
from engagement_assets.models.lifetime_value.inputs import REVENUE
from engagement_assets.models.lifetime_value.model import ValueModel, lifetime_value
from engagement_assets.models.lifetime_value.reports import evaluation_markdown
from engagement_assets.models.lifetime_value.spec import COVERAGE, LABEL, SPEC
from engagement_assets.models.lifetime_value.training import LABEL as FUTURE
from engagement_assets.models.lifetime_value.training import known, train_value
from resources.registry import RegisteredModel

# of a normal distribution, within which chance stays in 95 % of samples
_DEVIATIONS_OF_CHANCE = 1.96


class LifetimeValueAdapter(LabelledSnapshots):
    """Value of every customer; see `ModelAdapter`."""

    spec: ClassVar[ModelSpec] = SPEC
    label: ClassVar[Label] = LABEL
    target = FUTURE
    output = FUTURE
    fairness_of = staticmethod(assess)
    advantage_of = staticmethod(squared_error_advantage)
    report_of = staticmethod(evaluation_markdown)

    def open(self, model: RegisteredModel, *, threads: int) -> ValueModel:
        """Load a version's model."""
        value = ValueModel.load(model.folder)
        value.regressor.set_params(n_jobs=threads)
        return value

    def score(self, estimator: Any, rows: pd.DataFrame) -> Floats:
        """Return the n expected future revenues in USD."""
        revenue: Floats = estimator.predict(rows)
        return revenue

    def refit(self, estimator: Any, rows: pd.DataFrame) -> Any:
        """Fit the same inputs and mean on other labelled rows."""
        return estimator.refitted(rows, rows[FUTURE])

    def judged_rows(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the test people whose future revenue is known."""
        return super().judged_rows(known(rows))

    def train(self, inputs: Inputs, snapshots: Snapshots) -> Trained:
        """Fit on the training people at the training snapshots, score the others later."""
        train, test = (
            # the label's own name is the revenue to date and to come, of which the past is known
            rows.drop(columns=LABEL.name)
            for rows in self.training_rows(inputs, snapshots)
        )
        try:
            trained = train_value(
                train,
                test,
                snapshots=snapshots,
                features=MODEL_INPUTS,
                parameters=inputs.parameters,
                n_bootstrap=inputs.bootstrap,
                first_day=inputs.first_day,
            )
        except TooFewPayersError as error:
            raise NotTrainableError(str(error)) from error
        return replace(trained, card=_with_coverage_error(trained.card))

    def load(
        self,
        model: RegisteredModel,
        *,
        parameters: Mapping[str, Any],  # noqa: ARG002 - others need them
        threads: int,
    ) -> Predictor:
        """Load a version, ready to predict many times."""
        value = self.open(model, threads=threads)
        regressor = value.regressor

        def predictor(rows: pd.DataFrame, context: Context) -> Predictions:  # noqa: ARG001 - others need it
            rows = rows.reset_index(drop=True)
            past = named_columns(rows, ["customer_id", REVENUE])
            inputs = value.inputs(rows)
            mean, chance, quantiles = regressor.predict_all(inputs)
            return explained(
                {
                    "customer_id": past["customer_id"],
                    "future_revenue_usd_p10": quantiles[:, 0],
                    "future_revenue_usd_p50": quantiles[:, 1],
                    "future_revenue_usd_p90": quantiles[:, 2],
                    "future_revenue_usd": mean,
                    "payment_chance": chance,
                    "lifetime_value_usd": lifetime_value(past[REVENUE], mean),
                },
                inputs,
                explanation=regressor.explain(inputs),
                typical=regressor.typical_values_,
                unit=regressor.margin_unit,
            )

        return predictor

    def figures(self, table: pd.DataFrame) -> dict[str, float | int]:
        """Return the expected revenue of all."""
        return {
            "expected_revenue_usd": float(table["future_revenue_usd"].sum()),
        }


def _with_coverage_error(card: dict[str, Any]) -> dict[str, Any]:
    """How far the coverage lies from what it should be, and how far chance alone brings it."""
    metrics = card["metrics"]
    error = abs(metrics["coverage_atom_in_part"]["value"] - COVERAGE)
    deviation = math.sqrt(COVERAGE * (1.0 - COVERAGE) / card["test_customers"])
    return card | {
        "metrics": metrics | {"coverage_error": error},
        "coverage_error_by_chance": _DEVIATIONS_OF_CHANCE * deviation,
    }
