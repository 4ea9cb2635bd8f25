"""The churn model on the lifecycle: which active customers will not come back within the window.

Belongs here: what differs from other models that learn a label. Does not belong here: learning,
measuring and wording themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.features.labels import Label
from engagement_assets.features.snapshot import query_parameters
from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.metrics import (
    auc,
    calibration_error_by_chance,
    evaluate,
    lift_table,
    paired_auc_difference,
    reliability_table,
)
from engagement_assets.learning.evaluation.scores import score_shares
from engagement_assets.learning.evaluation.thresholds import CostModel
from engagement_assets.learning.fairness.mitigation import offer_figures
from engagement_assets.learning.fairness.report import FairnessReport
from engagement_assets.learning.fairness.reweighing import (
    REWEIGHING,
    drawn_rows,
    reweighed,
    reweighing_weights,
)
from engagement_assets.learning.trees.classifier import CalibratedBoostingClassifier
from engagement_assets.learning.tuning.estimators import TunedClassifier
from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.lifecycle.fairness import (
    APPLIED,
    Assessment,
    assess_flags,
    evened_flags,
    later_flags,
    thresholds_of,
)
from engagement_assets.lifecycle.rows import used_within
from engagement_assets.lifecycle.spec import ModelSpec
from engagement_assets.lifecycle.tabular import LabelledSnapshots
from engagement_assets.lifecycle.training import (
    EVENED,
    records,
    sensitive_columns,
    split_rows,
)
from engagement_assets.models.churn.reports import evaluation_markdown
from engagement_assets.models.churn.spec import LABEL, SPEC
from resources.registry import RegisteredModel

RECALL = 0.8


def auc_or_nan(labels: Floats, probability: Floats) -> float:
    """Return the AUC, NaN where few customers happen to be of one class."""
    return auc(labels, probability) if len(np.unique(labels)) > 1 else float("nan")


def _costs(fitted: Any) -> CostModel:
    return CostModel(
        cost_miss=fitted.cost_miss,
        cost_action=fitted.cost_action,
        success_rate=fitted.success_rate,
    )


class ChurnAdapter(LabelledSnapshots):
    """Churn of customers who used the app lately; see `ModelAdapter`."""

    spec: ClassVar[ModelSpec] = SPEC
    label: ClassVar[Label] = LABEL
    target = LABEL.name
    output = "churn_probability"
    estimator = CalibratedBoostingClassifier
    tuned = TunedClassifier
    parameter_names: ClassVar[Mapping[str, str]] = {
        "cost_lost_customer": "cost_miss",
        "cost_intervention": "cost_action",
        "save_rate": "success_rate",
    }
    advantage_of = staticmethod(paired_auc_difference)
    # recency, frequency, volume
    baseline_columns = (
        "days_since_last_login",
        "logins_month",
        "active_days_month",
        "session_minutes_month",
        "transaction_revenue_month",
        "tenure_days",
    )
    quality_of = staticmethod(auc_or_nan)
    quality_words = "AUC"
    labels_are_classes = True
    evaluation_markdown = staticmethod(evaluation_markdown)

    def fit(
        self,
        rows: pd.DataFrame,
        *,
        features: Sequence[str],
        parameters: Mapping[str, Any],
        first_day: date,
    ) -> Any:
        """Fit the classifier, with the baselines' columns for the simpler model beside it."""
        simple = [name for name in self.baseline_columns if name in features]
        return super().fit(
            rows,
            features=features,
            parameters={"simple": simple, **parameters},
            first_day=first_day,
        )

    def measures(self, fitted: Any, rows: pd.DataFrame, *, n_bootstrap: int) -> dict[str, Any]:
        """Return metrics, thresholds and costs, lift and reliability."""
        labels, probability = rows[self.target], self.score(fitted, rows)
        how: dict[str, Any] = {"n_bootstrap": n_bootstrap, "seed": fitted.random_state}
        how["groups"] = rows["customer_id"]
        metrics = evaluate(labels, probability, threshold=fitted.threshold_, recall=RECALL, **how)
        return {
            "metrics": {name: figure.to_dict() for name, figure in metrics.items()},
            "thresholds": {
                **fitted.threshold_choice_.to_dict(),
                "threshold_at_80_percent_recall": fitted.threshold_at_recall_,
                "cost_lost_customer_usd": fitted.cost_miss,
                "cost_intervention_usd": fitted.cost_action,
                "save_rate": fitted.success_rate,
            },
            "estimator": fitted.kind_,
            "out_of_fold_log_loss": fitted.log_losses_,
            "calibration_error_by_chance": calibration_error_by_chance(
                probability, seed=fitted.random_state
            ),
            # of one class there is no lift
            "lift": records(lift_table(labels, probability, **how)) if labels.nunique() > 1 else [],
            "reliability": records(reliability_table(labels, probability)),
            "score_shares": score_shares(probability),
        }

    def score(self, fitted: Any, rows: pd.DataFrame) -> Floats:
        """Return the n probabilities of churn."""
        probability: Floats = fitted.predict_proba(rows)[:, 1]
        return probability

    def scored(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        """Return who used the app in as many days as the label looks ahead."""
        return used_within(rows, self.label.window_days)

    def open(self, model: RegisteredModel, *, threads: int) -> Any:
        """Load a version's estimator, with the mitigation that its card says is applied."""
        fitted = super().open(model, threads=threads)
        fitted.applied_ = model.card.get(APPLIED)
        return fitted

    def predicted(self, fitted: Any, rows: pd.DataFrame) -> dict[str, Any]:
        """Return the probability of churn, evened out too, and whether contacting pays."""
        probability = self.score(fitted, rows)
        thresholds = thresholds_of({APPLIED: fitted.applied_})
        evened = probability
        if thresholds is not None:
            evened = thresholds.adjusted(probability, sensitive_columns(rows, unknown_too=True))
        return {
            "churn_probability": probability,
            "evened_churn_probability": evened,
            "above_cost_threshold": evened >= fitted.threshold_,
        }

    def judged(self, fitted: Any, rows: pd.DataFrame, **settings: Any) -> Assessment:
        """Measure whom the cost threshold flags among the test people of labelled rows."""
        return assess_flags(
            partial(self.score, fitted),
            rows,
            label=self.target,
            threshold=fitted.threshold_,
            figures=partial(offer_figures, costs=_costs(fitted)),
            applied=fitted.applied_,
            **settings,
        )

    def mitigate(
        self,
        method: str,
        fitted: Any,
        fit: Callable[[pd.DataFrame], Any],
        learn: pd.DataFrame,
        test_rows: pd.DataFrame,
        **fairness: Any,
    ) -> tuple[Any, dict[str, Any]]:
        """Even out by gender and age who is flagged, by thresholds or by what is learnt from."""
        test = split_rows(test_rows, test=True)
        figures = partial(offer_figures, costs=_costs(fitted))
        if method != REWEIGHING:
            applied = evened_flags(
                partial(self.score, fitted),
                split_rows(test_rows, test=False),
                test,
                label=self.target,
                threshold=fitted.threshold_,
                figures=figures,
                **fairness,
            )
            return fitted, applied.summary()
        weights = reweighing_weights(
            learn[self.target],
            sensitive_columns(learn, unknown_too=True),
            attributes=EVENED,
            min_group_size=fairness["min_group_size"],
        )
        again = fit(learn.iloc[drawn_rows(weights, seed=fairness["seed"])].reset_index(drop=True))
        applied = reweighed(
            test[self.target],
            sensitive_columns(test, unknown_too=True),
            scores=(self.score(fitted, test), self.score(again, test)),
            thresholds=(fitted.threshold_, again.threshold_),
            figures=partial(figures, test[self.target]),
            attributes=EVENED,
            evened=EVENED,
            **fairness,
        )
        return again, applied.summary()

    def later_fairness(
        self,
        inputs: Inputs,
        model: RegisteredModel,  # noqa: ARG002 - others need it
        predictions: pd.DataFrame,
        day: date,
    ) -> FairnessReport:
        """Return who was flagged on a day, by who left since."""
        query = inputs.sql.query(self.label.key)
        labels = inputs.engine.select(query, query_parameters(query, day, label=self.label))
        return later_flags(
            predictions,
            inputs.features(day),
            labels.to_pandas(),
            flag="above_cost_threshold",
            label=self.target,
            **inputs.fairness_settings(),
        )

    def figures(self, table: pd.DataFrame) -> dict[str, float | int]:
        """Return the mean probability."""
        return {"mean_probability": float(table["churn_probability"].mean()) if len(table) else 0.0}
