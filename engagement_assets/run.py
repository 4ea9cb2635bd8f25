"""The commands behind the Makefile: `run`, `rollback`, `home`.

Belongs here: which jobs run in which order, and telling a person about them. Does not belong here:
what a job does (`jobs.py`) and how the report reads (`summary.py`).
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from engagement_assets.settings import (
    HOME_VARIABLE,
    PROJECT,
    SIMULATED,
    Settings,
    SettingsError,
    current_home,
    default_home,
    parse,
    point_to,
)

# Names on the command line, as the Makefile passes them, and the settings they set.
ARGUMENTS = {
    "SOURCE": "source",
    "SOURCE_DATA": "source_data",
    "CUSTOMERS": "customers",
    "DAYS": "days",
    "SEED": "seed",
    "DATE": "last_day",
    "COST_LOST_CUSTOMER": "cost_lost_customer",
    "COST_INTERVENTION": "cost_intervention",
    "SAVE_RATE": "save_rate",
    "BOOTSTRAP": "bootstrap",
    "THREADS": "threads",
    "WEBHOOK": "webhook_url",
}
# Dagster then hands the events of a range to the event log in batches (resources.event_log).
EVENT_BATCH = "1000"
LONG_AGO_DAYS = 90
PREDICTIONS = "churn/predictions"


class JobFailedError(RuntimeError):
    """A job did not succeed; the message says which and why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="engagement", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="make everything that is not made yet")
    run.add_argument("settings", nargs="*", metavar="NAME=VALUE")
    rollback = commands.add_parser("rollback", help="go back to an earlier champion")
    rollback.add_argument("settings", nargs="*", metavar="NAME=VALUE")
    commands.add_parser("home", help="print the home in use").add_argument(
        "settings", nargs="*", metavar="NAME=VALUE"
    )
    parsed = parser.parse_args(arguments)
    command: Callable[[dict[str, str]], int] = {
        "run": run_command,
        "rollback": rollback_command,
        "home": home_command,
    }[parsed.command]
    try:
        return command(pairs(parsed.settings))
    except (SettingsError, JobFailedError) as error:
        sys.stderr.write(f"\nerror: {error}\n")
        return 2 if isinstance(error, SettingsError) else 1


def pairs(arguments: Sequence[str]) -> dict[str, str]:
    """Read NAME=VALUE arguments; an empty value counts as not given.

    Raises:
        SettingsError: An argument is not of that form.
    """
    values = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals:
            raise SettingsError(f"{argument!r}: expected NAME=VALUE")
        if value.strip():
            values[name] = value.strip()
    return values


def settings_from(values: dict[str, str]) -> Settings:
    """Settings from NAME=VALUE pairs, over those of the home if it was made before.

    Raises:
        SettingsError: A name or value is wrong, or they do not fit the home.
    """
    known = {*ARGUMENTS, "HOME_DIR", "RETRAIN"}
    unknown = sorted(values.keys() - known)
    if unknown:
        raise SettingsError(
            f"unknown setting {', '.join(unknown)}; the settings are {', '.join(sorted(known))}"
        )
    given = parse(
        {ARGUMENTS[name]: value for name, value in values.items() if name in ARGUMENTS},
        where="arguments",
    )
    source = str(given.get("source", SIMULATED))
    customers = int(given.get("customers", Settings.customers))
    home = Path(values["HOME_DIR"]) if "HOME_DIR" in values else default_home(source, customers)
    before = Settings.load(home.resolve())
    if before.source_data and "source_data" in given:
        given["source_data"] = str(_absolute(str(given["source_data"])))
    if not before.ends:
        # a DATE holds for its own run: the next one goes on to yesterday
        before = before.with_values({"last_day": None})
    settings = before.with_values(given) if given else before
    if before.first_day is not None:
        settings.check_same_world(before)
    return complete(settings)


def complete(settings: Settings) -> Settings:
    """Settings with the source's first and last day, which its first run fixes.

    Raises:
        SettingsError: The source cannot be opened.
    """
    if settings.source == SIMULATED:
        return replace(settings, first_day=settings.start)
    from engagement_assets.source.errors import SourceError  # noqa: PLC0415 - loads DuckDB
    from engagement_assets.source.mapping import open_mapped  # noqa: PLC0415 - as above

    if not settings.source_data:
        raise SettingsError(
            f"SOURCE={settings.source}: SOURCE_DATA=… must say where its raw files lie"
        )
    data = str(_absolute(settings.source_data))
    try:
        reader = open_mapped(settings.source, root=PROJECT / "sql" / "source", data=data)
        first, last = reader.first_day, reader.last_day
    except SourceError as error:
        raise SettingsError(f"SOURCE={settings.source}: {error}") from error
    if settings.last_day and last and settings.last_day > last:
        raise SettingsError(f"DATE={settings.last_day}: the source ends on {last}")
    return replace(
        settings,
        source_data=data,
        first_day=first,
        last_day=settings.last_day or last,
        ends=last is not None,
    )


def _absolute(data: str) -> Path | str:
    return data if "://" in data else Path(data).resolve()


def prepare_home(settings: Settings) -> None:
    """Write the settings, make this home the one in use, and give Dagster its own folder."""
    settings.save()
    if HOME_VARIABLE not in os.environ:
        # where the environment names a home, the pointer is not read; so it is not moved either
        point_to(settings.home)
    os.environ[HOME_VARIABLE] = str(settings.home)
    dagster_home = settings.home / "dagster_home"
    dagster_home.mkdir(parents=True, exist_ok=True)
    shutil.copy(PROJECT / "dagster.yaml", dagster_home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(dagster_home)
    # named in dagster.yaml
    os.environ["ENGAGEMENT_EVENT_LOG"] = str(dagster_home / "history")
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", EVENT_BATCH)


def home_command(values: dict[str, str]) -> int:
    """Print the home that the arguments, or the last run, name; make it if it is new."""
    settings = settings_from(values) if values else Settings.load(current_home())
    prepare_home(settings)
    sys.stdout.write(f"{settings.home}\n")
    return 0


def rollback_command(values: dict[str, str]) -> int:
    """Go back to the champion before the present one, or to VERSION."""
    import dagster as dg  # noqa: PLC0415 - half a second that a wrong setting need not wait for
    from upath import UPath  # noqa: PLC0415 - as above

    from resources.registry import ModelRegistry, RegistryError  # noqa: PLC0415 - as above

    model = values.pop("MODEL", "churn")
    version = values.pop("VERSION", None)
    settings = settings_from(values) if values else Settings.load(current_home())
    prepare_home(settings)
    registry = ModelRegistry(UPath(settings.home / "registry"))
    try:
        now = registry.rollback(model, to=version, reason="make rollback")
    except RegistryError as error:
        raise SettingsError(str(error)) from error
    with dg.DagsterInstance.get() as instance:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                [model, "champion"],
                description="rolled back",
                metadata={"model_version": now, "promoted": False},
            )
        )
    sys.stdout.write(f"the champion of {model} is {now} again; run `make run` to predict with it\n")
    return 0


@dataclass
class Runner:
    """Runs jobs in this process, in the persistent DAGSTER_HOME."""

    instance: Any
    started: float

    def run(self, job: str, days: tuple[date, date] | None = None, **config: Any) -> None:
        """Run one job over a range of days, or without partitions.

        Raises:
            JobFailedError: The job failed; names the steps and checks.
        """
        from engagement_assets.definitions import defs  # noqa: PLC0415 - after the home is set

        about = (
            "" if days is None else f" {days[0]}" + (f" to {days[1]}" if days[0] < days[1] else "")
        )
        self.say(f"{job}{about}")
        tags: dict[str, str] = {}
        key: str | None = None
        if days is not None and days[0] == days[1]:
            key = days[0].isoformat()
        elif days is not None:
            tags = {
                "dagster/asset_partition_range_start": days[0].isoformat(),
                "dagster/asset_partition_range_end": days[1].isoformat(),
            }
        outcome = defs.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            partition_key=key,
            tags=tags,
            run_config={**config, "loggers": {"terminal": {}}},
            raise_on_error=False,
        )
        if not outcome.success:
            raise JobFailedError(_why(job, outcome))

    def say(self, text: str) -> None:
        """One line of progress."""
        sys.stderr.write(f"[{time.monotonic() - self.started:5.0f} s] {text}\n")


def _why(job: str, outcome: Any) -> str:
    reasons = []
    for event in outcome.all_events:
        if event.event_type_value == "STEP_FAILURE":
            error = event.step_failure_data.error
            cause = error.cause or error
            data = event.step_failure_data.user_failure_data
            said = data.description if data and data.description else cause.message.strip()
            reasons.append(f"{event.step_key}: {said}")
    return (
        f"the job {job} failed (run {outcome.run_id[:8]}).\n  "
        + "\n  ".join(reasons)
        + "\nOpen it with `make dev`, or read the alerts."
    )


def run_command(values: dict[str, str]) -> int:
    """Make everything that is not made yet, and say what there is."""
    retrain = values.get("RETRAIN", "") not in ("", "0")
    settings = settings_from(values)
    prepare_home(settings)
    import dagster as dg  # noqa: PLC0415 - after DAGSTER_HOME is set

    from engagement_assets.summary import headline, summary  # noqa: PLC0415 - as above

    sys.stderr.write(headline(settings))
    opened: AbstractContextManager[Any] = dg.DagsterInstance.get()
    with opened as instance:
        runner = Runner(instance, time.monotonic())
        try:
            _make(runner, settings, retrain=retrain)
        finally:
            _tell_alerts(settings, instance)
        sys.stdout.write(summary(settings, instance, seconds=time.monotonic() - runner.started))
    return 0


def _make(runner: Runner, settings: Settings, *, retrain: bool) -> None:
    from engagement_assets.features.catalogue import CUSTOMER_FEATURES  # noqa: PLC0415 - after home
    from engagement_assets.features.labels import LABELS  # noqa: PLC0415 - as above
    from engagement_assets.models.dates import Snapshots  # noqa: PLC0415 - as above
    from resources.lake import Lake  # noqa: PLC0415 - as above

    lake = Lake(settings.lake_root)
    start, end = settings.start, settings.end
    made = Made(runner.instance, lake)
    new = made.missing("source/sessions", _span(start, end))
    if new:
        runner.run("ingest", (new[0], new[-1]))
    snapshots = Snapshots.before(end)
    if snapshots.train < start:
        raise JobFailedError(
            f"the data from {start} to {end} are too short for a churn model: it needs snapshots "
            f"on {snapshots.train} and {snapshots.test}"
        )
    training = needs_training(settings, retrain=retrain)
    wanted = [end, *((snapshots.train, snapshots.test) if training else ())]
    for day in made.missing(CUSTOMER_FEATURES, sorted(set(wanted))):
        runner.run("features", (day, day))
    for label in LABELS.values():
        days = (
            [snapshots.train, snapshots.test] if training and label.name == "churn_30_day" else []
        )
        latest = label.latest_snapshot_date(end)
        days += [latest] if latest >= start and not made.absent(label.required_tables) else []
        for day in made.missing(label.table, sorted(set(days))):
            runner.run(f"label_{label.name}", (day, day))
    if training:
        as_of = {"config": {"as_of": end.isoformat()}}
        runner.run("training", ops={"churn__model": as_of})
    if training or made.missing(PREDICTIONS, [end]) or not predicted_by_champion(settings, lake):
        runner.run("predictions", (end, end))


def predicted_by_champion(settings: Settings, lake: Any) -> bool:
    """Whether the last day's predictions are the champion's, which a rollback moves."""
    from upath import UPath  # noqa: PLC0415 - half a second

    from resources.registry import ModelRegistry  # noqa: PLC0415 - as above

    champion = ModelRegistry(UPath(settings.home / "registry")).champion("churn")
    made_by = lake.read(PREDICTIONS, days=[settings.end], columns=["model_version"])
    return set(made_by.column("model_version").to_pylist()) <= {champion}


def needs_training(settings: Settings, *, retrain: bool) -> bool:
    """Whether there is no champion, it is a quarter old, or its costs are not those set now.

    After a rollback only `RETRAIN=1` trains: the same data would give the very version that was
    turned down.
    """
    from upath import UPath  # noqa: PLC0415 - half a second

    from resources.registry import ModelRegistry  # noqa: PLC0415 - as above

    registry = ModelRegistry(UPath(settings.home / "registry"))
    version = registry.champion("churn")
    if version is None or retrain:
        return True
    if registry.history("churn")[-1]["action"] == "rollback":
        sys.stderr.write("the champion was rolled back: no new training without RETRAIN=1\n")
        return False
    card = registry.card("churn", version)
    told = {
        "cost_lost_customer_usd": settings.cost_lost_customer,
        "cost_intervention_usd": settings.cost_intervention,
        "save_rate": settings.save_rate,
    }
    tested = date.fromisoformat(card["test_snapshot"])
    old = settings.end - tested > timedelta(days=LONG_AGO_DAYS)
    return old or any(card["thresholds"][name] != value for name, value in told.items())


@dataclass
class Made:
    """What is made already: in the lake and in Dagster's records, since either may be removed."""

    instance: Any
    lake: Any

    def missing(self, table: str, days: Sequence[date]) -> list[date]:
        """The days of a table that are not made yet."""
        import dagster as dg  # noqa: PLC0415 - half a second

        recorded = self.instance.get_materialized_partitions(dg.AssetKey(table.split("/")))
        there = set(self.lake.days(table))
        return [day for day in days if day not in there or day.isoformat() not in recorded]

    def absent(self, tables: Sequence[str]) -> bool:
        """Whether one of these tables has no rows at all."""
        return any(
            not any(self.lake.row_count(table, day) for day in self.lake.days(table))
            for table in tables
        )


def _span(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _tell_alerts(settings: Settings, instance: Any) -> None:
    from engagement_assets.deployment import deployment, resources_for  # noqa: PLC0415 - after home

    resources_for(deployment(), settings)["alerts"].tell(instance)


if __name__ == "__main__":
    raise SystemExit(main())
