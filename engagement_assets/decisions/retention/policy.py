"""Retention offers by the band of the churn probability.

Belongs here: the rule. Does not belong here: the probability (`models.churn`).
"""

from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from engagement_assets.decisions.retention.spec import BANDS, SPEC
from engagement_assets.lifecycle.decision import RulePolicy
from engagement_assets.lifecycle.predictor import Context
from engagement_assets.lifecycle.spec import DecisionSpec


def band_of(probability: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the n band names and n actions of n probabilities."""
    p = np.asarray(probability, dtype=np.float64)
    conditions = [p > band.above for band in BANDS]
    return (
        np.select(conditions, [band.name for band in BANDS], default=BANDS[-1].name),
        np.select(conditions, [band.action.name for band in BANDS], default=BANDS[-1].action.name),
    )


class RetentionRule(RulePolicy):
    """Chooses by bands of the probability."""

    spec: ClassVar[DecisionSpec] = SPEC

    def choose(self, context: Context) -> pd.DataFrame:
        """Return the offer of every customer who is scored for churn.

        Bands are asked of the probability that is evened out between groups where a setting says
        so; rows that were made before there was one have the probability alone.
        """
        churn = context.predictions["churn"]
        asked = churn.get("evened_churn_probability", churn["churn_probability"])
        bands, actions = band_of(asked)
        reasons = [f"churn probability {p:.2f}" for p in churn["churn_probability"]]
        return pd.DataFrame(
            {
                "customer_id": churn["customer_id"].to_numpy(),
                "action": actions,
                "reason": pd.Series(reasons, dtype=object),
                "band": bands,
            }
        )
