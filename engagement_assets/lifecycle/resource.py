"""What every model's assets are told by the settings.

Belongs here: costs, seeds and sizes. Does not belong here: where models are stored
(`resources.io_managers`).
"""

from typing import Any

import dagster as dg

from engagement_assets.settings.fields import same
from engagement_assets.settings.installation import Settings


class ModelSettings(dg.ConfigurableResource):
    """Costs, seeds and sizes of training."""

    seed: int = same(Settings, "seed")
    bootstrap: int = same(Settings, "bootstrap")
    cost_lost_customer: float = same(Settings, "cost_lost_customer")
    cost_intervention: float = same(Settings, "cost_intervention")
    save_rate: float = same(Settings, "save_rate")
    review_share: float = same(Settings, "review_share")
    channel_cac: dict[str, float] = same(Settings, "channel_cac", default={})
    recommender: str = same(Settings, "recommender")
    threads: int = same(Settings, "threads")

    def parameters(self, model: str) -> dict[str, Any]:
        """Parameters of a model's estimator, and of what the product does with its scores."""
        shared: dict[str, Any] = {"random_state": self.seed, "n_jobs": self.threads}
        own: dict[str, dict[str, Any]] = {
            "churn": {
                "cost_lost_customer": self.cost_lost_customer,
                "cost_intervention": self.cost_intervention,
                "save_rate": self.save_rate,
            },
            "lifetime_value": {"channel_cac": self.channel_cac},
            "anomaly": {"review_share": self.review_share},
            "recommendation": {"recommender": self.recommender},
        }
        return shared | own.get(model, {})
