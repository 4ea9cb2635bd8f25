"""What a model must be able to do to have assets: the interface between learning and Dagster.

Belongs here: the interface and what passes through it. Does not belong here: any model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import pandas as pd

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.rows import labelled_rows
from engagement_assets.source.consent import Consent, agreed_customers
from resources.engine import Engine
from resources.ledgers import Ledgers
from resources.registry import ModelRegistry, RegisteredModel
from resources.sql import SqlFolder

if TYPE_CHECKING:
    from engagement_assets.features.labels import Label
    from engagement_assets.learning.fairness.report import FairnessReport
    from engagement_assets.learning.tuning.gate import Challenge
    from engagement_assets.lifecycle.fairness import Assessment
    from engagement_assets.source.readers import SourceReader


@dataclass(frozen=True)
class Inputs:
    """What an adapter reads from.

    Attributes:
        engine: Queries over the lake, and the lake itself.
        sql: The SQL files.
        registry: The versions of every model.
        first_day: First day of the data.
        parameters: Parameters of the estimator and of what the product does with its scores.
        threads: Threads.
        seed: Seed of resamples.
        bootstrap: Resamples behind each interval.
        judging: Settings of how a candidate is judged, by name.
        reader: The source: whose clock counts where a customer's is not known, and what was agreed
            to where it has no table of consents.
        search: What a search of learner and hyperparameters may take (`learning.tuning`); None
            where the model's own estimator is trained.
        shadow_days: Days that a tuned candidate predicts beside the champion before it serves.
        ledgers: What was spent of budgets of privacy, by earlier trainings too; None where nothing
            is learnt under one.
    """

    engine: Engine
    sql: SqlFolder
    registry: ModelRegistry
    first_day: date
    parameters: Mapping[str, Any]
    threads: int
    seed: int
    bootstrap: int
    judging: Mapping[str, Any]
    reader: SourceReader
    search: Mapping[str, Any] | None = None
    shadow_days: int = 0
    ledgers: Ledgers | None = None

    @property
    def mitigation(self) -> str | None:
        """What is done so that groups are treated alike, by its name, or None."""
        method: str | None = self.judging.get("fairness_mitigation")
        return method

    @cached_property
    def refusing(self) -> frozenset[str]:
        """Customers who refuse analytics, by all that the lake holds now."""
        rows = self.engine.select(self.sql.query("shared/withheld_analytics"), {})
        return frozenset(rows.column("customer_id").to_pylist())

    def analysed(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows without customers who refuse analytics.

        A snapshot that was landed before they withdrew still has them.
        """
        agreeing: pd.DataFrame = rows[~rows["customer_id"].isin(self.refusing)]
        return agreeing if len(agreeing) == len(rows) else agreeing.reset_index(drop=True)

    def agreed(self, purpose: str) -> frozenset[str]:
        """Return the customers who agree to a purpose, by all that the lake holds now."""
        consent = Consent.of(
            self.engine.lake,
            provided=self.reader.provides(),
            granted=self.reader.granted_consents,
            purpose=purpose,
        )
        return agreed_customers(self.engine, self.sql, consent, purpose=purpose)

    def features(self, day: date) -> pd.DataFrame:
        """Return the features of every customer at a snapshot who may be analysed.

        Raises:
            MissingPartitionError: It is not in the lake.
        """
        return self.analysed(self.engine.lake.read(CUSTOMER_FEATURES, days=[day]).to_pandas())

    def labelled(self, day: date, label: Label) -> pd.DataFrame:
        """Return features and a label of every customer who has one and may be analysed.

        Raises:
            MissingPartitionError: The snapshot or its labels are not in the lake.
        """
        return self.analysed(labelled_rows(self.engine.lake, day, label))

    def fairness_settings(self, *, referenced: bool = True) -> dict[str, Any]:
        """Return settings of a fairness report; `referenced` where the truth is known of people."""
        settings = {
            "min_group_size": self.judging["least_group"],
            "n_bootstrap": self.bootstrap,
            "seed": self.seed,
        }
        if referenced:
            settings["reference"] = self.judging["fairness_reference"]
        return settings


Model = TypeVar("Model")


@dataclass(frozen=True)
class Trained(Generic[Model]):
    """A fitted model and what is known of it.

    Attributes:
        model: The fitted model, which can write itself as data: `save(folder)`.
        card: JSON data for the registry with at least `metrics` (name to value, low, high),
            `training_snapshot`, `training_snapshots`, `test_snapshot`, `training_customers`,
            `test_customers` and `score_shares`.
    """

    model: Model
    card: dict[str, Any]


@dataclass(frozen=True)
class Predicted:
    """Predictions of one snapshot.

    Attributes:
        table: The declared columns, without snapshot date and model version.
        explanation: What moves the scores, as JSON data.
        explanation_text: The same as Markdown.
        figures: Numbers about the predictions, for metadata.
        explanation_figures: Numbers and words about the explanation, for metadata.
        warnings: What a person should know, a sentence each.
    """

    table: pd.DataFrame
    explanation: dict[str, Any]
    explanation_text: str
    figures: dict[str, float | int] = field(default_factory=dict)
    explanation_figures: dict[str, float | int | str] = field(default_factory=dict)
    warnings: Sequence[str] = ()


class ModelAdapter(Protocol):
    """What a model does. Every method is pure but for reading the lake."""

    def train(self, inputs: Inputs, snapshots: Snapshots) -> Trained[Any]:
        """Fit on the training snapshots and measure on the later one.

        Raises:
            NotTrainableError: There is nothing to learn from.
            TooLittleDataError: There is too little to learn from; the message says what lacks.
            ValueError: The data are not what they must be; the message says why.
        """

    def data_versions(self, inputs: Inputs, snapshots: Snapshots) -> dict[str, str]:
        """Return a digest of each partition that was learnt from or scored on, by its name."""

    def evaluation_markdown(self, card: Mapping[str, Any]) -> str:
        """Return the evaluation of a version."""

    def assess(self, inputs: Inputs, model: RegisteredModel) -> Assessment:
        """Return the fairness of a version on its test people."""

    def champion_advantage(
        self, inputs: Inputs, champion: RegisteredModel, candidate: RegisteredModel
    ) -> Interval:
        """Return how much better the champion is on the candidate's test rows: above 0, better."""

    def challenge(
        self, inputs: Inputs, champion: RegisteredModel, candidate: RegisteredModel
    ) -> Challenge:
        """Return whether a tuned candidate may replace a champion; only of models with a search."""

    def predict(self, inputs: Inputs, model: RegisteredModel, day: date) -> Predicted:
        """Predict and explain a snapshot."""

    def later_fairness(
        self, inputs: Inputs, model: RegisteredModel, predictions: pd.DataFrame, day: date
    ) -> FairnessReport:
        """Return the fairness of a day's predictions by what is known since.

        Only of models whose spec names mitigations.
        """
