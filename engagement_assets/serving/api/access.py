"""Who asks, what that opens, and how often it may.

Belongs here: from headers to a caller with scopes, and the rate. Does not belong here: keys and
tokens themselves (`keys.py`, `tokens.py`).
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

import limits
from anyio import to_thread
from fastapi import Request, Response
from fastapi.routing import APIRoute
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.storage import storage_from_string

from engagement_assets.serving.api.keys import SCOPES, KeyRing, KeysError
from engagement_assets.serving.api.problems import ProblemError
from engagement_assets.serving.api.tokens import TokenChecker, TokenError

_CHALLENGE = {"WWW-Authenticate": "Bearer"}


class KeySource(Protocol):
    """Where API keys come from."""

    def ring(self) -> KeyRing:
        """The keys of now."""


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        name: Names the caller in logs and limits: `key:<id>` or `jwt:<hash of the subject>`.
        scopes: What is open to them.
        rate: Their own rate, or None for the API's.
    """

    name: str
    scopes: frozenset[str]
    rate: str | None = None


class Access:
    """Lets callers in.

    Args:
        keys: The API keys.
        tokens: Checks JWTs; None where none are accepted.
        rate: Rate of a caller who has none of their own.
        rate_storage: Where requests are counted.
    """

    def __init__(
        self, keys: KeySource, tokens: TokenChecker | None, *, rate: str, rate_storage: str
    ) -> None:
        self._keys = keys
        self._tokens = tokens
        self._rate = rate
        self._limiter = SlidingWindowCounterRateLimiter(storage_from_string(rate_storage))
        self._parsed: dict[str, limits.RateLimitItem] = {}

    async def caller(self, request: Request) -> Caller:
        """The caller of a request, counted once.

        Raises:
            ProblemError: 401 for nobody known, 429 for too many requests.
        """
        known: Caller | None = request.scope.get("known_caller")
        if known is not None:
            return known
        caller = await self._known(request)
        request.scope["caller"] = caller.name
        await self.count(caller, caller.rate or self._rate)
        request.scope["known_caller"] = caller
        return caller

    async def count(self, caller: Caller, rate: str, *, of: str = "") -> None:
        """Count a request of a caller, or of one kind of theirs.

        Raises:
            ProblemError: 429 for too many.
        """
        item = self._parsed.setdefault(rate, limits.parse(rate))
        counted = (of, caller.name) if of else (caller.name,)
        if not await self._limiter.hit(item, *counted):
            reset = (await self._limiter.get_window_stats(item, *counted)).reset_time
            wait = max(1, math.ceil(reset - time.time()))
            raise ProblemError(
                429,
                f"more than {rate} for this caller; try again in {wait} s",
                headers={"Retry-After": str(wait)},
            )

    async def _known(self, request: Request) -> Caller:
        # blanks and tabs around a header's value are not part of it (RFC 9110, 5.5): the parser of
        # HTTP takes them away; all others are part of the key, and make it another
        token = request.headers.get("x-api-key", "")
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if not token and scheme.lower() == "bearer":
            token = bearer.strip(" ")
        if not token:
            raise ProblemError(
                401, "send an API key as X-API-Key or Authorization: Bearer", headers=_CHALLENGE
            )
        if token.startswith("eng_"):
            return self._by_key(token)
        return await self._by_token(token)

    def _by_key(self, token: str) -> Caller:
        try:
            key = self._keys.ring().find(token)
        except KeysError as error:
            raise ProblemError(
                503, "the API keys cannot be read; the operator must mend them"
            ) from error
        if key is None:
            raise ProblemError(401, "the API key is not known or has expired", headers=_CHALLENGE)
        return Caller(f"key:{key.id}", frozenset(key.scopes), key.rate)

    async def _by_token(self, token: str) -> Caller:
        if self._tokens is None:
            raise ProblemError(
                401, "this installation takes API keys, not tokens", headers=_CHALLENGE
            )
        try:
            claims = (
                await to_thread.run_sync(self._tokens.claims, token)
                if self._tokens.is_remote
                else self._tokens.claims(token)
            )
        except TokenError as error:
            raise ProblemError(401, str(error), headers=_CHALLENGE) from error
        scopes = frozenset(str(claims.get("scope", "")).split()) & frozenset(SCOPES)
        return Caller(f"jwt:{_shortened(str(claims['sub']))}", scopes)


def _shortened(subject: str) -> str:
    """A name for the logs that is not the subject, which may be an e-mail address."""
    return hashlib.sha256(subject.encode()).hexdigest()[:12]


class KeyFirst(APIRoute):
    """A route that looks who asks before it reads what was sent.

    FastAPI reads and parses a body before the dependencies of its route: whoever has no key would
    have theirs looked at, and could hold a request for as long as a body may take.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers, behind the door."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            access: Access = request.app.state.access
            await access.caller(request)
            return await handler(request)

        return handle


def needs(*scopes: str) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency that lets in callers with one of some scopes; `admin` opens everything.

    Raises:
        ProblemError: 401, 403 or 429.
    """

    async def allowed(request: Request) -> Caller:
        access: Access = request.app.state.access
        caller = await access.caller(request)
        if not {*scopes, "admin"} & caller.scopes:
            named = " or ".join(scopes)
            raise ProblemError(403, f"this needs the scope {named}, which the caller does not have")
        return caller

    return allowed
