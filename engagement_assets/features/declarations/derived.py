"""What combines several tables or needs a formula of its own.

Belongs here: the declarations of the group `derived`. Does not belong here: the other
groups, and how a feature is computed (`sql/features/derived.sql`).
"""

from engagement_assets.features.declarations.forms import (
    CUSTOMERS,
    EVENT_JOINS,
    INTERACTIONS,
    JOB_RATINGS,
    MESSAGES,
    NO_SESSION,
    NO_SIGNAL,
    POSTS,
    REVIEWS,
    SESSIONS,
    STEEPEST_TREND,
    count,
    number,
    of_group,
)
from engagement_assets.features.feature import Change, Feature
from engagement_assets.signals.tables import CUSTOMER_SENTIMENT, NETWORK_METRICS

FEATURES = of_group(
    "derived",
    number(
        "avg_sentiment_score",
        "-1 to 1",
        "Mean sentiment of what the customer wrote in the 90 days (a setting) that end with the "
        "snapshot date, from -1 (bad) to 1 (good); only of customers who agreed to it.",
        CUSTOMER_SENTIMENT.key,
        null_note=NO_SIGNAL,
        decimals=None,
        bounds=(-1, 1),
    ),
    number(
        "network_centrality",
        "0-1",
        "How well connected the customer's connections are in their turn: eigenvector centrality.",
        NETWORK_METRICS.key,
        null_note=NO_SIGNAL,
        decimals=None,
        bounds=(0, 1),
    ),
    number(
        "content_diversity_score",
        "nats",
        "Shannon entropy of the categories of the posts that the customer viewed in the month: 0 "
        "for a single category, ln(k) for k categories in equal parts. Views of unknown posts do "
        "not count.",
        INTERACTIONS,
        POSTS,
        null_note="the customer viewed no post of a known category in the month",
        moves_with="content_views_month",
    ),
    number(
        "session_consistency_score",
        "0-1",
        "Regularity of the days with a session: 1 for every day of the month, 0 for one day or "
        "none. With the month laid in a circle and cut into gaps by those days, it is "
        "1 - (sum of squared gaps - 30) / 870, so more days and more even gaps raise it.",
        SESSIONS,
        without_rows="zero",
        bounds=(0, 1),
        moves_with="logins_month",
    ),
    # every action table adds to daily engagement, and none of them is needed for it
    Feature(
        name="last_7_day_engagement_trend",
        type="float64",
        unit="per day",
        meaning="Least-squares slope of daily engagement over the 7 days that end with the "
        "snapshot date, days without use counting 0; positive when use grows.",
        sources=(SESSIONS, INTERACTIONS, MESSAGES, POSTS, EVENT_JOINS),
        without_rows="zero",
        minimum=-STEEPEST_TREND,
        maximum=STEEPEST_TREND,
        decimals=6,
        moves_with="logins_month",
    ),
    Feature(
        name="trust_score",
        type="float64",
        unit="0-1",
        meaning="How far the customer has earned trust: 0.3 of tenure (1 - exp(-days / 180)), 0.4 "
        "of gig ratings and 0.3 of punctuality, the latter two pulled towards one half by two "
        "imagined ratings; 0 while the latest review confirms fraud.",
        sources=(CUSTOMERS, JOB_RATINGS, REVIEWS),
        without_rows="value",
        needs=(JOB_RATINGS, REVIEWS),
        needs_any=True,
        calendar="tenure",
        minimum=0,
        maximum=1,
        decimals=6,
    ),
    number(
        "response_time_avg_hours",
        "hours",
        "Mean time that the customer took to reply to the messages received in the month and "
        "answered by the end of the snapshot date.",
        MESSAGES,
        null_note="the customer answered none of them",
        bounds=(0, 720),
    ),
    number(
        "peak_activity_hour",
        "hour of the day",
        "Hour in which most of the customer's sessions of the month began; of equals the earliest.",
        SESSIONS,
        null_note=NO_SESSION,
        bounds=(0, 23),
        whole=True,
    ),
    count(
        "referral_count",
        "customers",
        "Different customers that the customer ever brought in.",
        "source/referrals",
        calendar="total",
        change=Change(words="they had brought in {after} customers (now {before})"),
    ),
)
