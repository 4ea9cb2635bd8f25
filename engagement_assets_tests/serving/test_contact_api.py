"""The outbox is read page by page, checked at that moment, by those who may."""

from datetime import date, datetime
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from fastapi.testclient import TestClient

from engagement_assets.decisions.contact import gate
from engagement_assets.serving.api.app import Installation, create_app
from engagement_assets.serving.api.keys import new_key
from engagement_assets.serving.api.recent import Recent
from engagement_assets.serving.api.routes import PREFIX
from engagement_assets.serving.api.service import Known, View
from engagement_assets.settings.api import ApiSettings
from engagement_assets_tests.decisions.outboxes import NOON, changed, present
from engagement_assets_tests.serving.conftest import Keys

NAMES = ("ann", "bob", "cat")


class Service:
    """A service that knows some customers by name."""

    def __init__(self):
        self.scorer = SimpleNamespace(champions={})
        self.limiter = SimpleNamespace(total_tokens=1)
        self.seen = None

    async def view(self):
        return View(SimpleNamespace(name="r"), {}, {})

    async def customers(self, ids, **_):
        return {who: Known({}, "cached") for who in ids if who in (*NAMES, "dan")}


@pytest.fixture
def ask():
    """Asks a path of the API over an outbox, at noon of its day."""
    keys, state = Keys(), SimpleNamespace(present=present(NAMES), now=NOON, reads=0)

    def read():
        state.reads += 1
        return state.present

    reader = Recent(read, 60.0)
    app = create_app(
        ApiSettings(warm_sentiment=False),
        Installation(Service, dict, Service, keys, lambda _: ([], ""), reader, None),
    )
    app.state.service = Service()
    kept, token = new_key("test", ("read", "contact"))
    readers, only_read = new_key("test", ("read",))
    keys.kept = {kept.id: kept, readers.id: readers}
    client = TestClient(app)

    def answer(path, *, allowed=True, **asked):
        headers = {"X-API-Key": token if allowed else only_read}
        with patch("engagement_assets.decisions.contact.present.utc_now", lambda: state.now):
            return client.get(f"{PREFIX}{path}", headers=headers, params=asked)

    answer.state, answer.app, answer.reader = state, app, reader
    return answer


def test_pages_hold_every_due_message_once_in_order(ask):
    rows = ask.state.present.rows.sort_values(["not_before", "message_id"])
    ids, place, pages = [], {}, 0
    while place is not None:
        answer = ask("/outbox", limit=2, **place).json()
        ids += [message["message_id"] for message in answer["messages"]]
        place = answer["next"]
        pages += 1
    assert ids == rows["message_id"].tolist()
    assert pages == 2
    last = rows["not_before"].iloc[-1]
    (only,) = ask("/outbox", since=f"{last.isoformat()}+00:00").json()["messages"]
    assert only["message_id"] == ids[-1]
    assert (only["propensity"], only["policy_version"]) == (1.0, "v1")
    assert ask("/outbox", since="2026-03-10T23:00:00Z").json()["messages"] == []
    assert len(ask("/outbox", since="0001-01-01T00:00:00+14:00").json()["messages"]) == 3


def test_reading_checks_what_is_known_now_and_marks_nothing(ask):
    assert len(ask("/outbox").json()["messages"]) == len(ask("/outbox").json()["messages"]) == 3
    ask.state.present = changed(ask.state.present, opted_out=[True, False, False])
    with patch.object(ask.reader, "seconds", 0.0):
        answer = ask("/outbox").json()
    assert {message["customer_id"] for message in answer["messages"]} == {"bob", "cat"}
    assert answer["withheld"] == 1
    # by the clock of each request, although what is known is read now and then
    reads = ask.state.reads
    ask.state.now = datetime(2026, 3, 10, 23)
    assert ask("/outbox").json() == {"messages": [], "next": None, "withheld": 0}
    assert ask.state.reads == reads


def test_a_customers_actions_say_what_is_due_and_why_another_is_not(ask):
    (due,) = ask("/customers/ann/actions").json()["actions"]
    assert (due["status"], due["suppressed_by"]) == ("due", None)
    assert date.fromisoformat(due["snapshot_date"]) == date(2026, 3, 9)
    ask.state.now = datetime(2026, 3, 10, 7)
    assert ask("/customers/ann/actions").json()["actions"][0]["status"] == "later"
    ask.state.present = present(NAMES, holdout=True)
    with patch.object(ask.reader, "seconds", 0.0):
        (held,) = ask("/customers/ann/actions").json()["actions"]
    assert (held["status"], held["suppressed_by"]) == ("suppressed", gate.HOLDOUT)
    assert held["not_before"] is None
    assert ask("/customers/dan/actions").json()["actions"] == []
    assert ask("/customers/nobody/actions").status_code == 404


@pytest.mark.parametrize("since", ["yesterday", "0", "2026-13-01"])
def test_a_since_that_is_no_time_is_refused(ask, since):
    assert ask("/outbox", since=since).status_code == 422


def test_the_outbox_needs_its_scope_and_the_lake(ask):
    assert ask("/outbox", allowed=False).status_code == 403
    assert ask("/customers/ann/actions", allowed=False).status_code == 200
    ask.app.state.contact = None
    refused = ask("/outbox")
    assert refused.status_code == 503
    assert "Retry-After" not in refused.headers, "this server will never read it"
