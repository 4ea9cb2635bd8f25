"""A linear score of popularity, age, tastes, authors, texts and other recommenders.

Belongs here: the estimator and how its weights are learnt. Does not belong here: the terms
themselves (`terms`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from engagement_assets.learning.recommendation.als import AlsRecommender
from engagement_assets.learning.recommendation.data import Dataset, Floats, Ints
from engagement_assets.learning.recommendation.ease import EaseRecommender
from engagement_assets.learning.recommendation.recommender import Recommender
from engagement_assets.learning.recommendation.rehearsal import (
    SHARE,
    Judge,
    K,
    Rehearsal,
    rehearse,
)
from engagement_assets.learning.recommendation.terms import (
    OfRecommender,
    Term,
    terms,
    weighted_sum,
)

logger = logging.getLogger(__name__)

COMPONENTS: dict[str, type[Recommender]] = {"ease": EaseRecommender, "als": AlsRecommender}
# The terms but the components, as one score.
TERMS = "terms"
# How much of a score may be added to the best one, in standard deviations.
_COUNTS = (0.0, 0.125, 0.25, 0.5, 1.0)
# A part of less than this share of the best one's NDCG is not worth its fits.
_WORTH = 0.25
_PENALTY = 1e-3


@dataclass(kw_only=True, eq=False)
class HybridRecommender(Recommender):
    """Conditional logit of what users turn to next (McFadden 1974), blended with recommenders.

    Some interactions are set aside (`rehearsal.rehearse`) and the terms are made of the others. The
    weights of the terms are those under which each item that was chosen is most likely among
    sampled ones. The scores of the components are then added with the weights that rank best, by
    NDCG on what is set aside: where no sum is better than one component, that one is used alone.
    Then everything is made again of all interactions. A new item has its age, category, author and
    text to speak for it.

    Args:
        half_lives_days: Of the popularity terms.
        components: Which other recommenders are blended in: `ease`, `als`.
        component_parameters: Parameters of each of them; what they leave None is chosen on the same
            interactions.
        holdout_days: The interactions of so many last days are set aside, see
            `rehearsal.rehearse`.
        holdout_share: See there.
        negatives: Other items sampled for each choice.
        max_choices: Only so many choices are learnt from.
        random_state: Seed.

    Attributes:
        terms_: Names of the terms and components.
        weights_: Weight of each.
    """

    kind = "hybrid"
    fewest_items = 1
    scores_new_items = True
    outlives_data = ("chosen_", "weights_", "held_out_")
    half_lives_days: Sequence[float] = (0.5, 2.0, 14.0, 180.0)
    components: Sequence[str] = ("ease", "als")
    component_parameters: dict[str, dict[str, Any]] | None = None
    holdout_days: float | None = None
    holdout_share: float = SHARE
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

    def _choose(self, data: Dataset) -> dict[str, Any]:
        """Choose the components' parameters and all weights."""
        on = rehearse(
            data,
            days=self.holdout_days,
            share=self.holdout_share,
            random_state=self.random_state,
        )
        return self.choose(on)

    def choose(self, on: Rehearsal) -> dict[str, Any]:
        """Choose the components' parameters and all weights on the choices of a rehearsal."""
        self.weights_: dict[str, float] | None = None
        self.held_out_ = {}
        if not on.enough:
            logger.warning(
                "Only %d choices among %d items were set aside to learn weights from: popularity "
                "alone is used", len(on.users), len(on.pool),
            )  # fmt: skip
            return {}
        made = self._terms(on.earlier)
        self.weights_ = self._learn(made, on)
        parameters: dict[str, dict[str, Any]] = {}
        components: list[Term] = []
        for name in self.components:
            given = (self.component_parameters or {}).get(name, {})
            parameters[name] = given | COMPONENTS[name](**given).choose(on)
            components.append(_component(name, parameters[name], on.earlier))
        if components:
            self._blend(made, components, Judge(on))
        return {"component_parameters": parameters}

    def _blend(self, made: list[Term], components: list[Term], judge: Judge) -> None:
        """Add components to the terms with the weights that rank best."""
        learnt = self.weights_ or {}
        scores = {
            TERMS: weighted_sum(made, learnt, judge.users, judge.pool),
            **{
                term.name: weighted_sum([term], {term.name: 1.0}, judge.users, judge.pool)
                for term in components
            },
        }
        scale = {name: float(values.std()) or 1.0 for name, values in scores.items()}
        scaled = {name: values / np.float32(scale[name]) for name, values in scores.items()}
        parts = {name: judge.ndcg(values) for name, values in scaled.items()}
        best = max(parts, key=lambda name: parts[name])
        worth = {name: s for name, s in scaled.items() if parts[name] >= _WORTH * parts[best]}
        counts, value = _climb(worth, best, judge)
        if value > parts[best]:
            logger.info(
                "NDCG@%d of the blend %s on what was set aside: %.4f; of its parts: %s",
                K, counts, value, parts,
            )  # fmt: skip
        else:
            logger.warning(
                "No blend is above %s alone on what was set aside (NDCG@%d %s): it is used",
                best, K, parts,
            )  # fmt: skip
        self.held_out_ = parts | {self.kind: value}
        weights = {name: counts.get(name, 0.0) / scale[name] for name in scale}
        self.weights_ = {name: weight * weights[TERMS] for name, weight in learnt.items()}
        self.weights_ |= {term.name: weights[term.name] for term in components}

    def serves(self, data: Dataset) -> NDArray[np.bool_]:
        """Whoever has interacted with something, or is linked with an author."""
        linked = data.linked()
        served = super().serves(data)
        return served if linked is None else served | (np.diff(linked.indptr) > 0)

    def _fit(self, data: Dataset) -> None:
        """Make the terms and match weights by name; one the data no longer allow counts nothing."""
        self._made = self._terms(data)
        if self.weights_ is None:
            self.weights_ = {self._made[0].name: 1.0}
        parameters = self.chosen_.get("component_parameters", {})
        self._made += [
            _component(name, parameters[name], data)
            for name in self.components
            if self.weights_.get(name)
        ]
        blended = [term.model for term in self._made if isinstance(term, OfRecommender)]
        self.learnt_share_ = min((model.learnt_share_ for model in blended), default=1.0)
        self.terms_ = [term.name for term in self._made]
        gone = sorted(name for name in set(self.weights_) - set(self.terms_) if self.weights_[name])
        if gone:
            logger.warning("The data do not allow the terms %s any more: they count nothing", gone)

    def _terms(self, data: Dataset) -> list[Term]:
        return terms(data, half_lives_days=tuple(self.half_lives_days))

    def _learn(self, made: list[Term], on: Rehearsal) -> dict[str, float]:
        rng = np.random.default_rng([self.random_state, 2])
        users, items, earlier = on.users, on.items, on.earlier
        if len(users) > self.max_choices:
            logger.info("%d of %d choices are learnt from", self.max_choices, len(users))
            some = np.sort(rng.choice(len(users), self.max_choices, replace=False))
            users, items = users[some], items[some]
        others = rng.choice(on.pool, (len(users), self.negatives))
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
        return weighted_sum(self._made, self.weights_ or {}, users, items)


def _component(name: str, parameters: dict[str, Any], data: Dataset) -> Term:
    return OfRecommender(name, COMPONENTS[name](**parameters).fit_dataset(data))


def _climb(scores: Mapping[str, Floats], best: str, judge: Judge) -> tuple[dict[str, float], float]:
    """Add to the best of some scores as much of each other as ranks better, twice around.

    The terms come last and count at most half: with a part of the data set aside popularity says
    more, beside what is learnt of tastes, than it does with all of them.
    """
    counts = dict.fromkeys(scores, 0.0) | {best: 1.0}
    total, value = scores[best], judge.ndcg(scores[best])
    others = sorted((name for name in scores if name != best), key=lambda name: name == TERMS)
    for name in others * 2:
        without = total - np.float32(counts[name]) * scores[name]
        for count in _COUNTS[:-1] if name == TERMS else _COUNTS:
            tried = without + np.float32(count) * scores[name]
            ndcg = judge.ndcg(tried)
            if ndcg > value:
                counts[name], value, total = count, ndcg, tried
    return counts, value


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
