"""Dagster's SQLite event log, made fast enough for range backfills.

Dagster's own storage opens an engine, a connection and a transaction for each event and each of its
two files. A run over 400 daily partitions of 19 tables reports 15,200 events, which took minutes;
`benchmarks/event_log.py` measures both. Here one engine a file is kept, so that SQLAlchemy's cache
of compiled statements works, and a batch of events is one transaction a file. What is stored is
the same, in the same files: either class can open what the other wrote.

Belongs here: how events reach SQLite. Does not belong here: what the events say.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import RLock, local
from typing import Any

import sqlalchemy
from dagster import EventLogEntry
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
)
from dagster._serdes import ConfigurableClassData
from sqlalchemy.pool import NullPool

BUSY_TIMEOUT_SECONDS = 60


class BatchingSqliteEventLogStorage(SqliteEventLogStorage):
    """Dagster's SQLite event log with kept engines and batched transactions.

    Batches come from Dagster itself once `DAGSTER_EVENT_BATCH_SIZE` is set.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # before the parent's: it opens the index file at once
        self._engines: dict[str, sqlalchemy.Engine] = {}
        self._open = local()
        self._known_tables: set[str] = set()
        self._known_columns: set[str] = set()
        super().__init__(*args, **kwargs)
        # reentrant: a batch holds it while each event asks for a connection
        self._db_lock = RLock()  # type: ignore[assignment] # a plain lock there

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> "BatchingSqliteEventLogStorage":
        """Make the storage that `dagster.yaml` asks for; Dagster's own would make its own class."""
        return cls(inst_data=inst_data, **config_value)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events in one transaction a file.

        Every event of a batch comes from one run, by Dagster's contract.
        """
        with self._db_lock, ExitStack() as stack:
            for shard in (events[0].run_id, INDEX_SHARD_NAME):
                connection = stack.enter_context(self._connect(shard))
                self._opened()[shard] = connection
                stack.callback(self._opened().pop, shard)
            for event in events:
                self.store_event(event)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sqlalchemy.Connection]:
        already = self._opened().get(shard)
        if already is not None:
            yield already
            return
        with self._db_lock:
            engine = self._engine(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def has_table(self, table_name: str) -> bool:
        """Whether the index file has a table; asked for each event, and never changing back."""
        if table_name not in self._known_tables and super().has_table(table_name):
            self._known_tables.add(table_name)
        return table_name in self._known_tables

    def _has_asset_key_col_on_connection(
        self, conn: sqlalchemy.Connection, column_name: str
    ) -> bool:
        # inspected once, as `has_table`
        if column_name not in self._known_columns and super()._has_asset_key_col_on_connection(
            conn, column_name
        ):
            self._known_columns.add(column_name)
        return column_name in self._known_columns

    def _opened(self) -> dict[str, sqlalchemy.Connection]:
        if not hasattr(self._open, "connections"):
            self._open.connections = {}
        return self._open.connections  # type: ignore[no-any-return] # a thread-local is untyped

    def _engine(self, shard: str) -> sqlalchemy.Engine:
        engine = self._engines.get(shard)
        if engine is None:
            engine = sqlalchemy.create_engine(
                self.conn_string_for_shard(shard),
                # no pool: an idle connection would hold the file of a finished run
                poolclass=NullPool,
                connect_args={"timeout": BUSY_TIMEOUT_SECONDS},
            )
            self._engines[shard] = engine
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        return engine
