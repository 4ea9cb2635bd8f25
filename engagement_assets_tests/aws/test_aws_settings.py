"""A deployment on AWS is told everything by its environment, and says what it was not told."""

import json
import re

import pytest
from typer.testing import CliRunner

from engagement_assets.commands.cli import app
from engagement_assets.definitions import defs
from engagement_assets.deployments.resources import loggers_for, resources_for
from engagement_assets.models.specs import MODELS
from engagement_assets.orchestration.jobs import training_executor
from engagement_assets.settings.deployment import AwsSettings, Deployment
from engagement_assets.settings.fields import SettingsError
from engagement_assets.settings.installation import Settings
from resources.aws import glue

FIRST_DAY = {"first_day": "2025-11-27", "customers": 50}
TOLD = {
    "ENGAGEMENT_BUCKET": "the-bucket",
    "AWS_REGION": "eu-west-1",
    "ENGAGEMENT_GLUE_DATABASE": "engagement",
    "ENGAGEMENT_ATHENA_WORKGROUP": "platform",
    "ENGAGEMENT_ONLINE_TABLE": "online",
    "ENGAGEMENT_ALERT_TOPIC": "arn:aws:sns:eu-west-1:123456789012:alerts",
    "ENGAGEMENT_API_SECRET": "api",
}
# What Fargate takes: MiB for each number of processor units.
FARGATE = {
    256: {512, 1024, 2048},
    512: set(range(1024, 4096 + 1, 1024)),
    1024: set(range(2048, 8192 + 1, 1024)),
    2048: set(range(4096, 16384 + 1, 1024)),
    4096: set(range(8192, 30720 + 1, 1024)),
    8192: set(range(16384, 61440 + 1, 4096)),
    16384: set(range(32768, 122880 + 1, 8192)),
}


@pytest.fixture
def named(monkeypatch):
    """The environment of an installation that is not there."""
    for name, value in TOLD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_every_missing_variable_is_named_at_once(monkeypatch):
    for name in TOLD:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "")
    monkeypatch.setenv("ENGAGEMENT_BUCKET", "the-bucket")
    with pytest.raises(SettingsError) as caught:
        AwsSettings()
    for variable in AwsSettings.variables().values():
        needed = variable in TOLD and variable != "ENGAGEMENT_BUCKET"
        assert (variable in str(caught.value)) == needed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENGAGEMENT_BUCKET", "s3://bucket"),
        ("ENGAGEMENT_GLUE_DATABASE", "With-Hyphen"),
        ("ENGAGEMENT_ALERT_TOPIC", "alerts"),
        ("ENGAGEMENT_CONTACT_QUEUE", "contact"),
        ("ENGAGEMENT_QUERY_TIMEOUT", "soon"),
        ("ENGAGEMENT_QUERY_TIMEOUT", "0"),
        ("ENGAGEMENT_USD_PER_TB", "-1"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(named, name, value):
    named.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name}="):
        AwsSettings()


@pytest.mark.parametrize(
    ("prefix", "root"),
    [("", "s3://the-bucket"), ("a/b", "s3://the-bucket/a/b"), ("/a/", "s3://the-bucket/a")],
)
def test_everything_lies_under_one_root(named, prefix, root):
    named.setenv("ENGAGEMENT_PREFIX", prefix)
    assert AwsSettings().root == root


@pytest.mark.usefixtures("named")
def test_both_deployments_name_the_same_resources(tmp_path):
    settings = Settings(home=tmp_path, first_day="2025-11-27")
    local = resources_for(Deployment.LOCAL, settings)
    aws = resources_for(Deployment.AWS, settings)
    assert local.keys() == aws.keys()
    assert aws["lake"].root == "s3://the-bucket/lake"


@pytest.mark.usefixtures("named")
def test_the_first_day_must_be_fixed_on_aws(tmp_path):
    with pytest.raises(SettingsError, match="ENGAGEMENT_SETTINGS must give first_day"):
        resources_for(Deployment.AWS, Settings(home=tmp_path))


def test_due_messages_go_to_the_queue_that_the_environment_names(tmp_path, named):
    settings = Settings(home=tmp_path, first_day="2025-11-27")
    assert resources_for(Deployment.AWS, settings)["delivery"].channel is None
    queue = "https://sqs.eu-west-1.amazonaws.com/123456789012/contact"
    named.setenv("ENGAGEMENT_CONTACT_QUEUE", queue)
    assert resources_for(Deployment.AWS, settings)["delivery"].channel.url == queue
    webhook = settings.with_values(contact_delivery="https://app.example/hook")
    with pytest.raises(SettingsError, match="ENGAGEMENT_CONTACT_QUEUE"):
        resources_for(Deployment.AWS, webhook)


def test_a_key_is_part_of_every_resource_that_writes(tmp_path, named):
    named.setenv("ENGAGEMENT_KMS_KEY", "alias/lake")
    settings = Settings(home=tmp_path, first_day="2025-11-27")
    resources = resources_for(Deployment.AWS, settings)
    writers = [name for name, resource in resources.items() if hasattr(resource, "options")]
    assert set(writers) == {
        "lake", "registry", "alerts", "tables", "models", "reports", "erasures", "reviews",
        "questions",
    }  # fmt: skip
    for name in writers:
        headers = resources[name].options["s3_additional_kwargs"]
        assert headers == {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/lake"}


def test_settings_in_the_environment_stand_over_the_file(tmp_path, monkeypatch):
    Settings(home=tmp_path, customers=7, seed=8).save()
    monkeypatch.setenv("ENGAGEMENT_SETTINGS", json.dumps({"customers": 9}))
    actual = Settings.load(tmp_path)
    assert (actual.customers, actual.seed) == (9, 8)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "ENGAGEMENT_SETTINGS is not JSON"),
        ("[1]", "ENGAGEMENT_SETTINGS: expected a JSON object"),
        ('{"customer": 1}', "ENGAGEMENT_SETTINGS: unknown settings customer"),
    ],
)
def test_settings_in_the_environment_that_are_wrong_are_named(tmp_path, monkeypatch, text, said):
    monkeypatch.setenv("ENGAGEMENT_SETTINGS", text)
    with pytest.raises(SettingsError, match=said):
        Settings.load(tmp_path)


def test_each_training_is_a_task_that_fargate_takes():
    for spec in MODELS:
        assert spec.memory_mib in FARGATE[spec.cpu_units], spec.name


def test_the_steps_of_a_training_carry_their_size():
    job = defs.resolve_job_def("training")
    for spec in MODELS:
        tags = job.graph.node_named(f"{spec.name}__model").definition.tags
        assert tags["ecs/cpu"] == str(spec.cpu_units)
        assert tags["ecs/memory"] == str(spec.memory_mib)


def test_training_on_aws_runs_its_steps_as_tasks(tmp_path):
    assert training_executor(Deployment.AWS, Settings(home=tmp_path)).name == "ecs"
    one = Settings(home=tmp_path, training_processes=1)
    assert training_executor(Deployment.LOCAL, one).name == "in_process"


def test_runs_on_aws_may_log_to_cloudwatch():
    assert set(loggers_for(Deployment.AWS)) - set(loggers_for(Deployment.LOCAL)) == {"cloudwatch"}


@pytest.fixture
def told(installed, monkeypatch):
    for name, value in installed.environment(ENGAGEMENT_SETTINGS=json.dumps(FIRST_DAY)).items():
        monkeypatch.setenv(name, value)
    glue._verified.cache_clear()
    return installed


def aws(command):
    return CliRunner().invoke(app, ["aws", command])


def test_check_says_of_each_thing_whether_it_is_as_it_should_be(told):
    checked = aws("check")
    assert checked.exit_code == 1
    lines = checked.stdout.splitlines()
    assert [line for line in lines if line.startswith("FAILED")] == [
        line for line in lines if " tables: " in line
    ]
    assert "it is missing" in "".join(lines)
    assert f"{told.database}.source_sessions" in aws("sync-tables").stdout
    checked = aws("check")
    assert checked.exit_code == 0
    lines = checked.stdout.splitlines()
    assert len(lines) == 7
    assert all(line.startswith("ok ") for line in lines)
    assert "very secret" not in "".join(lines)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ENGAGEMENT_BUCKET", "no-such-bucket", "bucket: .*there is no such bucket"),
        ("ENGAGEMENT_ATHENA_WORKGROUP", "nowhere", "workgroup: .*nowhere is not found"),
        ("ENGAGEMENT_ONLINE_TABLE", "nowhere", "online table: .*ResourceNotFound"),
        ("ENGAGEMENT_API_SECRET", "nowhere", "API secret: .*there is none of that name"),
        (
            "ENGAGEMENT_ALERT_TOPIC",
            "arn:aws:sns:eu-west-1:123456789012:nowhere",
            "alert topic: .*NotFound",
        ),
    ],
)
@pytest.mark.usefixtures("told")
def test_check_names_what_is_wrong(monkeypatch, variable, value, said):
    monkeypatch.setenv(variable, value)
    checked = aws("check")
    assert checked.exit_code == 1
    assert re.search(rf"FAILED +{said}", checked.stdout), checked.stdout


def test_check_wants_versions_kept(told):
    told.client("s3").put_bucket_versioning(
        Bucket=told.bucket, VersioningConfiguration={"Status": "Suspended"}
    )
    checked = aws("check")
    assert checked.exit_code == 1
    assert "keeps no versions" in checked.stdout


def test_check_wants_dead_letters_of_the_queue(told, monkeypatch):
    sqs = told.client("sqs")
    url = sqs.create_queue(QueueName="due")["QueueUrl"]
    monkeypatch.setenv("ENGAGEMENT_CONTACT_QUEUE", url)
    assert "FAILED  contact queue" in aws("check").stdout
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]
    policy = {"deadLetterTargetArn": arn["QueueArn"], "maxReceiveCount": "5"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy)})
    assert "ok      contact queue" in aws("check").stdout


def test_the_commands_say_what_the_environment_lacks(monkeypatch):
    monkeypatch.delenv("ENGAGEMENT_BUCKET", raising=False)
    checked = aws("check")
    assert checked.exit_code == 2
    assert "ENGAGEMENT_BUCKET" in checked.stderr
