"""The snapshots that a model is learnt from and scored on.

Belongs here: dates alone, so that jobs and commands can ask without loading a learning library.
Does not belong here: rows.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from engagement_assets.features.labels import LABELS
from engagement_assets.features.snapshot import MONTH_DAYS

CHURN_WINDOW_DAYS = LABELS["churn_30_day"].window_days


# Snapshots to learn from, a label's window apart; docs/decisions/0009 has the trial of 1, 2 and 4.
TRAINING_SNAPSHOTS = 4
# Every customer has an engagement, so two snapshots are many rows; more bring nothing.
ENGAGEMENT_SNAPSHOTS = 2


@dataclass(frozen=True)
class Snapshots:
    """The snapshots of a training.

    Attributes:
        train: Snapshots to learn from, the latest first; the first of them is needed.
        test: Later snapshot to score.
        pooled: Snapshots between them that are scored too, the latest first, where one has too few
            customers.
    """

    train: tuple[date, ...]
    test: date
    pooled: tuple[date, ...] = ()

    @property
    def tested(self) -> tuple[date, ...]:
        """Every snapshot that is scored, the latest first."""
        return (self.test, *self.pooled)

    @property
    def all(self) -> list[date]:
        """Every snapshot, in order of time."""
        return sorted([*self.train, *self.tested])

    @classmethod
    def before(
        cls,
        last_day: date,
        *,
        first_day: date,
        count: int = TRAINING_SNAPSHOTS,
        window_days: int = CHURN_WINDOW_DAYS,
    ) -> "Snapshots":
        """Return the latest ones whose labels are known once `last_day` is ingested.

        The labels of every training snapshot close by the test snapshot, so nothing that is learnt
        lies after it.

        Args:
            last_day: Last ingested day.
            first_day: First day of the data; an earlier training snapshot needs a month of them.
            count: Training snapshots, at most.
            window_days: Days that a label looks ahead.
        """
        test = last_day - timedelta(days=window_days)
        latest = test - timedelta(days=window_days)
        earlier = [latest - timedelta(days=window_days * n) for n in range(1, count)]
        # a snapshot counts the month before it
        enough = first_day + timedelta(days=MONTH_DAYS - 1)
        return cls((latest, *(day for day in earlier if day >= enough)), test)
