"""The federation's coordinator over HTTP with mutual TLS.

Belongs here: routes, and who the peer's certificate names. Does not belong here: stages
(`coordinator.py`).
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from uvicorn.protocols.http.h11_impl import H11Protocol

from engagement_assets.serving.federated.coordinator import Coordinator, RefusedError
from engagement_assets.serving.federated.messages import (
    TENSORS,
    read_message,
    to_tensor,
    write_answer,
)

Scope = MutableMapping[str, Any]
_LARGEST_BODY = 64 * 2**20


def federation_app(coordinator: Coordinator) -> FastAPI:
    """Return the app; the peer's name is its certificate's, which `PeerProtocol` puts in scope.

    All routes are coroutines without a pause between reading the state and writing it, so one
    message is taken at a time.
    """
    app = FastAPI(title="Federation", docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(RefusedError)
    async def refused(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, getattr(error, "status", 500))

    @app.get("/v1/round")
    async def poll(request: Request) -> dict[str, Any]:
        return coordinator.poll(_peer(request))

    @app.get("/v1/weights")
    async def weights(request: Request) -> Response:
        _peer(request)
        return Response(to_tensor(coordinator.weights), media_type=TENSORS)

    @app.get("/v1/rounds/{round_id}/{stage}")
    async def read(request: Request, round_id: str, stage: str) -> Response:
        answer = coordinator.read(_peer(request), round_id, stage)
        return Response(write_answer(stage, answer), media_type="application/json")

    @app.post("/v1/rounds/{round_id}/{stage}", status_code=204)
    async def take(request: Request, round_id: str, stage: str) -> None:
        peer, content = _peer(request), b""
        async for part in request.stream():
            content += part
            if len(content) > _LARGEST_BODY:
                raise RefusedError(413, "the message is too large")
        try:
            message = read_message(stage, content)
        except ValueError as error:
            raise RefusedError(422, f"not a message of {stage}: {error}") from error
        coordinator.take(peer, round_id, stage, message)

    return app


def _peer(request: Request) -> str:
    peer = request.scope.get("peer")
    if not peer:
        raise RefusedError(401, "a client's certificate is needed")
    return str(peer)


class PeerProtocol(H11Protocol):
    """Uvicorn's protocol with the name of the peer's verified certificate in the scope."""

    def connection_made(self, transport: Any) -> None:
        """Read the certificate of a connection whose handshake is over."""
        super().connection_made(transport)
        session = transport.get_extra_info("ssl_object")
        certificate = session.getpeercert() if session is not None else None
        subject = dict(pair for part in (certificate or {}).get("subject", ()) for pair in part)
        inner, peer = self.app, subject.get("commonName")

        async def named(
            scope: Scope,
            receive: Callable[[], Awaitable[Any]],
            send: Callable[[Any], Awaitable[None]],
        ) -> None:
            await inner({**scope, "peer": peer}, receive, send)

        self.app = named


def federation_server(
    coordinator: Coordinator,
    *,
    port: int,
    certificate: Path,
    key: Path,
    authority: Path,
    host: str = "127.0.0.1",
) -> uvicorn.Server:
    """Return a server that refuses every client whose certificate is not the authority's."""
    config = uvicorn.Config(
        federation_app(coordinator),
        host=host,
        port=port,
        http=PeerProtocol,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        ssl_ca_certs=str(authority),
        ssl_cert_reqs=ssl.CERT_REQUIRED,
        log_level="warning",
    )
    return uvicorn.Server(config)
