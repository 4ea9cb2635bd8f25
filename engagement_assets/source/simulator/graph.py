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
_WAIT_DAYS = 25.0
# Nobody makes a friend so many days after having begun to leave.
_LEAVERS_STOP_AFTER = 10.0
_NEWCOMER_TRIES = 16


@dataclass(frozen=True)
class Friends:
    """The friends of every customer on a day, longest friendship first."""

    start: np.ndarray  # where each customer's friends begin in `friend`
    degree: np.ndarray  # how many friends each customer has
    friend: np.ndarray  # customers

    def pick(self, customer: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """A friend of each customer, older friends more often; only where there are any."""
        place = np.floor(self.degree[customer] * draws**1.5).astype(np.int64)
        friend: np.ndarray = self.friend[self.start[customer] + place]
        return friend


@dataclass(frozen=True)
class _Index:
    """Edges that form before a day, by either end, in order of formation."""

    day: int
    start: np.ndarray
    end: np.ndarray
    friend: np.ndarray
    since: np.ndarray

    def friends(self, day: int) -> Friends:
        degree = np.bincount(self.end[self.since < day], minlength=len(self.start))
        return Friends(self.start, degree, self.friend)


class FriendshipGraph:
    """The latent graph; each pair of customers at most once.

    Attributes:
        one: The customer who asked, of each edge, in order of formation.
        other: Who accepted.
        formed: Instant of the world at which the edge forms, unless either has left by then.
    """

    def __init__(self, population: Population, life: LifeCourses) -> None:
        self._population = population
        self._life = life
        self.one, self.other = _pairs(population)
        formed = self._formation()
        order = np.argsort(formed)
        self.one, self.other, self.formed = self.one[order], self.other[order], formed[order]
        self._index: _Index | None = None
        self._known: dict[int, Friends] = {}

    def edges(self, first: int, last: int) -> np.ndarray:
        """Numbers of the edges formed from the start of one day to the end of another."""
        low, high = np.searchsorted(self.formed, [first, last + 1])
        self._life.advance(last)
        numbers: np.ndarray = low + np.flatnonzero(self._stands(slice(low, high)))
        return numbers

    def friends(self, day: int) -> Friends:
        """Friendships formed before a day, of the customers signed up by its end."""
        if day not in self._known:
            self._life.advance(day)
            if self._index is None or self._index.day < day:
                # What forms later needs a newer look at who has left by then.
                self._index = self._build(day + p.DAYS_PER_WEEK)
            if len(self._known) > 2:
                self._known.pop(min(self._known))
            self._known[day] = self._index.friends(day)
        return self._known[day]

    def _stands(self, edges: slice) -> np.ndarray:
        """Whether edges form: neither end had left long before."""
        gone = self._life.leaving_from + _LEAVERS_STOP_AFTER
        one, other = self.one[edges], self.other[edges]
        stands: np.ndarray = self.formed[edges] < np.minimum(gone[one], gone[other])
        return stands

    def _build(self, day: int) -> "_Index":
        self._life.advance(day)
        high = int(np.searchsorted(self.formed, day))
        standing = np.flatnonzero(self._stands(slice(0, high)))
        one, other = self.one[standing], self.other[standing]
        # Each edge twice, next to itself, so that a stable sort keeps the order of formation.
        end = np.stack([one, other], axis=1).ravel()
        friend = np.stack([other, one], axis=1).ravel()
        since = np.repeat(np.floor(self.formed[standing]).astype(np.int32), 2)
        order = stable_order(end)
        degree = np.bincount(end, minlength=self._population.size)
        start = np.cumsum(degree) - degree
        return _Index(day, start, end[order], friend[order], since[order])

    def _formation(self) -> np.ndarray:
        people = self._population
        pairs = self.one * np.int64(2**31) + self.other
        met = np.maximum(people.signed_up[self.one], people.signed_up[self.other])
        # A draw of the pair, whatever its place in the list: a larger world has more pairs.
        wait = -_WAIT_DAYS * np.log(_hashed_uniform(pairs, people.seed))
        formed: np.ndarray = met + 0.01 + wait
        return formed


def _pairs(population: Population) -> tuple[np.ndarray, np.ndarray]:
    founders, later = _founder_pairs(population), _newcomer_pairs(population)
    one = np.concatenate([founders[0], later[0]])
    other = np.concatenate([founders[1], later[1]])
    apart = one != other
    one, other = one[apart], other[apart]
    keys = np.minimum(one, other) * np.int64(2**31) + np.maximum(one, other)
    _, first = np.unique(keys, return_index=True)
    first.sort()
    return one[first], other[first]


def _founder_pairs(population: Population) -> tuple[np.ndarray, np.ndarray]:
    count = population.founders
    weight = population.sociability[:count]
    rng = generator(population.seed, "graph/founders")
    community = population.community[:count]
    members = np.argsort(community, kind="stable")
    wanted = p.EDGES_PER_CUSTOMER * weight / weight.mean()
    # By community, so that the look-ups below stay close together.
    asks = np.repeat(members, rng.poisson(wanted)[members])
    inside = np.concatenate([[0.0], np.cumsum(weight[members])])
    bounds = np.searchsorted(community[members], np.arange(community.max() + 2))
    low, high = inside[bounds[community[asks]]], inside[bounds[community[asks] + 1]]
    near = rng.random(len(asks)) < _INSIDE_COMMUNITY
    target = rng.random(len(asks)) * np.where(near, high - low, inside[-1])
    place = np.searchsorted(inside, target + np.where(near, low, 0.0), side="right") - 1
    return asks, members[np.clip(place, 0, count - 1)]


def _newcomer_pairs(population: Population) -> tuple[np.ndarray, np.ndarray]:
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
    return asks, np.where(choose < _INSIDE_COMMUNITY, recent, anyone)


def stable_order(keys: np.ndarray) -> np.ndarray:
    """A stable ascending order of keys below 2**32, by radix, which sorts 16 bits at a time."""
    order = np.argsort((keys & 0xFFFF).astype(np.uint16), kind="stable")
    return order[np.argsort((keys[order] >> 16).astype(np.uint16), kind="stable")]


def _hashed_uniform(keys: np.ndarray, seed: int) -> np.ndarray:
    """A number in (0, 1) for each key (splitmix64, Steele et al. 2014)."""
    salt = generator(seed, "graph/formation").integers(0, 2**63, dtype=np.uint64)
    bits = keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + salt
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return ((bits >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
