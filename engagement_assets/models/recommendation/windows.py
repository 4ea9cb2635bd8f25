"""How far back is learnt from, and how long an item is recommended, from how items are used.

Belongs here: what the ages of a source's uses say. Does not belong here: reading them (`sources`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

logger = logging.getLogger(__name__)

# Uses of so many last days are looked at.
SCANNED_DAYS = 180
# An item is recommended until so large a share of the uses lies behind it.
_SHARE_OF_USES = 0.99
# Items whose age at use reaches so far into what can be seen are taken to last.
_LASTING_SHARE = 1 / 3
# Tastes outlive items: so many lives of an item are learnt from, within bounds.
_LIVES, _LEAST_HISTORY, _MOST_HISTORY = 10, 28, 730
# A window to judge on has at least so many readers where a legal length has.
_READERS = 200
_LENGTHS = (1, 2, 4, 7, 14, 28)


@dataclass(frozen=True)
class Windows:
    """Windows of a recommender, in days.

    Attributes:
        history_days: Interactions of so many last days are learnt from.
        item_days: An item is recommended for so many days after its publication; at any age when
            None.
        test_days: Length of the window that is judged on, and of the one before it, on which the
            method is chosen.
    """

    history_days: int
    item_days: int | None
    test_days: int

    @property
    def read_days(self) -> int:
        """Days that are read: what is learnt from lies before the two windows."""
        return self.history_days + 2 * self.test_days


WHOLE = Windows(history_days=_MOST_HISTORY, item_days=None, test_days=1)


def derive_windows(
    ages: pd.DataFrame,
    readers: pd.DataFrame,
    *,
    known_days: int,
    history_days: int = 0,
    item_days: int = 0,
) -> Windows:
    """Derive the windows of a source from its uses.

    Args:
        ages: `age_days` and `uses`: how many first uses of an item by a person there were at what
            age of the item.
        readers: `days_ago` and `readers`: how many people were last seen so many days ago.
        known_days: Days of data.
        history_days: As set by the operator; from the data when 0.
        item_days: As set by the operator; from the data when 0.
    """
    seen = min(known_days, SCANNED_DAYS)
    life = item_days or _life(ages)
    lasting = not item_days and life > seen * _LASTING_SHARE
    history = history_days or (
        _MOST_HISTORY if lasting else int(np.clip(_LIVES * life, _LEAST_HISTORY, _MOST_HISTORY))
    )
    longest = max(1, min(seen // 6, seen if lasting else life // 2))
    windows = Windows(history, None if lasting else life, _length(readers, longest))
    logger.info(
        "An item is used for %d days (%s): %s",
        life,
        "as set" if item_days else f"as {_SHARE_OF_USES:.0%} of {ages['uses'].sum():.0f} uses are",
        windows,
    )
    return windows


def _life(ages: pd.DataFrame) -> int:
    """Age in days that `_SHARE_OF_USES` of the uses lie under; at least 1."""
    ordered = ages.sort_values("age_days")
    total = ordered["uses"].cumsum()
    if total.empty:
        return SCANNED_DAYS
    place = int(np.searchsorted(total, _SHARE_OF_USES * total.iloc[-1]))
    return max(1, int(ordered["age_days"].iloc[place]) + 1)


def _length(readers: pd.DataFrame, longest: int) -> int:
    """The shortest window with readers enough, and else the longest that is legal."""
    legal = [length for length in _LENGTHS if length <= longest]
    for length in legal:
        if readers.loc[readers["days_ago"] < length, "readers"].sum() >= _READERS:
            return length
    return legal[-1]
