"""The profile of what was taken in: figures by hand, and what looks like a mistake."""

from datetime import date, datetime, timedelta

import pytest

from engagement_assets.source.ingestion import ingest
from engagement_assets.source.profile import Profile, profile
from engagement_assets.source.quarantine import SOURCE_TABLES
from engagement_assets_tests.source.raw_rows import FIRST, MemoryReader, a_session, table_of
from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.tables import by_sql_name

NOON = datetime(FIRST.year, FIRST.month, FIRST.day, 12)


class InBothDialects(DuckDBEngine):
    """DuckDB, for queries that can be said for Athena too."""

    def select(self, query, parameters):
        query.render(parameters, dialect="athena")
        return super().select(query, parameters)


def measure(lake: Lake, sessions, *, days: int = 3, timezone="UTC", end=None, **tables) -> Profile:
    given = {"sessions": table_of("sessions", sessions)} if sessions else {}
    reader = MemoryReader({**given, **tables})
    ingest(reader, lake, FIRST, FIRST + timedelta(days=days - 1))
    engine = InBothDialects(lake, declared=by_sql_name(SOURCE_TABLES))
    return profile(engine, timezone=timezone, end=end)


def visits(*hours: float, length: float = 600.0):
    return [
        a_session(number, occurred_at=NOON + timedelta(hours=hour), duration_seconds=length)
        for number, hour in enumerate(hours)
    ]


def test_the_figures_are_those_of_the_rows(lake: Lake) -> None:
    measured = measure(lake, [*visits(0, 1, 1.5, 48), a_session(9, pages=-1)])
    assert measured.rows == {"customers": 2, "sessions": 4}
    assert (measured.customers, measured.versions_per_customer) == (2, 1.0)
    assert (measured.first, measured.last) == (FIRST, FIRST + timedelta(days=2))
    assert (measured.days_with_sessions, measured.longest_gap) == (
        2,
        (measured.first, measured.last),
    )
    assert measured.inactive_share == 0.5
    assert measured.median_session_seconds == 600.0
    assert measured.hours == {12: 2, 13: 2}
    assert measured.quarantined == {("sessions", "out of bounds: pages"): 1}
    assert not [warning for warning in measured.warnings if "quarantine" not in warning]


def test_hours_and_days_are_those_of_the_zone(lake: Lake) -> None:
    measured = measure(lake, visits(13, 14), timezone="America/New_York")
    assert measured.hours == {20: 1, 21: 1}
    assert measured.last == FIRST


@pytest.mark.parametrize(
    ("sessions", "word"),
    [
        (visits(0, 1, 2, length=4.0), "minutes"),
        (visits(0, 1, 2, length=60_000.0), "milliseconds"),
        (visits(14, 14.2, 15, 16), "timezone"),
        (visits(12, 12, 36, 36), "midnight"),
        (visits(0, 0, 0, 1), "join"),
    ],
)
def test_what_looks_like_a_mistake_is_named(lake: Lake, sessions, word: str) -> None:
    warnings = measure(lake, sessions).warnings
    assert [warning for warning in warnings if word in warning], warnings


def test_a_long_gap_and_data_that_end_early_are_named(lake: Lake) -> None:
    measured = measure(lake, visits(0, 24 * 100), days=150, end=FIRST + timedelta(days=149))
    words = " ".join(measured.warnings)
    assert "is a file missing" in words
    assert "last_day" in words


def test_a_source_without_sessions_has_a_profile(lake: Lake) -> None:
    measured = measure(lake, [])
    assert (measured.first, measured.median_session_seconds) == (None, None)
    assert "customers" in measured.to_markdown()
    assert measured.to_data()["first"] is None
    assert isinstance(measured.to_text(), str)


def test_text_data_and_report_tell_the_same(lake: Lake) -> None:
    measured = measure(lake, visits(0, 1, length=4.0))
    (warning, *_) = measured.warnings
    assert warning in measured.to_text()
    assert warning in measured.to_markdown()
    assert warning in measured.to_data()["warnings"]
    assert measured.to_data()["last"] == date.isoformat(FIRST)
