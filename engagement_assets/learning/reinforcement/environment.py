"""Units to which something is due again and again, and who answer as a response model says.

Belongs here: what happens after an action. Does not belong here: what is seen and allowed
(`timing`), and learning.

It is a semi-Markov decision process: each action takes the hours until something is due again, and
what comes later is discounted by them (Sutton, Precup and Singh 1999).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from engagement_assets.learning.reinforcement.timing import (
    HOURS,
    Bools,
    Floats,
    Ints,
    Memory,
    Situation,
    TimingProblem,
    Units,
    situation,
)

_PAST_DAYS = 28
_DUES = 64


class ResponseModel(Protocol):
    """How units answer to what is sent."""

    @property
    def trace_days(self) -> tuple[float, ...]:
        """Spans of memory that the answer depends on, beside those a policy sees."""

    def __call__(self, index: Ints, memory: Memory) -> tuple[Floats, Floats]:
        """Return the chances that units engage with a send at an hour, and that it loses them.

        Args:
            index: n positions of units.
            memory: What was sent to them before; its traces are those of the problem, then those
                of this model.
        """


@dataclass(frozen=True)
class Step:
    """What an action of n units came to.

    Attributes:
        reward: n rewards, discounted to the time of the action.
        discount: n: what the next situation's value is worth now; 0 where a unit is lost.
        sent: Whether something was sent.
        engaged: Chances that the unit engages, or whether it does where outcomes are drawn.
        lost: The same of losing it.
    """

    reward: Floats
    discount: Floats
    sent: Bools
    engaged: Floats
    lost: Floats


class TimingEnvironment:
    """Many units at once, each with its own clock.

    Rewards are the response model's expectations, which is what a draw would come to on average;
    `sample` draws them, as a log would hold them.

    Args:
        problem: Actions, limits and rewards.
        units: What a policy sees of the units.
        response: How they answer.
        size: How many of them at once, drawn by lot; all of them in their order when None.
        sample: Whether outcomes are drawn.
        episode_steps: Steps after which a learner begins anew.
        past_sends_a_day: Between which two rates things were sent before the first situation.
        seed: Of all that is drawn.

    Attributes:
        index: Positions of the units that are looked at.
        now: What is due to them.
    """

    def __init__(
        self,
        problem: TimingProblem,
        units: Units,
        response: ResponseModel,
        *,
        size: int | None = None,
        sample: bool = False,
        episode_steps: int = 28,
        past_sends_a_day: tuple[float, float] = (0.0, 2.0),
        seed: int = 0,
    ) -> None:
        self.problem = problem
        self.units = units
        self.response = response
        self.episode_steps = episode_steps
        self._size = size
        self._sample = sample
        self._past = past_sends_a_day
        self._rng = np.random.default_rng(seed)
        self.reset()

    def reset(self) -> Situation:
        """Begin anew, with other units where `size` is given."""
        rng, problem = self._rng, self.problem
        every = np.arange(len(self.units))
        self.index = every if self._size is None else rng.integers(len(every), size=self._size)
        n = len(self.index)
        self._looked_at = self.units.take(self.index)
        self._due = rng.random((n, _DUES))
        days = rng.integers(_PAST_DAYS, _PAST_DAYS + 7, n)
        self._first = days * problem.dues_a_day
        time = self._due_at(self._first)
        low, high = self._past
        rate = rng.uniform(low, high, (n, 1)) / problem.most_a_day
        sends = rng.random((n, _PAST_DAYS * problem.most_a_day)) < rate
        ago = 1.0 + rng.integers(0, _PAST_DAYS * HOURS, sends.shape)
        memory = Memory.of_sends(
            time, np.where(sends, ago, np.inf), (*problem.trace_days, *self.response.trace_days)
        )
        self.now = situation(problem, self._looked_at, memory)
        return self.now

    def step(self, actions: Ints) -> Step:
        """Act, and go to the next time that something is due to each unit.

        Raises:
            ValueError: An action is not allowed.
        """
        problem, memory = self.problem, self.now.memory
        if not self.now.mask[np.arange(len(actions)), actions].all():
            raise ValueError("an action is not allowed: choose among those of the mask")
        sent = actions < problem.not_today
        wait = np.where(sent, actions, 0)
        at = memory.later(wait)
        engaged, lost = (np.where(sent, chance, 0.0) for chance in self.response(self.index, at))
        if self._sample:
            engaged = (self._rng.random(len(actions)) < engaged).astype(np.float64)
            lost = (self._rng.random(len(actions)) < lost).astype(np.float64)
        after = at.with_sends(sent)
        gap = self._next_due(memory.time, at.time, sent) - at.time
        worth = problem.reward_engaged * engaged + problem.reward_lost * lost
        step = Step(
            reward=problem.discount(wait) * worth,
            discount=problem.discount(wait + gap) * (1.0 - lost),
            sent=sent,
            engaged=engaged,
            lost=lost,
        )
        self.now = situation(problem, self._looked_at, after.later(gap))
        return step

    def _next_due(self, time: Ints, acted: Ints, sent: Bools) -> Ints:
        """When something is due next: on a later day after none was sent, and after the send."""
        a_day = self.problem.dues_a_day
        part = time // (HOURS // a_day) + 1
        tomorrow = (time // HOURS + 1) * a_day
        due = self._due_at(np.where(sent, part, tomorrow))
        next_due: Ints = np.maximum(due, acted + 1)
        return next_due

    def _due_at(self, part: Ints) -> Ints:
        """The hour of each unit's clock at which something is due in a part of a day."""
        hours = HOURS // self.problem.dues_a_day
        share = self._due[np.arange(len(part)), (part - self._first) % _DUES]
        due: Ints = part * hours + np.floor(share * hours).astype(np.int64)
        return due
