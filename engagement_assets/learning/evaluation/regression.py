"""How good a predicted number is: metrics of regression, each with a bootstrap interval.

Belongs here: the definitions of the metrics and their tables. Does not belong here: quantiles and
intervals (`quantiles`), comparing groups of people (`learning.fairness`) or deciding which model
serves (`engagement_assets.lifecycle.champion`).
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import t as student

from engagement_assets.learning.evaluation.binary import Floats, as_weights
from engagement_assets.learning.evaluation.bootstrap import (
    Interval,
    Weighted,
    bootstrapped,
    mean,
    ratio,
)
from engagement_assets.learning.evaluation.metrics import DECILES, quantile_bins

# two-sided, within which chance stays in 99 of 100 samples
_CHANCE = 0.995


def checked_numbers(y: ArrayLike, prediction: ArrayLike) -> tuple[Floats, Floats]:
    """Check targets and as many predictions.

    Raises:
        ValueError: When there are none, the two differ in shape, or one is not finite.
    """
    target = np.asarray(y, dtype=np.float64)
    predicted = np.asarray(prediction, dtype=np.float64)
    if target.ndim != 1 or len(target) == 0:
        raise ValueError(f"targets must be a list of at least one number, got shape {target.shape}")
    if predicted.shape != target.shape:
        raise ValueError(f"{len(target)} targets but predictions of shape {predicted.shape}")
    for name, values in (("targets", target), ("predictions", predicted)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite numbers")
    return target, predicted


def r2(y: ArrayLike, prediction: ArrayLike, *, weights: ArrayLike | None = None) -> float:
    """Return the share of n targets' variance that is explained; NaN where all are the same."""
    target, predicted = checked_numbers(y, prediction)
    return weighted_r2(target, (target - predicted) ** 2)(as_weights(weights, rows=len(target)))


def normalised_gini(y: ArrayLike, prediction: ArrayLike) -> float:
    """Measure how predictions rank the targets: 1 as the targets themselves, 0 as chance.

    The Gini coefficient of the targets in the order of the predictions (twice the area between
    Lorenz curve and diagonal) over that in their own order. Tied predictions share the targets of
    their group evenly.

    Args:
        y: n targets, with a sum above 0.
        prediction: n predictions; only their order matters.
    """
    target, predicted = checked_numbers(y, prediction)
    return weighted_gini(target, predicted)(np.ones_like(target))


def evaluate_regression(
    y: ArrayLike,
    prediction: ArrayLike,
    *,
    payers: bool = False,
    n_bootstrap: int = 500,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> dict[str, Interval]:
    """Score predictions by every metric, each with a bootstrap interval over rows.

    Args:
        y: n targets.
        prediction: n predictions.
        payers: Whether the target is money: adds `mape_of_payers` and `normalised_gini`.
        n_bootstrap: Number of resamples; 0 gives intervals of NaN.
        seed: Seed of the resamples.
        groups: n names, such as the person of each row, that are resampled as a whole.

    Returns:
        `r2`, `rmse` and `mae` in units of the target, `mean_target`, `mean_prediction`,
        `calibration_ratio` (mean prediction over mean target), and with `payers` those two. The
        first is the mean absolute error as a share of the target, 1 for a hundred per cent, among
        rows whose target is above 0; NaN when none is.
    """
    target, predicted = checked_numbers(y, prediction)
    squared, absolute = (target - predicted) ** 2, np.abs(target - predicted)
    scores: dict[str, Weighted] = {
        "r2": weighted_r2(target, squared),
        "rmse": lambda w: float(np.sqrt(np.dot(w, squared) / w.sum())),
        "mae": mean(absolute),
        "mean_target": mean(target),
        "mean_prediction": mean(predicted),
        "calibration_ratio": ratio(predicted, target),
    }
    if payers:
        scores["mape_of_payers"] = ratio(*_share_errors(target, predicted))
        scores["normalised_gini"] = weighted_gini(target, predicted)
    return bootstrapped(scores, rows=len(target), n_bootstrap=n_bootstrap, seed=seed, groups=groups)


def bias_by_chance(
    y: ArrayLike, prediction: ArrayLike, *, groups: ArrayLike | None = None
) -> float:
    """Return the share of the mean target that an unbiased mean prediction misses it by.

    It stays under that in 99 of 100 samples, by Student's distribution of the mean residual.

    Args:
        y: n targets.
        prediction: n predictions.
        groups: n names, such as the person of each row, whose rows go together.

    Returns:
        The share; infinite where there is one row or group, or no target above 0 on average.
    """
    target, predicted = checked_numbers(y, prediction)
    codes = np.arange(len(target)) if groups is None else pd.factorize(np.asarray(groups))[0]
    sums = np.bincount(codes, weights=predicted - target)
    if len(sums) < 2 or target.mean() <= 0.0:
        return math.inf
    error = math.sqrt(len(sums) * sums.var(ddof=1)) / len(target)
    return float(student.ppf(_CHANCE, len(sums) - 1) * error / target.mean())


def paired_loss_difference(
    first: ArrayLike,
    second: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> Interval:
    """Compute mean loss of the second model less that of the first, by a paired bootstrap.

    Above 0 the first model is better.

    Args:
        first: n losses of the first model, such as squared errors.
        second: n losses of the second model, for the same rows in the same order.
        weights: n weights of the rows, or None where they weigh alike.
        n_bootstrap: Number of resamples; both models see the same ones.
        seed: Seed of the resamples.
        groups: n names, such as the person of each row, that are resampled as a whole.
    """
    one, two = checked_numbers(first, second)
    weighs = as_weights(weights, rows=len(one))
    differences = bootstrapped(
        {"difference": ratio(weighs * (two - one), weighs)},
        rows=len(one),
        n_bootstrap=n_bootstrap,
        seed=seed,
        groups=groups,
    )
    return differences["difference"]


def squared_error_advantage(
    y: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    n_bootstrap: int = 1000,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> Interval:
    """Compute squared error of the second prediction less that of the first, on n rows.

    Above 0 the first is better; see `paired_loss_difference`.
    """
    truth = np.asarray(y, dtype=np.float64)
    one, two = ((np.asarray(p, dtype=np.float64) - truth) ** 2 for p in (first, second))
    return paired_loss_difference(one, two, n_bootstrap=n_bootstrap, seed=seed, groups=groups)


def decile_table(
    y: ArrayLike,
    prediction: ArrayLike,
    *,
    n_bootstrap: int = 500,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> pd.DataFrame:
    """Return mean target against mean prediction in tenths of the rows, the highest first.

    Args:
        y: n targets.
        prediction: n predictions; tied ones share the part of their first.
        n_bootstrap: Number of resamples for the interval of the mean target.
        seed: Seed of the resamples.
        groups: n names, such as the person of each row, that are resampled as a whole.

    Returns:
        One row a part that has rows: decile (1 = highest predictions), rows,
        mean_prediction, mean_target, mean_target_low, mean_target_high, share_of_total (of the sum
        of the targets; NaN where that is 0).
    """
    target, predicted = checked_numbers(y, prediction)
    part = DECILES - 1 - quantile_bins(predicted, bins=DECILES)
    rows = np.bincount(part, minlength=DECILES)
    there = np.flatnonzero(rows)
    means = bootstrapped(
        {str(d): ratio(target * (part == d), (part == d).astype(np.float64)) for d in there},
        rows=len(target),
        n_bootstrap=n_bootstrap,
        seed=seed,
        groups=groups,
    )
    sums, total = np.bincount(part, weights=target, minlength=DECILES), float(target.sum())
    return pd.DataFrame(
        {
            "decile": there + 1,
            "rows": rows[there],
            "mean_prediction": np.bincount(part, weights=predicted, minlength=DECILES)[there]
            / rows[there],
            "mean_target": [means[str(d)].value for d in there],
            "mean_target_low": [means[str(d)].low for d in there],
            "mean_target_high": [means[str(d)].high for d in there],
            "share_of_total": sums[there] / total if total else math.nan,
        }
    )


def _share_errors(y: Floats, prediction: Floats) -> tuple[Floats, Floats]:
    pays = y > 0.0
    shares = np.abs(y - prediction) / np.where(pays, y, 1.0)
    return np.where(pays, shares, 0.0), pays.astype(np.float64)


def weighted_r2(y: Floats, squared: Floats) -> Weighted:
    """Return the R2 of n targets and squared errors by the weight of each; NaN without variance."""

    def score(weights: Floats) -> float:
        mean = np.dot(weights, y) / weights.sum()
        spread = float(np.dot(weights, (y - mean) ** 2))
        return 1.0 - float(np.dot(weights, squared)) / spread if spread > 0.0 else math.nan

    return score


def weighted_gini(y: Floats, prediction: Floats) -> Weighted:
    """Return the normalised Gini of n targets and predictions by the weight of each."""
    own, ranked = _gini(y, y), _gini(y, prediction)

    def ratio(weights: Floats) -> float:
        best = own(weights)
        return ranked(weights) / best if best > 0.0 else math.nan

    return ratio


def _gini(y: Floats, scores: Floats) -> Weighted:
    order = np.argsort(scores, kind="stable")
    sorted_y = y[order]
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0.0])

    def gini(weights: Floats) -> float:
        drawn = weights[order]
        people = np.add.reduceat(drawn, starts)
        money = np.add.reduceat(drawn * sorted_y, starts)
        total = float(money.sum())
        if total <= 0.0:
            return math.nan
        share = np.cumsum(money) / total
        heights = (share + np.r_[0.0, share[:-1]]) / 2.0
        return 1.0 - 2.0 * float(np.dot(people, heights)) / float(people.sum())

    return gini
