"""The customer's ties and exchanges with others.

Belongs here: the declarations of the group `social`. Does not belong here: the other
groups, and how a feature is computed (`sql/features/social.sql`).
"""

from engagement_assets.features.declarations.forms import (
    CONNECTIONS,
    INTERACTIONS,
    NO_SIGNAL,
    POSTS,
    count,
    number,
    of_group,
)
from engagement_assets.features.feature import Change
from engagement_assets.signals.tables import NETWORK_METRICS

FEATURES = of_group(
    "social",
    count(
        "connection_count",
        "customers",
        "Other customers that the customer was ever connected with, whoever of the two asked.",
        CONNECTIONS,
        calendar="total",
        moves_with="new_connections_month",
    ),
    count(
        "new_connections_month",
        "customers",
        "Other customers that the customer was first connected with in the month.",
        CONNECTIONS,
        change=Change(words="they made {after} new connections in the month (now {before})"),
    ),
    count(
        "reactions_given_month",
        "reactions",
        "Likes and shares that the customer gave in the month.",
        INTERACTIONS,
        change=Change(words="they liked or shared {after} posts in the month (now {before})"),
    ),
    count(
        "reactions_received_month",
        "reactions",
        "Likes and shares that others gave in the month to any post of the customer.",
        INTERACTIONS,
        POSTS,
        moves_with="posts_month",
    ),
    count(
        "comments_written_month",
        "comments",
        "Comments that the customer wrote in the month.",
        INTERACTIONS,
        change=Change(words="they wrote {after} comments in the month (now {before})"),
    ),
    count(
        "comments_received_month",
        "comments",
        "Comments that others wrote in the month on any post of the customer.",
        INTERACTIONS,
        POSTS,
        moves_with="posts_month",
    ),
    number(
        "influence_score",
        "0-1",
        "How much attention flows to the customer through the social graph: PageRank, scaled so "
        "that the most influential customer has 1.",
        NETWORK_METRICS.key,
        null_note=NO_SIGNAL,
        decimals=None,
        bounds=(0, 1),
    ),
    number(
        "betweenness_centrality",
        "0-1",
        "Share of the shortest paths between other customers that lead through the customer.",
        NETWORK_METRICS.key,
        null_note=NO_SIGNAL,
        decimals=None,
        bounds=(0, 1),
    ),
)
