"""The cases of the review queue with their states, the overdue first."""

from collections.abc import Sequence
from datetime import date

import pandas as pd

from engagement_assets.dashboard.pictures import Picture, picture_of
from engagement_assets.dashboard.reading import Reading
from engagement_assets.governance.review import ReviewItem
from engagement_assets.governance.review.desk import DECIDED
from engagement_assets.governance.tables import REVIEW_QUEUE


def cases(items: Sequence[ReviewItem], *, day: date | None) -> Picture:
    """Return every case with its state and deadline."""
    rows = pd.DataFrame(
        {
            "customer": item.row["customer_id"],
            "state": item.state,
            "taken by": item.case.assigned_to,
            "verdicts": len(item.case.verdicts),
            "deadline": item.deadline,
            "overdue": item.overdue,
            "kind": item.row["kind"],
            "anomaly": item.row["anomaly_score"],
        }
        for item in items
    )
    return picture_of(
        "Who waits for a review",
        rows,
        Reading(rows, REVIEW_QUEUE, day),
        note="Two people must agree on every fraud; who gave a verdict gives no second one.",
        empty="Nobody waits for a review.",
    )


def open_cases(items: Sequence[ReviewItem]) -> list[str]:
    """Return the customers whose case is not decided, in the order of the queue."""
    return [item.row["customer_id"] for item in items if item.state != DECIDED]
