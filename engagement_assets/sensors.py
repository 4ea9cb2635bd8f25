"""Sensors: what the platform notices by itself.

Belongs here: when to look. Does not belong here: what an alert is (`resources.alerts`).
"""

from itertools import takewhile

import dagster as dg

from engagement_assets.jobs import training_job
from resources.alerts import AlertSink

# Drift must hold for this many days before it asks for a new model: one odd day is no drift.
DRIFT_DAYS = 3
# How far back a drift is followed; one that lasts longer asks again.
DRIFT_HISTORY = 90
DRIFT_CHECK = dg.AssetCheckKey(dg.AssetKey(["churn", "predictions"]), "score_drift")


@dg.sensor(
    name="alerts",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells failed checks and runs, once each, in the log and to the webhook.",
)
def alerts_sensor(context: dg.SensorEvaluationContext, alerts: AlertSink) -> dg.SkipReason:
    """Tell what failed since the last look."""
    told = alerts.tell(context.instance)
    return dg.SkipReason(f"{told} new alerts" if told else "nothing failed")


@dg.sensor(
    name="training_on_drift",
    job=training_job,
    minimum_interval_seconds=3600,
    description=f"Asks for a new churn model when the scores drifted on {DRIFT_DAYS} checks in a "
    "row.",
)
def drift_sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for training when drift holds."""
    records = context.instance.event_log_storage.get_asset_check_execution_history(
        DRIFT_CHECK, limit=DRIFT_HISTORY
    )
    # newest first
    failed = list(takewhile(lambda record: record.status.value == "FAILED", records))
    if len(failed) < DRIFT_DAYS:
        return dg.SkipReason(f"the last {len(failed)} checks found drift, not {DRIFT_DAYS}")
    # one training a drift: its first failed check names it
    return dg.RunRequest(run_key=f"drift-{failed[-1].id}")


SENSORS = [alerts_sensor, drift_sensor]
