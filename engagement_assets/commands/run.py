"""What `engagement run` and `engagement rollback` do.

Belongs here: Dagster's instance around the jobs. Does not belong here: which jobs run
(`pipeline.py`) and how the report reads (`summary.py`). It loads the definitions, so the home must
be open before it is imported.
"""

import sys
import time

import dagster as dg

from engagement_assets.commands.pipeline import Runner, make_all
from engagement_assets.commands.summary import headline, summary
from engagement_assets.deployments.resources import resources_of
from engagement_assets.settings.installation import Settings
from resources.event_log import end_abandoned_runs


def run(settings: Settings, *, retrain: bool) -> None:
    """Make everything that is not made yet, and say what there is.

    Raises:
        JobFailedError: A job failed.
        JobInterruptedError: A job was stopped from outside.
    """
    # a run that crosses midnight goes on with the day that it began with
    settings = settings.with_values(last_day=settings.end)
    sys.stderr.write(headline(settings))
    with dg.DagsterInstance.get() as instance:
        end_abandoned_runs(instance)
        runner = Runner(instance, time.monotonic())
        try:
            make_all(runner, settings, retrain=retrain)
        finally:
            resources_of(settings)["alerts"].tell(instance)
        sys.stdout.write(summary(settings, instance, seconds=time.monotonic() - runner.started))


def roll_back(settings: Settings, model: str, version: str | None) -> str:
    """Go back to an earlier champion, by default the one before the present one.

    Raises:
        RegistryError: There is none to go back to.
    """
    registry = resources_of(settings)["registry"].registry
    now: str = registry.rollback(model, to=version, reason="engagement rollback")
    with dg.DagsterInstance.get() as instance:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                [model, "champion"],
                description="rolled back",
                metadata={"model_version": now, "promoted": False},
            )
        )
    return now
