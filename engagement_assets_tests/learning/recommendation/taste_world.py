"""A small world of tastes that the recommender tests look at."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

CATEGORIES = ("art", "food", "music", "news", "pets", "travel")


@dataclass
class TasteWorld:
    """Customers who like two of six categories each, items with text vectors by category."""

    interactions: pd.DataFrame
    items: pd.DataFrame
    users: pd.DataFrame
    links: pd.DataFrame
    embeddings: pd.DataFrame
    liked: dict[str, set[str]]
    as_of: float

    @property
    def tables(self):
        return {
            "items": self.items,
            "users": self.users,
            "links": self.links,
            "embeddings": self.embeddings,
            "as_of": self.as_of,
        }


def make_world(n_users=240, n_items=180, days=30, seed=0, rate=12):
    rng = np.random.default_rng(seed)
    users = [f"u{n:03d}" for n in range(n_users)]
    items = [f"i{n:03d}" for n in range(n_items)]
    kind = np.arange(n_items) % len(CATEGORIES)
    author = rng.integers(0, n_users, n_items)
    appeal = np.exp(0.7 * rng.standard_normal(n_items))
    vectors = np.eye(len(CATEGORIES), 8)[kind] + 0.1 * rng.standard_normal((n_items, 8))
    taste = {user: {n % 3 * 2, n % 3 * 2 + 1} for n, user in enumerate(users)}
    rows = []
    for n, user in enumerate(users):
        chance = appeal * np.where(np.isin(kind, list(taste[user])), 9.0, 1.0) * (author != n)
        chosen = rng.choice(n_items, rate, replace=False, p=chance / chance.sum())
        rows += [(user, items[i], days * rng.random(), 1.0 + rng.integers(0, 3)) for i in chosen]
    return TasteWorld(
        interactions=pd.DataFrame(rows, columns=["user", "item", "time", "weight"]),
        items=pd.DataFrame(
            {
                "item": items,
                "category": np.array(CATEGORIES)[kind],
                "author": np.array(users)[author],
                "published": -1.0,
            }
        ),
        users=pd.DataFrame({"user": users, "segment": [f"s{n % 3}" for n in range(n_users)]}),
        links=pd.DataFrame({"user": users, "author": np.roll(users, 1)}),
        embeddings=pd.DataFrame(vectors, index=items),
        liked={user: {CATEGORIES[c] for c in actual} for user, actual in taste.items()},
        as_of=float(days),
    )
