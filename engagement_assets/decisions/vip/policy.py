"""The tenth of highest lifetime value.

Belongs here: the rule. Does not belong here: the value (`models.lifetime_value`).
"""

from dataclasses import asdict
from typing import ClassVar

import numpy as np
import orjson
import pandas as pd

from engagement_assets.decisions.highest import Highest
from engagement_assets.decisions.vip.spec import CARE, SPEC, VIP_SHARE
from engagement_assets.lifecycle.decision import RulePolicy
from engagement_assets.lifecycle.predictor import Context
from engagement_assets.lifecycle.spec import NO_ACTION, DecisionSpec


class VipRule(RulePolicy):
    """Looks after the tenth of highest value."""

    spec: ClassVar[DecisionSpec] = SPEC

    def choose(self, context: Context) -> pd.DataFrame:
        """Return the choice of every customer whose value is predicted."""
        value = context.predictions["lifetime_value"]
        highest = context.reference or _highest(value)
        vip = highest(value["lifetime_value_usd"])
        return pd.DataFrame(
            {
                "customer_id": value["customer_id"].to_numpy(),
                "action": np.where(vip, CARE.name, NO_ACTION.name),
                "reason": pd.Series(
                    [f"lifetime value {usd:.2f} USD" for usd in value["lifetime_value_usd"]],
                    dtype=object,
                ),
                "is_vip": vip,
            }
        )

    @classmethod
    def reference(cls, context: Context) -> bytes | None:
        """Return where the tenth of the day begins."""
        value = context.predictions.get("lifetime_value")
        return None if value is None else orjson.dumps(asdict(_highest(value)))

    @classmethod
    def read_reference(cls, content: bytes) -> Highest:
        """Read what `reference` wrote."""
        return Highest(**orjson.loads(content))


def _highest(value: pd.DataFrame) -> Highest:
    return Highest.of(value["lifetime_value_usd"], share=VIP_SHARE)
