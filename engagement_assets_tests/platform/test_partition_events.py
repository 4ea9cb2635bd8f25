"""Which partitions of a range a run reports, and what its plan leaves in the event log."""

import dagster as dg

from resources.event_log import BatchingSqliteEventLogStorage
from resources.partition_events import report_partitions

DAYS = [f"2026-01-{number:02d}" for number in range(1, 11)]
PART, WHOLE = dg.AssetKey("part"), dg.AssetKey("whole")


@dg.multi_asset(
    specs=[dg.AssetSpec(PART), dg.AssetSpec(WHOLE)],
    partitions_def=dg.DailyPartitionsDefinition("2026-01-01"),
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def both(context: dg.AssetExecutionContext):
    report_partitions(context, {PART: {DAYS[2]: {"rows": 2}, DAYS[9]: {"rows": 0}}})
    yield dg.MaterializeResult(asset_key=PART, metadata={"source": "here"})
    yield dg.MaterializeResult(asset_key=WHOLE)


@dg.asset_check(asset=PART)
def whole_days() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def run(storage: type, folder) -> dg.DagsterInstance:
    overrides = {
        "event_log_storage": {
            "module": storage.__module__,
            "class": storage.__name__,
            "config": {"base_dir": str(folder / "history")},
        }
    }
    instance = dg.DagsterInstance.local_temp(str(folder), overrides=overrides)
    job = dg.define_asset_job("all", dg.AssetSelection.all())
    defs = dg.Definitions(assets=[both], asset_checks=[whole_days], jobs=[job])
    tags = {
        "dagster/asset_partition_range_start": DAYS[0],
        "dagster/asset_partition_range_end": DAYS[-1],
    }
    assert defs.resolve_job_def("all").execute_in_process(instance=instance, tags=tags).success
    return instance


def test_the_partitions_that_are_named_are_reported_with_their_metadata(tmp_path):
    with run(BatchingSqliteEventLogStorage, tmp_path) as instance:
        assert instance.get_materialized_partitions(PART) == {DAYS[2], DAYS[9]}
        assert instance.get_materialized_partitions(WHOLE) == set(DAYS)
        made = instance.fetch_materializations(PART, limit=10).records
        figures = {
            one.partition_key: {k: v.value for k, v in one.asset_materialization.metadata.items()}
            for one in made
        }
        assert figures == {
            DAYS[2]: {"rows": 2, "source": "here"},
            DAYS[9]: {"rows": 0, "source": "here"},
        }


def test_a_range_is_planned_once_an_asset_and_a_check_and_each_check_ends(tmp_path):
    with run(BatchingSqliteEventLogStorage, tmp_path) as instance:
        (record,) = instance.get_runs()
        events = instance.all_logs(record.run_id)
        planned = [e.dagster_event.event_type_value for e in events if e.dagster_event]
        assert planned.count("ASSET_MATERIALIZATION_PLANNED") == 2
        key = dg.AssetCheckKey(PART, "whole_days")
        history = instance.event_log_storage.get_asset_check_execution_history(key, limit=100)
        assert [execution.status.value for execution in history] == ["SUCCEEDED"]
