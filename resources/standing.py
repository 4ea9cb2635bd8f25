"""How a version of a model stands: refused, taken on record, or in a shadow run.

Belongs here: what is recorded of it. Does not belong here: where it is written (`registry.py`) and
who decides (`engagement_assets.lifecycle`).
"""

from dataclasses import dataclass
from datetime import date
from typing import Any


@dataclass(frozen=True)
class Refusal:
    """A version that did not become champion.

    Attributes:
        version: The version.
        reasons: What it failed, with the figures.
        at: When, UTC, ISO 8601.
    """

    version: str
    reasons: list[str]
    at: str


@dataclass(frozen=True)
class Acceptance:
    """A refused version that somebody answers for.

    Attributes:
        version: The version.
        reason: Why, in their words.
        by: Who.
        until: Last day that they answer for it, ISO 8601.
        refused: What it had failed.
        at: When, UTC, ISO 8601.
    """

    version: str
    reason: str
    by: str
    until: str
    refused: list[str]
    at: str

    def stands(self, day: date) -> bool:
        """Return whether it holds on a day."""
        return day <= date.fromisoformat(self.until)

    def __str__(self) -> str:
        return f"taken on record by {self.by} until {self.until}: {self.reason}"


@dataclass(frozen=True)
class Shadow:
    """A version that predicts beside the champion before it replaces it.

    Attributes:
        version: The version.
        reasons: Why it is to become champion.
        after: Last day of the data when it began, ISO 8601: later days count.
        days: Days that it is to predict.
        done: Figures of each day that it predicted, by day.
    """

    version: str
    reasons: list[str]
    after: str
    days: int
    done: dict[str, dict[str, Any]]

    @property
    def complete(self) -> bool:
        """Whether it has predicted as many days as asked."""
        return len(self.done) >= self.days
