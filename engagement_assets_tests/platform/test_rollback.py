"""Going back to an earlier champion is one command, and predictions follow."""

from pathlib import Path

import dagster as dg

from engagement_assets.commands.due import needs_training
from engagement_assets.models.churn.spec import SPEC as CHURN
from engagement_assets.settings.installation import Settings
from engagement_assets_tests.platform.homes import END, WORLD, Home, command
from resources.registry import ModelRegistry

GIVEN_BY_THE_REGISTRY = ("name", "version", "files", "registered_at")


def second_version(home: Home, folder: Path) -> tuple[ModelRegistry, str, str]:
    """Register a second version: the same files under another card."""
    registry = ModelRegistry(home.path / "registry")
    first = registry.champion("churn")
    card = registry.card("churn", first)
    folder.mkdir()
    for name in card["files"]:
        (folder / name).write_bytes((registry.open("churn", first) / name).read_bytes())
    own = {name: value for name, value in card.items() if name not in GIVEN_BY_THE_REGISTRY}
    second = registry.register("churn", folder, own | {"code_version": "another"})
    return registry, first, second


def second_champion(home: Home, folder: Path) -> tuple[ModelRegistry, str, str]:
    """Register and promote a second version."""
    registry, first, second = second_version(home, folder)
    registry.promote("churn", second, "for the test")
    return registry, first, second


def versions(home: Home) -> set[str]:
    table = home.lake.read("churn/predictions", days=[END], columns=["model_version"])
    return set(table.column("model_version").to_pylist())


def test_after_a_rollback_the_next_run_predicts_with_the_earlier_champion(home, tmp_path):
    registry, first, second = second_champion(home, tmp_path / "files")

    done = command(home.path, "run", *WORLD)
    assert done.returncode == 0, done.stderr
    assert versions(home) == {second}

    done = command(home.path, "rollback")
    assert done.returncode == 0, done.stderr
    assert f"the champion of churn is {first} again" in done.stdout
    assert registry.champion("churn") == first
    with home.instance() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["churn", "champion"]))
    assert event.asset_materialization.metadata["model_version"].value == first

    done = command(home.path, "run", *WORLD)
    assert done.returncode == 0, done.stderr
    assert versions(home) == {first}
    assert registry.champion("churn") == first


def test_nothing_earlier_to_go_back_to_is_an_error_that_changes_nothing(home):
    registry = ModelRegistry(home.path / "registry")
    before = registry.history("churn")
    done = command(home.path, "rollback")
    assert done.returncode == 1
    assert "churn has no earlier champion" in done.stderr
    assert registry.history("churn") == before


def test_going_back_to_an_unknown_version_is_an_error(home):
    done = command(home.path, "rollback", "VERSION=0000000000000000")
    assert done.returncode == 1
    assert "0000000000000000" in done.stderr


def test_new_costs_ask_for_training_but_not_against_a_rollback(home, tmp_path):
    registry = ModelRegistry(home.path / "registry")
    settings = Settings.load(home.path)
    dearer = settings.with_values(cost_intervention=settings.cost_intervention + 1)
    assert not needs_training(CHURN, registry, settings, retrain=False)
    assert needs_training(CHURN, registry, settings, retrain=True)
    assert needs_training(CHURN, registry, dearer, retrain=False)
    for name in ("cost_lost_customer", "save_rate"):
        changed = settings.with_values(**{name: 0.9 * getattr(settings, name)})
        assert needs_training(CHURN, registry, changed, retrain=False), name
    second_champion(home, tmp_path / "files")
    registry.rollback("churn")
    assert not needs_training(CHURN, registry, dearer, retrain=False)
    assert needs_training(CHURN, registry, dearer, retrain=True)


def test_a_refused_version_is_accepted_with_its_owner_on_record_in_card_and_events(home, tmp_path):
    registry, first, second = second_version(home, tmp_path / "files")
    registry.refuse("churn", second, ["AUC 0.6000, at least 0.7 wanted: 0.1000 too little"])

    given = ("MODEL=churn", f"VERSION={second}", "BY=ann", "UNTIL=2999-01-31")
    done = command(home.path, "accept", *given, "REASON=a pilot")
    assert done.returncode == 0, done.stderr
    assert registry.champion("churn") == second
    with home.instance() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["churn", "champion"]))
    metadata = event.asset_materialization.metadata
    assert metadata["model_version"].value == second
    assert "taken on record by ann until 2999-01-31: a pilot" in metadata["model_card"].value

    again = command(home.path, "accept", "MODEL=churn", f"VERSION={first}", "REASON=a pilot")
    assert again.returncode == 1
    assert "was not refused" in again.stderr
    assert registry.champion("churn") == second
