"""Files on this machine that are rewritten, and what is said where one is no JSON any more.

Belongs here: how a file is replaced or added to, one writer at a time, and naming a damaged file.
Does not belong here: object stores (`lake_files.put_atomically`) and what is in a file.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

STALE_TEMPORARY_SECONDS = 6 * 3600
RESTORE = "correct it, or restore its newest copy"


class DamagedFileError(ValueError):
    """A file holds something else than was written; the message names it and says what to do."""


def parsed(path: object, content: str | bytes, *, line: int | None = None) -> dict[str, Any]:
    """Return the JSON object that a file, or one line of it, holds.

    Args:
        path: The file, for the message.
        content: Its content, or that of the line.
        line: Which line it is, from 1; None for the whole file.

    Raises:
        DamagedFileError: It holds none.
    """
    where = str(path) if line is None else f"{path}, line {line},"
    try:
        entry = json.loads(content)
    # brackets within brackets, thousands deep, are too much for the parser
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"{where} is no JSON ({error}): {RESTORE}") from error
    if not isinstance(entry, dict):
        raise DamagedFileError(f"{where} is no JSON object: {RESTORE}")
    return entry


def replace_file(path: Path, payload: bytes) -> None:
    """Write a file so that it is there whole or not at all; a kill leaves the old one or the new.

    Who may read the old one may read the new one, and nobody else.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}.tmp"
    _sweep_stale(path.parent)
    try:
        temporary.touch()
        if path.exists():
            shutil.copymode(path, temporary)
        temporary.write_bytes(payload)
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            # a full disk is told by the writing, which knows no path
            error.filename = str(path)
        raise


def create_file(path: Path, content: str | bytes, *, mode: int = 0o600) -> None:
    """Write a file whole unless it is there, in which case it stays as it is.

    Raises:
        OSError: It cannot be written.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    beside.touch(mode=mode)
    try:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
        # unlike a rename it never replaces the file that another process has just made
        os.link(beside, path)
    except FileExistsError:
        pass
    finally:
        beside.unlink()


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
def held(path: Path, *, mode: int = 0o666) -> Iterator[int]:
    """Open a file to add to it, made where it is not there, and let nobody else add or replace it.

    Args:
        path: The file.
        mode: Who may read and write one that is made, as far as the process lets them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, mode)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            # who held it before may have put another in its place
            if path.exists() and os.path.samestat(path.stat(), os.fstat(file)):
                yield file
                return
        finally:
            os.close(file)


def append(path: Path, payload: bytes, *, mode: int = 0o666) -> None:
    """Add bytes to a file: all of them or, where there is no room, none; see `held` for `mode`.

    Raises:
        OSError: They cannot be added.
    """
    with held(path, mode=mode) as file:
        size = os.fstat(file).st_size
        if os.write(file, payload) < len(payload):
            # a part of a line would spoil the next one too
            os.ftruncate(file, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


@contextmanager
def one_writer(path: Path) -> Iterator[None]:
    """Let one process at a time read a file, change it and write it back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # a file beside it, since the file itself is another after each writing
    with path.with_name(f".{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
