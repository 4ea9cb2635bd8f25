"""Running jobs in this process, and again what an earlier command began and did not end.

Belongs here: one run, its tags and why it failed. Does not belong here: which jobs run
(`pipeline.py`) and what they do (`orchestration/jobs.py`).
"""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg

from engagement_assets.definitions import defs
from engagement_assets.lifecycle.assets import PROMOTED, REASONS
from engagement_assets.orchestration.jobs import PROCESSES
from engagement_assets.settings.deployment import Deployment, choose
from resources.checks import PARTITION, RANGE_END, RANGE_START

# Tags of a run that this command starts: its days, and whether it was brought to an end.
DAYS = (PARTITION, RANGE_START, RANGE_END)
MAX_RETRIES = "dagster/max_retries"
REINGEST = "engagement/reingest"
PROGRESS = "engagement/progress"
BEGUN, ENDED = "begun", "ended"
INTERRUPTED = dg.DagsterExecutionInterruptedError.__name__


class JobFailedError(RuntimeError):
    """A job did not succeed; the message says which and why."""


@dataclass
class Runner:
    """Runs jobs in this process, in the persistent DAGSTER_HOME."""

    instance: dg.DagsterInstance
    started: float

    def run(
        self,
        job: str,
        days: tuple[date, date] | None = None,
        *,
        further_tags: Mapping[str, str] | None = None,
        **config: Any,
    ) -> None:
        """Run one job over a range of days, or without partitions.

        Raises:
            JobFailedError: The job failed; names the steps and checks.
            KeyboardInterrupt: It was stopped from outside; the next command runs it again.
        """
        about = (
            "" if days is None else f" {days[0]}" + (f" to {days[1]}" if days[0] < days[1] else "")
        )
        self.say(f"{job}{about}")
        tags = {}
        if days is not None and days[0] == days[1]:
            tags = {PARTITION: days[0].isoformat()}
        elif days is not None:
            tags = {RANGE_START: days[0].isoformat(), RANGE_END: days[1].isoformat()}
        tags |= further_tags or {}
        self._execute(job, tags, {**config, "loggers": {"terminal": {}}})

    def resume(self) -> None:
        """Run again, whole, what earlier commands began and did not bring to an end.

        What such a run had made already is made again: the same bytes. So nothing that the job
        makes is missing, its checks and reports among them, whichever step was interrupted.
        """
        begun = self.instance.get_runs(dg.RunsFilter(tags={PROGRESS: BEGUN}))
        known = defs.get_repository_def().has_job
        left = [run for run in reversed(begun) if run.is_finished and known(run.job_name)]
        work = {}
        for run in left:
            tags = {name: run.tags[name] for name in (*DAYS, REINGEST) if name in run.tags}
            work[run.job_name, *tags.values()] = (run.job_name, tags, dict(run.run_config))
            self.instance.add_run_tags(run.run_id, {PROGRESS: ENDED})
        for job, tags, config in work.values():
            self.say(" ".join([f"{job}, which was interrupted,", *tags.values()]))
            self._execute(job, tags, config)

    def _execute(self, job: str, tags: Mapping[str, str], config: Mapping[str, Any]) -> None:
        # the daemon cannot start a run of this process again; the next command resumes it
        own = {PROGRESS: BEGUN, MAX_RETRIES: "0"}
        # on AWS a run of `make run` does all in this process; the executor there is for Dagster's
        # own runs, whose steps are tasks
        several = choose({Deployment.LOCAL: PROCESSES > 1, Deployment.AWS: False})
        if job == "training" and several:
            outcome: Any = dg.execute_job(
                dg.reconstructable(training_definition),
                instance=self.instance,
                tags={**tags, **own},
                run_config=dict(config),
                raise_on_error=False,
            )
        else:
            outcome = defs.resolve_job_def(job).execute_in_process(
                instance=self.instance,
                partition_key=tags.get(PARTITION),
                tags={**tags, **own},
                run_config=dict(config),
                raise_on_error=False,
            )
        if any(error.cls_name == INTERRUPTED for _, error in _errors(outcome)):
            raise KeyboardInterrupt
        self.instance.add_run_tags(outcome.run_id, {PROGRESS: ENDED})
        for refusal in _refusals(outcome):
            self.say(refusal)
        if not outcome.success:
            raise JobFailedError(_why(job, outcome))

    def say(self, text: str) -> None:
        """One line of progress."""
        sys.stderr.write(f"[{time.monotonic() - self.started:5.0f} s] {text}\n")


def training_definition() -> dg.JobDefinition:
    """The training job, as processes of their own find it."""
    return defs.resolve_job_def("training")


def _refusals(outcome: Any) -> list[str]:
    """The candidates that a run refused, from the metadata of the champions."""
    made = [
        event.step_materialization_data.materialization
        for event in outcome.all_events
        if event.event_type_value == "ASSET_MATERIALIZATION"
    ]
    return [
        f"{asset.asset_key.path[0]}: the candidate does not serve: {_on_one_line(asset)}"
        for asset in made
        if PROMOTED in asset.metadata and not asset.metadata[PROMOTED].value
    ]


def _on_one_line(asset: dg.AssetMaterialization) -> str:
    reasons = str(asset.metadata[REASONS].value).removeprefix("- ")
    return "; ".join(reasons.split("\n- "))


def _errors(outcome: Any) -> list[tuple[Any, Any]]:
    """The failures of steps and the errors behind them."""
    failures = [e for e in outcome.all_events if e.event_type_value == "STEP_FAILURE"]
    return [(event, event.step_failure_data.error) for event in failures]


def _why(job: str, outcome: Any) -> str:
    reasons = []
    for event, error in _errors(outcome):
        cause = error.cause or error
        data = event.step_failure_data.user_failure_data
        reason = data.description if data and data.description else cause.message.strip()
        reasons.append(f"{event.step_key}: {reason}")
    reasons += [
        f"{check.asset_key.to_user_string()}, {check.check_name}: {check.description}"
        for check in (
            event.asset_check_evaluation_data
            for event in outcome.all_events
            if event.event_type_value == "ASSET_CHECK_EVALUATION"
        )
        if check.blocking and not check.passed and check.severity == dg.AssetCheckSeverity.ERROR
    ]
    return (
        f"the job {job} failed (run {outcome.run_id[:8]}).\n  "
        + "\n  ".join(reasons)
        + "\nOpen it with `make dev`, or read the alerts."
    )
