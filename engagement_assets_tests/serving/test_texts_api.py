"""Texts that were just written come by HTTP and by a queue, with the same answer."""

import asyncio
import json
import threading
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from fastapi.testclient import TestClient

from engagement_assets.deployments import texts_handler
from engagement_assets.serving.api.app import Installation, create_app
from engagement_assets.serving.api.keys import new_key
from engagement_assets.serving.api.routes import PREFIX
from engagement_assets.serving.api.texts import Batcher
from engagement_assets.settings.api import ApiSettings
from engagement_assets.signals.sentiment.events import TextEvents
from engagement_assets_tests.serving.conftest import Keys
from engagement_assets_tests.signals.sentiment.test_consent import Recorder
from resources.channels import NotSentError
from resources.claims import ClaimsError, SqliteClaims


@pytest.fixture
def handled(tmp_path):
    """A handler of texts, and what it told."""
    told = []

    def tell(alert):
        if alert["text_id"] == "posts/deaf":
            raise NotSentError("no", answers=True)
        told.append(alert)

    claims = SqliteClaims(tmp_path / "claims.sqlite")
    scorer = Recorder()
    events = TextEvents(lambda: scorer, lambda: {"ann"}, claims, tell)
    return SimpleNamespace(events=events, told=told)


@pytest.fixture
def post(handled):
    """Posts texts as somebody with a scope."""
    keys = Keys()
    service = SimpleNamespace(limiter=SimpleNamespace(total_tokens=1), seen=None)
    app = create_app(
        ApiSettings(warm_sentiment=False),
        Installation(lambda: service, dict, dict, keys, lambda _: ([], ""), None, handled.events),
    )
    tokens = {}
    for scope in ("events", "score"):
        kept, tokens[scope] = new_key("test", (scope,))
        keys.kept[kept.id] = kept
    client = TestClient(app)

    def answer(*rows, scope="events"):
        return client.post(
            f"{PREFIX}/events/texts", headers={"X-API-Key": tokens[scope]}, json={"texts": rows}
        )

    return answer


def row(name, score, customer="ann", **more):
    return {
        "source_table": "posts", "row_id": name, "customer_id": customer,
        "text": f"says {score}", **more,
    }  # fmt: skip


def test_each_text_is_answered_by_id(post, handled):
    answer = post(row("a", -0.9), row("b", 0.1), row("c", -0.9, "bob"))
    assert answer.json()["texts"] == [
        {"text_id": "posts/a", "outcome": "alerted"},
        {"text_id": "posts/b", "outcome": "scored"},
        {"text_id": "posts/c", "outcome": "withheld"},
    ]
    assert post(row("a", -0.9)).json()["texts"][0]["outcome"] == "known"
    (alert,) = handled.told
    assert (alert["text_id"], alert["customer_id"], alert["score"]) == ("posts/a", "ann", -0.9)
    assert "says" not in json.dumps(alert)


def test_what_support_did_not_take_is_to_be_sent_again(post):
    answer = post(row("b", 0.1), row("deaf", -0.9))
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"source_table": "reviews"},
        {"mood": 1},
        {"text": 1},
    ],
)
def test_what_is_no_text_is_refused(post, wrong):
    assert post(row("a", 0.1, **wrong)).status_code == 422


def test_texts_need_their_scope(post):
    assert post(row("a", 0.1), scope="score").status_code == 403


def test_requests_that_wait_are_handled_together_and_each_gets_its_own():
    lots, go_on = [], threading.Event()

    def handle(events):
        lots.append(len(events))
        assert go_on.wait(10)
        if "bad" in events:
            raise ClaimsError("no")
        return [event.upper() for event in events]

    async def ask():
        batcher = Batcher(handle, most=3)
        first = asyncio.create_task(batcher.handle(["a"]))
        while not lots:
            await asyncio.sleep(0.001)
        wanted = (["b", "c"], ["d"], ["e", "f", "g"], ["bad"])
        later = [asyncio.create_task(batcher.handle(events)) for events in wanted]
        await asyncio.sleep(0)
        later[1].cancel()
        go_on.set()
        answers = await asyncio.gather(first, *later, return_exceptions=True)
        return [*answers, await batcher.handle(["h"])]

    first, both, cancelled, three, refused, last = asyncio.run(ask())
    assert (first, both, three, last) == (["A"], ["B", "C"], ["E", "F", "G"], ["H"])
    assert isinstance(cancelled, asyncio.CancelledError)
    assert isinstance(refused, ClaimsError)
    assert lots == [1, 3, 3, 1, 1]


def test_a_queue_gets_back_what_must_come_again(handled):
    def record(name, body):
        return {"messageId": name, "body": json.dumps(body)}

    with patch.object(texts_handler, "_events", lambda: handled.events):
        answer = texts_handler.handler(
            {
                "Records": [
                    record("good", {"texts": [row("a", -0.9)]}),
                    record("deaf", {"texts": [row("deaf", -0.9)]}),
                    record("wrong", {"texts": "none"}),
                    record("twice", {"texts": [row("a", -0.9)]}),
                ]
            },
            None,
        )
    failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
    assert failed == ["deaf", "wrong"]
    assert [alert["text_id"] for alert in handled.told] == ["posts/a"]
