"""A linear score of popularity, age, tastes, authors, texts and other recommenders.

Belongs here: the estimator and how its weights are learnt. Does not belong here: the terms
themselves (`terms`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from engagement_assets.learning.recommendation.als import AlsRecommender
from engagement_assets.learning.recommendation.data import Dataset, Floats, Ints
from engagement_assets.learning.recommendation.ease import EaseRecommender
from engagement_assets.learning.recommendation.recommender import NotFittedError, Recommender
from engagement_assets.learning.recommendation.terms import OfRecommender, Term, terms

logger = logging.getLogger(__name__)

COMPONENTS: dict[str, type[Recommender]] = {"ease": EaseRecommender, "als": AlsRecommender}
_FEWEST_CHOICES = 20
_PENALTY = 1e-3


@dataclass(kw_only=True, eq=False)
class HybridRecommender(Recommender):
    """Conditional logit of what users turn to next (McFadden 1974), over all terms that are known.

    Interactions of the last days are set aside; the terms are made of what came before, and the
    weights are those under which each item that was chosen then is most likely among sampled
    others. Then the terms are made again of everything. A new item has its age, category, author
    and text to speak for it.

    Args:
        half_lives_days: Of the popularity terms.
        components: Which other recommenders' scores are terms: `ease`, `als`.
        component_parameters: Parameters of each of them.
        holdout_days: The weights are learnt on the interactions of so many last days; a random
            `holdout_share` of all interactions when None.
        holdout_share: Share of interactions set aside without `holdout_days`.
        negatives: Other items sampled for each choice.
        max_choices: Only so many choices are learnt from.
        random_state: Seed.

    Attributes:
        terms_: Names of the terms.
        weights_: Weight of each.
    """

    kind = "hybrid"
    fewest_items = 1
    scores_new_items = True
    outlives_data = ("weights_",)
    half_lives_days: Sequence[float] = (0.5, 2.0, 14.0)
    components: Sequence[str] = ()
    component_parameters: dict[str, dict[str, Any]] | None = None
    holdout_days: float | None = 1.0
    holdout_share: float = 0.1
    negatives: int = 50
    max_choices: int = 20_000
    random_state: int = 0

    def __post_init__(self) -> None:
        unknown = sorted(set(self.components) - set(COMPONENTS))
        if unknown:
            raise ValueError(f"unknown components {unknown}; there are {sorted(COMPONENTS)}")
        if not self.half_lives_days or min(self.half_lives_days) <= 0:
            raise ValueError("half_lives_days must be one or more numbers above 0")
        # as they come back from JSON
        self.half_lives_days, self.components = list(self.half_lives_days), list(self.components)

    def _fit(self, data: Dataset) -> None:
        earlier, users, items = self._choices(data)
        pool = earlier.candidates()
        if len(users) < _FEWEST_CHOICES or len(pool) < 2:
            logger.warning(
                "Only %d choices among %d items were set aside to learn weights from: popularity "
                "alone is used", len(users), len(pool),
            )  # fmt: skip
            self.weights_ = None
        else:
            self.weights_ = self._learn(self._make_terms(earlier), users, items, pool, earlier)
        self._remake(data)

    def serves(self, data: Dataset) -> NDArray[np.bool_]:
        """Whoever has interacted with something, or is linked with an author."""
        linked = data.linked()
        served = super().serves(data)
        return served if linked is None else served | (np.diff(linked.indptr) > 0)

    def refresh(self, data: Dataset) -> HybridRecommender:
        """Make the terms of newer data and keep the weights.

        Raises:
            NotFittedError: There are no weights yet.
        """
        if not hasattr(self, "weights_"):
            raise NotFittedError("the hybrid has no weights to keep: call fit first")
        self.data_ = data
        self._remake(data)
        return self

    def _remake(self, data: Dataset) -> None:
        """Make the terms and match weights by name; one the data no longer allow counts nothing."""
        self._made = self._make_terms(data)
        self.terms_ = [term.name for term in self._made]
        if self.weights_ is None:
            self.weights_ = {self.terms_[0]: 1.0}
        gone = sorted(set(self.weights_) - set(self.terms_))
        if gone:
            logger.warning("The data do not allow the terms %s any more: they count nothing", gone)

    def _make_terms(self, data: Dataset) -> list[Term]:
        made = terms(data, half_lives_days=tuple(self.half_lives_days))
        for name in self.components:
            parameters = (self.component_parameters or {}).get(name, {})
            made.append(OfRecommender(name, COMPONENTS[name](**parameters).fit_dataset(data)))
        return made

    def _choices(self, data: Dataset) -> tuple[Dataset, Ints, Ints]:
        """Split off the latest interactions: the earlier ones, and users with their new items."""
        rng = np.random.default_rng([self.random_state, 1])
        if self.holdout_days is not None:
            late = data.day >= data.as_of - self.holdout_days
            earlier = data.before(data.as_of - self.holdout_days)
        else:
            late = rng.random(len(data.user)) < self.holdout_share
            earlier = data.rows(~late)
        width = np.int64(data.shape[1])
        key = np.unique(data.user[late] * width + data.item[late])
        known = np.unique(earlier.user * width + earlier.item)
        key = key[~np.isin(key, known)]
        key = key[np.isin(key % width, earlier.candidates())]
        # Of users without a past only popularity could be learnt.
        key = key[np.isin(key // width, earlier.user)]
        if len(key) > self.max_choices:
            logger.info("%d of %d choices are learnt from", self.max_choices, len(key))
            key = np.sort(rng.choice(key, self.max_choices, replace=False))
        return earlier, key // width, key % width

    def _learn(
        self, made: list[Term], users: Ints, items: Ints, pool: Ints, earlier: Dataset
    ) -> dict[str, float]:
        rng = np.random.default_rng([self.random_state, 2])
        others = rng.choice(pool, (len(users), self.negatives))
        shown = np.concatenate([items[:, None], others], axis=1)
        values = np.stack([term.pairs(users, shown) for term in made], axis=2).astype(np.float64)
        # Not among the choices: what the user had seen, had written, or the chosen item itself.
        owner = np.repeat(users, shown.shape[1])
        seen = np.asarray(earlier.matrix()[owner, shown.ravel()]).reshape(shown.shape) > 0
        own = (earlier.own[users] >= 0)[:, None] & (
            earlier.author[shown] == earlier.own[users][:, None]
        )
        barred = seen | own | (shown == items[:, None])
        barred[:, 0] = False
        scale = values.std(axis=(0, 1))
        scale[scale == 0] = 1.0
        weights = _conditional_logit(values / scale, barred)
        return {
            term.name: float(weight) for term, weight in zip(made, weights / scale, strict=True)
        }

    def score_block(self, users: Ints, items: Ints) -> Floats:
        """The weighted sum of the terms."""
        out = np.zeros((len(users), len(items)), dtype=np.float32)
        for term in self._made:
            weight = (self.weights_ or {}).get(term.name, 0.0)
            if weight:
                term.add(out, users, items, weight)
        return out


def _conditional_logit(values: NDArray[np.float64], barred: NDArray[np.bool_]) -> Any:
    """Weights under which the first of each row's items is most likely the one chosen."""
    block = np.where(barred, -np.inf, 0.0)
    gap = values - values[:, :1]

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        utility = gap @ weights + block
        top = utility.max(axis=1, keepdims=True)
        mass = np.exp(utility - top)
        total = mass.sum(axis=1, keepdims=True)
        value = float((np.log(total) + top).mean())
        slope = np.einsum("ps,psf->f", mass / total, gap) / len(gap)
        return value + _PENALTY * float(weights @ weights), slope + 2 * _PENALTY * weights

    return minimize(loss, np.zeros(values.shape[2]), jac=True, method="L-BFGS-B").x
