"""What every model's assets are told by the settings.

Belongs here: costs, seeds and sizes. Does not belong here: where models are stored
(`resources.io_managers`).
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg
from pydantic import Field
from upath import UPath

from engagement_assets.settings.fields import same
from engagement_assets.settings.installation import Settings
from resources.ledgers import Ledgers


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
    recommendation_history: int = same(Settings, "recommendation_history")
    recommendation_item_days: int = same(Settings, "recommendation_item_days")
    segment_names: str = same(Settings, "segment_names")
    treatment_experiment: str = same(Settings, "treatment_experiment")
    targeting_cost: float = same(Settings, "targeting_cost")
    contacts_a_day: int = same(Settings, "contacts_a_day")
    contacts_a_week: int = same(Settings, "contacts_a_week")
    contacts_a_channel_week: int = same(Settings, "contacts_a_channel_week")
    quiet_from: int = same(Settings, "quiet_from")
    quiet_to: int = same(Settings, "quiet_to")
    holdout_experiment: str = same(Settings, "holdout_experiment")
    timing_updates: int = same(Settings, "timing_updates")
    virality_estimator: str = same(Settings, "virality_estimator")
    automl_shadow_days: int = same(Settings, "automl_shadow_days")
    forecast_calendar: str = same(Settings, "forecast_calendar")
    sessions_a_unit: int = same(Settings, "sessions_a_unit")
    threads: int = same(Settings, "threads")
    least_test_customers: int = same(Settings, "least_test_customers")
    least_group: int = same(Settings, "least_group")
    fairness_reference: dict[str, str] = same(Settings, "fairness_reference", default={})
    fairness_mitigation: dict[str, str] = same(Settings, "fairness_mitigation", default={})
    studies: str = Field(
        default="studies", description="Folder in which searches go on after a kill."
    )
    federated_epsilon: float = same(Settings, "federated_epsilon")
    federated_hidden: int = same(Settings, "federated_hidden")
    privacy: str = Field(
        default="privacy", description="Folder or URL of what no backup may restore."
    )
    privacy_options: dict[str, Any] = Field(
        default_factory=dict, description="What fsspec needs for that URL; nothing for a folder."
    )

    @property
    def ledgers(self) -> Ledgers:
        """What was spent of budgets of privacy."""
        return Ledgers(UPath(self.privacy, **self.privacy_options) / "ledgers")

    def judging(self, model: str) -> dict[str, Any]:
        """Return the settings of how a model's candidate is judged."""
        return {
            "least_test_customers": self.least_test_customers,
            "least_group": self.least_group,
            "fairness_reference": self.fairness_reference.get(model, "truth"),
            "fairness_mitigation": self.fairness_mitigation.get(model),
        }

    def parameters(self, names: Sequence[str] = ()) -> dict[str, Any]:
        """Return what every estimator is given, and the settings that a spec names."""
        own = {name: getattr(self, name) for name in names}
        return {"random_state": self.seed, "n_jobs": self.threads, **own}
