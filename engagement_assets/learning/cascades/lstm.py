"""Predict a post's reach by a sequence network over its first hours.

Belongs here: the LSTM estimator. Does not belong here: the other methods and the choice among them
(`reach.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from engagement_assets.learning.cascades.cascades import Cascades
from engagement_assets.learning.cascades.estimators import (
    Floats,
    Folder,
    at_least_early,
    learnable,
    read_state,
    split_by_time,
    write_state,
)
from engagement_assets.learning.graph.node_table import NodeTable
from engagement_assets.learning.torch_threads import torch_threads

WEIGHTS_FILE = "network.safetensors"
_HIDDEN = 32
_LEARNING_RATE = 3e-3
_MOST_PASSES = 30
# Passes without progress before it stops.
_PATIENCE = 4
_LARGEST_BATCH = 512
_LEAST_BATCH = 32
# Few posts want small batches, so that a pass over them is enough steps.
_STEPS_A_PASS = 60


class _Network(torch.nn.Module):
    def __init__(self, channels: int, static: int, hidden: int) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(channels, hidden, batch_first=True)
        self.leave = torch.nn.Sequential(
            torch.nn.Linear(hidden + static + 1, hidden),
            torch.nn.ReLU(),
            torch.nn.Linear(hidden, 1),
        )

    def forward(
        self, sequence: torch.Tensor, static: torch.Tensor, early: torch.Tensor
    ) -> torch.Tensor:
        _, (last, _) = self.lstm(sequence)
        # what is learnt is the growth over the early reach
        joined = torch.cat([last[0], static, early[:, None]], dim=1)
        grown: torch.Tensor = early + self.leave(joined)[:, 0]
        return grown


@dataclass(kw_only=True, eq=False)
class LstmReach:
    """A long short-term memory network (Hochreiter and Schmidhuber 1997) over the first hours.

    Its last state and the author's columns give the growth of ln(1 + reach). Training stops when
    the error on the last tenth of the posts, set aside, no longer falls.

    Args:
        random_state: Seed.
        n_jobs: Torch's threads.
    """

    name: ClassVar[str] = "lstm"
    random_state: int = 0
    n_jobs: int = 2

    def fit(self, posts: Cascades) -> Self:
        """Fit to the logarithm of the reach by squared error."""
        known = learnable(posts)
        with torch_threads(self.n_jobs):
            torch.manual_seed(self.random_state)
            self.table_ = NodeTable.fit(known.static)
            self._network = self._make(known.sequence.shape[2])
            self._learn(*split_by_time(known, share=0.1))
        return self

    def _make(self, channels: int) -> _Network:
        return _Network(channels, _width(self.table_), _HIDDEN)

    def _learn(self, learn: Cascades, aside: Cascades) -> None:
        inputs, target = self._tensors(learn), torch.from_numpy(np.log1p(learn.reach)).float()
        checks, truth = self._tensors(aside), torch.from_numpy(np.log1p(aside.reach)).float()
        optimiser = torch.optim.Adam(self._network.parameters(), lr=_LEARNING_RATE)
        rng = np.random.default_rng(self.random_state)
        batch = int(np.clip(len(learn) // _STEPS_A_PASS, _LEAST_BATCH, _LARGEST_BATCH))
        best, best_weights, waited = float("inf"), self._weights(), 0
        for _ in range(_MOST_PASSES):
            self._network.train()
            order = torch.from_numpy(rng.permutation(len(learn)))
            for start in range(0, len(learn), batch):
                rows = order[start : start + batch]
                optimiser.zero_grad()
                predicted = self._network(*(part[rows] for part in inputs))
                loss = torch.nn.functional.mse_loss(predicted, target[rows])
                loss.backward()  # type: ignore[no-untyped-call] # torch's own
                optimiser.step()
            self._network.eval()
            with torch.inference_mode():
                error = float(torch.nn.functional.mse_loss(self._network(*checks), truth))
            waited += 1
            if error < best:
                best, best_weights, waited = error, self._weights(), 0
            if waited >= _PATIENCE:
                break
        self._network.load_state_dict(best_weights)
        self._network.eval()

    def _weights(self) -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in self._network.state_dict().items()}

    def _tensors(self, posts: Cascades) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        sequence: NDArray[np.float32] = np.log1p(posts.sequence)
        return (
            torch.from_numpy(sequence),
            torch.from_numpy(self.table_.transform(posts.static)),
            torch.from_numpy(np.log1p(posts.early_reach)).float(),
        )

    def predict(self, posts: Cascades) -> Floats:
        """The n expected reaches."""
        with torch_threads(self.n_jobs), torch.inference_mode():
            log_reach = self._network(*self._tensors(posts)).double().numpy()
        return at_least_early(posts, log_reach)

    def save(self, folder: Folder) -> None:
        """Write as safetensors and JSON."""
        state = {
            "random_state": self.random_state,
            "table": self.table_.to_dict(),
            "channels": self._network.lstm.input_size,
        }
        write_state(folder, self.name, state)
        (folder / WEIGHTS_FILE).write_bytes(save_tensors(self._weights()))

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read what `save` wrote."""
        state = read_state(folder, cls.name)
        model = cls(random_state=state["random_state"])
        model.table_ = NodeTable.from_dict(state["table"])
        model._network = model._make(state["channels"])
        model._network.load_state_dict(load_tensors((folder / WEIGHTS_FILE).read_bytes()))
        model._network.eval()
        return model


def _width(table: NodeTable) -> int:
    return 2 * len(table.numbers) + sum(len(values) for values in table.categories.values())
