"""The endpoints.

Belongs here: from a request to an answer. Does not belong here: what is known of customers
(`service.py`), who may ask (`access.py`), shapes (`schemas.py`).

Answers are written as JSON directly: their shapes stand in the OpenAPI document and are held by
tests, and checking them again in each request would take longer than making them.
"""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from engagement_assets.features.catalogue import FEATURES
from engagement_assets.models.specs import MODELS
from engagement_assets.serving.api import schemas
from engagement_assets.serving.api.access import KeyFirst, needs
from engagement_assets.serving.api.problems import MEDIA_TYPE, ProblemError
from engagement_assets.serving.api.service import (
    COMPUTED,
    CustomerService,
    Known,
    NothingServedError,
    View,
    heading,
    recommended,
)
from resources.online_store.releases import OnlineStoreError

PREFIX = "/v1"
router = APIRouter(prefix=PREFIX, route_class=KeyFirst)
health = APIRouter(tags=["health"])

_PROBLEM = {"model": schemas.ProblemAnswer, "content": {MEDIA_TYPE: {}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the errors of an endpoint for the OpenAPI document."""
    every = (401, 403, 408, 413, 422, 429, 431, 503, *statuses)
    return dict.fromkeys(sorted(every), _PROBLEM)


READ = [Depends(needs("read"))]
SCORE = [Depends(needs("score"))]
ADMIN = [Depends(needs("admin"))]


def service_of(request: Request) -> CustomerService:
    """The service, once it is ready.

    Raises:
        ProblemError: 503 before that.
    """
    service: CustomerService | None = request.app.state.service
    if service is None:
        raise ProblemError(503, "the models are being loaded", headers={"Retry-After": "2"})
    return service


Service = Annotated[CustomerService, Depends(service_of)]


async def _view(service: CustomerService) -> View:
    try:
        return await service.view()
    except NothingServedError as error:
        raise ProblemError(
            503, "no day has been published yet: run the job `daily`", headers={"Retry-After": "60"}
        ) from error
    except OnlineStoreError as error:
        raise _unreadable() from error


def _unreadable() -> ProblemError:
    return ProblemError(503, "the online store cannot be read now", headers={"Retry-After": "2"})


async def _known(
    service: CustomerService, ids: list[str], view: View, request: Request, *, compute: bool = False
) -> dict[str, Known]:
    try:
        known = await service.customers(ids, view=view, compute=compute)
    except OnlineStoreError as error:
        raise _unreadable() from error
    for one in known.values():
        request.app.state.metrics.answers.labels(one.served_from).inc()
    return known


def _json(answer: Any) -> Response:
    return Response(orjson.dumps(answer), media_type="application/json")


def _customer(known: Known, view: View) -> dict[str, Any]:
    record = known.record
    return {
        **heading(known, view),
        "predictions": record["predictions"],
        "decisions": record["decisions"],
        "actions_due": record["actions_due"],
    }


# what the endpoints of one customer have alike, and those that score
OF_ONE: dict[str, Any] = {
    "responses": problems()
    | {404: {"model": schemas.UnknownCustomer, "content": {MEDIA_TYPE: {}}}},
    "dependencies": READ,
    "tags": ["customers"],
}
SCORING: dict[str, Any] = {
    "responses": problems(400),
    "dependencies": SCORE,
    "tags": ["scoring"],
}


async def known_or_404(
    service: CustomerService, customer_id: str, request: Request, *, compute: bool = False
) -> tuple[Known, View]:
    """What is known of one customer, and the release that it is of.

    Raises:
        ProblemError: 404, with a list for somebody unknown.
    """
    view = await _view(service)
    known = await _known(service, [customer_id], view, request, compute=compute)
    if customer_id in known:
        return known[customer_id], view
    listed = recommended(None, view, limit=10, exclude=frozenset())
    raise ProblemError(
        404,
        "nothing is known of this customer; the list is for somebody unknown",
        more={"recommendations": listed},
    )


Path = schemas.CustomerId
Compute = Annotated[
    bool, Query(description="Score now by the champions although the day has predictions")
]


@router.get(
    "/customers/{customer_id:path}/explanations/{model}",
    summary="Why a model says what it says of a customer",
    response_model=schemas.ExplanationAnswer,
    **OF_ONE,
)
async def explanation(
    request: Request,
    service: Service,
    customer_id: Path,
    model: schemas.ModelName,
    compute: Compute = False,
) -> Response:
    """The three strongest reasons, from exact SHAP values where the model is trees."""
    one, view = await known_or_404(service, customer_id, request, compute=compute)
    return _json(
        {
            **heading(one, view),
            "model": model,
            "prediction": one.record["predictions"].get(model),
            "reasons": _reasons(one.record["explanations"].get(model, [])),
            "unit": UNITS.get(model),
        }
    )


def _reasons(reasons: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**reason, "meaning": MEANINGS.get(reason["feature"])} for reason in reasons]


MEANINGS = {feature.name: feature.meaning for feature in FEATURES.values()}
UNITS = {
    spec.name: column.unit
    for spec in MODELS
    for column in spec.columns
    if column.name == "reason_1_contribution"
}


@router.get(
    "/customers/{customer_id:path}/recommendations",
    summary="Posts to show a customer",
    response_model=schemas.RecommendationAnswer,
    **OF_ONE,
)
async def recommendations(
    request: Request,
    service: Service,
    customer_id: Path,
    limit: Annotated[int, Query(ge=1, le=50, description="Most items")] = 10,
    exclude: Annotated[
        list[Annotated[str, schemas.Field(max_length=256)]],
        Query(max_length=200, description="Items that must not be in it, such as those seen"),
    ] = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    """The day's list, without those excluded; none without consent to personalisation."""
    one, view = await known_or_404(service, customer_id, request)
    listed = recommended(one, view, limit=limit, exclude=frozenset(exclude))
    return _json({**heading(one, view), **listed})


# after the paths that go on behind an id: an id may have slashes (%2F) in it
@router.get(
    "/customers/{customer_id:path}",
    summary="Everything that the models say of a customer",
    response_model=schemas.CustomerAnswer,
    **OF_ONE,
)
async def customer(
    request: Request, service: Service, customer_id: Path, compute: Compute = False
) -> Response:
    """Predictions of the day that is served; what no model had predicted is scored now."""
    return _json(_customer(*await known_or_404(service, customer_id, request, compute=compute)))


@router.post(
    "/customers:batch",
    summary="Everything that the models say of up to 100 customers",
    response_model=schemas.BatchAnswer,
    responses=problems(400),
    dependencies=READ,
    tags=["customers"],
)
async def batch(request: Request, service: Service, body: schemas.BatchRequest) -> Response:
    """All from one release, in the order asked; a customer asked for twice stands there once."""
    view = await _view(service)
    ids = list(dict.fromkeys(body.customer_ids))
    known = await _known(service, ids, view, request)
    return _json(
        {
            "customers": [_customer(known[who], view) for who in ids if who in known],
            "unknown": [who for who in ids if who not in known],
        }
    )


@router.post(
    "/score",
    summary="Score features that you send",
    response_model=schemas.ScoreAnswer,
    **SCORING,
)
async def score(request: Request, service: Service, body: schemas.ScoreRequest) -> Response:
    """What the champions say of features; nothing is kept. A customer may stand in it repeatedly.

    What depends on all customers (who is a VIP, ranks behind the health) is relative to those of
    the release.
    """
    view = await _view(service)
    day = body.snapshot_date or view.release.snapshot_date
    sent = [
        {
            # one customer may be sent with several sets of features, to compare what would be
            "customer_id": str(place),
            "snapshot_date": day.isoformat(),
            "features": one.features.model_dump(),
            "model_versions": {},
        }
        for place, one in enumerate(body.customers)
    ]
    scored = await service.score(sent, view)
    request.app.state.metrics.answers.labels(COMPUTED).inc(len(scored))
    answers = [
        {
            **_customer(Known(record, COMPUTED), view),
            "customer_id": one.customer_id,
            "explanations": {
                name: _reasons(reasons) for name, reasons in record["explanations"].items()
            },
        }
        for one, record in zip(body.customers, scored, strict=True)
    ]
    return _json({"customers": answers})


@router.post(
    "/sentiment",
    summary="Sentiment and emotion of texts",
    response_model=schemas.SentimentAnswer,
    **SCORING,
)
async def sentiment(request: Request, body: schemas.SentimentRequest) -> Response:
    """Only with your statement that the writer agreed; the texts are kept nowhere."""
    scores, version = await to_thread.run_sync(request.app.state.sentiment, body.texts)
    return _json({"model_version": version, "texts": scores})


@router.get(
    "/models",
    summary="The models that serve",
    response_model=schemas.ModelsAnswer,
    responses=problems(),
    dependencies=READ,
    tags=["models"],
)
async def models(service: Service) -> Response:
    """Version, what it is for and not for, and how good it is."""
    cards = service.scorer.cards
    return _json({"models": [_model(spec, cards.get(spec.name, {})) for spec in MODELS]})


def _model(spec: Any, card: Any) -> dict[str, Any]:
    return {
        "name": spec.name,
        "version": card.get("version"),
        "subject": spec.subject,
        "purpose": spec.purpose,
        "limits": list(spec.limits),
        "training_snapshot": card.get("training_snapshot"),
        "test_snapshot": card.get("test_snapshot"),
        "registered_at": card.get("registered_at"),
        "metrics": card.get("metrics", {}),
    }


@router.post(
    "/models:reload",
    summary="Load the champions of now",
    response_model=schemas.ModelsAnswer,
    responses=problems(),
    dependencies=ADMIN,
    tags=["models"],
)
async def reload(request: Request, service: Service) -> Response:
    """After a promotion or rollback; without it each worker looks once a minute."""
    await to_thread.run_sync(request.app.state.reload)
    return await models(service)


@health.get("/healthz", summary="The process answers", response_model=schemas.HealthAnswer)
async def healthz() -> Response:
    """For whoever restarts processes."""
    return _json({"status": "ok"})


@health.get(
    "/readyz",
    summary="Requests can be answered",
    response_model=schemas.ReadyAnswer,
    responses={503: _PROBLEM},
)
async def readyz(service: Service) -> Response:
    """For whoever sends traffic; says how old the answers are."""
    view = await _view(service)
    release = view.release
    return _json(
        {
            "status": "ready",
            "release": release.name,
            "snapshot_date": release.snapshot_date,
            "snapshot_age_days": release.age_days,
            "published_at": release.published_at,
            "models": service.scorer.versions,
            "unavailable": service.scorer.unavailable,
        }
    )


@health.get(
    "/metrics",
    summary="Counts and times, for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, 401: _PROBLEM, 403: _PROBLEM, 429: _PROBLEM},
    dependencies=ADMIN,
)
async def metrics(request: Request) -> Response:
    """In the text format of Prometheus."""
    return Response(
        generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST
    )
