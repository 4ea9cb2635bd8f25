"""The detector's inputs among the platform's features, and the rules of the kinds.

Belongs here: the inputs, who is scored, and the rules of the kinds. Does not belong here: how a
rule is applied (`kinds.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.features.catalogue import FEATURES, MODEL_INPUTS
from engagement_assets.learning.anomaly.kinds import KindRules

# It is 0 while the latest review confirms fraud: with it the detector would find whom reviewers
# have found, and what it learns from verdicts would be the verdict itself.
FROM_REVIEWS = ("trust_score",)
ANOMALY_INPUTS: tuple[str, ...] = tuple(n for n in MODEL_INPUTS if n not in FROM_REVIEWS)

PLATFORM_RULES = KindRules(
    bounds={
        feature.name: (feature.minimum, feature.maximum)
        for feature in FEATURES.values()
        if feature.name in ANOMALY_INPUTS
        and feature.numeric
        and (feature.minimum is not None or feature.maximum is not None)
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
    # A program opens the app again and again at any hour, for a moment, and reads nothing.
    high_traces=(
        "logins_month",
        "active_days_month",
        "bounce_rate",
        "night_session_share",
        "device_count",
    ),
    low_traces=(
        "session_duration_avg_minutes",
        "scroll_depth_avg",
        "pages_per_session",
        "notification_open_rate_month",
    ),
    trend="last_7_day_engagement_trend",
    idle_days="days_since_last_login",
    use="logins_month",
)


def shows_life(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each of n customers used the app in the month: these are learnt from and scored.

    Those who did not look alike whatever they were, and among them everybody who is there is odd.

    Args:
        rows: Rows of `features/customer_features`. A number of sessions below 0 is an error in the
            data, which is looked at.
    """
    sessions = pd.to_numeric(rows["logins_month"]).to_numpy(dtype=np.float64, na_value=0.0)
    minutes = pd.to_numeric(rows["session_minutes_month"]).to_numpy(dtype=np.float64, na_value=0.0)
    there: NDArray[np.bool_] = (sessions != 0.0) | (minutes != 0.0)
    return there
