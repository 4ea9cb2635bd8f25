"""What is known of customers and past contacts by the end of a day.

Belongs here: reading it. Does not belong here: what follows from it (`gate.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pandas as pd

from engagement_assets.decisions.contact.gate import CAP_DAYS, DUE, ContactState
from engagement_assets.source.readers import SourceReader
from resources.engine import Engine
from resources.sql import SqlFolder


def read_state(
    engine: Engine,
    sql: SqlFolder,
    reader: SourceReader,
    day: date,
    *,
    holdout: str,
    longest_cooldown: int,
    made_from: date,
    made: Sequence[pd.DataFrame] = (),
) -> ContactState:
    """Read what is known by the end of a day.

    Args:
        engine: Over the lake.
        sql: The product's queries.
        reader: Says what customers agreed to where there is no table of consents, and whose clock
            counts where a customer's is not known.
        day: The day.
        holdout: The experiment whose variant `holdout` is contacted by nobody.
        longest_cooldown: Days back that contacts are looked at, besides those that caps count.
        made_from: First day whose outbox is made anew.
        made: Outboxes from that day on, up to the day before.
    """
    known = {"snapshot_date": day}
    customers = engine.select(sql.query("contact/customers"), {**known, "holdout": holdout})
    people = customers.to_pandas()
    people["time_zone"] = people["time_zone"].fillna(reader.timezone)
    if "consents" in reader.provides():
        consents = engine.select(sql.query("contact/consents"), {"latest_day": day}).to_pandas()
    else:
        purposes = pd.DataFrame({"purpose": list(reader.granted_consents)}, dtype=object)
        consents = people[["customer_id"]].merge(purposes, how="cross")
    # a day more: clocks are up to 14 hours ahead of UTC and 12 behind
    earliest = day - timedelta(days=max(CAP_DAYS, longest_cooldown) + 1)
    earlier = {**known, "earliest": earliest, "made_from": made_from}
    contacts = engine.select(sql.query("contact/contacts"), earlier).to_pandas()
    due = [
        outbox[outbox["status"] == DUE].assign(occurred_at=lambda o: o["not_before"])
        for outbox in made
    ]
    return ContactState(
        people,
        consents,
        pd.concat(
            [contacts, *(rows[contacts.columns] for rows in due if len(rows))], ignore_index=True
        ),
    )
