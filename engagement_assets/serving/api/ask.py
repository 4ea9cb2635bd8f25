"""The endpoints of the chat: a question, and what people thought of an answer.

Belongs here: bodies, answers, which scopes open which tools. Does not belong here: answering
(`engagement_assets.chat`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import orjson
from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from engagement_assets.serving.api.access import Access, Caller, KeyFirst, needs
from engagement_assets.serving.api.keys import ASK_SCOPES
from engagement_assets.serving.api.problems import ProblemError, of_lake
from engagement_assets.serving.api.routes import PREFIX, problems
from engagement_assets.serving.api.schemas import Answer, Strict
from resources.lake import LakeError

if TYPE_CHECKING:
    from engagement_assets.chat.assistant import Assistant

logger = logging.getLogger("engagement.api")
router = APIRouter(prefix=f"{PREFIX}/ask", route_class=KeyFirst, tags=["ask"])
Asker = Annotated[Caller, Depends(needs(*ASK_SCOPES))]
# as the chat has it, which loads more than declarations
LONGEST = 500
LONGEST_NOTE = 1_000


class Question(Strict):
    """A question in words."""

    question: str = Field(min_length=1, max_length=LONGEST)


class Claim(Answer):
    """A claim that the answer quotes."""

    id: str
    text: str
    values: list[Any]
    source: str
    day: str = Field(description="Day of its table; empty where a declaration says it")
    sql: str = Field(description="The query that made it")


class AskAnswer(Answer):
    """An answer, or a refusal."""

    id: str = Field(description="Names the answer for feedback")
    text: str
    refusal: Literal["not_allowed", "not_known", "nothing_found", "ambiguous"] | None
    tool: str
    facts: list[Claim]


class Feedback(Strict):
    """What who asked thinks of the answer."""

    helpful: bool
    note: str = Field(default="", max_length=LONGEST_NOTE)


def _assistants(request: Request) -> Callable[[], Assistant]:
    assistants: Callable[[], Assistant] = of_lake(request.app.state.ask)
    return assistants


@router.post(
    "",
    summary="An answer with the claims that it quotes",
    response_model=AskAnswer,
    responses=problems(400),
)
async def ask(request: Request, caller: Asker, body: Question) -> Response:
    """Figures from the tables alone; a refusal says whether not allowed, not known, or nothing."""
    access: Access = request.app.state.access
    await access.count(caller, request.app.state.ask_rate, of="ask")
    assistants = _assistants(request)
    scopes = frozenset(
        tool for scope, tool in ASK_SCOPES.items() if {scope, "admin"} & caller.scopes
    )

    def answered() -> dict[str, Any]:
        answer = assistants().ask(body.question, scopes=scopes, by=caller.name).to_dict()
        # what was put into it is not repeated
        del answer["question"]
        return answer

    try:
        answer = await to_thread.run_sync(answered)
    except LakeError as error:
        logger.error("the chat cannot read the lake: %s", error)
        raise ProblemError(503, "the tables cannot be read now; the log says why") from error
    except OSError as error:
        raise ProblemError(
            503, "the answer cannot be kept now, so none is given", headers={"Retry-After": "2"}
        ) from error
    return Response(orjson.dumps(answer), media_type="application/json")


@router.post(
    "/{answer_id}/feedback",
    summary="Whether an answer helped",
    status_code=204,
    responses=problems(404),
)
async def feedback(request: Request, caller: Asker, answer_id: str, body: Feedback) -> Response:
    """Of one's own answers; of others it is not said whether there are any."""
    log = (await to_thread.run_sync(_assistants(request))).log
    known = log is not None and await to_thread.run_sync(
        lambda: log.add_feedback(answer_id, by=caller.name, helpful=body.helpful, note=body.note)
    )
    if not known:
        raise ProblemError(404, "there is no such answer of yours")
    return Response(status_code=204)
