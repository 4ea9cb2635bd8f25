"""Kinds of places that hold customers' data: each counts and removes by one predicate.

Belongs here: how rows, documents, claims and texts about some people are found and removed. Does
not belong here: which places there are (`register.py`) and the order in which they are emptied
(`erasure.py`).
"""

import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from resources.claims import Claims
from resources.erasures import ErasureError
from resources.files import held
from resources.lake import Lake, put_atomically
from resources.online_store.store import OnlineStore
from resources.sqlite import compact
from resources.subjects import Subjects
from resources.tables import Column, Table

READERS = 4
ROWS = 20_000
BUSY_SECONDS = 30.0
LINES = ".jsonl"
DATABASE = ".db"
# What SQLite keeps beside a file while it is open.
BESIDE = ("-wal", "-shm", "-journal")


class Place(Protocol):
    """Somewhere that customers' data can be.

    Attributes:
        name: What it is called in a certificate.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - documented with the class

    def count(self, subjects: Subjects) -> int:
        """Count what is there of some people.

        Raises:
            ErasureError: It cannot be read, so that it is not known.
        """
        ...

    def remove(self, subjects: Subjects) -> int:
        """Remove what is there of some people; returns how much it was."""
        ...


@dataclass(frozen=True)
class LakeTable:
    """One table of the lake, all of its partitions."""

    lake: Lake
    table: Table

    @property
    def name(self) -> str:
        """The table."""
        return f"lake/{self.table.key}"

    def count(self, subjects: Subjects) -> int:
        """Count rows."""
        return self._rewrite(subjects, only_count=True)

    def remove(self, subjects: Subjects) -> int:
        """Remove rows; a partition that has none of them is left as it is."""
        self._sweep()
        return self._rewrite(subjects, only_count=False)

    def _rewrite(self, subjects: Subjects, *, only_count: bool) -> int:
        days: list[date | None] = [*self.lake.filled_days(self.table.key)]
        if self.lake.path(self.table.key, None).exists():
            days.append(None)
        with ThreadPoolExecutor(READERS) as pool:
            counts = pool.map(
                lambda day: self.lake.rewrite(
                    self.table.key,
                    day,
                    lambda rows: subjects.in_rows(self.table, rows),
                    columns=[*self.table.customer_columns, *self.table.mentioning_columns],
                    only_count=only_count,
                ),
                days,
            )
            return sum(counts)

    def _sweep(self) -> None:
        """Remove what killed writers left beside partitions."""
        if self.lake.is_local:
            for path in Path(str(self.lake.table_path(self.table.key))).rglob(".*.tmp"):
                path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Undeclared:
    """What lies where nothing is known to lie: nobody can say whom it is about."""

    name: str

    def count(self, subjects: Subjects) -> int:  # noqa: ARG002 - nothing is known of it
        """Refuse.

        Raises:
            ErasureError: Always.
        """
        raise ErasureError(
            f"{self.name} is no place that the register knows: remove it, or give it an entry in "
            "governance/privacy/register.py"
        )

    def remove(self, subjects: Subjects) -> int:  # noqa: ARG002 - left alone
        """Remove nothing."""
        return 0


def any_text(lake: Lake, key: str) -> Table:
    """Declare a table of which nothing is declared: every text of it may name a customer."""
    (path, *_) = Path(str(lake.table_path(key))).rglob("*.parquet")
    with lake.content(UPath(path)) as file:
        schema = pq.ParquetFile(file).schema_arrow
    return Table(
        key,
        tuple(
            Column(field.name, "string", names_customer=True)
            for field in schema
            if pa.types.is_string(field.type)
        ),
    )


@dataclass(frozen=True)
class Documents:
    """The online store: the documents of every release that is still there."""

    store: OnlineStore
    name: str = "online store"

    def count(self, subjects: Subjects) -> int:
        """Count documents."""
        return self.store.holders(subjects.ids).total()

    def remove(self, subjects: Subjects) -> int:
        """Remove documents."""
        return self.store.erase(subjects.ids)


@dataclass(frozen=True)
class ClaimsOf:
    """What was delivered or scored, by the claims under which it was done."""

    claims: Claims
    name: str = "claims"

    def count(self, subjects: Subjects) -> int:
        """Count claims."""
        return len(self.claims.about(subjects))

    def remove(self, subjects: Subjects) -> int:
        """Remove claims; those of erased customers can come up no more."""
        keys = self.claims.about(subjects)
        self.claims.erase(keys)
        return len(keys)


@dataclass(frozen=True)
class Texts:
    """Files of text under one folder, or one file.

    A line of JSON lines is a record and goes whole; elsewhere what names a person is replaced.
    """

    name: str
    root: UPath

    def count(self, subjects: Subjects) -> int:
        """Count lines that mention them."""
        return sum(self._lines(path, subjects) for path in self._files())

    def remove(self, subjects: Subjects) -> int:
        """Take them out of the texts."""
        return sum(self._remove(path, subjects) for path in self._files())

    def _remove(self, path: UPath, subjects: Subjects) -> int:
        local = path.protocol in ("", "file")
        # what others add meanwhile waits: it would go with the file that is replaced
        with held(Path(str(path))) if local else nullcontext():
            mentions = self._lines(path, subjects)
            if mentions:
                put_atomically(path, self._without(path, subjects).encode())
        return mentions

    def _without(self, path: UPath, subjects: Subjects) -> str:
        text = self._text(path)
        if path.suffix != LINES:
            return subjects.redacted(text)
        return "".join(
            line for line in text.splitlines(keepends=True) if not subjects.in_text(line)
        )

    def _lines(self, path: UPath, subjects: Subjects) -> int:
        lines = pa.array(self._text(path).split("\n"), pa.large_string())
        return int(subjects.in_texts(lines).sum())

    def _text(self, path: UPath) -> str:
        try:
            return str(path.read_bytes().decode())
        except UnicodeDecodeError as error:
            raise ErasureError(
                f"{path} is no text, so that nobody can say whom it is about: remove it"
            ) from error

    def _files(self) -> Iterator[UPath]:
        if self.root.is_file():
            yield self.root
        elif self.root.exists():
            yield from (path for path in sorted(self.root.rglob("*")) if path.is_file())


@dataclass(frozen=True)
class Helps:
    """A folder that only helps work to go on, and may say something of anybody: it goes whole."""

    name: str
    root: Path

    def count(self, subjects: Subjects) -> int:  # noqa: ARG002 - nobody is named in it
        """Count files."""
        return sum(path.is_file() for path in self.root.rglob("*"))

    def remove(self, subjects: Subjects) -> int:
        """Remove the folder."""
        count = self.count(subjects)
        shutil.rmtree(self.root)
        return count


@dataclass(frozen=True)
class DagsterRecords:
    """What Dagster keeps on this machine: events with their metadata, runs, logs of processes."""

    root: Path
    name: str = "dagster"

    def count(self, subjects: Subjects) -> int:
        """Count values and lines that mention them."""
        files = sum(len(self._about(path, subjects)) for path in self._databases())
        return files + sum(text.count(subjects) for text in self._texts())

    def remove(self, subjects: Subjects) -> int:
        """Replace what names them."""
        count = 0
        for path in self._databases():
            about = self._about(path, subjects)
            count += len(about)
            # what was overwritten before is in the file too, on pages that are free
            if about or any(subjects.in_bytes(one.read_bytes()) for one in _with_log(path)):
                _replace(path, about, subjects)
        return count + sum(text.remove(subjects) for text in self._texts())

    def _about(self, path: Path, subjects: Subjects) -> list[tuple[str, str, int]]:
        """Table, column and row of the values that mention them."""
        about = []
        with _opened(path) as file:
            for table, column in _text_columns(file):
                rows = file.execute(f'SELECT rowid, "{column}" FROM "{table}"')  # noqa: S608 - the file's names
                while part := rows.fetchmany(ROWS):
                    values = [value if isinstance(value, str) else None for _, value in part]
                    mask = subjects.in_texts(pa.array(values, pa.large_string()))
                    about += [
                        (table, column, row)
                        for (row, _), one in zip(part, mask, strict=True)
                        if one
                    ]
        return about

    def _databases(self) -> list[Path]:
        return [path for path in self._files() if path.name.endswith(DATABASE)]

    def _texts(self) -> list[Texts]:
        others = (DATABASE, ".lock", *BESIDE)
        return [
            Texts(self.name, UPath(path))
            for path in self._files()
            if not path.name.endswith(others)
        ]

    def _files(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if path.is_file())


def _replace(path: Path, about: Sequence[tuple[str, str, int]], subjects: Subjects) -> None:
    with _opened(path) as file:
        file.execute("BEGIN IMMEDIATE")
        for table, column, row in about:
            where = f'FROM "{table}" WHERE rowid = ?'
            (value,) = file.execute(f'SELECT "{column}" {where}', (row,)).fetchone()
            file.execute(
                f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?',  # noqa: S608 - the file's names
                (subjects.redacted(value), row),
            )
        file.execute("COMMIT")
        compact(file)


def _with_log(path: Path) -> list[Path]:
    """A database and its log, where it has one."""
    return [one for one in (path, path.with_name(f"{path.name}{BESIDE[0]}")) if one.exists()]


def _text_columns(file: sqlite3.Connection) -> list[tuple[str, str]]:
    """Tables and columns that may hold texts; compressed ones, of job definitions, do not."""
    tables = file.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    return [
        (table, column)
        for (table,) in tables
        for _, column, kind, *_ in file.execute(f'PRAGMA table_info("{table}")')
        if not kind.upper().startswith(("INT", "BIGINT", "BLOB", "FLOAT", "DATETIME", "BOOL"))
    ]


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        file = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            yield file
        finally:
            file.close()
    except sqlite3.Error as error:
        raise ErasureError(f"{path} cannot be read or written: {error}") from error
