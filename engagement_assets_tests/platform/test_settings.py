"""A wrong setting is an error that names it; nothing falls back in silence."""

import json
import os
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from engagement_assets.commands import homes
from engagement_assets.commands.cli import app
from engagement_assets.commands.docs import outdated
from engagement_assets.commands.options import with_settings
from engagement_assets.settings import installation as settings_module
from engagement_assets.settings.fields import SettingsError, setting
from engagement_assets.settings.installation import (
    PROJECT,
    Settings,
    current_home,
    point_to,
    yesterday,
)
from engagement_assets_tests.platform.homes import command, python

FIELDS = {variable: name for name, variable in Settings.variables().items()}


@pytest.fixture(autouse=True)
def own_environment():
    """A command makes its home that of the process."""
    with patch.dict(os.environ):
        yield


def settings_from(values):
    """Settings of variables and their values, as the command line reads them."""
    return homes.settings_from({FIELDS[name]: value for name, value in values.items()})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SOURCE", "nowhere"),
        ("CUSTOMERS", "0"),
        ("CUSTOMERS", "many"),
        ("CUSTOMERS", "1.5"),
        ("DAYS", "90"),
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
        ("THREADS", "100000"),
        ("HOME_DIR", "a\\b"),
        ("SEED", "4294967296"),
        ("CUSTOMERS", "10000001"),
        ("DATE", "0001-01-01"),
        ("WEBHOOK", "ftp://example.org"),
        ("WEBHOOK", "example.org/hook"),
        ("RECOMMENDER", "the-best"),
        ("REVIEW_SHARE", "0"),
        ("REVIEW_SHARE", "0.5"),
        ("CHANNEL_CAC", "search"),
        ("CHANNEL_CAC", ","),
        ("CHANNEL_CAC", f"search={'9' * 400}"),
        ("CHANNEL_CAC", "search=-1"),
        ("CHANNEL_CAC", "search=1,search=2"),
        ("TRAINING_PROCESSES", "-1"),
        ("CHURN_WINDOW", "0"),
        ("LEAST_CHURN_RATE", "0.99"),
        ("GREATEST_CHURN_RATE", "1.01"),
        ("LEAST_GROUP", "1"),
        ("FAIRNESS_REFERENCE", "churn=fair"),
        ("FAIRNESS_REFERENCE", "anomaly=equal"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_its_setting(tmp_path, name, value):
    with pytest.raises(SettingsError, match=name):
        settings_from({"HOME_DIR": str(tmp_path), name: value})
    assert list(tmp_path.iterdir()) == []


@given(
    name=st.sampled_from(sorted(FIELDS)),
    value=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12),
)
def test_any_text_is_taken_or_refused_by_name(name, value):
    home = PROJECT / "no-such-home"
    if name in ("SOURCE_DATA", "HOME_DIR"):
        return
    try:
        said = settings_from({name: value, "HOME_DIR": str(home)}).home.name
    except SettingsError as error:
        said = str(error)
    assert name in said or said == home.name


def test_good_values_are_taken_with_their_types(tmp_path):
    actual = settings_from(
        {
            "CUSTOMERS": "50",
            "DAYS": "91",
            "DATE": "2026-03-01",
            "SAVE_RATE": "0.25",
            "WEBHOOK": "http://127.0.0.1:1/hook",
            "HOME_DIR": str(tmp_path),
        }
    )
    assert (actual.customers, actual.days, actual.save_rate) == (50, 91, 0.25)
    assert actual.first_day == date(2025, 12, 1)
    assert actual.end == date(2026, 3, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ('{"customer": 5}', "unknown settings customer"),
        ('{"customers": [5]}', "CUSTOMERS"),
        ('{"customers": 1e999}', "CUSTOMERS"),
        ('{"last_day": [2026, 3, 1]}', "DATE"),
        ("null", "expected a JSON object"),
        ("[" * 100_000, "is not JSON"),
        ('{"customers": null}', "CUSTOMERS=None"),
        ('{"ends": "perhaps"}', "ends=perhaps: expected 1 or 0$"),
    ],
)
def test_a_settings_file_that_someone_broke_is_an_error_that_says_where(tmp_path, text, said):
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(SettingsError, match=said):
        Settings.load(tmp_path)


def test_a_settings_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "settings.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(SettingsError, match=r"settings\.json is damaged, it is no text"):
        Settings.load(tmp_path)


def test_false_in_words_is_no(tmp_path):
    (tmp_path / "settings.json").write_text('{"ends": "false"}')
    assert Settings.load(tmp_path).ends is False


def test_settings_come_back_as_they_were_saved(tmp_path):
    saved = Settings(
        home=tmp_path, customers=5, first_day=date(2025, 1, 1), last_day=date(2025, 6, 1), ends=True
    )
    saved.save()
    assert Settings.load(tmp_path) == saved


def test_the_last_full_day_is_the_latest_date(tmp_path):
    assert Settings(home=tmp_path, last_day=yesterday()).end == yesterday()
    with pytest.raises(SettingsError, match=r"DATE=.*last full day"):
        Settings(home=tmp_path, last_day=yesterday() + timedelta(days=1))


def test_a_date_before_the_data_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="lies before the data's first day, 2026-01-01"):
        Settings(home=tmp_path, first_day=date(2026, 1, 1), last_day=date(2025, 12, 31))


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
    actual = settings_from({"SAVE_RATE": "0.5", "HOME_DIR": str(tmp_path)})
    assert (actual.customers, actual.days, actual.save_rate) == (50, 91, 0.5)


def test_an_empty_value_counts_as_not_given(tmp_path):
    done = CliRunner().invoke(app, ["home"], env={"HOME_DIR": str(tmp_path), "CUSTOMERS": "  "})
    assert done.stdout == f"{tmp_path}\n"
    assert Settings.load(tmp_path).customers == 10_000


def test_a_mapped_source_without_its_files_is_an_error(tmp_path):
    with pytest.raises(SettingsError, match="SOURCE=deskdrop: SOURCE_DATA"):
        settings_from({"SOURCE": "deskdrop", "HOME_DIR": str(tmp_path)})


def test_the_command_ends_with_2_and_a_message_and_makes_nothing(tmp_path):
    home = tmp_path / "home"
    done = command(home, "run", "CUSTOMERS=none")
    assert done.returncode == 2
    assert done.stderr.startswith("error: CUSTOMERS=none: expected a whole number, at least 1")
    assert done.stdout == ""
    assert not home.exists()


@pytest.mark.parametrize("name", ["run", "home", "dev", "rollback"])
def test_each_command_names_a_wrong_setting_as_it_was_written(tmp_path, name):
    env = {"HOME_DIR": str(tmp_path / "home")}
    option = CliRunner().invoke(app, [name, "--days", "3"], env=env)
    variable = CliRunner().invoke(app, [name], env=env | {"DAYS": "3"})
    assert (option.exit_code, variable.exit_code) == (2, 2)
    assert option.stderr.startswith("error: --days=3: expected a whole number, at least 91")
    assert variable.stderr.startswith("error: DAYS=3: expected")
    assert list(tmp_path.iterdir()) == []


def test_an_option_stands_over_the_environment(tmp_path):
    given = ["home", "--home-dir", str(tmp_path), "--customers", "5"]
    CliRunner().invoke(app, given, env={"CUSTOMERS": "6", "SEED": "8"})
    made = Settings.load(tmp_path)
    assert (made.customers, made.seed) == (5, 8)


def test_help_names_every_setting_and_loads_nothing_of_the_platform(tmp_path):
    code = (
        "import sys; from engagement_assets.commands.cli import app; "
        "app(['run', '--help'], standalone_mode=False); "
        "print([m for m in ('dagster', 'duckdb', 'pandas', 'uvicorn') if m in sys.modules])"
    )
    done = python("-c", code, home=tmp_path)
    assert done.stdout.splitlines()[-1] == "[]"
    for variable in FIELDS:
        assert f"--{variable.lower().replace('_', '-')} " in done.stdout


def test_the_docs_and_the_makefile_have_every_setting():
    assert list(outdated()) == [], "run `engagement docs`"


def test_a_further_setting_is_one_field():
    class Further(Settings):
        tea_cups: int = setting(3, "cups of tea a day; more for long days", ge=1)

    assert "| `TEA_CUPS` | 3 | cups of tea a day; more for long days |" in Further.table()
    with pytest.raises(SettingsError, match="TEA_CUPS=0: expected a whole number, at least 1"):
        Further(home=PROJECT / "no-such-home", tea_cups=0)
    tea = typer.Typer()

    @tea.command()
    @with_settings(Further)
    def brew(given):
        typer.echo(given["tea_cups"])

    assert CliRunner().invoke(tea, [], env={"TEA_CUPS": "4"}).stdout == "4\n"
    assert CliRunner().invoke(tea, ["--tea-cups", "5"]).stdout == "5\n"


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
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
QUOTED = "o'brien \"b\" `touch pwned` $(touch pwned) ;touch pwned; '"


def make(*arguments: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Make with the programs of a folder, and without installing."""
    return subprocess.run(
        ["make", "-e", "-s", "-o", ".venv/.installed", *arguments],
        cwd=PROJECT,
        env={**os.environ, "BIN": str(folder), **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def recorder(tmp_path):
    """A folder whose `python` writes its arguments and settings to `said` instead of running."""
    folder = tmp_path / "programs"
    folder.mkdir()
    program = folder / "python"
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\nfrom pathlib import Path\n"
        f"given = {{n: os.environ[n] for n in {[*FIELDS, 'RETRAIN']} if n in os.environ}}\n"
        "Path(sys.argv[0]).with_name('said').write_text(json.dumps([sys.argv[1:], given]))\n"
    )
    program.chmod(0o755)
    return folder


@needs_make
@pytest.mark.parametrize(
    ("argument", "said"), [("FOO=1", "unknown setting FOO"), ("CUSTOMER=5", "CUSTOMERS")]
)
def test_make_refuses_an_unknown_setting(recorder, argument, said):
    done = make("run", argument, folder=recorder)
    assert done.returncode != 0
    assert said in done.stderr
    assert not (recorder / "said").exists()


@needs_make
def test_make_passes_on_every_setting(recorder):
    done = make("run", *(f"{name}=1" for name in (*FIELDS, "RETRAIN")), folder=recorder)
    assert done.returncode == 0, done.stderr
    arguments, given = json.loads((recorder / "said").read_text())
    assert arguments == ["-m", "engagement_assets.commands", "run"]
    assert given == dict.fromkeys((*FIELDS, "RETRAIN"), "1")


@needs_make
@pytest.mark.parametrize("name", ["HOME_DIR", "SOURCE_DATA", "WEBHOOK"])
@pytest.mark.parametrize("target", ["run", "dev", "rollback"])
def test_no_quote_in_a_setting_reaches_a_shell(recorder, target, name):
    # make itself replaces $: a person writes $$
    done = make(target, f"{name}={QUOTED.replace('$', '$$')}", folder=recorder)
    assert done.returncode == 0, done.stderr
    assert json.loads((recorder / "said").read_text())[1] == {name: QUOTED}
    assert not (PROJECT / "pwned").exists()


@needs_make
def test_no_quote_in_the_name_of_a_key_reaches_a_shell(recorder):
    given = [f"{name}={QUOTED.replace('$', '$$')}" for name in ("SCOPES", "NAME", "HOME_DIR")]
    done = make("api-key", *given, folder=recorder)
    assert done.returncode == 0, done.stderr
    arguments = json.loads((recorder / "said").read_text())[0]
    assert arguments[-4:] == ["--scopes", QUOTED, "--name", QUOTED]
    assert not (PROJECT / "pwned").exists()


@needs_make
def test_a_home_with_a_quote_in_its_name_works(tmp_path):
    home = tmp_path / "o'brien"
    programs = Path(sys.executable).parent
    done = make("api-key", f"HOME_DIR={home}", folder=programs, ENGAGEMENT_HOME="")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("eng_")
    assert (home / "api_keys.json").exists()


def test_a_run_fixes_the_first_day_in_the_home(made_home):
    saved = json.loads((Path(made_home.path) / "settings.json").read_text())
    assert saved["customers"] == 400
    assert saved["first_day"] == "2025-11-27"
