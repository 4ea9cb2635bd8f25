"""A run has one day, also where midnight passes while it runs; a day not ingested is refused."""

from datetime import UTC, date, datetime, timedelta

import pytest

from engagement_assets.commands import homes
from engagement_assets.settings import installation
from engagement_assets.settings.installation import PROJECT, Settings
from engagement_assets.signals.network.snapshot import graph_of
from engagement_assets.signals.network.spread import recent
from engagement_assets.source.known import product_sql
from resources.engine import DuckDBEngine
from resources.lake import Lake, MissingPartitionError

EVENING = datetime(2026, 3, 1, 23, 45, tzinfo=UTC)


class Clock(datetime):
    """A clock that is moved by hand."""

    at = EVENING

    @classmethod
    def now(cls, _zone=None):
        return cls.at


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(installation, "datetime", Clock)
    monkeypatch.setattr(Clock, "at", EVENING)
    return Clock


def test_a_run_that_crosses_midnight_makes_the_day_that_it_began_with(clock, tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("ENGAGEMENT_HOME", str(home))
    for name in ("DAGSTER_HOME", "ENGAGEMENT_EVENT_LOG", "DAGSTER_EVENT_BATCH_SIZE"):
        # put back after the test: preparing a home sets them
        monkeypatch.setenv(name, "1")
    settings = homes.settings_from({"home": str(home), "days": 95})
    homes.prepare_home(settings)
    from engagement_assets.commands import run  # noqa: PLC0415 - reads the home

    days = []

    def make_all(_runner, settings, **_options):
        days.append(settings.end)
        clock.at = EVENING + timedelta(minutes=30)
        days.append(settings.end)

    monkeypatch.setattr(run, "make_all", make_all)
    monkeypatch.setattr(run, "unserved_models", lambda _: [])
    monkeypatch.setattr(run, "summary", lambda settings, *_, **__: days.append(settings.end) or "")
    run.run(settings, retrain=False)
    assert days == [date(2026, 2, 28)] * 3
    # the next run goes on to the new day
    assert Settings.load(home).end == date(2026, 3, 1)


@pytest.mark.parametrize(
    "read",
    [graph_of, lambda engine, sql, day: recent(engine, sql, day, 28)],
    ids=["graph", "posts"],
)
def test_insights_of_a_day_that_is_not_ingested_are_refused(tmp_path, read):
    engine = DuckDBEngine(Lake(str(tmp_path / "lake")), {}, threads=1)
    with pytest.raises(MissingPartitionError, match="2026-03-01"):
        read(engine, product_sql(PROJECT / "sql"), date(2026, 3, 1))
