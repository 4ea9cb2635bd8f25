"""The same assets on S3 and Athena: everything is made, and its rows are those made locally.

Ingestion, scores of texts, signals, features, labels, the training job and the daily job run
against local servers that speak AWS's protocols, over the world of the home that `make run` makes.
"""

import json
import shutil
import time
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from fastapi.testclient import TestClient
from upath import UPath

from engagement_assets.deployments.serving import installation_from_environ
from engagement_assets.models.specs import MODELS
from engagement_assets.serving.api.app import create_app
from engagement_assets.serving.api.keys import KeyRing, new_key
from engagement_assets.settings.api import ApiSettings
from engagement_assets_tests.aws.cloud import Cloud, Servers, cloud
from engagement_assets_tests.platform.homes import END, PROJECT, WORLD, Home, python, story
from engagement_assets_tests.platform.listing import listed
from engagement_assets_tests.platform.made_homes import made_once
from resources.registry import ModelRegistry

pytestmark = pytest.mark.slow

FIRST_DAY = date(2025, 11, 27)
SETTINGS = {
    "world": "plain",
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
NOT_ASKED_FOR = {
    "labels/lifetime_value_usd",
    "governance/fairness",
    "governance/cards",
    "governance/ethics_audit",
}
OTHER_JOBS = (
    "federated_churn/",
    "graph_engagement/",
    "virality/",
    "value/",
    "network/embeddings",
    "network/seeds",
)
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
# of these, what the daily job does not make
NOT_OF_THE_DAY = {"source/sessions", "labels/churn_30_day", "labels/engagement_score"}
CUSTOMER = "c0000001"
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
    """The home of `make run`, after as much of the daily job of the last day as is compared.

    A text's score depends in its last digits on the texts that are scored beside it, and the daily
    job scores one day.
    """
    _, untouched, _ = made_once(tmp_path_factory, "made-home", WORLD)
    home = Home(tmp_path_factory.mktemp("local") / "home")
    shutil.copytree(untouched, home.path)
    again = story(home, "again", job="daily", day=END.isoformat(), tables=SAME)
    assert again["success"]
    assert {name for name in SAME if name not in again["made"]} == NOT_OF_THE_DAY
    return home


def test_every_run_succeeded_and_every_check_passed(made):
    assert [run["failures"] for run in made.runs] == [{}] * len(made.runs)
    # so few customers that no group is judged, which the checks on fairness warn of
    failed = {check for run in made.runs for check in run["failed_checks"]}
    assert {check for check in failed if not check.endswith("eighty_percent_rule")} == set()
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
    keys = [entry["Key"] for page in pages for entry in page["Contents"]]
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


@pytest.fixture(scope="module")
def client(made, tmp_path_factory):
    """The API of the installation, as a task of it would serve it, and headers that let in."""
    kept, token = new_key("test", ("read", "score"))
    made.cloud.client("secretsmanager").put_secret_value(
        SecretId=made.cloud.secret, SecretString=json.dumps(KeyRing({kept.id: kept}).to_data())
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGAGEMENT_HOME", str(tmp_path_factory.mktemp("nothing")))
        settings = {"ENGAGEMENT_SETTINGS": json.dumps(SETTINGS)}
        for name, value in made.cloud.environment(**settings).items():
            patch.setenv(name, value)
        settings = ApiSettings(warm_sentiment=False)
        with TestClient(create_app(settings, installation_from_environ(settings))) as client:
            while client.get("/readyz").status_code != 200:
                time.sleep(0.05)
            client.headers["X-API-Key"] = token
            yield client


def test_the_api_answers_from_dynamodb_to_a_key_of_the_secret(made, client):
    day = END.isoformat()
    told = made.cloud.lake.read("predictions/customers", days=[END]).to_pylist()
    churn = {row["customer_id"]: row["churn_probability"] for row in told}
    some = [row["customer_id"] for row in told][:100]
    answer = client.post("/v1/customers:batch", json={"customer_ids": some}).json()
    assert [one["customer_id"] for one in answer["customers"]] == some
    for one in answer["customers"]:
        assert (one["snapshot_date"], one["served_from"]) == (day, "cached")
        said = one["predictions"]["churn"]
        assert churn[one["customer_id"]] == (said and said["churn_probability"])
    assert client.get("/v1/models", headers={"X-API-Key": "eng_a_b"}).status_code == 401


def test_champions_on_s3_say_on_demand_what_the_day_says(client):
    (one,) = client.post("/v1/customers:batch", json={"customer_ids": [CUSTOMER]}).json()[
        "customers"
    ]
    computed = client.get(f"/v1/customers/{CUSTOMER}", params={"compute": True}).json()
    assert computed["served_from"] == "computed"
    assert computed["model_versions"] == one["model_versions"]
    for name, said in one["predictions"].items():
        now = computed["predictions"][name]
        assert (said is None) == (now is None)
        # since when one is in a segment is known by the days before, not by a moment
        for one in filter(None, (said, now)):
            one.pop("since", None)
        assert now == pytest.approx(said, abs=1e-6)


def test_a_customer_who_is_not_in_dynamodb_is_found_through_athena(made, client):
    stored = client.get(f"/v1/customers/{CUSTOMER}").json()
    made.cloud.client("dynamodb").delete_item(
        TableName=made.cloud.online_table,
        Key={"key": {"S": f"{stored['release']}#{CUSTOMER}"}},
    )
    actual = client.get(f"/v1/customers/{CUSTOMER}").json()
    assert actual["served_from"] == "computed"
    assert actual["predictions"].keys() == stored["predictions"].keys()
    assert client.get("/v1/customers/nobody").status_code == 404
