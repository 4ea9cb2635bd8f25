"""The endpoint of counterfactuals.

Belongs here: from a request to an answer. Does not belong here: the search and its words
(`decisions/counterfactuals`).
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Literal

import orjson
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request, Response
from pydantic import Field

from engagement_assets.models.specs import MODELS
from engagement_assets.serving.api import schemas
from engagement_assets.serving.api.access import KeyFirst
from engagement_assets.serving.api.problems import ProblemError, of_lake
from engagement_assets.serving.api.routes import (
    MEANINGS,
    OF_ONE,
    PREFIX,
    Compute,
    Service,
    known_or_404,
)
from engagement_assets.serving.api.service import CACHED, COMPUTED, heading, rows_of

if TYPE_CHECKING:
    from engagement_assets.decisions.counterfactuals.advice import Advice, AdviceDesk

router = APIRouter(prefix=PREFIX, route_class=KeyFirst)
ModelName: Any = Literal[tuple(spec.name for spec in MODELS if spec.goal is not None)]
RETRY_SECONDS = 15
# a search takes a core: they wait for one another, and not scoring for them
ONE_AT_A_TIME = CapacityLimiter(1)


class AdvisedChange(schemas.Answer):
    """One thing that would be otherwise."""

    feature: str
    meaning: str
    before: float | None
    after: float


class CounterfactualAnswer(schemas.Heading):
    """What the model would predict if a customer did something else; no promise of an effect."""

    model: str
    goal: float | None = Field(description="The score to be reached")
    predicted: float | None
    changes: list[AdvisedChange] = Field(description="At most three; none where nothing reaches it")
    predicted_after: float | None = Field(description="What the model would predict")
    change_low: float | None = Field(description="Least change over models learnt from resamples")
    change_high: float | None = Field(description="Greatest change over them")
    refits: int
    words: str | None
    measured: list[str] = Field(description="What experiments measured of the same behaviour")
    withheld: str | None = Field(description="Why nothing is advised, or null")


@router.get(
    "/customers/{customer_id:path}/counterfactuals/{model}",
    summary="What a customer could do differently so that a model would predict otherwise",
    response_model=CounterfactualAnswer,
    **OF_ONE,
)
async def counterfactuals(
    request: Request,
    service: Service,
    customer_id: schemas.CustomerId,
    model: ModelName,
    compute: Compute = False,
) -> Response:
    """As made with the day for customers at risk; searched now for others, or with `compute`."""
    desk: AdviceDesk = of_lake(request.app.state.advice)
    one, view = await known_or_404(service, customer_id, request)
    day = date.fromisoformat(one.record["snapshot_date"])
    advice, withheld, source = None, None, CACHED
    if not compute:
        advice = await to_thread.run_sync(desk.stored, model, customer_id, day)
    if advice is None:
        source = COMPUTED
        advice, withheld = await to_thread.run_sync(
            _searched, desk, model, day, one.record, limiter=ONE_AT_A_TIME
        )
    answer = {
        **heading(one, view),
        "served_from": source,
        "model": model,
        **dict.fromkeys(CounterfactualAnswer.model_fields.keys() - schemas.Heading.model_fields),
        **_plain(advice),
        "withheld": withheld,
    }
    return Response(orjson.dumps({**answer, "model": model}), media_type="application/json")


def _searched(
    desk: AdviceDesk, model: str, day: date, record: Any
) -> tuple[Advice | None, str | None]:
    """Return advice, or why there is none."""
    from engagement_assets.decisions.counterfactuals.advice import (  # noqa: PLC0415 - heavy
        NotAdvisableError,
        row_of,
    )
    from engagement_assets.lifecycle.errors import NotTrainableError  # noqa: PLC0415 - with it

    try:
        row = row_of(rows_of([record]))
        advisor = desk.advisor(model, day, wait=False)
    except NotAdvisableError as error:
        return None, str(error)
    except NotTrainableError as error:
        raise ProblemError(503, f"nothing can be advised now: {error}") from error
    if advisor is None:
        raise ProblemError(
            503,
            "the models that say how certain a change is are being made",
            headers={"Retry-After": str(RETRY_SECONDS)},
        )
    advice = advisor.advise(row)
    return advice, None if advice else "the goal is reached already"


def _plain(advice: Advice | None) -> dict[str, Any]:
    if advice is None:
        return {"changes": [], "refits": 0, "measured": []}
    data = advice.to_dict()
    del data["model_version"]
    return {
        **data,
        "changes": [{**one, "meaning": MEANINGS[one["feature"]]} for one in data["changes"]],
    }
