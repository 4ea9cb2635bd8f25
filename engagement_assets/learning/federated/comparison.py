"""What a federation is compared with: all rows in one place, and each client alone.

Belongs here: those two trainings of the same net. Does not belong here: federated averaging.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from engagement_assets.learning.federated.clients import Clients
from engagement_assets.learning.federated.net import LocalTraining, Vector, VectorNet, small_net

_ROWS_AT_ONCE = 512
# Times that all rows are seen at most, and of few rows so many steps.
_EPOCHS, _STEPS = 15, 4_000
# many steps of a logistic regression, for a client has a few rows
_ALONE = LocalTraining(50, 0.5)


def fit_centrally(
    inputs: NDArray[np.float32],
    labels: NDArray[np.float32],
    *,
    hidden: int,
    seed: int = 0,
) -> tuple[VectorNet, Vector]:
    """Train the net of a federation on n rows in one place; return it and its weights.

    By Adam, as long as a fifth of the rows that is held out gains by it, then on all of them.

    Args:
        inputs: n x d.
        labels: n of 0 and 1.
        hidden: Units of the hidden layer; 0 for logistic regression.
        seed: Of the first weights, the order of rows and what is held out.
    """
    net = VectorNet(lambda: small_net(inputs.shape[1], hidden), seed=seed)
    x, y = torch.from_numpy(inputs), torch.from_numpy(labels)
    dealt = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    held_out, learn = dealt[: len(x) // 5], dealt[len(x) // 5 :]
    most = max(_EPOCHS, -(-_STEPS * _ROWS_AT_ONCE // len(learn)))
    with torch.no_grad():
        losses = [
            float(_loss(module, x[held_out], y[held_out]))
            for module in islice(_epochs(net, x[learn], y[learn], hidden, seed), most)
        ]
    chosen = int(np.argmin(losses)) + 1
    *_, module = islice(_epochs(net, x, y, hidden, seed), chosen)
    weights = torch.nn.utils.parameters_to_vector(module.parameters())
    return net, weights.detach().double().numpy()


def _epochs(
    net: VectorNet, x: torch.Tensor, y: torch.Tensor, hidden: int, seed: int
) -> Iterator[torch.nn.Module]:
    """Train from the net's first weights; give it after each time that all rows were seen."""
    module = small_net(x.shape[1], hidden)
    torch.nn.utils.vector_to_parameters(torch.from_numpy(net.first).float(), module.parameters())
    optimiser = torch.optim.Adam(module.parameters(), lr=0.01)
    order = torch.Generator().manual_seed(seed)
    while True:
        for rows in torch.split(torch.randperm(len(x), generator=order), _ROWS_AT_ONCE):
            optimiser.zero_grad()
            with torch.enable_grad():
                torch.autograd.backward(_loss(module, x[rows], y[rows]))
            optimiser.step()
        yield module


def _loss(module: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.binary_cross_entropy_with_logits(module(x).squeeze(1), y)


def alone(
    clients: Clients, later: NDArray[np.float32], owners: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the log-odds of n later rows, each by a logistic regression of its client's rows.

    Args:
        clients: Whose rows are learnt from, each client by itself.
        later: n x d inputs of other rows of theirs.
        owners: n places of their clients.
    """
    net = VectorNet(lambda: small_net(later.shape[1], 0))
    weights = net.updates(np.zeros_like(net.first), clients.batch(owners), _ALONE)
    odds: NDArray[np.float64] = (later * weights[:, :-1]).sum(axis=1) + weights[:, -1]
    return odds
