"""Whether a tuned model may take the place of the one that serves.

Belongs here: the rule, from losses of both on the same fresh rows. Does not belong here: which rows
those are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from engagement_assets.learning.evaluation.bootstrap import Interval, bootstrapped

LEAST_REDUCTION = 0.05


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """How a challenger does beside the model that serves.

    Attributes:
        reduction: Share of the loss that it takes off; for squared errors that is the share of
            1 - R2.
        least: Share that it must take off.
        passes: Whether it takes off that much, and the whole interval lies above 0.
    """

    reduction: Interval
    least: float
    passes: bool

    def __str__(self) -> str:
        return (
            f"it takes {self.reduction.value:.1%} ({self.reduction.low:.1%} to "
            f"{self.reduction.high:.1%}) off the champion's loss on a later snapshot; at least "
            f"{self.least:.0%}, and above 0 beyond chance, is asked of a tuned model"
        )


def challenge(
    champion: ArrayLike,
    challenger: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    least: float = LEAST_REDUCTION,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Challenge:
    """Compare n losses of two models on rows that neither has learnt from, by a paired bootstrap.

    Args:
        champion: Losses of the model that serves.
        challenger: Losses of the tuned model, of the same rows in the same order.
        groups: n names of what is drawn as a whole, such as the person of each row.
        least: Share of the loss that must be taken off.
        n_bootstrap: Resamples.
        seed: Seed of the resamples.

    Raises:
        ValueError: When the lengths differ.
    """
    ours, theirs = np.asarray(challenger, np.float64), np.asarray(champion, np.float64)
    if ours.shape != theirs.shape:
        raise ValueError(f"{len(theirs)} losses of the champion, {len(ours)} of the challenger")

    def reduction(weights: np.ndarray) -> float:
        before = float(weights @ theirs)
        return 1.0 - float(weights @ ours) / before if before > 0.0 else math.nan

    span = bootstrapped(
        {"reduction": reduction},
        rows=len(ours),
        n_bootstrap=n_bootstrap,
        seed=seed,
        groups=groups,
    )["reduction"]
    return Challenge(reduction=span, least=least, passes=span.value >= least and span.low > 0.0)
