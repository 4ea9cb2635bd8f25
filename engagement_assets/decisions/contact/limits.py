"""How often and when a customer may be contacted.

Belongs here: the limits, which settings may only make stricter. Does not belong here: applying them
(`gate.py`, `hours.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

# No setting goes beyond these: at most 3 contacts a day, none from 22:00 to 08:00 of the
# customer's own clock.
MOST_A_DAY = 3
QUIET_FROM_HOUR, QUIET_TO_HOUR = 22, 8


class LimitError(ValueError):
    """A limit that is laxer than the product allows, or none at all."""


@dataclass(frozen=True)
class ContactLimits:
    """Limits of contacts, of all decisions and notifications together.

    Attributes:
        a_day: Most contacts of a customer on a day of their own clock.
        a_week: Most in seven days.
        a_channel_week: Most in seven days by one channel.
        quiet_from: Hour of the customer's clock from which nothing is sent.
        quiet_to: Hour up to which nothing is sent.
        spread_minutes: What is due when the night ends is spread over so many minutes.

    Raises:
        LimitError: A limit is laxer than the product allows, or below zero.
    """

    a_day: int = MOST_A_DAY
    a_week: int = 7
    a_channel_week: int = 3
    quiet_from: int = QUIET_FROM_HOUR
    quiet_to: int = QUIET_TO_HOUR
    spread_minutes: int = 180

    def __post_init__(self) -> None:
        """Refuse what is laxer than the product allows."""
        for field in fields(self):
            if getattr(self, field.name) < 0:
                raise LimitError(f"{field.name} is {getattr(self, field.name)}, expected 0 or more")
        if self.a_day > MOST_A_DAY:
            raise LimitError(f"a_day is {self.a_day}: at most {MOST_A_DAY} a day, or fewer")
        if self.quiet_from > QUIET_FROM_HOUR or self.quiet_to < QUIET_TO_HOUR:
            raise LimitError(
                f"quiet from {self.quiet_from}:00 to {self.quiet_to}:00: the night from "
                f"{QUIET_FROM_HOUR}:00 to {QUIET_TO_HOUR}:00 stays quiet; a longer one may be set"
            )
        if self.quiet_from <= self.quiet_to:
            raise LimitError(
                f"quiet from {self.quiet_from}:00 to {self.quiet_to}:00 leaves no hour of the day"
            )
