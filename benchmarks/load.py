"""An open-loop load on an HTTP server of this machine.

Belongs here: sending requests at their times and measuring. Does not belong here: what is asked.

Requests are due at fixed times whether earlier ones were answered or not, and a time is measured
from when a request was due, so a server that stalls is not let off (coordinated omission). Only
the loopback address is ever asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

HOST = "127.0.0.1"
TIMEOUT_SECONDS = 30.0


@dataclass
class Outcome:
    """What came of a load.

    Attributes:
        milliseconds: Time of each answered request, from when it was due.
        statuses: How many answers had each status; 0 for none.
        late_ms: By how much the client itself sent late, the worst.
        seconds: How long it took.
    """

    milliseconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    late_ms: float = 0.0
    seconds: float = 0.0

    def quantile(self, share: float) -> float:
        """A quantile of the times in ms."""
        return float(np.quantile(self.milliseconds, share)) if self.milliseconds else float("nan")

    @property
    def errors(self) -> int:
        """Requests that were not answered 200."""
        return sum(count for status, count in self.statuses.items() if status != 200)

    def summary(self) -> dict[str, float]:
        """The figures."""
        return {
            "requests": len(self.milliseconds),
            "p50_ms": round(self.quantile(0.5), 2),
            "p99_ms": round(self.quantile(0.99), 2),
            "p999_ms": round(self.quantile(0.999), 2),
            "max_ms": round(max(self.milliseconds, default=float("nan")), 2),
            "errors": self.errors,
            "answered_per_second": round(len(self.milliseconds) / self.seconds, 1),
        }


class Connection:
    """One kept-alive connection, opened again when it breaks."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request and read its answer: status and body.

        Raises:
            OSError: The server cannot be reached or ended the connection.
        """
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(HOST, self._port)
            reader, writer = self._streams
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
            at = head.lower().index(b"content-length: ") + 16
            body = await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            self.close()
            raise ConnectionError(str(error)) from error
        if b"connection: close" in head.lower():
            self.close()
        return status, body

    def close(self) -> None:
        """Let go of the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def get(path: str, key: str) -> bytes:
    """A GET request."""
    return (f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nX-API-Key: {key}\r\n\r\n").encode()


def post(path: str, key: str, body: bytes) -> bytes:
    """A POST request of JSON."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nX-API-Key: {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def offer(
    port: int,
    request: Callable[[int], bytes],
    *,
    rate: float,
    seconds: float,
    connections: int = 64,
    check: Callable[[int, int, bytes], None] | None = None,
) -> Outcome:
    """Send requests at a rate.

    Args:
        port: Of the server on this machine.
        request: Gives the n-th request.
        rate: Requests a second.
        seconds: For how long.
        connections: Most requests that wait for an answer at once.
        check: Called with number, status and body of each answer.
    """
    outcome = Outcome()
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(connections):
        free.put_nowait(Connection(port))
    began = time.perf_counter()

    async def send(number: int, due: float) -> None:
        connection = await free.get()
        outcome.late_ms = max(outcome.late_ms, 1e3 * (time.perf_counter() - began - due))
        try:
            status, body = await asyncio.wait_for(connection.ask(request(number)), TIMEOUT_SECONDS)
        except (ConnectionError, TimeoutError):
            connection.close()
            status, body = 0, b""
        finally:
            free.put_nowait(connection)
        outcome.milliseconds.append(1e3 * (time.perf_counter() - began - due))
        outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
        if check is not None:
            check(number, status, body)

    running: set[asyncio.Task[None]] = set()
    for number in range(round(rate * seconds)):
        due = number / rate
        ahead = began + due - time.perf_counter()
        if ahead > 0:
            await asyncio.sleep(ahead)
        task = asyncio.create_task(send(number, due))
        running.add(task)
        task.add_done_callback(running.discard)
    if running:
        await asyncio.wait(running)
    outcome.seconds = time.perf_counter() - began
    while not free.empty():
        free.get_nowait().close()
    return outcome


async def one_after_another(port: int, request: Callable[[int], bytes], *, count: int) -> Outcome:
    """Send requests, each when the one before was answered."""
    outcome, connection = Outcome(), Connection(port)
    began = time.perf_counter()
    for number in range(count):
        sent = time.perf_counter()
        status, _ = await connection.ask(request(number))
        outcome.milliseconds.append(1e3 * (time.perf_counter() - sent))
        outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
    outcome.seconds = time.perf_counter() - began
    connection.close()
    return outcome
