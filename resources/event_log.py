"""Dagster's SQLite event log, made fast enough for range backfills.

Dagster's own storage opens an engine, a connection and a transaction for each event and each of its
two files, and waits for the disk at each. A run over 400 daily partitions of 19 tables reports
15,200 events, which took minutes; `benchmarks/event_log.py` measures both. Here one engine a file
is kept, so that SQLAlchemy's cache of compiled statements works, a batch of events is one
transaction a file, and no event waits for the disk. What is stored is the same, in the same files:
either class can open what the other wrote.

The process that executes a run holds a lock on a file beside the run's events until the run ends.
The kernel lets go of it when the process dies, however it dies, so a run that is still `STARTED`
and whose lock is free has no process any more.

Belongs here: how events reach SQLite, and which runs have lost their process. Does not belong here:
what the events say.
"""

import fcntl
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import RLock, local
from typing import IO, Any

import sqlalchemy
from dagster import (
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    EventLogEntry,
    RunsFilter,
)
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationPlanned,
)
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
)
from dagster._serdes import ConfigurableClassData
from sqlalchemy.pool import NullPool, QueuePool

from resources.files import create_file

BUSY_TIMEOUT_SECONDS = 60
RUN_ENDS = (
    DagsterEventType.RUN_SUCCESS,
    DagsterEventType.RUN_FAILURE,
    DagsterEventType.RUN_CANCELED,
)


class BatchingSqliteEventLogStorage(SqliteEventLogStorage):
    """Dagster's SQLite event log with kept engines and batched transactions.

    Batches come from Dagster itself once `DAGSTER_EVENT_BATCH_SIZE` is set.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # before the parent's: it opens the index file at once
        self._engines: dict[str, sqlalchemy.Engine] = {}
        self._open = local()
        self._locks: dict[str, IO[bytes]] = {}
        self._known_tables: set[str] = set()
        self._known_columns: set[str] = set()
        self._empty = b""
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

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event; the first and the last of a run take and release its lock."""
        kind = event.dagster_event.event_type if event.dagster_event else None
        if kind is DagsterEventType.RUN_START and event.run_id not in self._locks:
            lock = self._lock_path(event.run_id).open("wb")
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._locks[event.run_id] = lock
            self._forget_engine(event.run_id)
        super().store_event(event)
        if kind in RUN_ENDS:
            self._forget_engine(event.run_id)
            # removed before it is released: a run without a lock file counts as living
            self._lock_path(event.run_id).unlink(missing_ok=True)
            lock_held = self._locks.pop(event.run_id, None)
            if lock_held is not None:
                lock_held.close()

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        """Yes: a range is planned by one event an asset, not by one a partition.

        The partitions of a range that failed are then not marked one by one; the run is.
        """
        return True

    def _store_asset_check_evaluation_planned(
        self, event: EventLogEntry, event_id: int | None
    ) -> None:
        # a check of this platform judges the days of a run at once; Dagster's own class would
        # plan one evaluation a partition, which none ever fulfils
        planned = event.dagster_event
        if planned is not None:
            data = planned.asset_check_planned_data
            whole = AssetCheckEvaluationPlanned(
                asset_key=data.asset_key, check_name=data.check_name
            )
            event = event._replace(dagster_event=planned._replace(event_specific_data=whole))
        super()._store_asset_check_evaluation_planned(event, event_id)

    def has_lost_its_process(self, run_id: str) -> bool:
        """Whether the process that executed a run is gone; False where it took no lock."""
        try:
            with self._lock_path(run_id).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (FileNotFoundError, BlockingIOError):
            return False
        return True

    def _lock_path(self, run_id: str) -> Path:
        return Path(self._base_dir) / f"{run_id}.lock"

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
            # A connection stays open to the index, and to a run as long as this process executes
            # it: closing a file's last one copies its write-ahead log and waits for the disk. To
            # other runs none does: it would hold the file of a finished run.
            executing = shard == INDEX_SHARD_NAME or shard in self._locks
            engine = sqlalchemy.create_engine(
                self.conn_string_for_shard(shard),
                poolclass=QueuePool if executing else NullPool,
                connect_args={"timeout": BUSY_TIMEOUT_SECONDS},
            )
            sqlalchemy.event.listen(engine, "connect", _commit_without_waiting)
            self._engines[shard] = engine
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        return engine

    def _initdb(self, engine: sqlalchemy.Engine, for_index_shard: bool = False) -> None:
        path = Path(str(engine.url.database))
        if for_index_shard or path.exists():
            super()._initdb(engine, for_index_shard)
            return
        # its tables one by one, each waiting for the disk, would take longer than a small run
        if not self._empty:
            with tempfile.TemporaryDirectory() as folder:
                pattern = Path(folder) / path.name
                made = sqlalchemy.create_engine(f"sqlite:///{pattern}", poolclass=NullPool)
                super()._initdb(made)
                self._empty = pattern.read_bytes()
        create_file(path, self._empty, mode=0o644)

    def dispose(self) -> None:
        """Close what stays open."""
        super().dispose()
        for shard in list(self._engines):
            self._forget_engine(shard)

    def _forget_engine(self, shard: str) -> None:
        """Let the next connection to a file be of another kind, and close those that idle."""
        engine = self._engines.pop(shard, None)
        if engine is not None:
            engine.dispose()


def _commit_without_waiting(connection: Any, _record: Any) -> None:
    """Let the write-ahead log reach the disk in its own time.

    A killed process loses nothing; a machine that loses power loses the last events, never more.
    """
    connection.execute("PRAGMA synchronous = NORMAL")


def end_abandoned_runs(instance: DagsterInstance) -> list[DagsterRun]:
    """Mark the runs failed whose process is gone, and free what ended runs hold of pools.

    Without it they would hold the queue, or a pool, for ever.

    Dagster's own monitoring asks the run launcher, which knows nothing of runs that another process
    executed. On other storages (a database, with runs that are tasks) the launcher knows them all.

    Returns:
        The runs that were marked.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, BatchingSqliteEventLogStorage):
        return []
    in_progress = [DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    abandoned = [
        run
        for run in instance.get_runs(RunsFilter(statuses=in_progress))
        if storage.has_lost_its_process(run.run_id)
    ]
    for run in abandoned:
        instance.report_run_failed(run, "the process of this run is gone: it was killed, or died")
    for run_id in storage.get_concurrency_run_ids():
        holder = instance.get_run_by_id(run_id)
        if holder is None or holder.is_finished:
            storage.free_concurrency_slots_for_run(run_id)
    return abandoned
