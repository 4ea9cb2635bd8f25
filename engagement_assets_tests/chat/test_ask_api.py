"""The chat by the API: scopes open tools, answers are kept, feedback is of one's own."""

import json

import pytest
from fastapi.testclient import TestClient
from upath import UPath

from engagement_assets.chat.assistant import Assistant
from engagement_assets.serving.api.app import Installation, create_app
from engagement_assets.serving.api.ask import LONGEST
from engagement_assets.serving.api.keys import new_key
from engagement_assets.settings.api import ApiSettings
from engagement_assets_tests.serving.conftest import Keys
from resources.lake import CorruptPartitionError
from resources.questions import QuestionLog

ONE = "What is the churn probability of customer c0000001?"
MANY = "How many customers are there?"
LIST = "Who are our top 5 influencers?"


@pytest.fixture
def api(lake, tmp_path):
    """Posts to the API with a key that has some scopes."""
    keys = Keys()
    log = QuestionLog(UPath(tmp_path) / "questions", days=90)
    assistant = Assistant(lake, log)
    app = create_app(
        ApiSettings(warm_sentiment=False, ask_rate="5/minute"),
        Installation(
            object, dict, object, keys, lambda _: ([], ""), None, None, ask=lambda: assistant
        ),
    )
    client, tokens = TestClient(app), dict[tuple[str, ...], str]()

    def post(body, *scopes, path="", key=0):
        name = (*scopes, str(key))
        if name not in tokens:
            kept, tokens[name] = new_key("test", scopes)
            keys.kept[kept.id] = kept
        headers = {"X-API-Key": tokens[name]}
        return client.post(f"/v1/ask{path}", headers=headers, json=body)

    post.log, post.app = log, app
    return post


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("ask_customer", {ONE}),
        ("ask_figures", {MANY}),
        ("ask_lists", {LIST}),
        ("admin", {ONE, MANY, LIST}),
    ],
)
def test_a_scope_opens_its_own_tools_only(api, scope, allowed):
    for question in (ONE, MANY, LIST):
        answer = api({"question": question}, scope).json()
        assert (answer["refusal"] is None) == (question in allowed)
        assert bool(answer["facts"]) == (question in allowed)
        assert answer["refusal"] in {None, "not_allowed"}


def test_an_answer_has_its_claims_and_is_kept_with_its_feedback(api):
    answer = api({"question": MANY}, "ask_figures").json()
    assert answer["facts"][0]["text"] in answer["text"]
    assert answer["facts"][0]["sql"].startswith("SELECT COUNT(*)")
    path = f"/{answer['id']}/feedback"
    assert (
        api({"helpful": False, "note": "of which day?"}, "ask_figures", path=path).status_code
        == 204
    )
    question, thought = api.log.lines()
    assert question["by"] == thought["by"]
    assert question["by"].startswith("key:")
    assert (thought["helpful"], thought["note"]) == (False, "of which day?")
    another = api({"helpful": True}, "ask_figures", path=path, key=1)
    never = api({"helpful": True}, "ask_figures", path=f"/{'0' * 32}/feedback", key=1)
    assert (another.status_code, never.status_code) == (404, 404)
    assert another.json()["detail"] == never.json()["detail"]


def test_other_keys_are_refused_and_nothing_is_kept(api):
    refused = api({"question": MANY}, "read", "score", "review")
    assert refused.status_code == 403
    assert "ask_figures" in refused.json()["detail"]
    assert api({"question": ""}, "ask_figures").status_code == 422
    assert api({"question": "x" * (LONGEST + 1)}, "ask_figures").status_code == 422
    assert api.log.lines() == []


def test_a_refusal_repeats_nothing_of_the_question(api):
    answer = api({"question": "What is the e-mail of canary-4711?"}, "admin")
    assert answer.json()["refusal"] == "not_allowed"
    assert "canary" not in answer.text


def test_questions_are_counted_apart_from_other_requests(api):
    statuses = [api({"question": MANY}, "ask_figures").status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    assert api({"question": MANY}, "ask_figures", key=1).status_code == 200


def test_without_the_lake_or_a_place_to_keep_it_there_is_no_answer(api, monkeypatch):
    def fails(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(QuestionLog, "add", fails)
    kept = api({"question": MANY}, "ask_figures")
    assert (kept.status_code, "kept" in kept.json()["detail"]) == (503, True)

    def damaged() -> None:
        raise CorruptPartitionError("customers/…")

    api.app.state.ask = damaged
    assert "the log says why" in api({"question": MANY}, "ask_figures").json()["detail"]
    api.app.state.ask = None
    assert "ENGAGEMENT_API_LAKE" in json.dumps(api({"question": MANY}, "ask_figures").json())
