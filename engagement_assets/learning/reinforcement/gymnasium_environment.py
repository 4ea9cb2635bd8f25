"""One unit at a time as a gymnasium environment, for other libraries' learners.

Belongs here: gymnasium's interface. Does not belong here: what happens (`environment`), which the
learner here steps through for many units at once.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from engagement_assets.learning.reinforcement.environment import ResponseModel, TimingEnvironment
from engagement_assets.learning.reinforcement.timing import TimingProblem, Units

Observation = NDArray[np.float32]
# Logarithms, counts of a few days and points of a circle: none comes near it.
_BOUND = 100.0


class GymnasiumTiming(gymnasium.Env[Observation, np.int64]):
    """A unit drawn by lot at each reset, whose answers are drawn; it ends when the unit is lost.

    `info` has `action_mask`, which stable-baselines3's MaskablePPO calls by the same name, and
    `discount`, what the next situation is worth at the time of this one: steps last unequally long.

    Args:
        problem: Actions, limits and rewards.
        units: What is seen of the units.
        response: How they answer.
    """

    def __init__(self, problem: TimingProblem, units: Units, response: ResponseModel) -> None:
        self._parts = (problem, units, response)
        world = TimingEnvironment(*self._parts, size=1, sample=True)
        width = world.now.observation.shape[1]
        self.observation_space = gymnasium.spaces.Box(-_BOUND, _BOUND, (width,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(problem.actions)
        self._world, self._steps = world, 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Draw a unit and what was sent to it before."""
        super().reset(seed=seed, options=options)
        drawn = int(self.np_random.integers(2**31))
        self._world = TimingEnvironment(*self._parts, size=1, sample=True, seed=drawn)
        self._steps = 0
        return self._world.now.observation[0], self._info(1.0)

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Act; an action that the mask forbids sends nothing today."""
        allowed = bool(self._world.now.mask[0, action])
        taken = int(action) if allowed else self._world.problem.not_today
        step = self._world.step(np.array([taken]))
        self._steps += 1
        lost = bool(step.lost[0])
        return (
            self._world.now.observation[0],
            float(step.reward[0]),
            lost,
            not lost and self._steps >= self._world.episode_steps,
            self._info(float(step.discount[0])),
        )

    def action_masks(self) -> NDArray[np.bool_]:
        """Return what is allowed now."""
        allowed: NDArray[np.bool_] = self._world.now.mask[0]
        return allowed

    def _info(self, discount: float) -> dict[str, Any]:
        return {"action_mask": self.action_masks(), "discount": discount}
