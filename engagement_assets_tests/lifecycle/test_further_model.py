"""A further model is its own folder and one line: everything else follows from its spec."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engagement_assets.lifecycle.scored import scored_model
from engagement_assets.settings.installation import PROJECT
from engagement_assets_tests.lifecycle.loyalty import SPEC
from engagement_assets_tests.platform.homes import python


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What happened in a home whose list of models has one line more."""
    home = tmp_path_factory.mktemp("further-model")
    dagster_home = home / "dagster_home"
    dagster_home.mkdir()
    (dagster_home / "dagster.yaml").write_bytes(Path(PROJECT / "dagster.yaml").read_bytes())
    done = python("-m", "engagement_assets_tests.lifecycle.further_model", home=home)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_it_has_every_asset_and_they_are_made(lived: Any) -> None:
    made: set[str] = set()
    for run in lived["runs"].values():
        assert run["success"], run["failures"]
        assert run["failed_checks"] == []
        made |= set(run["made"])
    assert {f"loyalty/{noun}" for noun in (*SPEC.training_parts, *SPEC.daily_parts)} <= made


def test_it_has_its_checks_its_job_and_its_drift_sensor(lived: Any) -> None:
    assert "train_loyalty" in lived["jobs"]
    assert "train_loyalty_on_drift" in lived["sensors"]
    assert {
        "loyalty/evaluation: enough_people",
        "loyalty/fairness: eighty_percent_rule",
        "loyalty/explanations: additivity",
        *(
            f"loyalty/predictions: {name}"
            for name in ("schema", "keys", "bounds", "volume", "score_drift")
        ),
    } <= set(lived["checks"])


def test_its_champion_scores_the_day_and_the_api_says_the_same_stored_and_computed(
    lived: Any,
) -> None:
    assert len(lived["scores"]) == 400
    # the sixth customer has 5 logins, and the mean is 19.5
    expected = pytest.approx(5 / 24.5)
    api = lived["api"]
    assert api["stored"]["served_from"] == "cached"
    assert api["computed"]["served_from"] == "computed"
    for answer in (api["stored"], api["computed"], *api["sent"]["customers"]):
        assert answer["predictions"]["loyalty"]["loyalty_score"] == expected
        assert answer["model_versions"]["loyalty"]
    (reason,) = api["why"]["reasons"]
    assert (reason["feature"], reason["value"]) == ("logins_month", "5")
    assert api["why"]["unit"] == "logins"
    assert [one["version"] for one in api["models"]["models"] if one["name"] == "loyalty"] == [
        api["stored"]["model_versions"]["loyalty"]
    ]


def test_its_columns_stand_in_the_unified_table(lived: Any) -> None:
    row = lived["unified"]
    assert row["loyalty_score"] in lived["scores"]
    assert row["loyalty_version"] == lived["api"]["stored"]["model_versions"]["loyalty"]


def test_a_model_that_should_answer_online_and_cannot_is_refused_by_name() -> None:
    recommender = "engagement_assets.models.recommendation.adapter:RecommendationAdapter"
    with pytest.raises(TypeError, match="loyalty"):
        scored_model(replace(SPEC, implementation=recommender))
