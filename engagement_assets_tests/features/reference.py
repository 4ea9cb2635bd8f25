"""The 49 features in plain Python, one customer at a time: slow, and written apart from the SQL.

Belongs here: the definitions, said a second time. Does not belong here: SQL or anything of the
platform but the names of the raw tables.
"""

import math
from collections import Counter
from datetime import date, datetime, time, timedelta
from typing import Any

from .worlds import World

Row = dict[str, Any]
OPTIONAL_EVENTS = ("interactions", "messages", "posts", "event_joins")


class Reference:
    """The features of the customers of a world at the end of one date."""

    def __init__(self, world: World, on: date) -> None:
        self.on = on
        self.end = datetime.combine(on + timedelta(days=1), time())
        self.month_start = datetime.combine(on - timedelta(days=29), time())
        self.known = {
            name: [
                row
                for row in rows
                if row.get("occurred_at", row.get("signed_up_at")) < self.end
                and row["recorded_at"] < self.end
            ]
            for name, rows in world.tables.items()
        }
        self.sentiment = {row["customer_id"]: row for row in world.sentiment.get(on, [])}
        self.network = {row["customer_id"]: row for row in world.network.get(on, [])}

    def all(self, table: str) -> list[Row]:
        return self.known.get(table, [])

    def month(self, table: str) -> list[Row]:
        return [row for row in self.all(table) if row["occurred_at"] >= self.month_start]

    def of(self, rows: list[Row], customer: str, column: str = "customer_id") -> list[Row]:
        return [row for row in rows if row[column] == customer]

    def if_known(self, value: Any, *tables: str) -> Any:
        return value if all(self.all(table) for table in tables) else None

    def features(self) -> dict[str, Row]:
        """All features of all known customers."""
        return {
            customer: {
                **self.demographics(customer),
                **self.engagement(customer),
                **self.social(customer),
                **self.transactions(customer),
                **self.behaviour(customer),
                **self.derived(customer),
            }
            for customer in {row["customer_id"] for row in self.all("customers")}
        }

    def version(self, customer: str) -> Row:
        return max(self.of(self.all("customers"), customer), key=lambda row: row["recorded_at"])

    def demographics(self, customer: str) -> Row:
        row = self.version(customer)
        age = None
        if born := row["birth_date"]:
            before_birthday = (self.on.month, self.on.day) < (born.month, born.day)
            age = self.on.year - born.year - before_birthday
            age = age if 0 <= age <= 120 else None
        return {
            "age": age,
            "gender": row["gender"],
            "location": row["location"],
            "account_type": row["account_type"],
            "tenure_days": (self.on - row["signed_up_at"].date()).days,
        }

    def engagement(self, customer: str) -> Row:
        sessions = self.of(self.month("sessions"), customer)
        logins = [row["occurred_at"].date() for row in self.of(self.all("sessions"), customer)]
        minutes = sum(row["duration_seconds"] for row in sessions) / 60
        notified = self.of(self.month("notifications"), customer)
        opened = [row for row in notified if row["opened_at"] and row["opened_at"] < self.end]
        views = [
            row for row in self.of(self.month("interactions"), customer) if row["kind"] == "view"
        ]
        premium = {row["feature"] for row in self.of(self.month("premium_usage"), customer)}

        def count(table: str, column: str = "customer_id") -> int | None:
            return self.if_known(len(self.of(self.month(table), customer, column)), table)

        return {
            "logins_month": len(sessions),
            "active_days_month": len({row["occurred_at"].date() for row in sessions}),
            "days_since_last_login": (self.on - max(logins)).days if logins else None,
            "session_duration_avg_minutes": minutes / len(sessions) if sessions else None,
            "session_minutes_month": minutes,
            "messages_sent_month": count("messages"),
            "messages_received_month": count("messages", "recipient_id"),
            "posts_month": count("posts"),
            "content_views_month": self.if_known(len(views), "interactions"),
            "events_joined_month": count("event_joins"),
            "notification_open_rate_month": len(opened) / len(notified) if notified else None,
            "premium_features_used_count": self.if_known(len(premium), "premium_usage"),
        }

    def social(self, customer: str) -> Row:
        first: dict[str, datetime] = {}
        for row in self.all("connections"):
            pair = (row["customer_id"], row["other_customer_id"])
            if customer in pair and pair[0] != pair[1]:
                other = pair[0] if pair[1] == customer else pair[1]
                first[other] = min(first.get(other, row["occurred_at"]), row["occurred_at"])
        author = {row["post_id"]: row["customer_id"] for row in self.all("posts")}
        given = self.of(self.month("interactions"), customer)
        got = [
            row
            for row in self.month("interactions")
            if author.get(row["post_id"]) == customer and row["customer_id"] != customer
        ]

        def kinds(rows: list[Row], *kinds: str) -> int:
            return sum(row["kind"] in kinds for row in rows)

        new = sum(when >= self.month_start for when in first.values())
        metrics = self.network.get(customer, {})
        both = ("interactions", "posts")
        return {
            "connection_count": self.if_known(len(first), "connections"),
            "new_connections_month": self.if_known(new, "connections"),
            "reactions_given_month": self.if_known(kinds(given, "like", "share"), "interactions"),
            "reactions_received_month": self.if_known(kinds(got, "like", "share"), *both),
            "comments_written_month": self.if_known(kinds(given, "comment"), "interactions"),
            "comments_received_month": self.if_known(kinds(got, "comment"), *both),
            "influence_score": metrics.get("influence_score"),
            "betweenness_centrality": metrics.get("betweenness_centrality"),
        }

    def transactions(self, customer: str) -> Row:
        paid = self.of(self.all("transactions"), customer)
        month = self.of(self.month("transactions"), customer)
        ratings = [row["rating"] for row in self.of(self.all("job_ratings"), customer)]
        listings = len(self.of(self.month("gig_listings"), customer))
        applications = len(self.of(self.month("gig_applications"), customer))
        revenue_month = sum(row["amount_usd"] for row in month)
        revenue = sum(row["amount_usd"] for row in paid)
        return {
            "transaction_revenue_month": self.if_known(revenue_month, "transactions"),
            "transaction_count_month": self.if_known(len(month), "transactions"),
            "revenue_to_date_usd": self.if_known(revenue, "transactions"),
            "gig_listings_month": self.if_known(listings, "gig_listings"),
            "gig_applications_month": self.if_known(applications, "gig_applications"),
            "job_rating_avg": mean(ratings),
        }

    def behaviour(self, customer: str) -> Row:
        sessions = self.of(self.month("sessions"), customer)
        devices = Counter(row["device"] for row in sessions if row["device"])
        parts = Counter(row["occurred_at"].hour // 6 for row in sessions)
        pages = [row["pages"] for row in sessions if row["pages"] is not None]
        shown = [row for row in sessions if row["impressions"] is not None]
        shown = [row for row in shown if row["clicks"] is not None]
        impressions = sum(row["impressions"] for row in shown)
        clicks = sum(min(row["clicks"], row["impressions"]) for row in shown)
        names = ("night", "morning", "afternoon", "evening")
        return {
            "primary_device": min(devices, key=lambda d: (-devices[d], d)) if devices else None,
            "primary_time_of_day": (
                names[min(parts, key=lambda p: (-parts[p], p))] if parts else None
            ),
            "scroll_depth_avg": mean(
                [row["scroll_depth"] for row in sessions if row["scroll_depth"] is not None]
            ),
            "click_rate": clicks / impressions if impressions else None,
            "bounce_rate": mean([count <= 1 for count in pages]),
            "weekend_session_share": mean([row["occurred_at"].weekday() >= 5 for row in sessions]),
            "night_session_share": mean([row["occurred_at"].hour < 6 for row in sessions]),
            "device_count": len(devices),
            "pages_per_session": mean(pages),
        }

    def derived(self, customer: str) -> Row:
        sessions = self.of(self.month("sessions"), customer)
        hours = Counter(row["occurred_at"].hour for row in sessions)
        replies = [
            (row["replied_at"] - row["occurred_at"]).total_seconds() / 3600
            for row in self.of(self.month("messages"), customer, "recipient_id")
            if row["replied_at"] and row["replied_at"] < self.end
        ]
        referred = {row["referred_customer_id"] for row in self.of(self.all("referrals"), customer)}
        return {
            "avg_sentiment_score": self.sentiment.get(customer, {}).get("avg_sentiment_score"),
            "network_centrality": self.network.get(customer, {}).get("eigenvector_centrality"),
            "content_diversity_score": self.diversity(customer),
            "session_consistency_score": self.consistency(sessions),
            "last_7_day_engagement_trend": self.trend(customer),
            "trust_score": self.trust(customer),
            "response_time_avg_hours": mean(replies),
            "peak_activity_hour": min(hours, key=lambda h: (-hours[h], h)) if hours else None,
            "referral_count": self.if_known(len(referred), "referrals"),
        }

    def diversity(self, customer: str) -> float | None:
        category = {row["post_id"]: row["category"] for row in self.all("posts")}
        seen = Counter(
            category[row["post_id"]]
            for row in self.of(self.month("interactions"), customer)
            if row["kind"] == "view" and category.get(row["post_id"])
        )
        total = sum(seen.values())
        return -sum(n / total * math.log(n / total) for n in seen.values()) if total else None

    def consistency(self, sessions: list[Row]) -> float:
        days = sorted({(row["occurred_at"] - self.month_start).days for row in sessions})
        if not days:
            return 0.0
        gaps = [
            later - earlier for earlier, later in zip(days, [*days[1:], days[0] + 30], strict=True)
        ]
        return 1 - (sum(gap**2 for gap in gaps) - 30) / 870

    def daily_engagement(self, customer: str, day: date) -> float:
        sessions = self.of(self.all("sessions"), customer)
        minutes = sum(
            row["duration_seconds"] for row in sessions if row["occurred_at"].date() == day
        )
        actions = sum(
            row["occurred_at"].date() == day
            for table in OPTIONAL_EVENTS
            for row in self.of(self.all(table), customer)
        )
        return 1 - math.exp(-(minutes / 60 / 30 + actions / 10))

    def trend(self, customer: str) -> float:
        values = [
            self.daily_engagement(customer, self.on - timedelta(days=6 - x)) for x in range(7)
        ]
        middle, height = 3, sum(values) / 7
        covariance = sum((x - middle) * (y - height) for x, y in enumerate(values))
        return covariance / sum((x - middle) ** 2 for x in range(7))

    def trust(self, customer: str) -> float | None:
        if not self.all("job_ratings") and not self.all("reviews"):
            return None
        reviews = self.of(self.all("reviews"), customer)
        if reviews and max((r["occurred_at"], r["confirmed_fraud"]) for r in reviews)[1]:
            return 0.0
        rated = self.of(self.all("job_ratings"), customer)
        quality = [(row["rating"] - 1) / 4 for row in rated]
        punctual = [row["on_time"] for row in rated if row["on_time"] is not None]
        tenure = (self.on - self.version(customer)["signed_up_at"].date()).days
        return (
            0.3 * (1 - math.exp(-tenure / 180))
            + 0.4 * (sum(quality) + 1) / (len(quality) + 2)
            + 0.3 * (sum(punctual) + 1) / (len(punctual) + 2)
        )


def mean(values: list[Any]) -> float | None:
    """Mean, or None of nothing."""
    return sum(values) / len(values) if values else None
