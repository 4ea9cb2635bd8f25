"""The endpoint of texts that were just written.

Belongs here: its bodies and answers. Does not belong here: which texts are read and what follows
(`engagement_assets.signals.sentiment.events`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import orjson
from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from engagement_assets.serving.api.access import KeyFirst, needs
from engagement_assets.serving.api.problems import ProblemError, of_lake
from engagement_assets.serving.api.routes import PREFIX, problems
from engagement_assets.serving.api.schemas import (
    MOST_TEXTS,
    TEXT_LENGTH,
    Answer,
    CustomerId,
    Strict,
)
from resources.claims import ClaimsError

if TYPE_CHECKING:
    from engagement_assets.signals.sentiment.events import TextEvent

router = APIRouter(prefix=PREFIX, route_class=KeyFirst, tags=["events"])
# Consents are read again after so long.
CONSENT_SECONDS = 30.0
RETRY_SECONDS = 20


class Batcher:
    """Hands over what several requests bring, together: one lot at a time, one after another.

    Scoring eight texts at once takes much less than eight times as long, and keeping them on the
    disk as long as one.

    Args:
        handle: Takes events, gives an outcome each.
        most: Events of a lot, unless one request brings more.
    """

    def __init__(
        self, handle: Callable[[Sequence[Any]], list[Any]], most: int = MOST_TEXTS
    ) -> None:
        self._handle, self._most = handle, most
        self._waiting: list[tuple[Sequence[Any], asyncio.Future[list[Any]]]] = []
        self._work: asyncio.Task[None] | None = None

    async def handle(self, events: Sequence[Any]) -> list[Any]:
        """Return the outcome of each event.

        Raises:
            ClaimsError: What was scored cannot be kept.
        """
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append((events, answer))
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._until_done())
        return await answer

    async def _until_done(self) -> None:
        while self._waiting:
            lot = [self._waiting.pop(0)]
            while self._waiting and self._fits(lot):
                lot.append(self._waiting.pop(0))
            events = [event for some, _ in lot for event in some]
            try:
                outcomes = iter(await to_thread.run_sync(self._handle, events))
            except Exception as error:  # noqa: BLE001 - each request answers with it
                for _, answer in lot:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for some, answer in lot:
                own = [next(outcomes) for _ in some]
                # a client that went away does not wait for it
                if not answer.done():
                    answer.set_result(own)

    def _fits(self, lot: Sequence[tuple[Sequence[Any], Any]]) -> bool:
        return sum(len(some) for some, _ in [*lot, self._waiting[0]]) <= self._most


class Text(Strict):
    """A text that was just written."""

    source_table: Literal["posts", "interactions", "messages"]
    row_id: str = Field(
        min_length=1, max_length=256, description="Key of its row there; with the table its id"
    )
    customer_id: CustomerId
    text: str = Field(max_length=TEXT_LENGTH)


class TextsRequest(Strict):
    """Texts that were just written; one that was sent before may be sent again."""

    texts: list[Text] = Field(min_length=1, max_length=MOST_TEXTS)


class TextOutcome(Answer):
    """What became of a text."""

    text_id: str
    outcome: Literal["scored", "alerted", "known", "withheld"] = Field(
        description="`alerted`: customer support was told; `known`: it came before; `withheld`: "
        "the writer does not agree to sentiment, and nothing was read"
    )


class TextsAnswer(Answer):
    """In the order of the texts, which are kept nowhere."""

    texts: list[TextOutcome]


@router.post(
    "/events/texts",
    summary="Texts that were just written",
    response_model=TextsAnswer,
    responses=problems(400),
    dependencies=[Depends(needs("events"))],
)
async def texts(request: Request, body: TextsRequest) -> Response:
    """Scored once each, only of writers who agree; a low score is told to customer support."""
    batcher: Batcher = of_lake(request.app.state.texts)
    events = events_of(body)
    try:
        outcomes = await batcher.handle(events)
    except ClaimsError as error:
        raise _again("what was scored cannot be kept now") from error
    if "held" in outcomes:
        raise _again("support could not be told, or another server is at it")
    answers = [
        {"text_id": event.text_id, "outcome": outcome}
        for event, outcome in zip(events, outcomes, strict=True)
    ]
    return Response(orjson.dumps({"texts": answers}), media_type="application/json")


def events_of(body: TextsRequest) -> list[TextEvent]:
    """Return the events of a body."""
    from engagement_assets.signals.sentiment.events import TextEvent  # noqa: PLC0415 - loads pandas

    return [
        TextEvent(one.source_table, one.row_id, one.customer_id, one.text) for one in body.texts
    ]


def _again(why: str) -> Any:
    return ProblemError(
        503,
        f"{why}: send the same texts again, those that were taken are not taken twice",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )
