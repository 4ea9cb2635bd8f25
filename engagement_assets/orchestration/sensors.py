"""Sensors: what the platform notices by itself.

Belongs here: when to look. Does not belong here: what an alert is (`resources.alerts`).
"""

from itertools import takewhile

import dagster as dg

from engagement_assets.lifecycle.spec import ModelSpec
from engagement_assets.models.specs import MODELS
from engagement_assets.orchestration.jobs import train_jobs
from resources.alerts import AlertSink
from resources.gauges import Gauges
from resources.online_store.resource import OnlineStoreResource

# An alarm of the deployment on AWS watches it.
SERVED_DAY_AGE = "ServedDayAgeDays"
# Drift must hold for this many days before it asks for a new model: one odd day is no drift.
DRIFT_DAYS = 3
# How far back a drift is followed; one that lasts longer asks again.
DRIFT_HISTORY = 90


@dg.sensor(
    name="alerts",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells failed checks and runs, once each, in the log and to the webhook.",
)
def alerts_sensor(context: dg.SensorEvaluationContext, alerts: AlertSink) -> dg.SkipReason:
    """Tell what failed since the last look."""
    fresh = alerts.tell(context.instance)
    return dg.SkipReason(f"{fresh} new alerts" if fresh else "nothing failed")


@dg.sensor(
    name="abandoned_runs",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Marks the runs failed whose process is gone, so that they do not hold the queue.",
)
def abandoned_runs_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Look for runs that were killed."""
    from resources.event_log import end_abandoned_runs  # noqa: PLC0415 - alembic loads slowly

    ended = end_abandoned_runs(context.instance)
    return dg.SkipReason(f"{len(ended)} runs without a process were marked failed")


def drift_check(model: str) -> dg.AssetCheckKey:
    """The check that watches a model's scores."""
    return dg.AssetCheckKey(dg.AssetKey([model, "predictions"]), "score_drift")


def drift_sensor(spec: ModelSpec) -> dg.SensorDefinition:
    """Asks for a new model when the scores of a model drift and go on drifting."""

    @dg.sensor(
        name=f"train_{spec.name}_on_drift",
        job=train_jobs[spec.name],
        minimum_interval_seconds=3600,
        description=f"Asks for a new {spec.name} model when the scores drifted on {DRIFT_DAYS} "
        "checks in a row.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Ask for training when drift holds."""
        records = context.instance.event_log_storage.get_asset_check_execution_history(
            drift_check(spec.name), limit=DRIFT_HISTORY
        )
        # newest first
        failed = list(takewhile(lambda record: record.status.value == "FAILED", records))
        if len(failed) < DRIFT_DAYS:
            return dg.SkipReason(f"the last {len(failed)} checks found drift, not {DRIFT_DAYS}")
        # one training a drift: its first failed check names it
        return dg.RunRequest(run_key=f"drift-{failed[-1].id}")

    return sensor


@dg.sensor(
    name="served_day",
    minimum_interval_seconds=3600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Says how old the snapshot is that the online store serves.",
)
def served_day_sensor(online_store: OnlineStoreResource, gauges: Gauges) -> dg.SkipReason:
    """Report the age of the day that is served, whether publishing works or not."""
    release = online_store.store.served()
    if release is None:
        return dg.SkipReason("no day has been published yet")
    gauges.report(SERVED_DAY_AGE, release.age_days)
    return dg.SkipReason(f"{release.snapshot_date} is served, {release.age_days} days old")


SENSORS = [
    alerts_sensor,
    abandoned_runs_sensor,
    served_day_sensor,
    *(drift_sensor(spec) for spec in MODELS),
]
