"""What was seen, done and got, step by step: from logs, or remembered while acting.

Belongs here: transitions and the replay memory. Does not belong here: learning from them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.reinforcement.environment import TimingEnvironment
from engagement_assets.learning.reinforcement.timing import Bools, Ints, Policy


@dataclass(frozen=True)
class Transitions:
    """n steps of a semi-Markov decision process.

    Attributes:
        observation: n x f: what was seen.
        mask: n x a: what was allowed.
        action: n actions.
        reward: n rewards, discounted to the time of the action.
        discount: n: what the next situation's value is worth at that time; 0 where none follows.
        next_observation: n x f.
        next_mask: n x a.
        unit: n names of what is independent of each other.
        first: n: whether no step of the unit comes before.
    """

    observation: NDArray[np.float32]
    mask: Bools
    action: Ints
    reward: NDArray[np.float32]
    discount: NDArray[np.float32]
    next_observation: NDArray[np.float32]
    next_mask: Bools
    unit: Ints
    first: Bools

    def __post_init__(self) -> None:
        if not len(self.action):
            raise TooLittleDataError("there are no transitions: give at least one")
        lengths = {field.name: len(getattr(self, field.name)) for field in fields(self)}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"transitions have columns of different lengths: {lengths}")
        illegal = int((~self.mask[np.arange(len(self)), self.action]).sum())
        if illegal:
            raise ValueError(f"{illegal} of {len(self)} actions were not allowed by their mask")

    def __len__(self) -> int:
        return len(self.action)


def logged(environment: TimingEnvironment, policy: Policy, steps: int) -> Transitions:
    """Return what a policy sees, does and gets in some steps; a lost unit's log ends.

    Args:
        environment: Where it acts; as it stands.
        policy: What it does.
        steps: Steps of each unit.
    """
    there = np.ones(len(environment.index), dtype=bool)
    parts = []
    for number in range(steps):
        before = environment.now
        action = policy(before)
        step = environment.step(action)
        after = environment.now
        row = (
            before.observation, before.mask, action, step.reward, step.discount,
            after.observation, after.mask, np.arange(len(there)), np.full(len(there), number == 0),
        )  # fmt: skip
        parts.append([column[there] for column in row])
        there &= step.discount > 0.0
    return Transitions(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class Replay:
    """The latest steps, to learn from in random order.

    Args:
        capacity: Most steps that are remembered.
        features: Width of an observation.
        actions: Number of actions.
    """

    def __init__(self, capacity: int, features: int, actions: int) -> None:
        self.capacity = capacity
        self._columns: tuple[NDArray, ...] = (
            np.empty((capacity, features), np.float32),
            np.empty(capacity, np.int64),
            np.empty(capacity, np.float32),
            np.empty(capacity, np.float32),
            np.empty((capacity, features), np.float32),
            np.empty((capacity, actions), bool),
        )
        self._next = self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, *columns: NDArray) -> None:
        """Remember observation, action, reward, discount, next observation and next mask."""
        rows = (self._next + np.arange(len(columns[0]))) % self.capacity
        for store, column in zip(self._columns, columns, strict=True):
            store[rows] = column
        self._next = int(self._next + len(rows)) % self.capacity
        self._size = min(self.capacity, self._size + len(rows))

    def draw(self, rng: np.random.Generator, size: int) -> tuple[NDArray, ...]:
        """Return some of the steps by lot, columns as in `add`."""
        rows = rng.integers(self._size, size=size)
        return tuple(store[rows] for store in self._columns)
