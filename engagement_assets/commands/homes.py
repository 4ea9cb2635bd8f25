"""The home that a command works in.

Belongs here: from what was given to the settings of a home, and making the home. Does not belong
here: the settings themselves. Nothing of Dagster is imported: definitions read the home when they
load.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engagement_assets.learning.memory import total_bytes
from engagement_assets.settings.fields import SettingsError
from engagement_assets.settings.installation import (
    HOME_VARIABLE,
    MAPPINGS,
    PROJECT,
    SIMULATED,
    Settings,
    current_home,
    default_home,
    point_to,
)

# Dagster then hands the events of a range to the event log in batches (resources.event_log).
EVENT_BATCH = "1000"
# What simulating takes at its peak: 1.24 GiB at 100,000 customers (`benchmarks.stages`), of which
# 0.3 are the programs.
BYTES_A_CUSTOMER = 10_000


def open_home(given: Mapping[str, Any]) -> Settings:
    """Prepare the home of these settings, or the one in use where none are given."""
    settings = settings_from(given) if given else Settings.load(current_home())
    prepare_home(settings)
    return settings


def settings_from(given: Mapping[str, Any]) -> Settings:
    """Settings with values by field, over those of the home if it was made before.

    Raises:
        SettingsError: A value is wrong, or does not fit the home.
    """
    if "home" in given:
        home = Path(given["home"]).resolve()
    else:
        asked = Settings(home=PROJECT / "data", **given)
        home = default_home(asked.source, asked.customers)
    before = Settings.load(home)
    values: dict[str, Any] = {**given, "home": home}
    if before.source_data and "source_data" in given:
        values["source_data"] = _absolute(given["source_data"])
    if not before.ends:
        # a DATE holds for its own run: the next one goes on to yesterday
        values.setdefault("last_day", None)
    settings = before.with_values(**values)
    if before.first_day is not None:
        settings.check_same_world(before)
    return complete(settings)


def check_memory(settings: Settings) -> None:
    """Check that this machine can hold the simulated world.

    Raises:
        SettingsError: It has more customers than fit into memory.
    """
    memory = total_bytes()
    most = memory // BYTES_A_CUSTOMER
    if settings.source == SIMULATED and settings.customers > most:
        raise SettingsError(
            f"CUSTOMERS={settings.customers}: making so many takes about "
            f"{settings.customers * BYTES_A_CUSTOMER / 2**30:.0f} GiB of memory, and there are "
            f"{memory / 2**30:.0f}: choose at most {most}"
        )


def complete(settings: Settings) -> Settings:
    """Settings with the source's first and last day, which its first run fixes.

    Raises:
        SettingsError: The source cannot be opened.
    """
    if settings.source == SIMULATED:
        check_memory(settings)
        return settings.with_values(first_day=settings.start)
    from engagement_assets.source.errors import SourceError  # noqa: PLC0415 - loads DuckDB
    from engagement_assets.source.mapping import open_mapped  # noqa: PLC0415 - loads DuckDB

    if not settings.source_data:
        raise SettingsError(
            f"SOURCE={settings.source}: SOURCE_DATA=… must say where its raw files lie"
        )
    data = _absolute(settings.source_data)
    try:
        reader = open_mapped(settings.source, root=MAPPINGS, data=data)
        first, last = reader.first_day, reader.last_day
    except SourceError as error:
        raise SettingsError(f"SOURCE={settings.source}: {error}") from error
    if settings.last_day and last and settings.last_day > last:
        raise SettingsError(f"DATE={settings.last_day}: the source ends on {last}")
    return settings.with_values(
        source_data=data,
        first_day=first,
        last_day=settings.last_day or last,
        ends=last is not None,
    )


def _absolute(data: str) -> str:
    return data if "://" in data else str(Path(data).resolve())


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
