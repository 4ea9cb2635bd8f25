"""What the sentiment assets are told by the settings.

Belongs here: which model, which window, which limit. Does not belong here: the model (`model.py`).
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from engagement_assets.signals.sentiment.scoring import ALERT_BELOW

if TYPE_CHECKING:
    from engagement_assets.learning.text.sentiment import SentimentModel

WINDOW_DAYS = 90


class SentimentResource(dg.ConfigurableResource):
    """The sentiment model and how its scores are used."""

    adapter: str = Field(
        default="",
        description="Folder of a trained adapter; empty for the one that is shipped. Set it after "
        "`make train-sentiment`.",
    )
    encoder: str = Field(
        default="",
        description="Hugging Face name or local folder of the encoder that the adapter was trained "
        "on; empty for the built-in MiniLM.",
    )
    window_days: int = Field(
        default=WINDOW_DAYS,
        description="Days of texts behind a customer's mean, trend and share of negative texts. "
        "Shorter follows moods faster and leaves more customers without a score.",
    )
    alert_below: float = Field(
        default=ALERT_BELOW,
        description="A text that scores below it (-1 to 1) is a row for customer support.",
    )
    threads: int = Field(default=2, description="Threads of scoring; your number of cores.")

    def model(self) -> "SentimentModel":
        """The model, loaded once a process."""
        return _loaded(self.adapter, self.encoder, self.threads)


@lru_cache(maxsize=2)
def _loaded(adapter: str, encoder: str, threads: int) -> "SentimentModel":
    from engagement_assets.learning.text.sentiment import SentimentModel  # noqa: PLC0415 - heavy

    return SentimentModel.load(
        Path(adapter) if adapter else None, encoder=encoder or None, threads=threads
    )
