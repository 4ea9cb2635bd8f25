"""Adapt the anomaly model to the lifecycle: candidate, fairness and predictions.

Belongs here: putting the pure modules of this folder behind the interface that every model has.
Does not belong here: scoring, measuring and wording themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.learning.anomaly.detector import AnomalyDetector
from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.bootstrap import Interval, bootstrapped
from engagement_assets.learning.fairness.measures import selection_fairness
from engagement_assets.learning.stacking.folds import BaseLearner
from engagement_assets.lifecycle.adapter import Inputs, Predicted, Trained
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.fairness import Assessment
from engagement_assets.lifecycle.predictor import Predictions
from engagement_assets.lifecycle.scored import ScoredModel
from engagement_assets.lifecycle.spec import REASONS, ModelSpec
from engagement_assets.lifecycle.tabular import where
from engagement_assets.lifecycle.training import SENSITIVE, sensitive_columns, split_rows
from engagement_assets.models.anomaly.prediction import score_anomaly
from engagement_assets.models.anomaly.reports import evaluation_markdown, review_report
from engagement_assets.models.anomaly.rules import (
    ANOMALY_INPUTS,
    PLATFORM_RULES,
    shows_life,
)
from engagement_assets.models.anomaly.spec import SPEC
from engagement_assets.models.anomaly.training import (
    average_precision,
    latest_verdicts,
    train_anomaly,
)
from engagement_assets.source.contract import TABLES
from resources.registry import RegisteredModel

REVIEWS = "source/reviews"


class AnomalyAdapter(ScoredModel):
    """The anomaly model's methods; see `ModelAdapter`."""

    spec: ClassVar[ModelSpec] = SPEC

    def open(self, model: RegisteredModel, *, threads: int) -> AnomalyDetector:
        """Load a version's detector."""
        detector = AnomalyDetector.load(model.folder)
        detector.set_params(n_jobs=threads)
        return detector

    def predictions(self, fitted: AnomalyDetector, rows: pd.DataFrame) -> Predictions:
        """Predict every customer, with reasons."""
        return Predictions(score_anomaly(fitted, rows, k=REASONS))

    def base_learner(
        self, model: RegisteredModel, rows: pd.DataFrame | None, *, threads: int
    ) -> BaseLearner:
        """Return what an ensemble stacks, without review labels: it learns none that could leak."""
        detector = self.open(model, threads=threads)
        columns = list(detector.feature_names_in_)
        lively = None if rows is None else rows[shows_life(rows)].reset_index(drop=True)

        def predictor(fitted: AnomalyDetector) -> Callable[[pd.DataFrame], Floats]:
            def predict(others: pd.DataFrame) -> Floats:
                alive = np.asarray(shows_life(others), dtype=np.bool_)
                return where(others, alive, lambda some: fitted.score_samples(some[columns]))

            return predict

        return BaseLearner(
            "anomaly_score",
            lively,
            fit=lambda some: predictor(AnomalyDetector(**detector.get_params()).fit(some[columns])),
            champion=predictor(detector),
        )

    def train(self, inputs: Inputs, snapshots: Snapshots) -> Trained:
        """Fit on the training people at a snapshot, describe on the others at a later one."""
        learn = inputs.features(snapshots.train[0])
        score = inputs.features(snapshots.test)
        reviews = _reviews(inputs)
        parameters = dict(inputs.parameters)
        seed = int(parameters.pop("random_state"))
        return train_anomaly(
            learn,
            score,
            training_snapshot=snapshots.train[0],
            test_snapshot=snapshots.test,
            features=ANOMALY_INPUTS,
            parameters={**parameters, "rules": PLATFORM_RULES},
            verdicts=latest_verdicts(reviews, learn["customer_id"], until=snapshots.test),
            test_verdicts=latest_verdicts(reviews, score["customer_id"]),
            n_bootstrap=inputs.bootstrap,
            seed=seed,
        )

    def data_versions(self, inputs: Inputs, snapshots: Snapshots) -> dict[str, str]:
        """A digest of each partition that was learnt from or scored on."""
        lake = inputs.engine.lake
        return {
            f"{CUSTOMER_FEATURES}/{day}": lake.digest(CUSTOMER_FEATURES, day)
            for day in snapshots.all
        }

    def evaluation_markdown(self, card: Mapping[str, Any]) -> str:
        """The evaluation of a version."""
        return evaluation_markdown(card)

    def assess(self, inputs: Inputs, model: RegisteredModel) -> Assessment:
        """Whom a version sends to review among its test people."""
        rows = _test_rows(inputs, model)
        scored = score_anomaly(self.open(model, threads=inputs.threads), rows, k=REASONS)
        flagged = rows["customer_id"].isin(scored.loc[scored["kind"].notna(), "customer_id"])
        report = selection_fairness(
            None,
            flagged.to_numpy(),
            sensitive_columns(rows),
            attributes=SENSITIVE,
            selection="harm",
            **inputs.fairness_settings(referenced=False),
        )
        return Assessment(report)

    def champion_advantage(
        self, inputs: Inputs, champion: RegisteredModel, candidate: RegisteredModel
    ) -> Interval:
        """Champion minus candidate average precision on the test people who were reviewed.

        Without verdicts of both kinds there is nothing to compare by, and the lead is 0: the
        candidate, which has seen newer data, may serve.
        """
        rows = _test_rows(inputs, candidate)
        verdicts = latest_verdicts(_reviews(inputs), rows["customer_id"])
        known = verdicts.notna().to_numpy()
        labels = verdicts[known].to_numpy(np.float64)
        if len(np.unique(labels)) < 2:
            return Interval(0.0, 0.0, 0.0)
        first, second = (
            self._scores(model, rows[known], inputs.threads) for model in (champion, candidate)
        )
        of_champion, of_candidate = (average_precision(labels, s) for s in (first, second))
        return bootstrapped(
            {"advantage": lambda weights: of_champion(weights) - of_candidate(weights)},
            rows=len(labels),
            n_bootstrap=inputs.bootstrap,
            seed=inputs.seed,
        )["advantage"]

    def _scores(self, model: RegisteredModel, rows: pd.DataFrame, threads: int) -> Floats:
        detector = self.open(model, threads=threads)
        scores: Floats = detector.score_samples(rows[list(detector.feature_names_in_)])
        return scores

    def report(
        self,
        predictions: Predictions,
        rows: pd.DataFrame,  # noqa: ARG002 - others need them
        card: Mapping[str, Any],  # noqa: ARG002 - others need it
    ) -> Predicted:
        """Return a day's scores with what sends customers to review."""
        table = predictions.table
        figures, text = review_report(table)
        for_review = int(table["kind"].notna().sum())
        return Predicted(
            table,
            figures,
            text,
            figures={
                "mean_score": float(table["anomaly_score"].mean()) if len(table) else 0.0,
                "for_review": for_review,
            },
            explanation_figures={"for_review": for_review},
        )


def _reviews(inputs: Inputs) -> pd.DataFrame:
    """Every verdict that came back; an empty table where the source has none."""
    lake = inputs.engine.lake
    days = lake.days(REVIEWS)
    if not days:
        empty: pd.DataFrame = TABLES["reviews"].empty().to_pandas()
        return empty
    rows: pd.DataFrame = lake.read(REVIEWS, days=days).to_pandas()
    return rows


def _test_rows(inputs: Inputs, model: RegisteredModel) -> pd.DataFrame:
    rows = inputs.features(date.fromisoformat(model.card["test_snapshot"]))
    return split_rows(rows[shows_life(rows)], test=True)
