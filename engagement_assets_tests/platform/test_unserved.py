"""What does not serve is said in the last lines of a run, and a run that serves nothing fails."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from engagement_assets.commands import run as runs
from engagement_assets.commands.summary import _unserved, unserved_models
from engagement_assets.decisions import specs as decisions
from engagement_assets.lifecycle.spec import label_windows
from engagement_assets.models.specs import FORECAST, MODELS
from engagement_assets.settings.installation import Settings
from resources.registry import ModelRegistry

NAMES = [spec.name for spec in MODELS]
LEARNT = [spec.name for spec in decisions.LEARNT]
WINDOWS = {spec.name: label_windows(spec) for spec in MODELS}
GAP = "AUC 0.6000, at least 0.7 wanted: 0.1000 too little"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def registry(settings: Settings) -> ModelRegistry:
    return ModelRegistry(settings.home / "registry")


def registered(registry: ModelRegistry, folder: Path, name: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "model.json").write_text("{}")
    return registry.register(
        name,
        folder,
        {"number": len(registry.versions(name)), "label_windows": WINDOWS.get(name, {})},
    )


def test_a_run_after_which_no_model_serves_fails(settings, registry, tmp_path, monkeypatch):
    # the run closes its instance
    monkeypatch.setattr(runs, "records", dg.DagsterInstance.ephemeral)
    for name in ("headline", "summary"):
        monkeypatch.setattr(runs, name, lambda *_, **__: "")
    for name in ("make_all", "end_abandoned_runs"):
        monkeypatch.setattr(runs, name, lambda *_, **__: None)
    with pytest.raises(runs.NothingServesError, match="no model serves"):
        runs.run(settings, retrain=False)
    registry.promote("churn", registered(registry, tmp_path / "files", "churn"), "good")
    runs.run(settings, retrain=False)
    assert unserved_models(settings) == [name for name in NAMES if name != "churn"]


def test_each_model_that_does_not_serve_is_one_line_with_its_gap(registry, tmp_path):
    first = registered(registry, tmp_path / "files", "churn")
    registry.promote("churn", first, "good")
    second = registered(registry, tmp_path / "files", "churn")
    registry.refuse("churn", second, [GAP])
    third = registered(registry, tmp_path / "files", "anomaly")
    registry.refuse("anomaly", third, [GAP])
    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(["engagement", "model"], metadata={"not_trained": "no rows"})
        )
        lines = _unserved(registry, instance)
    assert set(lines) == {*NAMES, FORECAST.name, *LEARNT}
    assert all(lines[name].startswith("the rule decides: ") for name in LEARNT)
    assert lines["churn"] == f"{first} serves on; candidate {second} is refused: {GAP}"
    assert lines["anomaly"] == f"nothing serves; candidate {third} is refused: {GAP}"
    assert lines["engagement"] == "nothing serves: no rows"


def test_an_acceptance_that_has_ended_is_said_until_something_else_serves(
    registry, tmp_path, monkeypatch
):
    version = registered(registry, tmp_path / "files", "churn")
    registry.refuse("churn", version, [GAP])
    today = datetime.now(UTC).date()
    registry.accept("churn", version, reason="a pilot", by="ann", until=today)
    with dg.DagsterInstance.ephemeral() as instance:
        assert "churn" not in _unserved(registry, instance)

        class Later(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.now(tz) + timedelta(days=1)

        monkeypatch.setattr("engagement_assets.commands.summary.datetime", Later)
        assert f"ended on {today}" in _unserved(registry, instance)["churn"]


def test_a_champion_of_another_window_is_named(registry, tmp_path, monkeypatch):
    monkeypatch.setitem(WINDOWS, "churn", {"churn_30_day": 14})
    version = registered(registry, tmp_path / "files", "churn")
    registry.promote("churn", version, "good")
    with dg.DagsterInstance.ephemeral() as instance:
        assert "looks at days: 14, not 30" in _unserved(registry, instance)["churn"]
