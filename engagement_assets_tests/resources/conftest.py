"""The online stores that the behaviour suite runs over."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engagement_assets_tests.resources.online_stores import (
    Stores,
    dynamodb_server,
    dynamodb_stores,
    sqlite_stores,
)


@pytest.fixture(scope="session")
def dynamodb_endpoint() -> Iterator[str]:
    """A local server of DynamoDB's protocol."""
    with dynamodb_server() as endpoint:
        yield endpoint


@pytest.fixture(params=["sqlite", "dynamodb"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    """Each kind of store, empty."""
    if request.param == "sqlite":
        with sqlite_stores(tmp_path) as made:
            yield made
        return
    with dynamodb_stores(request.getfixturevalue("dynamodb_endpoint")) as made:
        yield made


@pytest.fixture
def store(stores: Stores):
    """One store of each kind, empty."""
    return stores.another()
