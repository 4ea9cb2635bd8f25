"""The server as a process: slow clients, large bodies, a start without a published day, a kill."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager

import pytest

from benchmarks.fuzz import fuzz
from engagement_assets.serving.api.keys import KEYS_FILE, KeyRing, new_key, write_keys
from engagement_assets_tests.platform.homes import environment

pytestmark = pytest.mark.slow
SOON = 60.0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(home, tmp_path, **settings):
    """The server over a home; gives its port and its process."""
    port = free_port()
    ours = {f"ENGAGEMENT_API_{name.upper()}": str(value) for name, value in settings.items()}
    with (tmp_path / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "engagement_assets.commands", "serve"],
            env=environment(home.path, ENGAGEMENT_API_PORT=str(port), **ours),
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: answer(port, "/healthz") == 200)
        yield port, process
    finally:
        process.terminate()
        process.wait(SOON)


def until(holds):
    end = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def answer(port, path, headers=None):
    try:
        return ask(port, path, headers)[0]
    except OSError:
        return 0


def ask(port, path, headers=None):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", path, headers=headers or {})
        with connection.getresponse() as response:
            return response.status, response.read()


def connected(port):
    opened = socket.create_connection(("127.0.0.1", port))
    opened.settimeout(SOON)
    return opened


def read_until(opened, ending):
    """What came up to an ending, in however many parts."""
    came = b""
    while not came.endswith(ending):
        part = opened.recv(4096)
        assert part, came
        came += part
    return came


@pytest.fixture(scope="module")
def keyed(year, tmp_path_factory):
    """The year's home with a key in a file of its own."""
    kept, token = new_key("test", ["read", "score", "admin"])
    path = tmp_path_factory.mktemp("keys") / KEYS_FILE
    write_keys(path, KeyRing({kept.id: kept}))
    return year, path, {"X-API-Key": token}


def test_a_client_that_never_ends_its_headers_is_cut_off_and_others_are_answered(keyed, tmp_path):
    home, keys, headers = keyed
    with serving(home, tmp_path, keys=keys, header_seconds=1, warm_sentiment=0) as (port, _):
        until(lambda: answer(port, "/readyz") == 200)
        with connected(port) as slow:
            slow.sendall(b"GET /v1/customers/c0000001 HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            assert answer(port, "/v1/customers/c0000001", headers) == 200
            assert slow.recv(100) == b""
        # a second request on a kept connection is bounded as the first
        with connected(port) as kept:
            kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in read_until(kept, b'"ok"}')
            kept.sendall(b"GET /heal")
            assert kept.recv(100) == b""


def test_a_body_that_comes_too_slowly_is_given_up(keyed, tmp_path):
    home, keys, headers = keyed
    with serving(home, tmp_path, keys=keys, body_seconds=1, warm_sentiment=0) as (port, _):
        until(lambda: answer(port, "/readyz") == 200)
        key = headers["X-API-Key"].encode()
        with connected(port) as slow:
            slow.sendall(
                b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 1000\r\nX-API-Key: " + key + b"\r\n\r\n{"
            )
            assert slow.recv(4096).startswith(b"HTTP/1.1 408")


def test_made_up_requests_are_answered_as_the_document_says(keyed, tmp_path):
    """A short run of what `benchmarks.fuzz` does with 20,000 cases."""
    home, keys, headers = keyed
    with serving(home, tmp_path, keys=keys, rate="1000000/second") as (port, _):
        until(lambda: answer(port, "/readyz") == 200)
        actual = fuzz(port, headers["X-API-Key"], tmp_path, examples=20, seed=7)
    assert actual["failures"] == []
    assert actual["errored"] == 0
    assert actual["operations_tested"] == actual["operations"]
    assert actual["cases"] > 500
    assert not [status for status in actual["statuses"] if status >= "500"]


def test_the_server_says_what_is_wrong_with_a_setting():
    done = subprocess.run(
        [sys.executable, "-m", "engagement_assets.commands", "serve"],
        env={**os.environ, "ENGAGEMENT_API_RATE": "fast"},
        capture_output=True,
        text=True,
        timeout=SOON,
        check=False,
    )
    assert done.returncode == 2
    assert "ENGAGEMENT_API_RATE" in done.stderr
    assert "Traceback" not in done.stderr


def test_before_the_first_day_is_published_it_says_so(keyed, tmp_path):
    home, keys, headers = keyed
    empty = tmp_path / "home"
    empty.mkdir()
    for name in ("settings.json", "lake", "registry"):
        (empty / name).symlink_to(home.path / name)
    with serving(type(home)(empty), tmp_path, keys=keys, warm_sentiment=0) as (port, _):
        until(lambda: "ready after" in (tmp_path / "server.log").read_text())
        assert answer(port, "/healthz") == 200
        assert answer(port, "/readyz") == 503
        assert answer(port, "/v1/customers/c0000001", headers) == 503
        assert answer(port, "/v1/models", headers) == 200


def test_a_killed_server_answers_again_after_its_start(keyed, tmp_path):
    home, keys, headers = keyed
    said = []
    for _ in range(2):
        with serving(home, tmp_path, keys=keys, warm_sentiment=0) as (port, process):
            until(lambda port=port: answer(port, "/readyz") == 200)
            said.append(json.loads(ask(port, "/v1/customers/c0000001", headers)[1]))
            process.send_signal(signal.SIGKILL)
            process.wait(SOON)
    assert said[0] == said[1]
