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

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from engagement_assets.evaluation.binary import Floats

CAC_SHARE = 0.33
VIP_SHARE = 0.1
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


def is_vip(value_usd: ArrayLike, *, share: float = VIP_SHARE) -> np.ndarray:
    """Mark the customers of the highest share by value.

    Those who tie with the last of them are VIPs too; but nobody who is worth as little as the least
    of all, so where most are worth nothing there are fewer.

    Args:
        value_usd: n values.
        share: Share of the customers, in (0, 1].

    Raises:
        ValueError: When the share is not in (0, 1].
    """
    if not 0.0 < share <= 1.0:
        raise ValueError(f"share must lie in (0, 1], got {share}")
    values = np.asarray(value_usd, dtype=np.float64)
    if not len(values):
        return np.zeros(0, dtype=bool)
    last = np.sort(values)[-max(1, math.floor(share * len(values)))]
    vip: np.ndarray = (values >= last) & (values > values.min())
    return vip


def retention_priority(
    future_revenue_usd: ArrayLike,
    engagement_score: ArrayLike,
    *,
    value_share: float = 0.2,
    low_engagement: float = 0.5,
) -> np.ndarray:
    """Mark who is worth much and uses little: the first to be kept.

    Args:
        future_revenue_usd: n expected amounts: what can still be lost.
        engagement_score: n predicted scores; null where not predicted, which is no priority.
        value_share: Share of the customers who count as worth much.
        low_engagement: Quantile of the scores of those worth much under which use counts as low.
            Among all customers it would be those who left long ago.

    Returns:
        n booleans.

    Raises:
        ValueError: When the inputs differ in length or a share lies outside its bounds.
    """
    worth = is_vip(future_revenue_usd, share=value_share)
    scores = pd.Series(engagement_score).to_numpy(dtype=np.float64, na_value=np.nan)
    if len(scores) != len(worth):
        raise ValueError(f"{len(worth)} amounts but {len(scores)} engagement scores")
    if not 0.0 <= low_engagement <= 1.0:
        raise ValueError(f"low_engagement must lie in 0 to 1, got {low_engagement}")
    known = worth & np.isfinite(scores)
    if not known.any():
        return np.zeros(len(worth), dtype=bool)
    limit = np.quantile(scores[known], low_engagement)
    with np.errstate(invalid="ignore"):
        low: np.ndarray = known & (scores <= limit)
    return low


def application_columns(
    table: pd.DataFrame,
    *,
    engagement_score: ArrayLike,
    cac_usd: Mapping[str, float],
) -> pd.DataFrame:
    """Every application as columns of n predicted customers.

    Args:
        table: n rows with `lifetime_value_usd` and `future_revenue_usd`.
        engagement_score: n predicted scores in the order of the rows, null where not predicted.
        cac_usd: What it costs to win a customer by each channel.

    Returns:
        n rows with the index of the table: the columns of `acquisition_columns`,
        `retention_priority` and `is_vip` (the top tenth by lifetime value).
    """
    out = acquisition_columns(table["lifetime_value_usd"], cac_usd=cac_usd)
    out["retention_priority"] = retention_priority(table["future_revenue_usd"], engagement_score)
    out["is_vip"] = is_vip(table["lifetime_value_usd"])
    return out.set_index(table.index)
