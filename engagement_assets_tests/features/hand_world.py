"""A tiny world with one customer, Ann, whose 49 features were computed by hand.

Belongs here: the rows and the truth. Does not belong here: assertions.
"""

from datetime import date
from typing import Any

from .worlds import S, World, at

BORN = date(1990, 3, 31)


def hand_world() -> World:
    """Ann with rows in every table, Bob and Cat, Dan who has left, and Eve who never came."""
    world = World()
    world.customer("ann", birth_date=BORN, gender="female", location="north", account_type="free")
    world.customer("bob", birth_date=date(1990, 4, 1), gender="male")
    for name in ("cat", "dan", "eve"):
        world.customer(name)
    world.session("dan", at(5))
    _sessions(world)
    _content(world)
    _dealings(world)
    world.sentiment[S] = [{"customer_id": "ann", "avg_sentiment_score": 0.25}]
    world.network[S] = [
        {
            "customer_id": "ann",
            "influence_score": 0.9,
            "betweenness_centrality": 0.1,
            "eigenvector_centrality": 0.4,
        }
    ]
    return world


def _sessions(world: World) -> None:
    first = {"device": "ios", "pages": 1, "impressions": 10, "clicks": 3, "scroll_depth": 0.5}
    # more clicks than impressions: 20 of them count
    second = {"device": "ios", "pages": 5, "impressions": 20, "clicks": 30, "scroll_depth": 0.7}
    unknown = {"device": "web", "clicks": 4}
    still = {"device": "web", "pages": 0, "impressions": 0, "clicks": 0, "scroll_depth": 0.0}
    world.session("ann", at(0, 9), duration_seconds=600.0, **first)
    world.session("ann", at(0, 21), duration_seconds=1200.0, **second)
    world.session("ann", at(1, 9, 30), duration_seconds=1800.0, **unknown)
    world.session("ann", at(29, 3), duration_seconds=0.0, **still)
    world.session("ann", at(30, 9), duration_seconds=6000.0, device="tv")


def _content(world: World) -> None:
    def interact(who: str, post: str, kind: str, days_before: int) -> None:
        world.add("interactions", at(days_before), customer_id=who, post_id=post, kind=kind)

    for post, author, category, days_before in (
        ("a-new", "ann", "music", 3),
        ("a-old", "ann", "art", 33),
        ("b-sport", "bob", "sport", 10),
        ("b-music", "bob", "music", 10),
        ("b-none", "bob", None, 10),
    ):
        world.add("posts", at(days_before), post_id=post, customer_id=author, category=category)
    for post in ("b-sport", "b-sport", "b-music", "b-none", "ghost"):
        interact("ann", post, "view", 8)
    interact("ann", "b-sport", "like", 8)
    interact("ann", "b-music", "share", 8)
    interact("ann", "a-new", "like", 8)
    interact("ann", "b-sport", "comment", 8)
    interact("bob", "a-new", "like", 9)
    interact("bob", "a-old", "like", 9)
    interact("bob", "a-new", "comment", 9)
    interact("bob", "a-new", "view", 9)
    interact("bob", "a-new", "like", 31)
    for who, recipient, sent, replied in (
        ("ann", "bob", at(1, 8), None),
        ("ann", "bob", at(2, 9), None),
        ("ann", "bob", at(32), None),
        ("bob", "ann", at(2, 10), at(2, 12)),
        ("bob", "ann", at(5, 8), at(5, 8, 30)),
        ("bob", "ann", at(0, 23), at(-1, 1)),
    ):
        world.add("messages", sent, customer_id=who, recipient_id=recipient, replied_at=replied)


def _dealings(world: World) -> None:
    def add(table: str, when: Any, **values: Any) -> None:
        world.add(table, when, **{"customer_id": "ann", **values})

    add("event_joins", at(20))
    for opened in (at(4, 13), at(-1, 1), None, None):
        add("notifications", at(4), opened_at=opened)
    add("notifications", at(31), opened_at=at(31, 13))
    for feature, days_before in (("export", 1), ("export", 2), ("themes", 2), ("boost", 31)):
        add("premium_usage", at(days_before), feature=feature)
    for one, other, days_before in (
        ("ann", "bob", 32),
        ("bob", "ann", 3),
        ("cat", "ann", 4),
        ("ann", "ann", 4),
    ):
        add("connections", at(days_before), customer_id=one, other_customer_id=other)
    for amount, days_before in ((100.10, 33), (20.20, 2), (-5.05, 1)):
        add("transactions", at(days_before), amount_usd=amount)
    add("gig_listings", at(7))
    add("gig_listings", at(32))
    add("gig_applications", at(7))
    add("gig_applications", at(8))
    add("job_ratings", at(33), rating=5, on_time=True)
    add("job_ratings", at(3), rating=2, on_time=False)
    add("reviews", at(30), confirmed_fraud=True)
    add("reviews", at(6), confirmed_fraud=False)
    for referred, days_before in (("bob", 33), ("bob", 32), ("cat", 2)):
        add("referrals", at(days_before), referred_customer_id=referred)


ANN: dict[str, Any] = {
    "age": 35,  # 31 March 1990 to 31 March 2025: today is the birthday
    "gender": "female",
    "location": "north",
    "account_type": "free",
    "tenure_days": 34,
    "logins_month": 4,
    "active_days_month": 3,  # 31, 30 and 2 March
    "days_since_last_login": 0,
    "session_duration_avg_minutes": 15.0,  # (10 + 20 + 30 + 0) / 4
    "session_minutes_month": 60.0,
    "messages_sent_month": 2,
    "messages_received_month": 3,
    "posts_month": 1,
    "content_views_month": 5,
    "events_joined_month": 1,
    "notification_open_rate_month": 0.25,  # 1 of 4: an opening after S is not known
    "premium_features_used_count": 2,  # export and themes
    "connection_count": 2,  # bob twice and cat
    "new_connections_month": 1,  # cat; bob's first row is older
    "reactions_given_month": 3,
    "reactions_received_month": 2,  # bob's likes of the new and the old post, not her own
    "comments_written_month": 1,
    "comments_received_month": 1,
    "influence_score": 0.9,
    "betweenness_centrality": 0.1,
    "transaction_revenue_month": 15.15,  # 20.20 - 5.05
    "transaction_count_month": 2,
    "revenue_to_date_usd": 115.25,
    "gig_listings_month": 1,
    "gig_applications_month": 2,
    "job_rating_avg": 3.5,
    "primary_device": "ios",  # ios and web have two sessions each
    "primary_time_of_day": "morning",
    "scroll_depth_avg": 0.4,  # (0.5 + 0.7 + 0) / 3
    "click_rate": 0.766667,  # (3 + 20 + 0) / (10 + 20 + 0)
    "bounce_rate": 0.666667,  # 1 and 0 of 1, 5, 0
    "weekend_session_share": 0.5,  # 30 and 2 March are Sundays
    "night_session_share": 0.25,
    "device_count": 2,
    "pages_per_session": 2.0,  # (1 + 5 + 0) / 3
    "avg_sentiment_score": 0.25,
    "network_centrality": 0.4,
    "content_diversity_score": 0.636514,  # -(2/3 ln 2/3 + 1/3 ln 1/3)
    "session_consistency_score": 0.131034,  # gaps 28, 1, 1: 1 - (786 - 30) / 870
    # 29, 30, 31 March: (1 (1 - e^-0.1) + 2 (1 - e^-1.1) + 3 (1 - e^-1)) / 28
    "last_7_day_engagement_trend": 0.118778,
    # tenure 0.3 (1 - e^(-34/180)), ratings 0.4 (1 + 0.25 + 1) / 4, punctuality 0.3 (1 + 1) / 4
    "trust_score": 0.426636,
    "response_time_avg_hours": 1.25,  # 2 and 0.5; the third was answered after S
    "peak_activity_hour": 9,
    "referral_count": 2,
}

EVE_NOT_ZERO: dict[str, Any] = {
    "age": None,
    "gender": None,
    "location": None,
    "account_type": None,
    "tenure_days": 34,
    "days_since_last_login": None,
    "session_duration_avg_minutes": None,
    "notification_open_rate_month": None,
    "influence_score": None,
    "betweenness_centrality": None,
    "job_rating_avg": None,
    "primary_device": None,
    "primary_time_of_day": None,
    "scroll_depth_avg": None,
    "click_rate": None,
    "bounce_rate": None,
    "weekend_session_share": None,
    "night_session_share": None,
    "pages_per_session": None,
    "avg_sentiment_score": None,
    "network_centrality": None,
    "content_diversity_score": None,
    # tenure 0.3 (1 - e^(-34/180)), one half each for ratings and punctuality
    "trust_score": 0.401636,
    "response_time_avg_hours": None,
    "peak_activity_hour": None,
}
"""Eve's features that are not 0."""
