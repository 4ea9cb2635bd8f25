"""Who knows whom, and since when.

Belongs here: the latent graph of friendships. Does not belong here: what friends do.

Degrees follow a power law and four of five edges stay within a community (Chung and Lu, 2002, with
blocks). Customers who sign up after the asked range know some who signed up shortly before them and
some of the others.
"""

from dataclasses import dataclass

import numpy as np

from engagement_assets.source.simulator import parameters as p
from engagement_assets.source.simulator.life import LifeCourses
from engagement_assets.source.simulator.population import Population
from engagement_assets.source.simulator.randomness import generator

_INSIDE_COMMUNITY = 0.8
_WAIT_DAYS = 35.0
# Nobody makes a friend so many days after having begun to leave.
_LEAVERS_STOP_AFTER = 10.0
_NEWCOMER_TRIES = 16


@dataclass(frozen=True)
class Friends:
    """The friends of every customer on a day, longest friendship first.

    Attributes:
        start: Where each customer's friends begin in `friend`.
        degree: How many friends each customer has.
        friend: Customers.
    """

    start: np.ndarray
    degree: np.ndarray
    friend: np.ndarray

    def pick(self, customer: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """A friend of each customer, older friends more often; only where there are any."""
        place = np.floor(self.degree[customer] * draws**1.5).astype(np.int64)
        return self.friend[self.start[customer] + place]


class FriendshipGraph:
    """The latent graph; each pair of customers at most once.

    Attributes:
        one: The customer who asked, of each edge.
        other: Who accepted.
        formed: Instant of the world at which the edge forms, unless either has left by then.
    """

    def __init__(self, population: Population, life: LifeCourses) -> None:
        self._population = population
        self._life = life
        pairs = _pairs(population)
        self.one, self.other = pairs[:, 0], pairs[:, 1]
        self.formed = self._formation()
        ends = np.concatenate([self.one, self.other])
        order = np.lexsort((np.tile(self.formed, 2), ends))
        self._end = ends[order]
        self._friend = np.concatenate([self.other, self.one])[order]
        self._since = np.tile(self.formed, 2)[order]
        self._known: tuple[int, Friends] | None = None

    def edges(self, first: int, last: int) -> np.ndarray:
        """Numbers of the edges formed from the start of one day to the end of another."""
        self._life.advance(last)
        gone = self._life.leaving_from + _LEAVERS_STOP_AFTER
        alive = self.formed < np.minimum(gone[self.one], gone[self.other])
        return np.flatnonzero(alive & (self.formed >= first) & (self.formed < last + 1))

    def friends(self, day: int) -> Friends:
        """Friendships formed before a day, of the customers signed up by its end."""
        if self._known is not None and self._known[0] == day:
            return self._known[1]
        self._life.advance(day)
        gone = self._life.leaving_from + _LEAVERS_STOP_AFTER
        have = self._since < day
        have &= self._since < np.minimum(gone[self._end], gone[self._friend])
        degree = np.bincount(self._end[have], minlength=self._population.size)
        start = np.concatenate([[0], np.cumsum(degree)])[:-1]
        friends = Friends(start, degree, self._friend[have])
        self._known = (day, friends)
        return friends

    def _formation(self) -> np.ndarray:
        people = self._population
        pairs = self.one * np.int64(2**31) + self.other
        met = np.maximum(people.signed_up[self.one], people.signed_up[self.other])
        # A draw of the pair, whatever its place in the list: a larger world has more pairs.
        return met + 0.01 - _WAIT_DAYS * np.log(_hashed_uniform(pairs, people.seed))


def _pairs(population: Population) -> np.ndarray:
    founders = _founder_pairs(population)
    later = _newcomer_pairs(population)
    pairs = np.concatenate([founders, later])
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    keys = np.minimum(pairs[:, 0], pairs[:, 1]) * np.int64(2**31) + pairs.max(axis=1)
    _, first = np.unique(keys, return_index=True)
    return pairs[np.sort(first)]


def _founder_pairs(population: Population) -> np.ndarray:
    count = population.founders
    weight = population.sociability[:count]
    number = round(p.EDGES_PER_CUSTOMER * count)
    rng = generator(population.seed, "graph/founders")
    total = np.cumsum(weight)
    asks = np.minimum(np.searchsorted(total, rng.random(number) * total[-1]), count - 1)
    anyone = np.minimum(np.searchsorted(total, rng.random(number) * total[-1]), count - 1)
    community = population.community[:count]
    members = np.argsort(community, kind="stable")
    inside = np.concatenate([[0.0], np.cumsum(weight[members])])
    bounds = np.searchsorted(community[members], np.arange(community.max() + 2))
    low, high = inside[bounds[community[asks]]], inside[bounds[community[asks] + 1]]
    place = np.searchsorted(inside, low + rng.random(number) * (high - low), side="right") - 1
    neighbour = members[np.clip(place, 0, count - 1)]
    near = rng.random(number) < _INSIDE_COMMUNITY
    return np.stack([asks, np.where(near, neighbour, anyone)], axis=1)


def _newcomer_pairs(population: Population) -> np.ndarray:
    founders = population.founders
    newcomers = np.arange(founders, population.size)
    draws = generator(population.seed, "graph/newcomers").random(
        (len(newcomers), 2 * _NEWCOMER_TRIES)
    )
    wanted = p.FRIENDS_FOR_NEWCOMER * population.sociability[founders:] / 2.0
    tries = np.arange(_NEWCOMER_TRIES)[None, :] < wanted[:, None]
    row, column = np.nonzero(tries)
    choose, place = draws[row, column], draws[row, _NEWCOMER_TRIES + column]
    asks = newcomers[row]
    recent = asks - 1 - np.floor(place * np.minimum(2 * p.COMMUNITY_SIZE, asks)).astype(np.int64)
    anyone = np.floor(place * asks).astype(np.int64)
    return np.stack([asks, np.where(choose < _INSIDE_COMMUNITY, recent, anyone)], axis=1)


def _hashed_uniform(keys: np.ndarray, seed: int) -> np.ndarray:
    """A number in (0, 1) for each key (splitmix64, Steele et al. 2014)."""
    salt = generator(seed, "graph/formation").integers(0, 2**63, dtype=np.uint64)
    bits = keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + salt
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return ((bits >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
