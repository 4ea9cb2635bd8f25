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
from engagement_assets.learning.evaluation.regression import (
    bias_by_chance,
    decile_table,
    evaluate_regression,
)
from engagement_assets.learning.evaluation.scores import score_shares
from engagement_assets.learning.trees.regressor import BoundedBoostingRegressor
from engagement_assets.learning.tuning.estimators import TunedRegressor
from engagement_assets.lifecycle.dates import CHURN_WINDOW_DAYS
from engagement_assets.lifecycle.predictor import Predictions
from engagement_assets.lifecycle.rows import used_within
from engagement_assets.lifecycle.spec import ModelSpec
from engagement_assets.lifecycle.tabular import LabelledSnapshots
from engagement_assets.lifecycle.training import records
from engagement_assets.models.engagement.reports import evaluation_markdown, product_report
from engagement_assets.models.engagement.spec import LABEL, SPEC

# Where chance alone explains a bias of any size that could be: JSON has no infinity.
ANY_BIAS = 1e6


class EngagementAdapter(LabelledSnapshots):
    """Engagement of every customer; see `ModelAdapter`."""

    spec: ClassVar[ModelSpec] = SPEC
    label: ClassVar[Label] = LABEL
    target = LABEL.name
    output = "engagement_score"
    estimator = BoundedBoostingRegressor
    tuned = TunedRegressor
    tuned_parameters: ClassVar[Mapping[str, Any]] = {"bounded": True}
    evaluation_markdown = staticmethod(evaluation_markdown)

    def measures(self, fitted: Any, rows: pd.DataFrame, *, n_bootstrap: int) -> dict[str, Any]:
        """Return metrics, deciles and how the regressor was chosen."""
        truth, prediction = rows[self.target], self.score(fitted, rows)
        how: dict[str, Any] = {"n_bootstrap": n_bootstrap, "seed": fitted.random_state}
        how["groups"] = rows["customer_id"]
        metrics, figures = _judged(truth, prediction, how)
        active = used_within(rows, CHURN_WINDOW_DAYS)
        own = {**how, "groups": rows["customer_id"][active]}
        of_active, more = (
            _judged(truth[active], prediction[active], own, prefix="active_")
            if active.any()
            else ({"active_bias": None}, {"active_bias_by_chance": ANY_BIAS})
        )
        return {
            "metrics": metrics | of_active,
            **figures,
            **more,
            "active_test_customers": int(rows["customer_id"][active].nunique()),
            "deciles": records(decile_table(truth, prediction, **how)),
            "score_shares": score_shares(prediction),
            **(_chosen(fitted) if isinstance(fitted, BoundedBoostingRegressor) else {}),
        }

    def predicted(self, fitted: Any, rows: pd.DataFrame) -> dict[str, Any]:
        """Return the expected scores."""
        return {"engagement_score": self.score(fitted, rows)}

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


def _chosen(fitted: BoundedBoostingRegressor) -> dict[str, Any]:
    """Return how objective and number of trees were chosen."""
    return {
        "objective": fitted.objective_,
        "trees": fitted.n_trees_,
        "out_of_fold_r2": {
            f"{objective}, {count} trees": value
            for (objective, count), value in fitted.tree_r2_.items()
        },
    }


def _judged(
    truth: pd.Series, prediction: Floats, how: Mapping[str, Any], *, prefix: str = ""
) -> tuple[dict[str, Any], dict[str, float]]:
    """Return metrics with the bias of the mean prediction, and how much of it chance explains."""
    metrics = {
        f"{prefix}{name}": figure.to_dict()
        for name, figure in evaluate_regression(truth, prediction, **how).items()
    }
    # without an interval of its own: the limit is raised to what chance shows
    metrics[f"{prefix}bias"] = abs(metrics[f"{prefix}calibration_ratio"]["value"] - 1.0)
    chance = bias_by_chance(truth, prediction, groups=how["groups"])
    return metrics, {f"{prefix}bias_by_chance": min(chance, ANY_BIAS)}
