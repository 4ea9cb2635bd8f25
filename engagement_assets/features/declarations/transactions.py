"""What the customer paid and earned.

Belongs here: the declarations of the group `transactions`. Does not belong here: the other
groups, and how a feature is computed (`sql/features/transactions.sql`).
"""

from engagement_assets.features.declarations.forms import (
    JOB_RATINGS,
    TRANSACTIONS,
    count,
    number,
    of_group,
)
from engagement_assets.features.feature import Change

FEATURES = of_group(
    "transactions",
    number(
        "transaction_revenue_month",
        "USD",
        "Payments of the customer in the month less refunds; negative when refunds prevail.",
        TRANSACTIONS,
        decimals=9,
        without_rows="zero",
        bounds=(None, None),
    ),
    count(
        "transaction_count_month",
        "transactions",
        "Payments and refunds of the customer in the month.",
        TRANSACTIONS,
    ),
    number(
        "revenue_to_date_usd",
        "USD",
        "Payments of the customer less refunds, over the whole history.",
        TRANSACTIONS,
        calendar="total",
        decimals=9,
        without_rows="zero",
        bounds=(None, None),
    ),
    count(
        "gig_listings_month",
        "listings",
        "Gigs that the customer offered in the month.",
        "source/gig_listings",
        change=Change(words="they offered {after} gigs in the month (now {before})"),
    ),
    count(
        "gig_applications_month",
        "applications",
        "Applications for gigs that the customer made in the month.",
        "source/gig_applications",
        change=Change(words="they applied for {after} gigs in the month (now {before})"),
    ),
    number(
        "job_rating_avg",
        "1-5",
        "Mean rating of the customer's finished gigs over the whole history.",
        JOB_RATINGS,
        null_note="the customer was never rated",
        bounds=(1, 5),
    ),
)
