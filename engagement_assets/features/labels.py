"""The labels that models learn, and when they exist.

Belongs here: one declaration a label, and the days of its window. Does not belong here: the SQL
that computes them (`sql/labels/`), landing them (`snapshot.py`), and learning.

A label of snapshot date S looks at the days S + 1 to S + `window_days` and exists once the last of
them was ingested. It uses rows recorded by the end of that last day: what arrives later does not
change it, so a label once made stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from engagement_assets.features.catalogue import KEY_COLUMNS, OWNER
from resources.tables import Column, Table


class LabelWindowOpenError(RuntimeError):
    """A label was asked for before the days that it looks at were ingested."""


@dataclass(frozen=True, kw_only=True)
class Label(Table):
    """One label of a customer at a snapshot date; its noun is the column that a model learns.

    Attributes:
        window_days: Number of days after the snapshot date that it looks at.
        required_tables: Source tables without which it cannot be known; while one of them has no
            rows, the label is null, and a model of it is not trained.
        sources: Every source table that its SQL reads.
    """

    window_days: int
    required_tables: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def name(self) -> str:
        """The column that a model learns."""
        return self.noun

    def closes_on(self, snapshot_date: date) -> date:
        """Last day of its window: the day that must be ingested before it exists."""
        return snapshot_date + timedelta(days=self.window_days)

    def latest_snapshot_date(self, last_day: date) -> date:
        """Latest snapshot date whose window has closed once `last_day` is ingested."""
        return last_day - timedelta(days=self.window_days)

    def require_closed(self, snapshot_date: date, *, last_day: date) -> None:
        """Check that its window has closed once `last_day` is ingested.

        Raises:
            LabelWindowOpenError: It has not; the message says when it will.
        """
        closes_on = self.closes_on(snapshot_date)
        if closes_on > last_day:
            raise LabelWindowOpenError(
                f"{self.name} of {snapshot_date} looks at the {self.window_days} days up to "
                f"{closes_on}, but the data ends on {last_day}; ask for "
                f"{self.latest_snapshot_date(last_day)} or earlier, or ingest up to {closes_on}"
            )


def _label(
    name: str,
    meaning: str,
    *columns: Column,
    window_days: int,
    required_tables: tuple[str, ...],
    sources: tuple[str, ...],
) -> Label:
    return Label(
        key=f"labels/{name}",
        columns=(*KEY_COLUMNS, *columns),
        description=f"{meaning}. A snapshot date exists here once the {window_days} days after it "
        "were ingested.",
        unique=("customer_id",),
        owner=OWNER,
        window_days=window_days,
        required_tables=required_tables,
        sources=sources,
    )


_DECLARED = (
    _label(
        "engagement_score",
        "Mean daily engagement over the 7 days after the snapshot date, 0 to 1",
        Column(
            "engagement_score",
            "float64",
            "Mean daily engagement over the 7 days after the snapshot date; days without use "
            "count 0",
            "0 to 1",
            nullable=False,
            minimum=0,
            maximum=1,
        ),
        window_days=7,
        required_tables=("source/sessions",),
        sources=(
            "source/customers",
            "source/sessions",
            "source/interactions",
            "source/messages",
            "source/posts",
            "source/event_joins",
        ),
    ),
    _label(
        "churn_30_day",
        "No session in the 30 days after the snapshot date, among customers with a session in the "
        "30 days up to it",
        Column(
            "churn_30_day",
            "int64",
            "1 for a customer without a session in the 30 days after the snapshot date, 0 for one "
            "with a session",
            nullable=False,
            minimum=0,
            maximum=1,
        ),
        window_days=30,
        required_tables=("source/sessions",),
        sources=("source/customers", "source/sessions"),
    ),
    _label(
        "lifetime_value_usd",
        "Revenue to date plus revenue of the 180 days after the snapshot date, within 0 to 10,000 "
        "USD",
        Column(
            "lifetime_value_usd",
            "float64",
            "Revenue to date plus revenue of the 180 days after the snapshot date, within 0 to "
            "10,000",
            "USD",
            minimum=0,
            maximum=10_000,
        ),
        Column(
            "future_revenue_usd",
            "float64",
            "Revenue of the 180 days after the snapshot date alone, not bounded, negative where "
            "refunds prevail",
            "USD",
        ),
        window_days=180,
        required_tables=("source/transactions",),
        sources=("source/customers", "source/transactions"),
    ),
)

LABELS: Mapping[str, Label] = {label.name: label for label in _DECLARED}
