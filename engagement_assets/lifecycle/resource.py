"""What every model's assets are told by the settings.

Belongs here: costs, seeds and sizes. Does not belong here: where models are stored
(`resources.io_managers`).
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg
from pydantic import Field


class ModelSettings(dg.ConfigurableResource):
    """Costs, seeds and sizes of training."""

    seed: int = Field(default=7, description="Seed; the same seed and data give the same model.")
    bootstrap: int = Field(
        default=200, description="Resamples behind each interval; more make it steadier."
    )
    cost_lost_customer: float = Field(
        default=100.0, description="What a lost customer costs, in USD."
    )
    cost_intervention: float = Field(
        default=5.0, description="What one retention intervention costs, in USD."
    )
    save_rate: float = Field(
        default=0.3, description="Share of contacted churners that an intervention keeps."
    )
    review_share: float = Field(
        default=0.01, description="Share of customers that the anomaly detector sends to review."
    )
    channel_cac: dict[str, float] = Field(
        default_factory=dict, description="What winning a customer costs by channel, in USD."
    )
    recommender: str = Field(
        default="auto",
        description="Recommender that serves: the best on days set aside, or one by name.",
    )
    virality_estimator: str = Field(
        default="auto",
        description="`linear`, `boosted`, `lstm`, or `auto` for the best of them on earlier posts "
        "set aside.",
    )
    threads: int = Field(default=2, description="Threads of training and prediction.")

    def parameters(self, names: Sequence[str] = ()) -> dict[str, Any]:
        """Return what every estimator is given, and the settings that a spec names."""
        own = {name: getattr(self, name) for name in names}
        return {"random_state": self.seed, "n_jobs": self.threads, **own}
