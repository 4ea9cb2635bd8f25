"""How good a probability is: metrics of binary labels, each with a bootstrap interval.

Belongs here: the definitions of the metrics. Does not belong here: choosing a threshold
(`thresholds`), comparing groups of people (`fairness`) or deciding which model serves
(`engagement_assets.lifecycle.champion`).

A resample is a vector of counts over the sorted rows, so the rows are sorted once and never
copied.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from engagement_assets.learning.evaluation.binary import Floats, Ranked, as_weights, checked
from engagement_assets.learning.evaluation.bootstrap import Interval, bootstrap, bootstrapped

_CLIP = 1e-15
_CALIBRATION_BINS = 10
DECILES = 10
# of a calibrated model: it is refused by chance once in a hundred
_CHANCE_DRAWS, _CHANCE = 1_000, 0.99


def auc(y: ArrayLike, p: ArrayLike) -> float:
    """Return area under the ROC curve; tied scores count half.

    Args:
        y: n labels of 0 and 1.
        p: n scores; only their order matters.

    Raises:
        OneClassError: When only one class is present.
    """
    labels, probability = checked(y, p)
    return Ranked(labels, probability).auc(np.ones_like(labels))


def _f1(y: Floats, flagged: NDArray[np.bool_], weights: Floats) -> float:
    hits = float(np.dot(weights, y * flagged))
    total = float(np.dot(weights, y) + np.dot(weights, flagged))
    return 2.0 * hits / total if total else 0.0


def log_loss(y: ArrayLike, p: ArrayLike, *, weights: ArrayLike | None = None) -> float:
    """Return mean negative log likelihood in nats; probabilities are clipped at 1e-15.

    Args:
        y: n labels of 0 and 1, one class allowed.
        p: n probabilities.
        weights: n weights of the rows, or None where they weigh alike.
    """
    labels, probability = checked(y, p, both_classes=False)
    weighs = as_weights(weights, rows=len(labels))
    return float(np.average(row_log_losses(labels, probability), weights=weighs))


def row_log_losses(y: Floats, p: Floats) -> Floats:
    """Return the negative log likelihood of each of n rows in nats; see `log_loss`."""
    clipped = np.clip(p, _CLIP, 1.0 - _CLIP)
    losses: Floats = -(y * np.log(clipped) + (1.0 - y) * np.log1p(-clipped))
    return losses


def quantile_bins(p: ArrayLike, *, bins: int = _CALIBRATION_BINS) -> NDArray[np.int64]:
    """Put scores into bins of equal size by rank; tied scores share the bin of their first.

    Args:
        p: n scores.
        bins: How many bins at most.

    Returns:
        n bin numbers from 0 (lowest scores) to `bins` - 1.
    """
    scores = np.asarray(p, dtype=np.float64)
    first_rank = np.searchsorted(np.sort(scores), scores, side="left")
    return (first_rank * bins // max(len(scores), 1)).astype(np.int64)


def expected_calibration_error(
    y: ArrayLike, p: ArrayLike, *, bins: int = _CALIBRATION_BINS
) -> float:
    """Return expected calibration error over bins of equal size.

    The rows are put into `bins` quantile bins by probability; the error is the mean over rows of
    |observed rate - mean probability| of the row's bin (Naeini et al., AAAI 2015, with bins of
    equal size as in Nguyen and O'Connor 2015, since most probabilities are small). It is
    never negative, so even a perfect model has a little of it by chance.

    Args:
        y: n labels of 0 and 1, one class allowed.
        p: n probabilities.
        bins: Number of bins.
    """
    labels, probability = checked(y, p, both_classes=False)
    gaps = np.bincount(quantile_bins(probability, bins=bins), weights=labels - probability)
    return float(np.abs(gaps).sum() / len(labels))


def calibration_error_by_chance(p: ArrayLike, *, seed: int = 0) -> float:
    """Return the error that calibrated probabilities stay under by chance in 99 of 100 samples.

    The error is a mean of absolute gaps, so it is above 0 even when every probability is right;
    on few rows by much. Labels are drawn from the n probabilities themselves.
    """
    probability = np.asarray(p, dtype=np.float64)
    bins = quantile_bins(probability)
    rng = np.random.default_rng(seed)
    errors = [
        np.abs(
            np.bincount(bins, weights=(rng.random(len(probability)) < probability) - probability)
        ).sum()
        / len(probability)
        for _ in range(_CHANCE_DRAWS)
    ]
    return float(np.quantile(errors, _CHANCE))


def reliability_table(y: ArrayLike, p: ArrayLike, *, bins: int = _CALIBRATION_BINS) -> pd.DataFrame:
    """Return observed rate against mean probability in quantile bins.

    Args:
        y: n labels of 0 and 1, one class allowed.
        p: n probabilities.
        bins: Number of bins.

    Returns:
        One row a non-empty bin: bin, rows, mean_probability, positive_rate.
    """
    labels, probability = checked(y, p, both_classes=False)
    frame = pd.DataFrame(
        {"bin": quantile_bins(probability, bins=bins), "y": labels, "p": probability}
    )
    grouped = frame.groupby("bin")
    return pd.DataFrame(
        {
            "rows": grouped.size(),
            "mean_probability": grouped["p"].mean(),
            "positive_rate": grouped["y"].mean(),
        }
    ).reset_index()


def evaluate(
    y: ArrayLike,
    p: ArrayLike,
    *,
    threshold: float,
    recall: float = 0.8,
    n_bootstrap: int = 500,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> dict[str, Interval]:
    """Score probabilities by every metric, each with a bootstrap interval over rows.

    Args:
        y: n labels of 0 and 1.
        p: n probabilities.
        threshold: Probability at or above which a row is flagged, for `f1`.
        recall: Recall at which precision is read.
        n_bootstrap: Number of resamples; 0 gives intervals of NaN.
        seed: Seed of the resamples.
        groups: n names, such as the person of each row, that are resampled as a whole.

    Returns:
        `auc`; `precision_at_recall` at the highest threshold that finds `recall` of the positives;
        `f1` of flagging from the threshold on, 0 when none is right; `log_loss`;
        `calibration_error`; `brier`, the mean squared difference of probability and label (Brier
        1950); `base_rate`. The bins of the calibration error are those of the whole sample; its
        interval lies rather high, since resampling adds noise to a mean of absolute values.
        What needs both classes is NaN where only one is present.
    """
    labels, probability = checked(y, p, both_classes=False)
    ranked = Ranked(labels, probability)
    ys, ps = ranked.y, ranked.p
    bins = quantile_bins(ps)
    flagged = ps >= threshold
    losses, errors, gaps = row_log_losses(ys, ps), (ps - ys) ** 2, ys - ps

    def scores(weights: Floats) -> tuple[float, ...]:
        total = weights.sum()
        return (
            ranked.auc(weights),
            ranked.precision_at_recall(weights, recall),
            _f1(ys, flagged, weights),
            float(np.dot(weights, losses) / total),
            float(np.abs(np.bincount(bins, weights=weights * gaps)).sum() / total),
            float(np.dot(weights, errors) / total),
            float(np.dot(weights, ys) / total),
        )

    names = (
        "auc",
        "precision_at_recall",
        "f1",
        "log_loss",
        "calibration_error",
        "brier",
        "base_rate",
    )
    named = None if groups is None else np.asarray(groups)[ranked.order]
    intervals = bootstrap(scores, rows=len(ys), n_bootstrap=n_bootstrap, seed=seed, groups=named)
    return dict(zip(names, intervals, strict=True))


def paired_auc_difference(
    y: ArrayLike,
    p_first: ArrayLike,
    p_second: ArrayLike,
    *,
    n_bootstrap: int = 1000,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> Interval:
    """Compute AUC of the first scores less that of the second, by a paired bootstrap.

    Args:
        y: n labels of 0 and 1.
        p_first: n scores of the first model.
        p_second: n scores of the second model, for the same rows in the same order.
        n_bootstrap: Number of resamples; both models see the same ones.
        seed: Seed of the resamples.
        groups: n names, such as the person of each row, that are resampled as a whole.

    Returns:
        The difference; NaN where only one class is present.
    """
    labels, first = checked(y, p_first, both_classes=False)
    _, second = checked(y, p_second, both_classes=False)
    one, two = Ranked(labels, first), Ranked(labels, second)

    def difference(weights: Floats) -> float:
        return one.auc(weights[one.order]) - two.auc(weights[two.order])

    how: dict[str, Any] = {"n_bootstrap": n_bootstrap, "seed": seed, "groups": groups}
    return bootstrapped({"difference": difference}, rows=len(labels), **how)["difference"]


def lift_table(
    y: ArrayLike,
    p: ArrayLike,
    *,
    n_bootstrap: int = 500,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> pd.DataFrame:
    """Count the positives that the rows of each tenth hold, from the highest scores down.

    Args:
        y: n labels of 0 and 1; fewer than 10 give as many parts.
        p: n scores; ties are cut in the order of the rows.
        n_bootstrap: Number of resamples for the interval of the lift.
        seed: Seed of the resamples.
        groups: n names, such as the person of each row, that are resampled as a whole.

    Returns:
        One row a part: decile (1 = highest scores), rows, mean_probability, positive_rate,
        lift (its rate over the base rate), lift_low, lift_high, cumulative_share_of_positives.

    Raises:
        OneClassError: When only one class is present.
    """
    labels, probability = checked(y, p)
    n = len(labels)
    parts = min(DECILES, n)
    order = np.argsort(-probability, kind="stable")
    ys, ps = labels[order], probability[order]
    part = np.arange(n) * parts // n

    def lifts(weights: Floats) -> Floats:
        members = np.bincount(part, weights=weights, minlength=parts)
        positives = np.bincount(part, weights=weights * ys, minlength=parts)
        with np.errstate(divide="ignore", invalid="ignore"):
            result: Floats = (positives / members) / (positives.sum() / weights.sum())
        return result

    named = None if groups is None else np.asarray(groups)[order]
    intervals = bootstrap(lifts, rows=n, n_bootstrap=n_bootstrap, seed=seed, groups=named)
    rows = np.bincount(part, minlength=parts)
    positives = np.bincount(part, weights=ys, minlength=parts)
    return pd.DataFrame(
        {
            "decile": np.arange(1, parts + 1),
            "rows": rows,
            "mean_probability": np.bincount(part, weights=ps, minlength=parts) / rows,
            "positive_rate": positives / rows,
            "lift": [one.value for one in intervals],
            "lift_low": [one.low for one in intervals],
            "lift_high": [one.high for one in intervals],
            "cumulative_share_of_positives": np.cumsum(positives) / positives.sum(),
        }
    )
