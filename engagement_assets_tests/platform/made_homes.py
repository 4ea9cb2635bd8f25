"""Small homes as fixtures, each made once whatever the number of workers, and copies to change.

A `conftest.py` that imports a fixture has it.
"""

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from engagement_assets_tests.platform.homes import WORLD, YEAR, Home, command


def made_once(
    tmp_path_factory: pytest.TempPathFactory, name: str, world: tuple[str, ...]
) -> tuple[Path, Path, str]:
    """A home after `make run`, an untouched copy of it, and what the run said."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    path, untouched = root / name, root / f"untouched-{name}"
    output = root / f"{name}.out"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not output.exists():
            for folder in (path, untouched):
                shutil.rmtree(folder, ignore_errors=True)
            done = command(path, "run", *world)
            assert done.returncode == 0, done.stderr[-4000:]
            shutil.copytree(path, untouched)
            output.write_text(done.stdout)
    return path, untouched, output.read_text()


@pytest.fixture(scope="session")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home after `make run`; for reading only."""
    path, _, output = made_once(tmp_path_factory, "made-home", WORLD)
    return Home(path, output)


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Home:
    """A copy of the home, to change.

    Copied from a home that nobody opens: reading SQLite makes and removes files beside the
    database, and a folder that another worker reads changes while it is copied.
    """
    _, untouched, _ = made_once(tmp_path_factory, "made-home", WORLD)
    shutil.copytree(untouched, tmp_path / "home")
    return Home(tmp_path / "home")


@pytest.fixture(scope="session")
def year(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home after `make run` over more than a year, which every model needs; for reading only."""
    path, _, output = made_once(tmp_path_factory, "year-home", YEAR)
    return Home(path, output)
