"""Scoring a configuration on a fold, in this process or in one whose memory is limited.

Belongs here: the process, its limit, and what happens when it is reached. Does not belong here: the
search.
"""

from __future__ import annotations

import multiprocessing
import resource
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Self

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.tuning.learners import family
from engagement_assets.learning.tuning.plan import Plan
from engagement_assets.learning.tuning.problem import Problem
from engagement_assets.learning.weights import taken

_MIB = 2**20
# How the libraries word it: XGBoost and CatBoost, torch, LightGBM and NumPy.
_SAID = ("bad_alloc", "alloc", "memory")


class OutOfMemoryError(Exception):
    """A configuration wants more memory than it may take."""


class Scoring:
    """Scores configurations on the folds of a problem.

    With a limit each runs in a process of its own kind, which the limit may end without ending the
    search.

    Args:
        problem: What is learnt.
        plan: Says seed, threads and memory.
    """

    def __init__(self, problem: Problem, plan: Plan) -> None:
        self._problem, self._plan = problem, plan
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        """Start nothing: a process starts with the first configuration."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        if self._pool is not None:
            self._pool.shutdown()

    def staged(self, name: str, parameters: dict[str, Any], fold: int) -> dict[int, Floats]:
        """Return the margins of a fold's rows by each number of rounds.

        Raises:
            OutOfMemoryError: The limit is reached.
        """
        plan = self._plan
        if plan.memory_mib is None:
            return scored(self._problem, name, parameters, fold, plan.seed, plan.n_jobs)
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(self._problem, plan.memory_mib),
            )
        work = self._pool.submit(_in_process, name, parameters, fold, plan.seed, plan.n_jobs)
        try:
            return work.result()
        except BrokenProcessPool as error:
            self._pool = None
            raise OutOfMemoryError(f"more than {plan.memory_mib} MiB ended its process") from error
        except Exception as error:
            if isinstance(error, MemoryError) or any(w in str(error).lower() for w in _SAID):
                raise OutOfMemoryError(f"more than {plan.memory_mib} MiB") from error
            raise


def scored(
    problem: Problem,
    name: str,
    parameters: dict[str, Any],
    fold: int,
    seed: int,
    n_jobs: int | None,
) -> dict[int, Floats]:
    """Learn from the other folds; return the margins of this one's rows."""
    learn, held_out = problem.folds[fold]
    learner = family(name)(
        parameters,
        logistic=problem.logistic,
        categories=problem.categories,
        seed=seed,
        n_jobs=n_jobs,
    )
    learner.fit(problem.matrix[learn], problem.target[learn], taken(problem.weights, learn))
    return learner.staged(problem.matrix[held_out])


_STATE: dict[str, Any] = {}


def _begin(problem: Problem, memory_mib: int) -> None:
    _STATE.update(problem=problem, memory_mib=memory_mib)


def _in_process(
    name: str, parameters: dict[str, Any], fold: int, seed: int, n_jobs: int | None
) -> dict[int, Floats]:
    # a library is loaded before its memory is limited
    family(name)
    status = Path("/proc/self/status").read_text().splitlines()
    taken = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData"))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (taken + int(_STATE["memory_mib"]) * _MIB, hard))
    try:
        return scored(_STATE["problem"], name, parameters, fold, seed, n_jobs)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
