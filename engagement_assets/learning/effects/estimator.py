"""The effect of a treatment on each row, by whichever learner is shown to know it.

Belongs here: choosing the learner, testing it against the constant effect, reasons, and files. Does
not belong here: the learners (`learners.py`) and the tests (`heterogeneity.py`).

The learner with the least squared distance to the doubly robust scores out of fold is chosen on
training rows. It serves only where rows set aside show that effects differ as it says, and do not
show that the constant effect is nearer to their scores; else the constant effect serves. No row is
in the choice and in the test of it.
"""

# ruff: noqa: N803 - X is scikit-learn's name for a table of features

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from sklearn.base import BaseEstimator
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.utils.validation import check_is_fitted

from engagement_assets.learning.effects.heterogeneity import (
    LEAST_OF_ARM,
    Calibration,
    calibration_test,
    rate,
)
from engagement_assets.learning.effects.learners import LEARNERS, ConstantEffect
from engagement_assets.learning.effects.nuisances import (
    NuisanceModels,
    Nuisances,
    cross_fitted,
    mean_interval,
)
from engagement_assets.learning.effects.trial import Trial, UnusableTrialError, checked_trial
from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.explanations.explanation import Explanation
from engagement_assets.learning.explanations.shap_values import explain
from engagement_assets.learning.json_data import naming
from engagement_assets.learning.trees.encoder import TableEncoder, typical_values

if TYPE_CHECKING:
    from upath import UPath

ARRAYS_FILE = "effects.npz"
REASONS_FILE = "reasons.ubj"
ESTIMATOR_FILE = "estimator.json"
FORMAT = "treatment-effects/1"
CONSTANT = ConstantEffect.name
# of each arm: so few show no heterogeneity, and the constant effect needs no more
LEAST_SET_ASIDE = 3
# Trees that retell the effects so that they can be explained exactly.
_REASON_TREES = {"max_depth": 4, "learning_rate": 0.1, "min_child_weight": 5.0}
_REASON_ROUNDS = 200


@dataclass(kw_only=True, eq=False, repr=False)
class TreatmentEffectEstimator(BaseEstimator):
    """Estimates the effect of a treatment on each row.

    Args:
        learners: Names of the learners that are tried beside the constant effect; `None` for all
            of `learners.LEARNERS`.
        test_share: Share of the rows that are set aside to test the learner.
        folds: Folds of nuisances and of the choice.
        trees: Trees of the causal forest, a multiple of 4.
        rows_to_choose: Most rows on which the learner is chosen.
        refit: Whether the learner that serves is fitted on all rows in the end; else the rows set
            aside stay unseen.
        random_state: Seed.
        n_jobs: Threads.

    Attributes:
        learner_: The learner that serves.
        chosen_: Name of the learner that was chosen, which serves where it is shown to be right.
        served_: Name of the learner that serves.
        losses_: Mean squared distance to the doubly robust scores out of fold, weighted by their
            precision, by learner.
        test_gain_: How much nearer to the scores of the rows set aside the chosen learner is than
            the constant effect, with its interval.
        calibration_: Test of the chosen learner on the rows set aside.
        rate_: AUTOC of the chosen learner on the rows set aside, with its interval.
        effect_: Mean effect of all rows, doubly robust, with its 95 % interval.
        rows_: What is expected of each row that was fitted on, and its scores; not kept in files.
        test_rows_: Which of these were set aside; not kept in files.
        test_effects_: Effects of these by the chosen learner before it saw them; not kept.
        reasons_fidelity_: R² of the trees behind `explain` with the effects.
    """

    learners: Sequence[str] | None = None
    test_share: float = 0.3
    folds: int = 3
    trees: int = 100
    rows_to_choose: int = 5_000
    refit: bool = True
    random_state: int = 0
    n_jobs: int = 1

    def fit(
        self,
        X: pd.DataFrame,
        treatment: ArrayLike,
        outcome: ArrayLike,
        *,
        propensity: ArrayLike | None = None,
        test: NDArray[np.bool_] | None = None,
        **checks: Any,
    ) -> Self:
        """Estimate effects.

        Args:
            X: n rows of features from before the assignment.
            treatment: n of 0 and 1.
            outcome: n outcomes.
            propensity: n known chances of being treated; None where they are to be learnt, which
                is no experiment.
            test: n booleans: the rows that are set aside, where it is not left to chance; every
                outcome must be known then.
            checks: Further columns that are checked; see `checked_trial`.

        Raises:
            UnusableTrialError: No effect can be told from such rows.
            TooLittleDataError: An arm has too few rows, of all or of those set aside.
        """
        trial = checked_trial(X, treatment, outcome, propensity=propensity, **checks)
        test = self._set_aside(trial, test)
        encoder = TableEncoder.fit(trial.features)
        matrix = np.asarray(encoder.transform(trial.features), dtype=np.float64)
        self._take_encoder(encoder)
        self.typical_values_ = typical_values(trial.features, encoder)
        self.is_experiment_ = trial.is_experiment
        rows = self._expected(matrix, trial, test)
        self.rows_, self.test_rows_ = rows, test
        self.effect_ = mean_interval(rows.scores)
        learn, held_out = rows.rows(~test), rows.rows(test)
        self.losses_ = self._choose(matrix[~test], learn)
        self.chosen_ = min(
            (name for name in self.losses_ if name != CONSTANT), key=lambda n: self.losses_[n]
        )
        candidate = self._learner(self.chosen_).fit(matrix[~test], learn)
        constant = self._learner(CONSTANT).fit(matrix[~test], learn)
        self.test_effects_ = candidate.predict(matrix[test])
        self.calibration_ = calibration_test(self.test_effects_, held_out)
        self.rate_ = rate(self.test_effects_, held_out.scores, seed=self.random_state)
        self.test_gain_ = mean_interval(
            held_out.distance(constant.predict(matrix[test]))
            - held_out.distance(self.test_effects_)
        )
        shown = self.calibration_.shows_heterogeneity and self.test_gain_.high > 0.0
        self.served_ = self.chosen_ if shown else CONSTANT
        if self.refit:
            self.learner_ = self._learner(self.served_).fit(matrix, rows)
            self.learner_.add_intervals(matrix, rows)
        else:
            self.learner_ = candidate if shown else constant
            self.learner_.add_intervals(matrix[~test], learn)
        self._learn_reasons(matrix)
        return self

    def _set_aside(self, trial: Trial, test: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        """Return which rows are set aside: as given, or by chance within each arm."""
        n = len(trial.outcome)
        if test is None:
            test = np.zeros(n, dtype=np.bool_)
            _, chosen = train_test_split(
                np.arange(n),
                test_size=self.test_share,
                stratify=trial.treatment,
                random_state=self.random_state,
            )
            test[chosen] = True
        if len(test) != n:
            raise UnusableTrialError(f"`test` has {len(test)} rows, and {n} outcomes are known")
        for aside, least, words in (
            (False, LEAST_OF_ARM, "learnt from"),
            (True, LEAST_SET_ASIDE, "set aside"),
        ):
            arms = np.bincount(trial.treatment[test == aside], minlength=2)
            if arms.min() < least:
                raise TooLittleDataError(
                    f"{arms.min()} rows of an arm are {words}; at least {least} are needed"
                )
        return test

    def _expected(self, matrix: Floats, trial: Trial, test: NDArray[np.bool_]) -> Nuisances:
        """Return what is expected of every row by models that have not seen it."""

        def columns(which: NDArray[np.bool_]) -> tuple[Any, ...]:
            chances = None if trial.propensity is None else trial.propensity[which]
            return matrix[which], trial.treatment[which], trial.outcome[which], chances

        how: dict[str, Any] = {"seed": self.random_state, "threads": self.n_jobs}
        learn = cross_fitted(*columns(~test), folds=self.folds, **how)
        models = NuisanceModels.fit(*columns(~test)[:3], known=trial.is_experiment, **how)
        rest = models(*columns(test))
        both = learn.and_those(rest)
        back = np.argsort(np.concatenate([np.flatnonzero(~test), np.flatnonzero(test)]))
        return both.rows(back)

    def _choose(self, matrix: Floats, rows: Nuisances) -> dict[str, float]:
        """Return the mean squared distance of each learner to the scores, out of fold."""
        rng = np.random.default_rng(self.random_state)
        if len(matrix) > self.rows_to_choose:
            some = np.sort(rng.choice(len(matrix), self.rows_to_choose, replace=False))
            matrix, rows = matrix[some], rows.rows(some)
        names = [CONSTANT, *(n for n in (self.learners or LEARNERS) if n != CONSTANT)]
        losses = dict.fromkeys(names, 0.0)
        # other folds than those of the nuisances
        folds = StratifiedKFold(self.folds, shuffle=True, random_state=self.random_state + 1)
        for learn, rest in folds.split(matrix, rows.treatment):
            for name in names:
                fitted = self._learner(name).fit(matrix[learn], rows.rows(learn))
                distance = rows.rows(rest).distance(fitted.predict(matrix[rest]))
                losses[name] += float(distance.sum()) / len(matrix)
        return losses

    def _learner(self, name: str) -> Any:
        return LEARNERS[name](seed=self.random_state, threads=self.n_jobs, trees=self.trees)

    def _take_encoder(self, encoder: TableEncoder) -> None:
        self.encoder_ = encoder
        self.feature_names_in_ = np.array(encoder.features, dtype=object)
        self.n_features_in_ = len(encoder.features)

    def _matrix(self, X: pd.DataFrame) -> Floats:
        check_is_fitted(self, "learner_")
        return np.asarray(self.encoder_.transform(X), dtype=np.float64)

    def effect(self, X: pd.DataFrame) -> Floats:
        """Return the n effects of the treatment."""
        effects: Floats = self.learner_.predict(self._matrix(X))
        return effects

    def effect_interval(self, X: pd.DataFrame, *, level: float = 0.95) -> Floats:
        """Return the n x 2 ends of the effects' intervals.

        They are of the sampling error; what a learner smooths away is in none of them. Where the
        constant effect serves they are of the mean effect.
        """
        matrix = self._matrix(X)
        effects, errors = self.learner_.predict(matrix), self.learner_.standard_errors(matrix)
        reach = float(stats.norm.ppf(0.5 + level / 2.0)) * errors
        return np.column_stack([effects - reach, effects + reach])

    def _learn_reasons(self, matrix: Floats) -> None:
        """Fit trees to the effects, which give exact contributions to what they retell."""
        effects = self.learner_.predict(matrix)
        spread = float(np.std(effects))
        data = xgb.QuantileDMatrix(
            matrix.astype(np.float32),
            label=effects,
            feature_names=self._names(),
            nthread=self.n_jobs,
        )
        parameters = _REASON_TREES | {
            "tree_method": "hist",
            "seed": self.random_state,
            "nthread": self.n_jobs,
            "base_score": float(effects.mean()),
        }
        rounds = _REASON_ROUNDS if self.served_ != CONSTANT else 1
        self.reasons_ = xgb.train(parameters, data, num_boost_round=rounds)
        retold = np.asarray(self.reasons_.predict(data), dtype=np.float64)
        unexplained = float(np.mean((effects - retold) ** 2))
        self.reasons_fidelity_ = 1.0 - unexplained / spread**2 if spread > 1e-12 else 1.0

    def _names(self) -> list[str] | None:
        names = [str(name) for name in self.feature_names_in_]
        return None if any(set(name) & set("[]<") for name in names) else names

    def explain(self, X: pd.DataFrame) -> Explanation:
        """Return contributions of the n x f values to the effects, as trees retell them.

        The contributions are exact for the trees; `reasons_fidelity_` says how well these retell
        the effects.
        """
        frame = self.encoder_.frame(X)
        explanation = explain(self.reasons_, frame, n_jobs=self.n_jobs, seed=self.random_state)
        return replace(explanation, data=X[self.encoder_.features])

    def save(self, folder: Path | UPath | str) -> None:
        """Write the estimator as data: arrays, trees in UBJSON, the rest in JSON."""
        check_is_fitted(self, "learner_")
        target = Path(folder) if isinstance(folder, str) else folder
        target.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **self.learner_.arrays())
        (target / ARRAYS_FILE).write_bytes(buffer.getvalue())
        (target / REASONS_FILE).write_bytes(bytes(self.reasons_.save_raw("ubj")))
        learners = None if self.learners is None else list(self.learners)
        state = {
            "format": FORMAT,
            "parameters": self.get_params() | {"learners": learners},
            "encoder": self.encoder_.to_dict(),
            "typical_values": self.typical_values_,
            **self.summary(),
        }
        (target / ESTIMATOR_FILE).write_text(json.dumps(state, indent=1, allow_nan=False))

    def summary(self) -> dict[str, Any]:
        """Return what was chosen and how it was tested, as JSON data."""
        return {
            "served": self.served_,
            "chosen": self.chosen_,
            "is_experiment": self.is_experiment_,
            "losses": self.losses_,
            "effect": self.effect_.to_dict(),
            "test_gain": self.test_gain_.to_dict(),
            "calibration": self.calibration_.to_dict(),
            "rate": self.rate_.to_dict(),
            "reasons_fidelity": self.reasons_fidelity_,
        }

    @classmethod
    def load(cls, folder: Path | UPath | str) -> Self:
        """Read what `save` wrote.

        Raises:
            ValueError: When it is of another format.
        """
        source = Path(folder) if isinstance(folder, str) else folder
        with naming(source / ESTIMATOR_FILE):
            state = json.loads((source / ESTIMATOR_FILE).read_text())
            if state.get("format") != FORMAT:
                raise ValueError(
                    f"{folder} has format {state.get('format')!r}, expected {FORMAT!r}"
                )
            made = cls(**state["parameters"])
            made._take_encoder(TableEncoder.from_dict(state["encoder"]))
            made.typical_values_ = state["typical_values"]
            for name in ("served", "chosen", "is_experiment", "losses", "reasons_fidelity"):
                setattr(made, f"{name}_", state[name])
            made.effect_, made.rate_, made.test_gain_ = (
                Interval.from_dict(state[name]) for name in ("effect", "rate", "test_gain")
            )
            made.calibration_ = Calibration.from_dict(state["calibration"])
            made.reasons_ = xgb.Booster({"nthread": made.n_jobs})
            made.reasons_.load_model(bytearray((source / REASONS_FILE).read_bytes()))
            with np.load(
                io.BytesIO((source / ARRAYS_FILE).read_bytes()), allow_pickle=False
            ) as arrays:
                made.learner_ = made._learner(made.served_).restore(dict(arrays))
            return made
