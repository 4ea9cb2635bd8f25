"""Autopilot is asked as botocore's model of its API says, and every end of a job is told."""

from datetime import UTC, datetime

import boto3
import pyarrow as pa
import pytest
from botocore.stub import ANY, Stubber

from resources.aws import autopilot
from resources.aws.autopilot import AutopilotJob, run_autopilot
from resources.aws.errors import AwsError

JOB = AutopilotJob(
    name="churn-2026-01-01",
    target="churned",
    problem="BinaryClassification",
    folder="s3://bucket/lake/.autopilot",
    role="arn:aws:iam::123456789012:role/autopilot-of-the-lake",
    candidates=50,
    minutes=30.0,
    kms_key="arn:aws:kms:eu-west-1:123456789012:key/abc",
)
ROWS = pa.table({"use": [1.0, 2.0], "churned": [0, 1]})
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def answer(status, **more):
    folder = f"{JOB.folder}/{JOB.name}"
    return {
        "AutoMLJobName": JOB.name,
        "AutoMLJobArn": f"arn:aws:sagemaker:eu-west-1:123456789012:automl-job/{JOB.name}",
        "AutoMLJobInputDataConfig": JOB.request()["AutoMLJobInputDataConfig"],
        "OutputDataConfig": {"S3OutputPath": f"{folder}/results"},
        "RoleArn": JOB.role,
        "CreationTime": NOW,
        "LastModifiedTime": NOW,
        "AutoMLJobStatus": status,
        "AutoMLJobSecondaryStatus": status,
        **more,
    }


BEST = {
    "CandidateName": "candidate-7",
    "FinalAutoMLJobObjectiveMetric": {"MetricName": "AUC", "Value": 0.8},
    "ObjectiveStatus": "Succeeded",
    "CandidateSteps": [],
    "CandidateStatus": "Completed",
    "InferenceContainers": [{"Image": "image", "ModelDataUrl": "s3://bucket/model.tar.gz"}],
    "CreationTime": NOW,
    "LastModifiedTime": NOW,
}


@pytest.fixture
def stubbers(monkeypatch):
    """Clients whose answers are checked by botocore's own models."""
    made = {
        name: boto3.client(
            name,
            region_name="eu-west-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",  # noqa: S106 - of nobody
        )
        for name in ("s3", "sagemaker")
    }
    monkeypatch.setattr(autopilot, "client", lambda name, _: made[name])
    monkeypatch.setattr(autopilot, "PAUSE_SECONDS", 0.0)
    stubbers = {name: Stubber(client) for name, client in made.items()}
    stubbers["s3"].add_response(
        "put_object",
        {},
        {
            "Bucket": "bucket",
            "Key": f"lake/.autopilot/{JOB.name}/rows/part-0.parquet",
            "Body": ANY,
            "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": JOB.kms_key,
        },
    )
    for stubber in stubbers.values():
        stubber.activate()
    yield stubbers
    for stubber in stubbers.values():
        stubber.assert_no_pending_responses()
    for client in made.values():
        client.close()


@pytest.fixture
def stubs(stubbers):
    return stubbers["sagemaker"]


@pytest.fixture
def storage(stubbers):
    return stubbers["s3"]


def created(stubs):
    arn = answer("InProgress")["AutoMLJobArn"]
    stubs.add_response("create_auto_ml_job_v2", {"AutoMLJobArn": arn}, JOB.request())


def described(stubs, *answers):
    for one in answers:
        stubs.add_response("describe_auto_ml_job_v2", one, {"AutoMLJobName": JOB.name})


def removed(storage):
    key = f"lake/.autopilot/{JOB.name}/rows/part-0.parquet"
    storage.add_response("delete_object", {}, {"Bucket": "bucket", "Key": key})


def test_a_job_is_started_waited_for_and_its_best_candidate_read(stubs, storage):
    created(stubs)
    described(stubs, answer("InProgress"), answer("Completed", BestCandidate=BEST))
    removed(storage)
    best = run_autopilot(JOB, ROWS, region="eu-west-1")
    assert (best.name, best.metric, best.value) == ("candidate-7", "AUC", 0.8)
    assert best.artefact == "s3://bucket/model.tar.gz"


def test_a_job_that_was_started_before_is_waited_for(stubs, storage):
    stubs.add_client_error("create_auto_ml_job_v2", service_error_code="ResourceInUse")
    described(stubs, answer("Completed", BestCandidate=BEST))
    removed(storage)
    assert run_autopilot(JOB, ROWS, region="eu-west-1").value == 0.8


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (answer("Failed", FailureReason="no rows"), "no rows"),
        (answer("Stopped"), "without a candidate"),
    ],
    ids=["failed", "stopped"],
)
def test_a_job_without_a_candidate_is_an_error(stubs, last, message):
    created(stubs)
    described(stubs, last)
    with pytest.raises(AwsError, match=message):
        run_autopilot(JOB, ROWS, region="eu-west-1")


def test_another_error_of_aws_is_raised(stubs):
    stubs.add_client_error("create_auto_ml_job_v2", service_error_code="ResourceLimitExceeded")
    with pytest.raises(AwsError, match=JOB.name):
        run_autopilot(JOB, ROWS, region="eu-west-1")
