"""One small home, made once whatever the number of workers, and copies of it to change."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from engagement_assets_tests.platform.homes import WORLD, Home, command


def made_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """A home after `make run`, an untouched copy of it, and what the run said."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    path, untouched = root / "made-home", root / "untouched-home"
    output = root / "made-home.out"
    with (root / "made-home.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not output.exists():
            for folder in (path, untouched):
                shutil.rmtree(folder, ignore_errors=True)
            done = command(path, "run", *WORLD)
            assert done.returncode == 0, done.stderr[-4000:]
            shutil.copytree(path, untouched)
            output.write_text(done.stdout)
    return path, untouched, output.read_text()


@pytest.fixture(scope="session")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home after `make run`; for reading only."""
    path, _, output = made_once(tmp_path_factory)
    return Home(path, output)


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Home:
    """A copy of the home, to change.

    Copied from a home that nobody opens: reading SQLite makes and removes files beside the
    database, and a folder that another worker reads changes while it is copied.
    """
    _, untouched, _ = made_once(tmp_path_factory)
    shutil.copytree(untouched, tmp_path / "home")
    return Home(tmp_path / "home")
