"""Hands due messages over: each at least once, under one id, one message a customer and day.

A message is claimed on disk before it is sent and settled after it. A process that is killed
between leaves the claim open; once its lease has run out the next one sends the claimed message,
whatever the outbox says by then, because it may have gone out. Belongs here: that order. Does not
belong here: which messages may go (`gate.py`), by which way (`resources.channels`).
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pandas as pd

from engagement_assets.decisions.contact.gate import DUE
from engagement_assets.decisions.contact.present import WITHHELD, Present, utc_now
from engagement_assets.decisions.contact.tables import OUTBOX
from resources.channels import Channel, NotSentError
from resources.claims import Claims, ClaimsError

logger = logging.getLogger(__name__)

# What is told of a message; the rest of a row is for those who made it.
SENT_COLUMNS = (
    "message_id", "customer_id", "snapshot_date", "decision", "action", "channel", "purpose",
    "not_before", "not_after", "propensity", "policy_version", "reason",
)  # fmt: skip
TIMES = ("not_before", "not_after")
# Messages that are judged together; the clock is looked at again before the next ones.
AT_ONCE = 200


@dataclass
class Delivered:
    """What became of a pass over the due messages.

    Attributes:
        sent: Taken by the other side.
        refused: Not taken; tried again by the next pass.
        elsewhere: Sent before, or in the hands of another publisher.
        withheld: Due by the outbox and not sent, by reason.
    """

    sent: int = 0
    refused: int = 0
    elsewhere: int = 0
    withheld: Counter[str] = field(default_factory=Counter)


def document(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a message as it is told: JSON's own types, times as ISO 8601 in UTC."""
    message = {name: _plain(row[name]) for name in SENT_COLUMNS}
    return {**message, **{name: message[name] and f"{message[name]}Z" for name in TIMES}}


def _plain(value: Any) -> Any:
    if not isinstance(value, str) and pd.isna(value):
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value


def deliver(
    present: Present,
    channel: Channel,
    claims: Claims,
    *,
    clock: Callable[[], datetime] = utc_now,
) -> Delivered:
    """Send what may be sent now.

    Args:
        present: The messages and what is known.
        channel: Takes them.
        claims: What was sent, shared by all publishers.
        clock: This instant, UTC without zone.
    """
    done = Delivered()
    due = present.rows[present.rows["status"] == DUE]
    for start in range(0, len(due), AT_ONCE):
        judged = present.judged(clock(), due.iloc[start : start + AT_ONCE])
        done.withheld.update(judged[WITHHELD].dropna())
        for row in judged[judged[WITHHELD].isna()].to_dict("records"):
            try:
                _deliver_one(row, present, channel, claims, clock, done)
            except NotSentError as error:
                done.refused += 1
                logger.warning("message %s was not taken: %s", row["message_id"], error)
                if not error.answers:
                    # one that is down is not waited for again with each message
                    return done
    return done


def _deliver_one(
    row: Mapping[Any, Any],
    present: Present,
    channel: Channel,
    claims: Claims,
    clock: Callable[[], datetime],
    done: Delivered,
) -> None:
    key = f"contact/{row['snapshot_date']}/{row['customer_id']}"
    claim = claims.claim(key, json.dumps({name: _plain(row[name]) for name in OUTBOX.names}))
    if claim is None:
        done.elsewhere += 1
        return
    claimed = _row(claim.content)
    if claimed["message_id"] != row["message_id"]:
        # the outbox was made again; the first of its messages may have gone out, so no other does
        (why,) = present.judged(clock(), pd.DataFrame([claimed]))[WITHHELD]
        if why is not None:
            claims.release(claim)
            done.withheld[why] += 1
            return
    try:
        channel.send(document(claimed))
    except NotSentError:
        claims.release(claim)
        raise
    claims.settle(claim)
    done.sent += 1


def _row(content: str) -> dict[str, Any]:
    """A row of the outbox as a claim keeps it."""
    try:
        row: dict[str, Any] = json.loads(content)
        times = {name: pd.Timestamp(row[name]) for name in TIMES}
        made = {**row, **times, "snapshot_date": date.fromisoformat(row["snapshot_date"])}
        lacking = sorted(set(OUTBOX.names) - set(made))
        if lacking:
            raise ValueError(f"it lacks {', '.join(lacking)}")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ClaimsError(
            f"a claim holds no message ({error}): restore the claims from their newest copy; "
            "nothing was sent"
        ) from error
    return made
