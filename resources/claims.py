"""What must be done once however many processes try it: claims that outlive a killed holder.

Belongs here: claiming, releasing and settling, and the SQLite file of one machine. Does not belong
here: what is done under a claim, and DynamoDB (`resources.aws.claims`).
"""

import sqlite3
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import time

import pyarrow as pa

from resources.sqlite import compact
from resources.subjects import Subjects

# A holder that is silent for longer is taken for dead, and another goes on.
LEASE_SECONDS = 120.0
BUSY_SECONDS = 30.0
DAY_SECONDS = 86_400.0
# What was done is forgotten after so long: longer than anything may be late.
KEPT_DAYS = 35
KEYS_AT_ONCE = 500


class ClaimsError(RuntimeError):
    """The claims cannot be read or written; nothing was done under them."""


@dataclass(frozen=True)
class Claim:
    """The right to do one thing, for a while.

    Attributes:
        key: Names what is done once.
        content: What the first claim of this key said; a later one cannot change it.
        token: Names this holder.
    """

    key: str
    content: str
    token: str


class Claims(ABC):
    """Claims by key, kept on disk before the work begins.

    A claim is open until it is settled. While its holder's lease runs, nobody else gets it; after
    that the next one who asks does, with the content of the first. So work is done at least once,
    by one at a time, and never under two contents.

    Args:
        lease_seconds: How long a holder may be silent before another goes on; longer than the work
            of one claim.
        clock: Seconds since 1970.
    """

    def __init__(
        self, *, lease_seconds: float = LEASE_SECONDS, clock: Callable[[], float] = time
    ) -> None:
        self.lease_seconds, self.clock = lease_seconds, clock

    @abstractmethod
    def claim(self, key: str, content: str, *, settled: bool = False) -> Claim | None:
        """Claim a key; None where it is settled or another holds it.

        Args:
            key: Names what is done once.
            content: What is to be done, kept with it.
            settled: Whether keeping the content is all there is to do.

        Raises:
            ClaimsError: The claims cannot be written.
        """

    def claim_all(self, wanted: Sequence[tuple[str, str, bool]]) -> list[Claim | None]:
        """Claim several keys, each as `claim` does with its content and whether it is settled."""
        return [self.claim(key, content, settled=done) for key, content, done in wanted]

    @abstractmethod
    def settled(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the contents of the keys whose work is done."""

    @abstractmethod
    def about(self, subjects: Subjects) -> list[str]:
        """Return the keys of the claims that mention some people, in key or content.

        Raises:
            ClaimsError: The claims cannot be read.
        """

    @abstractmethod
    def erase(self, keys: Sequence[str]) -> None:
        """Remove claims; what was done under them may be done again.

        Raises:
            ClaimsError: The claims cannot be written.
        """

    @abstractmethod
    def release(self, claim: Claim) -> None:
        """Give a claim back, to be taken again at once; its content stays."""

    @abstractmethod
    def settle(self, claim: Claim) -> None:
        """Mark a claim's work as done for ever."""


def mentioning(subjects: Subjects, claims: Iterable[tuple[str, str]]) -> list[str]:
    """Return the keys of those claims, each with its content, that mention some people."""
    rows = list(claims)
    texts = pa.array([f"{key} {content}" for key, content in rows], pa.string())
    return [key for (key, _), about in zip(rows, subjects.in_texts(texts), strict=True) if about]


class SqliteClaims(Claims):
    """Claims in a SQLite file, for the processes of one machine."""

    def __init__(
        self,
        path: Path,
        *,
        lease_seconds: float = LEASE_SECONDS,
        clock: Callable[[], float] = time,
    ) -> None:
        super().__init__(lease_seconds=lease_seconds, clock=clock)
        self.path = path
        self._pruned = False

    def claim(self, key: str, content: str, *, settled: bool = False) -> Claim | None:
        """Claim a key; see `Claims`."""
        return self.claim_all([(key, content, settled)])[0]

    def claim_all(self, wanted: Sequence[tuple[str, str, bool]]) -> list[Claim | None]:
        """Claim several keys in one transaction; see `Claims`."""
        now, claims = self.clock(), list[Claim | None]()
        with self._writing() as file:
            for key, content, settled in wanted:
                token = uuid.uuid4().hex
                rows = file.execute(
                    "INSERT INTO claims (key, content, token, held_until, settled) "
                    "VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
                    "token = excluded.token, held_until = excluded.held_until, "
                    "settled = excluded.settled "
                    "WHERE NOT settled AND held_until <= ? RETURNING content",
                    (key, content, token, now + self.lease_seconds, settled, now),
                ).fetchall()
                claims.append(Claim(key, rows[0][0], token) if rows else None)
        return claims

    def settled(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the contents of the keys whose work is done."""
        contents: dict[str, str] = {}
        with self._open() as file:
            for start in range(0, len(keys), KEYS_AT_ONCE):
                asked = keys[start : start + KEYS_AT_ONCE]
                places = ", ".join("?" * len(asked))
                contents |= file.execute(
                    f"SELECT key, content FROM claims WHERE settled AND key IN ({places})",  # noqa: S608 - question marks
                    asked,
                ).fetchall()
        return contents

    def about(self, subjects: Subjects) -> list[str]:
        """Return the keys of the claims that mention some people."""
        with self._open() as file:
            rows = file.execute("SELECT key, content FROM claims").fetchall()
        return mentioning(subjects, rows)

    def erase(self, keys: Sequence[str]) -> None:
        """Remove claims, and their bytes from the file."""
        with self._writing() as file:
            file.executemany("DELETE FROM claims WHERE key = ?", ((key,) for key in keys))
        with self._open() as file:
            compact(file)

    def release(self, claim: Claim) -> None:
        """Give a claim back, unless another has taken it over."""
        with self._writing() as file:
            file.execute(
                "UPDATE claims SET held_until = ? WHERE key = ? AND token = ?",
                (self.clock(), claim.key, claim.token),
            )

    def settle(self, claim: Claim) -> None:
        """Mark a claim's work as done, whoever holds it by now."""
        with self._writing() as file:
            file.execute("UPDATE claims SET settled = 1 WHERE key = ?", (claim.key,))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction that is on the disk when it ends."""
        with self._open() as file:
            file.execute("BEGIN IMMEDIATE")
            if not self._pruned:
                before = self.clock() - KEPT_DAYS * DAY_SECONDS
                file.execute("DELETE FROM claims WHERE held_until < ?", (before,))
                self._pruned = True
            yield file
            file.execute("COMMIT")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            if not self.path.exists():
                self._make()
            file = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                file.execute("PRAGMA synchronous = FULL")
                yield file
            finally:
                file.close()
        except (sqlite3.Error, OSError) as error:
            raise ClaimsError(
                f"the claims in {self.path} cannot be used ({error}); make room, end the process "
                "that holds the file, or restore a damaged one, and try again: nothing was done"
            ) from error

    def _make(self) -> None:
        """Make the file beside its place and link it there, unless another was the first.

        Of several that change a new file to write-ahead logging at once, SQLite lets one wait for
        another until both give up.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.parent / f".{self.path.name}.{uuid.uuid4().hex}.tmp"
        try:
            with closing(sqlite3.connect(new, isolation_level=None)) as file:
                file.execute("PRAGMA journal_mode = WAL")
                file.execute(
                    "CREATE TABLE claims (key TEXT PRIMARY KEY, content TEXT NOT NULL, "
                    "token TEXT NOT NULL, held_until REAL NOT NULL, "
                    "settled INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID"
                )
            with suppress(FileExistsError):
                self.path.hardlink_to(new)
        finally:
            new.unlink(missing_ok=True)
