"""Bayesian logistic regressions of several arms that share a prior, by Laplace's approximation.

Belongs here: posteriors from weighted rows. Does not belong here: choosing by them (`thompson`).

Every arm's coefficients are the pooled ones, of a regression over all arms, plus a deviation with
a normal prior of mean 0. So what moves rewards whatever is done is learnt from all rows, and an arm
without rows starts from the pooled prediction, unsure of itself. The deviations' precision, one for
the intercepts and one for the rest, follows from the rows by MacKay's fixed point (Neural
Computation 4, 1992): (gamma + c) / (sum of squared deviations + c scale^2), where gamma counts the
deviations that the rows determine; the small c makes a Gamma prior, which alone speaks where there
are no rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]
_ROUNDS = 50
# Deviations of the prior scale that the prior of their precision counts for.
_PRIOR_ROWS = 0.1
_NEWTON = 50
# Newton decrement, twice the log posterior that is still to gain.
_TOLERANCE = 1e-10
_LEAST_SHARE = 2.0**-20
_POOLED_PRECISION = 0.1


@dataclass(frozen=True)
class ArmPosteriors:
    """Normal posteriors of k arms' d coefficients.

    Attributes:
        mean: k x d.
        covariance: k x d x d.
        prior_mean: d, of an arm without rows.
        prior_precision: d, its deviations'.
        rows: Weight of the rows of each arm.
    """

    mean: Floats
    covariance: Floats
    prior_mean: Floats
    prior_precision: Floats
    rows: Floats

    def linear(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of each arm's log odds in n contexts, n x k each."""
        middle = rows @ self.mean.T
        variance = np.stack([((rows @ one) * rows).sum(axis=1) for one in self.covariance], axis=1)
        return middle, np.sqrt(np.maximum(variance, 0.0))


def fit_arms(
    rows: Floats,
    arm: NDArray[np.int64],
    reward: Floats,
    weight: Floats,
    *,
    arms: int,
    prior_scale: float,
) -> ArmPosteriors:
    """Fit k arms.

    Args:
        rows: n x d contexts, the intercept first.
        arm: n positions of arms.
        reward: n rewards from 0 to 1; a share counts as so many of one.
        weight: n weights.
        arms: k.
        prior_scale: Standard deviation of a deviation where no rows say otherwise.
    """
    d = rows.shape[1]
    pooled, _ = _mode(rows, reward, weight, np.zeros(d), np.full(d, _POOLED_PRECISION))
    own = [np.flatnonzero(arm == position) for position in range(arms)]
    parts = [(rows[places], reward[places], weight[places]) for places in own]
    first = np.full(d, prior_scale**-2.0)
    fits = [_mode(*part, pooled, first) for part in parts]
    start, precision = _shrunk(
        np.array([mean for mean, _ in fits]) - pooled,
        np.array([hessian for _, hessian in fits]),
        first,
        prior_scale,
    )
    start += pooled
    final = [
        _mode(*part, pooled, precision, start=begun)
        for part, begun in zip(parts, start, strict=True)
    ]
    return ArmPosteriors(
        mean=np.array([mean for mean, _ in final]),
        covariance=np.array([np.linalg.inv(hessian) for _, hessian in final]),
        prior_mean=pooled,
        prior_precision=precision,
        rows=np.array([float(part[2].sum()) for part in parts]),
    )


def _shrunk(
    deviation: Floats, hessian: Floats, first: Floats, prior_scale: float
) -> tuple[Floats, Floats]:
    """Return k x d deviations and the precision of their prior that the rows speak for.

    The likelihood is taken as quadratic around the modes under the first precision, so that no
    round reads the rows.

    Args:
        deviation: k x d modes.
        hessian: k x d x d of the posteriors there.
        first: d, the precision of these.
        prior_scale: As of `fit_arms`.
    """
    d = len(first)
    likelihood = hessian - np.diag(first)
    linear = np.einsum("aij,aj->ai", hessian, deviation)
    intercept, precision = np.arange(d) == 0, first.copy()
    for _ in range(_ROUNDS):
        covariance = np.linalg.inv(likelihood + np.diag(precision))
        deviation = np.einsum("aij,aj->ai", covariance, linear)
        determined = 1.0 - precision * np.einsum("aii->ai", covariance)
        for group in (intercept, ~intercept):
            if group.any():
                precision[group] = (determined[:, group].sum() + _PRIOR_ROWS) / (
                    (deviation[:, group] ** 2).sum() + _PRIOR_ROWS * prior_scale**2
                )
    return deviation, precision


def _mode(
    rows: Floats,
    reward: Floats,
    weight: Floats,
    prior_mean: Floats,
    precision: Floats,
    *,
    start: Floats | None = None,
    steps: int = _NEWTON,
) -> tuple[Floats, Floats]:
    """Return the mode of a posterior and the Hessian there, by Newton's method.

    A step that would lower the posterior is halved, so that it converges from anywhere.
    """
    beta = prior_mean.copy() if start is None else start.copy()

    def objective(at: Floats) -> float:
        eta = rows @ at
        fit = np.dot(weight, reward * eta - np.logaddexp(0.0, eta))
        return float(fit - 0.5 * np.dot(precision, (at - prior_mean) ** 2))

    value = objective(beta)
    for _ in range(steps):
        chance = expit(rows @ beta)
        gradient = rows.T @ (weight * (reward - chance)) - precision * (beta - prior_mean)
        step = np.linalg.solve(_hessian(rows, weight, chance, precision), gradient)
        if np.dot(gradient, step) < _TOLERANCE:
            break
        share, rounding = 1.0, 1e-12 * abs(value)
        while (then := objective(beta + share * step)) < value - rounding and share > _LEAST_SHARE:
            share /= 2.0
        beta, value = beta + share * step, then
    return beta, _hessian(rows, weight, expit(rows @ beta), precision)


def _hessian(rows: Floats, weight: Floats, chance: Floats, precision: Floats) -> Floats:
    curvature = (weight * chance * (1.0 - chance))[:, None]
    return (rows * curvature).T @ rows + np.diag(precision)
