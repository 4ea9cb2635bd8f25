"""What a connection may send before anybody knows who sends it: bounded lines, headers and time.

Belongs here: limits of connections. Does not belong here: limits of bodies (`guard.py`) and of
callers (`access.py`), and what is answered.

uvicorn bounds how long a connection idles between requests, and nothing else: a request line of
100 MB is gathered, a client that sends a byte a minute holds its connection for ever, and idle
connections count as load. Decision 150 says why this is not a server of another kind.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from engagement_assets.serving.api.problems import MEDIA_TYPE, RETRY_SECONDS, problem_body

MAX_LINE_BYTES = 16_384
MAX_HEAD_BYTES = 65_536
MAX_HEADERS = 100
# answered however many connections there are: who watches the service must hear from it
HEALTH = (b"/healthz", b"/readyz")
# what is refused for now, and not for ever
AGAIN = (429, 503)


class HeadError(Exception):
    """A request line or header that is not taken."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol within limits.

    Attributes:
        header_seconds: A connection that does not end its headers by then is closed.
        per_address: Most connections at once from one address; further ones are answered 429.
        opened: This process's connections, the one that asked longest ago first, and of whom.
        of_address: How many there are of whom.
    """

    header_seconds: ClassVar[float] = 10.0
    per_address: ClassVar[int] = 100
    opened: ClassVar[OrderedDict[BoundedProtocol, str]] = OrderedDict()
    of_address: ClassVar[Counter[str]] = Counter()

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request, unless the address has its share already."""
        self._head_due: asyncio.TimerHandle | None = None
        self._beside = self._headers = 0
        self._refused: tuple[int, str] | None = None
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        self.opened[self] = address
        self.of_address[address] += 1
        if self.of_address[address] > self.per_address:
            self._refuse(429, f"more than {self.per_address} connections at once from one address")
            return
        self._make_room()
        self._expect_head()

    def _make_room(self) -> None:
        """Close the connection that waits longest where there are too many.

        So idle ones lock nobody out; where every one is being answered the answer is 503.
        """
        limit = self.config.limit_concurrency
        if limit is None or len(self.connections) < limit:
            return
        for other in self.opened:
            if other is not self and other._is_idle() and not other.transport.is_closing():
                other.transport.close()
                # it is counted until the loop has closed it, and a request may come before that
                self.connections.discard(other)
                return

    def _is_full(self, limit: int | None) -> bool:
        return limit is not None and max(len(self.connections), len(self.tasks)) >= limit

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Take what came, if what is no body stays within its limits."""
        if self.transport.is_closing():
            return
        if self._head_due is None and self._is_idle():
            self._expect_head()
        self._beside += len(data)
        super().data_received(data)
        # between callbacks of the parser a line may grow; so may what surrounds the parts of a body
        if self._beside > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(431, f"a request line and headers may have {MAX_HEAD_BYTES:,} bytes")

    def on_message_begin(self) -> None:
        """Wait for the headers of a further request."""
        self._headers = 0
        if self._head_due is None:
            self._expect_head()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of the path."""
        super().on_url(url)
        self._bound_line(len(self.url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._bound_line(len(name) + len(value))
        self._headers += 1
        if self._headers > MAX_HEADERS:
            self._refused = 431, f"a request may have {MAX_HEADERS} headers"
            raise HeadError
        super().on_header(name, value)

    def _bound_line(self, length: int) -> None:
        if length > MAX_LINE_BYTES:
            self._refused = 431, f"a line of a request may have {MAX_LINE_BYTES:,} bytes"
            raise HeadError

    def on_headers_complete(self) -> None:
        """Stop waiting, and answer for the health however many connections there are."""
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEAD_BYTES:
            self._refused = 431, f"a request line and headers may have {MAX_HEAD_BYTES:,} bytes"
            raise HeadError
        self._stop_waiting()
        self.opened.move_to_end(self)
        watched = self.url.partition(b"?")[0] in HEALTH
        self.limit_concurrency = None if watched else self.config.limit_concurrency
        # behind a request that is being answered uvicorn answers in its turn
        if self._is_idle() and self._is_full(self.limit_concurrency):
            self.logger.warning("%s connections are being answered: 503", len(self.connections))
            self._refused = 503, "every connection of this process is being answered"
            raise HeadError
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body, which may have as much around it as it has itself."""
        self._beside -= 2 * len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Let the next request have its own limits."""
        self._beside = 0
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the address have another connection."""
        self._stop_waiting()
        address = self.opened.pop(self)
        self.of_address[address] -= 1
        if not self.of_address[address]:
            del self.of_address[address]
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Say what the parser, or a limit, did not take."""
        if self._refused:
            self._refuse(*self._refused)
        else:
            self._refuse(400, "this is not a request of HTTP/1.1")

    def _refuse(self, status: int, detail: str) -> None:
        body = problem_body(status, detail, "")
        later = b"retry-after: %d\r\n" % RETRY_SECONDS if status in AGAIN else b""
        lines = [
            STATUS_LINE[status],
            later,
            b"content-type: " + MEDIA_TYPE.encode() + b"\r\n",
            b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body),
            body,
        ]
        self.transport.write(b"".join(lines))
        self.transport.close()

    def _expect_head(self) -> None:
        self._stop_waiting()
        self._head_due = self.loop.call_later(self.header_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None

    def _give_up(self) -> None:
        self._head_due = None
        if not self._is_idle():
            # its next request waits behind one that is being answered
            self._expect_head()
        elif not self.transport.is_closing():
            self.transport.close()
