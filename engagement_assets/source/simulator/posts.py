"""Posts: who writes them, on what, how good they are and in what mood.

Belongs here: the latent side of posts, cheap enough to make again for earlier days, and their rows.
Does not belong here: the words (`text.py`), who reads them (`interactions.py`).
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from engagement_assets.source.simulator import parameters as p
from engagement_assets.source.simulator import tables, text
from engagement_assets.source.simulator.life import LifeCourses
from engagement_assets.source.simulator.population import Population, category_tastes
from engagement_assets.source.simulator.randomness import generator
from engagement_assets.source.simulator.sessions import SessionBatch

_QUALITY_SIGMA = 1.2
_FAVOURITE = 0.55


@dataclass(frozen=True)
class Posts:
    """The posts of a batch of sessions, in order of time."""

    batch: SessionBatch  # the sessions in which they are written
    session: np.ndarray  # session of each post
    seconds: np.ndarray  # seconds of the day
    author: np.ndarray  # customer
    category: np.ndarray  # index into `CATEGORIES`
    taste: np.ndarray  # place in the space of tastes, shape (posts, `TASTE_DIMENSIONS`)
    quality: np.ndarray  # logarithm of what draws people to it

    def ids(self) -> pa.Array:
        """Post ids."""
        return tables.numbered_ids(f"p{self.batch.mark}", len(self.session))


def write_posts(batch: SessionBatch, population: Population) -> Posts:
    """Make the posts of a batch of sessions."""
    rng = generator(population.seed, "posts", batch.day, int(batch.late))
    session = np.repeat(np.arange(batch.size), batch.posts)
    count = len(session)
    seconds = batch.moment(session, rng.random(count))
    order = np.argsort(seconds, kind="stable")
    session, seconds = session[order], seconds[order]
    author = batch.customer[session]
    category = np.where(
        rng.random(count) < _FAVOURITE,
        population.favourite[author],
        rng.integers(0, len(p.CATEGORIES), count),
    )
    noise = rng.standard_normal((count, p.TASTE_DIMENSIONS), dtype=np.float32)
    taste = (
        1.1 * category_tastes(population.seed)[category]
        + np.float32(0.25) * population.taste[author]
        + np.float32(0.2) * noise
    )
    quality = _QUALITY_SIGMA * rng.standard_normal(count)
    return Posts(batch, session, seconds, author, category, taste, quality)


def post_rows(posts: Posts, population: Population, life: LifeCourses, first_day: date) -> pa.Table:
    """The rows of table `posts`."""
    count = len(posts.session)
    if count == 0:
        return tables.empty("posts")
    batch = posts.batch
    rng = generator(population.seed, "post_text", batch.day, int(batch.late))
    tone = text.tones(author_mood(population, life, batch.day)[posts.author], rng)
    return tables.build(
        "posts",
        {
            "post_id": posts.ids(),
            "customer_id": population.named(posts.author),
            "occurred_at": tables.timestamps(first_day, batch.day, posts.seconds),
            "category": tables.labels(p.CATEGORIES, posts.category),
            "text": text.post_texts(posts.category, tone, rng),
            "recorded_at": batch.recorded_at(first_day, posts.session, posts.seconds),
        },
    )


def author_mood(population: Population, life: LifeCourses, day: int) -> np.ndarray:
    """Mood in which each customer signed up by the end of a day writes; 0 is neutral."""
    discontent = life.discontent(day)
    mood: np.ndarray = (
        p.MOOD[population.persona[: len(discontent)]] - p.MOOD_DISCONTENT * discontent
    )
    return mood
