"""How far each feature moved between two snapshots, beyond what the calendar alone explains.

Belongs here: what the calendar does to a feature, by its declaration. Does not belong here: the
index itself (`resources.drift`), which snapshots are compared (`models/drift.py`).

Time passes for an unchanged business too, so features that look at the whole history are compared
with what they would be by now:

* `age`, such as the tenure: how far the customers who were there are off the days that have passed.
* `since`, the days since something: up to a month; who left grows older for ever. Where the
  reference had less than two months of data, only within the month: how many had left for a month
  said how long the data were.
* `total`, what adds up over the whole history: of the customers who were there, with the reference
  as it was, grown as much as their history did, and halfway between. The nearest counts.
* `tenure`, what follows from it: with today's customers weighted to the reference's tenures.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from engagement_assets.features.catalogue import FEATURES
from engagement_assets.features.feature import Calendar
from resources.drift import Drift, column_drift

MONTH_DAYS = 30
# Chance that a day without drift is taken for one with, over all features and their parts.
FALSE_ALARMS = 0.01
_MOST_PARTS = 3
_GROWTH = (0.0, 0.5, 1.0)
_TENURE_BANDS = 20
# Of a customer who had just come a history of a few days would be grown many times over.
_LEAST_HISTORY = MONTH_DAYS


def feature_drift(
    reference: pa.Table, current: pa.Table, *, elapsed_days: int, history_days: int
) -> dict[str, Drift]:
    """Return the drift of every feature that has values in the reference.

    Args:
        reference: Rows of `features/customer_features` of an earlier snapshot.
        current: Those of a later one.
        elapsed_days: Days between them.
        history_days: Days of data up to the reference.
    """
    names = [n for n in FEATURES if reference.column(n).null_count < reference.num_rows]
    level = FALSE_ALARMS / (_MOST_PARTS * len(FEATURES))
    moved = {}
    history: _History | None = None
    for name in names:
        before, now = (table.column(name).to_pandas() for table in (reference, current))
        calendar = FEATURES[name].calendar
        if not calendar:
            moved[name] = column_drift(before, now, level=level)
            continue
        history = history or _History(reference, current, elapsed_days, history_days)
        moved[name] = history.drift(before, now, calendar, level=level)
    return moved


def still_there(reference: pa.Table, current: pa.Table) -> float:
    """Return the share of the reference's customers that have a row now."""
    ids = [set(table.column("customer_id").to_pylist()) for table in (reference, current)]
    return len(ids[0] & ids[1]) / max(1, len(ids[0]))


class _History:
    """What is known of the time between two snapshots."""

    def __init__(self, reference: pa.Table, current: pa.Table, elapsed: int, history: int) -> None:
        ids = [pd.Index(table.column("customer_id").to_pandas()) for table in (reference, current)]
        place = ids[1].get_indexer(ids[0])
        self.here = np.flatnonzero(place >= 0)
        self.later = place[self.here]
        self.elapsed = elapsed
        self.tenure, self.tenure_now = (
            table.column("tenure_days").to_pandas().to_numpy(dtype=np.float64, na_value=np.nan)
            for table in (reference, current)
        )
        observed = np.fmax(np.fmin(self.tenure + 1.0, history), _LEAST_HISTORY)
        self.growth = elapsed / observed[self.here]
        self.short = history < 2 * MONTH_DAYS

    def drift(
        self, before: pd.Series, now: pd.Series, calendar: Calendar, *, level: float
    ) -> Drift:
        """Return the drift of one feature of the reference's rows and the current ones."""
        if calendar == "since":
            month, month_now = (values.clip(upper=MONTH_DAYS) for values in (before, now))
            if self.short:
                month, month_now = (v[v < MONTH_DAYS] for v in (month, month_now))
            return column_drift(month, month_now, level=level)
        if calendar == "tenure":
            alike, alike_now, weights = self._tenure_weights()
            return column_drift(before[alike], now[alike_now], level=level, weights=weights)
        same = before.iloc[self.here].reset_index(drop=True)
        same_now = now.iloc[self.later].reset_index(drop=True)
        if calendar == "age":
            change = same_now - same - self.elapsed
            # a day is another time zone or the hour of the delivery
            return column_drift(same * 0, change.mask(change.abs() <= 1, 0), level=level)
        tried = [
            column_drift(same * (1.0 + share * self.growth), same_now, level=level)
            for share in _GROWTH
        ]
        return min(tried, key=lambda drift: drift.index / drift.limit)

    def _tenure_weights(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the rows with their like in tenure on the other side, and weights of the latter.

        Who has been there longer than anybody had at the reference has none.
        """
        known = self.tenure[np.isfinite(self.tenure)]
        edges = np.unique(np.quantile(known, np.linspace(0, 1, _TENURE_BANDS + 1)[1:]))
        bands = [np.searchsorted(edges, t) for t in (self.tenure, self.tenure_now)]
        counts = [np.bincount(band, minlength=len(edges) + 1) for band in bands]
        both = (counts[0] > 0) & (counts[1] > 0)
        alike, alike_now = (both[band] for band in bands)
        weight = counts[0] / np.maximum(counts[1], 1)
        return alike, alike_now, weight[bands[1][alike_now]]
