"""Interactions: which posts customers view, like, comment and share.

Belongs here: the latent-factor choice of posts and the rows of `interactions`. Does not belong
here: the posts themselves (`posts.py`).

Each interaction chooses among a few candidates published before it: popular and recent posts, and
posts of friends. The choice is a random utility (McFadden 1974): taste times post, plus popularity,
plus Gumbel noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from engagement_assets.source.contract import INTERACTION_KINDS
from engagement_assets.source.simulator import parameters as p
from engagement_assets.source.simulator import tables, text
from engagement_assets.source.simulator.graph import Friends, stable_order
from engagement_assets.source.simulator.life import LifeCourses
from engagement_assets.source.simulator.population import Population
from engagement_assets.source.simulator.posts import Posts, author_mood
from engagement_assets.source.simulator.randomness import generator
from engagement_assets.source.simulator.sessions import SessionBatch

_POPULAR_CANDIDATES = 4
_FRIEND_CANDIDATES = 2
_FRIEND_UTILITY = 0.7
_TASTE_UTILITY = 1.1
_QUALITY_UTILITY = 0.3
_FRESH_SECONDS = 50_000.0
_LIKE, _COMMENT, _SHARE = 0.18, 0.02, 0.02


@dataclass(frozen=True)
class Wall:
    """The posts of some days that can be seen, in order of time."""

    # seconds since the start of the day on which they are seen; negative before
    seconds: np.ndarray
    author: np.ndarray  # customer
    taste: np.ndarray  # place in the space of tastes
    quality: np.ndarray  # logarithm of what draws people to it
    reach: np.ndarray  # cumulated weight with which posts are come across, recent ones more
    ids: pa.Array  # post ids
    feed_start: np.ndarray  # where each customer's feed of friends' posts begins in `feed_post`
    feed_size: np.ndarray  # how many posts are in it
    feed_post: np.ndarray  # numbers of posts


def hang(days: Sequence[Posts], day: int, friends: Friends) -> Wall:
    """Put the posts of some days, in order of time, on a wall that is seen on a day."""
    seconds = np.concatenate(
        [posts.seconds + (posts.batch.day - day) * p.SECONDS_PER_DAY for posts in days]
    )
    author = np.concatenate([posts.author for posts in days])
    quality = np.concatenate([posts.quality for posts in days])
    weight = np.exp(quality + seconds / _FRESH_SECONDS)
    degree = friends.degree[author]
    first = np.repeat(friends.start[author] - np.cumsum(degree) + degree, degree)
    owner = friends.friend[first + np.arange(len(first))]
    order = stable_order(owner)
    size = np.bincount(owner, minlength=len(friends.start))
    return Wall(
        seconds=seconds,
        author=author,
        taste=np.concatenate([posts.taste for posts in days]),
        quality=quality,
        reach=np.cumsum(weight),
        ids=pa.concat_arrays([posts.ids() for posts in days]),
        feed_start=np.cumsum(size) - size,
        feed_size=size,
        feed_post=np.repeat(np.arange(len(author)), degree)[order],
    )


def interaction_rows(
    batch: SessionBatch, wall: Wall, population: Population, life: LifeCourses, first_day: date
) -> pa.Table:
    """The rows of table `interactions` of a batch of sessions."""
    rng = generator(population.seed, "interactions", batch.day, int(batch.late))
    session = np.repeat(np.arange(batch.size), batch.interactions)
    seconds = batch.moment(session, rng.random(len(session)))
    # Nothing can be seen before the first post of the wall.
    seen = np.searchsorted(wall.seconds, seconds, side="left")
    keep = seen > 0
    session, seconds, seen = session[keep], seconds[keep], seen[keep]
    customer = batch.customer[session]
    if len(session) == 0:
        return tables.empty("interactions")
    post, liking, there = _choose(wall, customer, seconds, seen, population, rng)
    session, seconds, customer = session[there], seconds[there], customer[there]
    post, liking = post[there], liking[there]
    kind = _kinds(liking, rng)
    comments = np.flatnonzero(kind == INTERACTION_KINDS.index("comment"))
    mood = author_mood(population, life, batch.day)[customer]
    return tables.build(
        "interactions",
        {
            "interaction_id": tables.numbered_ids(f"i{batch.mark}", len(post)),
            "customer_id": population.named(customer),
            "post_id": wall.ids.take(pa.array(post)),
            "kind": tables.labels(INTERACTION_KINDS, kind),
            "occurred_at": tables.timestamps(first_day, batch.day, seconds),
            "text": text.some_texts(mood, comments, rng),
            "recorded_at": batch.recorded_at(first_day, session, seconds),
        },
    )


def _choose(
    wall: Wall,
    customer: np.ndarray,
    seconds: np.ndarray,
    seen: np.ndarray,
    population: Population,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The post of each interaction, how much it is to the customer's taste, and if there is one."""
    shape = (len(customer), _POPULAR_CANDIDATES + _FRIEND_CANDIDATES)
    reached = wall.reach[seen - 1][:, None]
    candidates = np.searchsorted(wall.reach, rng.random(shape) * reached, side="right")
    candidates = np.minimum(candidates, seen[:, None] - 1)
    low, size = wall.feed_start[customer], wall.feed_size[customer]
    place = low[:, None] + np.floor(rng.random((shape[0], _FRIEND_CANDIDATES)) * size[:, None])
    friends = np.zeros(shape, dtype=bool)
    if len(wall.feed_post):
        from_feed = wall.feed_post[np.minimum(place.astype(np.int64), len(wall.feed_post) - 1)]
        usable = (size[:, None] > 0) & (wall.seconds[from_feed] < seconds[:, None])
        friends[:, _POPULAR_CANDIDATES:] = usable
        tail = candidates[:, _POPULAR_CANDIDATES:]
        candidates[:, _POPULAR_CANDIDATES:] = np.where(usable, from_feed, tail)
    match = np.einsum("ijk,ik->ij", wall.taste[candidates], population.taste[customer])
    noise = np.maximum(rng.standard_exponential(shape, np.float32), np.float32(1e-30))
    utility = _TASTE_UTILITY * match + _QUALITY_UTILITY * wall.quality[candidates]
    utility += _FRIEND_UTILITY * friends - np.log(noise)
    own = wall.author[candidates] == customer[:, None]
    utility[own] = -np.inf
    best = np.argmax(utility, axis=1)[:, None]
    chosen = np.take_along_axis(candidates, best, axis=1)[:, 0]
    liking = np.take_along_axis(match, best, axis=1)[:, 0]
    there = ~np.take_along_axis(own, best, axis=1)[:, 0]
    return chosen, liking, there


def _kinds(liking: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    warmth = np.clip(np.exp(0.35 * (liking - 1.0)), 0.4, 2.0)
    draws = rng.random(len(liking)) / warmth
    edges = np.cumsum([_COMMENT, _SHARE, _LIKE])
    order = np.array([2, 3, 1, 0])
    kinds: np.ndarray = order[np.searchsorted(edges, draws, side="right")]
    return kinds
