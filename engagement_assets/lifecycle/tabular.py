"""What models share that learn a label of a snapshot from its features.

Belongs here: reading labelled rows and wording what moves the scores. Does not belong here: any
one model, and Dagster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, ClassVar

import pandas as pd

from engagement_assets.features.catalogue import (
    CATEGORY_FEATURES,
    CUSTOMER_FEATURES,
    FEATURES,
    MODEL_INPUTS,
)
from engagement_assets.features.labels import Label
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.explanations.shap_values import Explanation
from engagement_assets.lifecycle import reports
from engagement_assets.lifecycle.adapter import Inputs, Trained
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.fairness import Assessment
from engagement_assets.lifecycle.rows import data_versions, labelled_rows, labelled_snapshots
from resources.registry import RegisteredModel


class LabelledSnapshots:
    """Rows of a label at snapshots, and the methods that follow from them.

    A model names its functions; each is pure.

    Attributes:
        label: The label.
        learn: Fits on training rows and measures on test rows.
        fairness_of: Assesses a version's files on labelled rows of its test snapshot.
        advantage_of: How much better the champion is than the candidate on the same rows.
        report_of: The evaluation of a card as Markdown.
    """

    label: ClassVar[Label]
    learn: ClassVar[Callable[..., Trained]]
    fairness_of: ClassVar[Callable[..., Assessment]]
    advantage_of: ClassVar[Callable[..., Interval]]
    report_of: ClassVar[Callable[..., str]]

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
        return type(self).advantage_of(
            candidate,
            champion,
            self.test_rows(inputs, candidate),
            n_bootstrap=inputs.bootstrap,
            seed=inputs.seed,
        )

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


def snapshot_rows(inputs: Inputs, day: date) -> pd.DataFrame:
    """The features of every customer at a snapshot.

    Raises:
        MissingPartitionError: It is not in the lake.
    """
    rows: pd.DataFrame = inputs.engine.lake.read(CUSTOMER_FEATURES, days=[day]).to_pandas()
    return rows


def explanation_markdown(explanation: Explanation, *, subject: str, unit: str = "log-odds") -> str:
    """What moves the scores of one day's predictions, over all customers.

    Args:
        explanation: SHAP values of every prediction.
        subject: What is predicted, for the title.
        unit: Unit of the contributions.
    """
    return reports.explanation_markdown(
        explanation,
        title=f"What moves {subject}",
        meanings={feature.name: feature.meaning for feature in FEATURES.values()},
        categories=list(CATEGORY_FEATURES),
        unit=unit,
    )


def explanation_figures(explanation: Explanation) -> dict[str, float | int | str]:
    """What an explanation says of itself, for metadata."""
    told: dict[str, float | int | str] = {
        "additivity_error": explanation.additivity_error,
        "method": explanation.method,
    }
    if explanation.fallback_reason:
        told["fallback_reason"] = explanation.fallback_reason
    return told


def explanation_warnings(explanation: Explanation) -> list[str]:
    """What a person should know of an explanation."""
    reason = explanation.fallback_reason
    return [f"SHAP by the booster itself: {reason}"] if reason else []
