"""How far reviewers agree.

Belongs here: Cohen's kappa of pairs of verdicts. Does not belong here: which cases have two
(`resources.reviews`).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from resources.reviews import AGREEING, Case

RESAMPLES = 1_000
# Fewer pairs say nothing of agreement beyond chance.
LEAST_PAIRS = 20


@dataclass(frozen=True)
class Agreement:
    """Agreement between the first two verdicts of cases.

    Attributes:
        pairs: Cases with two verdicts among those that were drawn for a second look.
        same: Share of them whose two verdicts are the same; NaN of no pair.
        kappa: Cohen's kappa, NaN where it is not known.
        low: Lower end of its 95 % interval.
        high: Upper end of its 95 % interval.
        reason: Why kappa is not known; empty where it is.
    """

    pairs: int
    same: float
    kappa: float
    low: float
    high: float
    reason: str


def agreement(cases: Iterable[Case], *, seed: int = 0) -> Agreement:
    """Compute agreement over the cases that were drawn for a second look.

    The others have a second verdict only because the first was fraud, so that they say nothing of
    how often two people agree.
    """
    pairs = [
        (bool(case.verdicts[0].fraud), bool(case.verdicts[1].fraud))
        for case in cases
        if case.second_look and len(case.verdicts) >= AGREEING
    ]
    same = sum(a == b for a, b in pairs) / len(pairs) if pairs else math.nan
    reason = ""
    if len(pairs) < LEAST_PAIRS:
        reason = f"{len(pairs)} cases have two verdicts, fewer than {LEAST_PAIRS}"
    elif len({verdict for pair in pairs for verdict in pair}) == 1:
        reason = "all verdicts are the same"
    if reason:
        return Agreement(len(pairs), same, math.nan, math.nan, math.nan, reason)
    import numpy as np  # noqa: PLC0415 - serving imports this module
    from sklearn.metrics import cohen_kappa_score

    from engagement_assets.learning.evaluation.bootstrap import bootstrap  # noqa: PLC0415 - loads scipy

    first, second = np.array(pairs).T

    def kappa(weights: "np.ndarray") -> list[float]:
        drawn = first[weights > 0], second[weights > 0]
        # one verdict alone in a resample: agreement beyond chance is not defined
        if len(np.unique(np.concatenate(drawn))) == 1:
            return [math.nan]
        return [float(cohen_kappa_score(first, second, sample_weight=weights))]

    (interval,) = bootstrap(kappa, rows=len(pairs), n_bootstrap=RESAMPLES, seed=seed)
    return Agreement(len(pairs), same, interval.value, interval.low, interval.high, "")
