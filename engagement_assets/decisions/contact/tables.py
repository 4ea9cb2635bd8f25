"""The table of what may be sent, and of what may not.

Belongs here: its declaration. Does not belong here: what makes it (`gate.py`).
"""

from engagement_assets.features.catalogue import KEY_COLUMNS
from engagement_assets.features.tables import KNOWN_TABLES as BELOW
from engagement_assets.lifecycle.spec import PROPENSITY, Unified
from engagement_assets.models.specs import MODELS
from resources.tables import Column, Table

# Groups that stand beside every message, each with the table that it is read from.
BREAKDOWNS: tuple[tuple[str, Unified], ...] = tuple(
    (spec.output, unified) for spec in MODELS for unified in spec.unified if unified.breaks_down
)


def _text(name: str, meaning: str, *, nullable: bool = False) -> Column:
    return Column(name, "string", meaning, nullable=nullable)


OUTBOX = Table(
    "contact/outbox",
    (
        *KEY_COLUMNS,
        _text("decision", "The decision"),
        _text("message_id", "Name of the message, the same however often the day is made"),
        _text("action", "What is to be done"),
        _text("channel", "How it reaches the customer"),
        _text("status", "due or suppressed"),
        _text("suppressed_by", "Why it is not sent; null where due", nullable=True),
        Column("not_before", "timestamp", "Earliest time (UTC); null where suppressed"),
        Column("not_after", "timestamp", "Latest time (UTC); null where suppressed"),
        Column("cost_usd", "float64", "What the action costs", "USD", nullable=False, minimum=0),
        Column("expected_usd", "float64", "What it is expected to bring, or null", "USD"),
        PROPENSITY,
        _text("policy_version", "Version of the policy that chose"),
        _text("reason", "Why it was chosen, in words", nullable=True),
        Column("purpose", "string", "Purpose that the customer must agree to, or null"),
        Column(
            "cooldown_days", "int64", "Days before it may be done again", nullable=False, minimum=0
        ),
        Column("priority", "int64", "Which decision comes first, the lowest", nullable=False),
        *(
            _text(one.unified_name, f"The customer's {one.unified_name}, or null", nullable=True)
            for _, one in BREAKDOWNS
        ),
    ),
    description="Messages that may be sent on the day after, one a customer at most, and those "
    "that may not, with the reason. Nothing is marked here: what was done comes back by the "
    "source tables.",
    unique=("customer_id", "decision"),
    owner="team:decisions",
)
KNOWN_TABLES: tuple[Table, ...] = (*BELOW, OUTBOX)
