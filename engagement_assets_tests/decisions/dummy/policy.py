"""The dummy decision's rule: hello to those who use the app much."""

from typing import ClassVar

import numpy as np
import pandas as pd

from engagement_assets.lifecycle.decision import RulePolicy
from engagement_assets.lifecycle.predictor import Context
from engagement_assets.lifecycle.spec import NO_ACTION, DecisionSpec
from engagement_assets_tests.decisions.dummy.spec import HELLO, SPEC


class HelloRule(RulePolicy):
    """Says hello to whose score is above a half."""

    spec: ClassVar[DecisionSpec] = SPEC

    def choose(self, context: Context) -> pd.DataFrame:
        """Return the choice of every customer who is scored."""
        scores = context.predictions["engagement"]
        warmth = scores["engagement_score"].to_numpy(np.float64)
        return pd.DataFrame(
            {
                "customer_id": scores["customer_id"].to_numpy(),
                "action": np.where(warmth > 0.5, HELLO.name, NO_ACTION.name),
                "reason": "a score",
                "warmth": warmth,
            }
        )
