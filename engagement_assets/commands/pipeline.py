"""Making everything that is not made yet: which jobs run, in which order, on which days.

Belongs here: the order of the jobs and what counts as made. Does not belong here: what a job does
(`jobs.py`), the command line (`run.py`) and what is said at the end (`summary.py`).
"""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg

from engagement_assets.decisions.contact.tables import OUTBOX
from engagement_assets.decisions.customers.unified import CHANGES, CUSTOMERS
from engagement_assets.decisions.experiments.tables import RESULTS
from engagement_assets.decisions.specs import DECISIONS
from engagement_assets.definitions import defs
from engagement_assets.deployments.resources import resources_of
from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.features.labels import LABELS, WINDOW_COLUMN, Label
from engagement_assets.governance.tables import REVIEW_QUEUE
from engagement_assets.governance.value.tables import PROGRAMME_TABLE
from engagement_assets.lifecycle.access import inputs_of
from engagement_assets.lifecycle.assets import PROMOTED, REASONS
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.reuse import refused_alike
from engagement_assets.lifecycle.spec import (
    LABEL_WINDOWS,
    Cadence,
    UseCaseSpec,
    label_windows,
    untrainable,
)
from engagement_assets.models.forecast.tables import TABLES as FORECAST_TABLES
from engagement_assets.models.specs import FORECAST, MODELS
from engagement_assets.orchestration.jobs import (
    PROCESSES,
    TRAINED,
    WEEKLY,
    network_insights_job,
    value_job,
)
from engagement_assets.settings.deployment import Deployment, choose
from engagement_assets.settings.installation import SIMULATED, Settings
from engagement_assets.signals.sentiment.scoring import window_days
from engagement_assets.signals.tables import (
    CUSTOMER_SENTIMENT,
    EMBEDDINGS,
    NETWORK_METRICS,
    SEEDS,
    SENTIMENT_SCORES,
)
from engagement_assets.source.assets import PROFILE
from engagement_assets.source.provenance import changed_tables, describe
from engagement_assets.source.quarantine import SOURCE_TABLES
from engagement_assets.source.readers import SourceReader
from resources.checks import PARTITION, RANGE_END, RANGE_START, asset_key
from resources.days import days_between
from resources.lake import Lake
from resources.online_store.store import OnlineStore
from resources.registry import ModelRegistry

# A champion is retrained when data this many days newer than its own can be learnt from.
MAX_AGE_DAYS: dict[Cadence, int] = {"daily": 0, "weekly": 6, "quarterly": 60}
# What the job `predictions` makes of a day.
PREDICTED = (
    *(spec.output for spec in (*MODELS, FORECAST, *DECISIONS)),
    *(table.key for table in FORECAST_TABLES),
    CUSTOMERS,
    CHANGES,
    OUTBOX.key,
    RESULTS.key,
    REVIEW_QUEUE,
)
BY_NAME = {spec.name: spec for spec in TRAINED}
FAIRNESS_OVERVIEW = "governance/fairness"
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
    return (
        f"the job {job} failed (run {outcome.run_id[:8]}).\n  "
        + "\n  ".join(reasons)
        + "\nOpen it with `make dev`, or read the alerts."
    )


def make_all(runner: Runner, settings: Settings, *, retrain: bool, reingest: bool) -> None:
    """Run the jobs whose results are not there yet.

    Args:
        runner: Runs them.
        settings: The installation, its last day resolved: one run has one day.
        retrain: Whether to train although the champions are young.
        reingest: Whether to take all days in again and make everything again from them.

    Raises:
        JobFailedError: A job failed, or no model can be learnt from so few days.
    """
    own = resources_of(settings)
    lake: Lake = own["lake"].lake
    registry: ModelRegistry = own["registry"].registry
    start, end = settings.start, settings.end
    runner.resume()
    made = Made(runner.instance, lake)
    if reingest or _must_reingest(runner, own["source"].reader, lake):
        _reingest(runner, lake, own["reports"], start, end)
    new = made.missing("source/sessions", days_between(start, end))
    if new:
        _ingest(runner, own["reports"], (new[0], new[-1]))
    made.since = last_reingestion(runner.instance)
    dates = {spec.name: spec.dates(end, first_day=start) for spec in TRAINED}
    due = [
        spec
        for spec in TRAINED
        if needs_training(spec, registry, settings, retrain=retrain or made.is_outdated(spec))
        and (retrain or not _refused_alike(runner, spec, own, dates[spec.name]))
    ]
    able: list[UseCaseSpec] = []
    for spec in due:
        serving = {
            other.name for other in TRAINED if registry.champion(other.name) or other in able
        }
        absent = set(spec.builds_on) - serving
        if absent:
            runner.say(f"{spec.name} is not trained: it builds on {', '.join(sorted(absent))}")
        elif _able(runner, spec, lake, dates[spec.name], settings):
            able.append(spec)
    if len(due) == len(TRAINED) and not able:
        raise JobFailedError(
            f"no model can be learnt from the data from {start} to {end}; the lines above say what "
            "each needs"
        )
    _make_snapshots(
        runner,
        made,
        settings,
        {spec.name: dates[spec.name] for spec in able if spec.reads_snapshots and not spec.at_hand},
    )
    _train(runner, made, due=due, able=able, as_of=end)
    if (
        any(made.missing(table, [end]) for table in PREDICTED)
        or not own["catalogue"].exists()
        or not predicted_by_champions(registry, lake, end)
        or any(made.is_before(spec.output, promoted_at(registry, spec.name)) for spec in TRAINED)
    ):
        runner.run("predictions", (end, end))
    elif not is_published(own["online_store"].store, end):
        runner.run("publish", (end, end))
    _make_weekly(runner, made, settings)
    if settings.source == SIMULATED:
        tests = {snapshots.test for snapshots in dates.values() if snapshots.test >= start}
        _write_truth(runner, settings, lake, sorted({*tests, end}))
    _make_value(runner, made, end)


def _must_reingest(runner: Runner, reader: SourceReader, lake: Lake) -> bool:
    """Whether all days must be taken in again by a mapping that changed, at no cost but time.

    Raises:
        JobFailedError: There are features, labels and models of the old rows: whoever runs this
            says whether to make all of it again.
    """
    changed = changed_tables(reader, lake)
    if not changed:
        return False
    if set(changed.values()) != {"added"} and lake.days(CUSTOMER_FEATURES):
        raise JobFailedError(describe(reader, changed))
    runner.say(f"the mapping changed ({', '.join(sorted(changed))}): all days are taken in again")
    return True


def _reingest(runner: Runner, lake: Lake, reports: Any, start: date, end: date) -> None:
    """Take all days in again, none before the first left."""
    for table in SOURCE_TABLES:
        if any(day < start for day in lake.days(table.key)):
            lake.remove_before(table.key, start)
    _ingest(runner, reports, (start, end), further_tags={REINGEST: "yes"})


def _ingest(runner: Runner, reports: Any, days: tuple[date, date], **more: Any) -> None:
    """Take days in and show what was taken in, above all where its checks fail."""
    failed = None
    try:
        runner.run("ingest", days, **more)
    except JobFailedError as error:
        failed = error
    report = reports.create_io_manager(dg.build_init_resource_context()).latest(PROFILE)
    if report is not None:
        sys.stderr.write(f"\n{report.figures['text']}\n")
    if failed is not None:
        raise failed


def last_reingestion(instance: dg.DagsterInstance) -> float | None:
    """When all days were last taken in again, in seconds since 1970; None where never."""
    runs = instance.get_run_records(dg.RunsFilter(tags={REINGEST: "yes"}), limit=1)
    return runs[0].start_time if runs else None


def _refused_alike(
    runner: Runner, spec: UseCaseSpec, own: Mapping[str, Any], dates: Snapshots
) -> bool:
    """Whether training would only make again a candidate that was refused; says so."""
    names = ("engine", "registry", "source", "settings")
    inputs = inputs_of(spec, **{name: own[name] for name in names})
    refusal = refused_alike(spec, inputs, dates)
    if refusal is not None:
        runner.say(
            f"{spec.name} is not trained again: {refusal.version} was refused on the same data and "
            "settings (RETRAIN=1 trains it)"
        )
    return refusal is not None


def _able(
    runner: Runner, spec: UseCaseSpec, lake: Lake, dates: Snapshots, settings: Settings
) -> bool:
    """Whether there is anything to learn a model from; says what is missing."""
    reason = untrainable(spec, lake, dates, first_day=settings.start)
    if reason is not None:
        runner.say(f"{spec.name} is not trained: {reason}")
    return reason is None


def _train(
    runner: Runner,
    made: "Made",
    *,
    due: Sequence[UseCaseSpec],
    able: Sequence[UseCaseSpec],
    as_of: date,
) -> None:
    """Train what is due, and report fairness across the models whether or not each was trained.

    All in one run where all are due, so that the assets of those that cannot be trained say why; or
    else each that can be in its own.

    Raises:
        JobFailedError: Something broke. A candidate that is refused breaks nothing.
    """
    config = {"config": {"as_of": as_of.isoformat()}}
    jobs = {f"train_{spec.name}": [spec] for spec in able}
    if len(due) == len(TRAINED):
        jobs = {"training": list(TRAINED)}
    errors = []
    for job, specs in jobs.items():
        try:
            runner.run(job, ops={f"{spec.name}__{spec.candidate}": config for spec in specs})
        except JobFailedError as error:
            errors.append(error)
    reports = [f"{spec.name}/fairness" for spec in TRAINED if "fairness" in spec.training_parts]
    if made.is_older(FAIRNESS_OVERVIEW, reports):
        runner.run("fairness_overview")
    if errors:
        raise JobFailedError("\n".join(map(str, errors))) from errors[0]


def _make_weekly(runner: Runner, made: "Made", settings: Settings) -> None:
    """Train what is trained weekly and make what is made of a day each week, for the last day."""
    day = settings.end
    needed = sorted({table for spec in WEEKLY for table in spec.required})
    missing = [table for table in needed if made.absent([table])]
    if missing:
        runner.say(f"no weekly model is trained: there are no rows in {', '.join(missing)}")
        return
    tables = [spec.output for spec in WEEKLY if spec.daily_parts]
    if any(made.missing(table, [day]) for table in (*tables, EMBEDDINGS.key, SEEDS.key)):
        config = {"config": {"as_of": day.isoformat()}}
        runner.run("weekly_training", ops={f"{spec.name}__model": config for spec in WEEKLY})
        runner.run(network_insights_job.name, (day, day))


def _make_value(runner: Runner, made: "Made", day: date) -> None:
    """Measure the programme; the last, so that a business case that is refused stops nothing."""
    if made.missing(PROGRAMME_TABLE.key, [day]):
        runner.run(value_job.name, (day, day))


def _make_signals(
    runner: Runner, made: "Made", settings: Settings, snapshots: Sequence[date]
) -> None:
    """What the snapshots that are not made yet take from texts and from the social graph."""
    wanted = made.missing(CUSTOMER_FEATURES, snapshots)
    customer, network = (
        set(made.missing(table, wanted)) for table in (CUSTOMER_SENTIMENT.key, NETWORK_METRICS.key)
    )
    windows = {
        day
        for snapshot in customer
        for day in window_days(snapshot, first_day=settings.start, days=settings.sentiment_window)
    }
    for first, last in ranges(made.missing(SENTIMENT_SCORES.key, sorted(windows))):
        runner.run("text_scores", (first, last))
    for day in sorted(customer | network):
        runner.run("signals", (day, day))


def ranges(days: Sequence[date]) -> list[tuple[date, date]]:
    """First and last of each stretch of consecutive days."""
    stretches: list[tuple[date, date]] = []
    for day in days:
        if stretches and day - stretches[-1][1] == timedelta(days=1):
            stretches[-1] = (stretches[-1][0], day)
        else:
            stretches.append((day, day))
    return stretches


def _make_snapshots(
    runner: Runner, made: "Made", settings: Settings, training: Mapping[str, Snapshots]
) -> None:
    """Features of the last day and of a training, with their signals; labels of each kind."""
    start, end = settings.start, settings.end
    features = {end} | {day for dates in training.values() for day in dates.all}
    _make_signals(runner, made, settings, sorted(features))
    for day in made.missing(CUSTOMER_FEATURES, sorted(features)):
        runner.run("features", (day, day))
    for label in LABELS.values():
        taught = [name for name in training if label.key in BY_NAME[name].learns_from]
        days = {day for name in taught for day in training[name].all}
        latest = label.latest_snapshot_date(end)
        if latest >= start and not made.absent(label.required_tables):
            days.add(latest)
        for day in made.missing_labels(label, sorted(days)):
            runner.run(f"label_{label.name}", (day, day))


def _write_truth(runner: Runner, settings: Settings, lake: Lake, days: Sequence[date]) -> None:
    """Write what the simulator knows, for whoever wants to measure a model against it."""
    from engagement_assets.source.simulator import VARIANTS, Simulator  # noqa: PLC0415 - not for other sources
    from engagement_assets.source.truth import CHURN, write_truth  # noqa: PLC0415 - not for other sources

    wanted = [day for day in days if not lake.exists(CHURN, day)]
    if not wanted:
        return
    runner.say("truth tables, which no asset reads")
    world = Simulator(
        customers=settings.customers,
        seed=settings.seed,
        first_day=settings.start,
        days=settings.days,
        causes=VARIANTS[settings.world],
    )
    write_truth(lake, world, wanted)


def predicted_by_champions(registry: ModelRegistry, lake: Lake, day: date) -> bool:
    """Whether a day's predictions are the champions', which a rollback moves."""
    for spec in MODELS:
        made_by = lake.read(spec.predictions, days=[day], columns=["model_version"])
        versions = set(made_by.column("model_version").to_pylist())
        if not versions <= {registry.champion(spec.name)}:
            return False
    return True


def promoted_at(registry: ModelRegistry, model: str) -> float:
    """When the present champion began to serve, in seconds since 1970; 0 where there is none."""
    history = registry.history(model)
    return datetime.fromisoformat(history[-1]["at"]).timestamp() if history else 0.0


def is_published(store: OnlineStore, day: date) -> bool:
    """Whether the online store serves a day, or a newer one."""
    served = store.served()
    return served is not None and served.snapshot_date >= day


def needs_training(
    spec: UseCaseSpec, registry: ModelRegistry, settings: Settings, *, retrain: bool
) -> bool:
    """Whether there is no champion, it is old, or its costs or windows are not today's.

    After a rollback only `RETRAIN=1` trains: the same data would give the very version that was
    turned down.
    """
    version = registry.champion(spec.name)
    if version is None or retrain:
        return True
    if version in registry.retired(spec.name):
        sys.stderr.write(f"{spec.name} learnt from somebody who was erased: it is learnt again\n")
        return True
    if registry.history(spec.name)[-1]["action"] == "rollback":
        sys.stderr.write(
            f"the champion of {spec.name} was rolled back: no new training without RETRAIN=1\n"
        )
        return False
    card = registry.card(spec.name, version)
    tested = date.fromisoformat(card["test_snapshot"])
    age = settings.end - timedelta(days=spec.window_days) - tested
    if age > timedelta(days=MAX_AGE_DAYS[spec.cadence]):
        return True
    costs = {
        "cost_lost_customer_usd": settings.cost_lost_customer,
        "cost_intervention_usd": settings.cost_intervention,
        "save_rate": settings.save_rate,
    }
    if card[LABEL_WINDOWS] != label_windows(spec):
        return True
    thresholds = card.get("thresholds", {})
    return any(thresholds[name] != value for name, value in costs.items() if name in thresholds)


@dataclass
class Made:
    """What is made already: in the lake and in Dagster's records, since either may be removed.

    Attributes:
        since: When all days of the source were last taken in again: what was made before then is
            not made any more. None where they never were.
    """

    instance: dg.DagsterInstance
    lake: Lake
    since: float | None = None

    def missing(self, table: str, days: Sequence[date]) -> list[date]:
        """The days of a table that are not made yet."""
        recorded = self._recorded(table)
        there, filled = set(self.lake.days(table)), set(self.lake.filled_days(table))
        # of many days without rows, not each is recorded
        return [
            day
            for day in days
            if day not in there or (day in filled and day.isoformat() not in recorded)
        ]

    def _recorded(self, table: str) -> set[str]:
        key = dg.AssetKey(table.split("/"))
        if self.since is None:
            return self.instance.get_materialized_partitions(key)
        wanted = dg.AssetRecordsFilter(asset_key=key, after_timestamp=self.since)
        recorded, cursor, more = set(), None, True
        while more:
            page = self.instance.fetch_materializations(wanted, limit=1000, cursor=cursor)
            recorded |= {record.partition_key for record in page.records if record.partition_key}
            cursor, more = page.cursor, page.has_more
        return recorded

    def is_outdated(self, spec: UseCaseSpec) -> bool:
        """Whether a model was last trained before all days were taken in again."""
        return self.since is not None and self._made_at(f"{spec.name}/champion") < self.since

    def missing_labels(self, label: Label, days: Sequence[date]) -> list[date]:
        """The days of a label that are not made yet, or look at other days than are set."""
        absent = set(self.missing(label.key, days))
        name = WINDOW_COLUMN.name
        for day in days:
            if day not in absent:
                made_with = self.lake.read(label.key, days=[day], columns=[name]).column(name)
                absent |= {day} if set(made_with.to_pylist()) - {label.window_days} else set()
        return sorted(absent)

    def is_older(self, asset: str, inputs: Sequence[str]) -> bool:
        """Whether an asset was not made since one of its inputs was."""
        made_at = self._made_at(asset)
        return any(self._made_at(table) > made_at for table in inputs)

    def is_before(self, asset: str, at: float) -> bool:
        """Whether an asset was last made before a time, in seconds since 1970."""
        return self._made_at(asset) < at

    def _made_at(self, asset: str) -> float:
        event = self.instance.get_latest_materialization_event(asset_key(asset))
        return event.timestamp if event else 0.0

    def absent(self, tables: Sequence[str]) -> bool:
        """Whether one of these tables has no rows at all."""
        return not all(self.lake.has_rows(table) for table in tables)
