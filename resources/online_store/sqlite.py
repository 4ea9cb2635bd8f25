"""The online store in one SQLite file: for a laptop, and for one machine that serves.

Readers each have a connection of their own in write-ahead mode, so that a publisher never makes one
wait; a batch is one transaction that also says how far the release is; the pointer moves in one
more. Belongs here: publishing and reading. Does not belong here: the lease (`lease.py`) and the
file's tables (`sqlite_file.py`).
"""

import logging
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from resources.online_store.lease import Clocks, Held
from resources.online_store.releases import OnlineStoreError, Release, findable
from resources.online_store.sqlite_file import SqliteFile, SqliteLeaseCell, translated
from resources.online_store.store import OnlineStore, Publication, check_not_older
from resources.sqlite import compact

logger = logging.getLogger(__name__)

# Records of an old release that one transaction removes: more would hold a writer up, fewer would
# take longer in all.
REMOVED_AT_ONCE = 2_000
SERVED = (
    "SELECT name, snapshot_date, details, published_at FROM releases "
    "WHERE id = (SELECT release_id FROM served)"
)


class SqliteStore(OnlineStore):
    """Documents by release and customer in one file.

    Args:
        path: The file; made with the first publication.
        about: As of `OnlineStore`.
    """

    is_local = True

    def __init__(self, path: Path | str, **about: Any) -> None:
        super().__init__(**about)
        self.path = Path(path)
        self._file = SqliteFile(self.path)
        self._ids: dict[str, int] = {}

    def close(self) -> None:
        """Close the readers' connections of all threads; the next read opens one again."""
        self._file.close()

    @translated
    def served(self) -> Release | None:
        """The release that is served, or None before the first."""
        reader = self._file.reader()
        if reader is None:
            return None
        row = reader.execute(SERVED).fetchone()
        return Release.read(*row) if row else None

    @translated
    def get(self, release: str, customer_ids: Sequence[str]) -> dict[str, bytes]:
        """Documents of customers (at most 100) by id; those who have none are left out."""
        wanted = findable(customer_ids)
        reader = self._file.reader()
        number = self._number(reader, release) if reader is not None and wanted else None
        if reader is None or number is None:
            return {}
        marks = ",".join("?" * len(wanted))
        rows = reader.execute(
            "SELECT customer_id, document FROM records "  # noqa: S608 - question marks alone
            f"WHERE release_id = ? AND customer_id IN ({marks})",
            (number, *wanted),
        )
        return dict(rows.fetchall())

    @translated
    def blob(self, release: str, name: str) -> bytes | None:
        """What `put_blob` put, or None."""
        reader = self._file.reader()
        number = self._number(reader, release) if reader is not None else None
        if reader is None or number is None:
            return None
        row = reader.execute(
            "SELECT content FROM blobs WHERE release_id = ? AND name = ?", (number, name)
        ).fetchone()
        return row[0] if row else None

    @translated
    def holders(self, customer_ids: Collection[str]) -> Counter[str]:
        """Count the documents of some customers; see `OnlineStore`."""
        reader = self._file.reader()
        counts: Counter[str] = Counter()
        if reader is not None:
            for (name,) in reader.execute("SELECT customer_id FROM records"):
                if name in customer_ids:
                    counts[name] += 1
        return counts

    @translated
    def erase(self, customer_ids: Collection[str]) -> int:
        """Remove the documents of some customers, and their bytes from the file."""
        if self._file.reader() is None:
            return 0
        with self._file.writer() as writer:
            writer.execute("CREATE TEMP TABLE gone (customer_id TEXT PRIMARY KEY)")
            writer.executemany("INSERT INTO gone VALUES (?)", ((one,) for one in customer_ids))
            count = writer.execute(
                "DELETE FROM records WHERE customer_id IN (SELECT customer_id FROM gone)"
            ).rowcount
            compact(writer)
        return int(count)

    def _number(self, reader: sqlite3.Connection, release: str) -> int | None:
        """The number of a release; kept, since a number never names another release."""
        number = self._ids.get(release)
        row = reader.execute(
            "SELECT id FROM releases WHERE name = ? AND NOT dropped", (release,)
        ).fetchone() if number is None else (number,)  # fmt: skip
        if row is None:
            return None
        if len(self._ids) > 100:
            self._ids.clear()
        self._ids[release] = row[0]
        return int(row[0])

    def _cell(self) -> SqliteLeaseCell:
        self._file.make()
        return SqliteLeaseCell(self._file)

    def _begin(self, release: Release, keeper: Held, stack: ExitStack) -> Publication:
        writer = stack.enter_context(self._file.writer())
        return _SqlitePublication(release, keeper, self._clocks, writer)

    @translated
    def _done(self, name: str) -> int:
        with self._file.writer() as writer:
            row = writer.execute(
                "SELECT done FROM releases WHERE name = ? AND NOT dropped", (name,)
            ).fetchone()
        return int(row[0]) if row else 0


class _SqlitePublication(Publication):
    def __init__(
        self, release: Release, keeper: Held, clocks: Clocks, writer: sqlite3.Connection
    ) -> None:
        super().__init__(release, keeper, clocks)
        self._writer = writer
        self._number, self.done = self._begin()

    @translated
    def _begin(self) -> tuple[int, int]:
        with self._transaction() as writer:
            writer.execute(
                "INSERT INTO releases (name, snapshot_date, details) VALUES (?, ?, ?) "
                "ON CONFLICT (name) WHERE NOT dropped DO UPDATE SET details = excluded.details",
                (self.release.name, self.release.snapshot_date.isoformat(), self._details),
            )
            row = writer.execute(
                "SELECT id, done FROM releases WHERE name = ? AND NOT dropped",
                (self.release.name,),
            ).fetchone()
        return int(row[0]), int(row[1])

    @translated
    def _put(self, batch: int, documents: Sequence[tuple[str, bytes]]) -> None:
        rows = [(self._number, name, document) for name, document in documents]
        with self._transaction() as writer:
            writer.executemany(
                "INSERT INTO records (release_id, customer_id, document) VALUES (?, ?, ?)", rows
            )
            writer.execute("UPDATE releases SET done = ? WHERE id = ?", (batch + 1, self._number))

    @translated
    def put_blob(self, name: str, content: bytes) -> None:
        """Put something that belongs to the release as a whole."""
        with self._transaction() as writer:
            writer.execute(
                "INSERT OR REPLACE INTO blobs (release_id, name, content) VALUES (?, ?, ?)",
                (self._number, name, content),
            )

    @translated
    def _serve(self, at: datetime) -> None:
        with self._transaction() as writer:
            row = writer.execute(SERVED).fetchone()
            if row:
                check_not_older(self.release, Release.read(*row))
            writer.execute(
                "UPDATE releases SET published_at = ? WHERE id = ?", (at.isoformat(), self._number)
            )
            writer.execute(
                "INSERT INTO served (one, release_id, previous_id) VALUES (1, ?, NULL) "
                "ON CONFLICT (one) DO UPDATE SET previous_id = CASE WHEN release_id = "
                "excluded.release_id THEN previous_id ELSE release_id END, "
                "release_id = excluded.release_id",
                (self._number,),
            )
        try:
            self._let_go()
        except (sqlite3.Error, OnlineStoreError) as error:
            # the release is served; what is left over goes with the next one
            logger.warning("old releases stay in the online store until the next: %s", error)

    def _let_go(self) -> None:
        with self._transaction() as writer:
            # first the names, so that no later try goes on with a release that is half removed
            writer.execute(
                "UPDATE releases SET dropped = 1 WHERE id NOT IN (SELECT release_id FROM served) "
                "AND id NOT IN (SELECT previous_id FROM served WHERE previous_id IS NOT NULL)"
            )
            gone = [row[0] for row in writer.execute("SELECT id FROM releases WHERE dropped")]
        for number in gone:
            removed = REMOVED_AT_ONCE
            while removed == REMOVED_AT_ONCE:
                with self._transaction() as writer:
                    removed = writer.execute(
                        "DELETE FROM records WHERE id IN (SELECT id FROM records "
                        "WHERE release_id = ? LIMIT ?)",
                        (number, REMOVED_AT_ONCE),
                    ).rowcount
            with self._transaction() as writer:
                writer.execute("DELETE FROM blobs WHERE release_id = ?", (number,))
                writer.execute("DELETE FROM releases WHERE id = ?", (number,))
        # gives the log's space back; with a reader at work it is left to a later one
        self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction that moves the lease's beat on, and does nothing without the lease."""
        self._keeper.check()
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            moved = self._writer.execute(
                "UPDATE lease SET beat = beat + 1 WHERE token = ?", (self._keeper.token,)
            ).rowcount
            if not moved:
                raise self._keeper.lost()
            yield self._writer
        except BaseException:
            self._writer.execute("ROLLBACK")
            raise
        self._writer.execute("COMMIT")
