"""Engines that run a `SELECT` over the lake.

Belongs here: running queries and landing their results as partitions. Does not belong here: what
is asked (`sql/`) and how files are written (`lake.py`).
"""

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from itertools import count
from typing import Protocol

import duckdb
import pyarrow as pa

from resources.lake import FILE_NAME, PARTITION_COLUMN, CorruptPartitionError, Lake, Written
from resources.sql import ParameterValue, Query, quote_text
from resources.tables import Table
from resources.vault import PROTOCOL, Vault, VaultFileSystem

# Of the databases that connections have for their own.
_NUMBERS = count()


class EngineError(RuntimeError):
    """A query failed; the message names the query."""


class Engine(Protocol):
    """What callers may ask of every engine."""

    @property
    def lake(self) -> Lake:
        """The tables."""

    @property
    def declared(self) -> Mapping[str, Table]:
        """Tables that a query may name before they have a partition, by `<group>.<noun>`."""

    def select(self, query: Query, parameters: Mapping[str, ParameterValue]) -> pa.Table:
        """Run a query over the lake; its rows in the order that it asks for.

        Raises:
            EngineError: A table is not known, or the query failed.
        """

    def land(
        self,
        query: Query,
        parameters: Mapping[str, ParameterValue],
        *,
        into: Table,
        day: date | None,
    ) -> Written:
        """Run a query and put its result in place of one partition.

        Raises:
            SchemaError: The result breaks the declared schema; the old partition stays.
            EngineError: The query failed.
        """


@dataclass(frozen=True)
class DuckDBEngine:
    """Runs queries in an in-memory DuckDB over views of the lake's files.

    No `.duckdb` file is shared: one writer process would lock out every other.

    Attributes:
        lake: The tables.
        declared: Tables that a query may name before they have a partition, by `<group>.<noun>`;
            such a table is empty.
        threads: DuckDB threads, or None for one a core.
        memory_limit: DuckDB's own limit, such as `6GB`.
    """

    lake: Lake
    declared: Mapping[str, Table] = field(default_factory=dict)
    threads: int | None = None
    memory_limit: str = "6GB"

    @contextmanager
    def connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """An in-memory connection in UTC, closed afterwards."""
        with connect(
            memory_limit=self.memory_limit, threads=self.threads, vault=self.lake.vault
        ) as connection:
            yield connection

    def select(self, query: Query, parameters: Mapping[str, ParameterValue]) -> pa.Table:
        """Run a query over the lake; see `Engine`.

        Raises:
            EngineError: A table is neither there nor declared, or DuckDB refuses the query.
            CorruptPartitionError: A file that the query reads is not whole.
        """
        with self.connection() as connection:
            for table in sorted(query.tables):
                # DuckDB takes turned bits for other values
                days = self.lake.check(table)
                run(connection, self.view(table, days), name=f"{query.name}, view of {table}")
            return run(connection, query.render(parameters), name=query.name)

    def land(
        self,
        query: Query,
        parameters: Mapping[str, ParameterValue],
        *,
        into: Table,
        day: date | None,
    ) -> Written:
        """Run a query and put its result in place of one partition; see `Engine`."""
        return self.lake.write(into, self.select(query, parameters), day=day)

    def view(self, table: str, days: Sequence[date] | None = None) -> str:
        """The statement that makes `<group>.<table>` a view of its files; see `rows`."""
        return view_of(table, self.rows(table, days))

    def rows(self, table: str, days: Sequence[date] | None = None) -> str:
        """The statement that selects the rows of `<group>.<table>` from its files.

        Args:
            table: The table.
            days: Its days that have a file of their own, as `Lake.check` returns them; they are
                listed where none are given.

        Raises:
            EngineError: The table is neither there nor declared.
        """
        folder = literal_path(str(self.lake.table_path(table)))
        if self.lake.vault is not None:
            folder = f"{PROTOCOL}://{folder}"
        days = self.lake.filled_days(table) if days is None else days
        if days:
            # by name, a partition of an older release has nulls for what it lacks; DuckDB then
            # reads every footer first
            by_name = ", union_by_name = true" if self.lake.is_mixed(table, days) else ""
            pattern = quote_text(f"{folder}/{PARTITION_COLUMN}=*/{FILE_NAME}")
            return (
                f"SELECT * FROM read_parquet({pattern}, hive_partitioning = true, "
                f"hive_types = {{'{PARTITION_COLUMN}': DATE}}{by_name})"
            )
        if self.lake.exists(table, None):
            path = quote_text(f"{folder}/{FILE_NAME}")
            return f"SELECT * FROM read_parquet({path})"
        if table in self.declared:
            empty = self.declared[table].empty_select()
            return f"SELECT *, CAST(NULL AS DATE) AS {PARTITION_COLUMN} FROM ({empty})"
        raise EngineError(f"table {table} is not in the lake and not declared")


def view_of(table: str, rows: str) -> str:
    """Return the statement that makes `<group>.<table>` a view of some rows."""
    group, name = table.split(".")
    head = f'CREATE SCHEMA IF NOT EXISTS "{group}"; CREATE OR REPLACE VIEW "{group}"."{name}"'
    return f"{head} AS {rows}"


def literal_path(path: str) -> str:
    """Return a path of files that DuckDB reads, in which `*`, `?` and `[` stand for themselves.

    Raises:
        EngineError: A path of this machine has a backslash, which DuckDB takes for a slash.
    """
    if "://" in path:
        return path
    if "\\" in path:
        raise EngineError(f"{path}: DuckDB takes a backslash for a slash: choose a path without")
    return glob.escape(path)


@contextmanager
def connect(
    *,
    timezone: str = "UTC",
    memory_limit: str,
    threads: int | None = None,
    extensions: bool = False,
    vault: Vault | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB with nothing in it, closed afterwards.

    It is a database of its own in an instance that this process keeps: to begin an instance, with
    its three thousand functions, takes longer than most queries.

    Args:
        timezone: Zone of times that name none.
        memory_limit: What all that are open with it may use before they spill to disk.
        threads: Threads of all that are open with these arguments, or None for one a core.
        extensions: Whether it may fetch an extension that a query needs.
        vault: Decrypts the files that it reads.

    Raises:
        duckdb.Error: The zone is not known.
    """
    instance = _instance(os.getpid(), memory_limit, threads, extensions, vault)
    name = f"own_{next(_NUMBERS)}"
    connection = instance.cursor()
    try:
        connection.execute(f"ATTACH ':memory:' AS {name}; USE {name}")
        # not in the config: the time zone extension is not loaded yet when that is read
        connection.execute(f"SET TimeZone = {quote_text(timezone)}")
        yield connection
    finally:
        connection.close()
        try:
            with instance.cursor() as last:
                last.execute(f"DETACH DATABASE IF EXISTS {name}")
        except duckdb.FatalException:
            # a fault of DuckDB's own ends an instance; the next connection begins another
            _instance.cache_clear()


# Of the process: what a fork has of its parent's instances has no threads.
@lru_cache(maxsize=8)
def _instance(
    _process: int, memory_limit: str, threads: int | None, extensions: bool, vault: Vault | None
) -> duckdb.DuckDBPyConnection:
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory_limit,
        "autoinstall_known_extensions": extensions,
        # a file may be another a moment later
        "enable_external_file_cache": False,
    }
    if threads:
        config["threads"] = threads
    instance = duckdb.connect(":memory:", config=config)
    if vault is not None:
        instance.register_filesystem(VaultFileSystem(vault))
    return instance


def run(connection: duckdb.DuckDBPyConnection, sql: str, *, name: str) -> pa.Table:
    """Run SQL on a connection, with errors that name the query and a corrupt file as such.

    Raises:
        CorruptPartitionError: A Parquet file that was read is not whole.
        EngineError: Anything else that DuckDB refuses.
    """
    try:
        return connection.execute(sql).to_arrow_table()
    except duckdb.Error as error:
        message = str(error)
        if ".parquet" in message and ("magic bytes" in message or "too small" in message):
            raise CorruptPartitionError(
                f"{name}: {message}; materialise that partition again"
            ) from error
        raise EngineError(f"{name}: {message}") from error
