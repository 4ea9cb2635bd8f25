"""One small home, made once whatever the number of workers, and copies of it to change."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from engagement_assets_tests.platform.homes import WORLD, Home, command


@pytest.fixture(scope="session")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home after `make run`; for reading only."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    path, output = root / "made-home", root / "made-home.out"
    with (root / "made-home.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not output.exists():
            shutil.rmtree(path, ignore_errors=True)
            done = command(path, "run", *WORLD)
            assert done.returncode == 0, done.stderr[-4000:]
            output.write_text(done.stdout)
    return Home(path, output.read_text())


@pytest.fixture
def home(made_home: Home, tmp_path: Path) -> Home:
    """A copy of the home, to change."""
    shutil.copytree(made_home.path, tmp_path / "home")
    return Home(tmp_path / "home")
