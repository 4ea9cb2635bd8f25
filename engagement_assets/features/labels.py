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

from engagement_assets.features.catalogue import KEY_COLUMNS
from resources.schema import Column, TableSchema


class LabelWindowOpenError(RuntimeError):
    """A label was asked for before the days that it looks at were ingested."""


@dataclass(frozen=True, kw_only=True)
class Label:
    """One label of a customer at a snapshot date.

    Attributes:
        name: Name of the label and of the column that a model learns.
        meaning: What it says.
        window_days: Number of days after the snapshot date that it looks at.
        required_tables: Source tables without which it cannot be known; while one of them has no
            rows, the label is null, and a model of it is not trained.
        sources: Every source table that its SQL reads.
        columns: Its columns, without the key.
    """

    name: str
    meaning: str
    window_days: int
    required_tables: tuple[str, ...]
    sources: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def table(self) -> str:
        """Its lake table."""
        return f"labels/{self.name}"

    @property
    def sql_name(self) -> str:
        """Its SQL file, as `resources.sql.SqlFolder.query` names it."""
        return f"labels/{self.name}"

    @property
    def schema(self) -> TableSchema:
        """The declared schema of its table."""
        return TableSchema((*KEY_COLUMNS, *self.columns))

    def closes_on(self, snapshot_date: date) -> date:
        """Last day of its window: the day that must be ingested before it exists."""
        return snapshot_date + timedelta(days=self.window_days)

    def latest_snapshot_date(self, last_day: date) -> date:
        """Latest snapshot date whose window has closed once `last_day` is ingested."""
        return last_day - timedelta(days=self.window_days)

    def require_closed(self, snapshot_date: date, *, last_day: date) -> None:
        """Check that its window has closed.

        Args:
            snapshot_date: The snapshot date.
            last_day: The last day that was ingested.

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


_DECLARED = (
    Label(
        name="engagement_score",
        meaning="Mean daily engagement over the 7 days after the snapshot date, 0 to 1",
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
        columns=(
            Column(
                "engagement_score",
                "float64",
                nullable=False,
                description="Mean daily engagement over the 7 days after the snapshot date; days "
                "without use count 0 (0 to 1)",
            ),
        ),
    ),
    Label(
        name="churn_30_day",
        meaning="No session in the 30 days after the snapshot date, among customers with a "
        "session in the 30 days up to it",
        window_days=30,
        required_tables=("source/sessions",),
        sources=("source/customers", "source/sessions"),
        columns=(
            Column(
                "churn_30_day",
                "int64",
                nullable=False,
                description="1 for a customer without a session in the 30 days after the snapshot "
                "date, 0 for one with a session",
            ),
        ),
    ),
    Label(
        name="lifetime_value_usd",
        meaning="Revenue to date plus revenue of the 180 days after the snapshot date, within 0 "
        "to 10,000 USD",
        window_days=180,
        required_tables=("source/transactions",),
        sources=("source/customers", "source/transactions"),
        columns=(
            Column(
                "lifetime_value_usd",
                "float64",
                description="Revenue to date plus revenue of the 180 days after the snapshot date, "
                "within 0 to 10,000 (USD)",
            ),
            Column(
                "future_revenue_usd",
                "float64",
                description="Revenue of the 180 days after the snapshot date alone, not bounded, "
                "negative where refunds prevail (USD)",
            ),
        ),
    ),
)

LABELS: Mapping[str, Label] = {label.name: label for label in _DECLARED}
