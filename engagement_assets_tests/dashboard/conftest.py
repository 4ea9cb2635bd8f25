"""A home with two weeks of predictions of a few customers, for tests of the dashboard."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
from upath import UPath

from engagement_assets.dashboard.reading import Reader
from engagement_assets.governance.privacy.masking import Masking
from engagement_assets_tests.serving.worlds import DAY, write_world
from resources.lake import Lake
from resources.registry import ModelRegistry

MASKING = Masking(b"k" * 32, UPath("memory://readings"))


@dataclass(frozen=True)
class World:
    """A home and who is in it."""

    home: Path
    people: list[str]
    day: date = DAY

    def reader(self, *, sees_customers: bool = True) -> Reader:
        lake = Lake(str(self.home / "lake"))
        reports = UPath(self.home / "reports")
        registry = ModelRegistry(self.home / "registry")
        return Reader(lake, registry, reports, sees_customers, lambda: MASKING)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """For reading only."""
    home = tmp_path_factory.mktemp("dashboard")
    lake = Lake(str(home / "lake"))
    write_world(lake, DAY - timedelta(days=8), customers=40, seed=2)
    return World(home, write_world(lake, DAY, customers=40))


@pytest.fixture(autouse=True)
def _key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the key of pseudonyms out of the home of who runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(autouse=True)
def _main_module() -> Iterator[None]:
    """Put back the main module, which AppTest replaces and spawned processes would run."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main
