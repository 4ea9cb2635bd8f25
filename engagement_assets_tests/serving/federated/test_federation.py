"""Rounds over the wire end in the exact mean; what does not belong there is refused."""

import json
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from upath import UPath

from engagement_assets.learning.federated.net import LocalTraining, VectorNet, small_net
from engagement_assets.learning.federated.privacy import PrivacyLedger, PrivacyPlan
from engagement_assets.learning.federated.secure_sum import MaskingClient, to_words
from engagement_assets.learning.federated.strategy import FedAvg
from engagement_assets.serving.federated.certificates import (
    Authority,
    key_pem,
    new_key,
    signing_request,
)
from engagement_assets.serving.federated.client import (
    AnswerError,
    Connection,
    take_part,
    update_words,
)
from engagement_assets.serving.federated.coordinator import (
    KILLED,
    STATE,
    Coordinator,
    RefusedError,
)
from engagement_assets.serving.federated.messages import read_message, read_tensors, to_tensor
from engagement_assets.serving.federated.server import federation_server

HOST = "127.0.0.1"
LOCAL = {"epochs": 2, "learning_rate": 0.1, "proximal": 0.0, "hidden": 0}
NET = VectorNet(lambda: small_net(3, 0))
RNG = np.random.default_rng(0)


def coordinator(**changes):
    settings = {
        "weights": NET.first.copy(),
        "strategy": FedAvg(3, seed=0),
        "clip": 5.0,
        "local": LOCAL,
        "wanted": 3,
        "rounds": 2,
    }
    return Coordinator(**settings | changes)


def client_files(folder, authority, name, rows=None):
    """Write what a device has: a key of its own and a certificate for it."""
    folder.mkdir()
    key = new_key()
    (folder / "authority.pem").write_bytes(authority.pem())
    (folder / "client.key").write_bytes(key_pem(key))
    (folder / "client.pem").write_bytes(authority.enrol(signing_request(key), client=name))
    if rows is not None:
        with sqlite3.connect(folder / "rows.sqlite") as file:
            file.execute("CREATE TABLE examples (a REAL, b REAL, c REAL, label REAL)")
            file.executemany("INSERT INTO examples VALUES (?, ?, ?, ?)", rows.tolist())
        file.close()
    return folder


@pytest.fixture
def served(tmp_path):
    """A server on loopback, and its authority."""
    authority, key = Authority.create("federation"), new_key()
    (tmp_path / "authority.pem").write_bytes(authority.pem())
    (tmp_path / "server.key").write_bytes(key_pem(key))
    (tmp_path / "server.pem").write_bytes(authority.server(signing_request(key), address=HOST))
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    federation = coordinator(folder=UPath(tmp_path / "state"))
    server = federation_server(
        federation,
        port=port,
        certificate=tmp_path / "server.pem",
        key=tmp_path / "server.key",
        authority=tmp_path / "authority.pem",
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield federation, authority, f"{HOST}:{port}"
    server.should_exit = True
    thread.join()


@pytest.mark.slow  # three interpreters load torch
def test_three_processes_learn_what_one_would(served, tmp_path) -> None:
    federation, authority, address = served
    rows = [
        np.column_stack([RNG.uniform(-1, 1, (n, 3)), RNG.integers(0, 2, n)]).astype(np.float32)
        for n in (2, 3, 5)
    ]
    folders = [
        client_files(tmp_path / f"device {i}", authority, f"device-{i}", part)
        for i, part in enumerate(rows)
    ]
    module = "engagement_assets.serving.federated.client"
    processes = [
        subprocess.Popen([sys.executable, "-m", module, "--server", address, "--files", folder])
        for folder in folders
    ]
    assert [process.wait(timeout=180) for process in processes] == [0, 0, 0]
    assert [entry["failure"] for entry in federation.history] == ["", ""]

    weights, strategy = NET.first.copy(), FedAvg(3, seed=0)
    for _ in range(2):
        updates = np.vstack(
            [
                NET.updates(
                    weights,
                    (part[None, :, :3], part[None, :, 3], np.ones((1, len(part)), np.float32)),
                    LocalTraining(2, 0.1),
                )
                for part in rows
            ]
        )
        weights, _ = strategy.aggregate_fit(weights, updates, np.array([2, 3, 5]))
    np.testing.assert_allclose(federation.weights, weights, atol=1e-7)
    kept = read_message("vectors", to_tensor(federation.weights))
    np.testing.assert_array_equal(kept, federation.weights)
    _, about = read_tensors((tmp_path / "state" / STATE).read_bytes())
    assert about["history"] == federation.history


def test_strangers_get_no_connection(served, tmp_path) -> None:
    federation, authority, address = served
    stranger = client_files(tmp_path / "stranger", Authority.create("other"), "device-0")
    (stranger / "authority.pem").write_bytes(authority.pem())
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Connection(address, stranger).ask("GET", "round")
    assert federation.current is None
    known = Connection(address, client_files(tmp_path / "known", authority, "device-1"))
    assert json.loads(known.ask("GET", "round"))["stage"] == "wait"
    own = X25519PrivateKey.generate().public_key().public_bytes_raw().hex()
    keys = json.dumps({"mask": own, "channel": own}).encode()
    with pytest.raises(AnswerError, match="this round is over"):
        known.ask("POST", "rounds/1/keys", keys)
    with pytest.raises(AnswerError, match="422"):
        known.ask("POST", "rounds/1/keys", b"{}")


class Device:
    """A client without a wire."""

    def __init__(self, federation, name) -> None:
        self.federation, self.name = federation, name
        self.masking: MaskingClient | None = None

    def send(self, stage, update=None):
        now = self.federation.poll(self.name)
        round_id = now["round"]
        if stage == "keys":
            self.masking = MaskingClient(now["number"], round_id=round_id)
            message = self.masking.public_keys()
        else:
            read = self.federation.read(self.name, round_id, stage)
            if stage == "shares":
                message = self.masking.shares(read, threshold=now["threshold"])
            elif stage == "vectors":
                message = self.masking.masked(to_words(update), read)
            else:
                message = self.masking.opened(read)
        self.federation.take(self.name, round_id, stage, message)
        return round_id, message


def devices(federation, count):
    all_of_them = [Device(federation, f"device-{i}") for i in range(count)]
    for device in all_of_them:
        federation.poll(device.name)
    return all_of_them


def test_a_replayed_or_forged_message_is_refused_and_nothing_is_lost() -> None:
    federation = coordinator()
    few = devices(federation, 3)
    round_id, keys = few[0].send("keys")
    for client, at, stage, status in (
        ("device-0", round_id, "keys", 409),
        ("device-9", round_id, "keys", 403),
        ("device-1", "0-old", "keys", 409),
        ("device-1", round_id, "vectors", 409),
    ):
        with pytest.raises(RefusedError) as refused:
            federation.take(client, at, stage, keys)
        assert refused.value.status == status
    few[1].send("keys"), few[2].send("keys")
    for stage in ("shares", "vectors", "openings"):
        for i, device in enumerate(few):
            device.send(stage, np.append(np.full(4, float(i)), 1.0))
    np.testing.assert_allclose(federation.weights, NET.first + 1.0)


def test_a_huge_update_ends_the_round_and_changes_nothing() -> None:
    federation = coordinator()
    few = devices(federation, 3)
    for stage in ("keys", "shares", "vectors", "openings"):
        for i, device in enumerate(few):
            device.send(stage, np.append(np.full(4, 1000.0 * i), 1.0))
    assert "longer than clipped" in federation.history[0]["failure"]
    np.testing.assert_array_equal(federation.weights, NET.first)


def test_the_device_sends_no_update_that_is_not_finite() -> None:
    rows = (np.full((1, 3), np.nan, dtype=np.float32), np.ones(1, dtype=np.float32))
    with pytest.raises(ValueError, match="not finite"):
        update_words(NET.first, rows, {"local": LOCAL, "clip": 1.0, "equal_weights": True})


def test_who_leaves_is_out_and_a_round_of_too_few_is_counted_and_given_up() -> None:
    now = [0.0]
    plan = PrivacyPlan(8.0, 0.01, 4, 4.0, 2, 5.0, 6.0)
    ledger = PrivacyLedger(plan.epsilon, plan.delta)
    federation = coordinator(
        wanted=4, strategy=FedAvg(4, plan, seed=0), ledger=ledger, clock=lambda: now[0]
    )
    all_of_them = devices(federation, 4)
    for stage in ("keys", "shares"):
        for device in all_of_them:
            device.send(stage)
    for device in all_of_them[:3]:
        device.send("vectors", np.append(np.ones(4), 1.0))
    now[0] += 61
    for device in all_of_them[:3]:
        device.send("openings")
    assert federation.history == [{"asked": 4, "answered": 3, "failure": ""}]
    after = federation.weights.copy()

    for device in all_of_them:
        federation.poll(device.name)
    for device in all_of_them[:2]:
        device.send("keys")
    now[0] += 61
    assert federation.poll("device-0")["stage"] == "done"
    assert "2 clients were left" in federation.history[1]["failure"]
    assert [release.outcome for release in ledger.releases] == ["released", "failed"]
    np.testing.assert_array_equal(federation.weights, after)


def test_a_server_goes_on_from_what_was_kept_and_refuses_the_round_it_lost(tmp_path) -> None:
    plan = PrivacyPlan(8.0, 0.01, 3, 3.0, 3, 5.0, 6.0)

    def begun(**changes):
        ledger = PrivacyLedger(plan.epsilon, plan.delta)
        strategy = FedAvg(3, plan, momentum=0.9, seed=0)
        settings = {"rounds": 3, "folder": UPath(tmp_path), "ledger": ledger}
        return coordinator(**settings | {"strategy": strategy} | changes)

    first = begun()
    few = devices(first, 3)
    for stage in ("keys", "shares", "vectors", "openings"):
        for device in few:
            device.send(stage, np.append(np.ones(4), 1.0))
    for device in few:
        first.poll(device.name)
    lost, keys = few[0].send("keys")

    second = begun()
    np.testing.assert_array_equal(second.weights, first.weights)
    np.testing.assert_array_equal(second.strategy.step, first.strategy.step)
    assert [entry["failure"] for entry in second.history] == ["", KILLED]
    assert [one.outcome for one in second.ledger.releases] == ["released", "failed"]
    for device in few:
        second.poll(device.name)
    with pytest.raises(RefusedError, match="this round is over"):
        second.take("device-0", lost, "keys", keys)
    assert second.current.round_id != lost
    with pytest.raises(ValueError, match="goes on as it was begun"):
        begun(ledger=PrivacyLedger(1.0, plan.delta))


@pytest.mark.slow  # two servers, each an interpreter that loads torch
def test_a_server_that_is_killed_goes_on_with_the_clients_that_wait_for_it(tmp_path) -> None:
    authority, key = Authority.create("federation"), new_key()
    (tmp_path / "authority.pem").write_bytes(authority.pem())
    (tmp_path / "server.key").write_bytes(key_pem(key))
    (tmp_path / "server.pem").write_bytes(authority.server(signing_request(key), address=HOST))
    local = {name: value for name, value in LOCAL.items() if name != "hidden"}
    about = {"inputs": 3, "hidden": 0, "rounds": 400, "wanted": 3, "clip": 5.0, "local": local}
    about |= {"momentum": 0.0, "epsilon": None, "stage_seconds": 60}
    (tmp_path / "federation.json").write_text(json.dumps(about))
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = str(free.getsockname()[1])
    module = "engagement_assets.serving.federated"

    def started():
        return subprocess.Popen([sys.executable, "-m", module, "--files", tmp_path, "--port", port])

    def rounds():
        path = tmp_path / "state" / STATE
        return read_tensors(path.read_bytes())[1]["history"] if path.exists() else []

    def wait(process, done):
        for _ in range(6000):
            if done():
                return
            assert process.poll() is None, "the server ended"
            time.sleep(0.05)
        raise AssertionError("nothing happened")

    row = (np.ones((1, 3), dtype=np.float32), np.ones(1, dtype=np.float32))
    stop = threading.Event()

    def device(i):
        files = client_files(tmp_path / f"device {i}", authority, f"device-{i}")
        connection = Connection(f"{HOST}:{port}", files)
        ask = connection.ask
        connection.ask = lambda *a: b'{"version": 1, "stage": "done"}' if stop.is_set() else ask(*a)
        take_part(connection, row)

    server = started()
    threads = [threading.Thread(target=device, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    try:
        wait(server, lambda: len(rounds()) >= 2)
        server.kill()
        server.wait()
        before = rounds()
        server = started()
        wait(server, lambda: len(rounds()) >= len(before) + 3)
        after = rounds()
        assert after[: len(before)] == before
        assert {entry["failure"] for entry in after} <= {"", KILLED}
        assert after[-1]["failure"] == ""
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        server.kill()
        server.wait()


def test_no_round_begins_when_the_budget_is_spent() -> None:
    plan = PrivacyPlan(1.0, 0.01, 3, 3.0, 2, 5.0, 0.5)
    federation = coordinator(
        strategy=FedAvg(3, plan, seed=0), ledger=PrivacyLedger(plan.epsilon, plan.delta)
    )
    devices(federation, 3)
    assert federation.poll("device-0")["stage"] == "done"
    assert "epsilon" in federation.stopped
    assert not federation.ledger.releases


@pytest.mark.parametrize("stage", ["keys", "shares", "vectors", "openings"])
@pytest.mark.parametrize(
    "content",
    [
        b"", b"null", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"1": 5}', b'{"x": "00"}',
        b'{"mask": 5, "channel": null}', b'{"mask": "00", "channel": "00"}',
        json.dumps({"mask": "00" * 32, "channel": "00" * 32}).encode(),
        json.dumps({"mask": "01" + "00" * 31, "channel": "01" + "00" * 31}).encode(),
    ],
)  # fmt: skip
def test_no_message_of_another_form_is_more_than_refused(stage, content) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        read_message(stage, content)
