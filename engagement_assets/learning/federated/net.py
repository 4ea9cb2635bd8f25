"""Small nets that many clients train at once, each from the same weights on its own rows.

Belongs here: weights as one vector, local training of k clients together, clipping. Does not belong
here: who takes part, and what becomes of the updates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from engagement_assets.learning.json_data import JsonData

Vector = NDArray[np.float64]
_CLIENTS_AT_ONCE = 1024


@dataclass(frozen=True)
class LocalTraining(JsonData):
    """What a client does with the weights it is sent.

    Args:
        epochs: Steps of gradient descent, each on all of the client's rows.
        learning_rate: Of the first step and all others.
        proximal: Weight of half the squared distance to the weights sent, which holds clients that
            differ together (FedProx: Li et al., MLSys 2020); 0 for none.
    """

    epochs: int = 10
    learning_rate: float = 0.1
    proximal: float = 0.0


def small_net(inputs: int, hidden: int) -> nn.Module:
    """Return a net of one hidden layer; logistic regression for 0 hidden units."""
    if hidden == 0:
        return nn.Linear(inputs, 1)
    return nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, 1))


class VectorNet:
    """A net of binary labels whose weights are one vector.

    Args:
        make: Returns the net, the same for every call after the same seed.
        seed: Of the first weights.

    Raises:
        ValueError: When a layer mixes the rows of several clients (batch normalisation), which no
            bound of one client's influence survives.
    """

    def __init__(self, make: Callable[[], nn.Module], *, seed: int = 0) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.module = make().eval()
        for layer in self.module.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                raise ValueError(
                    f"{type(layer).__name__} mixes rows of clients: use none, or LayerNorm"
                )
        self.shapes = {name: p.shape for name, p in self.module.named_parameters()}
        self.sizes = [shape.numel() for shape in self.shapes.values()]
        self.first: Vector = (
            torch.cat([p.detach().flatten() for p in self.module.parameters()]).double().numpy()
        )
        self._gradients = vmap(grad(self._loss), in_dims=(0, 0, 0, 0))

    def _weights(self, vector: Tensor) -> dict[str, Tensor]:
        parts = torch.split(vector, self.sizes)
        return {
            name: part.reshape(shape)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def _logits(self, vector: Tensor, inputs: Tensor) -> Tensor:
        out: Tensor = functional_call(self.module, self._weights(vector), (inputs,))
        return out.squeeze(-1)

    def _loss(self, vector: Tensor, inputs: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
        loss = nn.functional.binary_cross_entropy_with_logits(
            self._logits(vector, inputs), labels, reduction="none"
        )
        return (loss * weight).sum() / weight.sum()

    def logits(self, vector: Vector, inputs: NDArray[np.floating]) -> Vector:
        """Return the n log-odds of n x d inputs."""
        with torch.inference_mode():
            weights = torch.from_numpy(vector).float()
            out = self._logits(weights, torch.from_numpy(np.asarray(inputs, dtype=np.float32)))
        return out.double().numpy()

    def updates(
        self,
        sent: Vector,
        batch: tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]],
        local: LocalTraining,
    ) -> NDArray[np.floating]:
        """Return the k x p changes of k clients' weights.

        Args:
            sent: p weights, or k x p where clients begin from weights of their own.
            batch: k x r x d inputs, k x r labels, and k x r weights, 0 where a client has no row;
                of one float type, in which is computed.
            local: What each client does.
        """
        parts = []
        for start in range(0, len(batch[0]), _CLIENTS_AT_ONCE):
            inputs, labels, weight = (
                torch.from_numpy(part[start : start + _CLIENTS_AT_ONCE]) for part in batch
            )
            begin = sent if sent.ndim == 1 else sent[start : start + _CLIENTS_AT_ONCE]
            origin = torch.from_numpy(begin).to(inputs.dtype).expand(len(inputs), -1)
            weights = origin.clone()
            for _ in range(local.epochs):
                step = self._gradients(weights, inputs, labels, weight)
                if local.proximal:
                    step = step + local.proximal * (weights - origin)
                weights = weights - local.learning_rate * step
            parts.append((weights - origin).detach().numpy())
        return np.concatenate(parts)


def clipped(updates: np.ndarray, clip: float) -> tuple[np.ndarray, float]:
    """Return k x p updates no longer than the clip, and the share that was longer."""
    length = np.linalg.norm(updates, axis=1)
    factor = np.minimum(1.0, clip / np.maximum(length, np.finfo(np.float64).tiny))
    return updates * factor[:, None].astype(updates.dtype), float((length > clip).mean())
