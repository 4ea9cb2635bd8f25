"""AWS Lambda behind API Gateway: the same application, through Mangum.

Belongs here: the entry point `handler`. Does not belong here: the
application (`engagement_assets.serving.api`).

Models are loaded once a container, when Lambda imports this module, and not with each event: Mangum
would start and stop the application's lifespan around every one. A container is frozen between
events, so champions are looked up when an event comes, at most once a minute.
"""

import logging
import os
import time
from functools import cache
from typing import Any

from mangum import Mangum

from engagement_assets.deployments.serving import installation_from_environ
from engagement_assets.serving.api.app import (
    MODELS_SECONDS,
    create_app,
    open_service,
    reload_if_new,
)
from engagement_assets.serving.api.problems import MEDIA_TYPE
from engagement_assets.settings.api import ApiSettings

TEXT_TYPES = ["text/", "application/json", MEDIA_TYPE]

logging.getLogger().setLevel(logging.INFO)


class Handler:
    """Answers events of API Gateway."""

    def __init__(self) -> None:
        settings = ApiSettings()
        self._installation = installation_from_environ(settings)
        self._app = create_app(settings, self._installation)
        open_service(self._app, settings, self._installation)
        self._answer = Mangum(self._app, lifespan="off", text_mime_types=TEXT_TYPES)
        self._looked = time.monotonic()

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """Answer one event."""
        if time.monotonic() - self._looked >= MODELS_SECONDS:
            self._looked = time.monotonic()
            reload_if_new(self._app, self._installation)
        return self._answer(event, context)


@cache
def _opened() -> Handler:
    return Handler()


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Answer one event of API Gateway."""
    return _opened()(event, context)


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    # before the first event, in the time that Lambda gives to a container's start
    _opened()
