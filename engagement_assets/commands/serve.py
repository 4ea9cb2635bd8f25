"""What `engagement serve` does: serve the application by uvicorn.

Belongs here: processes and logs. Does not belong here: what a connection may
send (`serving/api/connection.py`) and what is answered.
"""

from __future__ import annotations

import logging
import sys

import uvicorn
from fastapi import FastAPI

from engagement_assets.serving.api.app import create_app
from engagement_assets.serving.api.connection import BoundedProtocol
from engagement_assets.settings.api import ApiSettings

FACTORY = "engagement_assets.commands.serve:app_from_environ"
LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"


def app_from_environ() -> FastAPI:
    """The application of the installation that the environment names."""
    from engagement_assets.deployments.serving import (  # noqa: PLC0415 - loads the models' code
        installation_from_environ,
    )

    settings = ApiSettings()
    # here, since every worker is a process that begins with this
    BoundedProtocol.header_seconds = settings.header_seconds
    BoundedProtocol.per_address = settings.address_connections
    return create_app(settings, installation_from_environ(settings))


def serve_api(settings: ApiSettings) -> None:
    """Serve until told to stop."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr)
    # it would write paths, which hold customers' ids; the guard writes routes
    logging.getLogger("uvicorn.access").disabled = True
    uvicorn.run(
        FACTORY,
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        http=BoundedProtocol,
        ws="none",
        loop="uvloop",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        timeout_keep_alive=int(settings.idle_seconds),
        timeout_graceful_shutdown=10,
        limit_concurrency=settings.concurrency,
        ssl_certfile=settings.tls_certificate or None,
        ssl_keyfile=settings.tls_key or None,
        # TLS 1.2 and later are Python's own least
    )
