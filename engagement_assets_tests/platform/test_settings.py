"""A wrong setting is an error that names it; nothing falls back in silence."""

import json
import shutil
import subprocess
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_assets.commands import run as commands
from engagement_assets.commands.run import main, pairs, settings_from
from engagement_assets.settings import installation as settings_module
from engagement_assets.settings.installation import (
    MIN_DAYS,
    PROJECT,
    Settings,
    SettingsError,
    current_home,
    point_to,
    yesterday,
)
from engagement_assets_tests.platform.homes import command


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SOURCE", "nowhere"),
        ("CUSTOMERS", "0"),
        ("CUSTOMERS", "many"),
        ("CUSTOMERS", "1.5"),
        ("DAYS", str(MIN_DAYS - 1)),
        ("DAYS", "99999999"),
        ("SEED", "-1"),
        ("SEED", "x"),
        ("DATE", "tomorrow"),
        ("DATE", "2026-02-30"),
        ("DATE", "2999-01-01"),
        ("COST_LOST_CUSTOMER", "0"),
        ("COST_LOST_CUSTOMER", "nan"),
        ("COST_LOST_CUSTOMER", "inf"),
        ("COST_INTERVENTION", "-5"),
        ("COST_INTERVENTION", "inf"),
        ("SAVE_RATE", "0"),
        ("SAVE_RATE", "1.01"),
        ("SAVE_RATE", "nan"),
        ("BOOTSTRAP", "19"),
        ("THREADS", "0"),
        ("WEBHOOK", "ftp://example.org"),
        ("WEBHOOK", "example.org/hook"),
        ("RECOMMENDER", "the-best"),
        ("REVIEW_SHARE", "0"),
        ("REVIEW_SHARE", "0.5"),
        ("CHANNEL_CAC", "search"),
        ("CHANNEL_CAC", "search=-1"),
        ("CHANNEL_CAC", "search=1,search=2"),
        ("TRAINING_PROCESSES", "-1"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_its_setting(tmp_path, name, value):
    with pytest.raises(SettingsError, match=name):
        settings_from({name: value, "HOME_DIR": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


@given(
    name=st.sampled_from(sorted(commands.ARGUMENTS)),
    value=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12),
)
def test_any_text_is_taken_or_refused_by_name(name, value):
    home = PROJECT / "no-such-home"
    if name == "SOURCE_DATA":
        return
    try:
        said = settings_from({name: value, "HOME_DIR": str(home)}).home.name
    except SettingsError as error:
        said = str(error)
    assert name in said or said == home.name


def test_good_values_are_taken_with_their_types(tmp_path):
    found = settings_from(
        {
            "CUSTOMERS": "50",
            "DAYS": "91",
            "DATE": "2026-03-01",
            "SAVE_RATE": "0.25",
            "WEBHOOK": "http://127.0.0.1:1/hook",
            "HOME_DIR": str(tmp_path),
        }
    )
    assert (found.customers, found.days, found.save_rate) == (50, 91, 0.25)
    assert found.first_day == date(2025, 12, 1)
    assert found.end == date(2026, 3, 1)


def test_an_unknown_setting_is_named_with_the_settings_there_are():
    with pytest.raises(SettingsError, match=r"unknown setting COSTUMERS; .*CUSTOMERS"):
        settings_from({"COSTUMERS": "5"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ('{"customer": 5}', "unknown settings customer"),
        ('{"customers": [5]}', "CUSTOMERS"),
        ('{"customers": 1e999}', "CUSTOMERS"),
        ('{"last_day": [2026, 3, 1]}', "DATE"),
    ],
)
def test_a_settings_file_that_someone_broke_is_an_error_that_says_where(tmp_path, text, said):
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(SettingsError, match=said):
        Settings.load(tmp_path)


def test_settings_come_back_as_they_were_saved(tmp_path):
    saved = Settings(
        tmp_path, customers=5, first_day=date(2025, 1, 1), last_day=date(2025, 6, 1), ends=True
    )
    saved.save()
    assert Settings.load(tmp_path) == saved


def test_the_last_full_day_is_the_latest_date(tmp_path):
    assert Settings(tmp_path, last_day=yesterday()).end == yesterday()
    with pytest.raises(SettingsError, match=r"DATE=.*last full day"):
        Settings(tmp_path, last_day=yesterday() + timedelta(days=1))


def test_a_date_before_the_data_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="lies before the data's first day, 2026-01-01"):
        Settings(tmp_path, first_day=date(2026, 1, 1), last_day=date(2025, 12, 31))


@pytest.mark.parametrize(
    ("name", "value"), [("CUSTOMERS", "60"), ("SEED", "8"), ("DAYS", "92"), ("SOURCE", "deskdrop")]
)
def test_a_home_of_another_world_is_refused_and_stays(tmp_path, name, value):
    made = settings_from({"CUSTOMERS": "50", "DAYS": "91", "HOME_DIR": str(tmp_path)})
    made.save()
    before = (tmp_path / "settings.json").read_bytes()
    with pytest.raises(SettingsError, match=f"{name}={value}: .* was made with {name}="):
        settings_from({name: value, "HOME_DIR": str(tmp_path)})
    assert (tmp_path / "settings.json").read_bytes() == before


def test_what_is_not_given_again_stays_as_the_home_was_made(tmp_path):
    settings_from({"CUSTOMERS": "50", "DAYS": "91", "HOME_DIR": str(tmp_path)}).save()
    found = settings_from({"SAVE_RATE": "0.5", "HOME_DIR": str(tmp_path)})
    assert (found.customers, found.days, found.save_rate) == (50, 91, 0.5)


def test_arguments_are_read_as_names_and_values():
    assert pairs(["A=1", "B= x=y ", "C="]) == {"A": "1", "B": "x=y"}
    with pytest.raises(SettingsError, match="'CUSTOMERS': expected NAME=VALUE"):
        pairs(["CUSTOMERS"])


def test_a_mapped_source_without_its_files_is_an_error(tmp_path):
    with pytest.raises(SettingsError, match="SOURCE=deskdrop: SOURCE_DATA"):
        settings_from({"SOURCE": "deskdrop", "HOME_DIR": str(tmp_path)})


def test_the_command_ends_with_2_and_a_message_and_makes_nothing(tmp_path):
    home = tmp_path / "home"
    done = command(home, "run", "CUSTOMERS=none")
    assert done.returncode == 2
    assert done.stderr.strip() == "error: CUSTOMERS=none: expected a number"
    assert done.stdout == ""
    assert not home.exists()


def test_each_command_refuses_a_wrong_setting(tmp_path, capsys):
    for name in ("run", "home", "rollback"):
        assert main([name, f"HOME_DIR={tmp_path}", "DAYS=3"]) == 2
        assert "DAYS: expected 91 to" in capsys.readouterr().err


def test_the_home_in_use_is_the_one_in_the_environment_or_the_one_pointed_to(tmp_path, monkeypatch):
    monkeypatch.setattr(settings_module, "PROJECT", tmp_path)
    assert current_home({}) == tmp_path / "data" / "simulator-10000"
    point_to(tmp_path / "mine")
    assert current_home({}) == tmp_path / "mine"
    assert current_home({"ENGAGEMENT_HOME": str(tmp_path / "other")}) == tmp_path / "other"


def test_a_run_whose_home_the_environment_names_leaves_the_pointer_alone(made_home):
    pointer = PROJECT / "data" / "current"
    assert not pointer.exists() or pointer.read_text().strip() != str(made_home.path)


# `make` is there on every machine that develops this; a bare container may lack it
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("argument", "said"), [("FOO=1", "unknown setting FOO"), ("CUSTOMER=5", "CUSTOMERS")]
)
def test_make_refuses_an_unknown_setting(argument, said):
    found = make("run", argument)
    assert found.returncode != 0
    assert said in found.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_passes_the_settings_on_and_knows_each():
    given_all = [f"{name}=1" for name in (*commands.ARGUMENTS, "HOME_DIR", "RETRAIN")]
    found = make("run", *given_all)
    assert found.returncode == 0, found.stderr
    for argument in given_all:
        assert f"'{argument}'" in found.stdout


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "-n", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False
    )


def test_a_run_fixes_the_first_day_in_the_home(made_home):
    saved = json.loads((Path(made_home.path) / "settings.json").read_text())
    assert saved["customers"] == 400
    assert saved["first_day"] == "2025-11-27"
