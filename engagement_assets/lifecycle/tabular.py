"""What models share that learn a label of a snapshot from its features.

Belongs here: reading labelled rows, learning from some people at earlier snapshots and scoring
others at a later one, predicting, comparing and fairness. Does not belong here: any one model, the
estimators (`learning.trees`), and Dagster.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.features.catalogue import MODEL_INPUTS
from engagement_assets.features.labels import Label
from engagement_assets.learning.evaluation.baselines import baseline_predictions
from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.evaluation.regression import r2, squared_error_advantage
from engagement_assets.learning.stacking.folds import BaseLearner
from engagement_assets.learning.tuning.gate import Challenge, challenge
from engagement_assets.learning.tuning.problem import Kind, row_losses
from engagement_assets.lifecycle.adapter import Inputs, Trained
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.lifecycle.fairness import APPLIED, Assessment, assess_regression
from engagement_assets.lifecycle.predictor import Predictions, explained
from engagement_assets.lifecycle.reports import TUNING
from engagement_assets.lifecycle.rows import data_versions
from engagement_assets.lifecycle.scored import ScoredModel
from engagement_assets.lifecycle.training import (
    data_card,
    explanation_card,
    learn_and_score,
    sensitive_columns,
    split_rows,
)
from resources.registry import RegisteredModel

logger = logging.getLogger(__name__)


class LabelledSnapshots(ScoredModel):
    """A model that learns a label of a snapshot from its features.

    Attributes:
        label: The label.
        target: The column of the label that is predicted.
        output: The column of the predictions that predicts it.
        estimator: Class of what is fitted, saved and loaded.
        parameter_names: The estimator's names of settings that it calls otherwise.
        advantage_of: From n truths and two predictions to how much better the first is.
        baseline_columns: Features that baselines learn from, which run beside on the same test
            people; () for no baselines.
        quality_of: From n truths and predictions to how good a baseline is.
        quality_words: What that is called.
        labels_are_classes: Whether the target is 0 or 1.
        tuned: Class of what a search fits instead; its `tuning()` goes into the card.
        tuned_parameters: Parameters of it besides the model's settings and the search's.
    """

    label: ClassVar[Label]
    target: ClassVar[str]
    output: ClassVar[str]
    estimator: ClassVar[Any]
    parameter_names: ClassVar[Mapping[str, str]] = {}
    advantage_of: ClassVar[Callable[..., Interval]] = staticmethod(squared_error_advantage)
    baseline_columns: ClassVar[tuple[str, ...]] = ()
    quality_of: ClassVar[Callable[..., float]] = staticmethod(r2)
    quality_words: ClassVar[str] = "R²"
    labels_are_classes: ClassVar[bool] = False
    tuned: ClassVar[Any] = None
    tuned_parameters: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def measures(self, fitted: Any, rows: pd.DataFrame, *, n_bootstrap: int) -> dict[str, Any]:
        """Return what a card says of a fitted estimator on n labelled rows of test people.

        It has at least `metrics` and `score_shares`.
        """

    @abstractmethod
    def predicted(self, fitted: Any, rows: pd.DataFrame) -> dict[str, Any]:
        """Return n values of each column that is predicted of n customers."""

    def fit(
        self,
        rows: pd.DataFrame,
        *,
        features: Sequence[str],
        parameters: Mapping[str, Any],
        first_day: date,  # noqa: ARG002 - for models that look at the length of the history
    ) -> Any:
        """Fit an estimator on labelled rows of training people; see `learn`."""
        names = self.parameter_names
        fitted = self.estimator(
            **{names.get(name, name): value for name, value in parameters.items()}
        )
        return fitted.fit(rows[list(features)], rows[self.target], groups=rows["customer_id"])

    def fit_tuned(
        self,
        rows: pd.DataFrame,
        *,
        features: Sequence[str],
        parameters: Mapping[str, Any],
        search: Mapping[str, Any],
        first_day: date,  # noqa: ARG002 - for models that look at the length of the history
    ) -> Any:
        """Search for learner and hyperparameters on labelled rows of training people."""
        names = self.parameter_names
        given = {names.get(name, name): value for name, value in parameters.items()}
        fitted = self.tuned(**given, **self.tuned_parameters, **search)
        return fitted.fit(
            rows[list(features)],
            rows[self.target],
            groups=rows["customer_id"],
            sensitive=sensitive_columns(rows),
        )

    def open(self, model: RegisteredModel, *, threads: int) -> Any:
        """Load a version's estimator."""
        kind = self.tuned if TUNING in model.card else self.estimator
        return kind.load(model.folder).set_params(n_jobs=threads)

    def score(self, fitted: Any, rows: pd.DataFrame) -> Floats:
        """Return the n predictions of the target that are measured and compared."""
        prediction: Floats = fitted.predict(rows)
        return prediction

    def refit(self, fitted: Any, rows: pd.DataFrame) -> Any:
        """Fit an estimator of the same parameters on other labelled rows."""
        return fitted.refitted(rows[list(fitted.feature_names_in_)], rows[self.target])

    def known(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the labelled rows whose target is known."""
        return rows

    def scored(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        """Return which of n customers the product scores."""
        return np.ones(len(rows), dtype=np.bool_)

    def predictions(self, fitted: Any, rows: pd.DataFrame) -> Predictions:
        """Predict the customers whom the product scores, with reasons."""
        scored = rows[self.scored(rows)].reset_index(drop=True)
        if scored.empty:
            return Predictions(self.spec.nobody())
        return explained(
            {"customer_id": scored["customer_id"], **self.predicted(fitted, scored)},
            fitted.explain(scored),
            typical=fitted.typical_values_,
            unit=fitted.margin_unit,
        )

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

    def train(self, inputs: Inputs, snapshots: Snapshots) -> Trained[Any]:
        """Fit on the training people at the training snapshots, score the others later.

        Raises:
            MissingPartitionError: A snapshot or its labels are not in the lake.
            NotTrainableError: Nothing can be learnt from the labels of the latest snapshots.
        """
        rows = {day: inputs.labelled(day, self.label) for day in snapshots.all}
        snapshots = self._pooled(
            rows,
            self._learnable(rows, snapshots),
            least=inputs.judging["least_test_customers"],
        )
        return self.learn(
            pd.concat([rows[day] for day in snapshots.train], ignore_index=True),
            pd.concat([rows[day] for day in snapshots.tested], ignore_index=True),
            snapshots=snapshots,
            features=MODEL_INPUTS,
            parameters=inputs.parameters,
            n_bootstrap=inputs.bootstrap,
            first_day=inputs.first_day,
            search=inputs.search,
            mitigation=inputs.mitigation,
            fairness=inputs.fairness_settings() if inputs.mitigation else None,
        )

    def training_rows(self, inputs: Inputs, snapshots: Snapshots) -> pd.DataFrame:
        """Return features and target of the training people at the training snapshots.

        For learners elsewhere: the rows that `train` learns from, without who they are of.

        Raises:
            MissingPartitionError: A snapshot or its labels are not in the lake.
        """
        rows = pd.concat(
            [inputs.labelled(day, self.label) for day in snapshots.train], ignore_index=True
        )
        learn = split_rows(self.known(rows), test=False)
        return learn[[*MODEL_INPUTS, self.target]]

    def _learnable(self, rows: Mapping[date, pd.DataFrame], snapshots: Snapshots) -> Snapshots:
        """Return the snapshots whose labels can be learnt from; the latest two must be."""
        reasons = {
            day: reason
            for day, table in rows.items()
            if len(table) and (reason := self.label.unlearnable(table[self.label.name].mean()))
        }
        latest, *earlier = snapshots.train
        for day in (latest, snapshots.test):
            if day in reasons:
                raise NotTrainableError(f"{self.label.name} of {day}: {reasons[day]}")
        for day in set(earlier) & reasons.keys():
            logger.warning("%s of %s is left out: %s", self.label.name, day, reasons[day])
        return Snapshots((latest, *(day for day in earlier if day not in reasons)), snapshots.test)

    def _pooled(
        self, rows: Mapping[date, pd.DataFrame], snapshots: Snapshots, *, least: int
    ) -> Snapshots:
        """Return snapshots of which so many are tested on that few customers are judged by more.

        The latest training snapshots are given up for it, half of them at most: what is tested on
        lies after all that is learnt from.
        """
        train, pooled = list(snapshots.train), list[date]()
        while len(train) > max(1, len(snapshots.train) // 2):
            tested = [rows[day] for day in (snapshots.test, *pooled)]
            if sum(len(split_rows(self.known(table), test=True)) for table in tested) >= least:
                break
            pooled.append(train.pop(0))
        return Snapshots(tuple(train), snapshots.test, tuple(pooled))

    def learn(  # noqa: PLR0913 - what is learnt from, how, and what is asked of it
        self,
        train_rows: pd.DataFrame,
        test_rows: pd.DataFrame,
        *,
        snapshots: Snapshots,
        features: Sequence[str],
        parameters: Mapping[str, Any],
        n_bootstrap: int,
        first_day: date,
        search: Mapping[str, Any] | None = None,
        mitigation: str | None = None,
        fairness: Mapping[str, Any] | None = None,
    ) -> Trained[Any]:
        """Fit on the training people of labelled rows, score the test people at a later time.

        Args:
            train_rows: Rows of the training snapshots, all people: `customer_id`, `snapshot_date`,
                the features and the target.
            test_rows: The same of the snapshots that are tested on.
            snapshots: Their dates.
            features: Columns to learn from.
            parameters: Of the estimator.
            n_bootstrap: Resamples behind each interval.
            first_day: First day of the data.
            search: What a search may take; None for the model's own estimator.
            mitigation: What is done so that groups are treated alike, of those that the spec names.
            fairness: Settings of a fairness report, where there is a mitigation.

        Raises:
            NotTrainableError: There is nobody to learn from or to score.
            TooLittleDataError: The estimator cannot learn from them: one class, one target.
        """
        learn, score = learn_and_score(self.known(train_rows), self.known(test_rows))
        how: dict[str, Any] = {"features": features, "parameters": parameters}
        how["first_day"] = first_day

        def fit(rows: pd.DataFrame) -> Any:
            if search is None:
                return self.fit(rows, **how)
            return self.fit_tuned(rows, search=search, **how)

        fitted, applied = fit(learn), {}
        if mitigation is not None:
            fitted, applied[APPLIED] = self.mitigate(
                mitigation, fitted, fit, learn, self.known(test_rows), **(fairness or {})
            )
        card = {
            **({} if search is None else {TUNING: fitted.tuning()}),
            **data_card(snapshots, learn, score, features),
            **self.measures(fitted, score, n_bootstrap=n_bootstrap),
            **self.baselines(fitted, learn, score, parameters, n_bootstrap=n_bootstrap),
            "explanation": explanation_card(fitted, score),
            "seeds": {"model": fitted.random_state},
            **applied,
        }
        return Trained(fitted, card)

    def mitigate(
        self,
        method: str,
        fitted: Any,
        fit: Callable[[pd.DataFrame], Any],
        learn: pd.DataFrame,
        test_rows: pd.DataFrame,
        **fairness: Any,
    ) -> tuple[Any, dict[str, Any]]:
        """Return what is served so that groups are treated alike, and what its card says of that.

        Args:
            method: One of the mitigations that the spec names.
            fitted: What was fitted without it.
            fit: Fits again on other labelled rows.
            learn: Labelled rows of the training people at the training snapshots.
            test_rows: Those of all people at the later ones.
            fairness: Settings of a fairness report.
        """
        raise NotImplementedError(f"{self.spec.name} knows no mitigation {method}")

    def baseline_inputs(self, fitted: Any, rows: pd.DataFrame) -> pd.DataFrame:  # noqa: ARG002 - for models with inputs of their own
        """Return the numbers that baselines see of n labelled rows."""
        return rows[[name for name in self.baseline_columns if name in rows]]

    def baselines(
        self,
        fitted: Any,
        learn: pd.DataFrame,
        score: pd.DataFrame,
        parameters: Mapping[str, Any],
        *,
        n_bootstrap: int,
    ) -> dict[str, Any]:
        """Return what a card says of baselines that learn from the same people.

        Args:
            fitted: What they are compared with.
            learn: Labelled rows of the training people.
            score: Labelled rows of the test people.
            parameters: Of the estimator.
            n_bootstrap: Resamples behind each interval.
        """
        predictions = baseline_predictions(
            self.baseline_inputs(fitted, learn),
            learn[self.target],
            self.baseline_inputs(fitted, score),
            classify=self.labels_are_classes,
            seed=fitted.random_state,
            n_jobs=parameters.get("n_jobs"),
        )
        truth, own = score[self.target].to_numpy(np.float64), self.score(fitted, score)
        how: dict[str, Any] = {"n_bootstrap": n_bootstrap, "seed": fitted.random_state}
        how["groups"] = score["customer_id"]
        if not predictions:
            return {}
        return {
            "baselines": {
                "quality": self.quality_words,
                "of": self.spec.comparison_metric,
                "models": {
                    name: {
                        "quality": self.quality_of(truth, predicted),
                        "advantage": self.advantage_of(truth, own, predicted, **how).to_dict(),
                    }
                    for name, predicted in predictions.items()
                },
            }
        }

    def assess(self, inputs: Inputs, model: RegisteredModel) -> Assessment:
        """Return the fairness of a version on its test people."""
        return self.fairness(
            model,
            self.test_rows(inputs, model),
            threads=inputs.threads,
            **inputs.fairness_settings(),
        )

    def fairness(
        self, model: RegisteredModel, rows: pd.DataFrame, *, threads: int, **settings: Any
    ) -> Assessment:
        """Measure fairness on the test people of labelled rows; a gap is given a mitigation.

        `settings` are as `Inputs.fairness_settings` gives them.
        """
        return self.judged(self.open(model, threads=threads), self.known(rows), **settings)

    def judged(self, fitted: Any, rows: pd.DataFrame, **settings: Any) -> Assessment:
        """Measure the fairness of a fitted estimator on labelled rows whose target is known."""
        return assess_regression(partial(self.score, fitted), rows, label=self.target, **settings)

    def champion_advantage(
        self, inputs: Inputs, champion: RegisteredModel, candidate: RegisteredModel
    ) -> Interval:
        """Return how much better the champion is on the candidate's test rows: above 0, better."""
        return self.advantage(
            champion,
            candidate,
            self.test_rows(inputs, candidate),
            threads=inputs.threads,
            n_bootstrap=inputs.bootstrap,
            seed=inputs.seed,
        )

    def challenge(
        self, inputs: Inputs, champion: RegisteredModel, candidate: RegisteredModel
    ) -> Challenge:
        """Return whether a tuned candidate has so much less loss that it may replace a champion.

        Measured on the test people of the candidate's test snapshot, which no trial saw.
        """
        rows = split_rows(self.known(self.test_rows(inputs, candidate)), test=True)
        return self.judged_challenge(
            champion,
            candidate,
            rows,
            threads=inputs.threads,
            n_bootstrap=inputs.bootstrap,
            seed=inputs.seed,
        )

    def judged_challenge(
        self,
        champion: RegisteredModel,
        candidate: RegisteredModel,
        rows: pd.DataFrame,
        *,
        threads: int,
        n_bootstrap: int,
        seed: int,
    ) -> Challenge:
        """Compare the losses of two versions on labelled rows that neither has learnt from."""
        truth = rows[self.target].to_numpy(np.float64)
        kind: Kind = "binary" if self.labels_are_classes else "number"
        losses = [
            row_losses(truth, self.score(self.open(model, threads=threads), rows), kind)
            for model in (champion, candidate)
        ]
        return challenge(*losses, groups=rows["customer_id"], n_bootstrap=n_bootstrap, seed=seed)

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
        test = split_rows(self.known(rows), test=True)
        scores = [self.score(self.open(model, threads=threads), test) for model in (first, second)]
        return self.advantage_of(test[self.target], *scores, n_bootstrap=n_bootstrap, seed=seed)

    def test_rows(self, inputs: Inputs, model: RegisteredModel) -> pd.DataFrame:
        """Return labelled rows of a version's latest test snapshot, all people.

        Of one snapshot each customer has one row, as tests of groups and of two versions ask.
        """
        day = date.fromisoformat(model.card["test_snapshot"])
        return inputs.labelled(day, self.label)

    def data_versions(self, inputs: Inputs, snapshots: Snapshots) -> dict[str, str]:
        """Return a digest of each partition that was learnt from or scored on."""
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
