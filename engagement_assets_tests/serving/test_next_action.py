"""The next action online: the propensity is the draw's own, and no draw goes unlogged."""

import time
from datetime import date
from types import SimpleNamespace

import numpy as np
import orjson
import pandas as pd
import pytest
from fastapi.testclient import TestClient

from engagement_assets.decisions.next_best_action.adapter import NextBestAction
from engagement_assets.decisions.next_best_action.policy import CONTEXT
from engagement_assets.decisions.next_best_action.spec import SPEC, WORDS
from engagement_assets.features.catalogue import FEATURE_NAMES
from engagement_assets.lifecycle.learnt import ContextChooser
from engagement_assets.serving.api import app as app_module
from engagement_assets.serving.api.app import Installation, create_app
from engagement_assets.serving.api.keys import new_key
from engagement_assets.serving.api.service import CustomerService, Refusals
from engagement_assets.serving.next_action import HELD_OUT, WITHHELD, DrawFile, next_action
from engagement_assets.serving.records import EXPLAINED, encode
from engagement_assets.serving.scoring import Scorer
from engagement_assets.settings.api import ApiSettings
from engagement_assets_tests.serving.conftest import Keys
from resources.online_store.releases import Release

DAY = date(2026, 2, 10)


@pytest.fixture(scope="module")
def chooser():
    rng = np.random.default_rng(0)
    n = 3_000
    log = pd.DataFrame(
        {
            "acted_at": pd.Timestamp(DAY),
            "time_of_day": rng.choice(["morning", "evening"], n),
            "last_action": rng.choice(["post", "browse"], n),
            "device": rng.choice(["mobile", "desktop"], n),
            **{name: rng.random(n) * 10 for name in CONTEXT[3:]},
            "action": rng.choice(SPEC.action_names, n),
        }
    )
    good = (log["action"] == "search_gig") & (log["device"] == "desktop")
    log["reward"] = rng.binomial(3, 0.3 + 0.3 * good) / 3
    decision = NextBestAction()
    return ContextChooser(decision, decision.fit(log, None), champion="v1", parameters={})


def document(name, *, agreed=True, **features):
    known = {"primary_time_of_day": "evening", "primary_device": "mobile", "logins_month": 5}
    return {
        "customer_id": name,
        "snapshot_date": DAY.isoformat(),
        "features": {**dict.fromkeys(FEATURE_NAMES), **known, **features},
        "model_versions": {spec.name: None for spec in EXPLAINED},
        "consents": {"personalisation": agreed},
    }


def test_the_propensity_is_how_often_the_same_context_draws_the_action(chooser):
    lines = []
    record = document("ann")
    drawn = [
        next_action(chooser, record, {}, log=lines.append, decision_id=str(n)) for n in range(1_000)
    ]
    chances = {one["action"]: one["propensity"] for one in drawn}
    for name, chance in chances.items():
        seen = sum(one["action"] == name for one in drawn) / len(drawn)
        assert seen == pytest.approx(chance, abs=4.5 * np.sqrt(chance / len(drawn)))
    assert [line["propensity"] for line in lines] == [one["propensity"] for one in drawn]
    assert lines[0]["context"]["device"] == "mobile"
    assert lines[0]["context"]["last_action"] is None
    orjson.dumps(lines)


def test_a_draw_can_be_made_again_from_its_id(chooser):
    log = [].append
    first = next_action(chooser, document("ann"), {"device": "desktop"}, log=log)
    again = next_action(
        chooser, document("ann"), {"device": "desktop"}, log=log, decision_id=first["decision_id"]
    )
    assert first == again


def test_what_the_application_sees_stands_over_what_is_usual(chooser):
    lines = []
    drawn = [
        next_action(chooser, document("ann"), {"device": "desktop"}, log=lines.append)
        for _ in range(30)
    ]
    assert sum(one["action"] == "search_gig" for one in drawn) > 20
    gig = next(one for one in drawn if one["action"] == "search_gig")
    assert gig["text"] == WORDS["search_gig"]
    assert gig["reason"].startswith("Browse gigs in your area, because ")
    assert gig["added"] == pytest.approx(0.3, abs=0.15)
    assert {line["context"]["device"] for line in lines} == {"desktop"}


def test_without_consent_nothing_is_drawn_suggested_or_logged(chooser):
    lines = []
    drawn = next_action(chooser, document("ann", agreed=False), {}, log=lines.append)
    assert (drawn["action"], drawn["withheld"], lines) == ("none", WITHHELD, [])


@pytest.fixture
def api(chooser, tmp_path, monkeypatch):
    """The application over a store of three customers, opened at its second try."""
    documents = {
        name: encode(document(name, agreed=name != "bob")) for name in ("ann", "bob", "cat")
    }
    store = SimpleNamespace(
        is_local=True,
        served=lambda: Release("r1", DAY),
        get=lambda _, ids: {who: documents[who] for who in ids if who in documents},
    )
    log = tmp_path / "draws.jsonl"
    service = CustomerService(
        store=store,
        scorer=Scorer({}, {SPEC.name: chooser}, {}),
        reader=None,
        read_references=lambda *_: ({}, {}),
        read_held_out=lambda: frozenset({"cat"}),
        log_draw=DrawFile(log),
    )
    keys = Keys()
    tries = iter([FileNotFoundError("the store is being mended"), service])

    def open_service():
        answer = next(tries)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(app_module, "OPEN_AGAIN_SECONDS", 0.05)
    made = Installation(
        open_service=open_service,
        champions=lambda: service.scorer.champions,
        load_scorer=lambda _: service.scorer,
        keys=keys,
        sentiment=lambda _: ([], ""),
        contact=None,
        texts=None,
    )
    kept, token = new_key("test", ("read",), rate="1000/second")
    keys.kept[kept.id] = kept
    with TestClient(create_app(ApiSettings(warm_sentiment=False), made)) as client:
        while client.get("/readyz").status_code != 200:
            time.sleep(0.02)
        client.headers["X-API-Key"] = token
        yield SimpleNamespace(client=client, log=log, service=service, documents=documents)


def test_a_document_that_is_about_somebody_else_is_not_served(api, caplog):
    api.documents["ann"] = api.documents["cat"]
    assert api.client.get("/v1/customers/ann/next-action").status_code == 404
    assert api.client.get("/v1/customers/cat/next-action").status_code == 200
    assert "publish the day again" in caplog.text


def test_without_what_draws_the_rest_goes_on(api, monkeypatch):
    monkeypatch.setattr(api.service, "scorer", Scorer({}, {}, {}, ["next_best_action"]))
    answer = api.client.get("/v1/customers/ann/next-action")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert api.client.get("/readyz").json()["unavailable"] == ["next_best_action"]


def test_an_answer_has_its_line_in_the_log(api):
    answer = api.client.get(
        "/v1/customers/ann/next-action",
        params={"time_of_day": "morning", "device": "desktop", "last_action": "post"},
    )
    assert answer.status_code == 200
    said = answer.json()
    (line,) = [orjson.loads(one) for one in api.log.read_bytes().splitlines()]
    assert {name: line[name] for name in ("decision_id", "action", "propensity")} == {
        name: said[name] for name in ("decision_id", "action", "propensity")
    }
    assert line["context"]["time_of_day"] == "morning"
    assert (said["policy_version"], said["customer_id"]) == ("v1", "ann")
    assert api.client.get("/v1/customers/ann/next-action").json() != said


def test_bad_requests_are_refused_and_a_customer_without_consent_is_not_suggested_to(api):
    get = api.client.get
    wrong = get("/v1/customers/ann/next-action", params={"time_of_day": "noon"})
    assert wrong.status_code == 422
    assert get("/v1/customers/nobody/next-action").status_code == 404
    assert get("/v1/customers/bob/next-action").json()["withheld"] == WITHHELD
    held_out = get("/v1/customers/cat/next-action").json()
    assert (held_out["action"], held_out["withheld"]) == ("none", HELD_OUT)
    assert not api.log.exists()


def test_a_draw_that_cannot_be_logged_is_not_given(api, tmp_path):
    api.service.log_draw = DrawFile(tmp_path)
    answer = api.client.get("/v1/customers/ann/next-action")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "propensity" not in answer.json()


def test_the_answer_is_as_the_openapi_document_says(api):
    schema = api.client.get("/v1/openapi.json").json()["components"]["schemas"]
    said = api.client.get("/v1/customers/ann/next-action").json()
    assert set(said) == set(schema["NextActionAnswer"]["properties"])
    assert said["action"] in schema["NextActionAnswer"]["properties"]["action"]["enum"]


def test_without_the_holdout_nothing_is_suggested_to_anybody(api):
    api.service.read_held_out, api.service._view = None, None
    answer = api.client.get("/v1/customers/ann/next-action")
    assert answer.status_code == 503
    assert "holdout" in answer.json()["detail"]


def test_who_withdraws_is_gone_from_the_next_answer(api):
    """As soon as the lake knows, though what was published still says otherwise."""
    ask = api.client.get
    assert ask("/v1/customers/bob/next-action").status_code == 200
    now = Refusals(analytics=frozenset({"bob"}), personalisation=frozenset({"ann"}))
    api.service.read_refusals = lambda: now
    # who refuses what is looked up again after a second
    api.service._looked = float("-inf")
    assert ask("/v1/customers/bob/next-action").status_code == 404
    answer = ask("/v1/customers/ann/next-action").json()
    assert (answer["action"], answer["withheld"]) == ("none", WITHHELD)
    assert not api.log.exists()
