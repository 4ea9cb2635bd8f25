"""Graphs that several benchmarks measure on.

Belongs here: making them. Does not belong here: measuring.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import networkit as nk
import numpy as np
import pandas as pd
import scipy.io

from engagement_assets.learning.graph.centrality import networkit_threads
from engagement_assets.learning.graph.graph import SocialGraph, build_graph
from engagement_assets.source.simulator.graph import FriendshipGraph
from engagement_assets.source.simulator.life import LifeCourses
from engagement_assets.source.simulator.population import populate

PUBLIC = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "graphs"
DAYS = 400


def simulated_edges(customers: int, *, seed: int = 7) -> tuple[pd.DataFrame, np.ndarray]:
    """The simulator's latent friendships, about ten a customer, and everybody's community."""
    people = populate(customers=customers, seed=seed, days=DAYS, horizon=DAYS + 600)
    friends = FriendshipGraph(people, LifeCourses(people, date(2025, 1, 1)))
    return pd.DataFrame({"source": friends.one, "target": friends.other}), people.community


def simulated_graph(customers: int, *, seed: int = 7) -> SocialGraph:
    """The graph of the simulator's latent friendships."""
    return build_graph(simulated_edges(customers, seed=seed)[0])


def without_communities(nodes: int, *, edges_per_node: int, seed: int = 7) -> SocialGraph:
    """A graph of preferential attachment (Barabasi and Albert 1999), which has no communities."""
    with networkit_threads(1, seed):
        made = nk.generators.BarabasiAlbertGenerator(edges_per_node, nodes).generate()
    ends = np.array(list(made.iterEdges()), dtype=np.int64)
    edges = pd.DataFrame({"source": ends[:, 0], "target": ends[:, 1]})
    return build_graph(edges, nodes=range(nodes))


def public_graph(name: str) -> SocialGraph:
    """USAir or PB of the public graphs."""
    net = scipy.io.loadmat(str(PUBLIC / f"{name}.mat"))["net"].tocoo()
    edges = pd.DataFrame({"source": net.row, "target": net.col})
    return build_graph(edges, nodes=range(net.shape[0]))
