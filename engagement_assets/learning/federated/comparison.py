"""What a federation is compared with: all rows in one place, and each client alone.

Belongs here: those two trainings of the same net. Does not belong here: federated averaging.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from engagement_assets.learning.federated.clients import Clients
from engagement_assets.learning.federated.net import LocalTraining, Vector, VectorNet, small_net

_ROWS_AT_ONCE = 512
# many steps of a logistic regression, for a client has a few rows
_ALONE = LocalTraining(50, 0.5)


def fit_centrally(
    inputs: NDArray[np.float32],
    labels: NDArray[np.float32],
    *,
    hidden: int,
    epochs: int = 15,
    seed: int = 0,
) -> tuple[VectorNet, Vector]:
    """Train the net of a federation on n rows in one place, by Adam; return it and its weights.

    Args:
        inputs: n x d.
        labels: n of 0 and 1.
        hidden: Units of the hidden layer; 0 for logistic regression.
        epochs: Times that all rows are seen.
        seed: Of the first weights and the order of rows.
    """
    net = VectorNet(lambda: small_net(inputs.shape[1], hidden), seed=seed)
    module = small_net(inputs.shape[1], hidden)
    torch.nn.utils.vector_to_parameters(torch.from_numpy(net.first).float(), module.parameters())
    optimiser = torch.optim.Adam(module.parameters(), lr=0.01)
    x, y = torch.from_numpy(inputs), torch.from_numpy(labels)
    order = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(x), generator=order), _ROWS_AT_ONCE):
            optimiser.zero_grad()
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                module(x[rows]).squeeze(1), y[rows]
            )
            torch.autograd.backward(loss)
            optimiser.step()
    weights = torch.nn.utils.parameters_to_vector(module.parameters())
    return net, weights.detach().double().numpy()


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
