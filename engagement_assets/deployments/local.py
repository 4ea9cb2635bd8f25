"""The deployment on one machine: everything lies in the home.

Belongs here: what is particular to it. Does not belong here: what every deployment has, and
choosing one (`resources.py`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster_duckdb import DuckDBResource

from engagement_assets.governance.privacy.masking import key_path
from engagement_assets.serving.duckdb_catalogue import MaskedCatalogue
from engagement_assets.settings.api import ApiSettings
from engagement_assets.settings.installation import (
    CATALOGUE_FILE,
    CLAIMS_FILE,
    ONLINE_FILE,
    PROJECT,
    Settings,
)
from engagement_assets.source.known import product_sql
from resources.alerts import AlertSink
from resources.delivery import WebhookDelivery
from resources.erasures import ErasuresResource
from resources.gauges import LoggedGauges
from resources.io_managers import (
    ModelIOManager,
    RegistryResource,
    ReportIOManager,
    TableIOManager,
)
from resources.online_store.resource import SqliteOnlineStore
from resources.platform import DuckDBEngineResource, LakeResource
from resources.questions import QuestionsResource
from resources.reviews import ReviewsResource
from resources.sql import SqlFolder

if TYPE_CHECKING:
    from engagement_assets.serving.api.access import KeySource


class LocalEngine(DuckDBEngineResource):
    """DuckDB with the product's SQL."""

    @property
    def sql(self) -> SqlFolder:
        """The SQL files, and what is made from the contract."""
        return product_sql(Path(self.sql_root))


def resources(settings: Settings, *, sql_root: str) -> dict[str, Any]:
    """What lies in the home on this machine."""
    key_file = settings.lake_key_file
    lake = LakeResource(root=settings.lake_root, key_file=key_file)
    registry = str(settings.home / "registry")
    catalogue = str(settings.home / CATALOGUE_FILE)
    return {
        "lake": lake,
        "engine": LocalEngine(lake=lake, sql_root=sql_root, threads=settings.threads),
        "registry": RegistryResource(root=registry),
        "alerts": AlertSink(
            log_path=str(settings.home / "alerts.jsonl"), webhook_url=settings.webhook_url
        ),
        "catalogue": MaskedCatalogue(
            path=catalogue, masking_key=str(key_path(settings)), encrypted=bool(key_file)
        ),
        "analysts": DuckDBResource(
            database=catalogue, connection_config={"access_mode": "READ_ONLY"}
        ),
        "tables": TableIOManager(root=settings.lake_root, key_file=key_file),
        "models": ModelIOManager(root=registry),
        "reports": ReportIOManager(root=str(settings.home / "reports")),
        "gauges": LoggedGauges(),
        "delivery": WebhookDelivery(
            url=settings.contact_delivery,
            secret_path=str(settings.home / "contact_webhook_secret"),
            claims_path=str(settings.home / CLAIMS_FILE),
        ),
        "erasures": ErasuresResource(root=str(settings.home / "privacy")),
        "questions": QuestionsResource(
            root=str(settings.home / "questions"), days=settings.question_days
        ),
        "reviews": ReviewsResource(
            root=str(settings.home / "reviews"),
            days=settings.review_days,
            second_share=settings.review_second_share,
        ),
        "online_store": SqliteOnlineStore(path=str(settings.home / ONLINE_FILE)),
    }


def loggers() -> dict[str, dg.LoggerDefinition]:
    """Loggers that only this deployment has."""
    return {}


def api_keys(settings: Settings, api: ApiSettings) -> "KeySource":
    """API keys in a file, by default that of the home."""
    from engagement_assets.serving.api.keys import KEYS_FILE, KeyFile  # noqa: PLC0415 - for the API alone

    return KeyFile(Path(api.keys) if api.keys else settings.home / KEYS_FILE)


def places(settings: Settings) -> list[str]:
    """Where a person looks for what was made."""
    home = settings.home
    shown = home.relative_to(PROJECT) if home.is_relative_to(PROJECT) else home
    catalogue = (
        "make masked QUERY=…                     every table as a masked view"
        if settings.lake_key
        else f"{shown}/{CATALOGUE_FILE}    every table as a masked view (duckdb -readonly)"
    )
    return [
        "make dev                                the Dagster UI: assets, lineage, checks, runs",
        catalogue,
        f"{shown}/{ONLINE_FILE}  what an application reads: one document a customer",
        f"{shown}/reports/             evaluation, fairness, explanations of each model",
        f"{shown}/alerts.jsonl         failed checks and runs",
    ]
