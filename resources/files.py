"""Files on this machine that are rewritten.

Belongs here: how a file is replaced, and one writer at a time. Does not belong here: object stores
(`lake.put_atomically`) and what is in a file.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)

STALE_TEMPORARY_SECONDS = 6 * 3600


def replace_file(path: Path, payload: bytes) -> None:
    """Write a file so that it is there whole or not at all; a kill leaves the old one or the new.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}.tmp"
    _sweep_stale(path.parent)
    try:
        temporary.write_bytes(payload)
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            # a full disk is told by the writing, which knows no path
            error.filename = str(path)
        raise


def _sweep_stale(folder: Path) -> None:
    with os.scandir(folder) as entries:
        stale = [
            entry.path
            for entry in entries
            if entry.name.endswith(".tmp") and _age_seconds(entry) > STALE_TEMPORARY_SECONDS
        ]
    for path in stale:
        logger.warning("removing %s, left by a run that was killed", path)
        Path(path).unlink(missing_ok=True)


def _age_seconds(entry: os.DirEntry[str]) -> float:
    try:
        return time.time() - entry.stat().st_mtime
    except FileNotFoundError:
        # another writer swapped it in between the listing and this look
        return 0.0


@contextmanager
def one_writer(path: Path) -> Iterator[None]:
    """Let one process at a time read a file, change it and write it back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # a file beside it, since the file itself is another after each writing
    with path.with_name(f".{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
