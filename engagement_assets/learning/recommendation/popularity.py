"""Recommend what is popular now.

Belongs here: time-decayed popularity, overall and by segment. Does not belong here: whom to show it
to (`fallback`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from engagement_assets.learning.recommendation.data import Dataset, Days, Floats, Ints
from engagement_assets.learning.recommendation.recommender import Recommender


def _decayed(data: Dataset, half_life_days: float) -> tuple[Ints, Ints, Days]:
    """User, item and weight of each pair, halved for each half-life that has passed."""
    return data.pairs(data.weight * np.exp2((data.day - data.as_of) / half_life_days))


def popularity(data: Dataset, half_life_days: float) -> Days:
    """Decayed weight of each item, summed over people: one person's repeats count once."""
    _, item, weight = _decayed(data, half_life_days)
    return np.bincount(item, weights=weight, minlength=data.shape[1]).astype(np.float64)


def segment_popularity(data: Dataset, half_life_days: float) -> sp.csr_matrix:
    """Decayed weights summed over people, segments x items."""
    user, item, weight = _decayed(data, half_life_days)
    segment = data.segment[user]
    known = segment >= 0
    made = sp.csr_matrix(
        (weight[known], (segment[known], item[known])),
        shape=(len(data.segments), data.shape[1]),
        dtype=np.float32,
    )
    made.sum_duplicates()
    return made


@dataclass(kw_only=True, eq=False)
class PopularityRecommender(Recommender):
    """The items that most people turned to of late, the same for everybody.

    Args:
        half_life_days: A use counts half after so many days: few for news, many for films. Chosen
            on interactions set aside when None.
    """

    kind = "popularity"
    fewest_items = 0
    grid: ClassVar[Mapping[str, Sequence[float]]] = {
        "half_life_days": (0.25, 1.0, 7.0, 30.0, 180.0, 10_000.0)
    }
    half_life_days: float | None = None

    def __post_init__(self) -> None:
        if self.half_life_days is not None and not self.half_life_days > 0:
            raise ValueError(f"half_life_days must be above 0, got {self.half_life_days}")

    def _fit(self, data: Dataset) -> None:
        self.popularity_ = popularity(data, self.chosen("half_life_days")).astype(np.float32)

    def score_block(self, users: Ints, items: Ints) -> Floats:
        """The popularity of each item, for each user."""
        return np.tile(self.popularity_[items], (len(users), 1))
