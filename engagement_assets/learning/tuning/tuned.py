"""What tuned estimators share: a search, its choice, margins, reasons, and keeping all as data.

Belongs here: fitting by a search, margins, explaining, saving and loading. Does not belong here:
the search and the choice themselves, and what a margin becomes (`estimators.py`).
"""

# ruff: noqa: N803, N806 - X is scikit-learn's name for a table of features

from __future__ import annotations

import copy
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.explanations.explanation import Explanation
from engagement_assets.learning.explanations.shap_values import rank_correlations
from engagement_assets.learning.json_data import naming, plain
from engagement_assets.learning.tables import TakesTables, as_table
from engagement_assets.learning.trees.boosted import Matrix
from engagement_assets.learning.trees.encoder import TableEncoder, typical_values
from engagement_assets.learning.tuning.choice import (
    FOUR_FIFTHS,
    Candidate,
    candidates,
    choose,
    combined,
    unfairness_of,
)
from engagement_assets.learning.tuning.learners import FAMILIES, Learner, family
from engagement_assets.learning.tuning.plan import Plan
from engagement_assets.learning.tuning.problem import (
    NUMBER,
    Kind,
    Problem,
    problem_of,
)
from engagement_assets.learning.tuning.search import complete, run, state
from engagement_assets.learning.tuning.study import StudyRecord
from engagement_assets.learning.weights import that_weigh, weighed_rows

if TYPE_CHECKING:
    from upath import UPath

logger = logging.getLogger(__name__)

STATE_FILE = "tuned.json"


@dataclass(kw_only=True, eq=False, repr=False)
class TunedEstimator(TakesTables, BaseEstimator):
    """Learners and parameters chosen by a search, alone or as a weighted mean of margins.

    Args:
        trials: Trials of the search.
        minutes: Time for them and for scoring the best on all rows; None for no limit. The first
            of each always ends, and the choice is fitted on all rows after it.
        folds: Folds, dealt once; the rows of a group are in one.
        families: Names of learners, of `FAMILIES`.
        search_rows: Rows that trials see, of whole groups; the best are then scored on all.
        finalists: How many those are.
        memory_mib: Memory that a trial may take; None for no limit. With a limit trials run in a
            process of their own.
        fairness_limit: What the worst group may lack where sensitive columns are given.
        least_group: Rows below which a group is not judged.
        study: Folder of the search's record, with which a search that was killed goes on; None
            for none.
        random_state: Seed.
        n_jobs: Threads; None for all cores.

    Attributes:
        members_: The learners, fitted on every row.
        weights_: Their shares.
        choice_: What was chosen.
        candidates_: What it was chosen from, the least loss first.
        trials_: Every trial as data.
        folds_: Folds that were used.
        oof_margin_: Out-of-fold margins of the rows that weigh anything, in their order.
        encoder_: The map from table to matrix.
        feature_names_in_: The f feature names in order.
        n_features_in_: Their number.
        typical_values_: Median or most frequent value of each feature.
    """

    file_format: ClassVar[str] = "tuned/1"
    kind: ClassVar[Kind]

    trials: int = 50
    minutes: float | None = None
    folds: int = 5
    families: tuple[str, ...] = tuple(FAMILIES)
    search_rows: int = 20_000
    finalists: int = 6
    memory_mib: int | None = None
    fairness_limit: float = FOUR_FIFTHS
    least_group: int = 100
    study: str | None = None
    random_state: int = 0
    n_jobs: int | None = None
    members_: list[Learner] = field(init=False)

    def _kind(self) -> Kind:
        return self.kind

    def fit(
        self,
        X: pd.DataFrame,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        fold: ArrayLike | None = None,
        sensitive: pd.DataFrame | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Search, choose, and fit the choice on every row.

        Args:
            X: n x f numbers, booleans, text or categories; nulls allowed.
            y: n targets; a classifier's have two classes, the second is the positive one.
            groups: n names of what belongs together, such as the person of each row.
            fold: n names of folds, where they are fixed already.
            sensitive: n rows of columns that the choice must be fair by; none is learnt from.
            sample_weight: n weights, 0 or more: how much a row counts beside the others in all
                that is learnt and chosen. A row of weight 0 is as if it were not there. What
                groups lack is counted in rows, so it goes with equal weights alone.

        Raises:
            NoTrialError: No trial came to its end.
            OtherStudyError: The folder of the study holds another search.
            DamagedStudyError: A file there is not what was written.
            StudyInUseError: Another process searches there.
            TooLittleDataError: There is too little to learn from.
            TypeError: When X is sparse or has a column of a type that cannot be used.
            ValueError: When the table or its folds are not what they must be; see `problem_of`. A
                classifier's targets have more than two classes. Weights are not what they must
                be (`weighed_rows`), or differ while there are sensitive columns.
        """
        sensitive = None if sensitive is None or sensitive.columns.empty else sensitive
        X, y, groups, weights = weighed_rows(X, y, groups, sample_weight)
        sensitive, fold = (that_weigh(values, sample_weight) for values in (sensitive, fold))
        if sensitive is not None and weights is not None:
            raise ValueError(
                "what groups lack is counted in rows, which have different weights: give sensitive "
                "columns or sample_weight"
            )
        problem = problem_of(
            X,
            self._targets(y),
            kind=self._kind(),
            groups=groups,
            fold=fold,
            folds=self.folds,
            seed=self.random_state,
            weights=weights,
        )
        self._take_encoder(problem.encoder)
        self.typical_values_ = typical_values(X, problem.encoder)
        self.folds_ = len(problem.folds)
        plan = self._plan()
        asked = {
            "data": problem.digest(),
            "seed": plan.seed,
            "families": plan.families,
            "search_rows": plan.search_rows,
        }
        with StudyRecord(None if self.study is None else Path(self.study), asked) as record:
            scored = run(problem, plan, record)
        measure = None
        if sensitive is not None:
            measure = unfairness_of(problem, sensitive, least_group=self.least_group)
        self.candidates_ = candidates(problem, scored, unfairness=measure)
        self.choice_ = choose(self.candidates_, limit=self.fairness_limit)
        self.trials_ = [
            {
                "number": trial.number + 1,
                "family": trial.user_attrs["family"],
                "state": state(trial),
                "loss": trial.value,
                "reason": trial.user_attrs.get("reason"),
            }
            for trial in record.trials
        ]
        self.searched_rows_ = min(len(X), plan.search_rows)
        self.complete_ = len(complete(record))
        self.oof_margin_ = combined(scored, self.choice_.weights)
        self.weights_ = list(self.choice_.weights.values())
        logger.info("Chosen: %s, out-of-fold loss %.5f", self.choice_.name, self.choice_.loss)
        self.members_ = [
            self._member(problem, scored[place].family, scored[place].parameters)
            for place in self.choice_.weights
        ]
        self._learn_rest(problem)
        return self

    def _targets(self, y: ArrayLike) -> ArrayLike:
        """Return targets as they are learnt."""
        return y

    def _plan(self) -> Plan:
        for name in self.families:
            family(name)
        return Plan(
            trials=self.trials,
            families=tuple(self.families),
            seconds=None if self.minutes is None else 60.0 * self.minutes,
            search_rows=self.search_rows,
            finalists=self.finalists,
            memory_mib=self.memory_mib,
            seed=self.random_state,
            n_jobs=self.n_jobs,
        )

    def _take_encoder(self, encoder: TableEncoder) -> None:
        self.encoder_ = encoder
        self.feature_names_in_ = np.array(encoder.features, dtype=object)
        self.n_features_in_ = len(encoder.features)

    def _member(self, problem: Problem, name: str, parameters: Mapping[str, Any]) -> Learner:
        began = time.monotonic()
        learner = family(name)(
            parameters,
            logistic=problem.logistic,
            categories=problem.categories,
            seed=self.random_state,
            n_jobs=self.n_jobs,
        ).fit(problem.matrix, problem.target, problem.weights)
        logger.info("%s on all rows in %.1f s", name, time.monotonic() - began)
        return learner

    def _learn_rest(self, problem: Problem) -> None:
        """Learn what follows from out-of-fold margins."""

    def refitted(
        self, X: pd.DataFrame, y: ArrayLike, *, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Return the same learners and shares fitted on other rows; what else was chosen stays.

        Args:
            X: n x f numbers, booleans, text or categories; nulls allowed.
            y: n targets.
            sample_weight: n weights as in `fit`; None where these rows weigh alike, whatever the
                rows of `fit` weighed.

        Raises:
            ValueError: As in `fit`.
        """
        check_is_fitted(self, "members_")
        X, y, _, weights = weighed_rows(X, y, None, sample_weight)
        encoder = TableEncoder.fit(X)
        target = np.asarray(y, dtype=np.float64)
        fitted = self.refitted_on(encoder, encoder.transform(X), target, weights)
        fitted.typical_values_ = typical_values(X, encoder)
        return fitted

    def refitted_on(
        self,
        encoder: TableEncoder,
        matrix: Matrix,
        target: Floats,
        weights: Floats | None = None,
    ) -> Self:
        """Return the same learners and shares fitted on other rows as an encoder gives them."""
        fitted = copy.copy(self)
        fitted._take_encoder(encoder)
        problem = Problem(
            kind=self._kind(),
            encoder=encoder,
            matrix=matrix,
            target=target,
            groups=np.arange(len(target)),
            folds=[],
            weights=weights,
        )
        fitted.members_ = [
            self._member(problem, one.family, one.parameters) for one in self.members_
        ]
        return fitted

    def set_params(self, **parameters: Any) -> Self:
        """Set parameters; threads also of fitted learners."""
        super().set_params(**parameters)
        for learner in getattr(self, "members_", []):
            learner.n_jobs = self.n_jobs
        return self

    @property
    def margin_unit(self) -> str:
        """The unit of margins and contributions."""
        return "target" if self._kind() == NUMBER else "log-odds"

    def predict_margin(self, X: pd.DataFrame) -> Floats:
        """Return the n margins that are explained: the weighted mean of the members'.

        Raises:
            TypeError: When a column has changed its type since the fit.
            ValueError: When columns are missing or have infinite values.
        """
        check_is_fitted(self, "members_")
        return self.matrix_margin(self.encoder_.transform(X))

    def matrix_margin(self, matrix: Matrix) -> Floats:
        """Return the n margins of rows as the encoder gives them."""
        parts = zip(self.weights_, self.members_, strict=True)
        margin: Floats = np.sum([w * learner.margin(matrix) for w, learner in parts], axis=0)
        return margin

    def explain(self, X: pd.DataFrame) -> Explanation:
        """Return the SHAP contributions of the n x f values to `predict_margin`.

        Those of trees are exact, those of a net are sampled; of all of them each row's sum meets
        its margin.
        """
        check_is_fitted(self, "members_")
        began = time.perf_counter()
        matrix = self.encoder_.transform(X)
        total = np.zeros(matrix.shape)
        base, methods = 0.0, []
        for weight, learner in zip(self.weights_, self.members_, strict=True):
            values, own_base, method = learner.contributions(matrix)
            total += weight * values
            base += weight * own_base
            methods.append(method)
        contributions = total.astype(np.float32)
        sums = contributions.sum(axis=1, dtype=np.float64) + base
        return Explanation(
            features=tuple(self.encoder_.features),
            contributions=contributions,
            base_value=base,
            method=" + ".join(dict.fromkeys(methods)),
            additivity_error=float(np.abs(sums - self.matrix_margin(matrix)).max()),
            rows_checked=len(matrix),
            fallback_reason=None,
            rank_correlation=rank_correlations(matrix, contributions, self.random_state),
            seconds=time.perf_counter() - began,
            data=as_table(X, self.encoder_.features)[self.encoder_.features],
        )

    def tuning(self) -> dict[str, Any]:
        """Return how the choice was made, as JSON data: for a card and `report.tuning_markdown`."""
        return {
            "kind": self._kind(),
            "asked": self.trials,
            "trials": self.trials_,
            "folds": self.folds_,
            "searched_rows": self.searched_rows_,
            "candidates": [one.to_dict() for one in self.candidates_],
            "choice": self.choice_.name,
            "fairness_limit": self.fairness_limit,
            "members": [
                {"family": one.family, "weight": weight, "parameters": one.parameters}
                for one, weight in zip(self.members_, self.weights_, strict=True)
            ],
        }

    def save(self, folder: Path | UPath | str) -> None:
        """Write the fitted estimator as data: each learner in its library's format, JSON beside.

        Args:
            folder: Made when it is not there; files of the same name are replaced.
        """
        check_is_fitted(self, "members_")
        target = Path(folder) if isinstance(folder, str) else folder
        target.mkdir(parents=True, exist_ok=True)
        members = []
        for place, learner in enumerate(self.members_):
            file = f"member-{place}.{learner.suffix}"
            (target / file).write_bytes(learner.to_bytes())
            members.append(
                {"file": file, "family": learner.family, "parameters": learner.parameters}
            )
        # neither a folder of this machine nor its threads belong to what was learnt
        parameters = plain(self.get_params()) | {"families": list(self.families), "study": None}
        saved = {
            "format": self.file_format,
            "parameters": parameters,
            "encoder": self.encoder_.to_dict(),
            "typical_values": self.typical_values_,
            "folds_used": self.folds_,
            "members": members,
            "weights": self.weights_,
            "choice": self.choice_.to_dict(),
            **self._state(),
        }
        (target / STATE_FILE).write_text(json.dumps(saved, indent=1, allow_nan=False))

    def _state(self) -> dict[str, Any]:
        return {}

    @classmethod
    def load(cls, folder: Path | UPath | str) -> Self:
        """Read what `save` wrote. Check the files' hashes first (`ModelRegistry.open`).

        Raises:
            FileNotFoundError: When a file is missing.
            ValueError: When the files are of another format.
        """
        source = Path(folder) if isinstance(folder, str) else folder
        with naming(source / STATE_FILE):
            return cls._loaded(source)

    @classmethod
    def _loaded(cls, folder: Path | UPath) -> Self:
        saved = json.loads((folder / STATE_FILE).read_text())
        if saved.get("format") != cls.file_format:
            raise ValueError(
                f"{folder} has format {saved.get('format')!r}, expected {cls.file_format!r}"
            )
        parameters = saved["parameters"]
        model = cls(**parameters | {"families": tuple(parameters["families"])})
        model._take_encoder(TableEncoder.from_dict(saved["encoder"]))
        model.typical_values_ = dict(saved["typical_values"])
        model.folds_ = int(saved["folds_used"])
        model.weights_ = [float(weight) for weight in saved["weights"]]
        choice = saved["choice"]
        model.choice_ = Candidate(
            name=choice["name"],
            weights=dict(enumerate(model.weights_)),
            loss=choice["loss"],
            unfairness=choice["unfairness"],
        )
        model._restore(saved)
        kinds = [i for i, kind in enumerate(model.encoder_.kinds.values()) if kind == "category"]
        model.members_ = [
            family(member["family"])(
                member["parameters"],
                logistic=model._kind() != NUMBER,
                categories=kinds,
                seed=model.random_state,
                n_jobs=model.n_jobs,
            ).restore((folder / member["file"]).read_bytes())
            for member in saved["members"]
        ]
        return model

    def _restore(self, saved: Mapping[str, Any]) -> None:
        """Take back what `_state` gave."""
