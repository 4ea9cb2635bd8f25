"""What chooses the next best action: a rule, and Thompson sampling over the same contexts.

Belongs here: chances and reasons. Does not belong here: the log and the learning's life
(`adapter.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.decisions.next_best_action.spec import SPEC, WORDS
from engagement_assets.learning.bandits.thompson import ThompsonSampling
from engagement_assets.lifecycle.decision import ContextPolicy, ContextRule, Floats, Positions
from engagement_assets.lifecycle.spec import NO_ACTION, DecisionSpec

CONTEXT = (
    "time_of_day",
    "last_action",
    "device",
    "logins_month",
    "active_days_month",
    "session_minutes_month",
    "scroll_depth_avg",
)
_AT_WORK = ("morning", "afternoon")
# Why, by column of the context; of numbers for much and for little.
_LEVELS = {
    "time_of_day": "it is {}",
    "last_action": "the last thing done was: {}",
    "device": "the device is: {}",
}
_NUMBERS = {
    "logins_month": ("visits are many", "visits are few"),
    "active_days_month": ("most days have a visit", "few days have a visit"),
    "session_minutes_month": ("much time is spent here", "little time is spent here"),
    "scroll_depth_avg": ("pages are read to the end", "pages are skimmed"),
}
_NAMES = np.array(SPEC.action_names, dtype=object)
_TEXTS = np.array([WORDS[name] for name in SPEC.action_names], dtype=object)


class SuggestionRule(ContextRule):
    """Gigs in working hours, the feed in the evening, nothing at night."""

    spec: ClassVar[DecisionSpec] = SPEC

    def choose(self, contexts: pd.DataFrame) -> Sequence[str]:
        """Return the suggestion of each context; nothing where the time is not known."""
        time = contexts["time_of_day"]
        chosen = np.select(
            [time.isin(_AT_WORK), time == "evening"], ["search_gig", "browse_feed"], NO_ACTION.name
        )
        return [str(name) for name in chosen]

    def describe(self, contexts: pd.DataFrame, chosen: Positions) -> pd.DataFrame:
        """Return the time of day as the reason."""
        time = contexts["time_of_day"].astype(object).where(contexts["time_of_day"].notna(), None)
        reasons = [
            f"{text}, because {f'it is {part}' if part else 'the time of day is not known'}"
            for text, part in zip(_TEXTS[chosen], time, strict=True)
        ]
        return pd.DataFrame({"reason": reasons, "added": np.full(len(contexts), np.nan)})


@dataclass(frozen=True)
class ThompsonPolicy(ContextPolicy):
    """Draws by the chance of each action to be the best.

    Attributes:
        bandit: Fitted, with the actions of the spec.
    """

    spec: ClassVar[DecisionSpec] = SPEC
    bandit: ThompsonSampling

    def chances(self, contexts: pd.DataFrame) -> Floats:
        """Return n x k chances."""
        return self.bandit.chances(contexts)

    def describe(self, contexts: pd.DataFrame, chosen: Positions) -> pd.DataFrame:
        """Return what speaks most for each choice, and what it is expected to add."""
        expected = self.bandit.expected(contexts)
        nothing = SPEC.action_names.index(NO_ACTION.name)
        rows = np.arange(len(contexts))
        return pd.DataFrame(
            {
                "reason": _reasons(self.bandit, contexts, chosen),
                "added": expected[rows, chosen] - expected[rows, nothing],
            }
        )

    def save(self, folder: Path) -> None:
        """Write the bandit."""
        self.bandit.save(folder)


def _reasons(bandit: ThompsonSampling, contexts: pd.DataFrame, chosen: Positions) -> list[str]:
    """Return in words what of each context speaks most for its choice, if anything does."""
    names = bandit.design_.columns
    advantages = bandit.advantages(contexts, chosen)
    # what is not known is no reason
    advantages[contexts[list(names)].isna().to_numpy()] = 0.0
    strongest = advantages.argmax(axis=1)
    whys = np.full(len(contexts), None, dtype=object)
    for place in np.unique(strongest):
        own = (strongest == place) & (advantages[:, place] > 0.0)
        values = contexts[names[place]].to_numpy()[own]
        whys[own] = _words(names[place], values, bandit.design_.numbers)
    return [
        f"{text}, because {why}" if why else f"{text}: as good as anything else here"
        for text, why in zip(_TEXTS[chosen], whys, strict=True)
    ]


def _words(
    name: str, values: NDArray[Any], numbers: Mapping[str, tuple[float, float]]
) -> list[str]:
    """Return n known values of a column of the context in words; much is above the log's mean."""
    if name in _LEVELS:
        return [_LEVELS[name].format(value) for value in values]
    (much, little), (mean, _) = _NUMBERS[name], numbers[name]
    return [much if value > mean else little for value in values]
