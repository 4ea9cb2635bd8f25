"""The features, declared: one module a group.

Belongs here: the declarations. Does not belong here: what follows from them (`catalogue.py`) and
how a feature is computed (`sql/features/`).
"""

from engagement_assets.features.declarations import (
    behaviour,
    demographics,
    derived,
    engagement,
    social,
    transactions,
)
from engagement_assets.features.feature import Feature

DECLARED: tuple[Feature, ...] = (
    *demographics.FEATURES,
    *engagement.FEATURES,
    *social.FEATURES,
    *transactions.FEATURES,
    *behaviour.FEATURES,
    *derived.FEATURES,
)
