"""The treatment effects on the lifecycle: from an experiment in the lake to predicted effects.

Belongs here: putting the pure modules of this folder behind the interface that every model has.
Does not belong here: learning, measuring and wording themselves.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.learning.effects.estimator import CONSTANT, TreatmentEffectEstimator
from engagement_assets.learning.effects.nuisances import NuisanceModels, mean_interval
from engagement_assets.learning.effects.refutation import NOT_AN_EXPERIMENT, observational_effect
from engagement_assets.learning.effects.trial import UnusableTrialError, checked_trial
from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.evaluation.splits import hash_split
from engagement_assets.lifecycle.adapter import Inputs, Trained
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.lifecycle.predictor import Predictions, Predictor, explained
from engagement_assets.lifecycle.scored import ScoredModel
from engagement_assets.lifecycle.spec import ModelSpec, reason_columns
from engagement_assets.models.treatment_effects.reports import evaluation_markdown
from engagement_assets.models.treatment_effects.spec import (
    ASSIGNMENTS,
    GAINS,
    HARMED,
    SPEC,
    UNCLEAR,
    WINDOW_DAYS,
)
from engagement_assets.models.treatment_effects.training import (
    DECIMALS,
    effects_card,
    fit_effects,
    harmed_group,
    rounded_effects,
)
from engagement_assets.models.treatment_effects.trials import (
    ExperimentRows,
    assignments_of,
    experiment_rows,
)
from resources.registry import RegisteredModel

logger = logging.getLogger(__name__)


class TreatmentEffectsAdapter(ScoredModel):
    """Effects of a treatment on every customer; see `ModelAdapter`."""

    spec: ClassVar[ModelSpec] = SPEC
    evaluation_markdown = staticmethod(evaluation_markdown)

    def train(self, inputs: Inputs, snapshots: Snapshots) -> Trained[TreatmentEffectEstimator]:
        """Learn the effects of the experiment that is set, and judge the campaigns beside it.

        Raises:
            NotTrainableError: The experiment is not there, or tells no effect.
            TooLittleDataError: It has too few customers.
        """
        last_day = snapshots.test + timedelta(days=WINDOW_DAYS)
        name = inputs.parameters["treatment_experiment"]
        assignments = assignments_of(inputs, last_day)
        if name not in set(assignments["experiment"]):
            raise NotTrainableError(
                f"nobody is assigned to the experiment {name!r}, only to "
                f"{sorted(set(assignments['experiment']))}: TREATMENT_EXPERIMENT names another"
            )
        try:
            rows = self._rows(inputs, assignments, name, snapshots.all, last_day)
            estimator = fit_effects(rows, parameters=inputs.parameters)
        except UnusableTrialError as error:
            raise NotTrainableError(f"{name}: {error}") from error
        table = rows.table
        card = {
            "training_snapshot": max(table["snapshot_date"]).isoformat(),
            "training_snapshots": sorted(
                {day.isoformat() for day in table["snapshot_date"]}, reverse=True
            ),
            "test_snapshot": snapshots.test.isoformat(),
            "experiment": name,
            **effects_card(estimator, rows, cost_usd=inputs.parameters["targeting_cost"]),
            "campaigns": self._campaigns(inputs, assignments, name, snapshots, last_day),
        }
        return Trained(estimator, card)

    def _rows(
        self,
        inputs: Inputs,
        assignments: pd.DataFrame,
        name: str,
        snapshots: list[date],
        last_day: date,
    ) -> ExperimentRows:
        rows = experiment_rows(inputs, assignments, name, snapshots=snapshots, last_day=last_day)
        if rows.table.empty:
            raise NotTrainableError(
                f"of the customers of {name}, {rows.without_features:,} have no features from "
                f"before their assignment and the {WINDOW_DAYS} days after it are not over for "
                f"{rows.still_open:,}: run the job `features` for a day before it, or wait"
            )
        return rows

    def _campaigns(
        self,
        inputs: Inputs,
        assignments: pd.DataFrame,
        learnt: str,
        snapshots: Snapshots,
        last_day: date,
    ) -> list[dict[str, Any]]:
        """Return effects of the campaigns that were not drawn by chance, or why there is none."""
        drawn = assignments["propensity"].notna().groupby(assignments["experiment"]).any()
        figures = []
        for name in sorted(set(drawn.index[~drawn]) - {learnt}):
            about = {"experiment": name, "origin": NOT_AN_EXPERIMENT}
            try:
                rows = self._rows(inputs, assignments, name, snapshots.all, last_day)
                trial = checked_trial(**rows.given())
                effect = observational_effect(
                    trial, folds=2, seed=inputs.seed, threads=inputs.threads
                )
                figures.append(about | effect.to_dict())
            except (UnusableTrialError, TooLittleDataError, NotTrainableError) as error:
                logger.warning("no effect of %s: %s", name, error)
                figures.append(about | {"problem": str(error)})
        return figures

    def data_versions(self, inputs: Inputs, snapshots: Snapshots) -> dict[str, str]:
        """Return a digest of each snapshot at hand and of each day of assignments."""
        lake, last_day = inputs.engine.lake, snapshots.test + timedelta(days=WINDOW_DAYS)
        days = {
            CUSTOMER_FEATURES: snapshots.all,
            ASSIGNMENTS: [day for day in lake.days(ASSIGNMENTS) if day <= last_day],
        }
        return {
            f"{table}/{day}": lake.digest(table, day)
            for table, there in days.items()
            for day in sorted(set(there))
        }

    def champion_advantage(
        self, inputs: Inputs, champion: RegisteredModel, candidate: RegisteredModel
    ) -> Interval:
        """Return how much nearer the champion is to what is seen of the candidate's customers.

        Neither has learnt from the customers who are compared on.
        """
        test_day = date.fromisoformat(candidate.card["test_snapshot"])
        days = [date.fromisoformat(day) for day in candidate.card["training_snapshots"]]
        last_day = test_day + timedelta(days=WINDOW_DAYS)
        name = candidate.card["experiment"]
        if champion.card["experiment"] != name:
            # what another treatment does is no measure of this one
            return Interval(0.0, 0.0, 0.0)
        given = self._rows(inputs, assignments_of(inputs, last_day), name, days, last_day).given()
        test = hash_split(given["units"])
        fitted = self.open(candidate, threads=inputs.threads)
        matrix = fitted.encoder_.transform(given["X"]).astype(np.float64)
        chances, arms, outcome = given["propensity"], given["treatment"], given["outcome"]
        models = NuisanceModels.fit(
            matrix[~test],
            arms[~test],
            outcome[~test],
            known=chances is not None,
            seed=inputs.seed,
            threads=inputs.threads,
        )
        rows = models(
            matrix[test], arms[test], outcome[test], None if chances is None else chances[test]
        )
        distances = [
            rows.distance(self.open(model, threads=inputs.threads).effect(given["X"][test]))
            for model in (candidate, champion)
        ]
        return mean_interval(distances[0] - distances[1])

    def open(self, model: RegisteredModel, *, threads: int) -> TreatmentEffectEstimator:
        """Load a version's estimator."""
        estimator = TreatmentEffectEstimator.load(model.folder)
        estimator.set_params(n_jobs=threads)
        return estimator

    def load(
        self,
        model: RegisteredModel,
        *,
        parameters: Mapping[str, Any],  # noqa: ARG002 - for models with settings of their own
        threads: int,
    ) -> Predictor:
        """Load a version, ready to predict many times."""
        fitted, card = self.open(model, threads=threads), model.card
        about = {name: card[name] for name in ("experiment", "origin")}
        return lambda rows, context: effects_of(fitted, rows, card["harmed"], about)  # noqa: ARG005 - a predictor's


def effects_of(
    fitted: TreatmentEffectEstimator,
    rows: pd.DataFrame,
    harmed: list[Mapping[str, str]],
    about: Mapping[str, str],
) -> Predictions:
    """Predict and explain the effects on n customers."""
    effect = rounded_effects(fitted, rows)
    low, high = np.round(fitted.effect_interval(rows), DECIMALS).T
    verdict = np.select([low > 0.0, high < 0.0], [GAINS, HARMED], default=UNCLEAR)
    predictions = explained(
        {
            "customer_id": rows["customer_id"],
            "effect": effect,
            "effect_low": low,
            "effect_high": high,
            "verdict": verdict,
            "harmed_group": harmed_group(rows, harmed),
            **about,
        },
        fitted.explain(rows),
        typical=fitted.typical_values_,
        unit="score units",
    )
    if fitted.served_ != CONSTANT:
        return predictions
    # nothing of a customer moves an effect that is the same for everybody
    reasons = [column.name for column in reason_columns("")]
    return replace(predictions, table=predictions.table.assign(**dict.fromkeys(reasons)))
