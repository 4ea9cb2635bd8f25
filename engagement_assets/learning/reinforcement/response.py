"""How units answer to what is sent, learnt from sends whose time was drawn by lot.

Belongs here: the model and its quality. Does not belong here: what follows from it (`environment`).

Two logistic regressions: of engaging, and of being lost. A policy that is learnt in it asks for
what logs hardly have, of which trees would say nothing; the log odds go on in a line with what is
remembered of earlier sends.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.evaluation.metrics import evaluate
from engagement_assets.learning.reinforcement.timing import (
    Bools,
    Floats,
    Ints,
    Memory,
    TimingProblem,
    Units,
    observe_now,
)

if TYPE_CHECKING:
    from upath import UPath

ENGAGED, LOST = "engaged", "lost"
LEAST_ENGAGED = 20
STATE_FILE = "response.json"


def send_features(problem: TimingProblem, units: Units, memory: Memory) -> Floats:
    """Return what an answer depends on, of n units and the hours at which something is sent."""
    seen = observe_now(problem, units, memory).astype(np.float64)
    fit = seen[:, problem.habit_columns.start]
    traces = memory.traces[:, : len(problem.trace_days)]
    hours = seen[:, problem.habit_columns.start - 4 : problem.habit_columns.start]
    return np.column_stack(
        [
            seen[:, 0],
            np.log(np.maximum(units.engagement, 0.01)),
            fit,
            fit**2,
            seen[:, 1],
            traces,
            hours,
        ]
    )


@dataclass(kw_only=True)
class LogisticResponse:
    """The chances that a unit engages with a send, and that the send loses it.

    Args:
        problem: The spans of memory.
        penalty: L2 penalty on coefficients of features that are put on one scale.
        coefficients: Learnt ones by outcome: intercept, then one a feature.
        mean: Of each feature.
        deviation: Of each feature.
    """

    problem: TimingProblem
    penalty: float = 1.0
    coefficients: dict[str, list[float]] = field(default_factory=dict)
    mean: list[float] = field(default_factory=list)
    deviation: list[float] = field(default_factory=list)

    def fit(self, units: Units, memory: Memory, engaged: Bools, lost: Bools) -> Self:
        """Learn from n sends.

        Args:
            units: Whom each went to.
            memory: What had been sent to them, at the hour of the send.
            engaged: Whether the unit engaged.
            lost: Whether it was lost.

        Raises:
            TooLittleDataError: Fewer than 20 sends that were engaged with, or that were not.
        """
        few = min(int(engaged.sum()), int((~engaged).sum()))
        if few < LEAST_ENGAGED:
            raise TooLittleDataError(
                f"{few} of {len(engaged)} sends were engaged with, or were not: at least "
                f"{LEAST_ENGAGED} of each are needed"
            )
        x = send_features(self.problem, units, memory)
        self.mean = x.mean(axis=0).tolist()
        self.deviation = np.maximum(x.std(axis=0), 1e-6).tolist()
        scaled = self._scaled(x)
        self.coefficients = {}
        for name, outcome in ((ENGAGED, engaged), (LOST, lost)):
            if outcome.any():
                fitted = LogisticRegression(C=1.0 / self.penalty, max_iter=1_000)
                fitted.fit(scaled, outcome)
                learnt = [*fitted.intercept_.tolist(), *fitted.coef_[0].tolist()]
            else:
                # nobody was lost: no more likely than once in three times as many (rule of three)
                learnt = [float(-np.log(3.0 * len(outcome))), *np.zeros(x.shape[1])]
            self.coefficients[name] = learnt
        return self

    def chances(self, units: Units, memory: Memory) -> dict[str, Floats]:
        """Return n chances of each outcome of a send at an hour."""
        scaled = self._scaled(send_features(self.problem, units, memory))
        chances = {}
        for name, (intercept, *weights) in self.coefficients.items():
            logit = np.clip(intercept + scaled @ np.array(weights), -30.0, 30.0)
            chances[name] = 1.0 / (1.0 + np.exp(-logit))
        return chances

    def of(self, units: Units) -> UnitsResponse:
        """Return how some units answer, for an environment."""
        return UnitsResponse(self, units)

    def quality(
        self, units: Units, memory: Memory, engaged: Bools, *, n_bootstrap: int, seed: int
    ) -> dict[str, Interval]:
        """Return how well engagement is predicted of sends that were not learnt from."""
        chance = self.chances(units, memory)[ENGAGED]
        return evaluate(
            engaged.astype(np.int64), chance, threshold=0.5, n_bootstrap=n_bootstrap, seed=seed
        )

    def save(self, folder: Path | UPath) -> None:
        """Write what was learnt as JSON; the problem is not of it."""
        state: dict[str, Any] = {
            name: getattr(self, name) for name in ("penalty", "coefficients", "mean", "deviation")
        }
        (folder / STATE_FILE).write_text(json.dumps(state, allow_nan=False))

    def _scaled(self, x: Floats) -> NDArray[np.float64]:
        scaled: NDArray[np.float64] = (x - np.array(self.mean)) / np.array(self.deviation)
        return scaled


@dataclass
class UnitsResponse:
    """How some units answer; see `environment.ResponseModel`."""

    model: LogisticResponse
    units: Units
    trace_days: tuple[float, ...] = ()
    _asked: tuple[Ints, Units] | None = field(default=None, init=False, repr=False, compare=False)

    def __call__(self, index: Ints, memory: Memory) -> tuple[Floats, Floats]:
        """Return the chances that units engage, and that they are lost."""
        # an environment asks for the same units until it begins anew
        if self._asked is None or self._asked[0] is not index:
            self._asked = index, self.units.take(index)
        chances = self.model.chances(self._asked[1], memory)
        return chances[ENGAGED], chances[LOST]
