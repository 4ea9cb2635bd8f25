"""Neural collaborative filtering with a content tower.

Belongs here: the estimator. Does not belong here: layers and training loop (`neural_layers`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from engagement_assets.learning.recommendation.als import AlsRecommender
from engagement_assets.learning.recommendation.data import Dataset, Floats, Ints
from engagement_assets.learning.recommendation.neural_layers import (
    FusionNetwork,
    Pairs,
    Sampler,
    Training,
    train,
)
from engagement_assets.learning.recommendation.recommender import Recommender
from engagement_assets.learning.torch_threads import torch_threads

logger = logging.getLogger(__name__)

_FEWEST_TO_SET_ASIDE = 100
# Scores outside the shortlist are moved below all of those inside.
_BELOW = 1_000.0
_MOST_REDRAWS = 5
# The MLP's layers of so many pairs stay in a processor's cache.
_PAIRS_AT_ONCE = 16_384
# The middle of what ALS itself chooses from.
REGULARISATION, ALPHA = 0.3, 2.0
_MOST_TO_FIT, _WEAK = 50_000, 1e6


@dataclass(kw_only=True, eq=False)
class NeuralRecommender(Training, Recommender):
    """Embeddings of users and items, projected content and an MLP (`neural_layers.FusionNetwork`).

    The content of an item is its text embedding and its category. In training identities are hidden
    now and then (Volkovs et al., DropoutNet, NIPS 2017), so that an item without interactions is
    scored by its content, and a user without interactions like anybody.

    Further parameters are those of the training loop: see `neural_layers.Training`.

    Args:
        width: Width of the embeddings and of the projected content.
        validation_share: Share of the pairs that is set aside to choose the number of epochs.
        dropout: Of the MLP.
        use_weights: Weigh a pair by log(1 + weight), scaled to mean 1.
        pretrained: Start the embeddings from ALS, as He et al. do from a factorisation, instead of
            from random ones; a score of it takes few epochs to learn, and is not lost: where no
            epoch does better on the pairs set aside, it is what ranks.
        max_interactions: Learn from the latest so many interactions.
        shortlist: The MLP ranks so many items of each user that score best without it; all when
            None, which ranks better, and takes a second of a core for about a million pairs of
            user and item.
        n_jobs: Threads; torch's own number when None. The same number gives the same result.

    Attributes:
        epochs_: Epochs after which the loss on the pairs set aside was least; 0 where
            none beat the start.
        losses_: Loss on the pairs set aside before the first and after each epoch; empty when
            too few to set aside.
    """

    kind = "neural"
    scores_new_items = True
    width: int = 64
    validation_share: float = 0.05
    dropout: float = 0.0
    use_weights: bool = True
    pretrained: bool = True
    max_interactions: int | None = None
    shortlist: int | None = None
    n_jobs: int | None = None

    def __post_init__(self) -> None:
        if min(self.width, self.negatives, self.epochs, self.batch_size or 1) < 1:
            raise ValueError("width, negatives, epochs and batch_size must be at least 1")
        if not 0.0 <= self.validation_share < 1.0:
            raise ValueError(f"validation_share must lie in [0, 1), got {self.validation_share}")

    def _fit(self, data: Dataset) -> None:
        learnt = data.limited(days=None, interactions=self.max_interactions)
        pairs, pair_of = _pairs(learnt, use_weights=self.use_weights)
        rng = np.random.default_rng(self.random_state)
        aside = np.zeros(len(pairs), dtype=bool)
        if len(pairs) * self.validation_share >= _FEWEST_TO_SET_ASIDE:
            aside = rng.random(len(pairs)) < self.validation_share
        elif self.validation_share:
            logger.warning(
                "%d pairs are too few to set some aside: all %d epochs are trained",
                len(pairs), self.epochs,
            )  # fmt: skip
        with torch_threads(self.n_jobs), torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            network = self._network_of(data)
            sampler = _sampler(data, pairs)
            if self.pretrained:
                rows = learnt.rows(~aside[pair_of])
                _start(network, rows, pairs.take(aside if aside.any() else ~aside), sampler, self)
            self.epochs_, losses = train(
                network, pairs.take(~aside), pairs.take(aside), sampler, self
            )
        self.losses_ = losses if aside.any() else []
        known = (
            np.bincount(pairs.user, minlength=data.shape[0]) > 0,
            np.bincount(pairs.item, minlength=data.shape[1]) > 0,
        )
        self._prepare_scoring(network, known=known)

    def _network_of(self, data: Dataset) -> FusionNetwork:
        return FusionNetwork(
            users=data.shape[0],
            items=data.shape[1],
            content=_content(data),
            width=self.width,
            dropout=self.dropout,
        )

    def _prepare_scoring(self, network: FusionNetwork, *, known: tuple[Any, Any]) -> None:
        """Compute what scoring needs: identities never seen are zero."""
        w = self.width
        first = network.fusion[0]
        with torch.inference_mode():
            content = network.project(network.content) * float(network.described)
            user = network.user.weight * torch.from_numpy(known[0])[:, None]
            item = network.item.weight * torch.from_numpy(known[1])[:, None]
            bias = network.bias.weight[:, 0] * torch.from_numpy(known[1])
            into = torch.as_tensor(first.weight)
            arrays = {
                "user": user,
                "item": item + content,
                "bias": bias + network.offset,
                # the first layer is a sum of what user and item bring to it
                "user_hidden": user @ into[:, :w].T,
                "item_hidden": item @ into[:, w : 2 * w].T
                + content @ into[:, 2 * w :].T
                + first.bias,
            }
            for i, layer in enumerate(network.fusion):
                if i and isinstance(layer, torch.nn.Linear):
                    arrays[f"layer.{i}.weight"], arrays[f"layer.{i}.bias"] = (
                        layer.weight,
                        layer.bias,
                    )
        self._arrays = {name: array.detach().numpy().copy() for name, array in arrays.items()}

    def score_block(self, users: Ints, items: Ints) -> Floats:
        """Log-odds; those outside a user's shortlist are 1,000 lower and lack the MLP."""
        cached = self._arrays
        out: Floats = cached["user"][users] @ cached["item"][items].T + cached["bias"][items]
        if self.shortlist is None or self.shortlist >= len(items):
            out += self._fused(users, items, None)
            return out
        rows = np.arange(len(users))[:, None]
        columns = torch.topk(torch.from_numpy(out), self.shortlist, dim=1).indices.numpy()
        high = out[rows, columns] + self._fused(users, items, columns)
        out -= _BELOW
        out[rows, columns] = high
        return out

    def _fused(self, users: Ints, items: Ints, columns: Ints | None) -> Floats:
        """The MLP's part for the given columns of each user; of all when None."""
        cached = self._arrays
        layers = sorted({int(n.split(".")[1]) for n in cached if n.startswith("layer.")})
        width = len(items) if columns is None else columns.shape[1]
        out = np.empty((len(users), width), dtype=np.float32)
        at_once = max(1, _PAIRS_AT_ONCE // width)
        with torch.inference_mode():
            item_hidden = torch.from_numpy(cached["item_hidden"][items])
            user_hidden = torch.from_numpy(cached["user_hidden"][users])
            for start in range(0, len(users), at_once):
                span = slice(start, start + at_once)
                of_items = item_hidden[None]
                if columns is not None:
                    of_items = item_hidden[torch.from_numpy(columns[span].copy())]
                x = torch.relu_(of_items + user_hidden[span][:, None, :])
                for layer in layers:
                    x = torch.nn.functional.linear(
                        x,
                        torch.from_numpy(cached[f"layer.{layer}.weight"]),
                        torch.from_numpy(cached[f"layer.{layer}.bias"]),
                    )
                    x = torch.relu_(x) if layer != layers[-1] else x
                out[span] = x[..., 0].numpy()
        return out


def _pairs(data: Dataset, *, use_weights: bool) -> tuple[Pairs, Ints]:
    """Distinct users and items with summed weights and the last time; the pair of each row."""
    width = np.int64(data.shape[1])
    key, place = np.unique(data.user * width + data.item, return_inverse=True)
    weight = np.bincount(place, weights=data.weight)
    day = np.full(len(key), -np.inf)
    np.maximum.at(day, place, data.day)
    tempered = np.log1p(weight) if use_weights else np.ones(len(key))
    weights = (tempered / tempered.mean()).astype(np.float32)
    return Pairs(key // width, key % width, weights, day), place


def _start(
    network: FusionNetwork, data: Dataset, on: Pairs, sampler: Sampler, how: NeuralRecommender
) -> None:
    """Start from ALS: log-odds as a line of its scores and of popularity, by logistic regression.

    Args:
        network: Is changed.
        data: What the factors learn from.
        on: Pairs that the line is fitted to, beside negatives.
        sampler: Draws these.
        how: Settings.
    """
    als = AlsRecommender(
        factors=how.width,
        regularisation=REGULARISATION,
        alpha=ALPHA,
        random_state=how.random_state,
    ).fit_dataset(data)
    popular = np.log1p(data.people()).astype(np.float32)
    rng = np.random.default_rng([how.random_state, 3])
    some = on.take(rng.permutation(len(on))[:_MOST_TO_FIT])
    items = np.concatenate([some.item[:, None], sampler(some, how.negatives, rng)], axis=1)
    scores = np.einsum("pw,psw->ps", als.user_factors_[some.user], als.item_factors_[items])
    positive = np.zeros(items.shape, dtype=bool)
    positive[:, 0] = True
    values = np.stack([scores.ravel(), popular[items].ravel()], axis=1)
    line = LogisticRegression(C=_WEAK).fit(values, positive.ravel())
    weight, count = line.coef_[0]
    if weight <= 0:
        logger.info("ALS says nothing of the pairs set aside: training starts from nothing")
        return
    network.start(
        als.user_factors_, als.item_factors_,
        np.array([weight, count, line.intercept_[0]], dtype=np.float32), popular,
    )  # fmt: skip


def _content(data: Dataset) -> Floats:
    """Text embedding, and category as 0 and 1, of each item."""
    parts = [] if data.vectors is None else [data.vectors]
    if data.categories:
        kind = np.zeros((data.shape[1], len(data.categories) + 1), dtype=np.float32)
        kind[np.arange(len(kind)), data.category] = 1.0
        parts.append(kind[:, :-1])
    if not parts:
        return np.zeros((data.shape[1], 0), dtype=np.float32)
    return np.concatenate(parts, axis=1)


def _sampler(data: Dataset, pairs: Pairs) -> Sampler:
    """Draws items that the user never touched, among those that could be seen at the time.

    Where publication is known, an item could be seen from then on for `candidate_days`.
    """
    width = np.int64(data.shape[1])
    taken = np.sort(pairs.user * width + pairs.item)
    order = np.argsort(data.published, kind="stable").astype(np.int64)
    published = data.published[order]

    def draw(wanted: Pairs, count: int, rng: np.random.Generator) -> Ints:
        high = np.searchsorted(published, wanted.day, side="left")
        low = np.zeros_like(high)
        if data.candidate_days is not None:
            since = wanted.day - data.candidate_days
            low = np.searchsorted(published, since, side="left")
        # never an empty range: then among all
        empty = high - low < 2
        low, high = np.where(empty, 0, low)[:, None], np.where(empty, width, high)[:, None]
        drawn = order[_between(rng, low, high, (len(wanted), count))]
        hit = np.arange(drawn.size)
        flat, user = drawn.ravel(), np.repeat(wanted.user, count)
        low, high = np.repeat(low, count), np.repeat(high, count)
        for _ in range(_MOST_REDRAWS):
            keys = user[hit] * width + flat[hit]
            place = np.minimum(np.searchsorted(taken, keys), len(taken) - 1)
            hit = hit[taken[place] == keys]
            if not len(hit):
                break
            flat[hit] = order[_between(rng, low[hit], high[hit], hit.shape)]
        return drawn

    return draw


def _between(rng: np.random.Generator, low: Ints, high: Ints, shape: tuple[int, ...]) -> Ints:
    return (low + np.floor(rng.random(shape) * (high - low))).astype(np.int64)
