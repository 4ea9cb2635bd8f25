"""The stored parts of a score are summed again and held against the stored score."""

import math
from datetime import date, timedelta

import pytest

from engagement_assets.lifecycle.checks import parts_outcome
from engagement_assets.models.ensemble.spec import SPEC
from engagement_assets_tests.decisions.tables import write_predictions
from resources.lake import Lake

DAY = date(2026, 2, 10)
PARTS = dict(zip(SPEC.additive_parts, (30.0, 20.0, None, 5.5), strict=True))


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path))


def written(lake, day, *health):
    rows = [
        {"customer_id": f"c{place}", SPEC.score: score, **PARTS}
        for place, score in enumerate(health)
    ]
    write_predictions(lake, SPEC.name, day, rows)


def test_parts_that_add_up_pass_and_a_null_part_adds_nothing(lake):
    written(lake, DAY, 55.5, 55.5)
    outcome = parts_outcome(SPEC, lake, [DAY])
    assert not outcome.problem
    assert outcome.metadata["additivity_error"] == 0.0


@pytest.mark.parametrize("health", [55.6, 0.0, math.nan])
def test_one_health_that_its_parts_do_not_add_up_to_fails_its_day(lake, health):
    written(lake, DAY, 55.5)
    broken = DAY + timedelta(days=1)
    written(lake, broken, 55.5, health)
    outcome = parts_outcome(SPEC, lake, [DAY, broken])
    assert outcome.problem
    assert outcome.failed_days == [broken]


def test_a_day_without_predictions_has_nothing_to_add_up(lake):
    written(lake, DAY)
    assert not parts_outcome(SPEC, lake, [DAY]).problem
