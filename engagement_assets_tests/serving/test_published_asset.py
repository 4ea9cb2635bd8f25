"""The asset in a home made by `make run`: what is served, what is refused, what is gone on with."""

import shutil
import signal
from datetime import timedelta

import dagster as dg
import pytest

from engagement_assets.serving.records import INPUTS, decode
from engagement_assets_tests.platform.homes import (
    END,
    WORLD,
    Home,
    analysed,
    command,
    story,
    story_process,
)
from resources.online_store.sqlite import SqliteStore

KEY = dg.AssetKey(["serving", "published"])


def store_of(home):
    return SqliteStore(home.path / "online.sqlite")


def told(home):
    """What the asset said last."""
    with home.instance() as instance:
        event = instance.get_latest_materialization_event(KEY)
    metadata = event.asset_materialization.metadata
    return {name: value.value for name, value in metadata.items()}


def test_make_run_serves_the_last_day_of_every_customer(made_home: Home):
    store = store_of(made_home)
    served = store.served()
    assert served.snapshot_date == END
    unified = made_home.lake.read("predictions/customers", days=[END]).to_pylist()
    assert served.details["customers"] == len(unified) == len(analysed(made_home.lake)) < 400
    for start in range(0, len(unified), 100):
        rows = {row["customer_id"]: row for row in unified[start : start + 100]}
        actual = store.get(served.name, list(rows))
        assert actual.keys() == rows.keys()
        for name, content in actual.items():
            document = decode(content)
            churn = document["predictions"]["churn"]
            assert (churn or {}).get("churn_probability") == rows[name]["churn_probability"]
            health = document["predictions"]["ensemble"]["customer_health"]
            assert health == rows[name]["customer_health"]
            assert "; ".join(document["actions_due"]) == rows[name]["actions_due"]
    store.close()


def test_the_asset_says_what_it_published(made_home: Home):
    said = told(made_home)
    assert said["served_day"] == END.isoformat()
    people = len(analysed(made_home.lake))
    assert (said["customers"], said["batches"], said["batches_resumed"]) == (people, 1, 0)
    assert said["bytes"] > 100_000
    assert said["release"].startswith(END.isoformat())


def test_a_store_that_was_removed_is_made_again_by_the_next_run(home: Home):
    before = store_of(home).served()
    for file in home.path.glob("online.sqlite*"):
        file.unlink()
    done = command(home.path, "run", *WORLD)
    assert done.returncode == 0, done.stderr
    assert "publish 2026-03-01" in done.stderr
    assert "predictions 2026" not in done.stderr
    assert store_of(home).served().name == before.name


def test_an_older_day_is_told_and_does_not_fail(home: Home):
    before = END - timedelta(days=1)
    for table in INPUTS:
        day = home.lake.path(table, END).parent
        if day.exists():
            shutil.copytree(day, day.parent / f"day={before}")
    done = story(home, "again", job="publish", day=before.isoformat())
    assert done["success"]
    assert done["failed_checks"] == []
    assert told(home)["not_published"].startswith(f"{END} is served, and {before} is older")
    assert store_of(home).served().snapshot_date == END


def test_a_range_publishes_its_last_day_and_says_so_of_each(home: Home):
    first = END - timedelta(days=2)
    done = story(home, "run", job="publish", span=[first.isoformat(), END.isoformat()])
    assert done["success"]
    assert len(done["made"]["serving/published"]) == 3
    with home.instance() as instance:
        records = instance.fetch_materializations(KEY, limit=3).records
    said = {
        record.asset_materialization.partition: record.asset_materialization.metadata
        for record in records
    }
    assert "of a range the last day" in said[first.isoformat()]["not_published"].value
    assert said[END.isoformat()]["served_day"].value == END.isoformat()


def test_a_publication_that_is_killed_leaves_what_is_served_and_is_gone_on_with(home: Home):
    before = store_of(home).served()
    killed = story_process(home, "publish_in_batches", day=END.isoformat(), kill_after=2)
    killed.communicate(timeout=300)
    assert killed.returncode == -signal.SIGKILL
    assert store_of(home).served() == before
    done = story(home, "publish_in_batches", day=END.isoformat())
    assert done["success"], done["failures"]
    assert done["failed_checks"] == []
    said = told(home)
    assert (said["batches"], said["batches_resumed"]) == (4, 2)
    assert store_of(home).served().name == said["release"] != before.name


@pytest.mark.parametrize("passed", [False, True], ids=["failed", "passed"])
def test_a_failed_check_of_the_unified_predictions_stops_publishing(home: Home, passed):
    for file in home.path.glob("online.sqlite*"):
        file.unlink()
    done = story(home, "publish_after_a_check", day=END.isoformat(), passed=passed)
    assert done["success"] == passed
    served = store_of(home).served()
    assert (served is not None) == passed
    if not passed:
        assert "predictions/customers: keys" in done["failures"]["serving__published"]
