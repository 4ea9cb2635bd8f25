"""What the detector is told of the platform's 49 features: which it sees, and what they mean.

Belongs here: the inputs, who is scored, and the rules of the kinds. Does not belong here: how a
rule is applied (`kinds.py`).
"""

from __future__ import annotations

import pandas as pd
from numpy.typing import NDArray

from engagement_assets.features.catalogue import FEATURES, MODEL_INPUTS
from engagement_assets.models.anomaly.kinds import KindRules

# It is 0 while the latest review confirms fraud: with it the detector would find whom reviewers
# have found, and what it learns from verdicts would be the verdict itself.
FROM_REVIEWS = ("trust_score",)
ANOMALY_INPUTS: tuple[str, ...] = tuple(n for n in MODEL_INPUTS if n not in FROM_REVIEWS)

# What a customer does in the month. Without any of it there is nothing to look at: half of a
# population that has left looks alike, and makes those who are there look odd.
_SIGNS_OF_LIFE = (
    "logins_month",
    "transaction_count_month",
    "messages_sent_month",
    "posts_month",
    "content_views_month",
    "events_joined_month",
    "reactions_given_month",
    "comments_written_month",
    "gig_listings_month",
    "gig_applications_month",
    "session_minutes_month",
)

PLATFORM_RULES = KindRules(
    bounds={
        feature.name: (feature.minimum, feature.maximum)
        for feature in FEATURES.values()
        if feature.numeric and (feature.minimum is not None or feature.maximum is not None)
    },
    at_most=(
        ("active_days_month", "logins_month"),
        ("new_connections_month", "connection_count"),
    ),
    only_with=(
        ("session_minutes_month", "logins_month"),
        ("logins_month", "active_days_month"),
        ("transaction_revenue_month", "transaction_count_month"),
    ),
    high_in_fraud=(
        "logins_month",
        "active_days_month",
        "session_consistency_score",
        "night_session_share",
        "bounce_rate",
        "device_count",
        "content_views_month",
        "reactions_given_month",
        "messages_sent_month",
        "posts_month",
        "comments_written_month",
        "click_rate",
        "transaction_count_month",
        "transaction_revenue_month",
        "revenue_to_date_usd",
        "new_connections_month",
        "referral_count",
    ),
    low_in_fraud=(
        "scroll_depth_avg",
        "session_duration_avg_minutes",
        "pages_per_session",
        "notification_open_rate_month",
        "transaction_revenue_month",
    ),
    trend="last_7_day_engagement_trend",
    idle_days="days_since_last_login",
    use="logins_month",
)


def shows_life(rows: pd.DataFrame) -> NDArray:
    """Whether each of n customers did anything in the month: these are learnt from and scored.

    Args:
        rows: Rows of `features/customer_features`; what a source does not know counts as nothing.
            A negative count is an error in the data, and is looked at.
    """
    signs = rows[[name for name in _SIGNS_OF_LIFE if name in rows.columns]]
    done = signs.apply(pd.to_numeric).fillna(0) != 0
    return done.any(axis=1).to_numpy()
