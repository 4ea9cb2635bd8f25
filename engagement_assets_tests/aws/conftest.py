"""One set of servers for all tests here, and a new installation for each test."""

from collections.abc import Iterator

import pytest

from engagement_assets_tests.aws.cloud import Cloud, Servers, cloud, servers


@pytest.fixture(scope="session")
def aws() -> Iterator[Servers]:
    with servers() as started:
        yield started


@pytest.fixture
def installed(aws: Servers) -> Cloud:
    return cloud(aws)
