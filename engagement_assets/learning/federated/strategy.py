"""Aggregating clients' updates into the next global weights, in Flower's words.

Belongs here: sampling a cohort and federated averaging, with and without noise. Does not belong
here: local training, or how updates arrive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engagement_assets.learning.federated.net import Vector, clipped
from engagement_assets.learning.federated.privacy import PrivacyPlan


class RefusedUpdateError(ValueError):
    """An update is not finite or has another length."""


@dataclass
class FedAvg:
    """Federated averaging (McMahan et al., AISTATS 2017), with client-level privacy by a plan.

    Without a plan updates weigh as their client's rows. With one each weighs the same, the sum is
    divided by the planned cohort, and noise is added to it.

    Args:
        cohort: Clients that a round is planned to have.
        privacy: Clip and noise; None for neither.
        learning_rate: Of the step along the averaged update.
        momentum: Share of the step before that is made again; costs no privacy.
        seed: Of sampling and noise; None takes the system's entropy, as a real federation must.
        step: The step before, which momentum makes again.
    """

    cohort: float
    privacy: PrivacyPlan | None = None
    learning_rate: float = 1.0
    momentum: float = 0.0
    seed: int | None = None
    step: Vector | None = None

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)

    def configure_fit(self, clients: int) -> NDArray[np.intp]:
        """Return who is asked: each client with the same chance, independently.

        Under privacy that is the plan's chance, however few clients are present.
        """
        rate = self.cohort / clients if self.privacy is None else self.privacy.sample_rate
        return np.flatnonzero(self._rng.random(clients) < rate)

    def aggregate_fit(
        self, weights: Vector, updates: NDArray[np.floating], examples: NDArray[np.integer]
    ) -> tuple[Vector, float]:
        """Return the next weights and the share of updates that were clipped.

        Args:
            weights: p global weights.
            updates: k x p changes.
            examples: k numbers of rows.

        Raises:
            RefusedUpdateError: When an update is not finite or has another length.
        """
        if updates.ndim != 2 or updates.shape[1] != len(weights):
            raise RefusedUpdateError(f"updates are {updates.shape}, weights {weights.shape}")
        if not np.isfinite(updates).all():
            raise RefusedUpdateError("an update is not finite")
        if self.privacy is None:
            if not len(updates):
                return weights, 0.0
            share = examples / examples.sum()
            return self.stepped(weights, share @ updates.astype(np.float64)), 0.0
        short, saturated = clipped(updates, self.privacy.clip) if len(updates) else (updates, 0.0)
        return self.aggregate_sum(weights, short.astype(np.float64).sum(axis=0)), saturated

    def aggregate_sum(self, weights: Vector, total: Vector) -> Vector:
        """Return the next weights from the sum of clipped updates, which secure aggregation gives.

        Raises:
            ValueError: Without a plan of privacy.
        """
        if self.privacy is None:
            raise ValueError("a sum of clipped updates belongs to a plan of privacy")
        noise = self.privacy.noise_of_sum * self._rng.standard_normal(len(weights))
        return self.stepped(weights, (total + noise) / self.privacy.cohort)

    def stepped(self, weights: Vector, mean: Vector) -> Vector:
        """Return the weights after a step along the averaged update."""
        before = np.zeros_like(mean) if self.step is None else self.step
        self.step = mean + self.momentum * before
        return weights + self.learning_rate * self.step
