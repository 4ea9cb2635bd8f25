"""Which assets must be fresh daily, and which follow their inputs.

Belongs here: policies and the assets that have them. Does not belong here: `schedules.py`.
"""

from collections.abc import Sequence
from datetime import timedelta

import dagster as dg

from engagement_assets.orchestration.jobs import DAILY, FAIRNESS

# The daily run starts 24 hours after the one before; a day that failed is seen by noon.
FRESH_DAILY = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=34), warn_window=timedelta(hours=27)
)
# Once an input changed and no run is about to change another: after a training, whichever job did
# it and whether all of it succeeded.
INPUTS_CHANGED = (
    dg.AutomationCondition.any_deps_updated().since_last_handled()
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
).with_label("inputs_changed")


def automated(assets: Sequence[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """The assets, with a freshness policy on what the daily job makes.

    The report on the fairness of all models follows the reports of each.
    """
    daily, follows = DAILY.resolve(assets), FAIRNESS.resolve(assets)

    def attach(spec: dg.AssetSpec) -> dg.AssetSpec:
        if spec.key in daily:
            return spec.replace_attributes(freshness_policy=FRESH_DAILY)
        if spec.key in follows:
            return spec.replace_attributes(automation_condition=INPUTS_CHANGED)
        return spec

    return [asset.map_asset_specs(attach) for asset in assets]


AUTOMATION = dg.AutomationConditionSensorDefinition(
    "automation",
    target=FAIRNESS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description="Makes the fairness report across models again when one of theirs has changed.",
)
