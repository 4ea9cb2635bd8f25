"""A quarter of a year: its name, first and last day.

Belongs here: the calendar. Does not belong here: what is audited or spent in one.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta

_NAME = re.compile(r"(\d{4})-Q([1-4])")


@dataclass(frozen=True)
class Quarter:
    """A quarter of a year.

    Attributes:
        year: The year.
        number: 1 to 4.
    """

    year: int
    number: int

    @classmethod
    def named(cls, text: str) -> "Quarter":
        """Return the quarter of a name such as `2026-Q4`.

        Raises:
            ValueError: It names none.
        """
        match = _NAME.fullmatch(text.strip().upper())
        if match is None:
            raise ValueError(f"QUARTER={text}: expected a year and a quarter, such as 2026-Q4")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, day: date) -> "Quarter":
        """Return the quarter of a day."""
        return cls(day.year, (day.month + 2) // 3)

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, 3 * self.number - 2, 1)

    @property
    def last(self) -> date:
        """Its last day."""
        later = date(self.year + self.number // 4, 3 * self.number % 12 + 1, 1)
        return later - timedelta(days=1)

    def __str__(self) -> str:
        return f"{self.year}-Q{self.number}"
