"""The SQLite file of an online store: its tables, connections, and the cell of its lease.

Belongs here: opening and what is in the file. Does not belong here: what is published
(`sqlite.py`).
"""

import functools
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

from resources.online_store.lease import Lease
from resources.online_store.releases import OnlineStoreError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

FORMAT = 1
BUSY_SECONDS = 10.0
# Numbers, not names, in `records`: a name of 27 bytes in each row and twice in the index would be
# a third of a small document. AUTOINCREMENT: a number never comes again, so readers may keep it.
TABLES = """
CREATE TABLE IF NOT EXISTS releases (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  snapshot_date TEXT NOT NULL,
  details TEXT NOT NULL,
  done INTEGER NOT NULL DEFAULT 0,
  published_at TEXT,
  dropped INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX IF NOT EXISTS live_releases ON releases (name) WHERE NOT dropped;
CREATE TABLE IF NOT EXISTS records (
  id INTEGER PRIMARY KEY,
  release_id INTEGER NOT NULL,
  customer_id TEXT NOT NULL,
  document BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS records_by_customer ON records (release_id, customer_id);
CREATE TABLE IF NOT EXISTS blobs (
  release_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (release_id, name)
);
CREATE TABLE IF NOT EXISTS served (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  release_id INTEGER NOT NULL,
  previous_id INTEGER
);
CREATE TABLE IF NOT EXISTS lease (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  owner TEXT NOT NULL,
  token TEXT NOT NULL,
  beat INTEGER NOT NULL
);
"""


def translated(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A function whose SQLite errors are the store's, in words."""

    @functools.wraps(function)
    def call(*arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
        try:
            return function(*arguments, **named)
        except sqlite3.Error as error:
            raise OnlineStoreError(_in_words(error)) from error

    return call


def _in_words(error: sqlite3.Error) -> str:
    text = str(error)
    if "locked" in text or "busy" in text:
        return (
            f"the online store's file was locked for over {BUSY_SECONDS:.0f} s by another process "
            f"({text}); end it, or try again"
        )
    if "not a database" in text or "malformed" in text:
        return (
            f"the online store's file is damaged ({text}); remove it and its -wal and -shm files, "
            "then run the job `publish`: everything in it is made from the lake"
        )
    if "full" in text:
        return f"the online store's disk is full ({text}); make room and publish again"
    if "UNIQUE" in text:
        return f"a customer stands in two batches of a release ({text})"
    return f"the online store's file cannot be used: {text}"


class SqliteFile:
    """Connections to the file; readers have one a thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._guard = threading.Lock()

    def reader(self) -> sqlite3.Connection | None:
        """This thread's connection, which cannot write; None where there is no file yet."""
        try:
            status = os.stat(self.path)  # noqa: PTH116 - Path.stat is twice as slow, at every read
        except FileNotFoundError:
            return None
        # a file that was removed and made again is another one
        identity = (status.st_dev, status.st_ino)
        if getattr(self._local, "identity", None) != identity:
            opened = self._open_reader()
            if opened is None:
                return None
            self._local.connection, self._local.identity = opened, identity
        connection: sqlite3.Connection = self._local.connection
        return connection

    def _open_reader(self) -> sqlite3.Connection | None:
        connection = self._connect()
        try:
            connection.execute("PRAGMA query_only = ON")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > FORMAT:
                raise OnlineStoreError(self._newer(version))
            if version < FORMAT:
                # a publisher has only just begun to make it
                connection.close()
                return None
        except BaseException:
            connection.close()
            raise
        with self._guard:
            self._all.append(connection)
        return connection

    def _newer(self, version: int) -> str:
        return f"{self.path} has format {version}, and this version of the platform knows {FORMAT}"

    @contextmanager
    def writer(self) -> Iterator[sqlite3.Connection]:
        """A connection that writes, closed afterwards."""
        connection = self._connect()
        try:
            connection.execute("PRAGMA synchronous = NORMAL")
            yield connection
        finally:
            connection.close()

    @translated
    def make(self) -> None:
        """Make the file and its tables where they are not there.

        Raises:
            OnlineStoreError: It is no SQLite file, cannot be written, or is of a later version.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OnlineStoreError(f"the folder of {self.path} cannot be made: {error}") from error
        with self.writer() as writer:
            (version,) = writer.execute("PRAGMA user_version").fetchone()
            if version == FORMAT:
                return
            if version > FORMAT:
                raise OnlineStoreError(self._newer(version))
            writer.execute("PRAGMA journal_mode = WAL")
            writer.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {FORMAT}; COMMIT;")

    def close(self) -> None:
        """Close all readers' connections."""
        with self._guard:
            for connection in self._all:
                connection.close()
            self._all.clear()
        self._local = threading.local()

    def _connect(self) -> sqlite3.Connection:
        # shared between threads only to be closed: each uses its own
        return sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )


class SqliteLeaseCell:
    """The lease as one row of the file; see `LeaseCell`.

    A connection of its own for each call: the thread that keeps the lease must not share the one
    that a batch is written through.
    """

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    @translated
    def read(self) -> Lease | None:
        """The lease, or None."""
        with self._file.writer() as writer:
            row = writer.execute("SELECT owner, token, beat FROM lease").fetchone()
        return Lease(*row) if row else None

    @translated
    def take(self, lease: Lease, *, instead_of: Lease | None) -> bool:
        """Write a lease if what is there still equals `instead_of`."""
        with self._file.writer() as writer:
            writer.execute("BEGIN IMMEDIATE")
            row = writer.execute("SELECT owner, token, beat FROM lease").fetchone()
            if (Lease(*row) if row else None) != instead_of:
                writer.execute("ROLLBACK")
                return False
            writer.execute(
                "INSERT OR REPLACE INTO lease (one, owner, token, beat) VALUES (1, ?, ?, ?)",
                (lease.owner, lease.token, lease.beat),
            )
            writer.execute("COMMIT")
        return True

    @translated
    def beat(self, token: str) -> bool:
        """Move the beat on if the token is still there."""
        with self._file.writer() as writer:
            done = writer.execute("UPDATE lease SET beat = beat + 1 WHERE token = ?", (token,))
            return done.rowcount > 0

    @translated
    def give_back(self, token: str) -> None:
        """Remove the lease if the token is still there."""
        with self._file.writer() as writer:
            writer.execute("DELETE FROM lease WHERE token = ?", (token,))
