"""Dagster's records of the home, for commands.

Belongs here: opening them, and words where they cannot be used. Does not belong here: what they say
(`due.py`) and how they are written (`resources/event_log.py`).
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import sqlalchemy
from dagster._core.instance.ref import InstanceRef

from engagement_assets.commands.options import ROOM, CommandError

# Printed at a terminal; files of it as well would take four processes a run, which a Ctrl-C
# reaches too.
NO_FILES = {
    "module": "dagster._core.storage.noop_compute_log_manager",
    "class": "NoOpComputeLogManager",
}
FULL = "disk is full"
# With less room SQLite's errors of reading and writing are those of a full disk.
LITTLE_BYTES = 2**22
# Runs that may write.
AT_WORK = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


class RecordsError(CommandError):
    """Dagster's records cannot be read or written; the message says what to do."""


@contextmanager
def records() -> Iterator[dg.DagsterInstance]:
    """Open the records that `DAGSTER_HOME` names.

    Raises:
        RecordsError: A database is damaged or cannot be written.
    """
    home = os.environ["DAGSTER_HOME"]
    ref = InstanceRef.from_dir(home, overrides={"compute_logs": NO_FILES})
    try:
        with dg.DagsterInstance.from_ref(ref) as instance:
            yield instance
    except sqlalchemy.exc.DatabaseError as error:
        reason = str(error.orig)
        full = FULL in reason or shutil.disk_usage(home).free < LITTLE_BYTES
        todo = (
            ROOM
            if full
            else "end other processes that use it and give the same command again; where it is "
            "damaged, restore it, or move the folder away: the lake and the models stay, and what "
            "is on no record is made again"
        )
        raise RecordsError(
            f"Dagster's records in {home} cannot be used ({reason}): {todo}"
        ) from error


def at_work(instance: dg.DagsterInstance) -> str:
    """Name a run that may write to the lake now; empty where there is none."""
    running = instance.get_runs(dg.RunsFilter(statuses=AT_WORK))
    return f"run {running[0].run_id[:8]} of {running[0].job_name}" if running else ""
