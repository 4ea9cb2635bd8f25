"""Simulate a federation: rounds of sampled clients that train together in one process.

Belongs here: the loop, its history and its ledger. Does not belong here: messages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engagement_assets.learning.federated.clients import Behaviour, Clients
from engagement_assets.learning.federated.net import LocalTraining, Vector, VectorNet
from engagement_assets.learning.federated.privacy import PrivacyLedger
from engagement_assets.learning.federated.strategy import FedAvg

# Below this share of the planned cohort a round comes to nothing.
LEAST_ANSWERS = 0.5


@dataclass
class Federated:
    """Weights after all rounds, and what happened.

    Args:
        weights: p global weights.
        personal: N x p weights that clients keep to themselves, 0 where shared; None without.
        history: One entry a round: asked, answered, dropped out, late, and the share of clipped
            updates. That share is the simulation's alone: a real server does not see it.
    """

    weights: Vector
    personal: np.ndarray | None = None
    history: list[dict[str, Any]] = field(default_factory=list)


def simulate(  # noqa: PLR0913 - each is a setting of its own
    net: VectorNet,
    clients: Clients,
    strategy: FedAvg,
    *,
    rounds: int,
    local: LocalTraining,
    ledger: PrivacyLedger | None = None,
    behaviour: Behaviour | None = None,
    personal: frozenset[str] = frozenset(),
    seed: int | None = 0,
    purpose: str = "round",
) -> Federated:
    """Train for so many rounds.

    Args:
        net: What is learnt.
        clients: Who has which rows.
        strategy: Who is asked and how updates are averaged.
        rounds: How many; a round in which too few answer is counted and changes nothing.
        local: What each client does.
        ledger: Where each round is counted before it begins; must be there when noise is planned.
        behaviour: How clients drop out and are late.
        personal: Names of the net's parameters that are never sent: each client has its own.
        seed: Of the clients' behaviour; None takes the system's entropy.
        purpose: What the ledger is to say that the rounds are for.

    Raises:
        ValueError: When noise is planned and there is no ledger, or a name is unknown.
        BudgetSpentError: When a round does not fit into the budget.
    """
    plan = strategy.privacy
    if plan is not None and ledger is None:
        raise ValueError("a federation with privacy needs a ledger")
    rng = np.random.default_rng(None if seed is None else [seed, 1])
    behaviour = behaviour or Behaviour()
    own = _owned(net, personal)
    result = Federated(net.first.copy())
    if personal:
        result.personal = np.where(own, net.first, 0.0)[None].repeat(len(clients), axis=0)
    for _ in range(rounds):
        if plan is not None and ledger is not None:
            ledger.charge(plan.release(purpose))
        asked = strategy.configure_fit(len(clients))
        answering, dropped, late = behaviour.answering(asked, rng)
        entry: dict[str, Any] = {
            "asked": len(asked),
            "answered": len(answering),
            "dropped": dropped,
            "late": late,
        }
        result.history.append(entry)
        if len(answering) < LEAST_ANSWERS * len(asked) or not len(answering):
            if ledger is not None and plan is not None:
                ledger.mark_failed()
            continue
        updates = _local_updates(net, clients, result, answering, local, own)
        result.weights, entry["clipped"] = strategy.aggregate_fit(
            result.weights, updates, clients.rows[answering]
        )
    return result


def _owned(net: VectorNet, personal: frozenset[str]) -> np.ndarray:
    unknown = personal - set(net.shapes)
    if unknown:
        raise ValueError(f"the net has no parameters {sorted(unknown)}, but {sorted(net.shapes)}")
    return np.repeat([name in personal for name in net.shapes], net.sizes)


def _local_updates(
    net: VectorNet,
    clients: Clients,
    result: Federated,
    answering: np.ndarray,
    local: LocalTraining,
    own: np.ndarray,
) -> np.ndarray:
    batch = clients.batch(answering)
    if result.personal is None:
        return net.updates(result.weights, batch, local)
    start = np.where(own, result.personal[answering], result.weights)
    updates = net.updates(start, batch, local)
    result.personal[answering] += np.where(own, updates, 0.0)
    return np.where(own, 0.0, updates)
