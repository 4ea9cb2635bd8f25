"""Choices of a day that would contact a customer.

Belongs here: gathering them from the decisions' tables. Does not belong here: judging them
(`gate.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd

from engagement_assets.lifecycle.spec import DecisionSpec
from resources.lake import Lake

COLUMNS = (
    "customer_id", "decision", "action", "channel", "purpose", "cooldown_days", "cost_usd",
    "priority", "expected_usd", "hour", "propensity", "policy_version", "reason",
)  # fmt: skip


def candidates(lake: Lake, decisions: Sequence[DecisionSpec], day: date) -> pd.DataFrame:
    """Read the choices of a day that would contact a customer.

    Raises:
        MissingPartitionError: A decision's choices of the day are not there.
    """
    parts = [_of(spec, lake.read(spec.choices, days=[day]).to_pandas()) for spec in decisions]
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


def _of(spec: DecisionSpec, choices: pd.DataFrame) -> pd.DataFrame:
    actions = pd.DataFrame(
        [
            (action.name, action.channel, action.consent, action.cooldown_days, action.cost_usd)
            for action in spec.actions
            if action.channel
        ],
        columns=["action", "channel", "purpose", "cooldown_days", "cost_usd"],
    )
    rows = choices.merge(actions, on="action")
    expected = rows[spec.expected] if spec.expected else None
    hour = rows[spec.hour] if spec.hour else None
    return rows.assign(
        decision=spec.name,
        priority=spec.priority,
        expected_usd=pd.Series(expected, index=rows.index, dtype="float64"),
        hour=pd.Series(hour, index=rows.index, dtype="float64"),
    )
