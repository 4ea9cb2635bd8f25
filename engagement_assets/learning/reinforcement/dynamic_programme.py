"""The best policy of a world that is known, by dynamic programming.

Belongs here: value iteration where units answer by the hour and one fading trace of earlier sends.
Does not belong here: learning where the world is not known.

It is exact but for the trace, which is continuous: values are interpolated linearly between the
points of a grid. Something is due once a day, at an hour of which none is likelier.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from engagement_assets.learning.reinforcement.environment import ResponseModel
from engagement_assets.learning.reinforcement.timing import (
    HOURS,
    Floats,
    Ints,
    Memory,
    Situation,
    TimingProblem,
)

_TOLERANCE = 1e-5


@dataclass(frozen=True)
class BestPolicy:
    """The best policy, of units whose kind and trace are known.

    Attributes:
        problem: Actions, limits and rewards.
        grid: g traces.
        values: kinds x 24 x g x a: what each action is worth; minus infinity where not allowed.
        column: Place of the trace among a memory's.
    """

    problem: TimingProblem
    grid: Floats
    values: Floats
    column: int

    def of_kinds(self, kind: Ints, now: Situation) -> Floats:
        """Return n x a values of units of some kinds."""
        trace = np.minimum(now.memory.traces[:, self.column], self.grid[-1])
        step = self.grid[1]
        below = np.minimum((trace / step).astype(np.int64), len(self.grid) - 2)
        share = (trace / step - below)[:, None]
        table = self.values[kind, now.memory.time % HOURS]
        rows = np.arange(len(kind))
        with np.errstate(invalid="ignore"):
            values: Floats = (1.0 - share) * table[rows, below] + share * table[rows, below + 1]
        return np.where(now.mask, values, -np.inf)


def solve(
    problem: TimingProblem,
    response: ResponseModel,
    kinds: int,
    *,
    points: int = 81,
    most: float = 8.0,
) -> BestPolicy:
    """Find the best policy by value iteration.

    Args:
        problem: Something is due once a day.
        response: Depends on unit, hour and the one trace of its `trace_days` alone; its first
            `kinds` units are all that there are.
        kinds: Kinds of units.
        points: Points of the grid of traces.
        most: The largest trace.

    Raises:
        ValueError: Something is due more than once a day, limits depend on earlier days, or the
            answer has not one trace.
    """
    if problem.dues_a_day != 1 or len(response.trace_days) != 1:
        raise ValueError("exact only where one is due a day and answers depend on one trace")
    # one that is due at night may be sent in the morning of a day on which another is due
    if problem.most_a_day < 2 or math.isfinite(problem.most_remembered):
        raise ValueError("exact only where two may be sent on a day, whatever was sent before")
    world = _World(problem, response, kinds, np.linspace(0.0, most, points))
    values = np.zeros((kinds, HOURS, points))
    while True:
        table = world.worth(values)
        best = table.max(axis=3)
        gap = float(np.abs(best - values).max())
        values = best
        if gap < _TOLERANCE:
            return BestPolicy(problem, world.grid, table, len(problem.trace_days))


class _World:
    """What a step is worth, on a grid of traces.

    Hours up to `delays` beyond a day are counted from the midnight before something was due.
    """

    def __init__(
        self, problem: TimingProblem, response: ResponseModel, kinds: int, grid: Floats
    ) -> None:
        self.problem, self.grid = problem, grid
        self._span = HOURS * response.trace_days[0]
        self._hours = HOURS + problem.delays - 1
        engaged, lost = self._answers(response, kinds)
        self._reward = np.empty((problem.delays, HOURS, kinds, len(grid)))
        self._stays = np.empty_like(self._reward)
        self._then = []
        for delay in range(problem.delays):
            at = (np.arange(HOURS) + delay) % HOURS
            traces = grid * np.exp(-delay / self._span)
            faded = self._at(traces)
            gone = lost[at] @ faded
            worth = problem.reward_engaged * (engaged[at] @ faded) + problem.reward_lost * gone
            self._reward[delay] = problem.discount(delay) * worth
            self._stays[delay] = problem.discount(delay) * (1.0 - gone)
            self._then.append(self._at(traces + 1.0))
        self._next = self._next_due()

    def worth(self, values: Floats) -> Floats:
        """Return kinds x 24 x g x a: what each action is worth, given that of what comes after."""
        problem, kinds = self.problem, len(values)
        flat = values.reshape(kinds, -1) @ self._next
        after = flat.reshape(kinds, self._hours, -1).transpose(1, 0, 2)
        table = np.full((*values.shape, problem.actions), -np.inf)
        table[..., problem.not_today] = after[:HOURS].transpose(1, 0, 2)
        hours = np.arange(HOURS)
        for delay in range(problem.delays):
            then = after[delay : delay + HOURS] @ self._then[delay]
            worth = self._reward[delay] + self._stays[delay] * then
            at = (hours + delay) % HOURS
            is_open = hours[(at >= problem.opens) & (at < problem.closes)]
            table[..., delay][:, is_open] = worth[is_open].transpose(1, 0, 2)
        return table

    def _answers(self, response: ResponseModel, kinds: int) -> tuple[Floats, Floats]:
        """Chances of engaging and of being lost, each 24 x kinds x g."""
        hour, kind, place = (part.ravel() for part in np.indices((HOURS, kinds, len(self.grid))))
        n = len(kind)
        seen = self.problem.trace_days
        traces = np.zeros((n, len(seen) + 1))
        traces[:, -1] = self.grid[place]
        memory = Memory(
            hour, np.full(n, np.inf), (*seen, *response.trace_days), traces,
            np.full(n, -1), np.zeros(n, np.int64),
        )  # fmt: skip
        engaged, lost = response(kind, memory)
        shape = (HOURS, kinds, len(self.grid))
        return engaged.reshape(shape), lost.reshape(shape)

    def _next_due(self) -> Any:
        """Weights (24 g x hours g, sparse): from values when something is due to those before."""
        columns = []
        for hour in range(self._hours):
            rows: list[Any] = [None] * HOURS
            for due in range(HOURS):
                time = max(HOURS + due, hour + 1)
                faded = self._at(self.grid * np.exp(-(time - hour) / self._span))
                part = sparse.csr_array(faded * self.problem.discount(time - hour) / HOURS)
                place = time % HOURS
                rows[place] = part if rows[place] is None else rows[place] + part
            empty = sparse.csr_array((len(self.grid), len(self.grid)))
            columns.append(sparse.vstack([empty if row is None else row for row in rows]))
        return sparse.csc_array(sparse.hstack(columns))

    def _at(self, traces: Floats) -> Floats:
        """Weights (g x m) that interpolate values on the grid at m traces."""
        place = np.minimum(traces, self.grid[-1]) / self.grid[1]
        below = np.minimum(place.astype(np.int64), len(self.grid) - 2)
        weights = np.zeros((len(self.grid), len(traces)))
        columns = np.arange(len(traces))
        weights[below, columns] = 1.0 - (place - below)
        weights[below + 1, columns] = place - below
        return weights
