"""Settings of the sentiment assets.

Belongs here: which model, which window, which limit. Does not belong here: the model (`model.py`).
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from engagement_assets.settings.fields import same
from engagement_assets.settings.installation import Settings
from engagement_assets.signals.sentiment.scoring import ALERT_BELOW
from engagement_assets.signals.sentiment.versions import scoring_version
from resources.registry import ModelRegistry

if TYPE_CHECKING:
    from engagement_assets.learning.text.sentiment import SentimentModel


class SentimentResource(dg.ConfigurableResource):
    """The sentiment model and how its scores are used."""

    adapter: str = same(Settings, "sentiment_adapter")
    encoder: str = same(Settings, "text_encoder")
    window_days: int = same(Settings, "sentiment_window")
    alert_below: float = Field(
        default=ALERT_BELOW,
        description="A text that scores below it (-1 to 1) is a row for customer support.",
    )
    threads: int = same(Settings, "threads")

    def model(self, registry: ModelRegistry) -> "SentimentModel":
        """The registry's version that scores, loaded once a process."""
        version = scoring_version(registry, adapter=self.adapter)
        return _loaded(version.folder, version.version, self.encoder, self.threads)


@lru_cache(maxsize=2)
def _loaded(folder: Any, version: str, encoder: str, threads: int) -> "SentimentModel":
    from engagement_assets.learning.text.sentiment import SentimentModel  # noqa: PLC0415 - heavy

    return SentimentModel.load(folder, version=version, encoder=encoder or None, threads=threads)
