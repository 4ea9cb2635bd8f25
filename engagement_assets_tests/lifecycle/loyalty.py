# ruff: noqa: ARG001, ARG002 - the protocol gives more than so small a model reads
"""A further model as its own folder would hold it: spec and adapter, and nothing else.

Belongs here: the smallest model that lives the whole life. Does not belong here: what is expected
of it (`test_further_model.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.evaluation.scores import score_shares
from engagement_assets.learning.fairness.measures import selection_fairness
from engagement_assets.lifecycle.adapter import Inputs, Predicted, Trained
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.fairness import Assessment
from engagement_assets.lifecycle.gates import QualityGate
from engagement_assets.lifecycle.predictor import Context, Predictions, Predictor
from engagement_assets.lifecycle.scored import ScoredModel
from engagement_assets.lifecycle.spec import FairnessSpec, ModelSpec, Unified, reason_columns
from engagement_assets.lifecycle.training import SENSITIVE, sensitive_columns
from resources.registry import RegisteredModel
from resources.tables import Column

FILE = "loyalty.json"
SPEC = ModelSpec(
    name="loyalty",
    subject="loyalty",
    code_version="1",
    implementation="engagement_assets_tests.lifecycle.loyalty:LoyaltyAdapter",
    kinds=frozenset(),
    learns_from=(CUSTOMER_FEATURES,),
    predicts_from=(CUSTOMER_FEATURES,),
    required=(CUSTOMER_FEATURES,),
    window_days=1,
    snapshots=1,
    gates=(
        QualityGate(
            check="enough_people",
            metric="people",
            words="people",
            description="Enough people were learnt from.",
            at_least=10,
            exact=True,
        ),
    ),
    comparison_metric="nothing",
    fairness=FairnessSpec(
        rule="nobody is loyal by their group", selection="benefit", selected_are="the loyal"
    ),
    columns=(
        Column("loyalty_score", "float64", "Loyalty", "0-1", nullable=False, minimum=0, maximum=1),
        *reason_columns("logins"),
    ),
    score="loyalty_score",
    texts=dict.fromkeys(
        ("model", "evaluation", "fairness", "champion", "predictions", "explanations"), "Loyalty."
    ),
    purpose="Shows that a model is its own folder and one line.",
    limits=("It knows logins alone.",),
    additive_parts=("loyalty_score",),
    unified=(Unified("loyalty_score"),),
)


@dataclass(frozen=True)
class Loyalty:
    """Logins against the usual number of them."""

    usual: float

    def save(self, folder: Any) -> None:
        """Write the usual number."""
        (folder / FILE).write_text(json.dumps(self.usual))

    def scores(self, rows: pd.DataFrame) -> pd.Series:
        """Return n scores."""
        scores: pd.Series = rows["logins_month"] / (rows["logins_month"] + self.usual)
        return scores


class LoyaltyAdapter(ScoredModel):
    """Loyalty of every customer."""

    spec: ClassVar[ModelSpec] = SPEC

    def train(self, inputs: Inputs, snapshots: Snapshots) -> Trained[Loyalty]:
        """Learn the usual number of logins."""
        rows = inputs.features(snapshots.train[0])
        model = Loyalty(float(rows["logins_month"].mean()))
        card = {
            "training_snapshot": snapshots.train[0].isoformat(),
            "training_snapshots": [snapshots.train[0].isoformat()],
            "test_snapshot": snapshots.test.isoformat(),
            "training_customers": len(rows),
            "test_customers": len(rows),
            "metrics": {"people": len(rows)},
            "score_shares": score_shares(model.scores(rows)),
        }
        return Trained(model, card)

    def data_versions(self, inputs: Inputs, snapshots: Snapshots) -> dict[str, str]:
        """A digest of what was learnt from."""
        day = snapshots.train[0]
        return {f"{CUSTOMER_FEATURES}/{day}": inputs.engine.lake.digest(CUSTOMER_FEATURES, day)}

    def evaluation_markdown(self, card: Mapping[str, Any]) -> str:
        """The evaluation of a version."""
        return f"{card['metrics']['people']} people"

    def assess(self, inputs: Inputs, model: RegisteredModel) -> Assessment:
        """Who is more loyal than the half."""
        rows = inputs.features(pd.Timestamp(model.card["test_snapshot"]).date())
        scores = self._open(model).scores(rows)
        return Assessment(
            selection_fairness(
                pd.Series(0, index=rows.index),
                scores > scores.median(),
                sensitive_columns(rows),
                attributes=SENSITIVE,
                n_bootstrap=inputs.bootstrap,
                seed=inputs.seed,
            )
        )

    def champion_advantage(
        self,
        inputs: Inputs,
        champion: RegisteredModel,
        candidate: RegisteredModel,
    ) -> Interval:
        """No version is better."""
        return Interval(0.0, 0.0, 0.0)

    def load(
        self, model: RegisteredModel, *, parameters: Mapping[str, Any], threads: int
    ) -> Predictor:
        """Load a version."""
        loyalty = self._open(model)

        def predictor(rows: pd.DataFrame, context: Context) -> Predictions:
            logins = rows["logins_month"]
            table = pd.DataFrame(
                {
                    "customer_id": rows["customer_id"],
                    "loyalty_score": loyalty.scores(rows),
                    "reason_1_feature": "logins_month",
                    "reason_1_value": logins.astype(str),
                    "reason_1_typical": str(loyalty.usual),
                    "reason_1_contribution": logins - loyalty.usual,
                }
            )
            missing = [column.name for column in SPEC.columns if column.name not in table]
            return Predictions(table.assign(**dict.fromkeys(missing)))

        return predictor

    def report(
        self, predictions: Predictions, rows: pd.DataFrame, card: Mapping[str, Any]
    ) -> Predicted:
        """Report that logins are all there is."""
        return Predicted(predictions.table, {"feature": "logins_month"}, "Logins.")

    def _open(self, model: RegisteredModel) -> Loyalty:
        return Loyalty(float(json.loads((model.folder / FILE).read_text())))
