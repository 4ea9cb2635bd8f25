"""The endpoints of human review: the queue, taking a case, giving a verdict.

Belongs here: from a request to an answer. Does not belong here: states, deadlines and what is
refused (`engagement_assets.governance.review`). A reviewer is the caller: whoever may review needs
a key, or a subject of a token, of their own, or four eyes are two.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Literal

import orjson
from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from engagement_assets.governance.review import Desk, ReviewError, ReviewItem, UnknownCaseError
from engagement_assets.lifecycle.spec import REASONS
from engagement_assets.serving.api.access import Caller, KeyFirst, needs
from engagement_assets.serving.api.problems import ProblemError, of_lake
from engagement_assets.serving.api.routes import PREFIX, problems
from engagement_assets.serving.api.schemas import Answer

router = APIRouter(prefix=f"{PREFIX}/reviews", route_class=KeyFirst, tags=["reviews"])
Reviewer = Annotated[Caller, Depends(needs("review"))]


class Reason(Answer):
    """One reason of the detector."""

    feature: str
    value: str | None
    typical: str | None


class ReviewAnswer(Answer):
    """A case of the queue."""

    customer_id: str
    flagged_since: date
    state: Literal["waiting", "assigned", "first verdict", "decided"]
    assigned_to: str | None = Field(description="Who gives the next verdict, or null")
    deadline: date
    overdue: bool
    anomaly_score: float
    kind: str | None
    reasons: list[Reason]
    verdicts: int = Field(description="How many were given; what they say is shown once decided")
    confirmed_fraud: bool | None = Field(description="What was decided, or null")
    decided_at: datetime | None


class QueueAnswer(Answer):
    """Those who wait for a review, the earliest deadline first."""

    reviews: list[ReviewAnswer]
    total: int


class Assignment(BaseModel):
    """Which case to take."""

    model_config = ConfigDict(extra="forbid")
    customer_id: str = Field(min_length=1, max_length=200)


class Verdict(Assignment):
    """A verdict."""

    confirmed_fraud: bool = Field(strict=True)
    note: str = Field(min_length=1, max_length=2_000, description="Why; it stays on record")


def _desk(request: Request) -> Desk:
    desk: Desk = of_lake(request.app.state.reviews)
    return desk


@router.get(
    "",
    summary="Who waits for a review",
    response_model=QueueAnswer,
    responses=problems(),
)
async def queue(
    request: Request,
    _: Reviewer,
    state: Annotated[
        Literal["waiting", "assigned", "first verdict", "decided"] | None,
        Query(description="Only cases in this state"),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Response:
    """Of the latest day's queue, with what people did since."""
    items = await to_thread.run_sync(_desk(request).queue)
    chosen = [item for item in items if state in (None, item.state)]
    return _json({"reviews": [_answer(item) for item in chosen[:limit]], "total": len(chosen)})


@router.post(
    "/assignments",
    summary="Take a case",
    response_model=ReviewAnswer,
    responses=problems(404, 409),
)
async def assign(request: Request, caller: Reviewer, body: Assignment) -> Response:
    """Nobody else gives the next verdict until they take the case themselves."""
    desk = _desk(request)
    return await _done(lambda: desk.assign(body.customer_id, by=caller.name))


@router.post(
    "/verdicts",
    summary="Give a verdict",
    response_model=ReviewAnswer,
    responses=problems(404, 409),
)
async def verdict(request: Request, caller: Reviewer, body: Verdict) -> Response:
    """Fraud takes two people who say so; a decided case becomes a row of `reviews`."""
    desk = _desk(request)
    return await _done(
        lambda: desk.give_verdict(
            body.customer_id, by=caller.name, fraud=body.confirmed_fraud, note=body.note
        )
    )


async def _done(step: Callable[[], ReviewItem]) -> Response:
    try:
        item = await to_thread.run_sync(step)
    except UnknownCaseError as error:
        raise ProblemError(404, str(error)) from error
    except ReviewError as error:
        raise ProblemError(409, str(error)) from error
    return _json(_answer(item))


def _answer(item: ReviewItem) -> dict[str, Any]:
    row, case = item.row, item.case
    return {
        "customer_id": row["customer_id"],
        "flagged_since": row["flagged_since"],
        "state": item.state,
        "assigned_to": case.assigned_to,
        "deadline": item.deadline,
        "overdue": item.overdue,
        "anomaly_score": row["anomaly_score"],
        "kind": row["kind"],
        "reasons": [
            {part: row[f"reason_{n}_{part}"] for part in ("feature", "value", "typical")}
            for n in range(1, REASONS + 1)
            if row[f"reason_{n}_feature"] is not None
        ],
        # the second reviewer must not see what the first one says
        "verdicts": len(case.verdicts),
        "confirmed_fraud": case.fraud,
        "decided_at": case.decided_at,
    }


def _json(answer: Any) -> Response:
    return Response(orjson.dumps(answer), media_type="application/json")
