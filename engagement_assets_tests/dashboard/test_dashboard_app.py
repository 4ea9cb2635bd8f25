"""The pages as Streamlit runs them, without a browser."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from upath import UPath

from engagement_assets.commands.dashboard import (
    SECRETS_VARIABLE,
    arguments,
    secrets_file,
    serve_dashboard,
)
from engagement_assets.dashboard import app
from engagement_assets.dashboard.access import GIVEN, REFUSED, Token
from engagement_assets.dashboard.showing import as_csv
from engagement_assets.dashboard.views import models
from engagement_assets.governance.tables import REVIEW_QUEUE_TABLE
from engagement_assets.settings.dashboard import DashboardSettings
from engagement_assets.settings.fields import SettingsError
from engagement_assets_tests.dashboard.conftest import World
from engagement_assets_tests.decisions.tables import filled
from resources.lake import Lake
from resources.questions import QuestionLog
from resources.registry import ModelRegistry

SECONDS = 60


@pytest.fixture
def token(world: World, monkeypatch: pytest.MonkeyPatch) -> Token:
    made = Token.new(hours=1.0, now=datetime.now(UTC))
    for name, value in made.as_environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ENGAGEMENT_HOME", str(world.home))
    return made


def draw(page: str, role: str) -> None:
    """Run as a script: what it needs it imports itself."""
    from engagement_assets.dashboard.access import Viewer  # noqa: PLC0415 - of the script
    from engagement_assets.dashboard.app import PAGES  # noqa: PLC0415 - of the script
    from engagement_assets.settings.dashboard import (  # noqa: PLC0415 - of the script
        DashboardSettings,
    )

    pages = {title: show for title, _, show in PAGES}
    pages[page](Viewer(frozenset({role}), role), DashboardSettings())


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("page", [title for title, _, _ in app.PAGES])
def test_a_page_runs_and_begins_with_its_name(page: str) -> None:
    test = AppTest.from_function(draw, args=(page, "admin"), default_timeout=SECONDS).run()
    assert not test.exception
    assert test.title[0].value == page


def test_the_address_with_the_token_opens_today(token: Token) -> None:
    test = AppTest.from_file(app.__file__, default_timeout=SECONDS)
    test.query_params[GIVEN] = token.value
    test.run()
    assert not test.exception
    assert test.title[0].value == "Today"
    assert "Not today" in test.warning[0].value


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("given", [None, "guess"])
def test_without_the_token_nothing_is_shown(given: str | None) -> None:
    test = AppTest.from_file(app.__file__, default_timeout=SECONDS)
    if given:
        test.query_params[GIVEN] = given
    test.run()
    assert [error.value for error in test.error] == [REFUSED]
    assert not test.dataframe
    assert not test.subheader


@pytest.mark.usefixtures("token")
def test_a_customer_is_searched_by_id(world: World) -> None:
    test = AppTest.from_function(draw, args=("Customer", "support"), default_timeout=SECONDS).run()
    test.text_input[0].set_value(world.people[0]).run()
    assert not test.exception
    assert "Scores" in [one.value for one in test.subheader]
    test.text_input[0].set_value("nobody").run()
    assert not test.subheader
    assert len(test.warning) == 1


@pytest.mark.parametrize(
    ("role", "hidden"),
    [
        ("analyst", {"Customer", "Review"}),
        ("support", {"Review", "Models", "Governance", "Decisions", "Segments"}),
    ],
)
def test_a_role_has_its_own_pages(role: str, hidden: set[str]) -> None:
    seen = {title for title, roles, _ in app.PAGES if role in roles}
    assert "Today" in seen
    assert not seen & hidden


@pytest.mark.parametrize(("role", "answered"), [("analyst", False), ("support", True)])
@pytest.mark.usefixtures("token")
def test_a_question_about_one_customer_is_for_who_may_see_customers(
    role: str, answered: bool, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(world.home, tmp_path / "home")
    monkeypatch.setenv("ENGAGEMENT_HOME", str(tmp_path / "home"))
    test = AppTest.from_function(draw, args=("Ask", role), default_timeout=SECONDS).run()
    test.text_input[0].set_value(f"Why might {world.people[0]} churn?").run()
    assert not test.exception
    assert bool(test.success) == answered
    assert bool(test.warning) != answered
    assert any("in Dagster" in one.value for one in test.markdown) == answered


@pytest.mark.usefixtures("token")
def test_a_thumb_is_kept_with_the_question_which_is_asked_once(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(world.home, tmp_path / "home")
    monkeypatch.setenv("ENGAGEMENT_HOME", str(tmp_path / "home"))
    test = AppTest.from_function(draw, args=("Ask", "analyst"), default_timeout=SECONDS).run()
    test.text_input[0].set_value("How many customers are there?").run()
    test.feedback[0].set_value(0).run()
    assert not test.exception
    asked, thought = QuestionLog(UPath(tmp_path / "home" / "questions"), 90).lines()
    assert asked["question"] == "How many customers are there?"
    assert (thought["feedback_on"], thought["helpful"]) == (asked["id"], False)
    assert asked["by"] == thought["by"]


@pytest.mark.usefixtures("token")
def test_a_reviewer_gives_a_verdict_with_a_reason_and_only_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = datetime.now(UTC).date()
    row = {"customer_id": "ann", "snapshot_date": day, "flagged_since": day, "anomaly_score": 0.9}
    # the key of pseudonyms lies in this person's folder, which is tmp_path, and not in the home
    queue, home = REVIEW_QUEUE_TABLE, tmp_path / "home"
    Lake(str(home / "lake")).write(queue, filled(queue, [row]), day=day)
    monkeypatch.setenv("ENGAGEMENT_HOME", str(home))
    test = AppTest.from_function(draw, args=("Review", "reviewer"), default_timeout=SECONDS).run()

    def give(note: str) -> None:
        test.radio[0].set_value("fraud")
        test.text_area[0].set_value(note)
        test.button[1].click().run()
        assert not test.exception

    give("")
    assert "note" in test.error[0].value
    assert test.dataframe[0].value["state"].tolist() == ["waiting"]
    give("a stolen card")
    assert not test.error
    assert test.dataframe[0].value["state"].tolist() == ["first verdict"]
    give("I am sure")
    assert "another person" in test.error[0].value


def test_streamlit_shows_no_details_of_errors_and_listens_where_it_is_told() -> None:
    given = arguments(DashboardSettings(host="127.0.0.9", port=9001))
    assert "--client.showErrorDetails=none" in given
    assert "--server.address=127.0.0.9" in given
    assert "--server.port=9001" in given


SECRETS = """
[auth]
redirect_uri = "https://look.example.org/oauth2callback"
cookie_secret = "0123456789abcdef0123456789abcdef"
client_id = "dashboard"
client_secret = "word-of-the-client"
server_metadata_url = "https://issuer.example.org/.well-known/openid-configuration"
"""


def test_a_secret_becomes_a_file_of_this_user_and_leaves_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv(SECRETS_VARIABLE, SECRETS)
    started = list[str]()
    serve_dashboard(DashboardSettings(sign_in="oidc"), execute=started.extend)
    (path,) = tmp_path.iterdir()
    assert f"--secrets.files={path}" in started
    assert path.read_text() == SECRETS
    assert path.stat().st_mode & 0o077 == 0
    assert SECRETS_VARIABLE not in os.environ


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[auth", "TOML"),
        ("", "client_id"),
        ("auth = 3", "client_id"),
        (SECRETS.replace("client_secret", "secret"), "client_secret"),
        (SECRETS.replace("0123456789abcdef0123456789abcdef", "short"), "cookie_secret"),
    ],
    ids=["no TOML", "empty", "no table", "a name is missing", "a cookie's secret to be guessed"],
)
def test_a_secret_by_which_nobody_or_anybody_could_sign_in_is_refused_without_its_values(
    text: str, named: str
) -> None:
    with pytest.raises(SettingsError, match=named) as refusal:
        secrets_file(text)
    assert "word-of-the-client" not in str(refusal.value)


def opened(page: str) -> None:
    """Run a page as navigation does."""
    from engagement_assets.dashboard.access import Viewer  # noqa: PLC0415 - of the script
    from engagement_assets.dashboard.app import PAGES, _guarded  # noqa: PLC0415 - of the script
    from engagement_assets.settings.dashboard import (  # noqa: PLC0415 - of the script
        DashboardSettings,
    )

    pages = {title: show for title, _, show in PAGES}
    _guarded(pages[page], Viewer(frozenset({"admin"}), "admin"), DashboardSettings())()


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize(
    ("page", "file", "content"),
    [
        ("Today", "alerts.jsonl", b'{"at": "2026-01-01T00:00:00+00:00"}\n{"kind": '),
        ("Today", "alerts.jsonl", b"\xff\xfe"),
        ("Decisions", "reports/next_best_action/evaluation/report.json", b"{"),
        ("Decisions", "reports/next_best_action/evaluation/report.json", b"[" * 100_000),
    ],
    ids=["cut off", "no text", "report cut off", "report deep"],
)
def test_a_damaged_file_ends_a_page_in_words(
    page: str,
    file: str,
    content: bytes,
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(world.home, tmp_path / "home")
    monkeypatch.setenv("ENGAGEMENT_HOME", str(tmp_path / "home"))
    path = tmp_path / "home" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    test = AppTest.from_function(opened, args=(page,), default_timeout=SECONDS).run()
    assert not test.exception
    assert "cannot be read" in test.error[0].value


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("changed", [False, True], ids=["of an older release", "changed"])
def test_a_card_that_cannot_be_judged_ends_no_page(
    changed: bool, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(world.home, tmp_path / "home")
    monkeypatch.setenv("ENGAGEMENT_HOME", str(tmp_path / "home"))
    registry, files = ModelRegistry(tmp_path / "home" / "registry"), tmp_path / "files"
    files.mkdir()
    (files / "model.json").write_text("{}")
    # the model that the page begins with
    name = next(iter(models.SPECS))
    version = registry.register(name, files, {"features": 1})
    registry.promote(name, version, "test")
    if changed:
        card = tmp_path / "home" / "registry" / name / version / "card.json"
        card.write_text(card.read_text().replace('"features": 1', '"features": 2'))
    test = AppTest.from_function(opened, args=("Models",), default_timeout=SECONDS).run()
    assert not test.exception
    assert ["cannot be read" in one.value for one in test.error] == [True] * changed


def test_a_text_of_a_customer_is_no_formula_in_a_download() -> None:
    rows = pd.DataFrame({"place": ["=1+1", "@x", "-y", "Rome"], "change": [-1.0, 2.0, -3.0, 4.0]})
    lines = as_csv(rows).decode().splitlines()
    assert lines == ['"place","change"', '"\'=1+1",-1.0', '"\'@x",2.0', '"\'-y",-3.0', '"Rome",4.0']
