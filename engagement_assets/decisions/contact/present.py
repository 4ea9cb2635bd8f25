"""The messages whose time it is about to be, with what is known now of whom they are for.

Belongs here: reading recent outboxes and judging them at an instant. Does not belong here: the
limits (`gate.py`) and sending (`delivery.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pandas as pd

from engagement_assets.decisions.contact.gate import DUE, ContactState, barred_now
from engagement_assets.decisions.contact.limits import ContactLimits
from engagement_assets.decisions.contact.state import read_state
from engagement_assets.decisions.contact.tables import OUTBOX
from engagement_assets.source.readers import SourceReader
from resources.engine import Engine
from resources.sql import SqlFolder

# An outbox is for the day after it, by clocks up to 14 hours ahead of UTC and 12 behind.
DAYS_BACK = 2
WITHHELD = "withheld"


@dataclass(frozen=True)
class Present:
    """Outboxes of which a message may be due about now.

    Attributes:
        rows: Their rows, those of the earliest day first.
        states: What is known now, by the outbox's day: earlier messages count as contacts, that
            day's own do not.
        limits: How often and when.
    """

    rows: pd.DataFrame
    states: Mapping[date, ContactState]
    limits: ContactLimits

    def judged(self, now: datetime, rows: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return rows with `withheld`: why a message may not be sent now, null where it may.

        Args:
            now: The instant, UTC without zone.
            rows: Some of the rows; all by default.
        """
        rows = self.rows if rows is None else rows
        withheld = rows["suppressed_by"].astype(object).copy()
        for day, state in self.states.items():
            due = rows[(rows["snapshot_date"] == day) & (rows["status"] == DUE)]
            withheld[due.index] = barred_now(due, state, self.limits, now=now)
        return rows.assign(**{WITHHELD: withheld.where(withheld.notna(), None)})


def read_present(
    engine: Engine,
    sql: SqlFolder,
    reader: SourceReader,
    limits: ContactLimits,
    *,
    now: datetime,
    holdout: str,
    longest_cooldown: int,
) -> Present:
    """Read the outboxes that matter at an instant, and what is known by then.

    Args:
        engine: Over the lake; knows the table of the outbox.
        sql: The product's queries.
        reader: Says what customers agreed to where the source has no consents.
        limits: How often and when.
        now: The instant, UTC without zone.
        holdout: The experiment whose variant `holdout` is contacted by nobody.
        longest_cooldown: Days back that contacts are looked at, besides those that caps count.
    """
    today = now.date()
    there = set(engine.lake.days(OUTBOX.key))
    wanted = [today - timedelta(days=n) for n in range(DAYS_BACK, -1, -1)]
    days = [day for day in wanted if day in there]
    if not days:
        return Present(OUTBOX.empty().to_pandas(), {}, limits)
    rows = engine.lake.read(OUTBOX.key, days=days).to_pandas()
    states = {
        day: read_state(
            engine,
            sql,
            reader,
            today,
            holdout=holdout,
            longest_cooldown=longest_cooldown,
            made_from=day,
        )
        for day in days
    }
    return Present(rows, states, limits)


def utc_now() -> datetime:
    """Return this instant as the lake has times: UTC without zone."""
    return datetime.now(UTC).replace(tzinfo=None)
