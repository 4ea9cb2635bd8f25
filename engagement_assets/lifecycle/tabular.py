"""What models share that learn a label of a snapshot from its features.

Belongs here: reading labelled rows and wording what moves the scores. Does not belong here: any
one model, and Dagster.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.features.catalogue import MODEL_INPUTS
from engagement_assets.features.labels import Label
from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.stacking.folds import BaseLearner
from engagement_assets.lifecycle.adapter import Inputs, Trained
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.fairness import Assessment
from engagement_assets.lifecycle.rows import data_versions, labelled_rows, labelled_snapshots
from engagement_assets.lifecycle.scored import ScoredModel
from engagement_assets.lifecycle.training import split_rows
from resources.registry import RegisteredModel


class LabelledSnapshots(ScoredModel):
    """A model that learns a label of a snapshot from its features.

    A model names its functions; each is pure.

    Attributes:
        label: The label.
        target: The column of the label that is predicted.
        output: The column of the predictions that predicts it.
        learn: Fits on training rows and measures on test rows.
        fairness_of: Assesses a version's files on labelled rows of its test snapshot.
        advantage_of: From the truth and two predictions to how much better the first is.
        report_of: The evaluation of a card as Markdown.
    """

    label: ClassVar[Label]
    target: ClassVar[str]
    output: ClassVar[str]
    learn: ClassVar[Callable[..., Trained]]
    fairness_of: ClassVar[Callable[..., Assessment]]
    advantage_of: ClassVar[Callable[..., Interval]]
    report_of: ClassVar[Callable[..., str]]

    @abstractmethod
    def open(self, model: RegisteredModel, *, threads: int) -> Any:
        """Load a version's estimator."""

    @abstractmethod
    def score(self, estimator: Any, rows: pd.DataFrame) -> Floats:
        """Return the n predictions of the target that are measured and compared."""

    def refit(self, estimator: Any, rows: pd.DataFrame) -> Any:
        """Fit an estimator of the same parameters on other labelled rows."""
        columns = list(estimator.feature_names_in_)
        return estimator.refitted(rows[columns], rows[self.target])

    def scored(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        """Return which of n customers the product scores."""
        return np.ones(len(rows), dtype=np.bool_)

    def base_learner(
        self, model: RegisteredModel, rows: pd.DataFrame | None, *, threads: int
    ) -> BaseLearner:
        """Return what an ensemble stacks; a refit keeps the champion's parameters.

        A customer whom the product does not score has no prediction here either: training sees
        what serving sees.
        """
        estimator = self.open(model, threads=threads)

        def predictor(fitted: Any) -> Callable[[pd.DataFrame], Floats]:
            return lambda others: where(
                others, self.scored(others), lambda some: self.score(fitted, some)
            )

        return BaseLearner(
            self.output,
            rows,
            fit=lambda some: predictor(self.refit(estimator, some)),
            champion=predictor(estimator),
        )

    def train(self, inputs: Inputs, snapshots: Snapshots) -> Trained:
        """Fit on the training people at the training snapshots, score the others later."""
        train, test = self.training_rows(inputs, snapshots)
        return type(self).learn(
            train,
            test,
            snapshots=snapshots,
            features=MODEL_INPUTS,
            parameters=inputs.parameters,
            n_bootstrap=inputs.bootstrap,
        )

    def evaluation_markdown(self, card: Mapping[str, Any]) -> str:
        """The evaluation of a version."""
        return type(self).report_of(card)

    def assess(self, inputs: Inputs, model: RegisteredModel) -> Assessment:
        """The fairness of a version on its test people."""
        return type(self).fairness_of(
            model.folder,
            self.test_rows(inputs, model),
            seed=inputs.seed,
            n_bootstrap=inputs.bootstrap,
        )

    def champion_advantage(
        self, inputs: Inputs, champion: RegisteredModel, candidate: RegisteredModel
    ) -> Interval:
        """How much better the champion is on the candidate's test rows; above 0: it is better."""
        return self.advantage(
            champion,
            candidate,
            self.test_rows(inputs, candidate),
            threads=inputs.threads,
            n_bootstrap=inputs.bootstrap,
            seed=inputs.seed,
        )

    def advantage(
        self,
        first: RegisteredModel,
        second: RegisteredModel,
        rows: pd.DataFrame,
        *,
        threads: int,
        n_bootstrap: int,
        seed: int,
    ) -> Interval:
        """Return how much better the first version is on the test people of labelled rows."""
        test = self.judged_rows(rows)
        scores = [self.score(self.open(model, threads=threads), test) for model in (first, second)]
        return type(self).advantage_of(
            test[self.target], *scores, n_bootstrap=n_bootstrap, seed=seed
        )

    def judged_rows(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the test people of labelled rows."""
        return split_rows(rows, test=True)

    def training_rows(
        self, inputs: Inputs, snapshots: Snapshots
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Labelled rows of the training snapshots and of the test snapshot, all people.

        Raises:
            MissingPartitionError: One of them or its labels is not in the lake.
        """
        lake = inputs.engine.lake
        return (
            labelled_snapshots(lake, snapshots.train, self.label),
            labelled_rows(lake, snapshots.test, self.label),
        )

    def test_rows(self, inputs: Inputs, model: RegisteredModel) -> pd.DataFrame:
        """Labelled rows of a version's test snapshot, all people."""
        day = date.fromisoformat(model.card["test_snapshot"])
        return labelled_rows(inputs.engine.lake, day, self.label)

    def data_versions(self, inputs: Inputs, snapshots: Snapshots) -> dict[str, str]:
        """A digest of each partition that was learnt from or scored on."""
        return data_versions(inputs.engine.lake, snapshots.all, self.label)


def where(
    rows: pd.DataFrame,
    scored: NDArray[np.bool_],
    predict: Callable[[pd.DataFrame], Floats],
) -> Floats:
    """Return predictions of those rows that are scored, NaN of the others."""
    predictions = np.full(len(rows), np.nan)
    if scored.any():
        predictions[scored] = predict(rows[scored])
    return predictions
