"""What the environment says of where this runs: the deployment, and what one on AWS must be told.

Belongs here: reading and checking these variables. Does not belong here: an installation's own
settings (`settings.py`) and the resources made of both (`deployment.py`).
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Self

VARIABLE = "ENGAGEMENT_DEPLOYMENT"


class DeploymentError(ValueError):
    """The deployment is unknown, or is not told what it needs."""


class Deployment(StrEnum):
    """Where the platform runs."""

    LOCAL = "local"
    AWS = "aws"


def deployment(environ: Mapping[str, str] = os.environ) -> Deployment:
    """The deployment that the environment names; `local` when it names none.

    Raises:
        DeploymentError: The name is unknown.
    """
    name = environ.get(VARIABLE, Deployment.LOCAL)
    try:
        return Deployment(name)
    except ValueError as error:
        known = ", ".join(Deployment)
        raise DeploymentError(f"{VARIABLE}={name}: expected one of {known}") from error


# Environment variable of each setting.
VARIABLES = {
    "bucket": "ENGAGEMENT_BUCKET",
    "prefix": "ENGAGEMENT_PREFIX",
    "region": "AWS_REGION",
    "kms_key": "ENGAGEMENT_KMS_KEY",
    "glue_database": "ENGAGEMENT_GLUE_DATABASE",
    "athena_workgroup": "ENGAGEMENT_ATHENA_WORKGROUP",
    "online_table": "ENGAGEMENT_ONLINE_TABLE",
    "alert_topic": "ENGAGEMENT_ALERT_TOPIC",
    "api_secret": "ENGAGEMENT_API_SECRET",
    "query_timeout_seconds": "ENGAGEMENT_QUERY_TIMEOUT",
    "usd_per_terabyte": "ENGAGEMENT_USD_PER_TB",
}
OPTIONAL = {"prefix", "kms_key", "query_timeout_seconds", "usd_per_terabyte"}


@dataclass(frozen=True)
class AwsSettings:
    """What an installation on AWS is told by its environment; `docs/aws.md` has the table.

    Attributes:
        bucket: Bucket of the lake, the registry, reports and alerts.
        region: Region of everything.
        glue_database: Glue database of the lake's tables.
        athena_workgroup: Athena workgroup, which limits what a query may scan.
        online_table: DynamoDB table of the online store.
        alert_topic: ARN of the SNS topic of alerts.
        api_secret: Name or ARN of the API's secret.
        prefix: Folder in the bucket; "" for its root.
        kms_key: Key of SSE-KMS sent with every put; "" for the bucket's default encryption.
        query_timeout_seconds: Seconds after which a query is stopped.
        usd_per_terabyte: What Athena costs a scanned terabyte.
    """

    bucket: str
    region: str
    glue_database: str
    athena_workgroup: str
    online_table: str
    alert_topic: str
    api_secret: str
    prefix: str = ""
    kms_key: str = ""
    query_timeout_seconds: float = 600.0
    usd_per_terabyte: float = 5.0

    def __post_init__(self) -> None:
        checks = {
            "bucket": (re.fullmatch(r"[a-z0-9][a-z0-9.-]{2,62}", self.bucket), "a bucket's name"),
            "glue_database": (
                re.fullmatch(r"[a-z][a-z0-9_]*", self.glue_database),
                "lower-case letters, digits and underscores",
            ),
            "alert_topic": (self.alert_topic.startswith("arn:"), "the ARN of an SNS topic"),
            "query_timeout_seconds": (self.query_timeout_seconds > 0, "more than 0 seconds"),
            "usd_per_terabyte": (self.usd_per_terabyte >= 0, "0 or more"),
        }
        for name, (holds, expected) in checks.items():
            if not holds:
                raise DeploymentError(
                    f"{VARIABLES[name]}={getattr(self, name)}: expected {expected}"
                )

    @property
    def root(self) -> str:
        """Where everything on S3 lies."""
        prefix = self.prefix.strip("/")
        return f"s3://{self.bucket}/{prefix}" if prefix else f"s3://{self.bucket}"

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the environment.

        Raises:
            DeploymentError: Variables are missing, all of which it names, or one has no legal
                value.
        """
        missing = [
            variable
            for name, variable in VARIABLES.items()
            if name not in OPTIONAL and not environ.get(variable)
        ]
        if missing:
            raise DeploymentError(f"{VARIABLE}=aws needs {', '.join(missing)}; see docs/aws.md")
        kinds = {field.name: str(field.type) for field in fields(cls)}
        given = {
            name: _typed(kinds[name], variable, environ[variable])
            for name, variable in VARIABLES.items()
            if environ.get(variable)
        }
        return cls(**given)  # type: ignore[arg-type] # typed by the fields' own kinds


def _typed(kind: str, variable: str, value: str) -> str | float:
    if "float" not in kind:
        return value
    try:
        return float(value)
    except ValueError as error:
        raise DeploymentError(f"{variable}={value}: expected a number") from error
