"""No test sees or moves the home that a person works with; AWS on this machine for who asks."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

import engagement_assets  # noqa: F401 - sets how threads wait, before a library reads it

if TYPE_CHECKING:
    from engagement_assets_tests.aws.cloud import Cloud, Servers

os.environ["ENGAGEMENT_HOME"] = str(Path(tempfile.gettempdir()) / "no-engagement-home")
for name in (
    "ENGAGEMENT_DEPLOYMENT",
    "ENGAGEMENT_SETTINGS",
    "ENGAGEMENT_EVENT_LOG",
    "DAGSTER_HOME",
):
    os.environ.pop(name, None)

# a busy machine is no failure
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    # Dagster's own notice on backfill policies, which an import of the definitions gives.
    beta = "ignore:.* is currently in beta, and may have breaking changes"
    config.addinivalue_line("filterwarnings", beta)


@pytest.fixture(scope="session")
def aws() -> "Iterator[Servers]":
    """One set of servers for all tests of a process."""
    from engagement_assets_tests.aws.cloud import servers  # noqa: PLC0415 - loads boto3 and moto

    with servers() as started:
        yield started


@pytest.fixture
def installed(aws: "Servers") -> "Cloud":
    """A new installation on AWS, with nothing in it."""
    from engagement_assets_tests.aws.cloud import cloud  # noqa: PLC0415 - loads moto

    return cloud(aws)
