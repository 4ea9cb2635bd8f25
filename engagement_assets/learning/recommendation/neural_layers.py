"""The network of neural collaborative filtering with a content tower.

Belongs here: the layers and their training loop. Does not belong here: tables, candidates and lists
(`neural`).
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from engagement_assets.learning.recommendation.data import Floats, Ints

logger = logging.getLogger(__name__)

FUSION = (128, 64, 32, 1)
_FIRST_SCALE = 0.05
_STEPS, _SMALL_STEP, _LARGE_STEP = 300, 1_024, 16_384


class FusionNetwork(nn.Module):
    """Log-odds that a user turns to an item.

    The user's and the item's embeddings and the item's projected content go through an MLP (He et
    al., Neural Collaborative Filtering, WWW 2017). To its output are added an item bias and the
    inner product of the user's embedding with the sum of the item's embedding and content: an MLP
    alone learns inner products badly (Rendle et al., RecSys 2020), and the sum can be computed for
    all items, to pick which deserve the MLP.

    Args:
        users: Number of users.
        items: Number of items.
        content: m x d content of the items; d may be 0.
        width: Width of the embeddings.
        dropout: Share of the MLP's units that is dropped in training.
    """

    def __init__(
        self, *, users: int, items: int, content: Floats, width: int, dropout: float
    ) -> None:
        super().__init__()
        self.user = nn.Embedding(users, width, sparse=True)
        self.item = nn.Embedding(items, width, sparse=True)
        self.bias = nn.Embedding(items, 1, sparse=True)
        for table in (self.user, self.item):
            nn.init.normal_(table.weight, std=_FIRST_SCALE)
        nn.init.zeros_(self.bias.weight)
        self.project = nn.Linear(max(content.shape[1], 1), width)
        self.offset = nn.Parameter(torch.zeros(1))
        layers: list[nn.Module] = []
        before = 3 * width
        for size in FUSION[:-1]:
            layers += [nn.Linear(before, size), nn.ReLU(), nn.Dropout(dropout)]
            before = size
        self.fusion = nn.Sequential(*layers, nn.Linear(before, FUSION[-1]))
        self.content = torch.from_numpy(
            content if content.shape[1] else np.zeros((items, 1), dtype=np.float32)
        )

    def towers(
        self, users: torch.Tensor, items: torch.Tensor, hide: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """User and item embeddings, content and bias; identities where `hide` is 0 are hidden."""
        user = self.user(users) * hide[0][:, None]
        item = self.item(items) * hide[1][:, None]
        bias = self.bias(items)[:, 0] * hide[1]
        return user, item, self.project(self.content[items]), bias

    def forward(
        self, users: torch.Tensor, items: torch.Tensor, hide: tuple[torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        """Log-odds of p pairs."""
        user, item, content, bias = self.towers(users, items, hide)
        fused = self.fusion(torch.cat([user, item, content], dim=1))[:, 0]
        linear = (user * (item + content)).sum(dim=1)
        out: torch.Tensor = fused + linear + bias + self.offset
        return out


@dataclass(kw_only=True, eq=False)
class Training:
    """Settings of the training loop.

    Attributes:
        epochs: Most passes over the pairs.
        batch_size: Pairs and negatives in a step. When None, about 300 steps make an epoch, of
            1,024 to 16,384 rows.
        learning_rate: Of Adam. When None, .001 for steps of 1,024 rows and more for larger ones,
            with the root of their size.
        negatives: Sampled items for each pair, drawn anew each epoch.
        l2: Penalty of the embeddings.
        id_dropout: Share of identities that is hidden in training.
        patience: Stop after so many epochs without a better loss on the pairs set aside.
        random_state: Seed.
    """

    epochs: int = 20
    batch_size: int | None = None
    learning_rate: float | None = None
    negatives: int = 4
    l2: float = 0.0
    id_dropout: float = 0.1
    patience: int = 2
    random_state: int = 0

    def step_size(self, pairs: int) -> tuple[int, float]:
        """Rows of a step and learning rate of a training on so many pairs."""
        rows = self.batch_size
        if rows is None:
            whole = pairs * (1 + self.negatives) // _STEPS
            rows = min(max(whole, _SMALL_STEP), _LARGE_STEP)
        rate = self.learning_rate
        return rows, 0.001 * (rows / _SMALL_STEP) ** 0.5 if rate is None else rate


@dataclass(frozen=True)
class Pairs:
    """Users and items that came together, with a weight of mean 1, and when."""

    user: Ints
    item: Ints
    weight: Floats
    day: NDArray[np.float64]

    def take(self, rows: Any) -> Pairs:
        """Select pairs."""
        return Pairs(self.user[rows], self.item[rows], self.weight[rows], self.day[rows])

    def __len__(self) -> int:
        return len(self.user)


Sampler = Callable[[Pairs, int, np.random.Generator], Ints]


def train(
    network: FusionNetwork, pairs: Pairs, aside: Pairs, sampler: Sampler, how: Training
) -> tuple[int, list[float]]:
    """Minimise the binary cross-entropy of pairs and sampled others.

    Embeddings are moved by Adam for the rows of a batch only (torch's SparseAdam), the rest by
    Adam.

    Args:
        network: Is changed; ends with the weights that did best on `aside`.
        pairs: What is learnt from.
        aside: Pairs not learnt from, by which the number of epochs is chosen; may be empty.
        sampler: Gives s items for each pair that stand for what the user did not choose.
        how: Settings.

    Returns:
        The best number of epochs and the loss on `aside` after each epoch.
    """
    tables = [network.user.weight, network.item.weight, network.bias.weight]
    rest = [p for p in network.parameters() if all(p is not table for table in tables)]
    batch_size, rate = how.step_size(len(pairs))
    optimisers = [torch.optim.SparseAdam(tables, lr=rate), torch.optim.Adam(rest, lr=rate)]
    rng = np.random.default_rng([how.random_state, 1])
    fixed = sampler(aside, how.negatives, np.random.default_rng([how.random_state, 2]))
    losses: list[float] = []
    best, best_weights = np.inf, copy.deepcopy(network.state_dict())
    best_epoch = 0
    for epoch in range(1, how.epochs + 1):
        _one_epoch(network, pairs, sampler, how, optimisers, rng, batch_size)
        losses.append(_loss_of(network, aside, fixed) if len(aside) else float("nan"))
        logger.info("Epoch %d of at most %d: loss %.4f", epoch, how.epochs, losses[-1])
        if not len(aside) or losses[-1] < best:
            best, best_weights, best_epoch = losses[-1], copy.deepcopy(network.state_dict()), epoch
        elif epoch - best_epoch >= how.patience:
            break
    network.load_state_dict(best_weights)
    network.eval()
    return best_epoch, losses


def _one_epoch(
    network: FusionNetwork,
    pairs: Pairs,
    sampler: Sampler,
    how: Training,
    optimisers: list[Any],
    rng: np.random.Generator,
    batch_size: int,
) -> None:
    network.train()
    order = pairs.take(rng.permutation(len(pairs)))
    users, items, labels, weights = _with_negatives(order, sampler(order, how.negatives, rng))
    size = max(1 + how.negatives, batch_size // (1 + how.negatives) * (1 + how.negatives))
    for start in range(0, len(users), size):
        span = slice(start, start + size)
        hide = tuple(
            torch.from_numpy((rng.random(len(users[span])) >= how.id_dropout).astype(np.float32))
            for _ in range(2)
        )
        logit = network(users[span], items[span], hide)
        loss = nn.functional.binary_cross_entropy_with_logits(logit, labels[span], weights[span])
        if how.l2:
            user, item = network.user(users[span]), network.item(items[span])
            loss = loss + how.l2 * (user.pow(2).sum(1) + item.pow(2).sum(1)).mean()
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # torch's own
        for optimiser in optimisers:
            optimiser.step()


def _with_negatives(
    pairs: Pairs, others: Ints
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Each pair followed by its negatives."""
    shown = np.concatenate([pairs.item[:, None], others], axis=1)
    labels = np.zeros(shown.shape, dtype=np.float32)
    labels[:, 0] = 1.0
    weights = np.ones(shown.shape, dtype=np.float32)
    weights[:, 0] = pairs.weight
    users = np.repeat(pairs.user, shown.shape[1])
    flat = (users, shown.ravel(), labels.ravel(), weights.ravel())
    one, two, three, four = (torch.from_numpy(part) for part in flat)
    return one, two, three, four


def _loss_of(network: FusionNetwork, pairs: Pairs, others: Ints) -> float:
    network.eval()
    users, items, labels, weights = _with_negatives(pairs, others)
    seen = (torch.ones(len(users)), torch.ones(len(users)))
    with torch.inference_mode():
        logit = network(users, items, seen)
        return float(nn.functional.binary_cross_entropy_with_logits(logit, labels, weights))
