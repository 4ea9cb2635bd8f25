"""Settings of contact.

Belongs here: limits and the holdout's name. Does not belong here: what the limits mean
(`limits.py`).
"""

import dagster as dg

from engagement_assets.decisions.contact.limits import ContactLimits
from engagement_assets.settings.fields import same
from engagement_assets.settings.installation import Settings


class ContactSettings(dg.ConfigurableResource):
    """How often and when customers may be contacted, and who never is."""

    contacts_a_day: int = same(Settings, "contacts_a_day")
    contacts_a_week: int = same(Settings, "contacts_a_week")
    contacts_a_channel_week: int = same(Settings, "contacts_a_channel_week")
    quiet_from: int = same(Settings, "quiet_from")
    quiet_to: int = same(Settings, "quiet_to")
    holdout_experiment: str = same(Settings, "holdout_experiment")

    @property
    def limits(self) -> ContactLimits:
        """The limits."""
        return ContactLimits(
            a_day=self.contacts_a_day,
            a_week=self.contacts_a_week,
            a_channel_week=self.contacts_a_channel_week,
            quiet_from=self.quiet_from,
            quiet_to=self.quiet_to,
        )
