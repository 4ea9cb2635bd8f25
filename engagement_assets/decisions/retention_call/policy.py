"""Calls to the most valuable customers who use the app little.

Belongs here: the rule. Does not belong here: value and engagement (`models`).
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np
import orjson
import pandas as pd
from numpy.typing import ArrayLike

from engagement_assets.decisions.highest import Highest
from engagement_assets.decisions.retention_call.spec import (
    CALL,
    LOW_ENGAGEMENT,
    SPEC,
    WORTH_SHARE,
)
from engagement_assets.lifecycle.decision import RulePolicy
from engagement_assets.lifecycle.predictor import Context
from engagement_assets.lifecycle.spec import NO_ACTION, DecisionSpec


@dataclass(frozen=True)
class CallLimits:
    """What is much value and what is little use among all customers of a day.

    Attributes:
        worth: The top fifth by future revenue.
        low_engagement: The score up to which use is low among them; NaN where none is known.
    """

    worth: Highest
    low_engagement: float

    @classmethod
    def of(cls, future_revenue_usd: ArrayLike, engagement_score: ArrayLike) -> Self:
        """Look at n customers; an engagement score that is not known is NaN.

        Raises:
            ValueError: When the inputs differ in length.
        """
        worth = Highest.of(future_revenue_usd, share=WORTH_SHARE)
        much = worth(future_revenue_usd)
        scores = np.asarray(engagement_score, dtype=np.float64)
        if len(scores) != len(much):
            raise ValueError(f"{len(much)} amounts but {len(scores)} engagement scores")
        known = much & np.isfinite(scores)
        limit = float(np.quantile(scores[known], LOW_ENGAGEMENT)) if known.any() else math.nan
        return cls(worth, limit)

    def call(self, future_revenue_usd: ArrayLike, engagement_score: ArrayLike) -> np.ndarray:
        """Return which of n customers are worth much and have a known score up to the limit."""
        scores = np.asarray(engagement_score, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            low: np.ndarray = self.worth(future_revenue_usd) & (scores <= self.low_engagement)
        return low


class RetentionCallRule(RulePolicy):
    """Calls those who are worth much and use the app little."""

    spec: ClassVar[DecisionSpec] = SPEC

    def choose(self, context: Context) -> pd.DataFrame:
        """Return the choice of every customer whose value is predicted."""
        value, use = _inputs(context)
        limits = context.reference or CallLimits.of(value["future_revenue_usd"], use)
        call = limits.call(value["future_revenue_usd"], use)
        return pd.DataFrame(
            {
                "customer_id": value["customer_id"].to_numpy(),
                "action": np.where(call, CALL.name, NO_ACTION.name),
                "reason": pd.Series(
                    [
                        f"expected revenue {usd:.2f} USD, engagement {score:.2f}"
                        for usd, score in zip(value["future_revenue_usd"], use, strict=True)
                    ],
                    dtype=object,
                ),
                "retention_priority": call,
            }
        )

    @classmethod
    def reference(cls, context: Context) -> bytes | None:
        """Return what is much and what is little among the day's customers."""
        if "lifetime_value" not in context.predictions:
            return None
        value, use = _inputs(context)
        limits = CallLimits.of(value["future_revenue_usd"], use)
        return orjson.dumps(asdict(limits))

    @classmethod
    def read_reference(cls, content: bytes) -> CallLimits:
        """Read what `reference` wrote."""
        data: dict[str, Any] = orjson.loads(content)
        low = data["low_engagement"]
        return CallLimits(Highest(**data["worth"]), math.nan if low is None else low)


def _inputs(context: Context) -> tuple[pd.DataFrame, np.ndarray]:
    """Return predicted value, and predicted engagement in its order."""
    value = context.predictions["lifetime_value"]
    return value, context.column("engagement", "engagement_score", value["customer_id"])
