"""What `engagement serve` does: serve the application by uvicorn.

Belongs here: sockets, processes, logs and slow clients. Does not belong here: what is answered.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from engagement_assets.serving.api.app import create_app
from engagement_assets.settings.api import ApiSettings

FACTORY = "engagement_assets.commands.serve:app_from_environ"
LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"


class TimedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which also gives up a client that never ends its headers.

    uvicorn bounds how long a connection idles between requests, not how long a request line and
    headers may take: a client that sends a byte a minute would hold its connection for ever.
    """

    header_seconds = 10.0

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        self._headers_due: asyncio.TimerHandle | None = None
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """Begin to wait for the headers of a further request with its first byte."""
        if self._headers_due is None and (self.cycle is None or self.cycle.response_complete):
            self._expect_headers()
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _expect_headers(self) -> None:
        self._headers_due = self.loop.call_later(self.header_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None

    def _give_up(self) -> None:
        self._headers_due = None
        if not self.transport.is_closing():
            self.transport.close()


def app_from_environ() -> FastAPI:
    """The application of the installation that the environment names."""
    from engagement_assets.deployments.serving import (  # noqa: PLC0415 - loads the models' code
        installation_from_environ,
    )

    settings = ApiSettings()
    return create_app(settings, installation_from_environ(settings))


def serve_api(settings: ApiSettings) -> None:
    """Serve until told to stop."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr)
    # it would write paths, which hold customers' ids; the guard writes routes
    logging.getLogger("uvicorn.access").disabled = True
    TimedProtocol.header_seconds = settings.header_seconds
    uvicorn.run(
        FACTORY,
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        http=TimedProtocol,
        loop="uvloop",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        timeout_keep_alive=int(settings.idle_seconds),
        timeout_graceful_shutdown=10,
        limit_concurrency=settings.concurrency,
        h11_max_incomplete_event_size=16_384,
        ssl_certfile=settings.tls_certificate or None,
        ssl_keyfile=settings.tls_key or None,
        # TLS 1.2 and later are Python's own least
    )
