"""The tables that an engine of this floor knows.

Belongs here: joining the declarations. Does not belong here: the declarations (`catalogue.py`,
`labels.py`).
"""

from engagement_assets.features.catalogue import FEATURE_TABLES
from engagement_assets.features.labels import LABELS
from engagement_assets.signals.tables import KNOWN_TABLES as BELOW
from resources.tables import Table

KNOWN_TABLES: tuple[Table, ...] = (*BELOW, *FEATURE_TABLES.values(), *LABELS.values())
