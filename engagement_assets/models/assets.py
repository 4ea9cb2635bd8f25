"""The assets and checks that all models of the platform have.

Belongs here: making them from the declarations. Does not belong here: which models there are
(`specs.py`), what a model is (its folder) and what all of them share (`lifecycle`).
"""

from engagement_assets.lifecycle.assets import training_assets
from engagement_assets.lifecycle.checks import model_checks
from engagement_assets.lifecycle.daily import daily_asset
from engagement_assets.models.forecast.assets import ASSETS as FORECAST_ASSETS
from engagement_assets.models.forecast.assets import CHECKS as FORECAST_CHECKS
from engagement_assets.models.segments.assets import ASSETS as SEGMENT_ASSETS
from engagement_assets.models.segments.assets import CHECKS as SEGMENT_CHECKS
from engagement_assets.models.specs import EVERY_MODEL

ASSETS = [
    *(asset for spec in EVERY_MODEL for asset in training_assets(spec)),
    *(daily_asset(spec) for spec in EVERY_MODEL if spec.daily_parts),
    *FORECAST_ASSETS,
    *SEGMENT_ASSETS,
]
CHECKS = [
    *(check for spec in EVERY_MODEL for check in model_checks(spec)),
    *FORECAST_CHECKS,
    *SEGMENT_CHECKS,
]
