"""Lakes, stores and homes for tests of serving."""

from pathlib import Path

import pytest

from engagement_assets_tests.platform.conftest import home, made_home
from engagement_assets_tests.resources.conftest import dynamodb_endpoint, store, stores
from resources.lake import Lake

# shared fixtures, which pytest finds by their names here
__all__ = ["dynamodb_endpoint", "home", "made_home", "store", "stores"]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake."""
    return Lake(str(tmp_path / "lake"))
