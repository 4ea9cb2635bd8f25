"""Small homes, and running commands and stories in them from fresh interpreters.

The code location reads its home when it is imported, so what runs jobs does so in a process of its
own. Belongs here: making homes and starting processes. Does not belong here: what runs in them
(`stories.py`) and what is expected (the tests).
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg

from resources.lake import Lake

PROJECT = Path(__file__).resolve().parents[2]
END = date(2026, 3, 1)
# A past date, so that the world, the model and every figure are the same on each run of the tests.
WORLD = ("WORLD=plain", "CUSTOMERS=400", "DAYS=95", "SEED=3", "BOOTSTRAP=20", f"DATE={END}")
# The history that all models need: that of the other is too short for the value of 180 days.
YEAR = (
    "WORLD=plain",
    "CUSTOMERS=1000",
    "DAYS=392",
    "SEED=3",
    "BOOTSTRAP=20",
    "THREADS=1",
    f"DATE={END}",
)
SOON = 1500


def analysed(lake: Lake) -> set[str]:
    """Customers of a home who do not refuse analytics by their latest statement."""
    days = lake.filled_days("source/consents")
    statements = lake.read("source/consents", days=days).to_pandas()
    asked = statements[statements["purpose"] == "analytics"].sort_values("occurred_at")
    latest = asked.groupby("customer_id")["granted"].last()
    days = lake.filled_days("source/customers")
    people = lake.read("source/customers", days=days, columns=["customer_id"])
    agreed: set[str] = set(people.column(0).to_pylist()) - set(latest.index[~latest])
    return agreed


@dataclass(frozen=True)
class Home:
    """A home and what the run that made it said."""

    path: Path
    out: str = ""

    @property
    def lake(self) -> Lake:
        return Lake(str(self.path / "lake"))

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """Dagster's persistent records of this home."""
        dagster_home = self.path / "dagster_home"
        named = {"ENGAGEMENT_EVENT_LOG": str(dagster_home / "history")}
        with (
            patch.dict(os.environ, named),
            dg.DagsterInstance.from_config(str(dagster_home)) as instance,
        ):
            yield instance


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a process that works in a home, as `make dev` sets it."""
    dagster_home = home / "dagster_home"
    ours = {
        "ENGAGEMENT_HOME": str(home),
        "DAGSTER_HOME": str(dagster_home),
        "ENGAGEMENT_EVENT_LOG": str(dagster_home / "history"),
        "DAGSTER_EVENT_BATCH_SIZE": "1000",
    }
    return {**os.environ, **ours, **more}


def python(
    *arguments: str, home: Path, env: Mapping[str, str] | None = None, project: Path = PROJECT
) -> subprocess.CompletedProcess[str]:
    """Run a fresh interpreter at the root of the project, or of a copy of it."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env=environment(home, **(env or {})),
        capture_output=True,
        text=True,
        timeout=SOON,
        check=False,
    )


def command(
    home: Path, head: str, *given: str, project: Path = PROJECT
) -> subprocess.CompletedProcess[str]:
    """Run a command of `engagement` in a home, with NAME=VALUE in the environment."""
    env = variables(home, *given)
    return python("-m", "engagement_assets.commands", head, home=home, env=env, project=project)


def variables(home: Path, *given: str) -> dict[str, str]:
    """The environment that names a home and these settings, NAME=VALUE."""
    return dict(one.split("=", 1) for one in (f"HOME_DIR={home}", *given))


def story_process(home: Home, name: str, **about: Any) -> subprocess.Popen[str]:
    """Start a function of `stories.py` in a home."""
    module = "engagement_assets_tests.platform.stories"
    return subprocess.Popen(
        [sys.executable, "-m", module, name, json.dumps(about)],
        cwd=PROJECT,
        env=environment(home.path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(process: subprocess.Popen[str]) -> Any:
    """Wait for a story and give what it returned."""
    out, err = process.communicate(timeout=SOON)
    assert process.returncode == 0, err[-4000:]
    return json.loads(out.splitlines()[-1])


def story(home: Home, name: str, **about: Any) -> Any:
    """Run a function of `stories.py` in a home and give what it returned."""
    return told(story_process(home, name, **about))
