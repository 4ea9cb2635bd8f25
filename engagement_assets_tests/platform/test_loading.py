"""The code location loads light, in an empty home, and says clearly what is wrong."""

import re
import tomllib

import pytest
import yaml

from engagement_assets.definitions import defs
from engagement_assets.deployments.resources import loggers_for, resources_for
from engagement_assets.orchestration.jobs import training_executor
from engagement_assets.settings.deployment import Deployment, deployment
from engagement_assets.settings.fields import SettingsError
from engagement_assets.settings.installation import Settings
from engagement_assets_tests.platform.homes import PROJECT, python

HEAVY = ("torch", "xgboost", "sklearn", "woodelf", "fairlearn", "matplotlib", "scipy", "treelite")
LOAD = "import sys, engagement_assets.definitions as d; "


def test_the_location_loads_in_an_empty_home_without_the_learning_libraries(tmp_path):
    code = LOAD + f"print([h for h in {HEAVY} if h in sys.modules], len(list(d.defs.assets)))"
    actual = python("-W", "error::DeprecationWarning", "-c", code, home=tmp_path)
    assert actual.returncode == 0, actual.stderr
    assert actual.stdout.startswith("[] ")
    assert list(tmp_path.iterdir()) == [], "loading writes nothing"


def test_workspace_and_dg_name_the_same_location():
    workspace = yaml.safe_load((PROJECT / "workspace.yaml").read_text())["load_from"]
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    assert [entry["python_module"]["module_name"] for entry in workspace] == [
        project["code_location_target_module"]
    ]
    assert [entry["python_module"]["location_name"] for entry in workspace] == [
        project["code_location_name"]
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("production", r"production: expected one of local, aws"),
        ("aws", r"aws needs .*ENGAGEMENT_BUCKET, .*ENGAGEMENT_API_SECRET; see docs/aws.md"),
    ],
)
def test_a_deployment_that_cannot_be_made_is_an_error_at_load(tmp_path, name, said):
    actual = python("-c", LOAD, home=tmp_path, env={"ENGAGEMENT_DEPLOYMENT": name})
    assert actual.returncode != 0
    assert "SettingsError: ENGAGEMENT_DEPLOYMENT=" in actual.stderr
    assert re.search(said, actual.stderr)


def test_the_deployment_is_local_unless_the_environment_says_otherwise(monkeypatch):
    assert deployment() is Deployment.LOCAL
    monkeypatch.setenv("ENGAGEMENT_DEPLOYMENT", "aws")
    assert deployment() is Deployment.AWS
    monkeypatch.setenv("ENGAGEMENT_DEPLOYMENT", "")
    with pytest.raises(SettingsError, match="ENGAGEMENT_DEPLOYMENT=: expected one of"):
        deployment()


FURTHER = """
from enum import StrEnum
from engagement_assets.settings import deployment
deployment.Deployment = StrEnum("Deployment", {"LOCAL": "local", "AWS": "aws", "MOON": "moon"})
import engagement_assets.definitions
"""


def test_a_deployment_that_nothing_is_declared_for_is_an_error_at_load(tmp_path):
    """A further member of the enumeration gets nothing of another deployment."""
    actual = python("-c", FURTHER, home=tmp_path, env={"ENGAGEMENT_DEPLOYMENT": "moon"})
    assert actual.returncode != 0
    assert "ENGAGEMENT_DEPLOYMENT=moon: nothing is declared for it" in actual.stderr
    known = python("-c", FURTHER, home=tmp_path, env={"ENGAGEMENT_DEPLOYMENT": "local"})
    assert known.returncode == 0, known.stderr


@pytest.mark.parametrize("of_deployment", [resources_for, training_executor])
def test_nothing_of_one_deployment_stands_in_for_another(tmp_path, of_deployment):
    with pytest.raises(SettingsError, match="ENGAGEMENT_DEPLOYMENT=moon"):
        of_deployment("moon", Settings(home=tmp_path))
    with pytest.raises(SettingsError, match="ENGAGEMENT_DEPLOYMENT=moon"):
        loggers_for("moon")


def test_every_resource_that_is_asked_for_is_named_in_the_local_deployment(tmp_path):
    asked: set[str] = set()
    for assets in defs.assets:
        asked |= set(assets.required_resource_keys)
    for checks in defs.asset_checks:
        asked |= set(checks.required_resource_keys)
    assert "lake" in asked
    assert asked - {"io_manager"} <= resources_for(Deployment.LOCAL, Settings(home=tmp_path)).keys()
