"""Whether a customer like this is worth winning by each channel.

A channel pays as long as a customer costs less than a third of what they bring, the usual rule of
thumb of LTV to CAC of 3 to 1. Belongs here: the rule. Does not belong here: the value
(`models.lifetime_value`).
"""

import math
import re
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from engagement_assets.decisions.acquisition.spec import ACQUIRE, CAC_SHARE, SPEC
from engagement_assets.lifecycle.decision import RulePolicy
from engagement_assets.lifecycle.predictor import Context
from engagement_assets.lifecycle.spec import NO_ACTION, DecisionSpec


def channels_that_pay(
    lifetime_value_usd: ArrayLike, *, cac_usd: Mapping[str, float]
) -> pd.DataFrame:
    """Return what winning customers may cost, and the channels that cost less.

    Args:
        lifetime_value_usd: n values.
        cac_usd: What it costs to win a customer by each channel.

    Returns:
        n rows: `max_cac_usd` (0.33 of the value) and `acquire_channels`, by comma.

    Raises:
        ValueError: When a channel's name is no plain lower-case word or its cost is negative or
            not finite.
    """
    for channel, cost in cac_usd.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", channel):
            raise ValueError(f"channel {channel!r} must be lower-case letters, digits and _")
        if not (math.isfinite(cost) and cost >= 0.0):
            raise ValueError(f"the CAC of {channel} must be 0 or more, got {cost}")
    most = CAC_SHARE * np.asarray(lifetime_value_usd, dtype=np.float64)
    names = np.array(list(cac_usd), dtype=object)
    pays = np.array(list(cac_usd.values()), dtype=np.float64) < most[:, None]
    channels = pd.Series([", ".join(names[row]) for row in pays], dtype=object)
    return pd.DataFrame({"max_cac_usd": most, "acquire_channels": channels})


class AcquisitionRule(RulePolicy):
    """Wins customers by the channels that pay."""

    spec: ClassVar[DecisionSpec] = SPEC

    def choose(self, context: Context) -> pd.DataFrame:
        """Return the channels of every customer whose value is predicted."""
        value = context.predictions["lifetime_value"]
        table = channels_that_pay(
            value["lifetime_value_usd"], cac_usd=self.parameters["channel_cac"]
        )
        table.insert(0, "customer_id", value["customer_id"].to_numpy())
        pays = table["acquire_channels"] != ""
        table["action"] = np.where(pays, ACQUIRE.name, NO_ACTION.name)
        table["reason"] = pd.Series(
            [f"a cost up to {usd:.2f} USD pays" for usd in table["max_cac_usd"]], dtype=object
        )
        return table
