"""A person's look at whom the anomaly detector flags.

Belongs here: the rule. Does not belong here: the flag (`models.anomaly`) and the queue
(`governance`).
"""

from typing import ClassVar

import numpy as np
import pandas as pd

from engagement_assets.decisions.review.spec import REVIEW, REVIEW_ABOVE, SPEC
from engagement_assets.learning.anomaly.kinds import DATA_ERROR
from engagement_assets.lifecycle.decision import RulePolicy
from engagement_assets.lifecycle.predictor import Context
from engagement_assets.lifecycle.spec import NO_ACTION, DecisionSpec


class ReviewRule(RulePolicy):
    """Sends the flagged to a person."""

    spec: ClassVar[DecisionSpec] = SPEC

    def choose(self, context: Context) -> pd.DataFrame:
        """Return the choice of every customer who is scored."""
        anomaly = context.predictions["anomaly"]
        over = anomaly["anomaly_score"] > REVIEW_ABOVE
        flagged = (over | (anomaly["kind"] == DATA_ERROR)).to_numpy(dtype=bool)
        kinds = anomaly["kind"].fillna("ordinary")
        reasons = [
            f"{kind}, anomaly score {score:.2f}"
            for kind, score in zip(kinds, anomaly["anomaly_score"], strict=True)
        ]
        return pd.DataFrame(
            {
                "customer_id": anomaly["customer_id"].to_numpy(),
                "action": np.where(flagged, REVIEW.name, NO_ACTION.name),
                "reason": pd.Series(reasons, dtype=object),
                "needs_review": flagged,
            }
        )
