"""Policies on the same units in the same world, and which of them should serve.

Belongs here: values with intervals, and the choice of the simplest that is as good. Does not belong
here: the policies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.reinforcement.environment import TimingEnvironment
from engagement_assets.learning.reinforcement.timing import HOURS, Floats, Policy


@dataclass(frozen=True)
class Course:
    """What came of n units under a policy over some days.

    Attributes:
        value: n discounted rewards.
        sends: n expected sends.
        engaged: n expected sends that the unit engages with.
        lost: n chances that the unit is lost.
    """

    value: Floats
    sends: Floats
    engaged: Floats
    lost: Floats


def follow(environment: TimingEnvironment, policy: Policy, *, days: int) -> Course:
    """Let a policy act for some days, from where the environment stands.

    Args:
        environment: As it stands: one made anew from the same seed gives every policy the same.
        policy: What acts.
        days: What is due later counts no more.
    """
    memory = environment.now.memory
    end = memory.time + HOURS * days
    # worth now of a reward at the time of the next action, and the chance that the unit is there
    worth, there = np.ones(len(end)), np.ones(len(end))
    value, sends, engaged = (np.zeros(len(end)) for _ in range(3))
    while True:
        within = environment.now.memory.time < end
        if not within.any():
            return Course(value, sends, engaged, 1.0 - there)
        step = environment.step(policy(environment.now))
        value += np.where(within, worth * step.reward, 0.0)
        sends += np.where(within, there * step.sent, 0.0)
        engaged += np.where(within, there * step.engaged, 0.0)
        there = np.where(within, there * (1.0 - step.lost), there)
        worth *= step.discount


def mean_interval(values: Floats, *, level: float = 0.95) -> Interval:
    """Return a mean with its normal interval."""
    mean = float(values.mean())
    spread = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    half = float(norm.ppf(0.5 + level / 2.0)) * spread / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


@dataclass(frozen=True)
class Comparison:
    """Policies on the same units.

    Attributes:
        courses: By policy.
        order: Their names, the simplest first.
    """

    courses: Mapping[str, Course]
    order: Sequence[str]

    def value(self, name: str) -> Interval:
        """A policy's mean discounted reward."""
        return mean_interval(self.courses[name].value)

    def gain(self, name: str, over: str, *, what: str = "value") -> Interval:
        """The mean difference of a policy to another, by unit."""
        one, other = (getattr(self.courses[policy], what) for policy in (name, over))
        return mean_interval(one - other)

    def simplest(self, *, margin: float = 0.02) -> str:
        """Return the first policy that no more complicated one is surely better than.

        Args:
            margin: Share of a policy's value that is not worth a more complicated one.
        """
        for place, name in enumerate(self.order):
            least = margin * abs(self.value(name).value)
            later = self.order[place + 1 :]
            if all(self.gain(other, name).low <= least for other in later):
                return name
        raise ValueError("there is no policy to choose from")


def compare(
    make: Callable[[], TimingEnvironment],
    policies: Mapping[str, Policy],
    *,
    days: int,
) -> Comparison:
    """Follow each policy on the same units.

    Args:
        make: Makes the environment, the same each time.
        policies: By name, the simplest first.
        days: How long.
    """
    courses = {name: follow(make(), policy, days=days) for name, policy in policies.items()}
    return Comparison(courses, tuple(policies))
