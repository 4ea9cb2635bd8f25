"""Errors as answers: `application/problem+json` (RFC 9457), and never a stack.

Belongs here: what an error looks like. Does not belong here: when it happens.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypeVar

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
# After so many seconds a caller may ask again where an answer does not name its own time.
RETRY_SECONDS = 30
T = TypeVar("T")
logger = logging.getLogger("engagement.api")

TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timed out",
    413: "Body too large",
    415: "Unsupported media type",
    422: "Not valid",
    429: "Too many requests",
    431: "Headers too large",
    500: "Internal error",
    503: "Not ready",
}


class ProblemError(Exception):
    """An answer that is an error.

    Attributes:
        status: HTTP status.
        detail: What is wrong and what would be right, a sentence for the caller.
        more: Further members of the answer.
        headers: Further headers; where none are given, a 503 says when to ask again.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.more = dict(more or {})
        if headers is None and status == 503:
            headers = {"Retry-After": str(RETRY_SECONDS)}
        self.headers = dict(headers or {})


def of_lake(part: T | None) -> T:
    """Return a part of the server that reads the lake.

    Raises:
        ProblemError: This server does not read it, so the part is None.
    """
    if part is None:
        # asking it again would bring nothing
        detail = "this server does not read the lake (ENGAGEMENT_API_LAKE=0)"
        raise ProblemError(503, detail, headers={})
    return part


def problem_body(
    status: int, detail: str, request_id: str, more: Mapping[str, Any] | None = None
) -> bytes:
    """The answer's body."""
    problem = {
        "type": "about:blank",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "request_id": request_id,
    }
    return orjson.dumps(problem | dict(more or {}))


def add_handlers(app: FastAPI) -> None:
    """Make every error of an app a problem."""

    def answer(
        request: Request,
        status: int,
        detail: str,
        *,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        request_id = request.scope.get("request_id", "")
        return Response(
            problem_body(status, detail, request_id, more),
            status,
            headers=dict(headers or {}),
            media_type=MEDIA_TYPE,
        )

    async def on_problem(request: Request, error: Any) -> Response:
        return answer(request, error.status, error.detail, more=error.more, headers=error.headers)

    async def on_http(request: Request, error: Any) -> Response:
        detail = "there is nothing at this path" if error.status_code == 404 else error.detail
        return answer(request, error.status_code, str(detail), headers=error.headers)

    async def on_invalid(request: Request, error: Any) -> Response:
        return answer(
            request,
            422,
            "the request is not valid; `errors` says where",
            more={"errors": [_without_input(entry) for entry in error.errors()[:20]]},
        )

    app.add_exception_handler(ProblemError, on_problem)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)


def _without_input(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Where and why, without what was sent: it may be personal, and answers are kept."""
    place = ".".join(str(part) for part in entry["loc"])
    return {"where": place[:200], "why": str(entry["msg"])[:300]}
