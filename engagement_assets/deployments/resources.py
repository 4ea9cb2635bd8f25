"""Which resources a deployment has: what all have, and its own.

Belongs here: choosing the deployment, once, and resources that are the same in each. Does not
belong here: what is particular to one (`local.py`, `aws.py`) and what resources do.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import dagster as dg

from engagement_assets.decisions.contact.resource import ContactSettings
from engagement_assets.decisions.experiments.resource import ExperimentSettings
from engagement_assets.deployments import aws, local
from engagement_assets.governance.audit.resource import AuditSettings
from engagement_assets.governance.value.assets import ProgrammeResource
from engagement_assets.lifecycle.resource import ModelSettings
from engagement_assets.settings.api import ApiSettings
from engagement_assets.settings.deployment import Deployment, choose, deployment
from engagement_assets.settings.fields import shared
from engagement_assets.settings.installation import MAPPINGS, PROJECT, Settings
from engagement_assets.settings.pairs import (
    channel_costs,
    fairness_mitigations,
    fairness_references,
)
from engagement_assets.signals.network.resource import NetworkResource
from engagement_assets.signals.sentiment.resource import SentimentResource
from engagement_assets.source.resource import SourceResource
from resources.progress import terminal_logger

if TYPE_CHECKING:
    from engagement_assets.serving.api.access import KeySource


class Platform(Protocol):
    """What a deployment's module has."""

    def resources(self, settings: Settings, *, sql_root: str) -> dict[str, Any]:
        """Its own resources, under the names that every deployment has."""
        ...

    def loggers(self) -> dict[str, dg.LoggerDefinition]:
        """Loggers that only it has."""
        ...

    def api_keys(self, settings: Settings, api: ApiSettings) -> "KeySource":
        """Where its API keys are."""
        ...

    def places(self, settings: Settings) -> list[str]:
        """Where a person looks for what was made."""
        ...


PLATFORMS: Mapping[Deployment, Platform] = {Deployment.LOCAL: local, Deployment.AWS: aws}


def resources_for(which: Deployment, settings: Settings) -> dict[str, Any]:
    """The resources of a deployment.

    Raises:
        SettingsError: Nothing is declared for it, or the environment lacks what it needs.
    """
    own = choose(PLATFORMS, which).resources(settings, sql_root=str(PROJECT / "sql"))
    names = {
        "source": SourceResource(
            name=settings.source,
            mappings=str(MAPPINGS),
            data=settings.source_data,
            first_day=settings.start.isoformat(),
            **shared(settings, SourceResource.model_fields.keys() - {"first_day"}),
        ),
        "sentiment": SentimentResource(
            adapter=settings.sentiment_adapter,
            encoder=settings.text_encoder,
            window_days=settings.sentiment_window,
            threads=settings.threads,
        ),
        "audit": AuditSettings(**shared(settings, AuditSettings.model_fields)),
        "contact": ContactSettings(**shared(settings, ContactSettings.model_fields)),
        "experiments": ExperimentSettings(**shared(settings, ExperimentSettings.model_fields)),
        "network": NetworkResource(**shared(settings, NetworkResource.model_fields)),
        "programme": ProgrammeResource(**shared(settings, ProgrammeResource.model_fields)),
        "settings": ModelSettings(
            channel_cac=channel_costs(settings.channel_cac),
            fairness_reference=fairness_references(settings.fairness_reference),
            fairness_mitigation=fairness_mitigations(settings.fairness_mitigation),
            studies=str(settings.home / "studies"),
            privacy=own["erasures"].root,
            privacy_options=own["erasures"].options,
            **shared(
                settings,
                ModelSettings.model_fields.keys()
                - {"channel_cac", "fairness_reference", "fairness_mitigation"},
            ),
        ),
    }
    return names | own


def loggers_for(which: Deployment) -> dict[str, dg.LoggerDefinition]:
    """The loggers that a run of a deployment may name."""
    own = choose(PLATFORMS, which).loggers()
    return {"terminal": terminal_logger, "console": dg.colored_console_logger, **own}


def resources_of(settings: Settings) -> dict[str, Any]:
    """The resources of the deployment that the environment names."""
    return resources_for(deployment(), settings)
