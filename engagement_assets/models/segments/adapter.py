"""Adapt segments to the lifecycle: candidate, evaluation and predictions.

Belongs here: putting the pure modules of this folder behind the interface that every model has.
Does not belong here: clustering, measuring and wording themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any, ClassVar

import pandas as pd
from upath import UPath

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.lifecycle.adapter import Inputs, Predicted, Trained
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.predictor import Predictions, Predictor
from engagement_assets.lifecycle.reuse import repeats
from engagement_assets.lifecycle.scored import ScoredModel
from engagement_assets.lifecycle.spec import ModelSpec
from engagement_assets.lifecycle.training import learn_and_score, split_rows
from engagement_assets.models.segments.personas import Named, SegmentNamesError, read_names
from engagement_assets.models.segments.reports import day_report, evaluation_markdown
from engagement_assets.models.segments.spec import SPEC
from engagement_assets.models.segments.training import (
    FittedSegments,
    advantage,
    highest_number,
    train_segments,
)
from resources.registry import RegisteredModel, registered


class SegmentsAdapter(ScoredModel):
    """Segments of customers; see `ModelAdapter`."""

    spec: ClassVar[ModelSpec] = SPEC
    evaluation_markdown = staticmethod(evaluation_markdown)

    def __init__(self) -> None:
        # days of the same run, which are in the lake only after it
        self._made: dict[date, pd.DataFrame] = {}

    def load(
        self,
        model: RegisteredModel,
        *,
        parameters: Mapping[str, Any],
        threads: int,  # noqa: ARG002 - distances to a few centres need one
    ) -> Predictor:
        """Load a version's segments with the names that people gave."""
        fitted = FittedSegments.load(model.folder).called(_names(parameters["segment_names"]))
        return lambda rows, context: Predictions(  # noqa: ARG005 - a predictor's
            fitted.assign(rows).assign(since=None)
        )

    def train(self, inputs: Inputs, snapshots: Snapshots) -> Trained[FittedSegments]:
        """Learn from the training people at a snapshot, measure on the others at a later one."""
        learn, score = learn_and_score(
            inputs.features(snapshots.train[0]), inputs.features(snapshots.test)
        )
        registry = inputs.registry
        version = registry.champion(SPEC.name)
        served = {entry["version"] for entry in registry.history(SPEC.name)}
        cards = {each: registry.card(SPEC.name, each) for each in registry.versions(SPEC.name)}
        # a run that was killed before its promotion is given again, and must make the same version
        given = [
            one["segment_id"]
            for each, card in cards.items()
            if each in served or not repeats(SPEC, inputs, snapshots, card)
            for one in card["segments"]
        ]
        trained = train_segments(
            learn,
            score,
            champion=None
            if version is None
            else FittedSegments.load(registered(registry, SPEC.name, version).folder),
            numbers_used=highest_number(given),
            n_bootstrap=inputs.bootstrap,
            seed=int(inputs.parameters["random_state"]),
            n_jobs=inputs.threads,
        )
        about = {
            "training_snapshot": snapshots.train[0].isoformat(),
            "training_snapshots": [snapshots.train[0].isoformat()],
            "test_snapshot": snapshots.test.isoformat(),
            "training_customers": len(learn),
            "training_rows": len(learn),
            "test_customers": len(score),
        }
        return Trained(trained.model, about | trained.card)

    def data_versions(self, inputs: Inputs, snapshots: Snapshots) -> dict[str, str]:
        """Return a digest of each partition that was learnt from or measured on."""
        lake = inputs.engine.lake
        return {
            f"{CUSTOMER_FEATURES}/{day}": lake.digest(CUSTOMER_FEATURES, day)
            for day in snapshots.all
        }

    def champion_advantage(
        self, inputs: Inputs, champion: RegisteredModel, candidate: RegisteredModel
    ) -> Interval:
        """Return how much wider the champion's silhouettes are on the candidate's test people."""
        day = date.fromisoformat(candidate.card["test_snapshot"])
        return advantage(
            FittedSegments.load(champion.folder),
            FittedSegments.load(candidate.folder),
            split_rows(inputs.features(day), test=True),
            n_bootstrap=inputs.bootstrap,
            seed=inputs.seed,
        )

    def report(
        self,
        predictions: Predictions,
        rows: pd.DataFrame,  # noqa: ARG002 - others need them
        card: Mapping[str, Any],  # noqa: ARG002 - others need it
    ) -> Predicted:
        """Return a day's segments with their sizes."""
        figures, text = day_report(predictions.table)
        return Predicted(
            predictions.table, figures, text, figures={"segments": len(figures["sizes"])}
        )

    def predict(self, inputs: Inputs, model: RegisteredModel, day: date) -> Predicted:
        """Return every customer's segment of a day, and since when it is theirs."""
        predicted = super().predict(inputs, model, day)
        table = predicted.table.assign(since=self._since(inputs, predicted.table, day))
        self._made[day] = table
        return replace(predicted, table=table)

    def _since(self, inputs: Inputs, table: pd.DataFrame, day: date) -> pd.Series:
        """Return the first of the days in a row, of those predicted, with the same segment."""
        lake = inputs.engine.lake
        earlier = [one for one in (*self._made, *lake.days(SPEC.predictions)) if one < day]
        if not earlier:
            return pd.Series(day, index=table.index, dtype=object)
        last = max(earlier)
        before = self._made.get(last)
        if before is None:
            columns = ["customer_id", "segment_id", "since"]
            before = lake.read(SPEC.predictions, days=[last], columns=columns).to_pandas()
        before = before.set_index("customer_id").reindex(table["customer_id"])
        same = before["segment_id"].to_numpy() == table["segment_id"].to_numpy()
        return pd.Series(before["since"].to_numpy(), index=table.index, dtype=object).where(
            same, day
        )


def _names(file: str) -> dict[str, Named]:
    """Return the names that people gave, by segment; none where no file is set.

    Raises:
        SegmentNamesError: The file is not there, or cannot be used.
    """
    if not file:
        return {}
    path = UPath(file)
    if not path.is_file():
        raise SegmentNamesError(
            f"SEGMENT_NAMES={file}: there is no such file; name a TOML file, or nothing"
        )
    return read_names(path.read_text())
