"""Every request is bounded, counted and logged without a word of what is in it."""

import asyncio
import json
import logging

import pytest

from engagement_assets.serving.api.guard import Guard, Metrics

CANARY = "jane.doe@example.com"


class Sent(list):
    """What an app sent, read as an answer."""

    @property
    def status(self):
        return self[0]["status"]

    @property
    def headers(self):
        return dict(self[0]["headers"])

    @property
    def body(self):
        return b"".join(message.get("body", b"") for message in self[1:])


async def echo(_, receive, send):
    """Answers with the body."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def ask(app, *parts, headers=(), wait=0.0, metrics=None, **limits):
    """The answer of a guarded app to a body that comes in parts."""
    waiting = list(parts) or [b""]

    async def receive():
        if not waiting:
            await asyncio.sleep(3600)
        await asyncio.sleep(wait)
        part = waiting.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(waiting)}

    sent = Sent()

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": f"/{CANARY}", "headers": list(headers)}
    guard = Guard(
        app, metrics or Metrics(), **({"max_body_bytes": 100, "body_seconds": 5.0} | limits)
    )
    asyncio.run(guard(scope, receive, send))
    return sent


def test_a_body_within_the_limits_passes_with_the_headers_that_every_answer_has():
    sent = ask(echo, b"a" * 60, b"b" * 40)
    assert sent.status == 200
    assert sent.body == b"a" * 60 + b"b" * 40
    assert sent.headers[b"cache-control"] == b"no-store"
    assert sent.headers[b"x-content-type-options"] == b"nosniff"


@pytest.mark.parametrize("told", [b"101", b"10485760", b"-1", b"many", b"1e9"])
def test_a_body_that_says_it_is_too_large_is_not_read(told):
    async def reads_nothing(*_):
        raise AssertionError("the app was reached")

    sent = ask(reads_nothing, b"a", headers=[(b"content-length", told)])
    assert sent.status == 413
    assert b"at most 100 bytes" in sent.body


def test_a_body_that_grows_too_large_without_saying_so_is_given_up():
    parts = [b"x" * 30] * 4
    assert ask(echo, *parts).status == 413


def test_a_slow_body_is_given_up():
    sent = ask(echo, b"a", b"b", wait=0.2, body_seconds=0.3)
    assert sent.status == 408
    assert sent.headers[b"connection"] == b"close"


def test_an_error_is_answered_without_a_stack_and_logged_without_its_words(caplog):
    async def breaks(*_):
        raise RuntimeError(f"row of {CANARY} cannot be read")

    with caplog.at_level(logging.INFO, "engagement.api"):
        sent = ask(breaks)
    assert sent.status == 500
    told = json.loads(sent.body)
    assert told["request_id"] == sent.headers[b"x-request-id"].decode()
    assert "Traceback" not in sent.body.decode()
    assert CANARY not in sent.body.decode()
    assert CANARY not in caplog.text
    assert "RuntimeError at" in caplog.text


def test_the_log_has_route_status_and_time_and_nothing_personal(caplog):
    with caplog.at_level(logging.INFO, "engagement.api"):
        ask(
            echo,
            CANARY.encode(),
            headers=[(b"x-request-id", CANARY.encode()), (b"user-agent", CANARY.encode())],
        )
    entry = json.loads(caplog.records[-1].getMessage())
    assert entry["status"] == 200
    assert entry["route"] == "(none)"
    assert CANARY not in caplog.text


def test_a_plain_request_id_of_the_caller_is_kept():
    sent = ask(echo, headers=[(b"x-request-id", b"abc-123_DEF456")])
    assert sent.headers[b"x-request-id"] == b"abc-123_DEF456"


def test_requests_are_counted_by_route_and_status():
    metrics = Metrics()
    ask(echo, metrics=metrics)
    ask(echo, b"x" * 101, metrics=metrics)
    count = metrics.registry.get_sample_value
    name = "engagement_api_requests_total"
    for status in ("200", "413"):
        labels = {"method": "POST", "route": "(none)", "status": status}
        assert count(name, labels) == 1
