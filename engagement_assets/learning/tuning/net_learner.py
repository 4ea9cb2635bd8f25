"""A neural net of a table as a learner that is tuned; kept as safetensors.

Belongs here: a table's columns as inputs of a net, its training, and sampled Shapley values. Does
not belong here: the search.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engagement_assets.learning.evaluation.binary import Floats, as_weights
from engagement_assets.learning.torch_threads import torch_threads
from engagement_assets.learning.trees.boosted import Matrix
from engagement_assets.learning.tuning.learners import NET, ROUNDS, Draw, Learner

METHOD = "sampled Shapley values (16 orders of the features, 16 background rows)"
# Levels of a category that have an input of their own; the rarer ones share none.
_LEVELS = 24
_BATCH = 256
# Background rows, each with an order of the features, every second the reverse of the one before
# (Mitchell et al., Journal of Machine Learning Research 23, 2022): the sum of a row's values is
# exact, each value is sampled.
_BACKGROUND = 16
_INPUTS_AT_ONCE = 2_000_000


class NetLearner(Learner):
    """A multilayer perceptron on scaled numbers, flags of nulls, and one input a category."""

    family = NET
    suffix = "safetensors"
    defaults = {  # noqa: RUF012 - declared a ClassVar by the base
        "rounds": 32,
        "width": 64,
        "depth": 2,
        "dropout": 0.1,
        "learning_rate": 0.003,
        "weight_decay": 0.001,
    }

    @classmethod
    def suggest(cls, draw: Draw) -> dict[str, Any]:
        """Draw parameters."""
        return {
            "rounds": draw.whole("rounds", 16, 64, log=True),
            "width": draw.one_of("width", [32, 64, 128]),
            "depth": draw.whole("depth", 1, 3),
            "dropout": draw.number("dropout", 0.0, 0.5),
            "learning_rate": draw.number("learning_rate", 0.0005, 0.01, log=True),
            "weight_decay": draw.number("weight_decay", 0.00001, 0.1, log=True),
        }

    def fit(self, matrix: Matrix, target: Floats, weights: Floats | None = None) -> Self:
        """Learn from n rows; see `Learner.fit`.

        The loss and the scale of the target are weighed. The inputs' scale, which only conditions
        the steps, and the background rows of the reasons are of rows as they are.
        """
        with torch_threads(self.n_jobs), torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self._learn_inputs(matrix, target, weights)
            self._train(self._inputs(torch.from_numpy(matrix)), target, weights)
        return self

    def _learn_inputs(self, matrix: Matrix, target: Floats, weights: Floats | None) -> None:
        known = np.where(np.isnan(matrix).all(axis=0), 0.0, matrix)
        centre = np.nanmedian(known, axis=0)
        spread = np.nanstd(known, axis=0)
        rows = np.random.default_rng(self.seed).permutation(len(matrix))[:_BACKGROUND]
        location, scale = 0.0, 1.0
        if not self.logistic:
            location = float(np.average(target, weights=weights))
            scale = float(np.sqrt(np.average((target - location) ** 2, weights=weights)))
        self.state: dict[str, Tensor] = {
            "centre": torch.tensor(centre, dtype=torch.float32),
            "spread": torch.tensor(np.where(spread > 0, spread, 1.0), dtype=torch.float32),
            "background": torch.tensor(matrix[rows], dtype=torch.float32),
            "location": torch.tensor(float(location), dtype=torch.float64),
            "scale": torch.tensor(float(scale), dtype=torch.float64),
        }

    def _inputs(self, matrix: Tensor) -> Tensor:
        """Return n x d inputs of the net."""
        null = torch.isnan(matrix)
        scaled = ((matrix - self.state["centre"]) / self.state["spread"]).clamp(-5.0, 5.0)
        numbers = [i for i in range(matrix.shape[1]) if i not in set(self.categories)]
        parts = [torch.where(null, 0.0, scaled)[:, numbers], null.float()]
        if self.categories:
            ranks = torch.where(null, -1.0, matrix)[:, self.categories]
            levels = torch.arange(_LEVELS, dtype=torch.float32)
            parts.append((ranks.unsqueeze(2) == levels).float().flatten(1))
        return torch.cat(parts, dim=1)

    def _net(self, inputs: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        width = int(self.parameters["width"])
        for _ in range(int(self.parameters["depth"])):
            layers += [nn.Linear(inputs, width), nn.SiLU()]
            layers.append(nn.Dropout(float(self.parameters["dropout"])))
            inputs = width
        return nn.Sequential(*layers, nn.Linear(inputs, 1))

    def _train(self, inputs: Tensor, target: Floats, weights: Floats | None) -> None:
        scaled = (target - float(self.state["location"])) / float(self.state["scale"])
        goal = torch.tensor(scaled, dtype=torch.float32)
        weighs = torch.tensor(as_weights(weights, rows=len(goal)), dtype=torch.float32)
        net = self._net(inputs.shape[1])
        how = {name: float(self.parameters[name]) for name in ("learning_rate", "weight_decay")}
        optimiser = torch.optim.AdamW(
            net.parameters(), lr=how["learning_rate"], weight_decay=how["weight_decay"]
        )
        epochs, batch = int(self.parameters[ROUNDS]), min(_BATCH, max(16, len(goal) // 8))
        loss = nn.functional.binary_cross_entropy_with_logits
        measure = loss if self.logistic else nn.functional.mse_loss
        plan = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
        for _ in range(epochs):
            for rows in torch.split(torch.randperm(len(goal)), batch):
                optimiser.zero_grad()
                losses = measure(net(inputs[rows]).squeeze(1), goal[rows], reduction="none")
                torch.autograd.backward((weighs[rows] * losses).mean())
                optimiser.step()
            plan.step()
        self.net = net.eval()

    def stages(self) -> list[int]:
        """Return all epochs: the steps shrink towards the last, so fewer are another training."""
        return [int(self.parameters[ROUNDS])]

    def margin(self, matrix: Matrix, *, rounds: int | None = None) -> Floats:  # noqa: ARG002 - one stage
        """Return n margins after all epochs."""
        with torch_threads(self.n_jobs):
            return self._margin(torch.from_numpy(matrix)).numpy()

    def _margin(self, matrix: Tensor) -> Tensor:
        with torch.inference_mode():
            out: Tensor = self.net(self._inputs(matrix)).squeeze(1).double()
        return out * self.state["scale"] + self.state["location"]

    def contributions(self, matrix: Matrix) -> tuple[NDArray[np.float32], float, str]:
        """Return sampled Shapley values against background rows; each row's sum is exact."""
        features = matrix.shape[1]
        rng = np.random.default_rng(self.seed)
        orders: list[NDArray[np.intp]] = []
        for place in range(len(self.state["background"])):
            orders.append(orders[-1][::-1].copy() if place % 2 else rng.permutation(features))
        values = np.zeros(matrix.shape)
        size = max(1, _INPUTS_AT_ONCE // (features + 1) ** 2)
        with torch_threads(self.n_jobs):
            for background, order in zip(self.state["background"], orders, strict=True):
                for start in range(0, len(matrix), size):
                    rows = torch.from_numpy(matrix[start : start + size])
                    values[start : start + size] += self._along(rows, background, order)
            base = float(self._margin(self.state["background"]).mean())
        return (values / len(orders)).astype(np.float32), base, METHOD

    def _along(self, rows: Tensor, background: Tensor, order: NDArray[np.intp]) -> Floats:
        """Return what each feature adds when features of rows come to a background in order."""
        place = torch.empty(len(order), dtype=torch.long)
        place[torch.from_numpy(order)] = torch.arange(len(order))
        # after k steps those features are the row's that are among the first k of the order
        there = place < torch.arange(len(order) + 1).unsqueeze(1)
        path = torch.where(there, rows.unsqueeze(1), background)
        margins = self._margin(path.flatten(0, 1)).reshape(len(rows), len(order) + 1)
        added: Floats = margins.diff(dim=1)[:, place].numpy()
        return added

    def to_bytes(self) -> bytes:
        """Return weights and what the inputs are made by, in safetensors."""
        net = self.net.state_dict()
        tensors = self.state | {f"net.{name}": tensor for name, tensor in net.items()}
        content: bytes = safetensors.torch.save({k: v.contiguous() for k, v in tensors.items()})
        return content

    def restore(self, content: bytes) -> Self:
        """Take back weights and inputs."""
        tensors = safetensors.torch.load(content)
        self.state = {k: v for k, v in tensors.items() if not k.startswith("net.")}
        weights = {k.removeprefix("net."): v for k, v in tensors.items() if k.startswith("net.")}
        net = self._net(weights["0.weight"].shape[1])
        net.load_state_dict(weights)
        self.net = net.eval()
        return self
