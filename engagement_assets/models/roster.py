"""The models of the platform, and the assets and checks that they all have.

Belongs here: which models there are. Does not belong here: what a model is (its folder) and what
all of them share (`lifecycle`).
"""

from engagement_assets.models.anomaly.declared import SPEC as ANOMALY
from engagement_assets.models.churn.declared import SPEC as CHURN
from engagement_assets.models.engagement.declared import SPEC as ENGAGEMENT
from engagement_assets.models.ensemble.declared import SPEC as ENSEMBLE
from engagement_assets.models.lifecycle.assets import training_assets
from engagement_assets.models.lifecycle.checks import model_checks
from engagement_assets.models.lifecycle.daily import daily_asset
from engagement_assets.models.lifetime_value.declared import SPEC as LIFETIME_VALUE
from engagement_assets.models.recommendation.declared import SPEC as RECOMMENDATION

__all__ = ["ANOMALY", "ASSETS", "CHECKS", "MODELS"]

# in the order of training: the ensemble listens to those before it
MODELS = (ENGAGEMENT, CHURN, LIFETIME_VALUE, RECOMMENDATION, ANOMALY, ENSEMBLE)
ASSETS = [asset for spec in MODELS for asset in (*training_assets(spec), daily_asset(spec))]
CHECKS = [check for spec in MODELS for check in model_checks(spec)]
