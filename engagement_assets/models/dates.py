"""The snapshots that a model is learnt from and scored on.

Belongs here: dates alone, so that jobs and commands can ask without loading a learning library.
Does not belong here: rows.
"""

from dataclasses import dataclass
from datetime import date, timedelta

CHURN_WINDOW_DAYS = 30


@dataclass(frozen=True)
class Snapshots:
    """The two snapshots of a training.

    Attributes:
        train: Snapshot to learn from.
        test: Later snapshot to score.
    """

    train: date
    test: date

    @classmethod
    def before(cls, last_day: date, *, window_days: int = CHURN_WINDOW_DAYS) -> "Snapshots":
        """The latest ones whose labels are known once `last_day` is ingested.

        The training labels close on the test snapshot, so nothing that is learnt lies after it.

        Args:
            last_day: Last ingested day.
            window_days: Days that a label looks ahead.
        """
        test = last_day - timedelta(days=window_days)
        return cls(test - timedelta(days=window_days), test)
