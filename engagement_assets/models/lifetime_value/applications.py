"""What the business does with a lifetime value: acquisition, retention, VIPs.

Belongs here: the rules, as columns over predicted customers. Does not belong here: the value
(`model.py`) or carrying anything out (`engagement_assets.decisions`).

Acquisition: a channel pays as long as a customer costs less than a third of what they bring, the
usual rule of thumb of LTV to CAC of 3 to 1. The value is of customers who are here already; for
those to come, read it as the value of customers alike.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from engagement_assets.learning.evaluation.binary import Floats

CAC_SHARE = 0.33
VIP_SHARE = 0.1
WORTH_SHARE = 0.2
LOW_ENGAGEMENT = 0.5
LIFETIME_VALUE_LIMITS = (0.0, 10_000.0)


def lifetime_value(revenue_to_date_usd: ArrayLike, future_revenue_usd: ArrayLike) -> Floats:
    """Revenue to date plus future revenue in USD, within 0 and 10,000 as the label has it.

    Args:
        revenue_to_date_usd: n amounts; null, where the source has no transactions, counts nothing.
        future_revenue_usd: n expected amounts.
    """
    past = pd.Series(revenue_to_date_usd).to_numpy(dtype=np.float64, na_value=np.nan)
    total = np.nan_to_num(past) + np.asarray(future_revenue_usd, dtype=np.float64)
    value: Floats = np.clip(total, *LIFETIME_VALUE_LIMITS)
    return value


def acquisition_columns(
    lifetime_value_usd: ArrayLike, *, cac_usd: Mapping[str, float]
) -> pd.DataFrame:
    """Whether a customer like this is worth winning by each channel.

    Args:
        lifetime_value_usd: n values.
        cac_usd: What it costs to win a customer by each channel.

    Returns:
        n rows: `max_cac_usd` (0.33 of the value), and for each channel the boolean
        `acquire_<channel>`: whether its cost is below that.

    Raises:
        ValueError: When a channel's name is no plain lower-case word or its cost is negative or
            not finite.
    """
    most = CAC_SHARE * np.asarray(lifetime_value_usd, dtype=np.float64)
    columns: dict[str, ArrayLike] = {"max_cac_usd": most}
    for channel, cost in cac_usd.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", channel):
            raise ValueError(f"channel {channel!r} must be lower-case letters, digits and _")
        if not (math.isfinite(cost) and cost >= 0.0):
            raise ValueError(f"the CAC of {channel} must be 0 or more, got {cost}")
        columns[f"acquire_{channel}"] = cost < most
    return pd.DataFrame(columns)


@dataclass(frozen=True)
class Highest:
    """Where the highest share of some values begins.

    Attributes:
        last: The least value that is among them.
        least: The least value of all, which never is.
    """

    last: float
    least: float

    @classmethod
    def of(cls, values: ArrayLike, *, share: float) -> Self:
        """Look at n values; nobody is among the highest of none.

        Raises:
            ValueError: When the share is not in (0, 1].
        """
        if not 0.0 < share <= 1.0:
            raise ValueError(f"share must lie in (0, 1], got {share}")
        known = np.sort(np.asarray(values, dtype=np.float64))
        if not len(known):
            return cls(math.inf, math.inf)
        return cls(float(known[-max(1, math.floor(share * len(known)))]), float(known[0]))

    def __call__(self, values: ArrayLike) -> np.ndarray:
        """Whether each of m values is among them."""
        found = np.asarray(values, dtype=np.float64)
        among: np.ndarray = (found >= self.last) & (found > self.least)
        return among


def engagement_limit(
    future_revenue_usd: ArrayLike, engagement_score: ArrayLike, *, worth: Highest, quantile: float
) -> float:
    """The score up to which use counts as low among those worth much; NaN where none is known.

    Raises:
        ValueError: When the inputs differ in length or the quantile lies outside 0 to 1.
    """
    much = worth(future_revenue_usd)
    scores = pd.Series(engagement_score).to_numpy(dtype=np.float64, na_value=np.nan)
    if len(scores) != len(much):
        raise ValueError(f"{len(much)} amounts but {len(scores)} engagement scores")
    if not 0.0 <= quantile <= 1.0:
        raise ValueError(f"low_engagement must lie in 0 to 1, got {quantile}")
    known = much & np.isfinite(scores)
    return float(np.quantile(scores[known], quantile)) if known.any() else math.nan


def uses_little(
    future_revenue_usd: ArrayLike, engagement_score: ArrayLike, *, worth: Highest, limit: float
) -> np.ndarray:
    """Which of n customers are worth much and have a known score up to the limit."""
    scores = pd.Series(engagement_score).to_numpy(dtype=np.float64, na_value=np.nan)
    with np.errstate(invalid="ignore"):
        low: np.ndarray = worth(future_revenue_usd) & (scores <= limit)
    return low


@dataclass(frozen=True)
class ValueLimits:
    """What is much and what is little among all customers of a day.

    Kept, it says of one customer what it said of them among all.

    Attributes:
        vip: The top tenth by lifetime value.
        worth: The top fifth by future revenue.
        low_engagement: The score up to which use is low among the latter; NaN where none is known.
    """

    vip: Highest
    worth: Highest
    low_engagement: float

    @classmethod
    def of(cls, table: pd.DataFrame, engagement_score: ArrayLike) -> Self:
        """Look at n predicted customers, with n scores of engagement in their order."""
        worth = Highest.of(table["future_revenue_usd"], share=WORTH_SHARE)
        limit = engagement_limit(
            table["future_revenue_usd"], engagement_score, worth=worth, quantile=LOW_ENGAGEMENT
        )
        return cls(Highest.of(table["lifetime_value_usd"], share=VIP_SHARE), worth, limit)

    def to_dict(self) -> dict[str, Any]:
        """JSON data."""
        return {
            "vip": asdict(self.vip),
            "worth": asdict(self.worth),
            "low_engagement": None if math.isnan(self.low_engagement) else self.low_engagement,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote."""
        low = data["low_engagement"]
        return cls(
            Highest(**data["vip"]), Highest(**data["worth"]), math.nan if low is None else low
        )


def application_columns(
    table: pd.DataFrame,
    *,
    engagement_score: ArrayLike,
    cac_usd: Mapping[str, float],
    limits: ValueLimits | None = None,
) -> pd.DataFrame:
    """Every application as columns of n predicted customers.

    Args:
        table: n rows with `lifetime_value_usd` and `future_revenue_usd`.
        engagement_score: n predicted scores in the order of the rows, null where not predicted.
        cac_usd: What it costs to win a customer by each channel.
        limits: Of all customers, where the rows are some of them; those of the rows when None.

    Returns:
        n rows with the index of the table: `max_cac_usd`, `acquire_channels` (those that pay, by
        comma), `retention_priority` and `is_vip`.
    """
    if limits is None:
        limits = ValueLimits.of(table, engagement_score)
    out = acquisition_columns(table["lifetime_value_usd"], cac_usd=cac_usd)
    worth = out[[f"acquire_{name}" for name in cac_usd]].to_numpy(dtype=bool)
    names = np.array(list(cac_usd), dtype=object)
    channels = [", ".join(names[row]) for row in worth]
    return pd.DataFrame(
        {
            "max_cac_usd": out["max_cac_usd"].to_numpy(),
            "acquire_channels": pd.Series(channels, dtype=object).to_numpy(),
            "retention_priority": uses_little(
                table["future_revenue_usd"],
                engagement_score,
                worth=limits.worth,
                limit=limits.low_engagement,
            ),
            "is_vip": limits.vip(table["lifetime_value_usd"]),
        },
        index=table.index,
    )
