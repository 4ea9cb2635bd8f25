"""Every place where a customer's data can be has an entry; what has none fails."""

from datetime import date
from pathlib import Path

import pytest

from engagement_assets.deployments.resources import resources_for
from engagement_assets.deployments.serving import DRAWS_FILE
from engagement_assets.governance.privacy import register
from engagement_assets.governance.tables import KNOWN_TABLES
from engagement_assets.serving.api.keys import KEYS_FILE, add_key
from engagement_assets.settings.deployment import Deployment
from engagement_assets.settings.installation import Settings
from resources.erasures import ErasureError
from resources.lake import Lake
from resources.subjects import Subjects
from resources.tables import Column, Table

ANN = Subjects(frozenset({"ann"}))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    return path


def test_every_resource_of_every_deployment_has_an_entry(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "BUCKET": "bucket",
        "GLUE_DATABASE": "lake",
        "ATHENA_WORKGROUP": "engagement",
        "ALERT_TOPIC": "arn:aws:sns:eu-west-1:1:alerts",
        "ONLINE_TABLE": "online",
        "API_SECRET": "keys",
    }.items():
        monkeypatch.setenv(f"ENGAGEMENT_{name}", value)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    settings = Settings(home=home, first_day=date(2026, 1, 1))
    for which in Deployment:
        names = set(resources_for(which, settings))
        assert names == set(register.HOLDERS) | set(register.OTHERS), which
        assert which.value in register.ELSEWHERE
    assert not set(register.HOLDERS) & set(register.OTHERS)


def test_every_table_that_is_about_customers_is_a_place(home: Path) -> None:
    listed = {place.name for place in register.lake_places(Lake(str(home / "lake")))}
    about = {f"lake/{table.key}" for table in KNOWN_TABLES if not table.without_customer}
    assert listed == about
    assert {"lake/source/quarantine", "lake/source/revisions", "lake/contact/outbox"} <= about


def test_what_the_processes_write_into_a_home_is_known_to_the_register() -> None:
    known = {*register.OF_RESOURCES, *register.HOME_PLACES, *register.WITHOUT_CUSTOMERS}
    assert {KEYS_FILE, DRAWS_FILE} <= known
    assert set(register.OF_RESOURCES.values()) <= set(register.HOLDERS) | set(register.OTHERS)


def test_keys_leave_nothing_that_the_register_does_not_know_and_studies_go_whole(
    home: Path,
) -> None:
    add_key(home / KEYS_FILE, "app", ["read"])
    (home / "studies" / "churn").mkdir(parents=True)
    (home / "studies" / "churn" / "trial.npy").write_bytes(b"margins")
    (place,) = register.home_places(home)
    assert (place.name, place.count(ANN), place.remove(ANN), place.count(ANN)) == (
        "studies",
        1,
        1,
        0,
    )


def test_the_log_of_questions_of_an_older_release_is_searched(home: Path) -> None:
    (home / "questions.jsonl").write_text('{"text": "the score of ann"}\n{"text": "of bob"}\n')
    (home / ".questions.jsonl.lock").touch()
    (place,) = register.home_places(home)
    assert (place.name, place.count(ANN), place.remove(ANN)) == ("older questions", 1, 1)
    assert (home / "questions.jsonl").read_text() == '{"text": "of bob"}\n'


@pytest.mark.parametrize("entry", ["lake/shop/orders/day=2026-01-01/part.parquet", "exports.csv"])
def test_what_nobody_declared_fails_instead_of_holding_nothing(home: Path, entry: str) -> None:
    path = home / entry
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("ann")
    resources = resources_for(Deployment.LOCAL, Settings(home=home, first_day=date(2026, 1, 1)))
    (undeclared,) = (
        place
        for place in register.places(resources, home=home)
        if isinstance(place, register.Undeclared)
    )
    with pytest.raises(ErasureError, match=undeclared.name):
        undeclared.count(ANN)


def test_a_resource_without_an_entry_fails_too(home: Path) -> None:
    resources = resources_for(Deployment.LOCAL, Settings(home=home, first_day=date(2026, 1, 1)))
    listed = register.places({**resources, "replays": object()}, home=home)
    assert "resource replays" in {place.name for place in listed}


def test_a_table_of_a_simulated_truth_is_searched_in_all_of_its_texts(home: Path) -> None:
    lake = Lake(str(home / "lake"))
    table = Table("truth/people", (Column("who", "string"), Column("age", "int64")))
    rows = table.arrow.empty_table().from_pylist(
        [{"who": "ann", "age": 3}, {"who": "bob", "age": 4}], schema=table.arrow
    )
    lake.write(table, rows, day=date(2026, 1, 1))
    place = register.lake_places(lake)[-1]
    assert (place.name, place.count(ANN), place.remove(ANN), place.count(ANN)) == (
        "lake/truth/people",
        1,
        1,
        0,
    )
