"""The lifetime value model on the lifecycle: what a customer will bring in, and has brought in.

All metrics are of the future part: revenue to date is known and would flatter any model. Belongs
here: what differs from other models that learn a label. Does not belong here: learning, measuring
and wording themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, ClassVar, TypeVar

import pandas as pd

from engagement_assets.features.labels import Label
from engagement_assets.learning.evaluation.quantiles import coverage_table, evaluate_quantiles
from engagement_assets.learning.evaluation.regression import decile_table, evaluate_regression
from engagement_assets.learning.evaluation.scores import score_shares
from engagement_assets.learning.trees.revenue import LEVELS, TooFewPayersError
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.lifecycle.spec import ModelSpec
from engagement_assets.lifecycle.tabular import LabelledSnapshots
from engagement_assets.lifecycle.training import records, sensitive_columns
from engagement_assets.models.lifetime_value.inputs import GUESS, REVENUE
from engagement_assets.models.lifetime_value.model import (
    TunedValueModel,
    ValueModel,
    lifetime_value,
)
from engagement_assets.models.lifetime_value.reports import evaluation_markdown
from engagement_assets.models.lifetime_value.spec import COVERAGE, LABEL, SPEC

FUTURE = "future_revenue_usd"
# Predicted USD; the reference of the drift of predictions.
VALUE_EDGES = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
# of a normal distribution, within which chance stays in 99 of 100 samples
_DEVIATIONS_OF_CHANCE = 2.58

_Value = TypeVar("_Value", bound=ValueModel)


class LifetimeValueAdapter(LabelledSnapshots):
    """Value of every customer; see `ModelAdapter`."""

    spec: ClassVar[ModelSpec] = SPEC
    label: ClassVar[Label] = LABEL
    target = FUTURE
    output = FUTURE
    estimator = ValueModel
    tuned = TunedValueModel
    # recency, frequency, volume; revenue to date comes in as the rate that it is
    baseline_columns = (
        GUESS,
        "transaction_revenue_month",
        "transaction_count_month",
        "days_since_last_login",
        "active_days_month",
        "session_minutes_month",
        "tenure_days",
    )
    evaluation_markdown = staticmethod(evaluation_markdown)

    def fit(
        self,
        rows: pd.DataFrame,
        *,
        features: Sequence[str],
        parameters: Mapping[str, Any],
        first_day: date,
    ) -> ValueModel:
        """Fit inputs and regressor.

        Raises:
            NotTrainableError: When too few training customers pay to learn from.
        """
        return self._fit(ValueModel, rows, features, first_day, parameters)

    def fit_tuned(
        self,
        rows: pd.DataFrame,
        *,
        features: Sequence[str],
        parameters: Mapping[str, Any],
        search: Mapping[str, Any],
        first_day: date,
    ) -> TunedValueModel:
        """Fit inputs, and a regressor whose mean a search chooses.

        Raises:
            NotTrainableError: When too few training customers pay to learn from.
        """
        own = {**parameters, "search": dict(search)}
        return self._fit(TunedValueModel, rows, features, first_day, own)

    def _fit(
        self,
        kind: type[_Value],
        rows: pd.DataFrame,
        features: Sequence[str],
        first_day: date,
        parameters: Mapping[str, Any],
    ) -> _Value:
        try:
            return kind.fit(
                rows,
                rows[FUTURE],
                features=features,
                first_day=first_day,
                window_days=LABEL.window_days,
                parameters=parameters,
                sensitive=sensitive_columns(rows),
            )
        except TooFewPayersError as error:
            raise NotTrainableError(str(error)) from error

    def known(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows whose future revenue is known.

        Raises:
            ValueError: When there are rows and none is known: the source has no transactions.
        """
        known = rows[rows[FUTURE].notna()].reset_index(drop=True)
        if len(rows) and known.empty:
            raise ValueError("nobody's revenue is known: the source has no transactions")
        return known

    def baseline_inputs(self, fitted: ValueModel, rows: pd.DataFrame) -> pd.DataFrame:
        """Return recency, frequency and volume, with the guess of the past rate."""
        return super().baseline_inputs(fitted, fitted.inputs(rows))

    def measures(
        self, fitted: ValueModel, rows: pd.DataFrame, *, n_bootstrap: int
    ) -> dict[str, Any]:
        """Return metrics, deciles, coverage and how the mean was chosen."""
        regressor, truth = fitted.regressor, rows[FUTURE]
        prediction, chance, quantiles = fitted.predict_all(rows)
        how: dict[str, Any] = {"n_bootstrap": n_bootstrap, "seed": fitted.random_state}
        how["groups"] = rows["customer_id"]
        atom: dict[str, Any] = {"levels": LEVELS, "atom_chance": 1.0 - chance}
        intervals = evaluate_regression(truth, prediction, payers=True, **how)
        intervals |= evaluate_quantiles(truth, quantiles, **atom, **how)
        metrics: dict[str, Any] = {name: figure.to_dict() for name, figure in intervals.items()}
        # how far the coverage lies from what it should be, and how far chance alone brings it
        metrics["coverage_error"] = abs(intervals["coverage_atom_in_part"].value - COVERAGE)
        deviation = math.sqrt(COVERAGE * (1.0 - COVERAGE) / rows["customer_id"].nunique())
        coverage = coverage_table(truth, quantiles, by=prediction, **atom, **how)
        return {
            "metrics": metrics,
            "coverage_error_by_chance": _DEVIATIONS_OF_CHANCE * deviation,
            "zero_share": float((truth == 0.0).mean()),
            "deciles": records(decile_table(truth, prediction, **how)),
            "coverage_by_decile": records(coverage),
            "score_edges": list(VALUE_EDGES),
            "score_shares": score_shares(prediction, edges=VALUE_EDGES),
            "mean": regressor.mean_in_words,
            "out_of_fold_rmse": regressor.mean_losses_,
            "trees": regressor.trees_,
            "conformal_shift": regressor.shift_.to_dict(),
            "first_day": fitted.inputs.first_day.isoformat(),
            "prior_days": fitted.inputs.prior_days,
            "explained": fitted.margin_unit,
        }

    def refit(self, fitted: ValueModel, rows: pd.DataFrame) -> ValueModel:
        """Fit the same inputs and mean on other labelled rows."""
        return fitted.refitted(rows, rows[FUTURE])

    def predicted(self, fitted: ValueModel, rows: pd.DataFrame) -> dict[str, Any]:
        """Return future revenue with its quantiles and chance, and lifetime value."""
        mean, chance, quantiles = fitted.predict_all(rows)
        return {
            "future_revenue_usd_p10": quantiles[:, 0],
            "future_revenue_usd_p50": quantiles[:, 1],
            "future_revenue_usd_p90": quantiles[:, 2],
            "future_revenue_usd": mean,
            "payment_chance": chance,
            "lifetime_value_usd": lifetime_value(rows[REVENUE], mean),
        }

    def figures(self, table: pd.DataFrame) -> dict[str, float | int]:
        """Return the expected revenue of all."""
        return {
            "expected_revenue_usd": float(table["future_revenue_usd"].sum()),
        }
