"""Which resources a deployment has; every one is named in each, with no fallback.

Belongs here: turning settings into resources. Does not belong here: the settings themselves
(`settings.py`) and what resources do.
"""

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from engagement_assets.models.resource import ModelSettings
from engagement_assets.serving.assets import CatalogueFile
from engagement_assets.settings import CATALOGUE_FILE, ONLINE_FILE, PROJECT, Settings, channel_costs
from engagement_assets.signals.network.resource import NetworkResource
from engagement_assets.signals.sentiment.resource import SentimentResource
from engagement_assets.source.resource import SourceResource
from resources.alerts import AlertSink
from resources.io_managers import (
    ModelIOManager,
    RegistryResource,
    ReportIOManager,
    TableIOManager,
)
from resources.online_store.resource import SqliteOnlineStore
from resources.platform import EngineResource, LakeResource

VARIABLE = "ENGAGEMENT_DEPLOYMENT"


class DeploymentError(ValueError):
    """The deployment is unknown, or cannot be made yet."""


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


def resources_for(which: Deployment, settings: Settings) -> dict[str, Any]:
    """The resources of a deployment.

    Raises:
        DeploymentError: The AWS resources are not part of this version.
    """
    if which is Deployment.AWS:
        raise DeploymentError(
            f"{VARIABLE}=aws: this version has no AWS resources yet; set it to local"
        )
    lake = LakeResource(root=settings.lake_root)
    registry = str(settings.home / "registry")
    return {
        "lake": lake,
        "engine": EngineResource(
            lake=lake, sql_root=str(PROJECT / "sql"), threads=settings.threads
        ),
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
            virality_estimator=settings.virality_estimator,
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
            threads=settings.threads,
        ),
        "registry": RegistryResource(root=registry),
        "alerts": AlertSink(
            log_path=str(settings.home / "alerts.jsonl"), webhook_url=settings.webhook_url
        ),
        "catalogue": CatalogueFile(path=str(settings.home / CATALOGUE_FILE)),
        "online_store": SqliteOnlineStore(path=str(settings.home / ONLINE_FILE)),
        "tables": TableIOManager(root=settings.lake_root),
        "models": ModelIOManager(root=registry),
        "reports": ReportIOManager(root=str(settings.home / "reports")),
    }
