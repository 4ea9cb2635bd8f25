"""What the company has on file: customers, consents, reviews, complaints, referrals, connections.

Belongs here: the rows of these tables. Does not belong here: what customers do in the app.

The first day that can be asked for also brings, recorded on it, what happened before.
"""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engagement_assets.source.contract import CONSENT_PURPOSES, GENDERS
from engagement_assets.source.simulator import parameters as p
from engagement_assets.source.simulator import tables, vocabulary
from engagement_assets.source.simulator.graph import FriendshipGraph
from engagement_assets.source.simulator.life import LifeCourses
from engagement_assets.source.simulator.population import Population
from engagement_assets.source.simulator.randomness import generator

_NEVER = np.inf
_WITHDRAWAL_MEAN_DAYS = 300.0
_REFERRED_SHARE = 0.12
_CHEATS_REVIEWED, _INNOCENTS_REVIEWED = 0.6, 0.004
_REVIEW_MEAN_DAYS = 90.0
_COMPLAINING_SHARE = 0.15
_COMPLAINT_MEAN_DAYS = 200.0
# The company answers within its month.
_ANSWER_MEAN_DAYS, _ANSWER_MOST_DAYS = 6.0, 28.0
# Subject, what it is about, and in which words.
_COMPLAINTS = (
    ("price", None, "The subscription costs more than was announced."),
    ("privacy", None, "I want to know what you hold about me."),
    ("content", "recommendation", "The posts you suggest are not for me."),
    ("contact", "next_best_action", "You write to me too often."),
    ("account", "anomaly", "My account was looked into without a reason."),
)


class Records:
    """The records of any day."""

    def __init__(
        self, population: Population, life: LifeCourses, graph: FriendshipGraph, first_day: date
    ) -> None:
        self._population = population
        self._life = life
        self._graph = graph
        self._first_day = first_day
        self._consents = _Consents(population)
        self._reviewed = _review_instants(population)
        self._complaints = _Complaints(population)

    def agreed(self, purpose: str, day: int) -> np.ndarray:
        """Whether each customer's consent to a purpose holds at the start of a day."""
        return self._consents.holds(purpose, day)[: self._population.count(day)]

    def customers(self, day: int) -> pa.Table:
        """The rows of table `customers`: sign-ups and upgrades of a day."""
        people, count = self._population, self._population.count(day)
        new = np.flatnonzero(self._within(people.signed_up[:count], day))
        premium = people.premium_from[:count]
        upgrade = (np.floor(premium) == day) & (premium < self._life.leaving_from[:count])
        upgrade &= people.signed_up_day[:count] < day
        if day == p.LEAD_DAYS:
            upgrade &= people.signed_up_day[:count] >= day
        return pa.concat_tables(
            [
                self._customer_rows(new, day, people.signed_up[new]),
                self._customer_rows(np.flatnonzero(upgrade), day, premium[upgrade]),
            ]
        )

    def consents(self, day: int) -> pa.Table:
        """The rows of table `consents`: given at sign-up, a few withdrawn later."""
        parts = []
        count = self._population.count(day)
        for number, purpose in enumerate(CONSENT_PURPOSES):
            given = self._population.signed_up[:count]
            withdrawn = self._consents.withdrawn[:count, number]
            granted = self._consents.granted[:count, number]
            for when, what in ((given, granted), (withdrawn, np.zeros(count, dtype=bool))):
                rows = np.flatnonzero(self._within(when, day))
                parts.append(
                    self._instant_rows(
                        "consents", rows, when[rows], day, granted=what[rows], purpose=purpose
                    )
                )
        return pa.concat_tables(parts)

    def reviews(self, day: int) -> pa.Table:
        """The rows of table `reviews`."""
        count = self._population.count(day)
        rows = np.flatnonzero(self._within(self._reviewed[:count], day))
        guilty = self._population.is_bot[rows] | self._population.is_fraud[rows]
        return self._instant_rows(
            "reviews", rows, self._reviewed[rows], day, confirmed_fraud=guilty
        )

    def complaints(self, day: int) -> pa.Table:
        """The rows of table `complaints`: received on a day, and again when they are answered."""
        of, count = self._complaints, self._population.count(day)
        new, answered = (
            np.flatnonzero((instants[:count] >= day) & (instants[:count] < day + 1))
            for instants in (of.received, of.answered)
        )
        rows = np.concatenate([new, answered])
        done = np.repeat([False, True], [len(new), len(answered)])
        kind = of.kind[rows]
        about = pa.array([about for _, about, _ in _COMPLAINTS], pa.string())
        received, resolved = (
            self._instants(of.received[rows]),
            pc.if_else(pa.array(done), self._instants(of.answered[rows]), None),
        )
        return tables.build(
            "complaints",
            {
                "complaint_id": pc.binary_join_element_wise(
                    "k", pa.array(rows).cast(pa.string()), ""
                ),
                "customer_id": self._population.named(rows),
                "occurred_at": received,
                "category": tables.labels([subject for subject, _, _ in _COMPLAINTS], kind),
                "about": about.take(pa.array(kind)),
                "text": tables.labels([text for _, _, text in _COMPLAINTS], kind),
                "resolved_at": resolved,
                "recorded_at": pc.coalesce(resolved, received),
            },
        )

    def referrals(self, day: int) -> pa.Table:
        """The rows of table `referrals`: some of those who sign up on a day were brought in."""
        people = self._population
        known, count = people.count(day - 1), people.count(day)
        rng = generator(people.seed, "referrals", day)
        draws = rng.random((count - known, 1 + 8))
        candidates = np.floor(draws[:, 1:] * known).astype(np.int64)
        if known in (0, count):
            return tables.empty("referrals")
        # The keenest and most present of a few.
        appeal = people.sociability[candidates] * self._life.remaining(day)[candidates]
        appeal = appeal * ~people.is_bot[candidates]
        referrer = candidates[np.arange(len(candidates)), np.argmax(appeal, axis=1)]
        rows = np.flatnonzero((draws[:, 0] < _REFERRED_SHARE) & (appeal.max(axis=1) > 0.01))
        brought = known + rows
        seconds = np.mod(people.signed_up[brought], 1.0) * p.SECONDS_PER_DAY
        return tables.build(
            "referrals",
            {
                "referral_id": tables.numbered_ids(f"f{day}-", len(rows)),
                "customer_id": people.named(referrer[rows]),
                "referred_customer_id": people.named(brought),
                "occurred_at": tables.timestamps(self._first_day, day, seconds),
            },
        )

    def connections(self, day: int) -> pa.Table:
        """The rows of table `connections`: the friendships formed on a day."""
        people, graph = self._population, self._graph
        edges = graph.edges(0 if day == p.LEAD_DAYS else day, day)
        instants = graph.formed[edges]
        return tables.build(
            "connections",
            {
                "customer_id": people.named(graph.one[edges]),
                "other_customer_id": people.named(graph.other[edges]),
                "occurred_at": self._instants(instants),
                "recorded_at": self._recorded(instants, day),
            },
        )

    def _within(self, instants: np.ndarray, day: int) -> np.ndarray:
        first = -_NEVER if day == p.LEAD_DAYS else day
        inside: np.ndarray = (instants >= first) & (instants < day + 1)
        return inside

    def _instants(self, instants: np.ndarray) -> pa.Array:
        days = np.floor(instants)
        return tables.timestamps(self._first_day, days, (instants - days) * p.SECONDS_PER_DAY)

    def _recorded(self, instants: np.ndarray, day: int) -> pa.Array:
        return self._instants(np.maximum(instants, float(day)))

    def _instant_rows(
        self,
        name: str,
        rows: np.ndarray,
        instants: np.ndarray,
        day: int,
        *,
        purpose: str = "",
        **values: np.ndarray,
    ) -> pa.Table:
        columns: tables.Columns = {
            "customer_id": self._population.named(rows),
            "occurred_at": self._instants(instants),
            "recorded_at": self._recorded(instants, day),
            **values,
        }
        if purpose:
            columns["purpose"] = tables.labels([purpose], np.zeros(len(rows), dtype=np.int64))
        return tables.build(name, columns)

    def _customer_rows(self, rows: np.ndarray, day: int, known: np.ndarray) -> pa.Table:
        people = self._population
        premium = people.premium_from[rows] <= np.maximum(known, float(day))
        start = np.datetime64(self._first_day - timedelta(days=p.LEAD_DAYS), "D")
        return tables.build(
            "customers",
            {
                "customer_id": people.named(rows),
                "signed_up_at": self._instants(people.signed_up[rows]),
                "birth_date": pa.array(start + people.birth_day[rows].astype("timedelta64[D]")),
                "gender": tables.labels(GENDERS, people.gender[rows]),
                "location": tables.labels(p.LOCATIONS, people.location[rows]),
                "time_zone": _time_zones(people, rows),
                "account_type": tables.labels(["free", "premium"], premium.astype(np.int64)),
                **_contact(people.seed, rows),
                "recorded_at": self._recorded(known, day),
            },
        )


class _Consents:
    """Which consents are given at sign-up, and when they are withdrawn."""

    def __init__(self, population: Population) -> None:
        shares = np.array([p.CONSENT_SHARES[purpose] for purpose in CONSENT_PURPOSES])
        draws = generator(population.seed, "consents").random(
            (population.size, 3, len(CONSENT_PURPOSES))
        )
        self.granted = draws[:, 0] < shares
        waits = 1.0 - _WITHDRAWAL_MEAN_DAYS * np.log1p(-draws[:, 1])
        leaves = self.granted & (draws[:, 2] < p.WITHDRAWAL_CHANCE)
        self.withdrawn = np.where(leaves, population.signed_up[:, None] + waits, _NEVER)

    def holds(self, purpose: str, day: int) -> np.ndarray:
        number = CONSENT_PURPOSES.index(purpose)
        held: np.ndarray = self.granted[:, number] & (self.withdrawn[:, number] >= day)
        return held


class _Complaints:
    """Who complains from the first day on, when, of what, and when it is answered."""

    def __init__(self, population: Population) -> None:
        draws = generator(population.seed, "complaints").random((population.size, 4))
        known = np.maximum(population.signed_up, float(p.LEAD_DAYS))
        received = known - _COMPLAINT_MEAN_DAYS * np.log1p(-draws[:, 1])
        self.received = np.where(draws[:, 0] < _COMPLAINING_SHARE, received, _NEVER)
        answer = np.minimum(-_ANSWER_MEAN_DAYS * np.log1p(-draws[:, 2]), _ANSWER_MOST_DAYS)
        # some minutes at least, so that an answer is a later version of its complaint
        self.answered = self.received + np.maximum(answer, 0.01)
        self.kind = np.floor(draws[:, 3] * len(_COMPLAINTS)).astype(np.int64)


def _review_instants(population: Population) -> np.ndarray:
    draws = generator(population.seed, "reviews").random((population.size, 2))
    guilty = population.is_bot | population.is_fraud
    reviewed = draws[:, 0] < np.where(guilty, _CHEATS_REVIEWED, _INNOCENTS_REVIEWED)
    wait = 1.0 - _REVIEW_MEAN_DAYS * np.log1p(-draws[:, 1])
    return np.where(reviewed, population.signed_up + wait, _NEVER)


def _time_zones(people: Population, rows: np.ndarray) -> pa.Array:
    names = [name for zones in p.TIME_ZONES for name in zones]
    zone = people.time_zone[rows]
    code = pa.array(2 * people.location[rows].astype(np.int64) + zone, mask=zone < 0)
    return pa.array(names, pa.string()).take(code)


def _contact(seed: int, rows: np.ndarray) -> tables.Columns:
    """Made-up names and addresses, by the customer's number alone."""
    salt = int(generator(seed, "names").integers(0, 2**31))
    code = (rows.astype(np.uint64) + np.uint64(salt)) * np.uint64(0x9E3779B97F4A7C15)
    code ^= code >> np.uint64(29)
    first_names, last_names = vocabulary.FIRST_NAMES, vocabulary.LAST_NAMES
    first = tables.labels(first_names, (code % np.uint64(len(first_names))).astype(np.int64))
    later = (code >> np.uint64(20)) % np.uint64(len(last_names))
    last = tables.labels(last_names, later.astype(np.int64))
    number = pa.array(rows).cast(pa.string())
    phone = pc.utf8_lpad(number, 7, "0")
    name = pc.utf8_lower(pc.binary_join_element_wise(first, last, "."))
    return {
        "email": pc.binary_join_element_wise(name, number, "@example.com", ""),
        "full_name": pc.binary_join_element_wise(first, last, " "),
        "phone": pc.binary_join_element_wise("+1555", phone, ""),
    }
