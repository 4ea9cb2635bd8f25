"""A social graph from any edge list: nodes, undirected pairs, optional weights.

Belongs here: cleaning an edge list and giving it in the forms that libraries want. Does not belong
here: what is computed on it (`metrics.py`, `embeddings.py` and others) and where edges come from.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

import networkit as nk
import numpy as np
import pandas as pd
import pyarrow as pa
import scipy.sparse as sp
from numpy.typing import NDArray


class EdgeListError(ValueError):
    """An edge list lacks a column, or has weights that are none."""


@dataclass(frozen=True)
class Dropped:
    """What of an edge list did not become an edge of its own.

    Attributes:
        self_loops: Rows that connect a node with itself.
        duplicates: Rows of a pair that was there already, in either direction.
        unknown: Rows with an end that is null or not among the nodes.
    """

    self_loops: int = 0
    duplicates: int = 0
    unknown: int = 0


@dataclass(frozen=True, eq=False)
class SocialGraph:
    """An undirected simple graph.

    Attributes:
        nodes: n ids in ascending order.
        source: m positions in `nodes`, the smaller end of each edge.
        target: m positions, the larger end; edges are ordered by source, then target.
        weight: m weights, or None where every edge counts the same.
        dropped: Rows of the edge list that are no edges here.
    """

    nodes: NDArray[np.object_]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    weight: NDArray[np.float64] | None = None
    dropped: Dropped = Dropped()
    _made: dict[bool, nk.Graph] = field(default_factory=dict, init=False, repr=False)

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.nodes)

    @property
    def n_edges(self) -> int:
        """Number of undirected edges."""
        return len(self.source)

    def degree(self) -> NDArray[np.int64]:
        """The n numbers of neighbours."""
        both = np.concatenate([self.source, self.target])
        return np.bincount(both, minlength=self.n_nodes).astype(np.int64)

    def adjacency(self) -> sp.csr_array:
        """The symmetric n x n adjacency matrix, of weights or of ones."""
        weight = np.ones(self.n_edges) if self.weight is None else self.weight
        rows, columns = self.edge_index()
        shape = (self.n_nodes, self.n_nodes)
        return sp.coo_array((np.tile(weight, 2), (rows, columns)), shape=shape).tocsr()

    def edge_index(self) -> NDArray[np.int64]:
        """A 2 x 2m array of both directions of every edge, as torch-geometric wants it."""
        return np.stack(
            [
                np.concatenate([self.source, self.target]),
                np.concatenate([self.target, self.source]),
            ]
        )

    @cached_property
    def outgoing(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the directed edges of each node begin, and their numbers, node by node.

        Directed edge e < m leads from `source[e]` to `target[e]`, m + e the way back.
        """
        sources = self.edge_index()[0]
        degree = np.bincount(sources, minlength=self.n_nodes)
        return np.cumsum(degree) - degree, np.argsort(sources, kind="stable")

    def networkit(self, *, weighted: bool = False) -> nk.Graph:
        """The graph for networkit, made once; node i is `nodes[i]`.

        It lives as long as this graph: networkit's algorithms do not keep the graph they are given
        alive, and crash where it is gone.

        Args:
            weighted: Whether edges carry their weights; 1 where the graph has none.
        """
        if weighted not in self._made:
            ends = (self.source.astype(np.uint64), self.target.astype(np.uint64))
            weight = np.ones(self.n_edges) if self.weight is None else self.weight
            self._made[weighted] = nk.GraphFromCoo(
                (weight, ends) if weighted else ends,
                n=self.n_nodes,
                weighted=weighted,
                directed=False,
            )
        return self._made[weighted]

    def positions(self, ids: Iterable[Hashable]) -> NDArray[np.int64]:
        """Where ids stand in `nodes`; -1 for an unknown one."""
        index = pd.Index(self.nodes)
        return np.asarray(index.get_indexer(pd.Index(list(ids), dtype=object)), dtype=np.int64)


def build_graph(
    edges: pd.DataFrame | pa.Table,
    *,
    nodes: Iterable[Hashable] | None = None,
    source: str = "source",
    target: str = "target",
    weight: str | None = None,
) -> SocialGraph:
    """Build an undirected simple graph from an edge list.

    Reversed and repeated pairs are one edge, whose weight is their sum.

    Args:
        edges: One row an edge; ids are text or numbers.
        nodes: All nodes, so that one without an edge is there and an edge to another is dropped;
            the ends of the edges when None.
        source: Column of one end.
        target: Column of the other.
        weight: Column of positive weights, or None.

    Raises:
        EdgeListError: A column is not there, or a weight is not a positive number.
    """
    frame = edges.to_pandas() if isinstance(edges, pa.Table) else edges
    missing = [name for name in (source, target, weight) if name and name not in frame.columns]
    if missing:
        raise EdgeListError(
            f"the edge list has no column {', '.join(missing)}; it has "
            f"{', '.join(map(str, frame.columns)) or 'none'}"
        )
    index = _node_index(frame, nodes, source, target)
    one = index.get_indexer(pd.Index(frame[source], dtype=object)).astype(np.int64)
    other = index.get_indexer(pd.Index(frame[target], dtype=object)).astype(np.int64)
    weights = None if weight is None else _checked_weights(frame[weight])
    known = (one >= 0) & (other >= 0)
    loops = known & (one == other)
    usable = known & ~loops
    low, high = np.minimum(one, other)[usable], np.maximum(one, other)[usable]
    pairs, place = np.unique(low * np.int64(max(1, len(index))) + high, return_inverse=True)
    total = None
    if weights is not None:
        total = np.bincount(place, weights=weights[usable], minlength=len(pairs)).astype(np.float64)
    return SocialGraph(
        nodes=index.to_numpy(dtype=object),
        source=pairs // max(1, len(index)),
        target=pairs % max(1, len(index)),
        weight=total,
        dropped=Dropped(
            self_loops=int(loops.sum()),
            duplicates=int(usable.sum()) - len(pairs),
            unknown=int((~known).sum()),
        ),
    )


def _node_index(
    frame: pd.DataFrame, nodes: Iterable[Hashable] | None, source: str, target: str
) -> pd.Index:
    """The distinct nodes in ascending order; nulls are none."""
    if nodes is None:
        named = pd.concat([frame[source], frame[target]], ignore_index=True).astype(object)
    else:
        named = pd.Series(list(nodes), dtype=object)
    distinct = named.dropna().unique()
    try:
        index: pd.Index = pd.Index(sorted(distinct), dtype=object)
        return index
    except TypeError as error:
        raise EdgeListError("the ids mix text and numbers: make them one kind") from error


def _checked_weights(column: pd.Series) -> NDArray[np.float64]:
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    if not np.all(np.isfinite(values) & (values > 0)):
        raise EdgeListError(f"column {column.name}: every weight must be a positive number")
    return values
