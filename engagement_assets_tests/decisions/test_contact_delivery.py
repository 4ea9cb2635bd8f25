"""Nobody is contacted twice and no message is lost, whoever delivers and whenever it is killed."""

import base64
import hashlib
import hmac
import json
import os
import signal
import threading
import time
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from engagement_assets.decisions.contact import gate
from engagement_assets.decisions.contact.delivery import deliver
from engagement_assets_tests.decisions.outboxes import NOON, changed, present
from resources.channels import Channel, NotSentError, SignedWebhook
from resources.claims import ClaimsError, SqliteClaims
from resources.delivery import secret_in

NAMES = ("ann", "bob", "cat")


class Inbox(Channel):
    """An app that takes messages, one line of a file each, whatever process sends them."""

    name = "inbox"

    def __init__(self, path):
        self.path = path

    def send(self, alert):
        with self.path.open("a") as file:
            file.write(json.dumps(alert) + "\n")

    @property
    def messages(self):
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [json.loads(line) for line in lines]


@pytest.fixture
def inbox(tmp_path):
    return Inbox(tmp_path / "inbox")


@pytest.fixture
def claims(tmp_path):
    return SqliteClaims(tmp_path / "claims.sqlite")


def later(claims, seconds=1e6):
    """The same claims when every lease has run out."""
    return SqliteClaims(claims.path, clock=lambda: time.time() + seconds)


def send(of, inbox, claims, now=NOON):
    return deliver(of, inbox, claims, clock=lambda: now)


def test_what_is_due_is_sent_once_however_often_it_is_delivered(inbox, claims):
    of = present(NAMES)
    assert send(of, inbox, claims).sent == 3
    again = send(of, inbox, later(claims))
    assert (again.sent, again.elsewhere) == (0, 3)
    sent = inbox.messages
    assert [message["customer_id"] for message in sent] == list(NAMES)
    assert [message["message_id"] for message in sent] == of.rows["message_id"].tolist()
    assert datetime.fromisoformat(sent[0]["not_before"]).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("now", "people", "why"),
    [
        (NOON, {"opted_out": True}, gate.OPTED_OUT),
        (NOON, {"time_zone": "Pacific/Auckland"}, gate.QUIET),
        (datetime(2026, 3, 10, 7), {}, gate.TOO_EARLY),
        (datetime(2026, 3, 10, 22), {}, gate.TOO_LATE),
    ],
)
def test_what_is_known_at_the_moment_of_sending_bars_it(inbox, claims, now, people, why):
    done = send(changed(present(NAMES), **people), inbox, claims, now)
    assert done.sent == 0
    assert done.withheld == {why: 3}
    assert inbox.messages == []


def test_an_outbox_that_was_made_again_contacts_nobody_twice(inbox, claims):
    send(present(["ann"]), inbox, claims)
    other = present(NAMES, action="nudge")
    assert send(other, inbox, later(claims)).sent == 2
    assert [(m["customer_id"], m["action"]) for m in inbox.messages] == [
        ("ann", "offer"), ("bob", "nudge"), ("cat", "nudge"),
    ]  # fmt: skip


def test_a_claimed_message_that_may_have_gone_out_goes_before_another(inbox, claims):
    """Its process was killed after it was claimed; then the outbox was made again."""
    first, other = present(["ann"]), present(["ann"], action="nudge")

    class Killed(Inbox):
        def send(self, alert):  # noqa: ARG002 - it never gets there
            raise SystemExit

    with pytest.raises(SystemExit):
        send(first, Killed(inbox.path), claims)
    assert send(other, inbox, claims).elsewhere == 1
    barred = send(changed(other, opted_out=True), inbox, later(claims))
    assert barred.withheld == {gate.OPTED_OUT: 1}
    assert send(other, inbox, later(claims)).sent == 1
    assert [message["action"] for message in inbox.messages] == ["offer"]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"snapshot_date": "never"}'])
def test_a_claim_that_holds_no_message_is_said_and_nothing_is_sent(inbox, claims, content):
    of = present(["ann"])
    claim = claims.claim(f"contact/{of.rows['snapshot_date'][0]}/ann", content)
    claims.release(claim)
    with pytest.raises(ClaimsError, match="holds no message"):
        send(of, inbox, later(claims))
    assert inbox.messages == []


@pytest.mark.parametrize(("answers", "tried"), [(True, 3), (False, 1)])
def test_what_was_not_taken_is_sent_by_the_next_pass(inbox, claims, answers, tried):
    class Down(Channel):
        name = "down"
        calls = 0

        def send(self, alert):  # noqa: ARG002 - nothing is taken
            self.calls += 1
            raise NotSentError("no", answers=answers)

    down = Down()
    assert send(present(NAMES), down, claims).refused == tried
    assert down.calls == tried
    assert send(present(NAMES), inbox, claims).sent == 3


def publisher(of, inbox, claims, *, killed_at=None):
    """Deliver in a process of its own, killed at its n-th step where one is given; gives its id."""
    child = os.fork()
    if child:
        return child
    steps = 0

    def stepping(function):
        def step(*arguments):
            nonlocal steps
            for moment in (lambda: None, lambda: function(*arguments)):
                answer = moment()
                if steps == killed_at:
                    os.kill(os.getpid(), signal.SIGKILL)
                steps += 1
            return answer

        return step

    try:
        for thing, name in ((claims, "claim"), (claims, "settle"), (inbox, "send")):
            setattr(thing, name, stepping(getattr(thing, name)))
        send(of, inbox, claims)
    finally:
        os._exit(0)


def killed(child):
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_two_publishers_of_which_one_is_killed_at_any_step(tmp_path):
    of, step = present(NAMES), 0
    while True:
        folder = tmp_path / str(step)
        folder.mkdir()
        inbox, claims = Inbox(folder / "inbox"), SqliteClaims(folder / "claims.sqlite")
        first = publisher(of, inbox, claims, killed_at=step)
        second = publisher(of, inbox, claims)
        was_killed = killed(first)
        assert not killed(second)
        send(present(NAMES, action="nudge"), inbox, later(claims))
        ids = [message["message_id"] for message in inbox.messages]
        # each arrived, under the one id by which the app knows it
        assert set(ids) == set(of.rows["message_id"])
        assert len(ids) <= len(NAMES) + was_killed
        if not was_killed and step:
            break
        step += 1
    # before and after each of claim, send and settle, of each message that the first one got
    assert step > 2


@contextmanager
def listening(statuses):
    """A receiver that answers with these statuses, one after another; gives what it got."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.headers, body))
            self.send_response(statuses.pop(0))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/contact", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_webhook_is_signed_and_tried_again_under_the_same_id(tmp_path, claims):
    secret = secret_in(tmp_path / "secret")
    assert secret_in(tmp_path / "secret") == secret
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0
    of = present(["ann"])
    with listening([500, 204]) as (url, got):
        webhook = SignedWebhook(url, secret, id_field="message_id")
        assert send(of, webhook, claims).refused == 1
        assert send(of, webhook, claims).sent == 1
    key = base64.b64decode(secret.removeprefix("whsec_"))
    for headers, body in got:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        assert headers["webhook-id"] == json.loads(body)["message_id"]
    assert got[0][1] == got[1][1]
