"""Human review: who waits, who decides, and whether reviewers agree."""

from engagement_assets.governance.review.agreement import Agreement, agreement
from engagement_assets.governance.review.desk import (
    Desk,
    ReviewError,
    ReviewItem,
    UnknownCaseError,
    desk_of,
)

__all__ = [
    "Agreement",
    "Desk",
    "ReviewError",
    "ReviewItem",
    "UnknownCaseError",
    "agreement",
    "desk_of",
]
