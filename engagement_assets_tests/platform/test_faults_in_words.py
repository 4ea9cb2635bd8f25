"""A full disk, a folder that cannot be written and damaged records end a command in words."""

import errno
import os
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import pytest
import typer
from typer.testing import CliRunner

from engagement_assets.commands import homes
from engagement_assets.commands.cli import app
from engagement_assets.commands.options import refused
from engagement_assets.commands.records import RecordsError, records
from engagement_assets.learning import memory
from engagement_assets.settings.fields import SettingsError
from engagement_assets_tests.platform.homes import PROJECT
from resources.files import replace_file


@pytest.fixture(autouse=True)
def own_environment():
    """A command makes its home that of the process."""
    with patch.dict(os.environ):
        yield


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_says_which_file_and_to_make_room_and_leaves_the_old_one(
    tmp_path, monkeypatch, capsys
):
    path = tmp_path / "settings.json"
    path.write_text("old")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(typer.Exit) as ended, refused():
        replace_file(path, b"new")
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == (
        f"error: {path}: No space left on device: make room, and give the same command again: "
        "what was made stays\n"
    )
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_home_that_cannot_be_written_says_to_choose_another(tmp_path, monkeypatch, code):
    def refuse(path, *_, **__):
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    done = CliRunner().invoke(app, ["home"], env={"HOME_DIR": str(tmp_path / "home")})
    assert done.exit_code == 1
    assert done.stderr == (
        f"error: {tmp_path / 'home'}: {os.strerror(code)}: give HOME_DIR=…, a folder that you may "
        "write to\n"
    )


def test_a_home_within_a_file_says_to_choose_another(tmp_path):
    (tmp_path / "file").touch()
    done = CliRunner().invoke(app, ["home"], env={"HOME_DIR": str(tmp_path / "file" / "home")})
    assert done.exit_code == 1
    assert "Not a directory: give HOME_DIR=…" in done.stderr


def test_another_fault_of_the_disk_keeps_its_trace():
    with pytest.raises(FileNotFoundError), refused():
        Path("/no/such/file").read_bytes()


@dg.asset
def made() -> None:
    """An asset of no use but to be on record."""


@pytest.mark.parametrize("file", ["runs.db", "index.db"])
def test_damaged_records_say_which_and_what_to_do(tmp_path, monkeypatch, file):
    (tmp_path / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text())
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("ENGAGEMENT_EVENT_LOG", str(tmp_path / "history"))
    with records() as instance:
        dg.materialize([made], instance=instance)
    (path,) = tmp_path.rglob(file)
    for beside in path.parent.glob(f"{file}-*"):
        beside.unlink()
    path.write_bytes(b"no database at all " * 500)
    words = rf"{tmp_path} cannot be used \(file is not a database\): .* move the folder away"
    with pytest.raises(RecordsError, match=words):
        _read()


def _read():
    with records() as instance:
        instance.get_runs()
        instance.get_latest_materialization_event(made.key)


def test_a_world_that_memory_cannot_hold_is_refused_with_the_most_that_it_can(
    tmp_path, monkeypatch
):
    limit = tmp_path / "memory.max"
    limit.write_text("2147483648\n")
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    given = {"home": str(tmp_path / "home"), "customers": "500000"}
    with pytest.raises(SettingsError, match=r"CUSTOMERS=500000: .* 5 GiB .* at most 214748"):
        homes.settings_from(given)
    assert homes.settings_from(given | {"customers": "200000"}).customers == 200_000
    limit.write_text("max\n")
    assert homes.settings_from(given | {"customers": "20000"}).customers == 20_000
