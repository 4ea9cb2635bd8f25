"""Settings of the ethics audit.

Belongs here: what an installation may set. Does not belong here: what breaks a promise
(`judging.py`).
"""

import dagster as dg

from engagement_assets.settings.fields import same
from engagement_assets.settings.installation import Settings


class AuditSettings(dg.ConfigurableResource):
    """What the ethics audit measures by."""

    complaint_days: int = same(Settings, "complaint_days")
