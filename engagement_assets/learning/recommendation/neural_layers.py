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
_DENSE_ROWS = 100_000
_RIDGE = 1.0
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
        self.width = width
        # gradients of a batch's rows alone where a table is far larger than a batch
        self.user = nn.Embedding(users, width, sparse=users > _DENSE_ROWS)
        self.item = nn.Embedding(items, width, sparse=items > _DENSE_ROWS)
        self.bias = nn.Embedding(items, 1, sparse=items > _DENSE_ROWS)
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
        self.described = content.shape[1] > 0
        self.content = torch.from_numpy(
            content if content.shape[1] else np.zeros((items, 1), dtype=np.float32)
        )

    def forward(
        self, users: torch.Tensor, items: torch.Tensor, hide: tuple[torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        """Log-odds of p users and s items each, p x s; identities where `hide` is 0 are hidden.

        The user's part of the first layer is worked out once for all s items.
        """
        user = self.user(users) * hide[0][:, None]
        item = self.item(items) * hide[1][..., None]
        bias = self.bias(items)[..., 0] * hide[1]
        first, w = self.fusion[0], self.width
        into = torch.as_tensor(first.weight)
        hidden = (user @ into[:, :w].T + first.bias)[:, None] + item @ into[:, w : 2 * w].T
        if self.described:
            content = self.project(self.content[items])
            hidden = hidden + content @ into[:, 2 * w :].T
            item = item + content
        fused = self.fusion[1:](hidden)[..., 0]
        linear = (item @ user[..., None])[..., 0]
        out: torch.Tensor = fused + linear + bias + self.offset
        return out

    @torch.no_grad()
    def start(self, users: Floats, items: Floats, line: Floats, popular: Floats) -> None:
        """Start from a factorisation: log-odds are a line of its scores and of popularity.

        What content says of the factors is its part of them from the first, by ridge regression.

        Args:
            users: n x width factors.
            items: m x width factors.
            line: Weight of their product, above 0, weight of `popular`, and the constant.
            popular: m values, above 0 where an item is known.
        """
        scale = float(np.sqrt(line[0]))
        own = scale * torch.from_numpy(items)
        self.user.weight.copy_(scale * torch.from_numpy(users))
        self.bias.weight.copy_(torch.from_numpy(line[1] * popular)[:, None])
        self.offset.fill_(float(line[2]))
        for value in (*self.project.parameters(), *self.fusion[-1].parameters()):
            nn.init.zeros_(value)
        if self.described:
            known = self.content[torch.from_numpy(popular > 0)]
            squares = known.T @ known + _RIDGE * torch.eye(known.shape[1])
            of_content = torch.linalg.solve(squares, known.T @ own[torch.from_numpy(popular > 0)])
            self.project.weight.copy_(of_content.T)
            own = own - self.content @ of_content
        self.item.weight.copy_(own)


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

    epochs: int = 10
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

    The moves are Adam's, fused; large tables are moved by it for the rows of a batch only
    (torch's SparseAdam).

    Args:
        network: Is changed; ends with the weights that did best on `aside`.
        pairs: What is learnt from.
        aside: Pairs not learnt from, by which the number of epochs is chosen; may be empty.
        sampler: Gives s items for each pair that stand for what the user did not choose.
        how: Settings.

    Returns:
        The best number of epochs, 0 where none beat the start, and the loss on `aside` before the
        first and after each epoch.
    """
    tables = [table.weight for table in (network.user, network.item, network.bias) if table.sparse]
    rest = [p for p in network.parameters() if all(p is not table for table in tables)]
    batch_size, rate = how.step_size(len(pairs))
    optimisers: list[Any] = [torch.optim.Adam(rest, lr=rate, fused=True)]
    if tables:
        optimisers.append(torch.optim.SparseAdam(tables, lr=rate))
    rng = np.random.default_rng([how.random_state, 1])
    fixed = sampler(aside, how.negatives, np.random.default_rng([how.random_state, 2]))
    losses = [_loss_of(network, aside, fixed) if len(aside) else float("nan")]
    best, best_weights = losses[0], copy.deepcopy(network.state_dict())
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
    shown, weights = _with_negatives(order, sampler(order, how.negatives, rng))
    users = torch.from_numpy(order.user)
    labels = _labels(shown)
    size = max(1, batch_size // shown.shape[1])
    for start in range(0, len(users), size):
        span = slice(start, start + size)
        who, what = users[span], shown[span]
        hide = (_shown_ids(rng, who.shape, how), _shown_ids(rng, what.shape, how))
        loss = nn.functional.binary_cross_entropy_with_logits(
            network(who, what, hide), labels[span], weights[span]
        )
        if how.l2:
            moved = (
                network.user(who).pow(2).sum(-1).mean() + network.item(what).pow(2).sum(-1).mean()
            )
            loss = loss + how.l2 * moved
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # torch's own
        for optimiser in optimisers:
            optimiser.step()


def _shown_ids(rng: np.random.Generator, shape: tuple[int, ...], how: Training) -> torch.Tensor:
    """1 for an identity that is shown, 0 for one that is hidden."""
    return torch.from_numpy((rng.random(shape, dtype=np.float32) >= how.id_dropout).astype("f4"))


def _with_negatives(pairs: Pairs, others: Ints) -> tuple[torch.Tensor, torch.Tensor]:
    """Each pair's item before its negatives, and their weights."""
    shown = np.concatenate([pairs.item[:, None], others], axis=1)
    weights = np.ones(shown.shape, dtype=np.float32)
    weights[:, 0] = pairs.weight
    return torch.from_numpy(shown), torch.from_numpy(weights)


def _labels(shown: torch.Tensor) -> torch.Tensor:
    labels = torch.zeros(shown.shape)
    labels[:, 0] = 1.0
    return labels


def _loss_of(network: FusionNetwork, pairs: Pairs, others: Ints) -> float:
    network.eval()
    shown, weights = _with_negatives(pairs, others)
    users = torch.from_numpy(pairs.user)
    seen = (torch.ones(len(users)), torch.ones(shown.shape))
    with torch.inference_mode():
        logit = network(users, shown, seen)
        return float(nn.functional.binary_cross_entropy_with_logits(logit, _labels(shown), weights))
