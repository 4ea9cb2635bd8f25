"""How much the customer used the app.

Belongs here: the declarations of the group `engagement`. Does not belong here: the other
groups, and how a feature is computed (`sql/features/engagement.sql`).
"""

from engagement_assets.features.declarations.forms import (
    EVENT_JOINS,
    INTERACTIONS,
    MESSAGES,
    NO_SESSION,
    POSTS,
    SESSIONS,
    count,
    number,
    of_group,
)
from engagement_assets.features.feature import Change

FEATURES = of_group(
    "engagement",
    count(
        "logins_month",
        "sessions",
        "Sessions begun in the month.",
        SESSIONS,
        change=Change(
            words="they came {after} times in the month (now {before})", measured_as="sessions"
        ),
    ),
    number(
        "active_days_month",
        "days",
        "Days of the month on which at least one session began.",
        SESSIONS,
        without_rows="zero",
        bounds=(0, 30),
        whole=True,
        moves_with="logins_month",
    ),
    number(
        "days_since_last_login",
        "days",
        "Calendar days from the last session ever to the snapshot date; 0 if it began on that "
        "date.",
        SESSIONS,
        null_note="the customer never had a session",
        whole=True,
        calendar="since",
        moves_with="logins_month",
    ),
    number(
        "session_duration_avg_minutes",
        "minutes",
        "Mean length of the sessions begun in the month.",
        SESSIONS,
        null_note=NO_SESSION,
        bounds=(0, 1440),
        moves_with="logins_month",
    ),
    number(
        "session_minutes_month",
        "minutes",
        "Total length of the sessions begun in the month.",
        SESSIONS,
        without_rows="zero",
        moves_with="logins_month",
    ),
    count(
        "messages_sent_month",
        "messages",
        "Messages that the customer sent in the month.",
        MESSAGES,
        change=Change(words="they sent {after} messages in the month (now {before})"),
    ),
    count(
        "messages_received_month",
        "messages",
        "Messages that were sent to the customer in the month.",
        MESSAGES,
        moves_with="messages_sent_month",
    ),
    count(
        "posts_month",
        "posts",
        "Posts that the customer published in the month.",
        POSTS,
        change=Change(words="they posted {after} times in the month (now {before})"),
    ),
    count(
        "content_views_month",
        "views",
        "Views of posts by the customer in the month, each view counted.",
        INTERACTIONS,
        change=Change(words="they viewed posts {after} times in the month (now {before})"),
    ),
    count(
        "events_joined_month",
        "events",
        "Events that the customer joined in the month.",
        EVENT_JOINS,
        change=Change(words="they joined {after} events in the month (now {before})"),
    ),
    number(
        "notification_open_rate_month",
        "share",
        "Share of the notifications sent to the customer in the month that were opened by the end "
        "of the snapshot date.",
        "source/notifications",
        null_note="the customer was sent none in the month",
        bounds=(0, 1),
        change=Change(words="they opened a share of {after} of their notifications (now {before})"),
    ),
    count(
        "premium_features_used_count",
        "features",
        "Different premium features that the customer used in the month.",
        "source/premium_usage",
    ),
)
