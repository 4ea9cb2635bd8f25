"""Recommend to new users and of new items, around any recommender.

Belongs here: the chain from the model over content and the segment's popularity to popularity, and
scores of items that nobody has touched. Does not belong here: the models.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from engagement_assets.learning.recommendation.als import AlsRecommender
from engagement_assets.learning.recommendation.data import Dataset, Floats, Ints
from engagement_assets.learning.recommendation.ease import EaseRecommender
from engagement_assets.learning.recommendation.hybrid import HybridRecommender
from engagement_assets.learning.recommendation.neural import NeuralRecommender
from engagement_assets.learning.recommendation.popularity import (
    PopularityRecommender,
    popularity,
    segment_popularity,
)
from engagement_assets.learning.recommendation.recommender import BY_MODEL, Recommender
from engagement_assets.learning.recommendation.terms import taste_terms

logger = logging.getLogger(__name__)

BY_CONTENT, BY_SEGMENT, BY_POPULARITY = "content", "segment popularity", "popularity"
SOURCES = (BY_MODEL, BY_CONTENT, BY_SEGMENT, BY_POPULARITY)
_MODEL, _CONTENT, _SEGMENT, _POPULAR = range(4)
# So many interactions' worth of everybody's popularity is mixed into a segment's.
_PRIOR = 20.0

ESTIMATORS: dict[str, type[Recommender]] = {
    kind.kind: kind
    for kind in (
        PopularityRecommender,
        EaseRecommender,
        AlsRecommender,
        NeuralRecommender,
        HybridRecommender,
    )
}


@dataclass(eq=False)
class FallbackRecommender(Recommender):
    """A recommender with an answer for everybody.

    A user with enough interactions is served by the model; one with fewer by content (likeness of
    texts, taste for categories, popularity); one with none by what is popular in the segment, mixed
    with what is popular; anybody else, known or not, by what is popular. Where the model does not
    score new items itself, an item without interactions takes the mean score of the items most
    like it: of the nearest by text, else of its category, else of all.

    Args:
        base: The recommender.
        min_history: Distinct items that a user must have interacted with to be served by the model;
            whom the recommender itself says that it `serves` when None.
        min_segment: Users with interactions that a segment must have for its own popularity.
        half_life_days: Of popularity; chosen on interactions set aside when None.
        neighbours: Nearest items by text that stand for a new item.
    """

    kind = "fallback"
    base: Recommender
    _: KW_ONLY
    min_history: int | None = None
    min_segment: int = 50
    half_life_days: float | None = None
    neighbours: int = 10

    def __post_init__(self) -> None:
        if isinstance(self.base, FallbackRecommender):
            raise TypeError("the base is already wrapped in FallbackRecommender")

    def _choose(self, data: Dataset) -> dict[str, Any]:
        return PopularityRecommender(half_life_days=self.half_life_days)._choose(data)

    def _fit(self, data: Dataset) -> None:
        self.base.fit_dataset(data)
        self._prepare(data)

    def refresh(self, data: Dataset) -> Self:
        """Refresh the base and the chain."""
        if not hasattr(self, "chosen_"):
            return self.fit_dataset(data)
        self.base.refresh(data)
        self._prepare(data)
        return self

    def _prepare(self, data: Dataset) -> None:
        # One more user stands for everybody who is not known.
        nobody = np.array([-1], dtype=np.int64)
        self.data_ = replace(
            data,
            users=data.users.append(pd.Index([None], dtype=object)),
            own=np.concatenate([data.own, nobody]),
            segment=np.concatenate([data.segment, nobody]),
        )
        data = self.data_
        half_life = self.chosen("half_life_days")
        self._popularity = popularity(data, half_life)
        self._by_segment = segment_popularity(data, half_life)
        self._tastes = taste_terms(data)
        self._mixed: tuple[Any, sp.csc_matrix] | None = None
        self.stage_ = self._stages(data)
        self._is_new = np.bincount(data.item, minlength=data.shape[1]) == 0
        by_stage = {SOURCES[s]: int((self.stage_[:-1] == s).sum()) for s in range(len(SOURCES))}
        logger.debug("Users by what serves them: %s", by_stage)

    def _stages(self, data: Dataset) -> Ints:
        history = np.diff(data.matrix().indptr)
        active = np.zeros(len(data.segments) + 1, dtype=np.int64)
        np.add.at(active, data.segment[history > 0], 1)
        large = active >= self.min_segment
        large[-1] = False  # of users without a segment
        stage = np.where(large[data.segment], _SEGMENT, _POPULAR)
        stage[(history > 0) & bool(self._tastes)] = _CONTENT
        served = self.base.serves(data) if self.min_history is None else history >= self.min_history
        stage[served] = _MODEL
        stage[-1] = _POPULAR
        return stage

    def score_block(self, users: Ints, items: Ints) -> Floats:
        """Scores by the stage of each user; scores of different users are not comparable."""
        out = np.empty((len(users), len(items)), dtype=np.float32)
        stage = self.stage_[users]
        popular = self._popularity[items].astype(np.float32)
        scorers: tuple[Callable[[Ints, Ints], Floats], ...] = (
            self.base.score_block,
            self._by_content,
            self._of_segment,
            lambda who, _: np.tile(popular, (len(who), 1)),
        )
        for number, score in enumerate(scorers):
            rows = np.flatnonzero(stage == number)
            if len(rows):
                out[rows] = score(users[rows], items)
        native = (stage == _MODEL) & self.base.scores_new_items
        self._impute(out, np.flatnonzero(~native), items)
        return out

    def _by_content(self, users: Ints, items: Ints) -> Floats:
        """The sum of taste terms and the logarithm of popularity, each of deviation 1."""
        logarithm = np.log1p(self._popularity[items])
        out = np.tile((logarithm / (logarithm.std() or 1.0)).astype(np.float32), (len(users), 1))
        for term in self._tastes:
            part = np.zeros_like(out)
            term.add(part, users, items, 1.0)
            out += part / (part.std() or np.float32(1.0))
        return out

    def _of_segment(self, users: Ints, items: Ints) -> Floats:
        overall = self._popularity / (self._popularity.sum() or 1.0)
        segments, place = np.unique(self.data_.segment[users], return_inverse=True)
        counts = self._by_segment[segments][:, items].toarray() + _PRIOR * overall[items]
        return np.asarray(counts[place], dtype=np.float32)

    def _impute(self, scores: Floats, rows: Ints, items: Ints) -> None:
        """Score items that nobody has touched like those that are most like them."""
        new = np.flatnonzero(self._is_new[items])
        old = np.flatnonzero(~self._is_new[items])
        if not len(new) or not len(old) or not len(rows):
            return
        known = scores[rows[:, None], old[None, :]]
        scores[rows[:, None], new[None, :]] = self._by_category(known, items[old], items[new])
        mixture = self._mixture(items[old], items[new])
        imputed = np.flatnonzero(np.diff(mixture.indptr))
        if len(imputed):
            scores[rows[:, None], new[None, imputed]] = known @ mixture[:, imputed]

    def _by_category(self, known: Floats, old: Ints, new: Ints) -> Floats:
        """Mean known score of each new item's category; of all where it has none."""
        category, width = self.data_.category, len(self.data_.categories)
        kind = np.where(category[old] < 0, width, category[old])
        member = sp.csr_matrix(
            (np.ones(len(old), dtype=np.float32), (np.arange(len(old)), kind)),
            shape=(len(old), width + 1),
        )
        size = np.bincount(kind, minlength=width + 1)
        mean = np.tile(known.mean(axis=1, keepdims=True), (1, width + 1))
        there = np.flatnonzero(size[:width])
        mean[:, there] = (known @ member)[:, there] / size[there]
        by_category: Floats = mean[:, np.where(category[new] < 0, width, category[new])]
        return by_category

    def _mixture(self, old: Ints, new: Ints) -> sp.csc_matrix:
        """Which old items stand for each new one with a text, old x new; columns sum to 1 or 0."""
        vectors = self.data_.vectors
        has_text = np.zeros(0, dtype=np.int64)
        if vectors is not None:
            has_text = np.flatnonzero(np.abs(vectors[new]).sum(axis=1))
        key = (old.tobytes(), new.tobytes())
        if vectors is None or not len(has_text):
            return sp.csc_matrix((len(old), len(new)), dtype=np.float32)
        # Blocks of users share their candidates: the neighbours are looked up once.
        if self._mixed is None or self._mixed[0] != key:
            likeness = torch.from_numpy(vectors[new[has_text]]) @ torch.from_numpy(vectors[old]).T
            nearest = torch.topk(likeness, min(self.neighbours, len(old)), dim=1)
            share = np.maximum(nearest.values.numpy(), 0.0)
            column = np.repeat(has_text, share.shape[1])
            made = sp.csc_matrix(
                (share.ravel(), (nearest.indices.numpy().ravel(), column)),
                shape=(len(old), len(new)),
            )
            total = np.asarray(made.sum(axis=0)).ravel()
            made = (made @ sp.diags(np.divide(1.0, total, where=total > 0, out=total))).tocsc()
            made.eliminate_zeros()
            self._mixed = (key, made.astype(np.float32))
        return self._mixed[1]

    def _sources(self, users: Ints, items: Ints) -> NDArray[np.object_]:
        del items
        return np.array(SOURCES, dtype=object)[self.stage_[users]]

    def _user_numbers(self, users: Sequence[Any]) -> Ints:
        wanted = pd.Index(users, dtype=object)
        if wanted.hasnans:
            raise ValueError("a user id is null")
        last = len(self._fitted().users) - 1
        numbers = self.data_.users[:-1].get_indexer(wanted)
        return np.where(numbers < 0, last, numbers).astype(np.int64)

    def get_params(self) -> dict[str, Any]:
        """The constructor's parameters but the base."""
        return {name: value for name, value in super().get_params().items() if name != "base"}

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), "base": self.base._describe()}

    @classmethod
    def _of_description(cls, state: Mapping[str, Any]) -> Self:
        base = ESTIMATORS[state["base"]["kind"]]._of_description(state["base"])
        made = cls(base, **state["parameters"])
        made.chosen_ = state["learnt"]["chosen_"]
        return made
