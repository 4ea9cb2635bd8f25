"""The assets and checks of all decisions, of contact, experiments and counterfactuals.

Belongs here: making them from the declarations. Does not belong here: which decisions there are
(`specs.py`) and what all of them share (`lifecycle`).
"""

from engagement_assets.decisions.contact.assets import ASSETS as CONTACT_ASSETS
from engagement_assets.decisions.contact.assets import CHECKS as CONTACT_CHECKS
from engagement_assets.decisions.counterfactuals.assets import ASSETS as COUNTERFACTUAL_ASSETS
from engagement_assets.decisions.counterfactuals.assets import CHECKS as COUNTERFACTUAL_CHECKS
from engagement_assets.decisions.experiments.assets import ASSETS as EXPERIMENT_ASSETS
from engagement_assets.decisions.experiments.assets import CHECKS as EXPERIMENT_CHECKS
from engagement_assets.decisions.specs import DECISIONS
from engagement_assets.lifecycle.assets import training_assets
from engagement_assets.lifecycle.checks import model_checks
from engagement_assets.lifecycle.choices import choices_asset

ASSETS = [
    *(asset for spec in DECISIONS for asset in training_assets(spec)),
    *(choices_asset(spec) for spec in DECISIONS),
    *CONTACT_ASSETS,
    *EXPERIMENT_ASSETS,
    *COUNTERFACTUAL_ASSETS,
]
CHECKS = [
    *(check for spec in DECISIONS for check in model_checks(spec)),
    *CONTACT_CHECKS,
    *EXPERIMENT_CHECKS,
    *COUNTERFACTUAL_CHECKS,
]
