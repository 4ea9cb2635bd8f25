"""Expected future spend from few numbers of each buyer's past: BG/NBD with Gamma-Gamma.

Belongs here: the two likelihoods and what they expect. Does not belong here: a model that reads
anything else of a buyer (`trees.revenue`) or judging (`evaluation.regression`).

Buyers buy at a rate of their own (gamma) until, after some purchase, they stop for good with a
probability of their own (beta): BG/NBD, Fader, Hardie and Lee (Marketing Science 24, 2005). What an
order is worth varies about a mean of their own, independent of the rate: Gamma-Gamma, Fader and
Hardie (2013). Four and three parameters, no targets: it needs no later time to learn from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.weights import checked_weights

COLUMNS = ("orders", "recency_days", "age_days", "mean_order")
LEAST_REPEATERS = 20
# Of the logarithms of the parameters: beyond, the likelihood is flat.
_ANY = (-8.0, 8.0)
# Above 1, or buyers' means have no mean.
_ABOVE_ONE = (1e-3, 8.0)


@dataclass(frozen=True)
class BuyerModel:
    """The fitted parameters; time is in units of `unit` days, money in units of `money`.

    Attributes:
        r: Shape of the rates of buying.
        alpha: Their inverse scale.
        a: First parameter of the chance to stop after a purchase.
        b: Second parameter.
        p: Shape of the amounts of one buyer.
        q: Shape of the buyers' means.
        v: Scale of the buyers' means.
        unit: Days in a unit of time.
        money: Amount in a unit of money.
    """

    r: float
    alpha: float
    a: float
    b: float
    p: float
    q: float
    v: float
    unit: float
    money: float

    @classmethod
    def fit(cls, buyers: pd.DataFrame, *, sample_weight: ArrayLike | None = None) -> BuyerModel:
        """Fit both parts by maximum likelihood.

        Args:
            buyers: n rows with `orders` (at least 1), `recency_days` (from the first order to the
                last), `age_days` (from the first order to today) and `mean_order` (above 0).
            sample_weight: n weights of the buyers' log likelihoods, 0 or more: a buyer of weight 2
                is as two alike, one of weight 0 as if not there. None where they weigh alike.

        Raises:
            TooLittleDataError: When fewer than 20 buyers that weigh anything came back.
            ValueError: When a column is missing or its values cannot be, or as `checked_weights`
                does.
        """
        weights = None
        if sample_weight is not None:
            weights = checked_weights(sample_weight, buyers)
            buyers, weights = buyers[weights > 0.0], weights[weights > 0.0]
        orders, recency, age, mean = _columns(buyers)
        if (orders > 1).sum() < LEAST_REPEATERS:
            raise TooLittleDataError(
                f"{(orders > 1).sum()} buyers have a second order: "
                f"at least {LEAST_REPEATERS} are needed"
            )
        unit, money = (float(np.average(values, weights=weights)) for values in (age, mean))
        repeats, last, until = orders - 1.0, recency / unit, age / unit

        def average(values: Floats) -> float:
            return float(np.average(values, weights=weights))

        def timing(logs: Floats) -> float:
            r, alpha, a, b = np.exp(logs)
            return -average(_timing(r, alpha, a, b, repeats, last, until))

        def amounts(logs: Floats) -> float:
            p, q, v = np.exp(logs)
            return -average(_amounts(p, q, v, orders, mean / money))

        r, alpha, a, b = _least(timing, [_ANY] * 4)
        p, q, v = _least(amounts, [_ANY, _ABOVE_ONE, _ANY])
        return cls(r, alpha, a, b, p, q, v, unit, money)

    def predict_orders(self, buyers: pd.DataFrame, *, days: float) -> Floats:
        """Return the n expected numbers of orders in the days after."""
        orders, recency, age, _ = _columns(buyers)
        # the expectation has a removable pole at a = 1
        a = self.a if abs(self.a - 1.0) > 1e-6 else 1.0 + 1e-6
        shape, now = self.r + orders - 1.0, self.alpha + age / self.unit
        ahead, stay = days / self.unit, self.b + orders - 1.0
        share = ahead / (now + ahead)
        later = (1.0 - share) ** shape * hyp2f1(shape, stay, a + stay - 1.0, share)
        # who has come once only cannot have stopped: each stop follows a repeated order
        stopped = a / np.where(orders > 1, stay - 1.0, 1.0)
        odds = (now / (self.alpha + recency / self.unit)) ** shape * stopped
        gone = np.where(orders > 1, odds, 0.0)
        expected: Floats = (a + stay - 1.0) / (a - 1.0) * (1.0 - later) / (1.0 + gone)
        return np.maximum(expected, 0.0)

    def predict_mean_order(self, buyers: pd.DataFrame) -> Floats:
        """Return the n expected amounts of an order: the own mean, drawn towards everybody's."""
        orders, _, _, mean = _columns(buyers)
        spent = self.v + orders * mean / self.money
        expected: Floats = self.money * self.p * spent / (self.p * orders + self.q - 1.0)
        return expected

    def predict(self, buyers: pd.DataFrame, *, days: float) -> Floats:
        """Return the n expected amounts that the buyers spend in the days after."""
        return self.predict_orders(buyers, days=days) * self.predict_mean_order(buyers)


def _columns(buyers: pd.DataFrame) -> tuple[Floats, Floats, Floats, Floats]:
    missing = [name for name in COLUMNS if name not in buyers.columns]
    if missing:
        raise ValueError(f"columns are missing: {missing}")
    orders, recency, age, mean = buyers[list(COLUMNS)].to_numpy(dtype=np.float64, na_value=np.nan).T
    fits = (orders >= 1) & (recency >= 0) & (recency <= age) & (mean > 0) & np.isfinite(mean * age)
    if not fits.all():
        raise ValueError(
            f"{(~fits).sum()} rows cannot be: orders are at least 1, recency_days between 0 and "
            "age_days, mean_order above 0, none null"
        )
    return orders, recency, age, mean


def _timing(
    r: float, alpha: float, a: float, b: float, repeats: Floats, last: Floats, until: Floats
) -> Floats:
    """Return the n log likelihoods of BG/NBD."""
    shape = r + repeats
    both = gammaln(shape) - gammaln(r) + r * np.log(alpha)
    active = betaln(a, b + repeats) - betaln(a, b) - shape * np.log(alpha + until)
    stopped = (
        betaln(a + 1.0, b + np.maximum(repeats, 1.0) - 1.0)
        - betaln(a, b)
        - shape * np.log(alpha + last)
    )
    out: Floats = both + np.where(repeats > 0, np.logaddexp(active, stopped), active)
    return out


def _amounts(p: float, q: float, v: float, orders: Floats, mean: Floats) -> Floats:
    """Return the n log likelihoods of the mean of each buyer's orders."""
    px = p * orders
    out: Floats = (
        gammaln(px + q) - gammaln(px) - gammaln(q) + q * np.log(v)
        + (px - 1.0) * np.log(mean) + px * np.log(orders) - (px + q) * np.log(v + orders * mean)
    )  # fmt: skip
    return out


def _least(loss: Callable[[Floats], float], bounds: list[tuple[float, float]]) -> list[float]:
    """Return the parameters of the least loss; the search starts near 1 each."""
    fitted = minimize(loss, np.full(len(bounds), 0.1), method="L-BFGS-B", bounds=bounds)
    return [float(value) for value in np.exp(fitted.x)]
