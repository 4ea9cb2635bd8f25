"""Schedules: when jobs run, in UTC.

Belongs here: times and the partitions they ask for. Does not belong here: what a job makes.
"""

from datetime import timedelta
from typing import Any

import dagster as dg

from engagement_assets.decisions.contact.job import delivery
from engagement_assets.decisions.specs import ALONE
from engagement_assets.features.labels import LABELS, Label
from engagement_assets.lifecycle.spec import Cadence
from engagement_assets.orchestration.jobs import (
    automl_job,
    daily_job,
    ethics_audit_job,
    label_jobs,
    network_insights_job,
    retraining_jobs,
    train_jobs,
    value_job,
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
] + [
    dg.ScheduleDefinition(
        job=train_jobs[spec.name],
        cron_schedule=TRAINED_AT[spec.cadence][0],
        name=f"train_{spec.name}",
        description=f"{TRAINED_AT[spec.cadence][1]} (UTC): a candidate of {spec.name}, and "
        "whether it serves.",
    )
    for spec in ALONE
]


def weekly_schedule(job: Any, hour: int, makes: str) -> dg.ScheduleDefinition:
    """On Mondays, of the day before.

    Args:
        job: A job of daily partitions; Dagster exports no name for its type.
        hour: When, UTC.
        makes: What the job makes, in words.
    """

    @dg.schedule(
        job=job,
        cron_schedule=f"0 {hour} * * 1",
        name=job.name,
        description=f"On Mondays at {hour:02}:00 UTC: {makes}, as of the day before.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        day = context.scheduled_execution_time.date() - timedelta(days=1)
        return dg.RunRequest(partition_key=day.isoformat())

    return schedule


weekly_schedules = [
    weekly_schedule(network_insights_job, 6, "embeddings, whom to reach, virality"),
    weekly_schedule(value_job, 7, "what the programme brought"),
]

delivery_schedule = dg.ScheduleDefinition(
    job=delivery,
    cron_schedule="*/15 * * * *",
    name=delivery.name,
    description="Every quarter of an hour: the messages that are due by now.",
)

automl_schedule = dg.ScheduleDefinition(
    job=automl_job,
    cron_schedule="0 14 1 1,4,7,10 *",
    name=automl_job.name,
    description="On the first day of a quarter at 14:00 UTC, after the quarter's training: a "
    "search for each model that has one, against the champion.",
)


@dg.schedule(
    job=ethics_audit_job,
    cron_schedule="0 4 2 1,4,7,10 *",
    name=ethics_audit_job.name,
    description="On the second day of a quarter at 04:00 UTC, after the first day's runs: the "
    "audit of the quarter before, for the committee to sign off.",
)
def ethics_audit_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask for the audit of the quarter that has ended."""
    day = context.scheduled_execution_time.date().replace(day=1) - timedelta(days=1)
    return dg.RunRequest(partition_key=day.isoformat())


SCHEDULES = [
    daily_schedule,
    delivery_schedule,
    *weekly_schedules,
    *(label_schedule(label) for label in LABELS.values()),
    *retraining_schedules,
    automl_schedule,
    ethics_audit_schedule,
]
