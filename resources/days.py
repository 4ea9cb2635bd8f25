"""Ranges of days.

Belongs here: dates alone. Does not belong here: which days a table or a run has.
"""

from datetime import date, timedelta


def days_between(first: date, last: date) -> list[date]:
    """All days from `first` to `last`, both included; none when `last` lies before `first`."""
    return [first + timedelta(days=count) for count in range((last - first).days + 1)]
