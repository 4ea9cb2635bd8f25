"""The next best action's log, learning and contexts.

Belongs here: what joins `policy.py` with the lake. Does not belong here: how a learnt decision
lives (`lifecycle/learnt.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

import pandas as pd

from engagement_assets.decisions.next_best_action.policy import CONTEXT, ThompsonPolicy
from engagement_assets.decisions.next_best_action.spec import LEAST_CHANCE, SPEC
from engagement_assets.learning.bandits.thompson import ThompsonSampling
from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.lifecycle.learnt import ACTED_AT, ACTION, CUSTOMER, REWARD, LearntDecision
from engagement_assets.lifecycle.spec import DecisionSpec
from resources.registry import RegisteredModel

# Age in days at which a decision counts half: tastes of a season ago say little of today's.
HALF_LIFE_DAYS = 90.0
_HISTORY = list(CONTEXT[3:])


class NextBestAction(LearntDecision):
    """Suggestions by Thompson sampling; see `LearntDecision`."""

    spec: ClassVar[DecisionSpec] = SPEC
    context: ClassVar[tuple[str, ...]] = CONTEXT
    features: ClassVar[tuple[str, ...]] = ("primary_time_of_day", "primary_device", *_HISTORY)

    def log(self, inputs: Inputs, last_day: date) -> pd.DataFrame:
        """Return the decisions of `action_log` whose days after are over."""
        assert SPEC.reward is not None  # noqa: S101 - for the type checker
        rows = inputs.engine.select(
            inputs.sql.query("next_best_action/log"),
            {"snapshot_date": last_day, "window_days": SPEC.reward.window_days},
        ).to_pandas()
        known: pd.DataFrame = rows[rows[REWARD].notna()].reset_index(drop=True)
        return known

    def fit(self, log: pd.DataFrame, inputs: Inputs) -> ThompsonPolicy:  # noqa: ARG002 - the log is all
        """Fit the bandit to a log."""
        bandit = ThompsonSampling(
            actions=SPEC.action_names, least_chance=LEAST_CHANCE, half_life=HALF_LIFE_DAYS
        )
        days = (log[ACTED_AT] - pd.Timestamp(0)) / pd.Timedelta(days=1)
        return ThompsonPolicy(bandit.fit(log[list(CONTEXT)], log[ACTION], log[REWARD], time=days))

    def open(
        self,
        model: RegisteredModel,
        *,
        parameters: Mapping[str, Any],  # noqa: ARG002 - others have settings
    ) -> ThompsonPolicy:
        """Load a version; actions that came or went since then start from the prior or are gone."""
        return ThompsonPolicy(ThompsonSampling.load(model.folder).with_actions(SPEC.action_names))

    def contexts(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return each customer's usual time of day and device, with the history."""
        return pd.DataFrame(
            {
                CUSTOMER: features[CUSTOMER],
                "snapshot_date": features["snapshot_date"],
                "time_of_day": features["primary_time_of_day"],
                "last_action": pd.Series(None, index=features.index, dtype=object),
                "device": features["primary_device"],
                **{name: features[name] for name in _HISTORY},
            }
        )
