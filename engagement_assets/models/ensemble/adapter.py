"""What the ensemble does in its life: from the base models' champions to candidate and predictions.

Belongs here: reading rows, champions and predictions, and putting the pure modules of this folder
behind the interface that every model has. Does not belong here: learning and wording themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from engagement_assets.features.labels import Label
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.evaluation.metrics import evaluate
from engagement_assets.learning.evaluation.scores import score_shares
from engagement_assets.learning.fairness.measures import selection_fairness
from engagement_assets.learning.stacking.estimator import Ensemble
from engagement_assets.learning.stacking.folds import BaseLearner
from engagement_assets.lifecycle.adapter import (
    Inputs,
    Predicted,
    Trained,
)
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.lifecycle.fairness import Assessment
from engagement_assets.lifecycle.predictor import Context, Predictions, Predictor
from engagement_assets.lifecycle.rows import data_versions, labelled_snapshots
from engagement_assets.lifecycle.scored import ScoredModel, scored_model
from engagement_assets.lifecycle.spec import ModelSpec
from engagement_assets.lifecycle.training import SENSITIVE, sensitive_columns, split_rows
from engagement_assets.models.ensemble import targets
from engagement_assets.models.ensemble.health import HealthReference
from engagement_assets.models.ensemble.reports import evaluation_markdown, health_report
from engagement_assets.models.ensemble.spec import (
    BASE_COLUMNS,
    BASES,
    CHURN,
    ENGAGEMENT,
    FEATURES,
    POINTS,
    SPEC,
    STACKED,
    VALUE,
)
from engagement_assets.models.ensemble.training import (
    TargetRows,
    champions_table,
    mean_loss,
    train_ensemble,
    with_features,
)
from engagement_assets.models.lifetime_value.model import lifetime_value
from resources.registry import RegisteredModel, registered

# coarse: most customers without use share one health, whose place moves with how many they are
HEALTH_EDGES = (20.0, 40.0, 60.0, 80.0)
LOWEST_SHARE = 0.1
# By base model: the label that is refined, and how.
TAUGHT = {
    "churn": (CHURN, targets.CHURN),
    "engagement": (ENGAGEMENT, targets.ENGAGEMENT),
    "lifetime_value": (VALUE, targets.VALUE),
}


class EnsembleAdapter(ScoredModel):
    """Refined predictions and health of every customer; see `ModelAdapter`."""

    spec: ClassVar[ModelSpec] = SPEC
    evaluation_markdown = staticmethod(evaluation_markdown)

    def load(
        self,
        model: RegisteredModel,
        *,
        parameters: Mapping[str, Any],  # noqa: ARG002 - others need them
        threads: int,  # noqa: ARG002 - corrections are small
    ) -> Predictor:
        """Load a version, ready to predict many times."""
        ensemble = _opened(model)

        def predictor(rows: pd.DataFrame, context: Context) -> Predictions:
            rows = rows.reset_index(drop=True)
            base = base_predictions(rows["customer_id"], context)
            reference = context.reference or HealthReference.of(base)
            if reference is None:
                raise ValueError("no model predicts anything that health is made of")
            parts = reference.parts(base)
            health = parts.sum(axis=1).clip(0.0, 100.0).rename("customer_health")
            points = parts.add_prefix("points_").reindex(columns=list(POINTS))
            columns = [rows[["customer_id"]], refined_of(ensemble, base, rows), health, points]
            table = pd.concat([*columns, reference.reasons(parts)], axis=1)
            return Predictions(table, parts=parts)

        return predictor

    def reference(self, customers: pd.Series, context: Context) -> bytes | None:
        """Return what health is ranked among, or None where no model predicts yet."""
        reference = HealthReference.of(base_predictions(customers, context))
        return None if reference is None else reference.to_bytes()

    def read_reference(self, content: bytes) -> HealthReference:
        """Read what `reference` wrote."""
        return HealthReference.from_bytes(content)

    def train(
        self,
        inputs: Inputs,
        snapshots: Snapshots,  # noqa: ARG002 - the champions' own snapshots are used
    ) -> Trained[Ensemble]:
        """Learn corrections from what refits of the champions say of customers left out."""
        champions = _champions(inputs)
        rows, labels = _target_rows(inputs, champions)
        bases = _bases(champions, labels, threads=inputs.threads)
        made = train_ensemble(
            rows,
            bases,
            features=FEATURES,
            n_bootstrap=inputs.bootstrap,
            random_state=inputs.seed,
            n_jobs=inputs.threads,
        )
        churn = rows[targets.CHURN.name]
        card = made.card | self._card(inputs, made, bases, churn, champions)
        return replace(made, card=card)

    def _card(
        self,
        inputs: Inputs,
        made: Trained[Ensemble],
        bases: Mapping[str, BaseLearner],
        churn: TargetRows,
        champions: Mapping[str, RegisteredModel],
    ) -> dict[str, Any]:
        about = champions["churn"].card
        test = date.fromisoformat(about["test_snapshot"])
        refined = made.model.predict(champions_table(bases, churn.test, FEATURES))
        intervals = evaluate(
            churn.test[CHURN.name],
            refined[targets.CHURN.name].to_numpy(),
            threshold=0.5,
            n_bootstrap=inputs.bootstrap,
            seed=inputs.seed,
        )
        people = split_rows(inputs.features(test), test=True)
        health = _health_of(bases, people)
        return {
            "training_snapshot": about["training_snapshot"],
            "training_snapshots": about["training_snapshots"],
            "test_snapshot": about["test_snapshot"],
            "training_customers": int(churn.learn["customer_id"].nunique()),
            "training_rows": len(churn.learn),
            "test_customers": len(people),
            "churn_test_customers": int(churn.test["customer_id"].nunique()),
            "features": [*bases, *FEATURES],
            "bases": {name: model.version for name, model in champions.items()},
            "metrics": {name: intervals[name].to_dict() for name in ("auc", "log_loss")},
            "score_edges": list(HEALTH_EDGES),
            "score_shares": score_shares(health, edges=HEALTH_EDGES),
            "seeds": {"model": inputs.seed},
        }

    def data_versions(
        self,
        inputs: Inputs,
        snapshots: Snapshots,  # noqa: ARG002 - the champions' own snapshots are used
    ) -> dict[str, str]:
        """Return a digest of each partition that was learnt from or scored on."""
        digests: dict[str, str] = {}
        for label, model in _taught(_champions(inputs)):
            digests |= data_versions(inputs.engine.lake, _days(model), label)
        return digests

    def assess(self, inputs: Inputs, model: RegisteredModel) -> Assessment:
        """Assess who is among the tenth of lowest health of the test people who used the app.

        Groups may truly leave more or less often, which stands beside each rate.
        """
        day = date.fromisoformat(model.card["test_snapshot"])
        people = split_rows(inputs.labelled(day, CHURN), test=True)
        bases = _bases(_champions(inputs), {}, threads=inputs.threads)
        health = _health_of(bases, people)
        report = selection_fairness(
            people[CHURN.name],
            health <= health.quantile(LOWEST_SHARE),
            sensitive_columns(people),
            attributes=SENSITIVE,
            **inputs.fairness_settings(),
        )
        return Assessment(report)

    def champion_advantage(
        self, inputs: Inputs, champion: RegisteredModel, candidate: RegisteredModel
    ) -> Interval:
        """Return log loss of the candidate less the champion's on the same test rows."""
        day = date.fromisoformat(candidate.card["test_snapshot"])
        rows = split_rows(inputs.labelled(day, CHURN), test=True)
        bases = _bases(_champions(inputs), {}, threads=inputs.threads)
        table = champions_table(bases, rows, FEATURES)
        first, second = (
            targets.CHURN.losses(
                rows[CHURN.name].to_numpy(np.float64),
                _opened(model).predict(table)[targets.CHURN.name].to_numpy(),
            )
            for model in (champion, candidate)
        )
        return mean_loss(second - first, n_bootstrap=inputs.bootstrap, seed=inputs.seed)

    def report(
        self,
        predictions: Predictions,
        rows: pd.DataFrame,  # noqa: ARG002 - others need them
        card: Mapping[str, Any],
    ) -> Predicted:
        """Return a day's table with what its health is made of."""
        assert predictions.parts is not None  # noqa: S101 - the predictor gives them
        figures, text = health_report(predictions.parts, card["targets"])
        health = predictions.table["customer_health"]
        mean = float(health.mean()) if len(health) else 0.0
        return Predicted(predictions.table, figures, text, figures={"mean_health": mean})


def base_predictions(customers: pd.Series, context: Context) -> pd.DataFrame:
    """Return what the base models predict for n customers in their order, NaN where they do not."""
    return pd.DataFrame(
        {
            column: context.column(name, column, customers)
            for name, columns in BASE_COLUMNS.items()
            for column in columns
        }
    )


def _champions(inputs: Inputs) -> dict[str, RegisteredModel]:
    """Return the base models that serve.

    Raises:
        NotTrainableError: The models that every correction needs do not serve yet.
    """
    registry = inputs.registry
    versions = {name: registry.champion(name) for name in BASES}
    missing = [name for name in SPEC.builds_on if versions[name] is None]
    if missing:
        raise NotTrainableError(f"there is no champion of {', '.join(missing)} to build on")
    return {
        name: registered(registry, name, version)
        for name, version in versions.items()
        if version is not None
    }


def _taught(champions: Mapping[str, RegisteredModel]) -> list[tuple[Label, RegisteredModel]]:
    """Return the labels that are refined, each with the champion whose snapshots are used."""
    return [(TAUGHT[name][0], champions[name]) for name in TAUGHT if name in champions]


def _days(model: RegisteredModel) -> list[date]:
    snapshots = [*model.card["training_snapshots"], model.card["test_snapshot"]]
    return sorted(date.fromisoformat(day) for day in snapshots)


def _target_rows(
    inputs: Inputs, champions: Mapping[str, RegisteredModel]
) -> tuple[dict[str, TargetRows], dict[str, pd.DataFrame]]:
    """Return rows of every target, and the training rows of every base model."""
    lake = inputs.engine.lake
    rows: dict[str, TargetRows] = {}
    labels: dict[str, pd.DataFrame] = {}
    for label, model in _taught(champions):
        *train, test = _days(model)
        target = TAUGHT[model.name][1]
        known = [
            table[table[target.label].notna()]
            for table in (
                inputs.analysed(labelled_snapshots(lake, train, label)),
                inputs.labelled(test, label),
            )
        ]
        learn, judged = split_rows(known[0], test=False), split_rows(known[1], test=True)
        rows[target.name] = TargetRows(target, learn, judged)
        labels[model.name] = learn
    if "anomaly" in champions:
        day = date.fromisoformat(champions["anomaly"].card["training_snapshot"])
        labels["anomaly"] = split_rows(inputs.features(day), test=False)
    return rows, labels


def _bases(
    champions: Mapping[str, RegisteredModel],
    rows: Mapping[str, pd.DataFrame],
    *,
    threads: int,
) -> dict[str, BaseLearner]:
    """Make base learners of champions; without rows they predict and are not fitted again."""
    made = [
        scored_model(STACKED[name]).base_learner(model, rows.get(name), threads=threads)
        for name, model in champions.items()
    ]
    return {base.name: base for base in made}


def _opened(model: RegisteredModel) -> Ensemble:
    return Ensemble.load(model.folder, targets=targets.TARGETS)


def refined_of(ensemble: Ensemble, base: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Refine n base predictions of n rows, a column a target; null where it has no correction."""
    known = base.drop(columns="lifetime_value_usd")
    refined = ensemble.predict(with_features(known, rows, FEATURES))
    return refined.reindex(columns=[*refined, *(t for t in targets.TARGETS if t not in refined)])


def _health_of(bases: Mapping[str, BaseLearner], rows: pd.DataFrame) -> pd.Series:
    """Return the health of customers who are all of a population, by the champions."""
    predictions = champions_table(bases, rows, FEATURES)
    absent = {column for columns in BASE_COLUMNS.values() for column in columns} - {*predictions}
    predictions = predictions.assign(**dict.fromkeys(absent, np.nan))
    if "future_revenue_usd" not in absent:
        predictions["lifetime_value_usd"] = lifetime_value(
            rows["revenue_to_date_usd"], predictions["future_revenue_usd"]
        )
    reference = HealthReference.of(predictions)
    if reference is None:
        raise ValueError("no model predicts anything that health is made of")
    health: pd.Series = reference.parts(predictions).sum(axis=1)
    return health
