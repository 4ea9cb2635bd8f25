"""The search: trials of learners and parameters by Optuna, within a time and a memory.

Belongs here: drawing, scoring on the fixed folds, pruning, limits, and the second look at the best
on all rows. Does not belong here: the record of it (`study`) and the choice (`choice`).

Optuna: Akiba et al., KDD 2019; its sampler TPE: Bergstra et al., NIPS 2011. The sampler of each
trial is seeded by the trial's number and knows the trials before it, so a search that goes on after
a kill draws what it would have drawn.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.tuning.learners import ROUNDS, Draw, family
from engagement_assets.learning.tuning.limits import OutOfMemoryError, Scoring
from engagement_assets.learning.tuning.plan import Plan
from engagement_assets.learning.tuning.problem import Problem
from engagement_assets.learning.tuning.study import StudyRecord

logger = logging.getLogger(__name__)

# Trials of others with which a mean so far is compared before any trial is pruned.
_BEFORE_PRUNING = 5
# Share of the time for trials where the best are scored on all rows after them.
_TRIALS_SHARE = 0.5
COMPLETE, PRUNED, FAILED = "complete", "pruned", "failed"


class _OutOfTimeError(Exception):
    """The time is up within a trial, which is given up without a trace."""


class NoTrialError(ValueError):
    """No trial came to its end."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A configuration with its out-of-fold predictions of all rows.

    Attributes:
        name: Number and family of its trial.
        family: The family.
        parameters: Its parameters with the rounds that were best.
        margin: n out-of-fold margins.
        loss: Their mean loss.
    """

    name: str
    family: str
    parameters: dict[str, Any]
    margin: Floats
    loss: float


def run(problem: Problem, plan: Plan, record: StudyRecord) -> list[Scored]:
    """Run what is left of the trials, then score the best on all rows; the best first.

    Raises:
        NoTrialError: No trial came to its end; the message says why.
    """
    if plan.trials < 1:
        raise ValueError(f"trials must be at least 1, got {plan.trials}")
    # its own lines stand beside those of this module
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    started = time.monotonic()
    sampled = problem.sample(plan.search_rows, seed=plan.seed)
    on_all = len(sampled.target) == len(problem.target)
    trial_seconds = plan.seconds
    if plan.seconds is not None and not on_all:
        trial_seconds = plan.seconds * _TRIALS_SHARE
    study = optuna.create_study(
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_BEFORE_PRUNING)
    )
    study.add_trials(record.trials)
    if record.trials:
        logger.info("The search goes on after %d trials", len(record.trials))
    with Scoring(sampled, plan) as scoring:
        for number in range(len(record.trials), plan.trials):
            left = _left(trial_seconds, started)
            if left is not None and left <= 0.0 and complete(record):
                break
            try:
                # the first complete trial ends in any case: without one there is nothing to choose
                trial, margin = _trial(
                    study, number, sampled, plan, scoring, left if complete(record) else None
                )
            except _OutOfTimeError:
                break
            record.add(trial, margin)
            logger.info("Trial %d of %d: %s", number + 1, plan.trials, described(trial))
    if len(record.trials) < plan.trials:
        logger.warning(
            "The time was up after %d of %d trials: the best of these is taken",
            len(record.trials),
            plan.trials,
        )
    if not complete(record):
        reasons = sorted({str(trial.user_attrs.get("reason")) for trial in record.trials})
        raise NoTrialError(f"none of {len(record.trials)} trials ended: {'; '.join(reasons)}")
    return _finals(problem, plan, record, on_all=on_all, started=started)


def complete(record: StudyRecord) -> list[FrozenTrial]:
    """Return the trials that were scored on every fold, the least loss first."""
    ended = [trial for trial in record.trials if trial.state == TrialState.COMPLETE]
    return sorted(ended, key=lambda trial: (trial.value, trial.number))


def state(trial: FrozenTrial) -> str:
    """Return how a trial ended, in a word."""
    words = {TrialState.COMPLETE: COMPLETE, TrialState.PRUNED: PRUNED}
    return words.get(trial.state, FAILED)


def described(trial: FrozenTrial) -> str:
    """Return a trial on one line: its learner, loss and how it ended."""
    name = trial.user_attrs["family"]
    if state(trial) == FAILED:
        return f"{name} failed: {trial.user_attrs['reason']}"
    folds = len(trial.intermediate_values)
    return f"{name} {state(trial)}, mean loss {trial.value:.5f} after {folds} folds"


def _left(seconds: float | None, started: float) -> float | None:
    return None if seconds is None else seconds - (time.monotonic() - started)


def _trial(
    study: optuna.Study,
    number: int,
    problem: Problem,
    plan: Plan,
    scoring: Scoring,
    seconds: float | None,
) -> tuple[FrozenTrial, Floats | None]:
    """Run one trial; return it and its out-of-fold margins where it is complete."""
    name, parameters, trial = _drawn(study, number, plan)
    began = time.monotonic()
    margins: dict[int, Floats] = {}
    totals: dict[int, list[float]] = {}
    outcome, value, notes = TrialState.COMPLETE, None, {}
    for step, (_, held_out) in enumerate(problem.folds):
        if seconds is not None and time.monotonic() - began > seconds:
            raise _OutOfTimeError
        try:
            staged = scoring.staged(name, parameters, step)
        except OutOfMemoryError as error:
            outcome, notes = TrialState.FAIL, {"reason": f"out of memory: {error}"}
            break
        # a library's own error of one configuration must not end the search
        except Exception as error:  # noqa: BLE001 - recorded, logged, and raised if all trials fail
            reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            outcome, notes = TrialState.FAIL, {"reason": reason}
            break
        for rounds, margin in staged.items():
            margins.setdefault(rounds, np.empty(len(problem.target)))[held_out] = margin
            loss = problem.loss(margin, held_out)
            totals.setdefault(rounds, []).append(loss)
        value = min(float(np.mean(losses)) for losses in totals.values())
        if not np.isfinite(value):
            outcome, value, notes = TrialState.FAIL, None, {"reason": "the loss is no number"}
            break
        trial.report(value, step)
        if step + 1 < len(problem.folds) and trial.should_prune():
            outcome = TrialState.PRUNED
            break
    best = min(totals, key=lambda rounds: float(np.mean(totals[rounds]))) if totals else None
    seconds_taken = round(time.monotonic() - began, 1)
    for key, note in {"family": name, ROUNDS: best, "seconds": seconds_taken, **notes}.items():
        trial.set_user_attr(key, note)
    failed = outcome == TrialState.FAIL
    study.tell(trial, None if failed or outcome == TrialState.PRUNED else value, state=outcome)
    done = outcome == TrialState.COMPLETE and best is not None
    return study.trials[-1], margins[best] if done and best is not None else None


def _drawn(
    study: optuna.Study, number: int, plan: Plan
) -> tuple[str, dict[str, Any], optuna.Trial]:
    """Draw learner and parameters; the first trial of each learner has its defaults."""
    study.sampler = optuna.samplers.TPESampler(seed=plan.seed + 7919 * number)
    if number < len(plan.families):
        name = plan.families[number]
        defaults = {f"{name}.{key}": value for key, value in family(name).defaults.items()}
        study.enqueue_trial({"family": name, **defaults})
    trial = study.ask()
    name = trial.suggest_categorical("family", list(plan.families))
    return name, family(name).suggest(Draw(trial, name)), trial


def _finals(
    problem: Problem, plan: Plan, record: StudyRecord, *, on_all: bool, started: float
) -> list[Scored]:
    """Return configurations scored on all rows, the best first; one at least, others in time."""
    ended = complete(record)
    chosen = ended if on_all else _finalists(ended, plan.finalists)
    finals: list[Scored] = []
    with Scoring(problem, plan) as scoring:
        for trial in chosen:
            name = str(trial.user_attrs["family"])
            parameters = {
                key.removeprefix(f"{name}."): value
                for key, value in trial.params.items()
                if key.startswith(f"{name}.")
            } | {ROUNDS: trial.user_attrs[ROUNDS]}
            entry = f"trial-{trial.number}" if on_all else f"final-{trial.number}"
            margin = record.margin(entry)
            left = _left(plan.seconds, started)
            if margin is None and finals and left is not None and left <= 0.0:
                logger.warning("The time was up after %d of %d finalists", len(finals), len(chosen))
                break
            if margin is None:
                margin = _out_of_fold(problem, scoring, name, parameters)
                record.keep(entry, margin)
                logger.info("Trial %d on all %d rows", trial.number + 1, len(margin))
            loss = problem.loss(margin)
            title = f"{name}, trial {trial.number + 1}"
            finals.append(
                Scored(name=title, family=name, parameters=parameters, margin=margin, loss=loss)
            )
    return sorted(finals, key=lambda one: one.loss)


def _finalists(ended: list[FrozenTrial], count: int) -> list[FrozenTrial]:
    """Return the best trials, of one learner half of them at most, for an ensemble of several."""
    chosen: list[FrozenTrial] = []
    for trial in ended:
        same = [one for one in chosen if one.user_attrs["family"] == trial.user_attrs["family"]]
        if len(chosen) < count and len(same) < max(1, count // 2):
            chosen.append(trial)
    return chosen


def _out_of_fold(
    problem: Problem, scoring: Scoring, name: str, parameters: dict[str, Any]
) -> Floats:
    margin = np.empty(len(problem.target))
    for step, (_, held_out) in enumerate(problem.folds):
        staged = scoring.staged(name, parameters, step)
        margin[held_out] = staged[max(staged)]
    return margin
