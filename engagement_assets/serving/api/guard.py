"""What every request passes first: its id, its limits, its line in the log, its count.

Belongs here: what holds for all requests alike. Does not belong here: who may ask (`access.py`) and
what is answered (`routes.py`).

The log has the route and never the path, query, headers or body, so no customer's id and no text
gets into it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.exceptions import HTTPException

from engagement_assets.serving.api.problems import MEDIA_TYPE, problem_body

logger = logging.getLogger("engagement.api")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_GIVEN_ID = re.compile(rb"[A-Za-z0-9_-]{8,64}")
_BUCKETS = (0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)


class BodyError(HTTPException):
    """A body that is not taken; FastAPI lets it pass, where it would call another error a 400."""

    def __init__(self, status: int, detail: str) -> None:
        # the rest of a body that was not read must not be taken for a request
        super().__init__(status, detail, headers={"Connection": "close"})


class Metrics:
    """Counts and times of requests.

    Attributes:
        registry: What `/metrics` shows.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "engagement_api_requests_total",
            "Requests by route and status",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "engagement_api_request_seconds",
            "Time from the first byte of a request to the last of its answer",
            ["route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.answers = Counter(
            "engagement_api_customers_total",
            "Customers answered for, by where from",
            ["served_from"],
            registry=self.registry,
        )


class Guard:
    """Wraps an app.

    Args:
        app: What answers.
        metrics: Where requests are counted.
        max_body_bytes: A larger body is answered 413.
        body_seconds: A body that has not come by then is answered 408.
    """

    def __init__(
        self, app: App, metrics: Metrics, *, max_body_bytes: int, body_seconds: float
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = scope["request_id"] = _request_id(scope)
        answer = _Answer(send, request_id)
        try:
            body = _Body(receive, self._max_body_bytes, self._body_seconds)
            body.check_length(scope)
            await self._app(scope, body, answer)
        except BodyError as error:
            await answer.problem(error.status_code, error.detail)
        # a caller learns nothing of what broke; the log has the kind and the place
        except Exception as error:  # noqa: BLE001 - every fault is answered alike
            _log_failure(error, request_id)
            await answer.problem(500, "something went wrong here; tell us the request_id")
        finally:
            self._tell(scope, answer.status, time.perf_counter() - began)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path_format", "(none)")
        self._metrics.requests.labels(scope["method"], route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        logger.info(
            "%s",
            json.dumps(
                {
                    "request_id": scope["request_id"],
                    "method": scope["method"],
                    "route": route,
                    "status": status,
                    "ms": round(1e3 * seconds, 2),
                    "caller": scope.get("caller", ""),
                }
            ),
        )


def _request_id(scope: Scope) -> str:
    """The caller's own where it is a plain one, or else a new one."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode() if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8)


def _log_failure(error: Exception, request_id: str) -> None:
    """Write down what broke and where, but not its message: that may quote a row."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code if trace else None
    place = f"{code.co_filename}:{trace.tb_lineno}" if trace and code else "an unknown place"
    logger.error("request %s: %s at %s", request_id, type(error).__name__, place)


class _Body:
    """Receives a body of bounded size within a bounded time."""

    def __init__(self, receive: Receive, max_bytes: int, seconds: float) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._ends = time.monotonic() + seconds
        self._came = 0
        self._whole = False

    def check_length(self, scope: Scope) -> None:
        """Refuse what says of itself that it is too large."""
        for name, value in scope["headers"]:
            if name == b"content-length" and (not value.isdigit() or int(value) > self._max_bytes):
                raise self._too_large()

    async def __call__(self) -> MutableMapping[str, Any]:
        if self._whole:
            # what comes after the body is a disconnect, which may take its time
            return await self._receive()
        left = self._ends - time.monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), max(left, 0.0))
        except TimeoutError as error:
            detail = f"the body did not come within {self._seconds:g} s"
            raise BodyError(408, detail) from error
        if message["type"] == "http.request":
            self._came += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._came > self._max_bytes:
                raise self._too_large()
        return message

    def _too_large(self) -> BodyError:
        return BodyError(413, f"a body may have at most {self._max_bytes} bytes")


class _Answer:
    """Sends an answer with the headers that every answer has."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 0

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                *message.get("headers", []),
                (b"x-request-id", self._request_id.encode()),
                (b"x-content-type-options", b"nosniff"),
                # answers are of persons: no cache between here and the caller keeps them
                (b"cache-control", b"no-store"),
            ]
        await self._send(message)

    async def problem(self, status: int, detail: str) -> None:
        """Answer with an error, unless an answer has begun."""
        if self.status:
            return
        body = problem_body(status, detail, self._request_id)
        await self(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", MEDIA_TYPE.encode()),
                    (b"content-length", str(len(body)).encode()),
                    # the rest of a body that was not read must not be taken for a request
                    (b"connection", b"close"),
                ],
            }
        )
        await self._send({"type": "http.response.body", "body": body})
