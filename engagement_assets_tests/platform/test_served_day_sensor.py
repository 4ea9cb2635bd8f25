"""How old the served day is, is said whether publishing works or not."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from engagement_assets.orchestration.sensors import SERVED_DAY_AGE, served_day_sensor
from resources.gauges import LoggedGauges
from resources.online_store.releases import Release
from resources.online_store.resource import SqliteOnlineStore


@pytest.fixture
def store(tmp_path):
    return SqliteOnlineStore(path=str(tmp_path / "online.sqlite"))


@pytest.fixture
def said(store, caplog):
    """What the sensor says, and the lines of its log."""
    resources = {"online_store": store, "gauges": LoggedGauges()}
    with caplog.at_level("INFO", "engagement.gauges"):
        skipped = served_day_sensor(dg.build_sensor_context(resources=resources)).skip_message
    ours = [r.getMessage() for r in caplog.records if r.name == "engagement.gauges"]
    return skipped, ours


def test_before_the_first_day_nothing_is_reported(said):
    skipped, lines = said
    assert "no day" in skipped
    assert lines == []


@pytest.fixture
def day(store):
    """A day that is served, three days old."""
    day = datetime.now(UTC).date() - timedelta(days=3)
    with store.store.publishing(Release(f"{day}-0011", day), owner="test") as publication:
        publication.put(0, [("c1", b"{}")])
        publication.serve()
    return day


def test_the_age_of_the_served_day_is_reported(day, said):
    skipped, lines = said
    assert skipped == f"{day} is served, 3 days old"
    assert lines == [f"{SERVED_DAY_AGE} is 3"]


def test_it_runs_without_being_turned_on():
    assert served_day_sensor.default_status is dg.DefaultSensorStatus.RUNNING
