"""A world of tastes: people who turn to items by what is popular and by what they like.

The log-odds that a person turns to an item are a sum of the item's appeal, of the product of tastes
and themes, of which few count much and many a little, and of a liking for the series that the item
belongs to. A person turns to as many items as a heavy-tailed draw says, each time to one that is
left, with those chances (Gumbel's order). Nobody's ratings are in it, so it can be as large as is
wished, and the order of the true chances is the most that any method can reach.

Belongs here: the world. Does not belong here: measuring (`recommendation_million`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

THEMES = 24
APPEAL, TASTE, SERIES = 1.3, 2.2, 0.25
OF_A_SERIES = 8
FEWEST = 20
_AT_ONCE = 500


@dataclass(frozen=True)
class Tastes:
    """What people turned to, and the truth.

    Attributes:
        interactions: `user` and `item`, each pair once, in no order.
        log_odds: users x items: how likely each turns to each.
    """

    interactions: pd.DataFrame
    log_odds: np.ndarray


def world_of_tastes(*, users: int, items: int, interactions: int, seed: int) -> Tastes:
    """Draw a world of about so many interactions."""
    rng = np.random.default_rng(seed)
    appeal = APPEAL * rng.standard_normal(items, dtype=np.float32)
    size = 1 / np.sqrt(np.arange(1, THEMES + 1, dtype=np.float32))
    size *= TASTE / np.linalg.norm(size)
    themes = size * rng.standard_normal((items, THEMES), dtype=np.float32)
    tastes = rng.standard_normal((users, THEMES), dtype=np.float32)
    series = rng.integers(0, max(1, items // OF_A_SERIES), items)
    drawn = rng.lognormal(sigma=1.0, size=users)
    count = np.clip(drawn * interactions / drawn.sum(), FEWEST, items // 3).astype(int)
    log_odds = np.empty((users, items), dtype=np.float32)
    chosen = []
    for start in range(0, users, _AT_ONCE):
        span = slice(start, min(start + _AT_ONCE, users))
        liked = rng.standard_normal((len(tastes[span]), series.max() + 1), dtype=np.float32)
        log_odds[span] = appeal + tastes[span] @ themes.T + SERIES * liked[:, series]
        order = np.argsort(rng.gumbel(size=log_odds[span].shape) + log_odds[span], axis=1)[:, ::-1]
        chosen += [row[:most] for row, most in zip(order, count[span], strict=True)]
    rows = pd.DataFrame(
        {"user": np.repeat(np.arange(users), count), "item": np.concatenate(chosen)}
    )
    return Tastes(rows.sample(frac=1.0, random_state=seed, ignore_index=True), log_odds)
