"""Dagster's settings on AWS, held against Dagster's own schemas, without connecting anywhere."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type
from dagster._core.instance.config import dagster_instance_config
from dagster._core.instance.ref import InstanceRef
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._serdes.config_class import ConfigurableClassData
from dagster_aws.ecs import EcsRunLauncher
from dagster_aws.s3 import S3ComputeLogManager
from dagster_postgres.utils import pg_url_from_config

import deploy
from engagement_assets_tests.deploy.conftest import PROJECT

FOLDER = Path(deploy.__file__).parent
VARIABLES = {
    "DAGSTER_LOGS_PREFIX": "lake/dagster-logs",
    "DAGSTER_POSTGRES_DB": "dagster",
    "DAGSTER_POSTGRES_HOST": "db.example.org",
    "DAGSTER_POSTGRES_PASSWORD": "not-a-password",
    "DAGSTER_POSTGRES_USER": "dagster",
    "DAGSTER_RUN_TASK_DEFINITION": f"{PROJECT}-run",
    "ENGAGEMENT_BUCKET": "a-bucket",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A DAGSTER_HOME with the settings, and the variables that containers get."""
    (tmp_path / "dagster.yaml").write_text((FOLDER / "dagster.yaml").read_text())
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def worked_out(data: ConfigurableClassData) -> dict[str, Any]:
    """A class's config, held against its own schema, variables read."""
    cls = getattr(import_module(data.module_name), data.class_name)
    done = process_config(resolve_to_config_type(cls.config_type()), data.config_dict)
    assert done.success, done.errors
    value = done.value
    assert isinstance(value, dict)
    return value


def test_dagster_accepts_the_settings(home: Path) -> None:
    settings, _ = dagster_instance_config(str(home))
    assert settings["run_monitoring"]["enabled"] is True
    assert settings["run_retries"]["enabled"] is True
    assert settings["run_retries"]["retry_on_asset_or_op_failure"] is False
    assert settings["concurrency"]["runs"]["max_concurrent_runs"] == 4


def test_records_go_to_postgresql_over_verified_tls(home: Path) -> None:
    reference = InstanceRef.from_dir(str(home))
    for data in (reference.run_storage_data, reference.event_storage_data):
        assert data.module_name == "dagster_postgres"
        url = pg_url_from_config(worked_out(data))
        # pragma: allowlist nextline secret - of a test
        start = "postgresql://dagster:not-a-password@db.example.org:5432/dagster?"
        assert url.startswith(start)
        assert "sslmode=verify-full" in url


def test_the_certificate_stands_where_the_image_puts_it() -> None:
    settings = yaml.safe_load((FOLDER / "dagster.yaml").read_text())
    place = settings["storage"]["postgres"]["postgres_db"]["params"]["sslrootcert"]
    assert f"global-bundle.pem {place}\n" in (FOLDER / "Dockerfile").read_text()


def test_logs_go_to_the_bucket(home: Path) -> None:
    data = InstanceRef.from_dir(str(home)).compute_logs_data
    assert data.class_name == S3ComputeLogManager.__name__
    config = worked_out(data)
    assert (config["bucket"], config["prefix"]) == ("a-bucket", "lake/dagster-logs")


def test_the_launcher_finds_the_task_of_a_run_that_the_stack_made(
    home: Path, deployed: dict[str, str]
) -> None:
    data = InstanceRef.from_dir(str(home)).run_launcher_data
    assert data is not None
    launcher = EcsRunLauncher(data, **worked_out(data))
    made = boto3.client("ecs").describe_task_definition(taskDefinition=f"{PROJECT}-run")
    assert launcher.task_definition == made["taskDefinition"]["taskDefinitionArn"]
    assert launcher.secrets_tags == []
    assert deployed


def test_a_container_of_another_name_is_refused(home: Path, deployed: dict[str, str]) -> None:
    assert deployed
    data = InstanceRef.from_dir(str(home)).run_launcher_data
    assert data is not None
    config = {**worked_out(data), "container_name": "walk"}
    with pytest.raises(Exception, match="Cannot override container 'walk'"):
        EcsRunLauncher(data, **config)


def test_the_workspace_names_the_location_as_the_laptop_s_does() -> None:
    local = yaml.safe_load((FOLDER.parent / "workspace.yaml").read_text())
    (origin,) = WorkspaceFileTarget([str(FOLDER / "workspace.yaml")]).create_origins()
    assert origin.location_name == local["load_from"][0]["python_module"]["location_name"]
