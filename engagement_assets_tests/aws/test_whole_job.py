"""The same assets on S3 and Athena: everything is made, and its rows are those made locally.

Ingestion, scores of texts, signals, features, labels, the training job and the daily job run
against local servers that speak AWS's protocols, over the world of the home that `make run` makes.
"""

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from upath import UPath

from engagement_assets.models.roster import MODELS
from engagement_assets_tests.aws.cloud import Cloud, Servers, cloud
from engagement_assets_tests.platform.homes import END, PROJECT, WORLD, Home, python, story
from engagement_assets_tests.platform.listing import listed
from engagement_assets_tests.platform.made_homes import made_once
from resources.registry import ModelRegistry

pytestmark = pytest.mark.slow

FIRST_DAY = date(2025, 11, 27)
SETTINGS = {
    "first_day": FIRST_DAY.isoformat(),
    "last_day": END.isoformat(),
    "customers": 400,
    "days": 95,
    "seed": 3,
    "bootstrap": 20,
}
STORY = {
    "span": [FIRST_DAY.isoformat(), END.isoformat()],
    "snapshots": ["2025-12-31", "2026-01-30", END.isoformat()],
    "labels": {
        "engagement_score": ["2025-12-31", "2026-01-30", "2026-02-22"],
        "churn_30_day": ["2025-12-31", "2026-01-30"],
    },
}
# what the daily and the training job do not make, or whose window is longer than this history
NOT_ASKED_FOR = {"labels/lifetime_value_usd"}
OTHER_JOBS = ("graph_engagement/", "virality/", "network/embeddings", "network/seeds")
SAME = (
    "features/customer_features",
    "labels/churn_30_day",
    "labels/engagement_score",
    "network/metrics",
    "predictions/changes",
    "predictions/customers",
    "sentiment/customer",
    "source/sessions",
    "governance/review_queue",
    *(spec.predictions for spec in MODELS),
)


STORY_DAYS = {END, *(date.fromisoformat(day) for days in STORY["labels"].values() for day in days)}


class Made:
    """What the jobs on AWS left, and what they told."""

    def __init__(self, cloud: Cloud, home: Path, runs: list[dict[str, Any]]) -> None:
        self.cloud, self.home, self.runs = cloud, home, runs


@pytest.fixture(scope="module")
def made(aws: Servers, tmp_path_factory: pytest.TempPathFactory) -> Made:
    home = tmp_path_factory.mktemp("container")
    (home / "dagster_home").mkdir()
    shutil.copy(PROJECT / "dagster.yaml", home / "dagster_home")
    installation = cloud(aws)
    module = "engagement_assets_tests.platform.stories"
    env = installation.environment(ENGAGEMENT_SETTINGS=json.dumps(SETTINGS))
    done = python("-m", module, "from_nothing", json.dumps(STORY), home=home, env=env)
    assert done.returncode == 0, done.stderr[-4000:]
    return Made(installation, home, json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The home of `make run`, after its daily job of the last day as on AWS.

    A text's score depends in its last digits on the texts that are scored beside it, and the daily
    job scores one day.
    """
    _, untouched, _ = made_once(tmp_path_factory, "made-home", WORLD)
    home = Home(tmp_path_factory.mktemp("local") / "home")
    shutil.copytree(untouched, home.path)
    assert story(home, "again", job="daily", day=END.isoformat())["success"]
    return home


def test_every_run_succeeded_and_every_check_passed(made):
    assert [run["failures"] for run in made.runs] == [{}] * len(made.runs)
    assert [run["failed_checks"] for run in made.runs] == [[]] * len(made.runs)
    assert all(run["success"] for run in made.runs)


def test_every_asset_of_these_jobs_is_made(made):
    done = {asset for run in made.runs for asset in run["made"]}
    wanted = {name for name in listed()["assets"] if not name.startswith(OTHER_JOBS)}
    assert {name for name in wanted - done if name != "network/spread"} == NOT_ASKED_FOR
    assert len(done) > 60


@pytest.mark.parametrize("table", SAME)
def test_the_rows_are_those_of_the_local_deployment(made, local, table):
    lake = made.cloud.lake
    days = [day for day in lake.days(table) if day in STORY_DAYS or table == "source/sessions"]
    if table != "lifetime_value/predictions":
        assert days
    for day in days:
        assert lake.read(table, days=[day]).equals(local.lake.read(table, days=[day])), day


def test_the_champions_are_the_very_versions_of_the_local_deployment(made, local):
    remote = ModelRegistry(
        UPath(f"s3://{made.cloud.bucket}/platform/registry", **made.cloud.storage)
    )
    here = ModelRegistry(local.path / "registry")
    champions = {spec.name: remote.champion(spec.name) for spec in MODELS}
    assert champions == {spec.name: here.champion(spec.name) for spec in MODELS}
    assert champions["churn"] is not None


def test_nothing_is_kept_on_the_machine_that_ran_it(made):
    assert [path.name for path in made.home.iterdir()] == ["dagster_home"]


def test_nothing_is_left_of_the_queries(made):
    assert made.cloud.keys("platform/lake/.athena/") == []
    assert len(made.cloud.servers.athena.executions) > 100


def test_what_a_table_cost_stands_in_its_metadata(made):
    dagster_home = made.home / "dagster_home"
    with (
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("ENGAGEMENT_EVENT_LOG", str(dagster_home / "history"))
        with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
            for key in (
                ["features", "social"],
                ["labels", "churn_30_day"],
                ["predictions", "changes"],
            ):
                event = instance.get_latest_materialization_event(dg.AssetKey(key))
                metadata = event.asset_materialization.metadata
                assert metadata["athena/scanned_bytes"].value > 0
                assert metadata["athena/cost_usd"].value > 0


def test_everything_is_encrypted_with_the_installations_key(made):
    s3 = made.cloud.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=made.cloud.bucket)
    keys = [found["Key"] for page in pages for found in page["Contents"]]
    # one of each folder is enough: a table's partitions are written by the same lines
    by_folder = {"/".join(key.split("/")[:4]): key for key in keys}
    assert len(by_folder) > 40
    for key in by_folder.values():
        head = s3.head_object(Bucket=made.cloud.bucket, Key=key)
        assert head.get("SSEKMSKeyId") == made.cloud.kms_key, key


def test_analysts_find_every_table_in_glue(made):
    glue = made.cloud.client("glue")
    pages = glue.get_paginator("get_tables").paginate(DatabaseName=made.cloud.database)
    names = {table["Name"] for page in pages for table in page["TableList"]}
    assert names >= {"predictions_customers", "governance_review_queue", "source_sessions"}
