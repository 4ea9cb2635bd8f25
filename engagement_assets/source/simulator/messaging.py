"""Messages between customers and notifications to them.

Belongs here: the rows of `messages` and `notifications`. Does not belong here: friendships
(`graph.py`), the words (`text.py`).
"""

from datetime import date

import numpy as np
import pyarrow as pa

from engagement_assets.source.simulator import parameters as p
from engagement_assets.source.simulator import tables, text
from engagement_assets.source.simulator.graph import Friends
from engagement_assets.source.simulator.life import LifeCourses
from engagement_assets.source.simulator.population import Population, hour_chances
from engagement_assets.source.simulator.posts import author_mood
from engagement_assets.source.simulator.randomness import generator
from engagement_assets.source.simulator.sessions import SessionBatch

_REPLY_CHANCE = 0.8
_REPLY_MEDIAN_HOURS = 1.5
_REPLY_SIGMA = 0.9
# How much slower and rarer replies get with the discontent of who wrote, and of who answers.
_REPLY_SENDER, _REPLY_RECIPIENT = 0.5, 0.2
_REPLY_LOSS = 0.25
_REPLY_WITHIN_DAYS = 14.0

_OPEN_PERSONA = np.array([0.1, -0.7, -0.3, -0.1, -1.0, -0.4])
_OPEN_HOUR, _OPEN_DISCONTENT = 0.9, 0.7
OPEN_MEDIAN_MINUTES = 20.0
_UNSUBSCRIBE_MEAN_DAYS = 4_000.0


def message_rows(
    batch: SessionBatch,
    friends: Friends,
    population: Population,
    life: LifeCourses,
    first_day: date,
) -> pa.Table:
    """The rows of table `messages` of a batch of sessions."""
    count = population.count(batch.day)
    session = np.repeat(np.arange(batch.size), batch.messages)
    if count < 2 or len(session) == 0:
        return tables.empty("messages")
    rng = generator(population.seed, "messages", batch.day, int(batch.late))
    seconds = batch.moment(session, rng.random(len(session)))
    sender = batch.customer[session]
    recipient = _recipients(sender, friends, life.remaining(batch.day), count, rng)
    delay, answered = _replies(sender, recipient, population, life, batch.day, rng)
    written = np.flatnonzero(rng.random(len(session)) < p.MESSAGE_TEXT_SHARE)
    mood = author_mood(population, life, batch.day)
    words = text.some_texts(mood[sender], written, rng)
    return tables.build(
        "messages",
        {
            "message_id": tables.numbered_ids(f"m{batch.mark}", len(session)),
            "customer_id": population.named(sender),
            "recipient_id": population.named(recipient),
            "occurred_at": tables.timestamps(first_day, batch.day, seconds),
            "replied_at": tables.timestamps(first_day, batch.day, seconds + delay, answered),
            "text": words,
            "recorded_at": batch.recorded_at(first_day, session, seconds),
        },
    )


def _recipients(
    sender: np.ndarray,
    friends: Friends,
    remaining: np.ndarray,
    count: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """A friend, rather one who is still there; a stranger where there is no friend."""
    draws = rng.random((3, len(sender)))
    recipient: np.ndarray = (sender + 1 + np.floor(draws[2] * (count - 1)).astype(np.int64)) % count
    known = np.flatnonzero(friends.degree[sender] > 0)
    first = friends.pick(sender[known], draws[0, known])
    second = friends.pick(sender[known], draws[1, known])
    recipient[known] = np.where(remaining[first] >= remaining[second], first, second)
    return recipient


def _replies(
    sender: np.ndarray,
    recipient: np.ndarray,
    population: Population,
    life: LifeCourses,
    day: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Seconds until the reply, and whether there is one."""
    discontent = life.discontent(day)
    one, other = discontent[sender], discontent[recipient]
    slower = _REPLY_SENDER * one + _REPLY_RECIPIENT * other
    hours = _REPLY_MEDIAN_HOURS * np.exp(slower + _REPLY_SIGMA * rng.standard_normal(len(sender)))
    chance = _REPLY_CHANCE * np.exp(-_REPLY_LOSS * np.maximum(one, 0.0))
    chance *= life.remaining(day)[recipient] * ~population.is_bot[recipient]
    answered = (rng.random(len(sender)) < chance) & (hours < 24.0 * _REPLY_WITHIN_DAYS)
    return np.maximum(hours * 3_600.0, 5.0), answered


def hour_fit() -> np.ndarray:
    """How well each hour of the day fits each habit, shape (habits, 24), about 0 on average."""
    return np.clip(np.log(24.0 * hour_chances()), -2.0, 1.2)


def open_logit(
    people: Population, discontent: np.ndarray, customer: np.ndarray, fit: np.ndarray
) -> np.ndarray:
    """Log odds with which customers who are there open notifications at hours of some fit."""
    logit: np.ndarray = (
        _OPEN_PERSONA[people.persona[customer]]
        + _OPEN_HOUR * fit
        + p.OCCASIONAL_OPENS * people.is_occasional[customer]
        - _OPEN_DISCONTENT * discontent[customer]
    )
    return logit


class Notifier:
    """Notifications of any day, sent at random hours so that the response to them can be learnt."""

    def __init__(self, population: Population, life: LifeCourses, first_day: date) -> None:
        self._population = population
        self._life = life
        self._first_day = first_day
        draws = generator(population.seed, "unsubscribe").standard_exponential(population.size)
        self._unsubscribes = population.signed_up + 1.0 + _UNSUBSCRIBE_MEAN_DAYS * draws
        self._fit = hour_fit()

    def rows(self, day: int, agreed: np.ndarray) -> pa.Table:
        """The rows of table `notifications` of a day, of those who agreed before it."""
        people = self._population
        count = people.count(day - 1)
        rng = generator(people.seed, "notifications", day)
        last = np.floor(self._unsubscribes[:count])
        self._life.advance(day)
        # Who has begun to leave before no longer cares to unsubscribe.
        stays = self._life.leaving_from[:count] >= last
        leaves_now = (last == day) & stays & agreed[:count]
        may = agreed[:count] & ~((last < day) & stays)
        sent = rng.random(count) < p.NOTIFICATIONS_PER_DAY
        customer = np.flatnonzero(may & (sent | leaves_now))
        if len(customer) == 0:
            return tables.empty("notifications")
        seconds = rng.random(len(customer)) * (p.SECONDS_PER_DAY - 1.0)
        stops = leaves_now[customer]
        opened = (rng.random(len(customer)) < self._chance(day, customer, seconds)) | stops
        wait = 60.0 * OPEN_MEDIAN_MINUTES * np.exp(rng.standard_normal(len(customer)))
        opens = seconds + 1.0 + wait
        return tables.build(
            "notifications",
            {
                "notification_id": tables.numbered_ids(f"n{day}-", len(customer)),
                "customer_id": people.named(customer),
                "occurred_at": tables.timestamps(self._first_day, day, seconds),
                "opened_at": tables.timestamps(self._first_day, day, opens, opened),
                "unsubscribed_at": tables.timestamps(self._first_day, day, opens + 10.0, stops),
            },
        )

    def _chance(self, day: int, customer: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        people = self._population
        hour = np.floor(seconds / 3_600.0).astype(np.int64)
        hour = (hour + people.utc_offset[customer]) % 24
        fit = self._fit[people.habit[customer], hour]
        logit = open_logit(people, self._life.discontent(day), customer, fit)
        there = self._life.remaining(day)[customer] * ~people.is_bot[customer]
        chance: np.ndarray = there / (1.0 + np.exp(-logit))
        return chance
