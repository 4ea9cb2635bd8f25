"""By what consent of customers is judged, for any purpose.

Belongs here: which day's consents count, what a source without the table states, and who agrees.
Does not belong here: what is done with a consent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from resources.engine import Engine
from resources.lake import Lake
from resources.sql import SqlFolder


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


def agreed_customers(
    engine: Engine, sql: SqlFolder, consent: Consent, *, purpose: str
) -> frozenset[str]:
    """Customers who agree to a purpose, by all that is known."""
    if consent.granted_by_source:
        days = engine.lake.days("source/customers")
        rows = engine.lake.read("source/customers", days=days, columns=["customer_id"])
        return frozenset(rows.column("customer_id").to_pylist())
    rows = engine.select(
        sql.query("shared/consents_to"), {"purpose": purpose, "latest_day": consent.latest_day}
    )
    granted = rows.filter(rows.column("granted"))
    return frozenset(granted.column("customer_id").to_pylist())
