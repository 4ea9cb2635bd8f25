"""Choices of a day that would contact a customer.

Belongs here: gathering them from the decisions' tables. Does not belong here: judging them
(`gate.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd

from engagement_assets.decisions.contact.tables import BREAKDOWNS
from engagement_assets.lifecycle.spec import DecisionSpec
from resources.lake import Lake

COLUMNS = (
    "customer_id", "decision", "action", "channel", "purpose", "cooldown_days", "cost_usd",
    "priority", "expected_usd", "hour", "propensity", "policy_version", "reason",
)  # fmt: skip


def candidates(lake: Lake, decisions: Sequence[DecisionSpec], day: date) -> pd.DataFrame:
    """Read the choices of a day that would contact a customer, each with the customer's groups.

    A group is null where it is not known of the customer, or of the day.

    Raises:
        MissingPartitionError: A decision's choices of the day are not there.
    """
    parts = [_of(spec, lake.read(spec.choices, days=[day]).to_pandas()) for spec in decisions]
    rows = pd.concat(parts, ignore_index=True)[list(COLUMNS)]
    for table, group in BREAKDOWNS:
        known = pd.Series(dtype=object)
        if lake.exists(table, day):
            columns = ["customer_id", group.column]
            read = lake.read(table, days=[day], columns=columns).to_pandas()
            known = read.set_index("customer_id")[group.column]
        groups = rows["customer_id"].map(known).astype(object)
        rows[group.unified_name] = groups.where(groups.notna(), None)
    return rows


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
