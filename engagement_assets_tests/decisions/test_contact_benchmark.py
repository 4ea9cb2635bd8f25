"""The benchmark of contact sees a gate that lets too much or too little through."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from benchmarks.contact import broken, draw
from engagement_assets.decisions.contact.gate import DUE, outbox
from engagement_assets.decisions.contact.limits import ContactLimits

DAY = date(2026, 3, 29)
LIMITS = ContactLimits(a_day=2)


@pytest.fixture(scope="module")
def world():
    return draw(3_000, DAY, np.random.default_rng(1))


@pytest.fixture(scope="module")
def judged(world):
    return outbox(world.wanted, world.state, LIMITS, day=DAY)


def test_the_gate_breaks_nothing(world, judged):
    assert not any(broken(world, judged, LIMITS).values())


def test_every_limit_that_is_not_kept_is_seen(world, judged):
    everything = judged.assign(
        status=DUE,
        not_before=pd.Timestamp(DAY) - pd.Timedelta(hours=20),
        not_after=pd.Timestamp(DAY) - pd.Timedelta(hours=20),
    )
    seen = broken(world, everything, LIMITS)
    in_a_zone = seen["after the evening"]
    assert [name for name, count in seen.items() if not count] == ["wrongly withheld"]
    late = everything.assign(not_after=pd.Timestamp(DAY) + pd.Timedelta(hours=40))
    assert broken(world, late, LIMITS)["after the evening"] > in_a_zone


def test_what_is_withheld_for_nothing_is_seen(world, judged):
    due = judged.index[judged["status"] == DUE]
    fewer = judged.assign(status=judged["status"].where(judged.index != due[0], "suppressed"))
    assert broken(world, fewer, LIMITS)["wrongly withheld"] == 1
