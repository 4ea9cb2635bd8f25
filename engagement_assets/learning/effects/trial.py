"""A trial: who was treated by what chance, and what came of it, with what makes it unusable.

Belongs here: the checks of the input. Does not belong here: estimates.
"""

# ruff: noqa: N803 - X is scikit-learn's name for a table of features

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.evaluation.binary import Floats

LEAST_ROWS_OF_ARM = 20
# Below this chance a difference between the arms in who has an outcome is no accident.
_ALARM = 0.001


class UnusableTrialError(ValueError):
    """No effect can be told from such a trial; the message names what is wrong and what to do."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A checked trial of n rows.

    Attributes:
        features: n rows of what was known before the assignment.
        treatment: n of 0 and 1.
        outcome: n outcomes.
        propensity: n chances with which the row was treated, or None where these are not known:
            then the trial is no experiment.
    """

    features: pd.DataFrame
    treatment: NDArray[np.int64]
    outcome: Floats
    propensity: Floats | None

    @property
    def is_experiment(self) -> bool:
        """Whether the assignment was by known chances."""
        return self.propensity is not None

    def rows(self, chosen: NDArray[Any]) -> Trial:
        """Return some of the rows, by a mask or by positions."""
        return Trial(
            self.features.iloc[
                np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
            ].reset_index(drop=True),
            self.treatment[chosen],
            self.outcome[chosen],
            None if self.propensity is None else self.propensity[chosen],
        )


def checked_trial(
    X: pd.DataFrame,
    treatment: ArrayLike,
    outcome: ArrayLike,
    *,
    propensity: ArrayLike | None = None,
    units: ArrayLike | None = None,
    assigned_at: ArrayLike | None = None,
    features_at: ArrayLike | None = None,
    outcome_at: ArrayLike | None = None,
) -> Trial:
    """Check a trial and return it; rows without an outcome are left out where chance explains them.

    Args:
        X: n rows of features.
        treatment: n of 0 (control) and 1 (treated).
        outcome: n outcomes, NaN where unknown.
        propensity: n known chances of being treated (not of the arm that was given); None where
            the assignment was not by chance.
        units: n names of who was assigned, for each of whom there must be one row.
        assigned_at: n times of assignment.
        features_at: n times up to which the features look, or one of all.
        outcome_at: n times from which the outcome is counted, or one of all.

    Raises:
        UnusableTrialError: No effect can be told; the message says why.
        TooLittleDataError: An arm has too few rows.
    """
    arms = pd.Series(np.asarray(treatment))
    if arms.isna().any() or not set(arms.unique()) <= {0, 1}:
        raise UnusableTrialError(
            f"treatment must be 0 or 1, and has {sorted(map(str, arms.unique()))[:5]}: name the "
            "variant that is compared, and leave out rows that were not assigned"
        )
    if len(X) != len(arms):
        raise UnusableTrialError(f"there are {len(X)} rows of features and {len(arms)} treatments")
    _check_units(arms, units)
    _check_times(assigned_at, features_at, outcome_at)
    taken = arms.to_numpy(np.int64)
    value = np.asarray(outcome, dtype=np.float64)
    chances = None if propensity is None else np.asarray(propensity, dtype=np.float64)
    if chances is not None and not ((chances > 0) & (chances < 1)).all():
        raise UnusableTrialError(
            "known propensities must lie above 0 and below 1, for every row: who had no chance of "
            "an arm is in no experiment, so leave them out"
        )
    known = np.isfinite(value)
    _check_missing(taken, known)
    trial = Trial(X.reset_index(drop=True), taken, value, chances).rows(known)
    for arm, name in ((1, "treated"), (0, "control")):
        count = int((trial.treatment == arm).sum())
        if count == 0:
            raise UnusableTrialError(
                f"there is one arm: no row is {name}, so there is nothing to compare with"
            )
        if count < LEAST_ROWS_OF_ARM:
            raise TooLittleDataError(
                f"{count} rows are {name}; at least {LEAST_ROWS_OF_ARM} are needed in each arm"
            )
    _check_shares(trial)
    if np.ptp(trial.outcome) == 0.0:
        raise UnusableTrialError(
            f"the outcome is {trial.outcome[0]:g} in every row (zero variance): it cannot show an "
            "effect, so choose another"
        )
    return trial


def _check_units(arms: pd.Series, units: ArrayLike | None) -> None:
    if units is None:
        return
    names = pd.Series(np.asarray(units, dtype=object))
    both = arms.groupby(names).nunique()
    changed = both.index[both > 1]
    if len(changed):
        raise UnusableTrialError(
            f"{len(changed):,} were in both arms, such as {changed[0]}: the assignment changed "
            "midway. Take each one's first assignment, or leave them out and say so"
        )
    if arms[names.duplicated().to_numpy()].size:
        raise UnusableTrialError(
            f"{int(names.duplicated().sum()):,} rows repeat a unit: give one row each"
        )
    for arm in (0, 1):
        if names[(arms == arm).to_numpy()].nunique() == 1:
            raise UnusableTrialError(f"arm {arm} is a single unit: its effect is not its arm's")


def _check_times(
    assigned_at: ArrayLike | None, features_at: ArrayLike | None, outcome_at: ArrayLike | None
) -> None:
    if assigned_at is None:
        if features_at is not None or outcome_at is not None:
            raise UnusableTrialError("give `assigned_at` beside the times it is compared with")
        return
    assigned = _times(assigned_at)
    for others, late, words in (
        (features_at, True, "have a covariate from after the assignment"),
        (outcome_at, False, "were treated after the outcome began"),
    ):
        if others is None:
            continue
        times = _times(others)
        wrong = np.broadcast_to(times > assigned if late else times < assigned, assigned.shape)
        if wrong.any():
            raise UnusableTrialError(
                f"{int(wrong.sum()):,} rows {words}: what the treatment may have moved explains it "
                "away. Take features from before the assignment and outcomes from after it"
            )


def _times(values: ArrayLike) -> NDArray[np.datetime64]:
    return np.asarray(values, dtype="datetime64[us]")


def _check_shares(trial: Trial) -> None:
    """Refuse arms whose sizes the known chances hardly give: a sample-ratio mismatch."""
    if trial.propensity is None:
        return
    chances = trial.propensity
    difference = float(trial.treatment.sum() - chances.sum())
    spread = float(np.sqrt((chances * (1.0 - chances)).sum()))
    if 2.0 * stats.norm.sf(abs(difference) / spread) < _ALARM:
        raise UnusableTrialError(
            f"broken randomisation: {int(trial.treatment.sum()):,} of {len(chances):,} rows were "
            f"treated and {chances.sum():,.0f} should have been (p below {_ALARM}). Who was let "
            "into an arm is no longer by chance; mend the assignment and run it again"
        )


def _check_missing(arms: NDArray[np.int64], known: NDArray[np.bool_]) -> None:
    missing = [int((~known & (arms == arm)).sum()) for arm in (0, 1)]
    totals = [int((arms == arm).sum()) for arm in (0, 1)]
    if not sum(missing) or 0 in totals or known.sum() == 0:
        return
    table = np.array([missing, np.subtract(totals, missing)])
    chance = stats.fisher_exact(table).pvalue
    if chance < _ALARM:
        shares = [part / whole for part, whole in zip(missing, totals, strict=True)]
        raise UnusableTrialError(
            f"the outcome is missing not at random: of {shares[1]:.1%} of the treated and "
            f"{shares[0]:.1%} of the controls (p {chance:.2g}). Give an outcome that everybody "
            "has, such as 0 for who is gone"
        )
