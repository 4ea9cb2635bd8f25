"""What a connection may send is bounded, and idle connections lock nobody out."""

import socket
import threading
import time
from contextlib import ExitStack, contextmanager, suppress

import pytest
import uvicorn

from engagement_assets.serving.api.connection import BoundedProtocol

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


async def answers(_, receive, send):
    """Reads the body, and answers with it."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    length = str(len(body)).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]}
    )
    await send({"type": "http.response.body", "body": body})


@contextmanager
def served(*, header_seconds=5.0, per_address=100, concurrency=500):
    """The protocol over a small application; gives its port."""
    bounded = type(
        "Bounded",
        (BoundedProtocol,),
        {"header_seconds": header_seconds, "per_address": per_address},
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(
            uvicorn.Config(
                answers,
                http=bounded,
                ws="none",
                lifespan="off",
                log_config=None,
                limit_concurrency=concurrency,
                timeout_graceful_shutdown=1,
                timeout_keep_alive=1,
            )
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def connected(port, address="127.0.0.1"):
    opened = socket.create_connection(("127.0.0.1", port), source_address=(address, 0))
    opened.settimeout(10)
    return opened


def answered(port, sent, **more):
    """What is answered to bytes; the server may stop reading before it has them all."""
    with connected(port, **more) as opened:
        with suppress(OSError):
            opened.sendall(sent)
        return opened.recv(4096)


def status(port, sent, **more):
    """The status of what is answered to bytes."""
    return int(answered(port, sent, **more)[9:12])


@pytest.fixture(scope="module")
def port():
    with served() as port:
        yield port


def lines(count):
    return b"".join(b"x%d: y\r\n" % number for number in range(count))


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (HEAD + b"\r\n", 200),
        (HEAD + lines(99) + b"\r\n", 200),
        (HEAD + lines(100) + b"\r\n", 431),
        (HEAD + b"x: " + b"y" * 16_000 + b"\r\n\r\n", 200),
        (HEAD + b"x: " + b"y" * 17_000 + b"\r\n\r\n", 431),
        (HEAD + 5 * (b"x: " + b"y" * 15_000 + b"\r\n") + b"\r\n", 431),
        (HEAD + b"x: " + b"y" * 5_000_000, 431),
        (HEAD + lines(200_000), 431),
        (b"GET /" + b"y" * 16_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"GET /" + b"y" * 17_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (b"GET /" + b"y" * 5_000_000, 431),
        (b"\x16\x03\x01 nonsense\r\n\r\n", 400),
        (CHUNKED + b"4000\r\n" + b"y" * 0x4000 + b"\r\n0\r\n\r\n", 200),
        (CHUNKED + b"1\r\ny\r\n0\r\nx: " + b"y" * 5_000_000, 431),
        (CHUNKED + 20_000 * b"1\r\ny\r\n", 431),
    ],
)
def test_lines_and_headers_are_taken_up_to_their_limits(port, sent, expected):
    assert status(port, sent) == expected


def test_a_large_body_on_a_connection_takes_nothing_from_the_headers_of_the_next_request(port):
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + b"y" * 200_000
    with connected(port) as opened:
        for _ in range(3):
            opened.sendall(request)
            came = b""
            while len(came.partition(b"\r\n\r\n")[2]) < 200_000:
                came += opened.recv(65_536)
            assert came.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nHost", b"\r\n", b""])
@pytest.mark.parametrize("first", [b"", HEAD + b"\r\n"])
def test_whoever_sends_nothing_or_half_a_head_is_cut_off(first, sent):
    with served(header_seconds=0.3) as port, connected(port) as opened:
        opened.sendall(first)
        if first:
            opened.recv(4096)
        opened.sendall(sent)
        began = time.monotonic()
        while opened.recv(4096):
            pass
        assert time.monotonic() - began < 2


def test_one_address_has_its_share_of_connections_and_others_theirs():
    with served(per_address=5) as port, ExitStack() as held:
        for _ in range(5):
            held.enter_context(connected(port))
        assert status(port, HEAD + b"\r\n") == 429
        assert status(port, HEAD + b"\r\n", address="127.0.0.2") == 200
        held.close()
        time.sleep(0.2)
        assert status(port, HEAD + b"\r\n") == 200


def test_idle_connections_from_many_addresses_lock_nobody_out():
    with served(concurrency=20) as port, ExitStack() as held:
        for number in range(60):
            held.enter_context(connected(port, f"127.0.0.{2 + number}"))
        assert status(port, HEAD + b"\r\n") == 200


def test_health_is_answered_where_every_connection_waits_for_an_answer():
    waiting = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
    with served(concurrency=5) as port, ExitStack() as held:
        for _ in range(6):
            held.enter_context(connected(port)).sendall(waiting)
        time.sleep(0.2)
        refused = answered(port, HEAD + b"\r\n")
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: " in refused
        assert b"application/problem+json" in refused
        assert status(port, b"GET /healthz?a HTTP/1.1\r\nHost: x\r\n\r\n") == 200
