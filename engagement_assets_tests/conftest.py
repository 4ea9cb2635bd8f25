"""No test sees or moves the home that a person works with."""

import os
import tempfile
from pathlib import Path

import pytest

os.environ["ENGAGEMENT_HOME"] = str(Path(tempfile.gettempdir()) / "no-engagement-home")
for name in ("ENGAGEMENT_DEPLOYMENT", "ENGAGEMENT_EVENT_LOG", "DAGSTER_HOME"):
    os.environ.pop(name, None)


def pytest_configure(config: pytest.Config) -> None:
    # Dagster's own notice on backfill policies, which an import of the definitions gives.
    beta = "ignore:.* is currently in beta, and may have breaking changes"
    config.addinivalue_line("filterwarnings", beta)
