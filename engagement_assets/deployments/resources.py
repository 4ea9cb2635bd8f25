"""Which resources a deployment has; every one is named in each, with no fallback.

Belongs here: turning settings into resources. Does not belong here: the settings themselves
(`settings.py`, `environment.py`) and what resources do.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from engagement_assets.lifecycle.resource import ModelSettings
from engagement_assets.serving.catalogue import CatalogueFile
from engagement_assets.serving.glue_catalogue import GlueCatalogue
from engagement_assets.settings.deployment import (
    AwsSettings,
    Deployment,
    DeploymentError,
    deployment,
)
from engagement_assets.settings.installation import (
    CATALOGUE_FILE,
    ONLINE_FILE,
    PROJECT,
    Settings,
    channel_costs,
)
from engagement_assets.signals.network.resource import NetworkResource
from engagement_assets.signals.sentiment.resource import SentimentResource
from engagement_assets.source.resource import SourceResource
from resources.alerts import AlertSink
from resources.aws.alerts import TopicAlertSink
from resources.aws.gauges import CloudWatchGauges
from resources.aws.platform import AthenaEngineResource
from resources.aws.storage import options
from resources.gauges import LoggedGauges
from resources.io_managers import (
    ModelIOManager,
    RegistryResource,
    ReportIOManager,
    TableIOManager,
)
from resources.lake import Lake
from resources.online_store.protocol import OnlineStore
from resources.online_store.resource import DynamoDBOnlineStore, SqliteOnlineStore
from resources.platform import DuckDBEngineResource, LakeResource
from resources.progress import terminal_logger
from resources.registry import ModelRegistry

__all__ = [
    "Deployment",
    "DeploymentError",
    "deployment",
    "lake_of",
    "loggers_for",
    "registry_of",
    "resources_for",
    "store_of",
]

SQL_ROOT = str(PROJECT / "sql")


def resources_for(
    which: Deployment, settings: Settings, environ: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """The resources of a deployment.

    Args:
        which: The deployment.
        settings: The installation's settings.
        environ: The environment, which tells a deployment on AWS where its things are.

    Raises:
        DeploymentError: The environment lacks what the deployment needs.
    """
    if which is Deployment.AWS:
        return _shared(settings) | _aws(settings, AwsSettings.read(environ))
    return _shared(settings) | _local(settings)


def lake_of(settings: Settings) -> Lake:
    """The lake of the deployment that the environment names."""
    lake: Lake = resources_for(deployment(), settings)["lake"].lake
    return lake


def registry_of(settings: Settings) -> ModelRegistry:
    """The registry of the deployment that the environment names."""
    registry: ModelRegistry = resources_for(deployment(), settings)["registry"].registry
    return registry


def store_of(settings: Settings) -> OnlineStore:
    """The online store of the deployment that the environment names."""
    store: OnlineStore = resources_for(deployment(), settings)["online_store"].store
    return store


def _local(settings: Settings) -> dict[str, Any]:
    """What lies in the home on this machine."""
    lake = LakeResource(root=settings.lake_root)
    registry = str(settings.home / "registry")
    return {
        "lake": lake,
        "engine": DuckDBEngineResource(lake=lake, sql_root=SQL_ROOT, threads=settings.threads),
        "registry": RegistryResource(root=registry),
        "alerts": AlertSink(
            log_path=str(settings.home / "alerts.jsonl"), webhook_url=settings.webhook_url
        ),
        "catalogue": CatalogueFile(path=str(settings.home / CATALOGUE_FILE)),
        "tables": TableIOManager(root=settings.lake_root),
        "models": ModelIOManager(root=registry),
        "reports": ReportIOManager(root=str(settings.home / "reports")),
        "gauges": LoggedGauges(),
        "online_store": SqliteOnlineStore(path=str(settings.home / ONLINE_FILE)),
    }


def _aws(settings: Settings, aws: AwsSettings) -> dict[str, Any]:
    """What lies on S3 and in Athena, Glue, SNS, CloudWatch and DynamoDB."""
    if settings.first_day is None:
        # the days of a moving beginning would fall out of the tables one by one
        raise DeploymentError(
            "ENGAGEMENT_SETTINGS must give first_day, the first day of the data, such as "
            '{"first_day": "2026-01-01"}'
        )
    storage = options(region=aws.region, kms_key=aws.kms_key)
    lake = LakeResource(root=f"{aws.root}/lake", options=storage)
    first_day = settings.first_day.isoformat()
    return {
        "lake": lake,
        "engine": AthenaEngineResource(
            lake=lake,
            sql_root=SQL_ROOT,
            region=aws.region,
            database=aws.glue_database,
            workgroup=aws.athena_workgroup,
            first_day=first_day,
            query_timeout_seconds=aws.query_timeout_seconds,
            usd_per_terabyte=aws.usd_per_terabyte,
        ),
        "registry": RegistryResource(root=f"{aws.root}/registry", options=storage),
        "alerts": TopicAlertSink(
            log_path=f"{aws.root}/alerts",
            options=storage,
            webhook_url=settings.webhook_url,
            topic=aws.alert_topic,
            region=aws.region,
        ),
        "catalogue": GlueCatalogue(
            database=aws.glue_database,
            region=aws.region,
            root=f"{aws.root}/lake",
            first_day=first_day,
        ),
        "tables": TableIOManager(root=f"{aws.root}/lake", options=storage),
        "models": ModelIOManager(root=f"{aws.root}/registry", options=storage),
        "reports": ReportIOManager(root=f"{aws.root}/reports", options=storage),
        "gauges": CloudWatchGauges(region=aws.region, dimensions={"Table": aws.online_table}),
        "online_store": DynamoDBOnlineStore(table=aws.online_table, region=aws.region),
    }


def _shared(settings: Settings) -> dict[str, Any]:
    """What is the same wherever the platform runs."""
    return {
        "source": SourceResource(
            name=settings.source,
            mappings=str(PROJECT / "sql" / "source"),
            data=settings.source_data,
            customers=settings.customers,
            seed=settings.seed,
            days=settings.days,
            first_day=settings.start.isoformat(),
            threads=settings.threads,
        ),
        "sentiment": SentimentResource(
            adapter=settings.sentiment_adapter,
            encoder=settings.text_encoder,
            window_days=settings.sentiment_window,
            threads=settings.threads,
        ),
        "network": NetworkResource(
            seed=settings.seed,
            threads=settings.threads,
            message_weight=settings.message_weight,
            reaction_weight=settings.reaction_weight,
            node2vec_p=settings.node2vec_p,
            node2vec_q=settings.node2vec_q,
            bootstrap=settings.bootstrap,
        ),
        "settings": ModelSettings(
            seed=settings.seed,
            bootstrap=settings.bootstrap,
            cost_lost_customer=settings.cost_lost_customer,
            cost_intervention=settings.cost_intervention,
            save_rate=settings.save_rate,
            review_share=settings.review_share,
            channel_cac=channel_costs(settings.channel_cac) or {},
            recommender=settings.recommender,
            virality_estimator=settings.virality_estimator,
            threads=settings.threads,
        ),
    }


def _cloudwatch() -> dg.LoggerDefinition:
    from dagster_aws.cloudwatch import cloudwatch_logger

    return cloudwatch_logger


_LOGGERS: dict[Deployment, Callable[[], dict[str, dg.LoggerDefinition]]] = {
    Deployment.LOCAL: dict,
    Deployment.AWS: lambda: {"cloudwatch": _cloudwatch()},
}


def loggers_for(which: Deployment) -> dict[str, dg.LoggerDefinition]:
    """The loggers that a run of a deployment may name."""
    own = _LOGGERS[which]()
    return {"terminal": terminal_logger, "console": dg.colored_console_logger, **own}
