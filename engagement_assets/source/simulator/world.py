"""The simulator: all raw tables of any day, and the truth behind them.

Belongs here: putting the parts of the world together. Does not belong here: the parts.
"""

from collections import OrderedDict
from datetime import date

import pyarrow as pa

from engagement_assets.source.contract import TABLES
from engagement_assets.source.simulator import (
    campaigns,
    commerce,
    interactions,
    messaging,
    tables,
)
from engagement_assets.source.simulator.experiment import Experiment
from engagement_assets.source.simulator.graph import FriendshipGraph
from engagement_assets.source.simulator.life import LifeCourses
from engagement_assets.source.simulator.parameters import LEAD_DAYS
from engagement_assets.source.simulator.population import populate
from engagement_assets.source.simulator.posts import Posts, post_rows, write_posts
from engagement_assets.source.simulator.records import Records
from engagement_assets.source.simulator.sessions import SessionMaker, session_rows
from engagement_assets.source.simulator.truth import Truth

_HORIZON_STEP = 90
_WALL_DAYS = 3
_KEPT_DAYS = 4


class Simulator:
    """A world of customers that tells what happened on any day.

    The same arguments give the same bytes, whichever days are asked for and in whatever order. The
    world goes on after the asked range: customers keep signing up, and those who were there keep
    their lives.

    Args:
        customers: How many customers sign up from 600 days before the first day to the last day
            of the range.
        seed: Seed of the world, not negative.
        first_day: First day that can be asked for.
        days: Length of the range.

    Raises:
        ValueError: Fewer than one customer or day, a negative seed, or later a day before the
            first day.
    """

    def __init__(self, *, customers: int, seed: int, first_day: date, days: int = 400) -> None:
        if customers < 1:
            raise ValueError(f"customers is {customers}, expected at least 1")
        if days < 1:
            raise ValueError(f"days is {days}, expected at least 1")
        if seed < 0:
            raise ValueError(f"seed is {seed}, expected 0 or more")
        self._customers = customers
        self._seed = seed
        self._first_day = first_day
        self._days = days
        self._world = self._make(LEAD_DAYS + days - 1 + _HORIZON_STEP)

    def day(self, day: date) -> dict[str, pa.Table]:
        """All rows that are recorded on a day.

        Args:
            day: Any day from `first_day` on. The first day also brings the customers, consents,
                reviews and connections from before it.

        Returns:
            Every contract table by name, with exactly the contract's schema.
        """
        number = self._number(day)
        return self._reach(number).day(number)

    def truth_customers(self, day: date | None = None) -> pa.Table:
        """What causes each customer's behaviour by the end of a day, the range's last by default.

        Returns:
            One row for each customer signed up by then: persona, is_bot, is_fraud, community,
            hour_habit, favourite_category, expected_daily_sessions, expected_daily_engagement and
            expected_session_revenue_usd of a usual week before the experiment, leaving_from (when
            the customer began to leave, null if not by then), experiment_variant (null if not
            assigned by then), nominal_effect (by age) and expected_effect (what the treatment adds
            to the expected daily engagement of a usual week).
        """
        number = LEAD_DAYS + self._days - 1 if day is None else self._number(day)
        return self._reach(number).truth.customers(number)

    def truth_churn(self, day: date) -> pa.Table:
        """How likely each customer is to have no session in the 30 days after a day.

        Returns:
            customer_id and churn_probability of all customers signed up by then.
        """
        number = self._number(day)
        return self._reach(number).truth.churn(number)

    def truth_engagement(self, day: date) -> pa.Table:
        """Expected daily engagement of each customer on a day.

        Returns:
            customer_id, expected_engagement, and what it would be in either variant of the
            experiment: control_engagement and treated_engagement.
        """
        number = self._number(day)
        return self._reach(number).truth.engagement(number)

    def truth_future_engagement(self, day: date, *, days: int = 7) -> pa.Table:
        """Expected mean daily engagement of each customer over the days after a day.

        Returns:
            customer_id and expected_engagement of all customers signed up by then.
        """
        number = self._number(day)
        return self._reach(number).truth.future_engagement(number, days=days)

    def truth_future_revenue(self, day: date, *, days: int = 180) -> pa.Table:
        """Expected revenue of each customer in the days after a day; see `truth_churn`.

        Returns:
            customer_id and expected_revenue_usd of all customers signed up by then.
        """
        number = self._number(day)
        return self._reach(number).truth.future_revenue(number, days=days)

    def _number(self, day: date) -> int:
        number = (day - self._first_day).days
        if number < 0:
            raise ValueError(f"day {day} lies before the first day, {self._first_day}")
        return LEAD_DAYS + number

    def _reach(self, number: int) -> "_World":
        if number > self._world.horizon:
            beyond = number - self._world.horizon
            steps = -(-beyond // _HORIZON_STEP) * _HORIZON_STEP
            self._world = self._make(self._world.horizon + steps)
        return self._world

    def _make(self, horizon: int) -> "_World":
        return _World(
            customers=self._customers,
            seed=self._seed,
            first_day=self._first_day,
            days=self._days,
            horizon=horizon,
        )


class _World:
    """The parts of a world up to a horizon; days are days of the world."""

    def __init__(
        self, *, customers: int, seed: int, first_day: date, days: int, horizon: int
    ) -> None:
        self.horizon = horizon
        self._first_day = first_day
        people = populate(customers=customers, seed=seed, days=days, horizon=horizon)
        self._population = people
        self._life = LifeCourses(people, first_day)
        self._experiment = Experiment(people, self._life)
        self._graph = FriendshipGraph(people, self._life)
        self._sessions = SessionMaker(people, self._experiment)
        self._records = Records(people, self._life, self._graph, first_day)
        self._notifier = messaging.Notifier(people, self._life, first_day)
        self._gigs = commerce.GigMarket(people, self._life, first_day)
        self._written: OrderedDict[tuple[int, bool], Posts] = OrderedDict()
        self.truth = Truth(people, self._life, self._experiment, first_day)

    def day(self, day: int) -> dict[str, pa.Table]:
        """All rows recorded on a day."""
        people, first_day = self._population, self._first_day
        parts = [self._session_tables(self._posts(day, late=False))]
        if day > LEAD_DAYS:
            parts.append(self._session_tables(self._posts(day - 1, late=True)))
        records = self._records
        offers = self._gigs.listings(day)
        out = {name: pa.concat_tables([part[name] for part in parts]) for name in parts[0]}
        out["customers"] = records.customers(day)
        out["consents"] = records.consents(day)
        out["reviews"] = records.reviews(day)
        out["referrals"] = records.referrals(day)
        out["connections"] = records.connections(day)
        out["gig_listings"] = commerce.listing_rows(offers, people, first_day)
        agreed = records.agreed("notifications", day)
        out["notifications"] = self._notifier.rows(day, agreed)
        out["experiment_assignments"] = campaigns.assignment_rows(
            day, self._experiment, people, first_day
        )
        return {name: out[name] if name in out else tables.empty(name) for name in TABLES}

    def _session_tables(self, posts: Posts) -> dict[str, pa.Table]:
        """The tables whose rows hang on the sessions in which posts are written."""
        people, life, first_day = self._population, self._life, self._first_day
        batch = posts.batch
        friends = self._graph.friends(batch.day)
        days = range(max(batch.day - _WALL_DAYS + 1, 0), batch.day + 1)
        wall = interactions.hang([self._posts(day, late=False) for day in days], batch.day, friends)
        applications, ratings = self._gigs.rows(batch)
        return {
            "sessions": session_rows(batch, people, first_day),
            "posts": post_rows(posts, people, life, first_day),
            "interactions": interactions.interaction_rows(batch, wall, people, life, first_day),
            "messages": messaging.message_rows(batch, friends, people, life, first_day),
            "transactions": commerce.transaction_rows(batch, people, life, first_day),
            "premium_usage": commerce.premium_rows(batch, people, first_day),
            "gig_applications": applications,
            "job_ratings": ratings,
            "action_log": campaigns.action_rows(batch, people, first_day),
            "event_joins": campaigns.event_rows(batch, people, first_day),
        }

    def _posts(self, day: int, *, late: bool) -> Posts:
        """The posts of a day, kept for the days after, which need them."""
        key = (day, late)
        if key not in self._written:
            batch = self._sessions.batch(day, late=late)
            self._written[key] = write_posts(batch, self._population)
            while len(self._written) > 2 * _KEPT_DAYS:
                self._written.popitem(last=False)
        return self._written[key]
