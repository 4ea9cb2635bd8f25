"""Small worlds that several tests look at."""

from datetime import date, timedelta

import pyarrow as pa
import pytest

from engagement_assets.source.simulator import CAUSES, Causes, Simulator

FIRST_DAY = date(2024, 3, 1)


def make(customers: int = 800, seed: int = 5, days: int = 60, causes: Causes = CAUSES) -> Simulator:
    return Simulator(customers=customers, seed=seed, first_day=FIRST_DAY, days=days, causes=causes)


def at(number: int) -> date:
    return FIRST_DAY + timedelta(days=number)


@pytest.fixture(scope="session")
def fortnight() -> list[dict[str, pa.Table]]:
    """All tables of the first 14 days of a world of 800 customers."""
    world = make()
    return [world.day(at(number)) for number in range(14)]
