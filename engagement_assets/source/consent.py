"""By what consent of customers is judged, for any purpose.

Belongs here: which day's consents count, and what a source without the table states. Does not
belong here: what is done with a consent, and the SQL that reads them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from resources.lake import Lake


@dataclass(frozen=True)
class Consent:
    """By what consent is judged.

    Attributes:
        latest_day: The last day whose consents are known; a consent that was withdrawn by then
            does not hold, whichever day is looked at.
        granted_by_source: What holds where the source has no table of consents.
    """

    latest_day: date
    granted_by_source: bool

    @classmethod
    def of(
        cls, lake: Lake, *, provided: frozenset[str], granted: Sequence[str], purpose: str
    ) -> "Consent":
        """The consent to a purpose that is known in a lake.

        Args:
            lake: Where `source/customers` and `source/consents` lie.
            provided: Tables that the source has; what it states counts only without `consents`.
            granted: Purposes that the source states its customers agreed to.
            purpose: What they are asked to agree to, such as `personalisation`.
        """
        days = lake.days("source/customers")
        return cls(
            latest_day=days[-1] if days else date.min,
            granted_by_source="consents" not in provided and purpose in granted,
        )
