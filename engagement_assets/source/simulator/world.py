"""The simulator: all raw tables of any day, and the truth behind them.

Belongs here: putting the parts of the world together. Does not belong here: the parts.
"""

from collections import OrderedDict
from dataclasses import replace
from datetime import date
from functools import partial

import numpy as np
import pyarrow as pa

from engagement_assets.source.contract import TABLES
from engagement_assets.source.simulator import (
    campaigns,
    commerce,
    interactions,
    messaging,
    tables,
)
from engagement_assets.source.simulator.causes import CAUSES, Causes, held_out
from engagement_assets.source.simulator.experiment import Experiment
from engagement_assets.source.simulator.graph import FriendshipGraph
from engagement_assets.source.simulator.life import LifeCourses
from engagement_assets.source.simulator.nudges import NextBestActions
from engagement_assets.source.simulator.offers import Offers
from engagement_assets.source.simulator.parameters import LEAD_DAYS
from engagement_assets.source.simulator.population import populate
from engagement_assets.source.simulator.posts import Posts, post_rows, write_posts
from engagement_assets.source.simulator.records import Records
from engagement_assets.source.simulator.reminders import Reminders
from engagement_assets.source.simulator.seasons import Seasons
from engagement_assets.source.simulator.sessions import SessionBatch, SessionMaker, session_rows
from engagement_assets.source.simulator.trials import Trials
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
        causes: What changes behaviour beside the customers' own lives.

    Raises:
        ValueError: Fewer than one customer or day, a negative seed, or later a day before the
            first day.
    """

    def __init__(
        self,
        *,
        customers: int,
        seed: int,
        first_day: date,
        days: int = 400,
        causes: Causes = CAUSES,
    ) -> None:
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
        self._causes = causes
        self._others: dict[str, _World] = {}
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

    def truth_experiments(self, day: date) -> pa.Table:
        """What each experiment does to those assigned to it by the end of a day.

        Returns:
            One row for each experiment and customer: variant, treatment_propensity (the true one,
            also of the campaign), and what the treatment adds to expected daily sessions and to
            expected daily engagement of a usual week, effect_daily_sessions and
            effect_daily_engagement; spillover_daily_sessions comes from friends' treatment, in
            either variant. Rows of the global holdout are not among them, see `truth_programme`.
        """
        number = self._number(day)
        return self._reach(number).trials.truth(number)

    def truth_actions(self, day: date) -> pa.Table:
        """What each next best action would have come to, by the actions logged on a day.

        Returns:
            action_id, and for each action the chance of its completion, completion_<action>, and
            what a completed one adds to the log of expected sessions of the day after,
            lift_<action>. No rows where the world's actions change nothing.
        """
        number = self._number(day)
        return self._reach(number).truth_actions(number)

    def truth_notifications(self, day: date) -> pa.Table:
        """What each notification sent on a day may cause.

        Returns:
            notification_id, fatigue, session_chance (of a session within the hour beside those
            that come by themselves) and unsubscribe_chance. No rows where the world's
            notifications cause nothing.
        """
        number = self._number(day)
        return self._reach(number).truth_notifications(number)

    def truth_programme(self, first: date, last: date) -> pa.Table:
        """What the company's programme brings: the same people with all of it and with none.

        The programme is what the global holdout does not get: experiments, actions, offers and
        notifications.

        Returns:
            One row for each customer signed up by the end of the days `first` to `last`: expected
            sessions and expected revenue in USD over these days, and whether the customer has not
            begun to leave by their end, in two worlds: sessions_programme, sessions_holdout,
            revenue_usd_programme, revenue_usd_holdout, stays_programme, stays_holdout.
        """
        begin, end = self._number(first), self._number(last)
        horizon = self._reach(end).horizon
        columns: dict[str, np.ndarray] = {}
        for name, share in (("programme", 0.0), ("holdout", 1.0)):
            if name not in self._others or self._others[name].horizon < horizon:
                causes = replace(self._causes, holdout_share=share)
                self._others[name] = self._make(horizon, causes)
            sessions, revenue, stays = self._others[name].truth.course(begin, end)
            columns[f"sessions_{name}"] = sessions
            columns[f"revenue_usd_{name}"] = revenue
            columns[f"stays_{name}"] = stays
        everybody = self._world.named(end)
        return pa.table({"customer_id": everybody, **columns})

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

    def _make(self, horizon: int, causes: Causes | None = None) -> "_World":
        return _World(
            customers=self._customers,
            seed=self._seed,
            first_day=self._first_day,
            days=self._days,
            horizon=horizon,
            causes=self._causes if causes is None else causes,
        )


class _World:
    """The parts of a world up to a horizon; days are days of the world."""

    def __init__(
        self,
        *,
        customers: int,
        seed: int,
        first_day: date,
        days: int,
        horizon: int,
        causes: Causes,
    ) -> None:
        self.horizon = horizon
        self._first_day = first_day
        people = populate(
            customers=customers,
            seed=seed,
            days=days,
            horizon=horizon,
            time_zones=causes.time_zones,
        )
        self._population = people
        held = held_out(people, causes.holdout_share)
        seasons = Seasons(people, first_day) if causes.calendar else None
        self._offers = Offers(people, causes, held)
        self._life = LifeCourses(people, first_day, self._offers, seasons)
        self._experiment = Experiment(people, self._life, held)
        self._actions: NextBestActions | None = None
        self._graph = FriendshipGraph(people, self._life)
        self._records = Records(people, self._life, self._graph, first_day)
        self._reminders = self._consequential(causes, held)
        caused = None if self._reminders is None else self._reminders.caused
        self._sessions = SessionMaker(people, self._experiment, caused)
        self._notifier = messaging.Notifier(people, self._life, first_day)
        self._gigs = commerce.GigMarket(people, self._life, first_day)
        self.trials = Trials(people, self._life, self._graph, self._experiment, causes, held)
        if seasons is not None:
            self._life.influences.append(seasons)
        if causes.experiments:
            self._life.influences.append(self.trials)
        if causes.actions:
            self._actions = NextBestActions(people, self._life, causes, held)
            self._life.influences.append(self._actions)
        self._written: OrderedDict[tuple[int, bool], Posts] = OrderedDict()
        self.truth = Truth(people, self._life, self._experiment, first_day, self._reminders)

    def _consequential(self, causes: Causes, held: np.ndarray) -> Reminders | None:
        if not causes.notifications:
            return None
        agreed = partial(self._records.agreed, "notifications")
        return Reminders(self._population, self._life, causes, held, agreed)

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
        out["complaints"] = records.complaints(day)
        out["referrals"] = records.referrals(day)
        out["connections"] = records.connections(day)
        out["gig_listings"] = commerce.listing_rows(offers, people, first_day)
        out["notifications"] = self._notifications(day)
        out["experiment_assignments"] = pa.concat_tables(
            [
                campaigns.assignment_rows(day, self._experiment, people, first_day),
                self.trials.assignment_rows(day, first_day),
            ]
        )
        out["retention_offers"] = self._offers.rows(day, first_day)
        if self._actions is not None:
            out["action_log"] = self._actions.rows(day, first_day)
        return {name: out[name] if name in out else tables.empty(name) for name in TABLES}

    def named(self, day: int) -> pa.Array:
        """Ids of the customers signed up by the end of a day."""
        return self._population.named(np.arange(self._population.count(day)))

    def _notifications(self, day: int) -> pa.Table:
        if self._reminders is not None:
            return self._reminders.rows(day, self._first_day)
        return self._notifier.rows(day, self._records.agreed("notifications", day))

    def truth_notifications(self, day: int) -> pa.Table:
        """What the notifications of a day may cause."""
        if self._reminders is None:
            return pa.table({"notification_id": pa.array([], pa.string())})
        return self._reminders.truth(day)

    def truth_actions(self, day: int) -> pa.Table:
        """What each action would have come to, by the actions of a day."""
        if self._actions is None:
            return pa.table({"action_id": pa.array([], pa.string())})
        return self._actions.truth(day)

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
            **self._plain_actions(batch),
            "experiment_exposures": self.trials.exposure_rows(batch, first_day),
            "event_joins": campaigns.event_rows(batch, people, first_day),
        }

    def _plain_actions(self, batch: SessionBatch) -> dict[str, pa.Table]:
        if self._actions is not None:
            return {}
        return {"action_log": campaigns.action_rows(batch, self._population, self._first_day)}

    def _posts(self, day: int, *, late: bool) -> Posts:
        """The posts of a day, kept for the days after, which need them."""
        key = (day, late)
        if key not in self._written:
            batch = self._sessions.batch(day, late=late)
            self._written[key] = write_posts(batch, self._population)
            while len(self._written) > 2 * _KEPT_DAYS:
                self._written.popitem(last=False)
        return self._written[key]
