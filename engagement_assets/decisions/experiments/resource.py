"""Settings of experiments.

Belongs here: windows and where plans lie. Does not belong here: what a plan may say (`plans.py`).
"""

import dagster as dg
from upath import UPath

from engagement_assets.decisions.experiments.plans import Plan, PlanError, read_plans
from engagement_assets.settings.fields import same
from engagement_assets.settings.installation import Settings


class ExperimentSettings(dg.ConfigurableResource):
    """How experiments are measured, and how they were planned."""

    experiment_window: int = same(Settings, "experiment_window")
    experiment_history: int = same(Settings, "experiment_history")
    experiment_plans: str = same(Settings, "experiment_plans")

    @property
    def plans(self) -> dict[str, Plan]:
        """The plans by experiment; none where no file is named.

        Raises:
            PlanError: The file is not there or cannot be read.
        """
        if not self.experiment_plans:
            return {}
        try:
            text = UPath(self.experiment_plans).read_text()
        # no such file, a folder, bytes that are no text, an address of no known kind
        except (OSError, ValueError) as error:
            raise PlanError(
                f"EXPERIMENT_PLANS={self.experiment_plans}: there is no such file, or it cannot be "
                f"read ({error}); name a TOML file, or nothing"
            ) from error
        return read_plans(text)
