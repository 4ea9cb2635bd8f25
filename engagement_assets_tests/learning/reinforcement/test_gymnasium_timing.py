"""The environment as gymnasium knows it."""

import numpy as np
import pytest

from engagement_assets.learning.reinforcement.timing import TimingProblem, Units

gymnasium = pytest.importorskip("gymnasium", reason="gymnasium is installed with the extra `dev`")
from gymnasium.utils.env_checker import check_env  # noqa: E402 - only where it is there

from engagement_assets.learning.reinforcement.gymnasium_environment import (  # noqa: E402 - imports gymnasium
    GymnasiumTiming,
)


class Lost:
    """Units that engage, and that half of the sends drive away."""

    trace_days = ()

    def __call__(self, index, memory):  # noqa: ARG002 - a response model's
        return np.ones(len(index)), np.full(len(index), 0.5)


def made() -> GymnasiumTiming:
    return GymnasiumTiming(TimingProblem(), Units(np.ones(3), np.ones((3, 24)) / 24), Lost())


def test_gymnasium_finds_nothing_wrong():
    check_env(made(), skip_render_check=True)


def test_an_episode_ends_when_the_unit_is_lost():
    world = made()
    _, info = world.reset(seed=0)
    for _ in range(100):
        action = int(info["action_mask"].argmax())
        _, reward, lost, over, info = world.step(np.int64(action))
        assert (info["discount"] == 0.0) == lost
        if lost:
            assert 0.0 < reward <= 0.5
            break
        assert not over
    assert lost
