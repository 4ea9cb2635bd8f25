"""Whether effects differ between rows, and by how much between groups.

Belongs here: the calibration test, the value of ranking by effect, and effects of groups. Does not
belong here: the estimates that are tested. All of it wants rows that the estimates have not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from engagement_assets.learning.effects.nuisances import Nuisances
from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.json_data import JsonData

# A group with fewer rows in an arm has no effect stated.
LEAST_OF_ARM = 10


@dataclass(frozen=True)
class Calibration(JsonData):
    """How predicted effects meet those that are seen.

    Attributes:
        mean: Mean effect over the mean predicted one: 1 where it is right.
        slope: Effect for each unit of predicted difference: 1 where predictions are right, 0 where
            they say nothing.
        slope_low: Lower end of its 95 % interval.
        slope_high: Upper end.
        p_value: Chance of such a slope or a greater one where predictions say nothing.
        rows: Rows that were tested on.
    """

    mean: float
    slope: float
    slope_low: float
    slope_high: float
    p_value: float
    rows: int

    @property
    def shows_heterogeneity(self) -> bool:
        """Whether effects differ as predicted, beyond chance: the interval lies above 0."""
        return self.slope_low > 0.0


def calibration_test(predicted: Floats, rows: Nuisances) -> Calibration:
    """Regress what is seen on predicted effects: the best linear predictor of the effect.

    Chernozhukov, Demirer, Duflo and Fernandez-Val (Econometrica 93, 2025), with weights
    1 / (e (1 - e)) and HC3 standard errors. Predictions that are all alike have a slope of 0.

    Args:
        predicted: n predicted effects of rows that were not learnt from.
        rows: What is expected of them.
    """
    n, residual = len(predicted), rows.treatment - rows.chance
    weight = 1.0 / (rows.chance * (1.0 - rows.chance))
    center = float(np.average(predicted, weights=weight * residual**2))
    spread = predicted - center
    if np.std(spread) <= 1e-9 * max(1.0, abs(center)):
        return Calibration(1.0, 0.0, 0.0, 0.0, 1.0, n)
    root = np.sqrt(weight)
    # what is expected may be wrong by a share: its columns take that up
    columns = [np.ones(n), rows.mean - rows.mean.mean(), residual, residual * spread]
    design = np.column_stack(columns) * root[:, None]
    target = (rows.outcome - rows.mean) * root
    inverse = np.linalg.pinv(design.T @ design)
    coefficients = inverse @ (design.T @ target)
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    error = (target - design @ coefficients) / np.maximum(1.0 - leverage, 1e-6)
    covariance = inverse @ ((design * error[:, None] ** 2).T @ design) @ inverse
    slope, sigma = float(coefficients[3]), float(np.sqrt(covariance[3, 3]))
    reach = float(stats.t.ppf(0.975, n - 4)) * sigma
    p_value = float(stats.t.sf(slope / sigma, n - 4)) if sigma > 0.0 else 1.0
    mean = float(coefficients[2]) / center if center else float("nan")
    return Calibration(mean, slope, slope - reach, slope + reach, p_value, n)


def rate(
    priority: Floats, scores: Floats, *, n_bootstrap: int = 200, seed: int = 0, level: float = 0.95
) -> Interval:
    """Return AUTOC: how much more than the mean effect the first of a ranking gain.

    The mean over shares q of (effect of the first q of the ranking - effect of all), with an
    interval by half samples (Yadlowsky, Fleming, Shah, Brunskill and Wager, JASA 120, 2025). 0: the
    ranking is no better than chance.

    Args:
        priority: n priorities, the greater the sooner; of rows that were not learnt from.
        scores: n doubly robust scores.
        n_bootstrap: Half samples.
        seed: Seed of the half samples and of the order of ties.
        level: Share of intervals that cover.
    """
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(priority)), -priority))
    ranked = scores[order]
    value = _autoc(ranked)
    halves = [
        _autoc(ranked[np.sort(rng.choice(len(ranked), len(ranked) // 2, replace=False))])
        for _ in range(n_bootstrap)
    ]
    reach = float(stats.norm.ppf(0.5 + level / 2.0)) * float(np.std(halves, ddof=1))
    return Interval(value, value - reach, value + reach)


def _autoc(ranked: Floats) -> float:
    gains = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return float(gains.mean() - ranked.mean())


def group_effects(
    scores: Floats, groups: ArrayLike, treatment: ArrayLike, *, level: float = 0.95
) -> pd.DataFrame:
    """Return the effect of each group; all intervals hold together with the chance of `level`.

    Args:
        scores: n doubly robust scores, each by models that have not seen the row.
        groups: n names of groups; rows of none, null, are left out.
        treatment: n of 0 and 1.
        level: Chance that every interval covers its group's effect (Bonferroni).

    Returns:
        One row a group in the order of their names: group, rows, effect, low, high, and verdict:
        "gains", "is harmed", "cannot be told", or "too few" with NaN where an arm has too few rows.
    """
    table = pd.DataFrame(
        {"group": np.asarray(groups, dtype=object), "score": scores, "arm": np.asarray(treatment)}
    ).dropna(subset=["group"])
    rows = []
    parts = list(table.groupby("group", sort=True))
    enough_rows = [
        bool(part["arm"].value_counts().reindex([0, 1]).min() >= LEAST_OF_ARM) for _, part in parts
    ]
    tail = (1.0 - level) / 2.0 / max(1, sum(enough_rows))
    for (name, part), enough in zip(parts, enough_rows, strict=True):
        effect = low = high = float("nan")
        verdict = "too few"
        if enough:
            n = len(part)
            effect = float(part["score"].mean())
            reach = float(stats.t.isf(tail, n - 1) * part["score"].std(ddof=1) / np.sqrt(n))
            low, high = effect - reach, effect + reach
            verdict = "gains" if low > 0 else "is harmed" if high < 0 else "cannot be told"
        rows.append((name, len(part), effect, low, high, verdict))
    return pd.DataFrame(rows, columns=["group", "rows", "effect", "low", "high", "verdict"])
