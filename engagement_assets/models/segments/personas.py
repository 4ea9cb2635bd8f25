"""The kinds of customers that the product knows, and what sets each apart.

Belongs here: the known names, and the features that a segment is made of. Does not belong here: how
well a description must fit (`learning.clustering.naming`) and what is done for a kind
(`decisions.segment_actions`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from engagement_assets.learning.clustering.naming import Signature

# What customers do, and for how long they have been there: no age, gender or location, no moods.
SEGMENT_INPUTS = (
    "tenure_days",
    "logins_month",
    "active_days_month",
    "days_since_last_login",
    "session_minutes_month",
    "messages_sent_month",
    "messages_received_month",
    "posts_month",
    "content_views_month",
    "events_joined_month",
    "notification_open_rate_month",
    "premium_features_used_count",
    "connection_count",
    "new_connections_month",
    "reactions_given_month",
    "reactions_received_month",
    "comments_written_month",
    "transaction_revenue_month",
    "gig_listings_month",
    "gig_applications_month",
    "job_rating_avg",
    "last_7_day_engagement_trend",
)
POWER_USERS = "power users"
CASUAL_BROWSERS = "casual browsers"
GIG_WORKERS = "gig workers"
SOCIAL_BUTTERFLIES = "social butterflies"
AT_RISK = "at risk"
NEW_USERS = "new users"
SIGNATURES = (
    Signature(
        POWER_USERS,
        high=("session_minutes_month", "premium_features_used_count", "transaction_revenue_month"),
    ),
    Signature(
        CASUAL_BROWSERS,
        high=("active_days_month", "content_views_month"),
        low=("posts_month", "comments_written_month", "events_joined_month"),
    ),
    Signature(GIG_WORKERS, high=("gig_listings_month", "gig_applications_month")),
    Signature(
        SOCIAL_BUTTERFLIES,
        high=(
            "messages_sent_month",
            "posts_month",
            "comments_written_month",
            "events_joined_month",
            "reactions_received_month",
        ),
    ),
    Signature(
        AT_RISK,
        high=("days_since_last_login",),
        low=("logins_month", "active_days_month", "notification_open_rate_month"),
    ),
    Signature(NEW_USERS, high=("new_connections_month",), low=("tenure_days",)),
)
PERSONAS = tuple(signature.name for signature in SIGNATURES)


class SegmentNamesError(ValueError):
    """The file of names cannot be used; the message says where and what is expected."""


@dataclass(frozen=True)
class Named:
    """What a person called a segment.

    Attributes:
        name: Its name.
        kind: The known kind whose action it gets, or None for no action.
    """

    name: str
    kind: str | None


def read_names(text: str) -> dict[str, Named]:
    """Read the file of names: by segment `name`, and `like` with a known kind where it is like one.

    Raises:
        SegmentNamesError: It is no TOML, or an entry is not as it must be.
    """
    try:
        entries = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SegmentNamesError(f"the file of segment names is no TOML: {error}") from error
    return {segment: _named(segment, entry) for segment, entry in entries.items()}


def _named(segment: str, entry: object) -> Named:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise SegmentNamesError(f'[{segment}] needs a name, such as name = "night readers"')
    other = sorted(set(entry) - {"name", "like"})
    like = entry.get("like")
    if other or like not in (None, *PERSONAS):
        wrong = ", ".join(other) or f"like = {like!r}"
        raise SegmentNamesError(
            f"[{segment}] has {wrong}; it may have name, and like with one of {', '.join(PERSONAS)}"
        )
    return Named(entry["name"], like)
