"""What failed is told once: in the log always, at the webhook as soon as it answers."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import dagster as dg
import pytest

from engagement_assets.orchestration.sensors import alerts_sensor
from resources.alerts import AlertSink


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "alerts.jsonl"


def run(instance: dg.DagsterInstance, *, passed: bool = True, warn: bool = False, broken=False):
    """A run of one asset with one check."""

    @dg.asset(key=["source", "things"])
    def things() -> None:
        if broken:
            raise RuntimeError("the disk is full")

    @dg.asset_check(asset=["source", "things"], name="keys")
    def keys() -> dg.AssetCheckResult:
        severity = dg.AssetCheckSeverity.WARN if warn else dg.AssetCheckSeverity.ERROR
        return dg.AssetCheckResult(passed=passed, severity=severity, description="two twice")

    job = dg.define_asset_job("things_job", "*")
    defs = dg.Definitions(assets=[things], asset_checks=[keys], jobs=[job])
    return defs.resolve_job_def("things_job").execute_in_process(
        instance=instance, raise_on_error=False
    )


def lines(log: Path) -> list[dict]:
    return [json.loads(line) for line in log.read_text().splitlines()]


class Hook:
    """A webhook on this machine that keeps what it is sent."""

    def __init__(self) -> None:
        self.bodies: list[dict] = []
        self.status = 200
        self.answer: bytes | None = None


@contextmanager
def listening(hook: Hook, port: int = 0) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if hook.answer is not None:
                self.wfile.write(hook.answer)
                return
            if hook.status == 200:
                assert self.headers["Content-Type"] == "application/json"
                hook.bodies.append(json.loads(body))
            self.send_response(hook.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", port), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_nothing_is_told_when_checks_pass(instance, log):
    run(instance)
    assert AlertSink(log_path=str(log)).tell(instance) == 0
    assert log.read_text() == ""


def test_a_failed_check_is_one_line_that_says_what_where_and_when(instance, log):
    failed = run(instance, passed=False)
    assert AlertSink(log_path=str(log)).tell(instance) == 1
    (alert,) = lines(log)
    assert alert["kind"] == "check"
    assert alert["severity"] == "ERROR"
    assert alert["asset"] == "source/things"
    assert alert["check"] == "keys"
    assert alert["message"] == "two twice"
    assert alert["run_id"] == failed.run_id
    assert alert["at"].endswith("+00:00")


@pytest.mark.parametrize("damage", ["", "[]", '{"told": 1, "unsent": {}}', '{"told": []}', "\0"])
def test_a_damaged_state_is_named_and_what_failed_is_told_from_the_beginning(
    instance, log, caplog, damage
):
    run(instance, passed=False)
    sink = AlertSink(log_path=str(log))
    assert sink.tell(instance) == 1
    state = log.with_suffix(".state.json")
    state.write_text(damage)
    assert sink.tell(instance) == 1
    assert str(state) in caplog.text
    assert sink.tell(instance) == 0


def test_a_failure_is_told_once_and_a_second_failure_again(instance, log):
    run(instance, passed=False)
    sink = AlertSink(log_path=str(log))
    assert [sink.tell(instance), sink.tell(instance)] == [1, 0]
    run(instance)
    assert sink.tell(instance) == 0
    run(instance, passed=False, warn=True)
    assert AlertSink(log_path=str(log)).tell(instance) == 1
    assert [alert["severity"] for alert in lines(log)] == ["ERROR", "WARN"]


def test_a_run_that_fails_is_told_with_its_job(instance, log):
    failed = run(instance, broken=True)
    assert not failed.success
    assert AlertSink(log_path=str(log)).tell(instance) == 1
    (alert,) = lines(log)
    assert alert["kind"] == "run"
    assert alert["run_id"] == failed.run_id
    assert "things_job" in alert["message"]


def test_the_webhook_gets_each_alert_once(instance, log):
    hook = Hook()
    with listening(hook) as address:
        sink = AlertSink(log_path=str(log), webhook_url=address)
        run(instance, passed=False)
        sink.tell(instance)
        run(instance, passed=False)
        sink.tell(instance)
        sink.tell(instance)
    assert hook.bodies == lines(log)
    assert len(hook.bodies) == 2


def test_a_webhook_that_is_down_gets_the_alerts_later_and_the_log_has_them_now(
    instance, log, caplog
):
    port, hook = free_port(), Hook()
    sink = AlertSink(log_path=str(log), webhook_url=f"http://127.0.0.1:{port}/hook")
    for _ in range(2):
        run(instance, passed=False)
    assert sink.tell(instance) == 2
    assert len(lines(log)) == 2
    assert caplog.text.count("the webhook did not take an alert") == 1, "not waited for each time"
    with listening(hook, port):
        assert sink.tell(instance) == 0
        assert sink.tell(instance) == 0
    assert hook.bodies == lines(log)


@pytest.mark.parametrize("garbage", [b"hello\r\n\r\n", b""])
def test_a_webhook_that_answers_no_http_neither_loses_nor_doubles_an_alert(instance, log, garbage):
    hook = Hook()
    hook.answer = garbage
    with listening(hook) as address:
        sink = AlertSink(log_path=str(log), webhook_url=address)
        run(instance, passed=False)
        assert sink.tell(instance) == 1
        hook.answer = None
        assert sink.tell(instance) == 0
    assert len(lines(log)) == 1
    assert hook.bodies == lines(log)


def test_a_webhook_that_refuses_is_asked_again_with_every_alert(instance, log):
    hook = Hook()
    hook.status = 503
    with listening(hook) as address:
        sink = AlertSink(log_path=str(log), webhook_url=address)
        for _ in range(2):
            run(instance, passed=False)
        sink.tell(instance)
        hook.status = 200
        sink.tell(instance)
    assert hook.bodies == lines(log)
    assert len(hook.bodies) == 2


def test_the_sensor_tells_what_failed_and_says_how_much(instance, log):
    sink = AlertSink(log_path=str(log))
    run(instance, passed=False)
    said = []
    for _ in range(2):
        context = dg.build_sensor_context(instance=instance, resources={"alerts": sink})
        said.append(alerts_sensor(context).skip_message)
    assert said == ["1 new alerts", "nothing failed"]
