"""One action for each kind of customer.

Belongs here: the rule. Does not belong here: who is of which kind (`models.segments`).
"""

from typing import ClassVar

import pandas as pd

from engagement_assets.decisions.segment_actions.spec import BY_PERSONA, SPEC
from engagement_assets.lifecycle.decision import RulePolicy
from engagement_assets.lifecycle.predictor import Context
from engagement_assets.lifecycle.spec import NO_ACTION, DecisionSpec

ACTIONS = {kind: action.name for kind, action in BY_PERSONA.items()}


class SegmentRule(RulePolicy):
    """Chooses by the kind of a customer's segment."""

    spec: ClassVar[DecisionSpec] = SPEC

    def choose(self, context: Context) -> pd.DataFrame:
        """Return the action of every customer who has a segment."""
        segments = context.predictions["segments"]
        return pd.DataFrame(
            {
                "customer_id": segments["customer_id"].to_numpy(),
                "action": segments["kind"].map(ACTIONS).fillna(NO_ACTION.name).to_numpy(object),
                "reason": ("segment " + segments["segment"].astype(str)).to_numpy(object),
            }
        )
