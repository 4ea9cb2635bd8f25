"""A server of the Converse API on this machine, with a model that is played.

It speaks the protocol as botocore's own parser reads it: JSON, and event streams with their
checksums. It understands questions by the grammar, so what is tried is all that stands around a
model, and not how well Claude understands.

Belongs here: the protocol and what is played. Does not belong here: measuring (`ask.py`).
"""

from __future__ import annotations

import binascii
import json
import os
import re
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from unittest.mock import patch

from engagement_assets.chat.facts import RefusedError
from engagement_assets.chat.grammar import WEEKDAYS, Asked, Grammar, Known
from engagement_assets.chat.requests import PEAK, REFUSE, TOMORROW
from engagement_assets.chat.tools import tool_of

MODEL = "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude"
REGION = "eu-central-1"
HANGS_SECONDS = 5.0
_FENCE = re.compile(r"<(\w+)-([0-9a-f]{16})>\n(.*)\n</\1-\2>", re.DOTALL)
# type of a header's value in an event stream
_TEXT = 7
Fault = Literal["", "throttles", "hangs", "other form", "breaks off"]


@dataclass
class PlayedModel:
    """What the server says.

    Attributes:
        known: What the tables know.
        change: Changes an answer; the answer as it is by default.
        fault: What goes wrong.
        calls: Calls of tools instead of those that the question asks for.
        seen: Every request.
    """

    known: Known
    change: Callable[[str], str] = lambda text: text
    fault: Fault = ""
    calls: list[tuple[str, dict[str, Any]]] | None = None
    seen: list[dict[str, Any]] = field(default_factory=list)

    def read(self, question: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the calls of tools that a question asks for."""
        if self.calls is not None:
            return self.calls
        try:
            asked = Grammar(self.known).read(question)
            return [call_of(asked)]
        except RefusedError as refused:
            return [(REFUSE, {"kind": refused.kind})]

    def word(self, claims: str) -> str:
        """Return the claims with a few words of its own."""
        return self.change(f"Here is the answer: {' and '.join(claims.splitlines())}.")

    def blocks(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the content of an answer."""
        self.seen.append(request)
        texts = [part["text"] for part in request["messages"][0]["content"]]
        fences = [match for text in texts if (match := _FENCE.fullmatch(text))]
        given = {match[1]: match[3] for match in fences}
        if "toolConfig" in request:
            return [
                {"toolUse": {"toolUseId": f"t{n}", "name": name, "input": made}}
                for n, (name, made) in enumerate(self.read(given["question"]))
            ]
        return [{"text": self.word(given["claims"])}]


def call_of(asked: Asked) -> tuple[str, dict[str, Any]]:
    """Return the call of a tool that asks for the same."""
    name = tool_of(asked)[0]
    someone = bool(asked.customer or asked.unknown_customer)
    given: dict[str, Any] = {
        "metric": (asked.metrics or [None])[0],
        "dimension": (asked.dimensions or [None])[0],
        "series": (asked.series or [None])[0],
        "model": (asked.models or [None])[0],
        "column": asked.meaning or None,
        "groups": [{"dimension": column, "value": value} for column, value in asked.values] or None,
        "number": asked.number or None,
        "customer": (asked.customer or "c-nobody-0") if someone else None,
        "aggregate": next((cue for cue in ("avg", "sum") if cue in asked.cues), None),
        "side": next((cue for cue in ("highest", "lowest") if cue in asked.cues), None),
    }
    if name == "forecast":
        day = TOMORROW if asked.weekday is None else WEEKDAYS[asked.weekday]
        given["day"] = PEAK if PEAK in asked.cues else day
    if name == "counterfactuals":
        given["metric"] = given["metric"] or "churn_probability"
    if name == "metric" and someone:
        name = "metric_of_customer"
    return name, {slot: value for slot, value in given.items() if value is not None}


def event(kind: str, payload: dict[str, Any]) -> bytes:
    """Return a message of an event stream."""
    names = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        struct.pack(f"!B{len(name)}sBH", len(name), name.encode(), _TEXT, len(value))
        + value.encode()
        for name, value in names.items()
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack("!I", binascii.crc32(prelude)) + headers + body
    return message + struct.pack("!I", binascii.crc32(message))


def _events(text: str) -> Iterator[bytes]:
    yield event("messageStart", {"role": "assistant"})
    for at in range(0, len(text), 7):
        yield event(
            "contentBlockDelta",
            {"contentBlockIndex": 0, "delta": {"text": text[at : at + 7]}},
        )
    yield event("contentBlockStop", {"contentBlockIndex": 0})
    yield event("messageStop", {"stopReason": "end_turn"})
    yield event(
        "metadata",
        {
            "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
            "metrics": {"latencyMs": 1},
        },
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: PlayedModel

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = self.model.fault
        if fault == "hangs":
            time.sleep(HANGS_SECONDS)
        if fault == "throttles":
            self._json(429, {"message": "slow down"}, error="ThrottlingException")
        elif fault == "other form":
            self._json(200, {"output": {"message": {"role": "assistant", "content": [{}]}}})
        elif self.path.endswith("/converse-stream"):
            self._stream(self.model.blocks(request)[0]["text"])
        else:
            self._json(200, _answer(self.model.blocks(request)))

    def _json(self, status: int, data: dict[str, Any], *, error: str = "") -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if error:
            self.send_header("x-amzn-ErrorType", error)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.amazon.eventstream")
        self.send_header("Connection", "close")
        self.end_headers()
        for place, message in enumerate(_events(text)):
            if self.model.fault == "breaks off" and place == 3:
                self.wfile.write(message[:-5])
                break
            self.wfile.write(message)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _answer(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": blocks}},
        "stopReason": "tool_use" if "toolUse" in blocks[0] else "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
        "metrics": {"latencyMs": 1},
    }


@contextmanager
def served(model: PlayedModel) -> Iterator[None]:
    """Serve a model where clients of `bedrock-runtime` made meanwhile look for it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"model": model}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    environ = {
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": f"http://127.0.0.1:{server.server_address[1]}",
        "AWS_ACCESS_KEY_ID": "stub",
        "AWS_SECRET_ACCESS_KEY": "stub",
    }
    try:
        with patch.dict(os.environ, environ):
            yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
