"""GraphSAGE: a node's label from its own features and its neighbours'.

Belongs here: the estimators, for any table of node features and any graph. Does not belong here:
which labels and snapshots are learnt (`engagement_assets.models.graph_engagement`).
"""

# ruff: noqa: N803 - X is scikit-learn's name for a table of features

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.graph.graph import SocialGraph
from engagement_assets.learning.graph.node_table import NodeTable
from engagement_assets.learning.json_data import naming
from engagement_assets.learning.torch_threads import torch_threads

if TYPE_CHECKING:
    from upath import UPath

logger = logging.getLogger(__name__)

FORMAT = "graphsage/1"
WEIGHTS_FILE = "network.safetensors"
STATE_FILE = "graphsage.json"
_LEAST_LABELS = 10
_REPORT_EPOCHS = 30
# Looking at the nodes set aside costs a third of a step.
_CHECK_EPOCHS = 3


@dataclass(frozen=True)
class _Neighbours:
    """The neighbours of each node, in both directions, node by node.

    Attributes:
        ids: Rows of the neighbours of the first node, then of the second, and so on.
        starts: Where each of the n nodes' neighbours begin in `ids`.
        share: n x 1: one through the number of neighbours, 1 for a node without any.
    """

    ids: torch.Tensor
    starts: torch.Tensor
    share: torch.Tensor

    @classmethod
    def of(cls, edges: NDArray[np.int64], n: int) -> _Neighbours:
        """From a 2 x 2m array of both directions of every edge among n nodes."""
        order = np.lexsort((edges[1], edges[0]))
        degree = np.bincount(edges[0], minlength=n)
        share = (1 / np.maximum(degree, 1)).astype(np.float32)
        return cls(
            torch.from_numpy(edges[1][order]),
            torch.from_numpy(np.cumsum(degree) - degree),
            torch.from_numpy(share)[:, None],
        )

    def sums(self, state: torch.Tensor) -> torch.Tensor:
        """The n x d sums over each node's neighbours of n x d numbers; zero without any."""
        return torch.nn.functional.embedding_bag(
            self.ids, state.contiguous(), self.starts, mode="sum"
        )


class _MeanOfNeighbours(torch.autograd.Function):
    """The mean over each node's neighbours.

    Edges run both ways, so the gradient is a sum over the same neighbours: nothing is scattered
    and no message is laid out by edge, which is what costs time in a general graph layer.
    """

    @staticmethod
    def forward(ctx: Any, state: torch.Tensor, near: _Neighbours) -> torch.Tensor:
        """The means, n x d."""
        ctx.near = near
        return near.sums(state) * near.share

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        """The gradient of the n x d numbers, and none of the graph."""
        near = ctx.near
        return near.sums(gradients[0] * near.share), None


class _Layer(torch.nn.Module):
    """One GraphSAGE layer: a linear map of the neighbours' mean and one of the node itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lin_l = torch.nn.Linear(width, width)
        self.lin_r = torch.nn.Linear(width, width, bias=False)

    def forward(self, state: torch.Tensor, near: _Neighbours) -> torch.Tensor:
        mean = _MeanOfNeighbours.apply(state, near)  # type: ignore[no-untyped-call] # torch's own
        output: torch.Tensor = self.lin_l(mean) + self.lin_r(state)
        return output


class _Network(torch.nn.Module):
    """Layers that join a node with the mean of its neighbours, or with nobody."""

    def __init__(self, inputs: int, hidden: int, outputs: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.enter = torch.nn.Linear(inputs, hidden)
        self.layers = torch.nn.ModuleList(_Layer(hidden) for _ in range(layers))
        self.leave = torch.nn.Linear(hidden * (layers + 1), outputs)
        self.dropout = torch.nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, near: _Neighbours) -> torch.Tensor:
        state = torch.relu(self.enter(x))
        states = [state]
        for layer in self.layers:
            # each layer adds to what it was given: a graph that says nothing can be passed over
            state = state + self.dropout(torch.relu(layer(state, near)))
            states.append(state)
        output: torch.Tensor = self.leave(self.dropout(torch.cat(states, dim=1)))
        return output


@dataclass(kw_only=True, eq=False, repr=False)
class _GraphSage(BaseEstimator):
    """Base of the regressor and the classifier.

    GraphSAGE (Hamilton, Ying and Leskovec 2017) with mean aggregation, all nodes at once, jumping
    knowledge (Xu et al. 2018). It is inductive: fitted on one graph and table it predicts on
    another. Training stops when the loss on a tenth of the labelled nodes, set aside, no longer
    falls.

    Args:
        hidden: Width of a layer.
        layers: Hops that a node looks.
        dropout: Share of the units left out at a step.
        learning_rate: Of Adam.
        epochs: Most steps over all nodes.
        patience: Steps without progress before it stops.
        weight_decay: L2 penalty.
        use_graph: Without it the same network sees every node alone; to know what the graph adds.
        random_state: Seed.
        n_jobs: Torch's threads while it works; those of the process when None.

    Attributes:
        feature_names_in_: The f feature names in order.
        n_features_in_: Their number.
        table_: How the features become numbers.
        epochs_: Steps after which the loss on the nodes set aside was least.
        validation_loss_: Its loss on the nodes set aside.
    """

    _learnt: ClassVar[tuple[str, ...]]
    _n_outputs: ClassVar[int]

    hidden: int = 64
    layers: int = 2
    dropout: float = 0.2
    learning_rate: float = 0.01
    epochs: int = 120
    patience: int = 15
    weight_decay: float = 1e-4
    use_graph: bool = True
    random_state: int = 0
    n_jobs: int | None = None

    def _name_features(self, names: list[str]) -> None:
        self.feature_names_in_ = np.array(names, dtype=object)
        self.n_features_in_ = len(names)

    def fit(self, X: pd.DataFrame, y: ArrayLike, *, graph: SocialGraph) -> Self:
        """Learn from the nodes that have a label.

        Args:
            X: n rows of numbers, booleans, text or categories, indexed by node id. A row of no node
                of the graph is a node without neighbours; a node of the graph without a row is
                left out with its edges.
            y: n labels; null where a node's is not known, which still lends its features.
            graph: Who is connected.

        Raises:
            ValueError: Fewer than 10 labels, an id that comes twice, or lengths that differ.
            NodeTableError: A column cannot be used.
        """
        labels = np.asarray(y)
        if len(labels) != len(X):
            raise ValueError(f"X has {len(X)} rows but y has {len(labels)} labels")
        known = np.flatnonzero(~pd.isna(labels))
        if len(known) < _LEAST_LABELS:
            raise TooLittleDataError(f"{len(known)} labels: at least {_LEAST_LABELS} are needed")
        with torch_threads(self.n_jobs):
            torch.manual_seed(self.random_state)
            self.table_ = NodeTable.fit(X)
            self._name_features(list(map(str, X.columns)))
            x = torch.from_numpy(self.table_.transform(X))
            near = self._neighbours(X, graph)
            target = self._targets(labels[known])
            self._network = self._make(x.shape[1])
            self._learn(x, near, torch.from_numpy(known), target)
        return self

    def _learn(
        self, x: torch.Tensor, near: _Neighbours, known: torch.Tensor, target: torch.Tensor
    ) -> None:
        order = torch.from_numpy(np.random.default_rng(self.random_state).permutation(len(known)))
        aside = order[: max(1, len(known) // 10)]
        learn = order[len(aside) :]
        network = self._network
        optimiser = torch.optim.Adam(
            network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        best, best_weights, waited = float("inf"), _copy(network), 0
        self.epochs_ = 0
        for epoch in range(1, self.epochs + 1):
            network.train()
            optimiser.zero_grad()
            loss = self._loss(network(x, near)[known[learn]], target[learn])
            loss.backward()  # type: ignore[no-untyped-call] # torch's own
            optimiser.step()
            if epoch % _CHECK_EPOCHS:
                continue
            network.eval()
            with torch.inference_mode():
                seen = float(self._loss(network(x, near)[known[aside]], target[aside]))
            if seen < best:
                best, best_weights, waited, self.epochs_ = seen, _copy(network), 0, epoch
            else:
                waited += _CHECK_EPOCHS
            if epoch % _REPORT_EPOCHS == 0:
                logger.info("GraphSAGE: epoch %d, loss on nodes set aside %.4f", epoch, seen)
            if waited >= self.patience:
                break
        network.load_state_dict(best_weights)
        network.eval()
        self.validation_loss_ = best

    def _outputs(self, X: pd.DataFrame, graph: SocialGraph) -> NDArray[np.float64]:
        check_is_fitted(self, "table_")
        with torch_threads(self.n_jobs), torch.inference_mode():
            x = torch.from_numpy(self.table_.transform(X))
            outputs: NDArray[np.float64] = (
                self._network(x, self._neighbours(X, graph)).double().numpy()
            )
        return outputs

    def _neighbours(self, X: pd.DataFrame, graph: SocialGraph) -> _Neighbours:
        """The graph among the rows of X."""
        if X.index.has_duplicates:
            raise ValueError("a node id comes twice in the index of X")
        if not self.use_graph:
            return _Neighbours.of(np.zeros((2, 0), dtype=np.int64), len(X))
        row_of = pd.Index(X.index).get_indexer(pd.Index(graph.nodes))
        edges = row_of[graph.edge_index()]
        return _Neighbours.of(edges[:, (edges >= 0).all(axis=0)].astype(np.int64), len(X))

    def _make(self, inputs: int) -> _Network:
        return _Network(inputs, self.hidden, self._n_outputs, self.layers, self.dropout)

    def _targets(self, labels: NDArray[Any]) -> torch.Tensor:
        raise NotImplementedError

    def _loss(self, outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def save(self, folder: Path | UPath) -> None:
        """Write the fitted estimator as data: safetensors and JSON."""
        check_is_fitted(self, "table_")
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "format": FORMAT,
            "kind": type(self).__name__,
            "parameters": self.get_params(),
            "features": list(self.feature_names_in_),
            "table": self.table_.to_dict(),
            "epochs_used": self.epochs_,
            "validation_loss": self.validation_loss_,
            "inputs": self._network.enter.in_features,
            "learnt": {name: np.asarray(getattr(self, name)).tolist() for name in self._learnt},
        }
        (folder / WEIGHTS_FILE).write_bytes(save_tensors(_copy(self._network)))
        (folder / STATE_FILE).write_text(json.dumps(state, indent=1, allow_nan=False))

    @classmethod
    def load(cls, folder: Path | UPath) -> Self:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: A file is missing.
            ValueError: The files are of another format or kind of estimator.
        """
        with naming(folder / STATE_FILE):
            state = json.loads((folder / STATE_FILE).read_text())
            if state.get("format") != FORMAT or state.get("kind") != cls.__name__:
                raise ValueError(
                    f"{folder} holds {state.get('kind')} in format {state.get('format')!r}, "
                    f"expected {cls.__name__} in {FORMAT!r}"
                )
            model = cls(**state["parameters"])
            model.table_ = NodeTable.from_dict(state["table"])
            model._name_features(state["features"])
            model.epochs_ = state["epochs_used"]
            model.validation_loss_ = state["validation_loss"]
            for name, value in state["learnt"].items():
                setattr(model, name, np.array(value) if isinstance(value, list) else value)
            model._network = model._make(state["inputs"])
            model._network.load_state_dict(load_tensors((folder / WEIGHTS_FILE).read_bytes()))
            model._network.eval()
            return model


class GraphSageRegressor(RegressorMixin, _GraphSage):
    """GraphSAGE for a number a node; squared error on labels put on one scale.

    See `_GraphSage` for parameters. Further attributes: `mean_` and `deviation_` of the labels.
    """

    _learnt = ("mean_", "deviation_")
    _n_outputs = 1

    def predict(self, X: pd.DataFrame, *, graph: SocialGraph) -> NDArray[np.float64]:
        """The n predicted labels of n nodes, in the order of X."""
        predicted: NDArray[np.float64] = (
            self._outputs(X, graph)[:, 0] * self.deviation_ + self.mean_
        )
        return predicted

    def _targets(self, labels: NDArray[Any]) -> torch.Tensor:
        values = labels.astype(np.float64)
        if not np.isfinite(values).all():
            raise ValueError("a label is infinite")
        self.mean_ = float(values.mean())
        # a constant label is predicted as it is
        self.deviation_ = float(values.std()) or 1.0
        return torch.from_numpy(((values - self.mean_) / self.deviation_).astype(np.float32))

    def _loss(self, outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.mse_loss(outputs[:, 0], target)


class GraphSageClassifier(ClassifierMixin, _GraphSage):
    """GraphSAGE for a class a node; cross-entropy.

    See `_GraphSage` for parameters. Further attributes: `classes_`.
    """

    _learnt = ("classes_",)

    @property
    def _n_outputs(self) -> int:  # type: ignore[override] # known once there are labels
        return len(self.classes_)

    def predict_proba(self, X: pd.DataFrame, *, graph: SocialGraph) -> NDArray[np.float64]:
        """The n x c probabilities of the c classes."""
        outputs = torch.from_numpy(self._outputs(X, graph))
        probability: NDArray[np.float64] = torch.softmax(outputs, dim=1).numpy()
        return probability

    def predict(self, X: pd.DataFrame, *, graph: SocialGraph) -> NDArray[Any]:
        """The likeliest class of each of n nodes."""
        chosen: NDArray[Any] = self.classes_[self.predict_proba(X, graph=graph).argmax(axis=1)]
        return chosen

    def _targets(self, labels: NDArray[Any]) -> torch.Tensor:
        self.classes_, places = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("all labels are the same: there is nothing to tell apart")
        return torch.from_numpy(places.astype(np.int64))

    def _loss(self, outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(outputs, target)


def _copy(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
