"""The endpoints of contact: what may be sent now, and what becomes of a customer's messages.

Belongs here: pages of the outbox and its check at read. Does not belong here: the limits and what
is due (`engagement_assets.decisions.contact`). Nothing is marked as sent by being read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import orjson
from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BeforeValidator, Field

from engagement_assets.serving.api.access import KeyFirst, needs
from engagement_assets.serving.api.problems import of_lake
from engagement_assets.serving.api.recent import Recent
from engagement_assets.serving.api.routes import (
    OF_ONE,
    PREFIX,
    Path,
    Service,
    known_or_404,
    problems,
)
from engagement_assets.serving.api.schemas import Answer

if TYPE_CHECKING:
    from engagement_assets.decisions.contact.present import Present

router = APIRouter(prefix=PREFIX, route_class=KeyFirst, tags=["contact"])
# What was read of outboxes and customers is read again after so long.
CONTACT_SECONDS = 15.0
MOST_MESSAGES = 1_000


class Message(Answer):
    """A message that may be sent now."""

    message_id: str = Field(description="The same however often the message is read or delivered")
    customer_id: str
    snapshot_date: str = Field(description="Day whose choices it comes from")
    decision: str
    action: str
    channel: str
    purpose: str | None = Field(description="What the customer agreed to, or null")
    not_before: datetime
    not_after: datetime
    propensity: float
    policy_version: str
    reason: str | None


class Place(Answer):
    """Where a page begins."""

    since: datetime
    after: str


class OutboxAnswer(Answer):
    """Messages that may be sent now, those due first first."""

    messages: list[Message]
    next: Place | None = Field(description="Of the next page; null where this is the last")
    withheld: int = Field(description="Due by the outbox, and barred by what is known now")


class Action(Answer):
    """A choice that would contact a customer, and what becomes of it."""

    message_id: str
    snapshot_date: str
    decision: str
    action: str
    channel: str
    status: Literal["due", "later", "suppressed"] = Field(
        description="`due`: may be sent now; `later`: due, and not yet; `suppressed`: not sent"
    )
    suppressed_by: str | None = Field(description="Why it is not sent, or null")
    not_before: datetime | None
    not_after: datetime | None
    reason: str | None


class ActionsAnswer(Answer):
    """A customer's messages of the days about now."""

    customer_id: str
    actions: list[Action]


def _since(value: object) -> datetime:
    """A time, UTC without zone; pydantic alone would take a number for seconds since 1970."""
    at = datetime.fromisoformat(str(value))
    if at.tzinfo is None:
        return at
    try:
        return at.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        # beyond the calendar: before or after everything
        return datetime.min if at.year == 1 else datetime.max


Since = Annotated[datetime, BeforeValidator(_since)]


async def _present(request: Request) -> Present:
    read: Recent[Present] = of_lake(request.app.state.contact)
    return await to_thread.run_sync(read)


@router.get(
    "/outbox",
    summary="Messages that may be sent now",
    response_model=OutboxAnswer,
    responses=problems(),
    dependencies=[Depends(needs("contact"))],
)
async def outbox(
    request: Request,
    since: Annotated[
        Since | None, Query(description="Only what is due at this time or later (ISO 8601)")
    ] = None,
    after: Annotated[
        str,
        Query(max_length=100, description="With the `since` and `after` of a page comes the next"),
    ] = "",
    limit: Annotated[int, Query(ge=1, le=MOST_MESSAGES, description="Most messages")] = 100,
) -> Response:
    """Checked again at this moment: opt-outs, consents, other contacts, the customer's clock."""
    present = await _present(request)
    return _json(await to_thread.run_sync(_page, present, (since or datetime.min, after), limit))


def _page(present: Present, place: tuple[datetime, str], limit: int) -> dict[str, Any]:
    from engagement_assets.decisions.contact.delivery import document  # noqa: PLC0415 - loads pandas
    from engagement_assets.decisions.contact.gate import DUE, TOO_EARLY, TOO_LATE  # noqa: PLC0415 - loads pandas
    from engagement_assets.decisions.contact.present import utc_now  # noqa: PLC0415 - loads pandas

    rows, (at, name) = present.rows, place
    after = (rows["not_before"] > at) | ((rows["not_before"] == at) & (rows["message_id"] > name))
    judged = present.judged(utc_now(), rows[(rows["status"] == DUE) & after])
    free = judged[judged["withheld"].isna()].sort_values(["not_before", "message_id"])
    page = free.head(limit)
    last = page.iloc[-1] if len(free) > limit else None
    return {
        "messages": [document(row) for row in page.to_dict("records")],
        "next": None
        if last is None
        else {"since": f"{last['not_before'].isoformat()}Z", "after": last["message_id"]},
        "withheld": int((~judged["withheld"].isin([TOO_EARLY, TOO_LATE])).sum()) - len(free),
    }


@router.get(
    "/customers/{customer_id:path}/actions",
    summary="What is due to a customer, and what is suppressed, and why",
    response_model=ActionsAnswer,
    **OF_ONE,
)
async def actions(request: Request, service: Service, customer_id: Path) -> Response:
    """Of the outboxes of the days about now, checked again at this moment."""
    await known_or_404(service, customer_id, request)
    present = await _present(request)
    rows = await to_thread.run_sync(_actions, present, customer_id)
    return _json({"customer_id": customer_id, "actions": rows})


def _actions(present: Present, customer_id: str) -> list[dict[str, Any]]:
    from engagement_assets.decisions.contact.delivery import document  # noqa: PLC0415 - loads pandas
    from engagement_assets.decisions.contact.gate import DUE, SUPPRESSED, TOO_EARLY  # noqa: PLC0415 - loads pandas
    from engagement_assets.decisions.contact.present import utc_now  # noqa: PLC0415 - loads pandas

    own = present.rows[present.rows["customer_id"] == customer_id]
    answers = []
    for row in present.judged(utc_now(), own).to_dict("records"):
        why, sent = row["withheld"], document(row)
        status = DUE if why is None else "later" if why == TOO_EARLY else SUPPRESSED
        answers.append(
            {name: sent[name] for name in Action.model_fields if name in sent}
            | {"status": status, "suppressed_by": why if status == SUPPRESSED else None}
        )
    return answers


def _json(answer: Any) -> Response:
    return Response(orjson.dumps(answer), media_type="application/json")
