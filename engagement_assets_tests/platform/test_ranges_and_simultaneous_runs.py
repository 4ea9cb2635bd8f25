"""A range of days is one run, and two runs over one day leave it whole."""

from datetime import timedelta
from pathlib import Path

import dagster as dg

from engagement_assets_tests.platform.homes import END, story, story_process, told

DAYS = [END - timedelta(days=n) for n in (2, 1, 0)]
KEYS = [day.isoformat() for day in DAYS]
ROWS = "dagster/row_count"
TABLES = ("features/customer_features", "churn/predictions")


def test_a_range_of_days_is_one_run_and_each_day_is_as_if_made_alone(home):
    last = [Path(str(home.lake.path(table, END))) for table in TABLES]
    alone = [path.read_bytes() for path in last]
    for path in last:
        path.unlink()
    with home.instance() as instance:
        before = instance.get_runs_count()
    made = story(home, "ranges", first=KEYS[0], last=KEYS[-1])
    for run, table in zip(made, ("network/metrics", *TABLES), strict=True):
        assert run["success"], run["failures"]
        assert sorted(run["made"][table]) == KEYS
    assert [path.read_bytes() for path in last] == alone
    with home.instance() as instance:
        assert instance.get_runs_count() == before + 3
        for table in TABLES:
            key = dg.AssetKey(table.split("/"))
            assert set(KEYS) <= instance.get_materialized_partitions(key)
            records = instance.fetch_materializations(key, limit=3).records
            counts = {
                record.partition_key: record.asset_materialization.metadata[ROWS].value
                for record in records
            }
            assert counts == {day.isoformat(): home.lake.row_count(table, day) for day in DAYS}


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
