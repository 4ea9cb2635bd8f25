"""Model how engagement spreads along edges: an independent cascade fitted on interactions.

Belongs here: turning interactions into cascades, fitting, simulating. Does not belong here: whom
to reach (`influence_maximisation.py`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.learning.evaluation.bootstrap import Interval, bootstrapped, mean
from engagement_assets.learning.graph.graph import SocialGraph

logger = logging.getLogger(__name__)

_SURE = 1e-12
_TOGETHER = 64
_MOST_STEPS = 50
# Expectation maximisation stops when no chance moves by more.
_TOLERANCE = 1e-4


class SpreadError(ValueError):
    """A cascade or a setting cannot be used."""


@dataclass(frozen=True)
class Trials:
    """Chances that somebody had to be drawn in, from cascades.

    Attributes:
        edge: Directed edge of each trial; edge e < m is source to target, m + e the way back.
        target: Numbers of the (cascade, person) pairs, one a trial.
        people: How many such pairs there are.
        active: Whether each pair's person was drawn in.
        cascade: Cascade of each pair.
    """

    edge: NDArray[np.int64]
    target: NDArray[np.int64]
    people: int
    active: NDArray[np.bool_]
    cascade: NDArray[np.int64]


def trials(graph: SocialGraph, cascades: pd.DataFrame) -> Trials:
    """List the trials of cascades: a neighbour took part before a person did, or did not.

    Args:
        graph: Who is connected.
        cascades: cascade, node, time: who took part when; only each node's first time counts.

    Raises:
        SpreadError: A column is missing.
    """
    missing = [name for name in ("cascade", "node", "time") if name not in cascades.columns]
    if missing:
        raise SpreadError(f"the cascades have no column {', '.join(missing)}")
    first = cascades.sort_values("time").drop_duplicates(["cascade", "node"])
    place = graph.positions(first["node"])
    first = first.assign(place=place)[place >= 0]
    name = pd.factorize(first["cascade"])[0].astype(np.int64)
    node, when = first["place"].to_numpy(), first["time"].to_numpy()
    edge, origin, near = outgoing(graph, node)
    # whether and when the neighbour took part in the same cascade
    n = np.int64(max(1, graph.n_nodes))
    keys = name * n + node
    order = np.argsort(keys)
    wanted = name[origin] * n + near
    position = np.minimum(np.searchsorted(keys[order], wanted), max(0, len(keys) - 1))
    took_part = keys[order][position] == wanted if len(keys) else np.zeros(0, bool)
    theirs = np.where(took_part, order[position] if len(keys) else 0, 0)
    later = ~took_part | (when[theirs] > when[origin])
    pairs, target = np.unique(wanted[later], return_inverse=True)
    active = np.zeros(len(pairs), dtype=bool)
    active[target[took_part[later]]] = True
    return Trials(edge[later], target, len(pairs), active, pairs // n)


def outgoing(
    graph: SocialGraph, node: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Directed edges out of each of k nodes: edge, which of the k, and the node it leads to."""
    start, by_source = graph.outgoing
    count = np.append(start[1:], len(by_source))[node] - start[node]
    origin = np.repeat(np.arange(len(node)), count)
    offset = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    edge = by_source[start[node[origin]] + offset]
    forth = edge < graph.n_edges
    along = np.where(forth, edge, edge - graph.n_edges)
    return edge, origin, np.where(forth, graph.target[along], graph.source[along])


@dataclass(kw_only=True, eq=False)
class IndependentCascade:
    """Each active person draws each neighbour in once, by the chance of their edge.

    Fitted by expectation maximisation (Saito, Nakano and Kimura 2008) with two additions. People
    also come for reasons other than their neighbours: a background chance stands beside the
    edges as one more cause, estimated from the same data. And an edge is seen a few times only: its
    chance is drawn towards that of all edges by a beta prior worth `prior_trials` trials.

    Args:
        prior_trials: How many trials the prior is worth.

    Attributes:
        graph_: The graph it was fitted on.
        probability_: Chance of each of 2m directed edges: source to target, then the ways back.
        background_: Chance to come by oneself where a neighbour has come.
        global_: Chance over all edges together.
    """

    prior_trials: float = 10.0

    def fit(self, graph: SocialGraph, cascades: pd.DataFrame) -> Self:
        """Estimate the chance of every edge.

        Args:
            graph: Who is connected.
            cascades: cascade, node, time; of the same hours after each cascade's start, so that who
                stayed away had the time to come.

        Raises:
            SpreadError: A column is missing, or nobody ever had a neighbour before them.
        """
        seen = trials(graph, cascades)
        if not len(seen.edge):
            raise SpreadError(
                "no cascade has anybody with a connection: there is nothing to fit a spread on"
            )
        self.graph_ = graph
        tried = np.bincount(seen.edge, minlength=2 * graph.n_edges)
        rate = max(_SURE, seen.active.mean())
        self.background_ = self.global_ = rate / 2
        probability = np.full(2 * graph.n_edges, rate / 2)
        for step in range(_MOST_STEPS):
            before = probability
            probability = self._step(seen, tried, probability)
            moved = np.abs(probability - before).max()
            if moved < _TOLERANCE:
                logger.info("independent cascade: settled after %d steps", step + 1)
                break
        self.probability_ = probability
        return self

    def _step(
        self, seen: Trials, tried: NDArray[np.int64], probability: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        reached = 1.0 - self._stay(seen, probability)
        # of an activation, each cause's share of the credit
        credit = probability[seen.edge] / np.maximum(reached, _SURE)[seen.target]
        credit *= seen.active[seen.target]
        successes = np.bincount(seen.edge, weights=credit, minlength=len(probability))
        by_itself = (self.background_ / np.maximum(reached, _SURE))[seen.active].sum()
        self.background_ = float(by_itself / seen.people)
        self.global_ = float(successes.sum() / tried.sum())
        updated: NDArray[np.float64] = np.clip(
            (successes + self.prior_trials * self.global_) / (tried + self.prior_trials), 0.0, 1.0
        )
        return updated

    def _stay(self, seen: Trials, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        """Chance of each pair's person to stay away."""
        logs = np.log(np.maximum(1.0 - probability[seen.edge], _SURE))
        alone = np.log(max(1.0 - self.background_, _SURE))
        stay: NDArray[np.float64] = np.exp(
            np.bincount(seen.target, weights=logs, minlength=seen.people) + alone
        )
        return stay

    def log_likelihood(self, cascades: pd.DataFrame, *, constant: bool = False) -> pd.Series:
        """Log-likelihood of each held-out cascade, in nats.

        Args:
            cascades: cascade, node, time; others than those it was fitted on.
            constant: Whether every edge has the chance of all edges together.
        """
        seen = trials(self.graph_, cascades)
        chance = np.full_like(self.probability_, self.global_) if constant else self.probability_
        stay = np.clip(self._stay(seen, chance), _SURE, 1.0 - _SURE)
        terms = np.where(seen.active, np.log1p(-stay), np.log(stay))
        return pd.Series(terms).groupby(seen.cascade).sum()

    def gain(self, cascades: pd.DataFrame, *, n_bootstrap: int = 200) -> Interval:
        """By how many nats a held-out cascade is likelier than with one chance for every edge."""
        better = (
            self.log_likelihood(cascades) - self.log_likelihood(cascades, constant=True)
        ).to_numpy()
        gains = {"gain": mean(better)}
        return bootstrapped(gains, rows=len(better), n_bootstrap=n_bootstrap)["gain"]

    def simulate(
        self, seeds: NDArray[np.int64], *, simulations: int = 200, random_state: int = 0
    ) -> Interval:
        """How many people are reached from some seeds, along edges alone; mean with 95 % interval.

        Args:
            seeds: Positions of the first people in `graph_.nodes`.
            simulations: Runs; the interval is that of their mean.
            random_state: Seed.

        Raises:
            SpreadError: A seed is no node.
        """
        chosen = np.unique(np.asarray(seeds, dtype=np.int64))
        if len(chosen) and (chosen[0] < 0 or chosen[-1] >= self.graph_.n_nodes):
            raise SpreadError("a seed is no node of the graph")
        if not len(chosen):
            return Interval(0.0, 0.0, 0.0)
        rng = np.random.default_rng(random_state)
        sizes = np.concatenate(
            [
                self._run(chosen, min(_TOGETHER, simulations - start), rng)
                for start in range(0, simulations, _TOGETHER)
            ]
        )
        error = 1.96 * sizes.std(ddof=1) / np.sqrt(len(sizes)) if len(sizes) > 1 else 0.0
        mean = float(sizes.mean())
        return Interval(mean, mean - error, mean + error)

    def _run(
        self, seeds: NDArray[np.int64], runs: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Sizes of some cascades, run together; the node r n + v is v in run r."""
        n = np.int64(self.graph_.n_nodes)
        reached = np.zeros(runs * n, dtype=bool)
        fresh = (np.arange(runs)[:, None] * n + seeds[None, :]).ravel()
        reached[fresh] = True
        while len(fresh):
            edge, origin, near = outgoing(self.graph_, fresh % n)
            passed = rng.random(len(edge)) < self.probability_[edge]
            drawn_in = (fresh // n)[origin[passed]] * n + near[passed]
            fresh = np.unique(drawn_in[~reached[drawn_in]])
            reached[fresh] = True
        sizes: NDArray[np.int64] = reached.reshape(runs, n).sum(axis=1)
        return sizes


def cascades_of_posts(
    posts: pd.DataFrame,
    interactions: pd.DataFrame,
    *,
    hours: float,
    item: str = "post_id",
    person: str = "customer_id",
    time: str = "occurred_at",
) -> pd.DataFrame:
    """Return cascades of posts: the author first, then whoever came within some hours.

    Args:
        posts: A row a post, with the three columns named below.
        interactions: A row a person who came, with the same columns.
        hours: Hours after posting that count; posts whose hours have not passed must be left out.
        item: Column with the post.
        person: Column with its author, and with who came.
        time: Column with the moment of either.

    Returns:
        cascade, node, time.
    """
    names = {item: "cascade", person: "node", time: "time"}
    began, came = (table[list(names)].rename(columns=names) for table in (posts, interactions))
    after = came["time"] - came["cascade"].map(began.set_index("cascade")["time"])
    counted = came[(after >= pd.Timedelta(0)) & (after < pd.Timedelta(hours=hours))]
    return pd.concat([began, counted], ignore_index=True)
