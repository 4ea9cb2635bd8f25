"""An outbox of a day and what is known of its customers, for tests of what follows it.

Belongs here: making it by the gate. Does not belong here: what is expected.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd

from engagement_assets.decisions.contact.gate import ContactState, outbox
from engagement_assets.decisions.contact.limits import ContactLimits
from engagement_assets.decisions.contact.present import Present
from engagement_assets.decisions.contact.tables import OUTBOX

SNAPSHOT = date(2026, 3, 9)
# 12:00 of the day after, in London
NOON = datetime(2026, 3, 10, 12)


def present(
    names: Sequence[str], *, action: str = "offer", snapshot: date = SNAPSHOT, **people: Any
) -> Present:
    """An outbox with one wish a customer, judged for the day after the snapshot."""
    customers = pd.DataFrame({"customer_id": list(names)}).assign(
        **{
            "time_zone": "Europe/London",
            "holdout": False,
            "opted_out": False,
            "refuses_analytics": False,
            **people,
        }
    )
    contacts = pd.DataFrame(
        {
            name: pd.Series(dtype="datetime64[us]" if name == "occurred_at" else object)
            for name in ("customer_id", "channel", "decision", "action", "occurred_at")
        }
    )
    consents = customers[["customer_id"]].assign(purpose="notifications")
    state = ContactState(customers, consents, contacts)
    wishes = pd.DataFrame({"customer_id": list(names)}).assign(
        decision="retention", action=action, channel="email", purpose="notifications",
        cooldown_days=0, priority=1, expected_usd=None, hour=None, cost_usd=0.0, propensity=1.0,
        policy_version="v1", reason="likely to leave", segment=None,
    )  # fmt: skip
    limits = ContactLimits(spread_minutes=60)
    rows = outbox(wishes, state, limits, day=snapshot + timedelta(days=1))
    rows = rows.assign(snapshot_date=snapshot)[list(OUTBOX.names)]
    return Present(rows, {snapshot: state}, limits)


def changed(of: Present, **people: Any) -> Present:
    """The same outbox, with something else known of its customers by now."""
    (day,) = of.states
    before = of.states[day]
    now = ContactState(before.customers.assign(**people), before.consents, before.contacts)
    return Present(of.rows, {day: now}, of.limits)
