"""A range of days is one run, and two runs over one day leave it whole."""

from datetime import timedelta
from pathlib import Path

import dagster as dg

from engagement_assets_tests.platform.homes import END, Home, story, story_process, told

DAYS = [END - timedelta(days=n) for n in (3, 2, 1)]
KEYS = [day.isoformat() for day in DAYS]


def test_a_range_of_days_is_one_run_with_a_partition_each(home):
    with home.instance() as instance:
        before = instance.get_runs_count()
    made = story(home, "ranges", first=KEYS[0], last=KEYS[-1])
    tables = ("features/customer_features", "churn/predictions")
    for run, table in zip(made, tables, strict=True):
        assert run["success"], run["failures"]
        assert sorted(run["made"][table]) == KEYS
        assert set(DAYS) <= set(home.lake.days(table))
    with home.instance() as instance:
        assert instance.get_runs_count() == before + 2
        for table in tables:
            key = dg.AssetKey(table.split("/"))
            assert set(KEYS) <= instance.get_materialized_partitions(key)
            records = instance.fetch_materializations(key, limit=3).records
            counts = {
                record.partition_key: record.asset_materialization.metadata[
                    "dagster/partition_row_count"
                ].value
                for record in records
            }
            assert counts == {day.isoformat(): home.lake.row_count(table, day) for day in DAYS}


def test_a_day_of_a_range_is_the_day_made_alone(home: Home):
    path = Path(str(home.lake.path("features/customer_features", END)))
    alone = path.read_bytes()
    path.unlink()
    assert story(home, "again_in_a_range", first=KEYS[-1], last=END.isoformat())["success"]
    assert path.read_bytes() == alone


def test_two_runs_over_the_same_day_both_end_and_leave_it_whole(home):
    path = Path(str(home.lake.path("features/customer_features", END)))
    whole = path.read_bytes()
    path.unlink()
    both = [story_process(home, "again", job="features", day=END.isoformat()) for _ in range(2)]
    runs = [told(process) for process in both]
    assert [run["success"] for run in runs] == [True, True], runs
    assert runs[0]["run_id"] != runs[1]["run_id"]
    assert path.read_bytes() == whole
    assert [entry.name for entry in path.parent.iterdir()] == ["part.parquet"]
    with home.instance() as instance:
        for run in runs:
            assert instance.get_run_by_id(run["run_id"]).status.value == "SUCCESS"
