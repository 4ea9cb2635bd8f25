"""The lake: Hive-partitioned Parquet under one root, written atomically and by name.

`<root>/<group>/<table>/day=<YYYY-MM-DD>/part.parquet`, or `<root>/<group>/<table>/part.parquet`
for a table without partitions. Days without rows that are written together share one file in
`<root>/<group>/<table>/_empty/`, so that years of a table that has few rows cost few files; the
file of a day goes before it. Belongs here: where tables lie, writing, reading, what is there.
Does not belong here: a file's bytes (`lake_files.py`), SQL (`engine.py`) and what the tables mean.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache, partial
from itertools import groupby
from typing import IO, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from resources.lake_files import (
    CorruptPartitionError,
    LakeError,
    LakeFiles,
    LockedPartitionError,
    MissingPartitionError,
    StorageError,
    check_once,
    columns_once,
    encode,
    put_atomically,
    reached,
    read_rows,
    whole,
)
from resources.tables import Table

__all__ = [
    "CorruptPartitionError",
    "Lake",
    "LakeError",
    "LockedPartitionError",
    "MissingPartitionError",
    "StorageError",
    "Written",
    "encode",
    "put_atomically",
]

Day = TypeVar("Day")
Answer = TypeVar("Answer")

PARTITION_COLUMN = "day"
DAY_PREFIX = f"{PARTITION_COLUMN}="
FILE_NAME = "part.parquet"
NOTE = b"note"
EMPTY = "_empty"
# Days that one file of days without rows stands for at most: its name, of at most 255 bytes with
# what a write adds, holds a bit for each.
EMPTY_DAYS = 600
# Files of an object store that are read at once.
READERS = 8


@dataclass(frozen=True)
class Written:
    """What one write left behind.

    Attributes:
        table: `<group>/<name>`.
        day: The partition, or None.
        rows: Its rows.
        bytes: Its size.
        scanned_bytes: What the engine billed for, where it bills by bytes read.
        cost_usd: What that cost.
    """

    table: str
    day: date | None
    rows: int
    bytes: int
    scanned_bytes: int | None = None
    cost_usd: float | None = None

    @property
    def cost_metadata(self) -> dict[str, int | float]:
        """What it cost, as metadata of an asset; nothing where the engine is free."""
        if self.scanned_bytes is None or self.cost_usd is None:
            return {}
        return {"athena/scanned_bytes": self.scanned_bytes, "athena/cost_usd": self.cost_usd}


@dataclass(frozen=True)
class Lake(LakeFiles):
    """Tables under one root, local or remote; see `LakeFiles` for root, options and key."""

    def table_path(self, table: str) -> UPath:
        """Folder of a table named `<group>/<name>` (`<group>.<name>` is taken too)."""
        group, _, name = table.replace(".", "/").partition("/")
        if not group or not name or "/" in name:
            raise LakeError(f"table {table!r} is not named <group>/<name>")
        folder: UPath = UPath(self.root, **self.options) / group / name
        return folder

    def path(self, table: str, day: date | None) -> UPath:
        """File of one partition, or of an unpartitioned table when `day` is None."""
        folder = self.table_path(table)
        if day is not None:
            folder = folder / f"{PARTITION_COLUMN}={day.isoformat()}"
        return folder / FILE_NAME

    def days(self, table: str) -> list[date]:
        """Days of the partitions that are there, in order."""
        if self.is_local:
            return sorted({*self.filled_days(table), *self._empty_files(table)})
        files = self._remote_files(self.table_path(table))
        empty = (_days_of(name) for folder, name in files if folder == EMPTY)
        return sorted({*_filled(files), *(day for days in empty for day in days)})

    def filled_days(self, table: str) -> list[date]:
        """Days of the partitions that have a file of their own, in order."""
        if not self.is_local:
            return _filled(self._remote_files(self.table_path(table)))
        return [day for day, _ in self._local_files(table)]

    def _local_files(self, table: str) -> list[tuple[date, str]]:
        """Days that have a file of their own, in order, with its path."""
        folder = str(self.table_path(table))
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 - paths of years of days take longer
        except FileNotFoundError:
            return []
        files = (
            (name.removeprefix(DAY_PREFIX), f"{folder}/{name}/{FILE_NAME}")
            for name in names
            if name.startswith(DAY_PREFIX)
        )
        there = os.path.exists
        return [(date.fromisoformat(day), path) for day, path in files if there(path)]

    def _remote_files(self, folder: UPath) -> list[tuple[str, str]]:
        """Folder and name of every file below; one request, where a look a day would be many."""
        with reached(folder):
            paths: list[str] = folder.fs.find(folder.path)
        return [(parent, name) for *_, parent, name in (path.split("/") for path in paths)]

    def exists(self, table: str, day: date | None) -> bool:
        """Whether a partition is there."""
        path = self.path(table, day)
        if self.is_local:
            return bool(path.exists()) or day in self._empty_files(table)
        try:
            with reached(path):
                # not `exists`, which also says no where the bucket itself is not there
                path.stat()
        except FileNotFoundError:
            return day in self._empty_files(table)
        return True

    def _empty_files(self, table: str) -> dict[date, UPath]:
        """Days that were written without rows, each with a file that says so."""
        files: dict[date, UPath] = {}
        for path in self._empty_paths(table):
            files.update(dict.fromkeys(_days_of(path.name), path))
        return files

    def _empty_paths(self, table: str) -> list[UPath]:
        """Files that say of days that they were written without rows, in order."""
        folder = self.table_path(table) / EMPTY
        if self.is_local:
            there = os.listdir(str(folder)) if folder.exists() else []  # noqa: PTH208 - a UPath
        else:
            there = [name for _, name in self._remote_files(folder)]
        return [folder / name for name in sorted(there) if name.endswith(".parquet")]

    def require(self, table: str, days: Iterable[date]) -> None:
        """Check that every partition is there.

        Raises:
            MissingPartitionError: Some are not; the message names the table and the days.
        """
        there = set(self.days(table))
        missing = sorted(set(days) - there)
        if missing:
            raise MissingPartitionError(_missing_message(table, missing, there))

    def write(self, table: Table, rows: pa.Table, *, day: date | None, note: str = "") -> Written:
        """Put rows in place of one partition, whole or not at all.

        The file is written beside and then swapped in, so a reader or a killed run sees either the
        old partition or the new one. Of two writers at once, the later swap stays.

        Args:
            table: Its declaration.
            rows: Its rows, with the declared columns.
            day: The partition; None for a table without.
            note: A text that the file keeps, which `note` gives back.

        Raises:
            SchemaError: The rows break the declaration; the old partition stays.
        """
        payload = encode(_noted(table.conform(rows), note))
        size = self.put(self.path(table.key, day), payload)
        return Written(table.key, day, rows.num_rows, size)

    def write_empty(self, table: Table, *, day: date | None) -> Written:
        """Write a partition that has the declared columns and no rows."""
        size = self.put(self.path(table.key, day), _encode_empty(table))
        return Written(table.key, day, 0, size)

    def write_empty_days(self, table: Table, days: Sequence[date], *, note: str = "") -> None:
        """Put days without rows in place of their partitions, in one file for many days.

        Args:
            table: Its declaration, whose columns the file has.
            days: The days, in order; none writes nothing.
            note: A text that the files keep, which `note` gives back.
        """
        folder = self.table_path(table.key) / EMPTY
        before = self._empty_paths(table.key)
        written = set()
        for _, part in groupby(days, key=lambda day: (day - days[0]).days // EMPTY_DAYS):
            path = folder / _name_of(list(part))
            self.put(path, _encode_empty(table, note))
            written.add(path)
        for day in sorted(set(days) & set(self.filled_days(table.key))):
            self.path(table.key, day).unlink(missing_ok=True)
        # a file of which no day is left to stand for would speak for days that are removed later
        for path in set(before) - written:
            if _days_of(path.name) <= set(days):
                path.unlink(missing_ok=True)

    def rewrite(
        self,
        table: str,
        day: date | None,
        doomed: Callable[[pa.Table], np.ndarray],
        *,
        columns: Sequence[str],
        only_count: bool = False,
    ) -> int:
        """Put a partition back without some of its rows, whole or not at all.

        A partition that has none of them is only read. No other writer may be at it: what it writes
        meanwhile would be undone.

        Args:
            table: `<group>/<noun>`.
            day: The partition; None for a table without.
            doomed: Which of n rows go, from the columns alone.
            columns: Those that it looks at.
            only_count: Whether they are counted and stay.

        Returns:
            How many rows they are.

        Raises:
            MissingPartitionError: The partition is not there.
            CorruptPartitionError: Its file is not whole.
        """
        mask = doomed(self._read_one(table, day, columns))
        count = int(mask.sum())
        if count and not only_count:
            # with its schema's metadata, which holds the note
            rows = self._read_one(table, day, None).filter(pa.array(~mask))
            self.put(self.path(table, day), encode(rows.combine_chunks()))
        return count

    def remove_before(self, table: str, day: date) -> None:
        """Remove the partitions before a day, and the files of days without rows altogether."""
        for path in self._empty_paths(table):
            path.unlink(missing_ok=True)
        for there in self.filled_days(table):
            if there < day:
                self.path(table, there).unlink(missing_ok=True)

    def read(
        self,
        table: str,
        *,
        days: Sequence[date] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Read partitions of a table, or an unpartitioned table when `days` is None.

        Raises:
            MissingPartitionError: A partition is not there.
            CorruptPartitionError: A file is not whole; the message names it.
        """
        if days is not None and not days:
            raise LakeError(f"no days of {table} were asked for")
        if days is None and not self.exists(table, None):
            raise MissingPartitionError(f"table {table} is not in the lake yet")
        wanted: list[date | None] = [None] if days is None else list(days)
        if days is not None and self.is_local:
            self.require(table, days)
            filled = set(self.filled_days(table))
            # one day without rows has the columns of all of them
            wanted = [day for day in days if day in filled] or wanted[:1]
        try:
            return pa.concat_tables(
                self.each(wanted, lambda day: self._read_one(table, day, columns))
            )
        except FileNotFoundError:
            # asked only now: on an object store the files themselves tell whether they are there
            self.require(table, days or [])
            raise

    def read_where(
        self,
        table: str,
        *,
        days: Sequence[date],
        column: str,
        values: Sequence[str],
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Read the rows of some partitions of which a column has one of some values.

        Args:
            table: Its key.
            days: The partitions, at least one.
            column: The column that is looked at.
            values: Its wanted values.
            columns: Those to read; all by default.

        Raises:
            MissingPartitionError: A partition is not there.
            CorruptPartitionError: A file is not whole; the message names it.
        """
        self.require(table, days)
        names = None if columns is None else list(columns)

        def of_day(day: date) -> pa.Table:
            with self._opened(table, day) as file:
                return read_rows(self.unsealed(file), column, values, names)

        return pa.concat_tables(self.each(days, of_day), promote_options="permissive")

    def has_rows(self, table: str) -> bool:
        """Whether any day of a table has a row."""
        return any(self.row_count(table, day) for day in self.filled_days(table))

    def row_counts(self, table: str, days: Iterable[date]) -> dict[date, int]:
        """Rows of some partitions, by day.

        Raises:
            MissingPartitionError: One is not there.
            CorruptPartitionError: A file is not whole.
        """
        days = list(days)
        self.require(table, days)
        filled = sorted(set(days) & set(self.filled_days(table)))
        counts = dict(zip(filled, self.each(filled, partial(self.row_count, table)), strict=True))
        return {day: counts.get(day, 0) for day in days}

    def each(self, days: Sequence[Day], task: Callable[[Day], Answer]) -> Iterator[Answer]:
        """Do a task for each of some days, in their order.

        Several at once on an object store, where a day is a request, whose answer takes longer than
        reading it.
        """
        if self.is_local or len(days) < 2:
            return map(task, days)
        with ThreadPoolExecutor(READERS) as pool:
            return pool.map(task, days)

    def row_count(self, table: str, day: date | None) -> int:
        """Rows of one partition, from its footer.

        Raises:
            MissingPartitionError: It is not there.
            CorruptPartitionError: Its file is not whole.
        """
        return int(self._footer(table, day).metadata.num_rows)

    def schema(self, table: str, day: date | None) -> pa.Schema:
        """Columns of one partition, from its footer.

        Raises:
            MissingPartitionError: It is not there.
            CorruptPartitionError: Its file is not whole.
        """
        return self._footer(table, day).schema_arrow

    def is_mixed(self, table: str, days: Sequence[date]) -> bool:
        """Whether the first and the last of some days with files of their own differ in columns.

        So they do where a later release declares more; an object store is not asked.

        Raises:
            CorruptPartitionError: A file is not whole.
            FileNotFoundError: One is not there.
        """
        if not self.is_local or len(days) < 2:
            return False
        first, last = (
            columns_once(str(self.path(table, day)), partial(self._opened, table, day))
            for day in (days[0], days[-1])
        )
        return first != last

    def note(self, table: str, day: date | None) -> str:
        """The text with which one partition was written; "" where it has none.

        Raises:
            MissingPartitionError: It is not there.
            CorruptPartitionError: Its file is not whole.
        """
        notes: Mapping[bytes, bytes] = self.schema(table, day).metadata or {}
        return notes.get(NOTE, b"").decode()

    def digest(self, table: str, day: date | None) -> str:
        """A hash of one partition's bytes, which the same rows always have.

        Raises:
            MissingPartitionError: It is not there.
        """
        try:
            with self._opened(table, day) as file:
                return hashlib.sha256(file.read()).hexdigest()[:16]
        except FileNotFoundError as error:
            raise _missing(table, day) from error

    def check(self, table: str) -> list[date]:
        """Check every byte of a table's files with rows, each once while it stays the same.

        For engines that check nothing themselves. An object store checks what it gives.

        Returns:
            Days of the partitions that have a file of their own, in order.

        Raises:
            CorruptPartitionError: A file is not whole; the message names it.
        """
        if not self.is_local:
            return self.filled_days(table)
        days = self._local_files(table)
        files: list[tuple[date | None, str]] = [*days]
        if not files and self.exists(table, None):
            files = [(None, str(self.path(table, None)))]
        for day, path in files:
            check_once(path, partial(self._opened, table, day))
        return [day for day, _ in days]

    def _footer(self, table: str, day: date | None) -> pq.ParquetFile:
        try:
            with self._opened(table, day) as file:
                return self.unsealed(file)
        except FileNotFoundError as error:
            raise _missing(table, day) from error

    def _read_one(self, table: str, day: date | None, columns: Sequence[str] | None) -> pa.Table:
        with self._opened(table, day) as file:
            # ParquetFile, not read_table: the latter would add the folder's `day` as a column
            return self.unsealed(file).read(columns=list(columns) if columns else None)

    @contextmanager
    def _opened(self, table: str, day: date | None) -> Iterator[IO[bytes]]:
        """Open the file of a partition, and name it where it is not whole."""
        path = self.path(table, day)
        with whole(path, table=table), self._open(table, day) as file:
            yield file

    def _open(self, table: str, day: date | None) -> IO[bytes]:
        path = self.path(table, day)
        try:
            return self.content(path)
        except FileNotFoundError:
            empty = self._empty_files(table)
            if day not in empty:
                raise
            return self.content(empty[day])


def _filled(files: Iterable[tuple[str, str]]) -> list[date]:
    return sorted(
        date.fromisoformat(folder.removeprefix(DAY_PREFIX))
        for folder, name in files
        if name == FILE_NAME and folder.startswith(DAY_PREFIX)
    )


def _name_of(days: Sequence[date]) -> str:
    """The name of the file that stands for days without rows: the first, and a bit for each."""
    bits = sum(1 << (day - days[0]).days for day in days)
    return f"{days[0].isoformat()}_{bits:x}.parquet"


@lru_cache(maxsize=4096)
def _days_of(name: str) -> frozenset[date]:
    first, _, bits = name.removesuffix(".parquet").partition("_")
    return frozenset(
        date.fromisoformat(first) + timedelta(days=number)
        for number in range(EMPTY_DAYS)
        if int(bits, 16) >> number & 1
    )


@lru_cache(maxsize=256)
def _encode_empty(table: Table, note: str = "") -> bytes:
    return encode(_noted(table.empty(), note))


def _noted(rows: pa.Table, note: str) -> pa.Table:
    return rows.replace_schema_metadata({NOTE: note.encode()}) if note else rows


def _missing(table: str, day: date | None) -> MissingPartitionError:
    return MissingPartitionError(_missing_message(table, [day] if day else [], set()))


def _missing_message(table: str, missing: Sequence[date], there: set[date]) -> str:
    shown = ", ".join(day.isoformat() for day in missing[:5])
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    have = f"it holds {min(there)} to {max(there)}" if there else "it holds no partition"
    return f"table {table} has no partition for {shown}{more} ({have}); materialise them first"
