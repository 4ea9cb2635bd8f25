"""SageMaker Autopilot over rows of a table: start a job, wait for it, read its best candidate.

Written against the shape of its API as botocore has it and tested against that; untried on AWS.
Belongs here: the calls. Does not belong here: which rows, and what the answer is compared with. Its
candidate is a container of AWS's: nothing here loads it, so it is no version of a registry.
"""

import io
import logging
import time
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from resources.aws.clients import aws_call, client
from resources.aws.errors import AwsError
from resources.aws.storage import encryption, split_url

logger = logging.getLogger(__name__)

PARQUET = "x-application/vnd.amazon+parquet"
# Autopilot's own limit on the length of a name.
LONGEST_NAME = 32
PAUSE_SECONDS = 30.0
ENDED = ("Completed", "Failed", "Stopped")
Problem = Literal["BinaryClassification", "Regression"]
OBJECTIVES: dict[Problem, str] = {"BinaryClassification": "AUC", "Regression": "MSE"}


@dataclass(frozen=True, kw_only=True)
class AutopilotJob:
    """A job of Autopilot.

    Attributes:
        name: Its name, at most 32 characters; one that is there already is waited for.
        target: The column to predict; every other column is a feature.
        problem: What it is.
        folder: URL of a folder on S3 for rows and results.
        role: ARN of the role that SageMaker takes, which may read and write that folder.
        candidates: Candidates, at most.
        minutes: Time, at most.
        kms_key: ARN of the key of what is written; the bucket's default when empty.
    """

    name: str
    target: str
    problem: Problem
    folder: str
    role: str
    candidates: int
    minutes: float
    kms_key: str = ""

    def __post_init__(self) -> None:
        """Refuse a name that AWS would.

        Raises:
            ValueError: It is too long.
        """
        if len(self.name) > LONGEST_NAME:
            raise ValueError(f"{self.name} is longer than {LONGEST_NAME} characters")

    def request(self) -> dict[str, Any]:
        """Return the arguments of `CreateAutoMLJobV2`."""
        output = {"S3OutputPath": f"{self.folder}/{self.name}/results"}
        if self.kms_key:
            output["KmsKeyId"] = self.kms_key
        return {
            "AutoMLJobName": self.name,
            "AutoMLJobInputDataConfig": [
                {
                    "ChannelType": "training",
                    "ContentType": PARQUET,
                    "DataSource": {
                        "S3DataSource": {
                            "S3DataType": "S3Prefix",
                            "S3Uri": f"{self.folder}/{self.name}/rows/",
                        }
                    },
                }
            ],
            "OutputDataConfig": output,
            "AutoMLProblemTypeConfig": {
                "TabularJobConfig": {
                    "TargetAttributeName": self.target,
                    "ProblemType": self.problem,
                    "CompletionCriteria": {
                        "MaxCandidates": self.candidates,
                        "MaxAutoMLJobRuntimeInSeconds": int(60 * self.minutes),
                    },
                }
            },
            "RoleArn": self.role,
            "AutoMLJobObjective": {"MetricName": OBJECTIVES[self.problem]},
        }


@dataclass(frozen=True, kw_only=True)
class BestCandidate:
    """What Autopilot found best, by its own validation.

    Attributes:
        name: Its name.
        metric: Name of the objective.
        value: The objective on Autopilot's validation rows.
        artefact: URL of the model's files.
    """

    name: str
    metric: str
    value: float
    artefact: str


def run_autopilot(job: AutopilotJob, rows: pa.Table, *, region: str) -> BestCandidate:
    """Put rows on S3, run a job over them, and return its best candidate.

    Raises:
        AwsError: A call or the job failed, or it ended without a candidate.
        ValueError: The rows lack the target.
    """
    if job.target not in rows.column_names:
        raise ValueError(f"the rows have no column {job.target}: {rows.column_names}")
    bucket, prefix = split_url(f"{job.folder}/{job.name}/rows/part-0.parquet")
    content = io.BytesIO()
    pq.write_table(rows, content)
    s3 = client("s3", region)
    with aws_call(f"writing the rows of {job.name}"):
        s3.put_object(Bucket=bucket, Key=prefix, Body=content.getvalue(), **encryption(job.kms_key))
    sagemaker = client("sagemaker", region)
    try:
        with aws_call(f"starting Autopilot's job {job.name}"):
            sagemaker.create_auto_ml_job_v2(**job.request())
    except AwsError as error:
        # a command that was killed waits for the job that it started
        if error.code != "ResourceInUse":
            raise
        logger.info("%s is there already: waiting for it", job.name)
    best = _ended(sagemaker, job)
    # people's rows stay in one place, where an erasure finds them
    with aws_call(f"removing the rows of {job.name}"):
        s3.delete_object(Bucket=bucket, Key=prefix)
    return best


def _ended(sagemaker: Any, job: AutopilotJob) -> BestCandidate:
    while True:
        with aws_call(f"asking after Autopilot's job {job.name}"):
            answer = sagemaker.describe_auto_ml_job_v2(AutoMLJobName=job.name)
        status, detail = answer["AutoMLJobStatus"], answer["AutoMLJobSecondaryStatus"]
        if status in ENDED:
            break
        logger.info("%s: %s, %s", job.name, status, detail)
        time.sleep(PAUSE_SECONDS)
    best = answer.get("BestCandidate")
    if status == "Failed" or best is None:
        reason = answer.get("FailureReason", f"it is {status} ({detail}) without a candidate")
        raise AwsError(f"Autopilot's job {job.name}: {reason}")
    metric = best.get("FinalAutoMLJobObjectiveMetric")
    if metric is None:
        raise AwsError(f"Autopilot's job {job.name}: {best['CandidateName']} was not measured")
    containers = best.get("InferenceContainers", [])
    return BestCandidate(
        name=best["CandidateName"],
        metric=metric["MetricName"],
        value=float(metric["Value"]),
        artefact=containers[0]["ModelDataUrl"] if containers else "",
    )
