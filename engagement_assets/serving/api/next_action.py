"""The endpoint of the next best action.

Belongs here: from a request to an answer. Does not belong here: the draw
(`serving/next_action.py`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from engagement_assets.decisions.next_best_action.spec import SPEC
from engagement_assets.serving.api import schemas
from engagement_assets.serving.api.access import KeyFirst
from engagement_assets.serving.api.problems import ProblemError
from engagement_assets.serving.api.routes import OF_ONE, PREFIX, Service, _json, known_or_404
from engagement_assets.serving.api.service import heading
from engagement_assets.serving.next_action import next_action

router = APIRouter(prefix=PREFIX, route_class=KeyFirst)


class NextActionAnswer(schemas.Heading):
    """What to suggest to a customer now."""

    decision_id: str | None = Field(
        description="Names the draw: log what came of it under this id; null where nothing is drawn"
    )
    action: str = Field(json_schema_extra={"enum": list(SPEC.action_names)})
    text: str = Field(description="The action in words")
    reason: str = Field(description="The same with why")
    propensity: float = Field(description="Chance that this draw had", ge=0, le=1)
    added: float | None = Field(
        description="What the action is expected to add, over doing nothing, to the share of the "
        "three days after with a visit; null where a rule decides"
    )
    policy_version: str
    withheld: str | None = Field(description="Why nothing may be suggested, or null")


_Seen = Query(max_length=64, description="As the application sees it; the usual one if left out")


@router.get(
    "/customers/{customer_id:path}/next-action",
    summary="What to suggest to a customer now",
    response_model=NextActionAnswer,
    **OF_ONE,
)
async def next_action_of(
    request: Request,
    service: Service,
    customer_id: schemas.CustomerId,
    time_of_day: Annotated[
        Literal["night", "morning", "afternoon", "evening"] | None,
        Query(description="Part of the day, UTC; the usual one if left out"),
    ] = None,
    device: Annotated[str | None, _Seen] = None,
    last_action: Annotated[str | None, _Seen] = None,
) -> Response:
    """A draw, logged with its propensity before the answer; each request draws anew."""
    one, view = await known_or_404(service, customer_id, request)
    if view.held_out is None:
        raise ProblemError(
            503,
            "who is in the global holdout is not known: this server does not read the lake "
            "(ENGAGEMENT_API_LAKE=0)",
        )
    seen: dict[str, Any] = {
        "time_of_day": time_of_day,
        "device": device,
        "last_action": last_action,
    }
    try:
        chooser = service.scorer.chooser(SPEC.name)
    except KeyError as error:
        raise ProblemError(503, "what draws cannot be opened now; the log says why") from error
    try:
        drawn = next_action(
            chooser,
            one.record,
            seen,
            log=service.log_draw,
            held_out=customer_id in view.held_out,
        )
    except OSError as error:
        raise ProblemError(
            503, "the draw cannot be logged now, so none is given", headers={"Retry-After": "2"}
        ) from error
    return _json({**heading(one, view), **drawn})
