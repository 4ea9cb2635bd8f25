"""The batching event log and Dagster's own are two readers and writers of the same files."""

import sqlite3
import time
import uuid
from contextlib import closing

import dagster as dg
import pytest
import sqlalchemy
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from engagement_assets_tests.platform.homes import PROJECT
from resources.event_log import BatchingSqliteEventLogStorage

KEY = dg.AssetKey(["source", "things"])
KINDS = {"ours": BatchingSqliteEventLogStorage, "dagsters": SqliteEventLogStorage}


def materialised(run_id: str, day: str) -> dg.EventLogEntry:
    """What a run says when it made a partition."""
    event = dg.DagsterEvent(
        event_type_value=dg.DagsterEventType.ASSET_MATERIALIZATION.value,
        job_name="things",
        event_specific_data=dg._core.events.StepMaterializationData(
            dg.AssetMaterialization(KEY, partition=day, metadata={"rows": 3})
        ),
    )
    return dg.EventLogEntry(
        error_info=None,
        level=20,
        user_message=f"made {day}",
        run_id=run_id,
        timestamp=time.time(),
        job_name="things",
        dagster_event=event,
    )


@pytest.fixture
def run_id() -> str:
    return str(uuid.uuid4())


@pytest.mark.parametrize(("writer", "reader"), [("ours", "dagsters"), ("dagsters", "ours")])
def test_what_one_stores_the_other_reads(tmp_path, run_id, writer, reader):
    days = [f"2026-01-{n:02d}" for n in range(1, 8)]
    written = KINDS[writer](str(tmp_path))
    written.store_event_batch([materialised(run_id, day) for day in days])
    written.store_event(materialised(run_id, "2026-02-01"))

    read = KINDS[reader](str(tmp_path))
    assert [entry.user_message for entry in read.get_logs_for_run(run_id)] == [
        f"made {day}" for day in [*days, "2026-02-01"]
    ]
    assert read.get_materialized_partitions(KEY) == {*days, "2026-02-01"}
    assert read.has_asset_key(KEY)
    (latest,) = read.get_latest_materialization_events([KEY]).values()
    assert latest.dagster_event.partition == "2026-02-01"
    assert (
        latest.dagster_event.step_materialization_data.materialization.metadata["rows"].value == 3
    )


def test_a_run_s_file_begins_as_dagster_would_make_it(tmp_path):
    begun = []
    for name, kind in KINDS.items():
        storage = kind(str(tmp_path / name))
        for run_id in ("first", "second"):
            assert storage.get_logs_for_run(run_id) == []
            with closing(sqlite3.connect(storage.path_for_shard(run_id))) as file:
                schema = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
                asked = (schema, "SELECT * FROM alembic_version", "PRAGMA journal_mode")
                begun.append([file.execute(query).fetchall() for query in asked])
    assert begun == begun[:1] * 4
    assert len(begun[0][0]) > 5


def test_both_write_in_turn_to_the_same_files(tmp_path, run_id):
    ours, dagsters = (kind(str(tmp_path)) for kind in KINDS.values())
    for number in range(3):
        for storage in (ours, dagsters):
            storage.store_event_batch([materialised(run_id, f"2026-01-{number + 1:02d}")])
    for storage in (ours, dagsters):
        assert len(storage.get_logs_for_run(run_id)) == 6
        assert len(storage.get_materialized_partitions(KEY)) == 3


def test_a_batch_is_stored_whole_or_not_at_all(tmp_path, run_id, monkeypatch):
    storage = BatchingSqliteEventLogStorage(str(tmp_path))
    storage.store_event_batch([materialised(run_id, "2026-01-01")])
    real, seen = storage.store_event, []

    def fails_at_the_third(event):
        seen.append(event)
        if len(seen) == 3:
            raise RuntimeError("the process is killed")
        real(event)

    monkeypatch.setattr(storage, "store_event", fails_at_the_third)
    batch = [materialised(run_id, f"2026-01-{n:02d}") for n in range(2, 6)]
    with pytest.raises(RuntimeError, match="killed"):
        storage.store_event_batch(batch)
    fresh = SqliteEventLogStorage(str(tmp_path))
    assert len(fresh.get_logs_for_run(run_id)) == 1
    assert fresh.get_materialized_partitions(KEY) == {"2026-01-01"}

    monkeypatch.setattr(storage, "store_event", real)
    storage.store_event_batch(batch)
    assert len(fresh.get_logs_for_run(run_id)) == 5


def test_a_batch_is_one_transaction_a_file(tmp_path, run_id):
    storage = BatchingSqliteEventLogStorage(str(tmp_path))
    storage.store_event_batch([materialised(run_id, "2026-01-01")])
    commits: list[object] = []

    def committed(connection):
        commits.append(connection)

    engines = list(storage._engines.values())
    for engine in engines:
        sqlalchemy.event.listen(engine, "commit", committed)
    storage.store_event_batch([materialised(run_id, f"2026-01-{n:02d}") for n in range(2, 12)])
    assert len(commits) == 2
    assert len(storage.get_logs_for_run(run_id)) == 11


def test_dagster_yaml_asks_for_the_batching_storage(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_EVENT_LOG", str(tmp_path / "history"))
    (tmp_path / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert type(instance.event_log_storage) is BatchingSqliteEventLogStorage
        assert instance.telemetry_enabled is False


def test_a_run_through_the_storage_reads_back_in_order(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_EVENT_LOG", str(tmp_path / "history"))
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    (tmp_path / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text())

    @dg.asset(key=KEY)
    def things() -> None:
        return None

    @dg.asset_check(asset=KEY)
    def whole() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False)

    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        made = dg.materialize([things, whole], instance=instance)
        kinds = [
            entry.dagster_event.event_type_value
            for entry in instance.all_logs(made.run_id)
            if entry.dagster_event
        ]
        assert kinds.index("PIPELINE_START") < kinds.index("ASSET_MATERIALIZATION")
        assert kinds.index("ASSET_MATERIALIZATION") < kinds.index("ASSET_CHECK_EVALUATION")
        assert kinds[-1] == "PIPELINE_SUCCESS"
        check = dg.AssetCheckKey(KEY, "whole")
        (record,) = instance.event_log_storage.get_asset_check_execution_history(check, limit=5)
        assert record.status.value == "FAILED"
