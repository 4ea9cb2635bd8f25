"""Where the platform runs, and what a deployment on AWS reads from its environment.

Belongs here: the deployments, choosing what one of them has, and their settings. Does not belong
here: an installation's own settings (`installation.py`) and resources (`deployments/`).
"""

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, TypeVar

from pydantic_settings import SettingsConfigDict

from engagement_assets.settings.fields import Declared, SettingsError, setting

VARIABLE = "ENGAGEMENT_DEPLOYMENT"
T = TypeVar("T")


class Deployment(StrEnum):
    """Where the platform runs."""

    LOCAL = "local"
    AWS = "aws"


def deployment() -> Deployment:
    """The deployment that the environment names; `local` when it names none.

    Raises:
        SettingsError: The name is unknown.
    """
    name = os.environ.get(VARIABLE, Deployment.LOCAL)
    try:
        return Deployment(name)
    except ValueError as error:
        known = ", ".join(Deployment)
        raise SettingsError(f"{VARIABLE}={name}: expected one of {known}") from error


def choose(choices: Mapping[Deployment, T], which: Deployment | None = None) -> T:
    """What a deployment has, by default the one that the environment names; never another's.

    Raises:
        SettingsError: It has none.
    """
    which = which or deployment()
    if which not in choices:
        raise SettingsError(
            f"{VARIABLE}={which}: nothing is declared for it where {', '.join(choices)} are; "
            "declare it there, nothing falls back to another deployment"
        )
    return choices[which]


class AwsSettings(Declared):
    """What an installation on AWS is given by its environment."""

    model_config = SettingsConfigDict(env_prefix="ENGAGEMENT_")
    needed_by: ClassVar[str] = f"{VARIABLE}=aws"
    page: ClassVar[str] = "docs/aws.md"

    region: str = setting(..., "region of everything", validation_alias="AWS_REGION")
    bucket: str = setting(
        ...,
        "bucket of the lake, the registry, reports and alerts",
        pattern=r"^[a-z0-9][a-z0-9.-]{2,62}$",
        expected="a bucket's name",
    )
    prefix: str = setting("", "folder in the bucket; its root when empty")
    kms_key: str = setting(
        "",
        "ARN of the key of SSE-KMS, sent with every put; the bucket's default encryption when"
        " empty",
    )
    glue_database: str = setting(
        ...,
        "Glue database of the tables",
        pattern=r"^[a-z][a-z0-9_]*$",
        expected="lower-case letters, digits and underscores",
    )
    athena_workgroup: str = setting(
        ..., "workgroup; its limit on scanned bytes holds for every query"
    )
    online_table: str = setting(..., "DynamoDB table of the online store")
    alert_topic: str = setting(
        ..., "ARN of the SNS topic of alerts", pattern="^arn:", expected="the ARN of an SNS topic"
    )
    api_secret: str = setting(..., "name or ARN of the API's secret")
    contact_queue: str = setting(
        "",
        "URL of the SQS queue that due messages go to; nowhere when empty",
        pattern=r"^(https?://.*)?$",
        expected="the URL of an SQS queue",
    )
    query_timeout: float = setting(600.0, "seconds after which a query is stopped", gt=0)
    usd_per_tb: float = setting(5.0, "price of a scanned terabyte, in USD", ge=0)

    @property
    def root(self) -> str:
        """Where everything on S3 lies."""
        prefix = self.prefix.strip("/")
        return f"s3://{self.bucket}/{prefix}" if prefix else f"s3://{self.bucket}"
