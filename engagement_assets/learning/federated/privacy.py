"""Client-level differential privacy: how much noise, and the ledger of what has been spent.

Belongs here: plan, accounting, budget. Does not belong here: drawing noise (`strategy.py`).

Two federations are neighbours when one has one client more, with all of its rows. Each round takes
every client with the same chance (Poisson sampling), sums their clipped updates and adds Gaussian
noise (McMahan et al., ICLR 2018). Opacus's accountants count: Rényi divergences (Mironov et al.,
2019) for every round, privacy loss distributions (Gopi et al., NeurIPS 2021), which are tighter and
slower, where the first no longer fit into the budget.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from opacus.accountants.analysis.rdp import compute_rdp, get_privacy_spent
from opacus.accountants.prv import PRVAccountant
from opacus.accountants.rdp import RDPAccountant

from engagement_assets.learning.json_data import JsonData

# Opacus's orders and higher ones, which are best where epsilon is small.
_ORDERS = [*RDPAccountant.DEFAULT_ALPHAS, *range(64, 513, 16)]
# Of the epsilon that is looked for.
_TOLERANCE = 0.002
_LARGEST_NOISE = 1e5
# Loss distributions are looked for between this share of what divergences ask for and all of it;
# were less noise enough, a little more than needed is taken.
_LEAST_SAVING = 0.85


class BudgetSpentError(RuntimeError):
    """A release would spend more than the budget of privacy."""


@dataclass(frozen=True)
class Release(JsonData):
    """Noisy sums that were released, all alike.

    Args:
        noise_multiplier: Standard deviation of the noise over the clip.
        sample_rate: Chance that a client takes part.
        steps: How many sums.
        purpose: What for, such as "round" or "tuning".
        outcome: "released" or "failed": a failed one is counted too, as its noise may be known.
    """

    noise_multiplier: float
    sample_rate: float
    steps: int = 1
    purpose: str = "round"
    outcome: str = "released"


def epsilon_by_divergence(releases: Sequence[Release], delta: float) -> float:
    """Return epsilon of all releases together by Rényi divergences; 0 for none."""
    alike: dict[tuple[float, float], int] = {}
    for release in releases:
        key = (release.noise_multiplier, release.sample_rate)
        alike[key] = alike.get(key, 0) + release.steps
    if not alike:
        return 0.0
    if any(noise <= 0 for noise, _ in alike):
        return math.inf
    divergence = sum(steps * _divergence(noise, rate) for (noise, rate), steps in alike.items())
    with _looser_bounds():
        return float(get_privacy_spent(orders=_ORDERS, rdp=divergence, delta=delta)[0])


@lru_cache(maxsize=256)
def _divergence(noise: float, rate: float) -> NDArray[np.float64]:
    """Return a step's divergences by order; steps add up, and all rounds of a plan are alike."""
    one = compute_rdp(q=rate, noise_multiplier=noise, steps=1, orders=_ORDERS)
    return np.asarray(one, dtype=np.float64)


def epsilon_by_loss(releases: Sequence[Release], delta: float, *, error: float = 0.01) -> float:
    """Return an upper bound of epsilon by privacy loss distributions; 0 for none."""
    if not releases:
        return 0.0
    if any(release.noise_multiplier <= 0 for release in releases):
        return math.inf
    accountant = PRVAccountant()
    alike: dict[tuple[float, float], int] = {}
    for release in releases:
        key = (release.noise_multiplier, release.sample_rate)
        alike[key] = alike.get(key, 0) + release.steps
    accountant.history = [(noise, rate, steps) for (noise, rate), steps in alike.items()]
    # where everybody takes part opacus takes the logarithm of 0, and rightly reads it as -infinity
    with np.errstate(divide="ignore"), _looser_bounds():
        return float(accountant.get_epsilon(delta, eps_error=error))


@contextmanager
def _looser_bounds() -> Iterator[None]:
    """Leave out opacus's advice of higher orders: without them the bound holds, and is looser."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Optimal order is the", UserWarning)
        yield


def largest_delta(clients: int) -> float:
    """Return the largest delta that a claim over so many clients may have: N ** -1.1."""
    return float(max(clients, 2) ** -1.1)


@dataclass(frozen=True)
class PrivacyPlan(JsonData):
    """Clip, noise and cohort of a federation; the only place where they are tied.

    Args:
        epsilon: Most that all rounds together may spend.
        delta: Chance that the bound does not hold.
        clients: How many there are.
        cohort: Clients that a round is planned to have; the sum is divided by it whoever comes.
        rounds: How many sums are planned.
        clip: Longest update (L2 norm).
        noise_multiplier: Standard deviation of the noise over the clip.
    """

    epsilon: float
    delta: float
    clients: int
    cohort: float
    rounds: int
    clip: float
    noise_multiplier: float

    @classmethod
    def for_budget(
        cls,
        *,
        epsilon: float,
        clients: int,
        cohort: float,
        rounds: int,
        clip: float,
        delta: float | None = None,
        spent: Sequence[Release] = (),
    ) -> Self:
        """Return the plan with the least noise that keeps the budget, besides what was spent of it.

        Raises:
            ValueError: When delta is more than N ** -1.1, or the cohort is more than all.
            BudgetSpentError: When no noise keeps the budget.
        """
        most = largest_delta(clients)
        delta = most if delta is None else delta
        if not 0.0 < delta <= most:
            raise ValueError(f"delta is {delta}; for {clients} clients it is at most {most:.3g}")
        if not 0.0 < cohort <= clients:
            raise ValueError(f"a cohort of {cohort} was asked of {clients} clients")
        low, high = 0.0, 1.0

        def after(noise: float) -> list[Release]:
            return [*spent, Release(noise, cohort / clients, rounds)]

        if spent and epsilon_by_loss(spent, delta) > (1.0 - _TOLERANCE) * epsilon:
            raise BudgetSpentError(f"epsilon {epsilon} is spent by {len(spent)} releases before")
        # divergences first: they are quick, and their noise is a little more than what is needed
        while epsilon_by_divergence(after(high), delta) > epsilon:
            low, high = high, 2.0 * high
            if high > _LARGEST_NOISE:
                raise BudgetSpentError(f"no noise keeps epsilon {epsilon} over {rounds} rounds")
        for account in (epsilon_by_divergence, epsilon_by_loss):
            while high - low > _TOLERANCE * high:
                middle = (low + high) / 2.0
                over = account(after(middle), delta) > epsilon
                low, high = (middle, high) if over else (low, middle)
            low = _LEAST_SAVING * high
        return cls(epsilon, delta, clients, cohort, rounds, clip, high)

    @property
    def sample_rate(self) -> float:
        """The chance that a client takes part in a round."""
        return self.cohort / self.clients

    @property
    def noise_of_sum(self) -> float:
        """Standard deviation of the noise on each coordinate of the sum of updates."""
        return self.noise_multiplier * self.clip

    def noise_share(self, weights: int) -> float:
        """Return how long a round's noise is, as a share of the longest update.

        Both of the average over the planned cohort, of so many weights.
        """
        return self.noise_multiplier * math.sqrt(weights) / self.cohort

    def release(self, purpose: str = "round") -> Release:
        """Return what one round spends."""
        return Release(self.noise_multiplier, self.sample_rate, 1, purpose)


class PrivacyLedger:
    """Counts every release against one budget: rounds, retries, failed rounds and tuning.

    Args:
        epsilon: The budget.
        delta: Chance that it does not hold.
        releases: What was spent before.
        journal: Keeps the releases beyond this process; called with all of them before the last is
            made, so that a kill costs budget, never privacy.
    """

    def __init__(
        self,
        epsilon: float,
        delta: float,
        releases: Sequence[Release] = (),
        *,
        journal: Callable[[Sequence[Release]], None] | None = None,
    ) -> None:
        self.epsilon, self.delta = epsilon, delta
        self._releases, self._journal = list(releases), journal

    @property
    def releases(self) -> tuple[Release, ...]:
        """What was spent."""
        return tuple(self._releases)

    def charge(self, release: Release) -> None:
        """Count a release before it is made.

        Raises:
            BudgetSpentError: When it does not fit into the budget; then nothing is counted.
        """
        after = [*self._releases, release]
        bound = epsilon_by_divergence(after, self.delta)
        if bound > self.epsilon:
            bound = min(bound, epsilon_by_loss(after, self.delta))
        if not bound <= self.epsilon:
            raise BudgetSpentError(
                f"{release.purpose} would bring epsilon to {bound:.3f} of {self.epsilon}: "
                "no further release may be made of these clients' rows"
            )
        self._become(after)

    def mark_failed(self) -> None:
        """Say that the last release came to nothing; it stays counted."""
        *before, last = self._releases
        self._become([*before, Release.from_dict(last.to_dict() | {"outcome": "failed"})])

    def _become(self, releases: list[Release]) -> None:
        if self._journal is not None:
            self._journal(releases)
        self._releases = releases

    def spent(self) -> float:
        """Return the smaller of the two accountants' epsilon."""
        return min(
            epsilon_by_divergence(self._releases, self.delta),
            epsilon_by_loss(self._releases, self.delta),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the ledger as JSON data."""
        return {
            "epsilon": self.epsilon,
            "delta": self.delta,
            "releases": [release.to_dict() for release in self._releases],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what `to_dict` gave."""
        releases = [Release.from_dict(release) for release in data["releases"]]
        return cls(float(data["epsilon"]), float(data["delta"]), releases)
