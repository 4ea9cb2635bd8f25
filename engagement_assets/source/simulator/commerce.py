"""Money and work: payments, premium features and gigs.

Belongs here: the rows of `transactions`, `premium_usage`, `gig_listings`, `gig_applications` and
`job_ratings`. Does not belong here: who pays at all (`population.py`).
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from engagement_assets.source.simulator import parameters as p
from engagement_assets.source.simulator import tables
from engagement_assets.source.simulator.life import LifeCourses
from engagement_assets.source.simulator.population import Population
from engagement_assets.source.simulator.randomness import generator
from engagement_assets.source.simulator.sessions import SessionBatch

_KINDS = ("subscription", "tip", "purchase", "gig_fee", "refund")
_FEATURES = ("advanced_search", "profile_boost", "analytics", "no_ads", "custom_themes")
_AMOUNT_SIGMA = 0.6
_REFUND_SHARE = 0.03
_ODD_REFUND_SHARE = 0.3
BILLING_DAYS = 30
_USES_PER_SESSION = 0.25
# Gigs offered, and applications, a day by a gig worker and by anyone else who is still there.
_LISTINGS = (0.06, 0.004)
_APPLICATIONS_PER_SESSION = (0.12, 0.005)
_LISTING_OPEN_DAYS = 7
_RATED_SHARE = 0.35


def expected_payments_per_session(population: Population) -> np.ndarray:
    """Expected USD of one session's payments of each customer, refunds taken off.

    Subscriptions come on top; that of fraudsters is approximate.
    """
    mean = population.payment_usd * np.exp(_AMOUNT_SIGMA**2 / 2)
    odd = population.is_fraud
    mean = np.where(odd, _odd_usd(mean), mean)
    back = np.where(odd, _ODD_REFUND_SHARE, _REFUND_SHARE)
    worth: np.ndarray = population.payment_chance * mean * (1.0 - 2.0 * back)
    return worth


def _odd_usd(amount: np.ndarray) -> np.ndarray:
    """Amounts that fraudsters pay: large and ending alike."""
    odd: np.ndarray = np.minimum(np.round(amount * 4.0, -1) + 99.0, 999.0)
    return odd


def transaction_rows(
    batch: SessionBatch, population: Population, life: LifeCourses, first_day: date
) -> pa.Table:
    """The rows of table `transactions`: payments in sessions, and the day's subscriptions."""
    rng = generator(population.seed, "transactions", batch.day, int(batch.late))
    paid = np.flatnonzero(rng.random(batch.size) < population.payment_chance[batch.customer])
    buyer = batch.customer[paid]
    amount = population.payment_usd[buyer] * np.exp(_AMOUNT_SIGMA * rng.standard_normal(len(paid)))
    odd = population.is_fraud[buyer]
    amount = np.where(odd, _odd_usd(amount), amount)
    worker = population.persona[buyer] == p.GIG_WORKER
    kind = np.where(worker & (rng.random(len(paid)) < 0.6), 3, rng.integers(1, 3, len(paid)))
    refund = rng.random(len(paid)) < np.where(odd, _ODD_REFUND_SHARE, _REFUND_SHARE)
    amount = np.clip(np.where(refund, -amount, amount), -5_000.0, 5_000.0)
    seconds = batch.moment(paid, rng.random(len(paid)))
    own = tables.build(
        "transactions",
        {
            "transaction_id": tables.numbered_ids(f"t{batch.mark}", len(paid)),
            "customer_id": population.named(buyer),
            "occurred_at": tables.timestamps(first_day, batch.day, seconds),
            "amount_usd": np.round(amount, 2),
            "kind": tables.labels(_KINDS, np.where(refund, 4, kind)),
            "recorded_at": batch.recorded_at(first_day, paid, seconds),
        },
    )
    if batch.late:
        return own
    return pa.concat_tables([own, _subscriptions(batch.day, population, life, first_day)])


def subscribers_due(day: int, population: Population, life: LifeCourses) -> np.ndarray:
    """Customers who pay their subscription on a day."""
    count = population.count(day)
    since = population.premium_from[:count]
    age = day - np.floor(since)
    # Who leaves lets the subscription run out.
    keeps = (life.remaining(day) > 0.05) & (since < life.leaving_from[:count])
    return np.flatnonzero((age >= 0) & (np.mod(age, BILLING_DAYS) == 0) & keeps)


def _subscriptions(
    day: int, population: Population, life: LifeCourses, first_day: date
) -> pa.Table:
    due = subscribers_due(day, population, life)
    since = population.premium_from
    seconds = np.maximum(np.mod(since[due], 1.0) * p.SECONDS_PER_DAY - 1.0, 0.0) + 1.0
    return tables.build(
        "transactions",
        {
            "transaction_id": tables.numbered_ids(f"b{day}-", len(due)),
            "customer_id": population.named(due),
            "occurred_at": tables.timestamps(first_day, day, np.minimum(seconds, 86_399.0)),
            "amount_usd": np.full(len(due), p.PREMIUM_PRICE_USD),
            "kind": tables.labels(_KINDS, np.zeros(len(due), dtype=np.int64)),
        },
    )


def premium_rows(batch: SessionBatch, population: Population, first_day: date) -> pa.Table:
    """The rows of table `premium_usage` of a batch of sessions."""
    rng = generator(population.seed, "premium_usage", batch.day, int(batch.late))
    draws = rng.random((3, batch.size))
    premium = population.premium_from[batch.customer] <= batch.day + batch.start / p.SECONDS_PER_DAY
    used = np.flatnonzero(premium & (draws[0] < _USES_PER_SESSION))
    customer = batch.customer[used]
    # Everyone has a favourite feature and now and then tries another.
    feature = (customer + np.floor(draws[1, used] ** 3 * len(_FEATURES))) % len(_FEATURES)
    seconds = batch.moment(used, draws[2, used])
    # Sessions that midnight cuts off end in one instant; a feature is used once in it.
    _, once = np.unique(np.stack([customer, feature, seconds]), axis=1, return_index=True)
    once.sort()
    used, customer, feature, seconds = used[once], customer[once], feature[once], seconds[once]
    return tables.build(
        "premium_usage",
        {
            "customer_id": population.named(customer),
            "feature": tables.labels(_FEATURES, feature.astype(np.int64)),
            "occurred_at": tables.timestamps(first_day, batch.day, seconds),
            "recorded_at": batch.recorded_at(first_day, used, seconds),
        },
    )


@dataclass(frozen=True)
class Listings:
    """The gigs offered on a day, in order of time."""

    day: int  # day of the world
    customer: np.ndarray  # who offers them
    seconds: np.ndarray  # seconds of the day

    def ids(self) -> pa.Array:
        """Listing ids."""
        return tables.numbered_ids(f"g{self.day}-", len(self.customer))


def listings(day: int, population: Population, life: LifeCourses) -> Listings:
    """The gigs offered on a day."""
    count = population.count(day - 1)
    rng = generator(population.seed, "listings", day)
    worker = population.persona[:count] == p.GIG_WORKER
    chance = np.where(worker, *_LISTINGS) * life.remaining(day)[:count]
    customer = np.flatnonzero((rng.random(count) < chance) & ~population.is_bot[:count])
    seconds = rng.random(len(customer)) * (p.SECONDS_PER_DAY - 1.0)
    order = np.argsort(seconds, kind="stable")
    return Listings(day, customer[order], seconds[order])


def listing_rows(offers: Listings, population: Population, first_day: date) -> pa.Table:
    """The rows of table `gig_listings`."""
    return tables.build(
        "gig_listings",
        {
            "listing_id": offers.ids(),
            "customer_id": population.named(offers.customer),
            "occurred_at": tables.timestamps(first_day, offers.day, offers.seconds),
        },
    )


class GigMarket:
    """Applications and ratings of any day, on the gigs offered in the days before."""

    def __init__(self, population: Population, life: LifeCourses, first_day: date) -> None:
        self._population = population
        self._life = life
        self._first_day = first_day
        self._listings: dict[int, Listings] = {}

    def listings(self, day: int) -> Listings:
        """The gigs offered on a day, kept for the days after, which need them."""
        if day not in self._listings:
            self._listings[day] = listings(day, self._population, self._life)
            while len(self._listings) > 2 * _LISTING_OPEN_DAYS:
                self._listings.pop(next(iter(self._listings)))
        return self._listings[day]

    def offers(self, day: int) -> tuple[pa.Array, np.ndarray, np.ndarray]:
        """Ids, authors and times, in seconds from the start of the day, of the gigs still open.

        Gigs from before the first day that can be asked for are in no table, so nobody applies.
        """
        first = max(p.LEAD_DAYS, day - _LISTING_OPEN_DAYS + 1)
        days = [self.listings(d) for d in range(first, day + 1)]
        seconds = [offer.seconds + (offer.day - day) * p.SECONDS_PER_DAY for offer in days]
        ids = pa.concat_arrays([offer.ids() for offer in days])
        authors = np.concatenate([offer.customer for offer in days])
        return ids, authors, np.concatenate(seconds)

    def rows(self, batch: SessionBatch) -> tuple[pa.Table, pa.Table]:
        """The rows of `gig_applications` and `job_ratings` of a batch of sessions."""
        people, day = self._population, batch.day
        rng = generator(people.seed, "gigs", day, int(batch.late))
        ids, authors, published = self.offers(day)
        worker = people.persona[batch.customer] == p.GIG_WORKER
        chance = np.where(worker, *_APPLICATIONS_PER_SESSION)
        chance[people.is_bot[batch.customer]] = 0.0
        session = np.flatnonzero(rng.random(batch.size) < chance)
        draws = rng.random((3, len(session)))
        seconds = batch.moment(session, draws[0])
        listing = np.floor(draws[1] * np.searchsorted(published, seconds)).astype(np.int64)
        possible = np.searchsorted(published, seconds) > 0
        customer = batch.customer[session]
        possible[possible] &= authors[listing[possible]] != customer[possible]
        session, seconds, listing = session[possible], seconds[possible], listing[possible]
        customer = customer[possible]
        rated = draws[2, possible] < _RATED_SHARE
        shared = {
            "customer_id": people.named(customer),
            "occurred_at": tables.timestamps(self._first_day, day, seconds),
            "listing_id": ids.take(pa.array(listing)),
            "recorded_at": batch.recorded_at(self._first_day, session, seconds),
        }
        numbered = tables.numbered_ids(f"a{batch.mark}", len(customer))
        applications = tables.build("gig_applications", {**shared, "application_id": numbered})
        skill = 4.1 - 0.4 * self._life.discontent(day)[customer]
        stars = np.clip(np.round(skill + 0.8 * rng.standard_normal(len(customer))), 1, 5)
        ratings = tables.build(
            "job_ratings",
            {
                **shared,
                "rating_id": tables.numbered_ids(f"r{batch.mark}", len(customer)),
                "rating": stars.astype(np.int64),
                "on_time": rng.random(len(customer)) < 0.45 + 0.1 * stars,
            },
            rated,
        )
        return applications, ratings
