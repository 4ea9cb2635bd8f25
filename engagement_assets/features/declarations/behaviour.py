"""How the customer used the app.

Belongs here: the declarations of the group `behaviour`. Does not belong here: the other
groups, and how a feature is computed (`sql/features/behaviour.sql`).
"""

from engagement_assets.features.declarations.forms import (
    NO_SESSION,
    SESSIONS,
    TIMES_OF_DAY,
    count,
    number,
    of_group,
    text,
)

FEATURES = of_group(
    "behaviour",
    text(
        "primary_device",
        "Device of most of the customer's sessions in the month; of equals the first by name.",
        SESSIONS,
        null_note="no session of the month names its device",
    ),
    text(
        "primary_time_of_day",
        "Part of the day in which most of the customer's sessions of the month began: night is "
        "0-5, morning 6-11, afternoon 12-17, evening 18-23 o'clock; of equals the earliest.",
        SESSIONS,
        null_note=NO_SESSION,
        allowed=TIMES_OF_DAY,
    ),
    number(
        "scroll_depth_avg",
        "share",
        "Mean share of the page that the customer saw in the sessions of the month.",
        SESSIONS,
        null_note="no session of the month says how far",
        bounds=(0, 1),
    ),
    number(
        "click_rate",
        "share",
        "Items that the customer clicked, of those shown in the sessions of the month; clicks "
        "beyond what a session showed do not count.",
        SESSIONS,
        null_note="nothing was shown in the sessions of the month",
        bounds=(0, 1),
    ),
    number(
        "bounce_rate",
        "share",
        "Share of the sessions of the month in which the customer saw at most one page.",
        SESSIONS,
        null_note="no session of the month counts its pages",
        bounds=(0, 1),
    ),
    number(
        "weekend_session_share",
        "share",
        "Share of the sessions of the month that began on a Saturday or Sunday.",
        SESSIONS,
        null_note=NO_SESSION,
        bounds=(0, 1),
    ),
    number(
        "night_session_share",
        "share",
        "Share of the sessions of the month that began between 0 and 6 o'clock.",
        SESSIONS,
        null_note=NO_SESSION,
        bounds=(0, 1),
    ),
    count(
        "device_count",
        "devices",
        "Different devices of the sessions of the month.",
        SESSIONS,
    ),
    number(
        "pages_per_session",
        "pages",
        "Mean number of pages that the customer saw in a session of the month.",
        SESSIONS,
        null_note="no session of the month counts its pages",
    ),
)
