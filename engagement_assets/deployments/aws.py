"""The deployment on AWS: S3, Athena, Glue, SNS, CloudWatch, DynamoDB, Secrets Manager.

Belongs here: what is particular to it. Does not belong here: what every deployment has, and
choosing one (`resources.py`).
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import dagster as dg
from dagster_duckdb import DuckDBResource

from engagement_assets.serving.glue_catalogue import GlueCatalogue
from engagement_assets.settings.api import ApiSettings
from engagement_assets.settings.deployment import AwsSettings
from engagement_assets.settings.fields import SettingsError
from engagement_assets.settings.installation import Settings
from engagement_assets.source.known import product_sql
from resources.aws.alerts import TopicAlertSink
from resources.aws.delivery import QueueDelivery
from resources.aws.gauges import CloudWatchGauges
from resources.aws.platform import AthenaEngineResource
from resources.aws.storage import options
from resources.erasures import ErasuresResource
from resources.io_managers import (
    ModelIOManager,
    RegistryResource,
    ReportIOManager,
    TableIOManager,
)
from resources.online_store.resource import DynamoDBOnlineStore
from resources.platform import LakeResource
from resources.questions import QuestionsResource
from resources.reviews import ReviewsResource
from resources.sql import SqlFolder

if TYPE_CHECKING:
    from engagement_assets.serving.api.access import KeySource


class AwsEngine(AthenaEngineResource):
    """Athena with the product's SQL."""

    @property
    def sql(self) -> SqlFolder:
        """The SQL files, and what is made from the contract."""
        return product_sql(Path(self.sql_root))


class AthenaInstead(DuckDBResource):
    """The analysts' catalogue here is a Glue database, which DuckDB does not open."""

    def get_connection(self) -> NoReturn:
        """Refuse.

        Raises:
            SettingsError: Always; says what to use.
        """
        raise SettingsError(
            "there is no DuckDB catalogue on AWS: take the resource `engine`, which asks Athena, "
            "or run this asset where ENGAGEMENT_DEPLOYMENT=local"
        )


def resources(settings: Settings, *, sql_root: str) -> dict[str, Any]:
    """What lies in the services that the environment names."""
    aws = AwsSettings()
    if settings.first_day is None:
        # the days of a moving beginning would fall out of the tables one by one
        raise SettingsError(
            "ENGAGEMENT_SETTINGS must give first_day, the first day of the data, such as "
            '{"first_day": "2026-01-01"}'
        )
    if settings.contact_delivery:
        raise SettingsError(
            "CONTACT_DELIVERY is the webhook of the local deployment: on AWS due messages go to "
            "the queue of ENGAGEMENT_CONTACT_QUEUE; leave it out of ENGAGEMENT_SETTINGS"
        )
    if settings.lake_key:
        raise SettingsError(
            "LAKE_KEY is of the local deployment: on AWS the bucket's KMS key encrypts the lake; "
            "leave it out of ENGAGEMENT_SETTINGS"
        )
    storage = options(region=aws.region, kms_key=aws.kms_key)
    lake = LakeResource(root=f"{aws.root}/lake", options=storage)
    engine = AwsEngine(
        lake=lake,
        sql_root=sql_root,
        region=aws.region,
        database=aws.glue_database,
        workgroup=aws.athena_workgroup,
        first_day=settings.first_day.isoformat(),
        query_timeout_seconds=aws.query_timeout,
        usd_per_terabyte=aws.usd_per_tb,
    )
    return {
        "lake": lake,
        "engine": engine,
        "registry": RegistryResource(root=f"{aws.root}/registry", options=storage),
        "alerts": TopicAlertSink(
            log_path=f"{aws.root}/alerts",
            options=storage,
            webhook_url=settings.webhook_url,
            topic=aws.alert_topic,
            region=aws.region,
        ),
        "catalogue": GlueCatalogue(engine=engine),
        "analysts": AthenaInstead(database=""),
        "tables": TableIOManager(root=f"{aws.root}/lake", options=storage),
        "models": ModelIOManager(root=f"{aws.root}/registry", options=storage),
        "reports": ReportIOManager(root=f"{aws.root}/reports", options=storage),
        "gauges": CloudWatchGauges(region=aws.region, dimensions={"Table": aws.online_table}),
        "delivery": QueueDelivery(
            queue=aws.contact_queue, table=aws.online_table, region=aws.region
        ),
        "erasures": ErasuresResource(root=f"{aws.root}/privacy", options=storage),
        "questions": QuestionsResource(
            root=f"{aws.root}/questions", options=storage, days=settings.question_days
        ),
        "reviews": ReviewsResource(
            root=f"{aws.root}/reviews",
            options=storage,
            days=settings.review_days,
            second_share=settings.review_second_share,
        ),
        "online_store": DynamoDBOnlineStore(table=aws.online_table, region=aws.region),
    }


def loggers() -> dict[str, dg.LoggerDefinition]:
    """Loggers that only this deployment has."""
    from dagster_aws.cloudwatch import cloudwatch_logger

    return {"cloudwatch": cloudwatch_logger}


def api_keys(settings: Settings, api: ApiSettings) -> "KeySource":
    """API keys in the secret that the environment names."""
    del settings, api
    from engagement_assets.serving.api.keys import SecretKeys  # noqa: PLC0415 - for the API alone
    from resources.aws.secrets import read_secret  # noqa: PLC0415 - loads boto3

    aws = AwsSettings()
    return SecretKeys(partial(read_secret, aws.api_secret, region=aws.region), where=aws.api_secret)


def places(settings: Settings) -> list[str]:
    """Where a person looks for what was made."""
    del settings
    aws = AwsSettings()
    return [
        f"Athena, database {aws.glue_database}    every table",
        f"{aws.root}/reports/    evaluation, fairness, explanations of each model",
        f"{aws.root}/alerts/     failed checks and runs",
    ]
