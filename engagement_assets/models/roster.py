"""The models of the platform, and the assets and checks that they all have.

Belongs here: which models there are. Does not belong here: what a model is (its folder) and what
all of them share (`lifecycle`).
"""

from engagement_assets.models.churn.declared import SPEC as CHURN
from engagement_assets.models.lifecycle.assets import training_assets
from engagement_assets.models.lifecycle.checks import model_checks
from engagement_assets.models.lifecycle.daily import daily_asset

MODELS = (CHURN,)
ASSETS = [asset for spec in MODELS for asset in (*training_assets(spec), daily_asset(spec))]
CHECKS = [check for spec in MODELS for check in model_checks(spec)]
