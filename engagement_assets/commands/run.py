"""The commands behind the Makefile: `run`, `rollback`, `home`.

Belongs here: arguments, the home, exit statuses. Does not belong here: which jobs run
(`pipeline.py`) and how the report reads (`summary.py`). Nothing of Dagster is imported before the
settings hold and the home is made: definitions read both when they load.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from engagement_assets.settings.installation import (
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
    "TEXT_ENCODER": "text_encoder",
    "SENTIMENT_ADAPTER": "sentiment_adapter",
    "SENTIMENT_WINDOW": "sentiment_window",
    "MESSAGE_WEIGHT": "message_weight",
    "REACTION_WEIGHT": "reaction_weight",
    "NODE2VEC_P": "node2vec_p",
    "NODE2VEC_Q": "node2vec_q",
    "VIRALITY_ESTIMATOR": "virality_estimator",
    "RECOMMENDER": "recommender",
    "REVIEW_SHARE": "review_share",
    "CHANNEL_CAC": "channel_cac",
    "TRAINING_PROCESSES": "training_processes",
}
# Dagster then hands the events of a range to the event log in batches (resources.event_log).
EVENT_BATCH = "1000"


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
    except SettingsError as error:
        sys.stderr.write(f"\nerror: {error}\n")
        return 2


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

    from resources.registry import RegistryError  # noqa: PLC0415 - as above

    model = values.pop("MODEL", "churn")
    version = values.pop("VERSION", None)
    settings = settings_from(values) if values else Settings.load(current_home())
    prepare_home(settings)
    from engagement_assets.deployments.resources import registry_of  # noqa: PLC0415 - after home

    registry = registry_of(settings)
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


def run_command(values: dict[str, str]) -> int:
    """Make everything that is not made yet, and say what there is."""
    retrain = values.get("RETRAIN", "") not in ("", "0")
    settings = settings_from(values)
    prepare_home(settings)
    # a run that crosses midnight goes on with the day that it began with
    settings = replace(settings, last_day=settings.end)
    import dagster as dg  # noqa: PLC0415 - after DAGSTER_HOME is set

    from engagement_assets.commands import pipeline  # noqa: PLC0415 - as above
    from engagement_assets.commands.summary import headline, summary  # noqa: PLC0415 - as above
    from resources.event_log import end_abandoned_runs  # noqa: PLC0415 - as above

    sys.stderr.write(headline(settings))
    opened: AbstractContextManager[Any] = dg.DagsterInstance.get()
    with opened as instance:
        end_abandoned_runs(instance)
        runner = pipeline.Runner(instance, time.monotonic())
        try:
            pipeline.make_all(runner, settings, retrain=retrain)
        except (pipeline.JobFailedError, pipeline.JobInterruptedError) as error:
            sys.stderr.write(f"\nerror: {error}\n")
            return 1
        finally:
            _tell_alerts(settings, instance)
        sys.stdout.write(summary(settings, instance, seconds=time.monotonic() - runner.started))
    return 0


def _tell_alerts(settings: Settings, instance: Any) -> None:
    from engagement_assets.deployments.resources import deployment, resources_for  # noqa: PLC0415 - after home

    resources_for(deployment(), settings)["alerts"].tell(instance)


if __name__ == "__main__":
    raise SystemExit(main())
