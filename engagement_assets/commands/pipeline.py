"""Making everything that is not made yet: which jobs run, in which order, on which days.

Belongs here: the order of the jobs. Does not belong here: what counts as made (`due.py`), one run
(`runner.py`), what a job does (`orchestration/jobs.py`), the command line (`run.py`) and the
summary at the end (`summary.py`).
"""

import sys
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg

from engagement_assets.commands.due import (
    Made,
    is_published,
    last_reingestion,
    needs_training,
    predicted_by_champions,
    promoted_at,
)
from engagement_assets.commands.runner import REINGEST, JobFailedError, Runner
from engagement_assets.decisions.contact.tables import OUTBOX
from engagement_assets.decisions.counterfactuals.tables import ADVICE
from engagement_assets.decisions.customers.unified import CHANGES, CUSTOMERS
from engagement_assets.decisions.experiments.tables import RESULTS
from engagement_assets.decisions.specs import DECISIONS, TRAINED
from engagement_assets.deployments.resources import resources_of
from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.features.labels import LABELS
from engagement_assets.governance.tables import CONSENT_LEDGER, REVIEW_QUEUE
from engagement_assets.governance.value.tables import PROGRAMME_TABLE
from engagement_assets.lifecycle.access import inputs_of
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.reuse import refused_alike
from engagement_assets.lifecycle.spec import (
    UseCaseSpec,
    untrainable,
)
from engagement_assets.models.specs import FURTHER_TABLES, MODELS, OF_NO_CUSTOMER
from engagement_assets.orchestration.jobs import (
    WEEKLY,
    network_insights_job,
    value_job,
)
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
from resources.days import days_between
from resources.lake import Lake
from resources.registry import ModelRegistry

# What the job `predictions` makes of a day.
PREDICTED = (
    *(spec.output for spec in (*MODELS, *OF_NO_CUSTOMER, *DECISIONS)),
    *(table.key for table in FURTHER_TABLES),
    CUSTOMERS,
    CHANGES,
    OUTBOX.key,
    RESULTS.key,
    ADVICE.key,
    REVIEW_QUEUE,
    CONSENT_LEDGER,
)
BY_NAME = {spec.name: spec for spec in TRAINED}
FAIRNESS_OVERVIEW = "governance/fairness"


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
    made: Made,
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


def _make_weekly(runner: Runner, made: Made, settings: Settings) -> None:
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


def _make_value(runner: Runner, made: Made, day: date) -> None:
    """Measure the programme; the last, so that a business case that is refused stops nothing."""
    if made.missing(PROGRAMME_TABLE.key, [day]):
        runner.run(value_job.name, (day, day))


def _make_signals(
    runner: Runner, made: Made, settings: Settings, snapshots: Sequence[date]
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
    runner: Runner, made: Made, settings: Settings, training: Mapping[str, Snapshots]
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
