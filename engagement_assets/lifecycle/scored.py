"""Models that score customers by the one door: the daily work that follows from it.

Belongs here: from a day of the lake through a predictor to its table and report. Does not belong
here: any one model, and Dagster.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any, ClassVar

import pandas as pd

from engagement_assets.features.catalogue import CATEGORY_FEATURES, FEATURES
from engagement_assets.learning.stacking.folds import BaseLearner
from engagement_assets.lifecycle import reports
from engagement_assets.lifecycle.adapter import Inputs, Predicted
from engagement_assets.lifecycle.predictor import Context, Predictions, Predictor
from engagement_assets.lifecycle.spec import ModelSpec
from resources.registry import RegisteredModel


class ScoredModel(ABC):
    """A model that scores customers, in batch and online, by the same predictor.

    Attributes:
        spec: The model.
    """

    spec: ClassVar[ModelSpec]

    def load(
        self,
        model: RegisteredModel,
        *,
        parameters: Mapping[str, Any],  # noqa: ARG002 - for models whose spec names some
        threads: int,
    ) -> Predictor:
        """Load a version, ready to predict many times; `parameters` are those its spec names."""
        fitted = self.open(model, threads=threads)
        return lambda rows, context: self.predictions(fitted, rows)  # noqa: ARG005 - for others

    def open(self, model: RegisteredModel, *, threads: int) -> Any:
        """Load what a version's training fitted."""
        raise NotImplementedError(f"{self.spec.name} is loaded another way")

    def predictions(self, fitted: Any, rows: pd.DataFrame) -> Predictions:
        """Predict n customers by what training fitted."""
        raise NotImplementedError(f"{self.spec.name} predicts another way")

    def base_learner(
        self, model: RegisteredModel, rows: pd.DataFrame | None, *, threads: int
    ) -> BaseLearner:
        """Return what an ensemble stacks: the version, and how it is fitted on other rows.

        `rows` are labelled rows that it may be fitted on; None where it is only to predict.

        Raises:
            NotImplementedError: The model cannot be stacked.
        """
        raise NotImplementedError(f"{self.spec.name} cannot be stacked")

    def reference(self, customers: pd.Series, context: Context) -> bytes | None:  # noqa: ARG002 - for those that place customers among others
        """Return what stands for a day's customers where one of them is scored alone, or None."""
        return None

    def read_reference(self, content: bytes) -> Any:
        """Read what `reference` wrote."""
        raise NotImplementedError(f"{self.spec.name} keeps no reference of a day")

    def figures(self, table: pd.DataFrame) -> dict[str, float | int]:  # noqa: ARG002 - for models with some
        """Return numbers about a day's predictions, for metadata."""
        return {}

    def report(self, predictions: Predictions, rows: pd.DataFrame, card: Mapping[str, Any]) -> Any:  # noqa: ARG002 - others need them
        """Return a day's table with what moves its scores."""
        table, explanation = predictions.table, predictions.explanation
        if explanation is None:
            return Predicted(table, {}, "Nobody is scored.", figures=self.figures(table))
        figures, text = self.explanation_report(predictions, rows)
        exactness: dict[str, float | int | str] = {
            "additivity_error": explanation.additivity_error,
            "method": explanation.method,
        }
        warnings = []
        if explanation.fallback_reason:
            exactness["fallback_reason"] = explanation.fallback_reason
            warnings.append(f"SHAP by the booster itself: {explanation.fallback_reason}")
        return Predicted(
            table,
            explanation.summary() | figures,
            text,
            figures=self.figures(table),
            explanation_figures=exactness,
            warnings=warnings,
        )

    def explanation_report(
        self,
        predictions: Predictions,
        rows: pd.DataFrame,  # noqa: ARG002 - others need them
    ) -> tuple[dict[str, Any], str]:
        """Return figures and Markdown of what moves a day's scores."""
        assert predictions.explanation is not None  # noqa: S101 - for the type checker
        text = reports.explanation_markdown(
            predictions.explanation,
            title=f"What moves {self.spec.subject}",
            meanings={feature.name: feature.meaning for feature in FEATURES.values()},
            categories=list(CATEGORY_FEATURES),
            unit=predictions.unit,
        )
        return {}, text

    def predict(self, inputs: Inputs, model: RegisteredModel, day: date) -> Predicted:
        """Predict and explain every customer of a snapshot.

        Raises:
            MissingPartitionError: The snapshot is not in the lake.
        """
        rows = inputs.features(day)
        lake = inputs.engine.lake
        tables = {name: f"{name}/predictions" for name in self.spec.listens_to}
        there = {name: table for name, table in tables.items() if lake.exists(table, day)}
        context = Context(
            {name: lake.read(table, days=[day]).to_pandas() for name, table in there.items()}
        )
        predictor = self.load(model, parameters=inputs.parameters, threads=inputs.threads)
        predicted: Predicted = self.report(predictor(rows, context), rows, model.card)
        absent = [
            f"{table} of {day} is not there" for name, table in tables.items() if name not in there
        ]
        return replace(predicted, warnings=(*predicted.warnings, *sorted(absent)))


def scored_model(spec: ModelSpec) -> ScoredModel:
    """Return the adapter of a model that answers for single customers.

    Raises:
        TypeError: The model does not, so its spec must say `online=False`.
    """
    adapter = spec.adapter()
    if not isinstance(adapter, ScoredModel):
        raise TypeError(
            f"{spec.name} cannot score single customers: derive its adapter from ScoredModel, or "
            "set online=False in its spec"
        )
    return adapter
