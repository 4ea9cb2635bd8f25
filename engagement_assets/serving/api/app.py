"""The FastAPI application.

Belongs here: putting routes, access, guard and service together. Does not belong here: any of them,
and where the store and the models come from (`installation.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from prometheus_client import Gauge

from engagement_assets.governance.review import Desk
from engagement_assets.serving.api.access import Access, KeySource, needs
from engagement_assets.serving.api.ask import router as ask_router
from engagement_assets.serving.api.contact import router as contact_router
from engagement_assets.serving.api.counterfactuals import router as counterfactuals_router
from engagement_assets.serving.api.guard import Guard, Metrics
from engagement_assets.serving.api.next_action import router as next_action_router
from engagement_assets.serving.api.problems import add_handlers
from engagement_assets.serving.api.recent import Recent
from engagement_assets.serving.api.reviews import router as reviews_router
from engagement_assets.serving.api.routes import PREFIX, health, router
from engagement_assets.serving.api.service import CustomerService
from engagement_assets.serving.api.texts import Batcher
from engagement_assets.serving.api.texts import router as texts_router
from engagement_assets.serving.api.tokens import TokenChecker
from engagement_assets.serving.scoring import Scorer
from engagement_assets.settings.api import ApiSettings
from engagement_assets.signals.sentiment.events import TextEvents

if TYPE_CHECKING:
    from engagement_assets.chat.assistant import Assistant
    from engagement_assets.decisions.contact.present import Present
    from engagement_assets.decisions.counterfactuals.advice import AdviceDesk

logger = logging.getLogger("engagement.api")

VERSION = "1.0"
# Champions are compared with those that are loaded after so long.
MODELS_SECONDS = 60.0
# A service that could not be opened is tried again, after longer and longer waits.
OPEN_AGAIN_SECONDS = 2.0
DESCRIPTION = """\
What the models of the engagement platform say of a customer, in milliseconds.

Send an API key as `X-API-Key`, or a key or JWT as `Authorization: Bearer`. Every answer about a
customer says its snapshot date, the versions of the models and whether it was `cached` (predicted
with the day) or `computed` (scored now). Errors are `application/problem+json`.
"""

Sentiment = Callable[[Sequence[str]], tuple[list[dict[str, Any]], str]]


@dataclass(frozen=True)
class Installation:
    """What the application needs of where it runs.

    Attributes:
        open_service: Makes the service; loads the models, so it takes a while.
        champions: The versions of now, to be compared with those that are loaded.
        load_scorer: Loads the champions of now; what cannot be opened goes on as it was before.
        keys: API keys.
        sentiment: Scores texts; loads its model with its first call.
        contact: Reads the outbox; None where the lake is not read.
        texts: Scores texts as they are written; None where the lake is not read.
        reviews: The desk of reviewers; None where the lake is not read.
        advice: Counterfactuals; None where the lake is not read.
        ask: The chat of now; None where the lake is not read.
    """

    open_service: Callable[[], CustomerService]
    champions: Callable[[], dict[str, str | None]]
    load_scorer: Callable[[Scorer | None], Scorer]
    keys: KeySource
    sentiment: Sentiment
    contact: Recent[Present] | None
    texts: TextEvents | None
    reviews: Desk | None = None
    advice: AdviceDesk | None = None
    ask: Callable[[], Assistant] | None = None


def create_app(settings: ApiSettings, installation: Installation) -> FastAPI:
    """Make the application; its models are loaded when it starts."""
    app = FastAPI(
        title="Engagement platform",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=_lifespan(settings, installation),
        docs_url="/docs" if settings.docs else None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.docs else None,
    )
    app.state.service = None
    app.state.metrics = Metrics()
    app.state.sentiment = installation.sentiment
    app.state.contact = installation.contact
    app.state.reviews = installation.reviews
    app.state.advice = installation.advice
    app.state.ask = installation.ask
    app.state.ask_rate = settings.ask_rate
    app.state.texts = installation.texts and Batcher(installation.texts.handle)
    app.state.access = Access(
        installation.keys,
        TokenChecker.of(settings),
        rate=settings.rate,
        rate_storage=settings.rate_storage,
    )
    app.state.reload = _reloader(app, installation)
    _watch_age(app)
    add_handlers(app)
    # before the paths of a customer, whose ids may have slashes (%2F) in them
    app.include_router(contact_router)
    app.include_router(next_action_router)
    app.include_router(texts_router)
    app.include_router(reviews_router)
    app.include_router(counterfactuals_router)
    app.include_router(ask_router)
    app.include_router(router)
    app.include_router(health)
    app.add_api_route(
        f"{PREFIX}/openapi.json",
        lambda: JSONResponse(app.openapi()),
        dependencies=[Depends(needs("read"))],
        include_in_schema=False,
    )
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign] # FastAPI's own way
    app.add_middleware(
        Guard,
        metrics=app.state.metrics,
        max_body_bytes=settings.max_body_bytes,
        body_seconds=settings.body_seconds,
    )
    return app


def _lifespan(
    settings: ApiSettings, installation: Installation
) -> Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(_start(app, settings, installation))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    return lifespan


async def _start(app: FastAPI, settings: ApiSettings, installation: Installation) -> None:
    """Load beside the event loop, so that `/healthz` answers meanwhile; then watch champions."""
    wait = OPEN_AGAIN_SECONDS
    while app.state.service is None:
        try:
            await to_thread.run_sync(open_service, app, settings, installation)
        # the log has it; whoever mends it need not start the server again
        except Exception:  # noqa: BLE001 - tried until it succeeds; readiness says no meanwhile
            await asyncio.sleep(wait)
            wait = min(2 * wait, MODELS_SECONDS)
    if settings.warm_sentiment:
        await to_thread.run_sync(installation.sentiment, ["ready"])
        settle(collect=False)
    while True:
        await asyncio.sleep(MODELS_SECONDS)
        await to_thread.run_sync(reload_if_new, app, installation)


def open_service(app: FastAPI, settings: ApiSettings, installation: Installation) -> None:
    """Load the models and open the store; from then on the application is ready."""
    began = time.perf_counter()
    try:
        service = installation.open_service()
    except Exception as error:
        # said with its words: no request is being answered, so nobody's data are in it
        logger.critical("the service cannot be opened: %s: %s", type(error).__name__, error)
        raise
    service.limiter.total_tokens = settings.threads
    settle()
    app.state.service = service
    logger.info("ready after %.2f s", time.perf_counter() - began)


def settle(*, collect: bool = True) -> None:
    """Take what has been loaded out of the garbage collector's sight.

    A full collection walks millions of objects of models and their libraries, none of which is
    garbage, while every request waits.

    Args:
        collect: Whether to let go, once, of what was replaced; where requests are being answered
            and nothing was replaced, they need not wait for it.
    """
    if collect:
        gc.unfreeze()
        gc.collect()
    gc.freeze()


def reload_if_new(app: FastAPI, installation: Installation) -> None:
    """Load the champions if they are not those that are loaded."""
    try:
        if installation.champions() != app.state.service.scorer.champions:
            app.state.reload()
    # whatever is wrong with the registry, the models that are loaded go on answering
    except Exception as error:  # noqa: BLE001 - any fault: answers go on, the log has it
        logger.error("champions cannot be looked up: %s", type(error).__name__)


def _reloader(app: FastAPI, installation: Installation) -> Callable[[], None]:
    def reload() -> None:
        service = app.state.service
        service.scorer = installation.load_scorer(service.scorer)
        settle()
        logger.info("the champions of now are loaded")

    return reload


def _watch_age(app: FastAPI) -> None:
    """Show the age of the day that is served among the metrics."""
    gauge = Gauge(
        "engagement_api_snapshot_age_days",
        "Days from the snapshot date that is served to today; NaN before the first",
        registry=app.state.metrics.registry,
    )

    def age() -> float:
        service: CustomerService | None = app.state.service
        seen = service.seen if service is not None else None
        return float("nan") if seen is None else float(seen.release.age_days)

    gauge.set_function(age)


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The document, with ways to authenticate and links from an answer to what follows it."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
        )
        schemes = document.setdefault("components", {}).setdefault("securitySchemes", {})
        schemes["ApiKey"] = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
        schemes["Bearer"] = {"type": "http", "scheme": "bearer"}
        for path, methods in document["paths"].items():
            for operation in methods.values():
                if path not in ("/healthz", "/readyz"):
                    operation["security"] = [{"ApiKey": []}, {"Bearer": []}]
        _link(document)
        app.openapi_schema = document
    return app.openapi_schema


def _link(document: dict[str, Any]) -> None:
    paths = document["paths"]
    customer = paths[f"{PREFIX}/customers/{{customer_id}}"]["get"]
    links = {}
    for noun in ("explanations/{model}", "recommendations"):
        target = paths[f"{PREFIX}/customers/{{customer_id}}/{noun}"]["get"]
        links[noun.partition("/")[0]] = {
            "operationId": target["operationId"],
            "parameters": {"customer_id": "$response.body#/customer_id"},
        }
    customer["responses"]["200"]["links"] = links
