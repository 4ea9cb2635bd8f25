"""A day without sessions is a broken feed, unless its weekday never has any."""

from datetime import date, timedelta
from types import SimpleNamespace

import pytest

from engagement_assets.source import checks

SUNDAY = date(2026, 1, 11)


class Rows:
    """A lake that knows how many rows of one table each day has."""

    def __init__(self, rows):
        self.rows = rows

    def exists(self, table, day):
        assert table == "source/sessions"
        return day in self.rows

    def row_count(self, table, day):
        assert table == "source/sessions"
        return self.rows[day]


@pytest.mark.parametrize(
    ("sundays", "holds"),
    [([0, 0, 0, 0], True), ([0, 0], True), ([0], False), ([], False), ([0, 0, 3, 0], False)],
)
def test_an_empty_day_is_a_note_where_its_weekday_is_always_empty(monkeypatch, sundays, holds):
    monkeypatch.setattr(checks, "daily_counts", lambda *_: {})
    before = {SUNDAY - timedelta(weeks=n): rows for n, rows in enumerate(sundays, start=1)}
    checked = SimpleNamespace(
        table=SimpleNamespace(noun="sessions"),
        engine=None,
        days=[SUNDAY],
        lake=Rows(before | {SUNDAY: 0}),
    )
    outcome = checks._freshness(checked)
    assert (outcome.problem == "") is holds
    assert ("Sundays before" in outcome.note) is holds
