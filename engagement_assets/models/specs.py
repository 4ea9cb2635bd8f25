"""The models of the platform, as declared.

Belongs here: which models there are, in the order of training. Does not belong here: what a model
is (its folder) and the assets made of it (`roster.py`).
"""

from engagement_assets.models.anomaly.spec import SPEC as ANOMALY
from engagement_assets.models.churn.spec import SPEC as CHURN
from engagement_assets.models.engagement.spec import SPEC as ENGAGEMENT
from engagement_assets.models.ensemble.spec import SPEC as ENSEMBLE
from engagement_assets.models.lifetime_value.spec import SPEC as LIFETIME_VALUE
from engagement_assets.models.recommendation.spec import SPEC as RECOMMENDATION

__all__ = ["ANOMALY", "MODELS", "RECOMMENDATION"]

# the ensemble listens to those before it
MODELS = (ENGAGEMENT, CHURN, LIFETIME_VALUE, RECOMMENDATION, ANOMALY, ENSEMBLE)
