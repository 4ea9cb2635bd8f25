"""The small world of tastes, made once."""

import pytest

from engagement_assets_tests.learning.recommendation.taste_world import make_world


@pytest.fixture(scope="session")
def world():
    return make_world()
