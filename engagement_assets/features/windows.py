"""Which churn window the gaps between visits suggest.

Belongs here: the suggestion, from counts of gaps. Does not belong here: counting them
(`sql/labels/visit_gaps.sql`) and the window that is set (`settings/installation.py`).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

# A customer who is silent for the window and comes back was no churner: at most this share of the
# returns comes after it.
LATE_RETURNS = 0.05
# Fewer customers who came back say little of the others.
LEAST_CUSTOMERS = 30


@dataclass(frozen=True)
class WindowSuggestion:
    """What the gaps between visits say of a churn window.

    Attributes:
        customers: Customers who came back at least once.
        within: Share of their returns that came within the window that is set.
        days: The least window with at most 5 % of the returns after it; None where too few came
            back to say.
    """

    customers: int
    within: float
    days: int | None

    def describe(self, window_days: int) -> str:
        """Return a sentence about the window that is set."""
        if self.days is None:
            return (
                f"{self.customers} customers came back at least once: too few to suggest a churn "
                "window"
            )
        text = (
            f"{self.within:.0%} of the returns come within the churn window of {window_days} days"
        )
        # a little longer than needed does no harm
        if window_days / 2 < self.days <= window_days:
            return text
        return f"{text}, {1 - LATE_RETURNS:.0%} within {self.days}: CHURN_WINDOW={self.days} fits"


def suggest_window(
    gap_days: ArrayLike, customers: ArrayLike, *, window_days: int
) -> WindowSuggestion:
    """Suggest the least churn window after which few of the silent come back.

    A gap that is still open when the data end is not counted, so that a history much shorter than
    the rhythm of visits suggests too short a window.

    Args:
        gap_days: n different gaps between a customer's days of visit and the next, in days.
        customers: n counts of customers by gap; one with several gaps counts in parts.
        window_days: The window that is set.
    """
    gaps = np.asarray(gap_days, dtype=np.int64)
    weights = np.asarray(customers, dtype=np.float64)
    total = float(weights.sum())
    if total <= 0.0:
        return WindowSuggestion(0, math.nan, None)
    order = np.argsort(gaps)
    gaps, shares = gaps[order], np.cumsum(weights[order]) / total
    within = float(weights[order][gaps <= window_days].sum() / total)
    if round(total) < LEAST_CUSTOMERS:
        return WindowSuggestion(round(total), within, None)
    # sums of parts are a little off one
    enough = int(np.argmax(shares >= 1.0 - LATE_RETURNS - 1e-9))
    return WindowSuggestion(round(total), within, int(gaps[enough]))
