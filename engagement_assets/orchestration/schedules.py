"""Schedules: when jobs run, in UTC.

Belongs here: times and the partitions they ask for. Does not belong here: what a job makes.
"""

from datetime import timedelta

import dagster as dg

from engagement_assets.features.labels import LABELS, Label
from engagement_assets.lifecycle.spec import Cadence
from engagement_assets.orchestration.jobs import (
    daily_job,
    label_jobs,
    network_insights_job,
    retraining_jobs,
)
from engagement_assets.settings.installation import Settings, current_home

daily_schedule = dg.build_schedule_from_partitioned_job(
    daily_job,
    name="daily",
    hour_of_day=2,
    description="Every day at 02:00 UTC: the day before.",
)


def label_schedule(label: Label) -> dg.ScheduleDefinition:
    """Every day, the label of the snapshot date whose window closed the day before."""

    @dg.schedule(
        job=label_jobs[label.name],
        cron_schedule="0 4 * * *",
        name=f"label_{label.name}",
        description=f"Every day at 04:00 UTC: the snapshot whose {label.window_days} days after "
        "it closed the day before.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        closed = context.scheduled_execution_time.date() - timedelta(days=1)
        snapshot = label.latest_snapshot_date(closed)
        start = Settings.load(current_home()).start
        if snapshot < start:
            return dg.SkipReason(f"{snapshot} lies before the first day, {start}")
        return dg.RunRequest(partition_key=snapshot.isoformat())

    return schedule


# When candidates of a cadence are trained, after the daily run.
TRAINED_AT: dict[Cadence, tuple[str, str]] = {
    "daily": ("0 5 * * *", "Every day"),
    "weekly": ("0 5 * * 1", "On Mondays"),
    "quarterly": ("0 6 1 1,4,7,10 *", "On the first day of a quarter"),
}
retraining_schedules = [
    dg.ScheduleDefinition(
        job=job,
        cron_schedule=TRAINED_AT[cadence][0],
        name=job.name,
        description=f"{TRAINED_AT[cadence][1]} (UTC): candidates of the models whose cadence is "
        f"{cadence}, and their checks.",
    )
    for cadence, job in retraining_jobs.items()
]


@dg.schedule(
    job=network_insights_job,
    cron_schedule="0 6 * * 1",
    name="network_insights",
    description="On Mondays at 06:00 UTC: embeddings, whom to reach, virality, as of the day "
    "before.",
)
def network_insights_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """As of the day before."""
    day = context.scheduled_execution_time.date() - timedelta(days=1)
    return dg.RunRequest(partition_key=day.isoformat())


SCHEDULES = [
    daily_schedule,
    network_insights_schedule,
    *(label_schedule(label) for label in LABELS.values()),
    *retraining_schedules,
]
