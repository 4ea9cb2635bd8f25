"""The labels that models learn, and when they exist.

Belongs here: one declaration a label, the days of its window (settings of the home, as the days of
the partitions are), and the range within which it can be learnt. Does not belong here: the SQL
that computes them (`sql/labels/`), landing them (`snapshot.py`), and learning.

A label of snapshot date S looks at the days S + 1 to S + `window_days` and exists once the last of
them was ingested. It uses rows recorded by the end of that last day: what arrives later does not
change it, so a label once made stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from engagement_assets.features.catalogue import KEY_COLUMNS, OWNER
from engagement_assets.settings.installation import Settings, current_home
from engagement_assets.source.versions import CORRECTIONS
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
        rates: Least and greatest mean that its model is learnt from, and the settings of both.
    """

    window_days: int
    required_tables: tuple[str, ...]
    sources: tuple[str, ...]
    rates: tuple[float, float] | None = None

    def unlearnable(self, mean: float) -> str | None:
        """Return why nothing can be learnt from values of this mean, or None where it can."""
        if self.rates is None or self.rates[0] <= mean <= self.rates[1]:
            return None
        low, high = self.rates
        return (
            f"its mean is {mean:.1%}, outside {low:.1%} to {high:.1%}: is the window of "
            f"{self.window_days} days right, and do the data reach its end? LEAST_CHURN_RATE and "
            "GREATEST_CHURN_RATE move the range"
        )

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


WINDOW_COLUMN = Column(
    "window_days", "int64", "Days after the snapshot date that were looked at", nullable=False
)


def _label(
    name: str,
    meaning: str,
    *columns: Column,
    window_days: int,
    required_tables: tuple[str, ...],
    sources: tuple[str, ...],
    rates: tuple[float, float] | None = None,
) -> Label:
    return Label(
        key=f"labels/{name}",
        columns=(*KEY_COLUMNS, WINDOW_COLUMN, *columns),
        description=f"{meaning}. A snapshot date exists here once the {window_days} days after it "
        "were ingested.",
        unique=("customer_id",),
        owner=OWNER,
        window_days=window_days,
        required_tables=required_tables,
        sources=(*sources, *CORRECTIONS),
        rates=rates,
    )


def labels_of(settings: Settings) -> dict[str, Label]:
    """Return the labels of a home by name, with the windows that it is set to."""
    labels = (_engagement(settings), _churn(settings), _value(settings))
    return {label.name: label for label in labels}


def _engagement(settings: Settings) -> Label:
    days = settings.engagement_window
    return _label(
        "engagement_score",
        f"Mean daily engagement over the {days} days after the snapshot date, 0 to 1",
        Column(
            "engagement_score",
            "float64",
            f"Mean daily engagement over the {days} days after the snapshot date; days without use "
            "count 0",
            "0 to 1",
            nullable=False,
            minimum=0,
            maximum=1,
        ),
        window_days=days,
        required_tables=("source/sessions",),
        sources=(
            "source/customers",
            "source/sessions",
            "source/interactions",
            "source/messages",
            "source/posts",
            "source/event_joins",
        ),
    )


def _churn(settings: Settings) -> Label:
    days = settings.churn_window
    return _label(
        "churn_30_day",
        f"No session in the {days} days after the snapshot date, among customers with a session in "
        f"the {days} days up to it",
        Column(
            "churn_30_day",
            "int64",
            f"1 for a customer without a session in the {days} days after the snapshot date, 0 for "
            "one with a session",
            nullable=False,
            minimum=0,
            maximum=1,
        ),
        window_days=days,
        required_tables=("source/sessions",),
        sources=("source/customers", "source/sessions"),
        rates=(settings.least_churn_rate, settings.greatest_churn_rate),
    )


def _value(settings: Settings) -> Label:
    days = settings.value_window
    return _label(
        "lifetime_value_usd",
        f"Revenue to date plus revenue of the {days} days after the snapshot date, within 0 to "
        "10,000 USD",
        Column(
            "lifetime_value_usd",
            "float64",
            f"Revenue to date plus revenue of the {days} days after the snapshot date, within 0 to "
            "10,000",
            "USD",
            minimum=0,
            maximum=10_000,
        ),
        Column(
            "future_revenue_usd",
            "float64",
            f"Revenue of the {days} days after the snapshot date alone, not bounded, negative "
            "where refunds prevail",
            "USD",
        ),
        window_days=days,
        required_tables=("source/transactions",),
        sources=("source/customers", "source/transactions"),
    )


LABELS: Mapping[str, Label] = labels_of(Settings.load(current_home()))
