"""Turning a model's raw scores into probabilities that can be believed.

Belongs here: monotone maps from log-odds to probability, fitted on out-of-fold scores. Does not
belong here: measuring calibration (`metrics`) or making the out-of-fold scores (the estimators).

Three maps are tried, the last from 1,000 rows on, and the one with the least cross-validated log
loss is kept:

* `sigmoid`: logit p = c + a * s (Platt 1999);
* `beta`: logit p = c + a * ln q - b * ln(1 - q) with q = sigmoid(s) (Kull, Silva Filho and Flach,
  AISTATS 2017), which bends the two ends apart from each other;
* `isotonic`: isotonic regression over quantile bins, joined by a monotone cubic (PCHIP) in
  log-odds and mixed with a little of the sigmoid, so that it has no steps.

Each is strictly increasing. Plain isotonic regression ties whole ranges of scores, which costs
AUC and makes a ranking of rows arbitrary inside a step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from engagement_assets.learning.evaluation.binary import Floats, as_labels, as_weights
from engagement_assets.learning.evaluation.metrics import log_loss
from engagement_assets.learning.json_data import JsonData

METHODS = ("sigmoid", "beta", "isotonic")

_LEAST_SLOPE = 1e-3
_NEWTON_STEPS = 20
# The loss counts as least where no slope of it, in nats a unit of a coefficient, is greater.
_FLAT = 1e-9
_SOFT_LIMIT = 12.0
_SOFT_RANGE = 8.0
_SIGMOID_SHARE = 0.02
_ROWS_A_KNOT = 50
# Fewer rows bend an isotonic map to their noise (Niculescu-Mizil and Caruana, ICML 2005).
_ROWS_OF_ISOTONIC = 1_000
_MOST_KNOTS = 30


@dataclass(frozen=True)
class Calibrator(JsonData):
    """A strictly increasing map from a score in log-odds to a probability inside (0, 1).

    Attributes:
        method: One of `METHODS`.
        parameters: `slope_low`, `slope_high`, `intercept` of the parametric part.
        knots: Log-odds of the knots of the isotonic part, or ().
        values: Calibrated log-odds at the knots, or ().
        log_losses: Cross-validated log loss in nats of each method that was tried.
    """

    method: str
    parameters: tuple[float, float, float]
    knots: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    log_losses: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"unknown calibration {self.method!r}: expected one of {METHODS}")

    def __call__(self, scores: ArrayLike) -> Floats:
        """Return the probabilities of n scores in log-odds, strictly inside (0, 1)."""
        s = np.asarray(scores, dtype=np.float64)
        out = _parametric(s, self.parameters)
        if self.knots:
            spline = _spline(s, np.array(self.knots), np.array(self.values))
            out = _SIGMOID_SHARE * out + (1.0 - _SIGMOID_SHARE) * spline
        # Beyond 12 the log-odds are bent towards 20: the probability stays off 0 and 1, and a
        # hard limit would tie the surest rows with each other.
        beyond = out - np.clip(out, -_SOFT_LIMIT, _SOFT_LIMIT)
        probability: Floats = expit(out - beyond + _SOFT_RANGE * np.tanh(beyond / _SOFT_RANGE))
        return probability


def fit_calibrator(
    y: ArrayLike,
    scores: ArrayLike,
    *,
    method: str = "auto",
    weights: ArrayLike | None = None,
    folds: int = 5,
    seed: int = 0,
) -> Calibrator:
    """Fit a calibrator on out-of-fold scores.

    Args:
        y: n labels of 0 and 1.
        scores: n scores in log-odds, each from a model that did not see its row.
        method: One of `METHODS`, or "auto" for the least cross-validated log loss.
        weights: n weights of the rows, of mean 1 as a row is evidence; None where they weigh alike.
        folds: Folds of that cross-validation; fewer when a class is rarer than that.
        seed: Seed of its folds.

    Raises:
        OneClassError: When only one class is present.
        ValueError: When the method is unknown or a score is not finite.
    """
    labels, s = as_labels(y), np.asarray(scores, dtype=np.float64)
    if s.shape != labels.shape:
        raise ValueError(f"{len(labels)} labels but scores of shape {s.shape}")
    if not np.isfinite(s).all():
        raise ValueError("scores must be finite log-odds")
    if method not in (*METHODS, "auto"):
        raise ValueError(f"unknown calibration {method!r}: expected one of {METHODS} or 'auto'")
    # a fit of three numbers: the threads of BLAS cost it more than they bring
    with threadpool_limits(limits=1, user_api="blas"):
        weighs = as_weights(weights, rows=len(labels))
        return _chosen(labels, s, weighs, method, folds=folds, seed=seed)


def _chosen(
    labels: Floats, s: Floats, weights: Floats, method: str, *, folds: int, seed: int
) -> Calibrator:
    if method != "auto":
        return _fit(labels, s, weights, method)
    folds = min(folds, int(labels.sum()), int((1.0 - labels).sum()))
    if folds < 2:
        return _fit(labels, s, weights, "sigmoid")
    tried = METHODS if len(s) >= _ROWS_OF_ISOTONIC else ("sigmoid", "beta")
    losses = dict.fromkeys(tried, 0.0)
    splitter = StratifiedKFold(n_splits=folds, shuffle=True, random_state=seed)
    for train, held_out in splitter.split(s[:, None], labels):
        for name in tried:
            p = _fit(labels[train], s[train], weights[train], name)(s[held_out])
            rest = weights[held_out]
            losses[name] += log_loss(labels[held_out], p, weights=rest) * rest.sum() / weights.sum()
    best = min(tried, key=lambda name: losses[name])
    chosen = _fit(labels, s, weights, best)
    return Calibrator(best, chosen.parameters, chosen.knots, chosen.values, losses)


def _fit(y: Floats, s: Floats, weights: Floats, method: str) -> Calibrator:
    parameters = _fit_parametric(y, s, weights, one_slope=method != "beta")
    if method != "isotonic":
        return Calibrator(method, parameters)
    knots, values = _fit_isotonic(y, s, weights)
    if len(knots) < 2:
        return Calibrator(method, parameters)
    return Calibrator(method, parameters, tuple(knots.tolist()), tuple(values.tolist()))


def _parametric(s: Floats, parameters: tuple[float, float, float]) -> Floats:
    slope_low, slope_high, intercept = parameters
    # ln sigmoid(s) = -ln(1 + e^-s) and -ln(1 - sigmoid(s)) = ln(1 + e^s); they add up to s.
    low, high = -np.logaddexp(0.0, -s), np.logaddexp(0.0, s)
    out: Floats = slope_low * low + slope_high * high + intercept
    return out


def _fit_parametric(
    y: Floats, s: Floats, weights: Floats, *, one_slope: bool
) -> tuple[float, float, float]:
    low, high = -np.logaddexp(0.0, -s), np.logaddexp(0.0, s)
    # Platt's targets keep the slope finite when the scores separate the classes.
    total, positives = float(weights.sum()), float(np.dot(weights, y))
    negatives = total - positives
    target = np.where(y == 1.0, (positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0))

    slopes = [low + high] if one_slope else [low, high]
    fitted = _logistic(np.column_stack([*slopes, np.ones_like(s)]), target, weights / total)
    return float(fitted[0]), float(fitted[-2]), float(fitted[-1])


def _logistic(columns: Floats, target: Floats, weights: Floats) -> Floats:
    """Return the coefficients of least log loss, all but the last at least `_LEAST_SLOPE`.

    Newton's method needs fewer steps than L-BFGS for so few coefficients; where it leaves the
    bound or does not bring the loss down, L-BFGS within the bound goes on.

    Args:
        columns: n x k, the last of ones.
        target: n chances.
        weights: n weights whose sum is 1.
    """

    def loss(theta: Floats) -> tuple[float, Floats]:
        z = columns @ theta
        value = float(weights @ (np.logaddexp(0.0, z) - target * z))
        return value, (weights * (expit(z) - target)) @ columns

    theta = np.r_[np.ones(columns.shape[1] - 1), 0.0]
    value, gradient = loss(theta)
    for _ in range(_NEWTON_STEPS):
        p = expit(columns @ theta)
        curvature = (columns * (weights * p * (1.0 - p))[:, None]).T @ columns
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        after, slope = loss(theta - step)
        if not after <= value or (theta - step)[:-1].min() < _LEAST_SLOPE:
            break
        theta, value, gradient = theta - step, after, slope
        if np.abs(gradient).max() < _FLAT:
            solved: Floats = theta
            return solved
    bounds = [(_LEAST_SLOPE, None)] * (len(theta) - 1) + [(None, None)]
    options = {"maxiter": 500, "ftol": 1e-12, "gtol": 1e-8}
    fitted: Floats = minimize(
        loss, theta, jac=True, method="L-BFGS-B", bounds=bounds, options=options
    ).x
    return fitted


def _fit_isotonic(y: Floats, s: Floats, weights: Floats) -> tuple[Floats, Floats]:
    bins = int(np.clip(len(y) // _ROWS_A_KNOT, 2, _MOST_KNOTS))
    order = np.argsort(s, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    centres = np.array([np.average(s[part], weights=weights[part]) for part in parts])
    sizes = np.array([weights[part].sum() for part in parts])
    # Half a pseudo-positive and half a pseudo-negative a bin keep the log-odds finite.
    rates = np.array([(np.dot(weights[part], y[part]) + 0.5) for part in parts]) / (sizes + 1.0)
    rising = IsotonicRegression(y_min=0.0, y_max=1.0).fit_transform(
        centres, rates, sample_weight=sizes
    )
    knots, first = np.unique(centres, return_index=True)
    return knots, logit(rising[first])


def _spline(s: Floats, knots: Floats, values: Floats) -> Floats:
    inside = PchipInterpolator(knots, values)(np.clip(s, knots[0], knots[-1]))
    beyond = s - np.clip(s, knots[0], knots[-1])
    # Beyond the last knots the log-odds go on one for one, as an untouched score would.
    out: Floats = inside + beyond
    return out
