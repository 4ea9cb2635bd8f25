"""Score rows by a masked autoencoder's error in reconstructing hidden columns.

Belongs here: fitting, scoring, the weights as arrays. Does not belong here: preparing the table
(`preparation.py`).

Method: a denoising autoencoder (Vincent et al., ICML 2008) that is shown a random half of a row's
columns and gives back all of them. A plain autoencoder with room enough learns to copy, and then
copies what is odd as well; here a column is judged by what the others say of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from engagement_assets.learning.anomaly.preparation import Matrix
from engagement_assets.learning.torch_threads import torch_threads

Floats = NDArray[np.float64]

# Width of the two hidden layers; the one between them is half the columns wide, at most half of it.
_HIDDEN = 64
# Of Adam, falling to 0 along a cosine.
_LEARNING_RATE = 2e-3
_HIDDEN_SHARE = 0.5
_NOISE = 0.05
_LARGEST_BATCH = 1024
_LEAST_BATCH = 32
_STEPS_A_PASS = 40
# Few rows get more passes, so that the network has learnt at all.
_LEAST_STEPS = 600
# Pairs of a mask and its opposite, so that every column is hidden equally often.
_MASK_PAIRS = 6
_ROWS_AT_ONCE = 16_384


class MaskedAutoencoder:
    """Reconstructs rows of c scaled columns of which half are hidden.

    It runs on one thread: its steps are too small to share, and so its result is the same on any
    machine's number of cores.

    Args:
        epochs: Passes over the rows; more where that is under 600 steps.
        seed: Seed of the first weights, the order of the rows and the masks.
    """

    def __init__(self, *, epochs: int = 20, seed: int = 0) -> None:
        self.epochs = epochs
        self.seed = seed

    def fit(self, matrix: Matrix) -> Self:
        """Fit to n x c values by the Huber loss, which odd rows in the training do not rule."""
        with torch_threads(1), torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self._network = _network(matrix.shape[1])
            self._learn(torch.from_numpy(matrix))
        return self

    def _learn(self, rows: torch.Tensor) -> None:
        batch = int(np.clip(len(rows) // _STEPS_A_PASS, _LEAST_BATCH, _LARGEST_BATCH))
        a_pass = -(-len(rows) // batch)
        passes = max(self.epochs, -(-_LEAST_STEPS // a_pass))
        optimiser = torch.optim.Adam(self._network.parameters(), lr=_LEARNING_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, passes * a_pass)
        self._network.train()
        for _ in range(passes):
            order = torch.randperm(len(rows))
            for start in range(0, len(rows), batch):
                shown = rows[order[start : start + batch]]
                seen = (torch.rand_like(shown) >= _HIDDEN_SHARE).float()
                noisy = shown + _NOISE * torch.randn_like(shown)
                optimiser.zero_grad()
                loss = torch.nn.functional.huber_loss(
                    self._network(torch.cat([noisy * seen, seen], dim=1)), shown
                )
                loss.backward()  # type: ignore[no-untyped-call] # torch's own
                optimiser.step()
                schedule.step()
        self._network.eval()

    def errors(self, matrix: Matrix) -> Floats:
        """Mean squared error of each of n x c values over masks that hide half of the columns."""
        masks = self._masks(matrix.shape[1])
        out = np.empty(matrix.shape)
        with torch_threads(1), torch.inference_mode():
            for start in range(0, len(matrix), _ROWS_AT_ONCE):
                part = torch.from_numpy(np.ascontiguousarray(matrix[start : start + _ROWS_AT_ONCE]))
                total = torch.zeros_like(part)
                for seen in masks:
                    shown = seen.expand_as(part)
                    reconstructed = self._network(torch.cat([part * shown, shown], dim=1))
                    total += (reconstructed - part) ** 2
                out[start : start + len(part)] = (total / len(masks)).numpy()
        return out

    def _masks(self, columns: int) -> list[torch.Tensor]:
        rng = np.random.default_rng(self.seed)
        masks = []
        for _ in range(_MASK_PAIRS):
            seen = np.zeros(columns, dtype=np.float32)
            seen[rng.permutation(columns)[: columns // 2]] = 1.0
            masks += [torch.from_numpy(seen), torch.from_numpy(1.0 - seen)]
        return masks

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the weights by name."""
        return {name: value.numpy() for name, value in self._network.state_dict().items()}

    def take_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take on the weights that `to_arrays` gave."""
        weights = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
        self._network = _network(weights["5.weight"].shape[0])
        self._network.load_state_dict(weights)
        self._network.eval()
        return self


def _network(columns: int) -> torch.nn.Sequential:
    hidden, narrow = _HIDDEN, max(1, min(_HIDDEN // 2, (columns + 1) // 2))
    return torch.nn.Sequential(
        torch.nn.Linear(2 * columns, hidden),
        torch.nn.ReLU(),
        torch.nn.Linear(hidden, narrow),
        torch.nn.Linear(narrow, hidden),
        torch.nn.ReLU(),
        torch.nn.Linear(hidden, columns),
    )
