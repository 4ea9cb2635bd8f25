"""Next best actions: taken by chance on customers, they change what the customers do later.

Belongs here: which action is taken in what context, whether it is completed, and what a completed
action does to the use of the days after. Does not belong here: the actions of a plain world, which
change nothing (`campaigns.py`).

Completing depends on the time of day, the last action, the device, the persona and the engagement
history: how much and how deeply the customer uses the app now, and how many friends they have.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from engagement_assets.source.simulator import parameters as p
from engagement_assets.source.simulator import tables
from engagement_assets.source.simulator.campaigns import LAST_ACTIONS, TIMES_OF_DAY
from engagement_assets.source.simulator.causes import Causes
from engagement_assets.source.simulator.life import LifeCourses
from engagement_assets.source.simulator.population import Population, hour_chances
from engagement_assets.source.simulator.randomness import generator

ACTIONS = (
    "post_content",
    "browse_feed",
    "send_message",
    "search_gig",
    "update_profile",
    "invite_friend",
    "do_nothing",
)
_NOTHING = ACTIONS.index("do_nothing")
# What a completed action adds to the log of expected sessions of the day after; it falls to nothing
# over the days that follow.
LIFTS = np.array([0.30, 0.12, 0.25, 0.20, 0.08, 0.35, 0.0])
_LASTS_DAYS = 5
# Log odds of completing the six actions (columns).
_BASE = np.array([-1.0, 0.1, -0.5, -1.3, -0.8, -1.4])
_BY_PERSONA = np.array(
    [
        [0.7, 0.2, 0.2, -0.2, 0.3, 0.5],
        [-0.6, 0.6, -0.3, -0.7, -0.1, -0.4],
        [-0.2, -0.2, -0.1, 1.8, 0.4, -0.1],
        [0.4, 0.0, 0.9, -0.6, 0.1, 0.7],
        [-0.6, -0.1, -0.5, -0.3, -0.4, -0.9],
        [0.0, 0.3, 0.2, -0.2, 0.9, 0.3],
    ]
)
_BY_TIME = np.array(
    [
        [-0.3, 0.4, -0.2, -0.8, -0.4, -0.5],
        [0.0, 0.2, -0.2, 0.7, 0.2, -0.1],
        [0.2, -0.2, 0.1, 0.4, 0.3, 0.2],
        [0.4, 0.4, 0.5, -0.4, -0.1, 0.3],
    ]
)
_BY_DEVICE = np.array(
    [
        [0.1, 0.2, 0.4, -0.3, -0.3, 0.2],
        [0.1, -0.3, -0.3, 0.5, 0.5, -0.1],
        [-0.1, 0.4, 0.0, 0.0, 0.0, 0.0],
    ]
)
_BY_LAST = np.array(
    [
        [-0.3, 0.3, -0.1, 0.1, 0.0, -0.1],
        [0.2, 0.1, 0.2, -0.1, -0.1, 0.1],
        [-0.1, -0.1, 0.4, 0.0, 0.0, 0.4],
        [0.5, -0.2, 0.1, -0.1, 0.1, 0.2],
    ]
)
# By how much, how deeply, and among how many the app is used, each about -1 to 1.
_BY_HISTORY = np.array(
    [
        [0.5, -0.4, 0.2, 0.1, -0.6, 0.4],
        [0.9, -0.5, 0.1, 0.3, 0.1, -0.2],
        [0.0, -0.3, 0.8, -0.3, 0.0, 1.0],
    ]
)
# Log odds with which the logging policy chooses, by time of day and device.
_POLICY = np.array([0.1, 0.5, 0.3, 0.0, -0.2, -0.2, 0.2])
_POLICY_BY_TIME = np.array(
    [
        [-0.2, 0.5, 0.0, -0.5, 0.0, 0.0, 0.3],
        [0.0, 0.2, 0.0, 0.6, 0.2, 0.0, 0.0],
        [0.2, 0.0, 0.1, 0.3, 0.2, 0.2, 0.0],
        [0.3, 0.3, 0.4, -0.3, 0.0, 0.2, 0.0],
    ]
)
_POLICY_BY_DEVICE = np.array(
    [[0.0, 0.2, 0.3, -0.2, -0.2, 0.1, 0.0], [0.2, -0.2, -0.2, 0.4, 0.4, 0.0, 0.0], [0.0] * 7]
)
# What somebody did before, by persona: browsed, interacted, wrote, posted.
LAST_SHARES = np.array(
    [
        [0.30, 0.36, 0.22, 0.12],
        [0.48, 0.36, 0.11, 0.05],
        [0.48, 0.28, 0.17, 0.07],
        [0.26, 0.36, 0.27, 0.11],
        [0.56, 0.28, 0.11, 0.05],
        [0.46, 0.34, 0.14, 0.06],
    ]
)
_CACHED_DAYS = 2 * _LASTS_DAYS
_MOST_A_DAY = 0.5


@dataclass(frozen=True)
class Taken:
    """The actions of a day, by customer."""

    customer: np.ndarray
    seconds: np.ndarray  # seconds of the day
    time_of_day: np.ndarray  # index into `TIMES_OF_DAY`
    device: np.ndarray  # index into `DEVICES`
    last: np.ndarray  # index into `LAST_ACTIONS`
    completion: np.ndarray  # chance that each action would be completed, shape (actions taken, 7)
    propensity: np.ndarray  # chance with which each action was chosen, shape (actions taken, 7)
    action: np.ndarray  # index into `ACTIONS`
    completed: np.ndarray


class NextBestActions:
    """The actions of any day, and what they do to use."""

    def __init__(
        self, population: Population, life: LifeCourses, causes: Causes, held: np.ndarray
    ) -> None:
        self._population = population
        self._life = life
        self._lifts = causes.strength * LIFTS
        self._may = ~(population.is_bot | held)
        # Whole hours by chance, so that looking one up is all it takes.
        steps = (np.arange(1_024) + 0.5) / 1_024
        hours = [np.searchsorted(row, steps) for row in np.cumsum(hour_chances(), axis=1)]
        self._hours = np.minimum(np.stack(hours), 23)
        self._days: OrderedDict[int, Taken] = OrderedDict()

    def factor(self, known: int, day: int) -> np.ndarray | None:
        """What actions multiply the expected sessions of a day with; see `Influence`."""
        since = max(day - _LASTS_DAYS, p.LEAD_DAYS)
        days = range(since, min(known, day - 1) + 1)
        if not days:
            return None
        added = np.zeros(self._population.count(known))
        for earlier in days:
            taken = self.taken(earlier)
            done = np.flatnonzero(taken.completed)
            left = 1.0 - (day - earlier - 1) / _LASTS_DAYS
            # Nobody is acted upon twice in a day.
            added[taken.customer[done]] += left * self._lifts[taken.action[done]]
        factors: np.ndarray = np.exp(added)
        return factors

    def taken(self, day: int) -> Taken:
        """The actions of a day, kept for the days after, which need them."""
        if day not in self._days:
            self._days[day] = self._take(day)
            while len(self._days) > _CACHED_DAYS:
                self._days.popitem(last=False)
        return self._days[day]

    def _take(self, day: int) -> Taken:
        people, life = self._population, self._life
        count = people.count(day - 1)
        rng = generator(people.seed, "nudges", day)
        use = life.usual(day)[:count]
        chance = np.minimum(p.ACTION_CHANCE * use, _MOST_A_DAY)
        customer = np.flatnonzero((rng.random(count) < chance) & self._may[:count])
        size = len(customer)
        draws = rng.random((7, size))
        habit, persona = people.habit[customer], people.persona[customer]
        hour = self._hours[habit, np.floor(draws[0] * self._hours.shape[1]).astype(np.int64)]
        hour = (hour - people.utc_offset[customer]) % 24
        seconds = (hour + draws[1]) * 3_600.0 * (1.0 - 1e-7)
        # Times of day are those of the log, UTC.
        time_of_day = np.floor(seconds / 21_600.0).astype(np.int64)
        device = np.where(
            draws[2] < 0.15,
            np.floor(draws[3] * len(p.DEVICES)).astype(np.int64),
            people.device[customer],
        )
        last = (np.cumsum(LAST_SHARES, axis=1)[persona, :-1] <= draws[4][:, None]).sum(axis=1)
        completion = completion_chances(
            persona, time_of_day, device, last, _history(people, customer, use[customer])
        )
        odds = np.exp(_POLICY + _POLICY_BY_TIME[time_of_day] + _POLICY_BY_DEVICE[device])
        propensity = odds / odds.sum(axis=1, keepdims=True)
        action = (np.cumsum(propensity, axis=1)[:, :-1] <= draws[5][:, None]).sum(axis=1)
        completed = draws[6] < completion[np.arange(size), action]
        return Taken(
            customer,
            seconds,
            time_of_day,
            device,
            last,
            completion,
            propensity,
            action,
            completed,
        )

    def rows(self, day: int, first_day: date) -> pa.Table:
        """The rows of table `action_log` of a day."""
        taken = self.taken(day)
        chosen = np.arange(len(taken.action))
        return tables.build(
            "action_log",
            {
                "action_id": self._ids(day),
                "customer_id": self._population.named(taken.customer),
                "occurred_at": tables.timestamps(first_day, day, taken.seconds),
                "action": tables.labels(ACTIONS, taken.action),
                "propensity": taken.propensity[chosen, taken.action],
                "time_of_day": tables.labels(TIMES_OF_DAY, taken.time_of_day),
                "last_action": tables.labels(LAST_ACTIONS, taken.last),
                "device": tables.labels(p.DEVICES, taken.device),
                "completed": taken.completed,
            },
        )

    def truth(self, day: int) -> pa.Table:
        """What each action would have come to, by the actions that were taken on a day."""
        taken = self.taken(day)
        chances = {
            f"completion_{name}": taken.completion[:, number] for number, name in enumerate(ACTIONS)
        }
        lifts = {
            f"lift_{name}": np.full(len(taken.action), self._lifts[number])
            for number, name in enumerate(ACTIONS)
        }
        return pa.table({"action_id": self._ids(day), **chances, **lifts})

    def _ids(self, day: int) -> pa.Array:
        return tables.numbered_ids(f"x{day}-", len(self.taken(day).action))


def completion_chances(
    persona: np.ndarray,
    time_of_day: np.ndarray,
    device: np.ndarray,
    last: np.ndarray,
    history: np.ndarray,
) -> np.ndarray:
    """Chance that each action would be completed, shape (contexts, actions); 0 for nothing."""
    logit = _BASE + _BY_PERSONA[persona] + _BY_TIME[time_of_day] + _BY_DEVICE[device]
    logit = logit + _BY_LAST[last] + history @ _BY_HISTORY
    chances = np.zeros((len(persona), len(ACTIONS)))
    chances[:, :_NOTHING] = 1.0 / (1.0 + np.exp(-logit))
    return chances


def _history(people: Population, customer: np.ndarray, use: np.ndarray) -> np.ndarray:
    """How much, how deeply, and among how many a customer uses the app, about -1 to 1 each."""
    often = np.clip(np.log(np.maximum(use, 1e-3)), -2.0, 1.5)
    deep = (people.depth[customer] - 2) / 2.0
    many = np.clip(np.log(people.sociability[customer]), -1.0, 2.0)
    return np.stack([often, deep, many], axis=1)
