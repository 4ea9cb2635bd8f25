"""The API over a real home: what it answers is what the day says, and only to whom may know."""

import asyncio
import gc
import itertools
import json
import logging
import math
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import anyio
import pytest

from engagement_assets.decisions.specs import LEARNT
from engagement_assets.models.specs import MODELS
from engagement_assets.serving.api.app import reload_if_new
from engagement_assets.serving.api.routes import PREFIX
from engagement_assets.serving.api.schemas import MOST_CUSTOMERS
from engagement_assets.serving.records import decode
from engagement_assets_tests.platform.homes import END, analysed
from engagement_assets_tests.serving.issuer import Issuer
from resources.registry import ModelRegistry

pytestmark = pytest.mark.slow
DAY = END.isoformat()
SCORED = ("engagement", "churn", "lifetime_value", "anomaly", "ensemble")


@pytest.fixture(scope="module")
def documents(api):
    """Every stored document by customer."""
    service = api.app.state.service
    release = service.store.served()
    ids = api.lake.read("features/customer_features", days=[END], columns=["customer_id"])
    ids = ids.column("customer_id").to_pylist()
    actual = {}
    for start in range(0, len(ids), 100):
        actual |= service.store.get(release.name, ids[start : start + 100])
    assert set(actual) == set(ids) == analysed(api.lake)
    return {who: decode(document) for who, document in actual.items()}


def test_every_customer_is_answered_with_what_the_day_predicted(api, documents):
    tables = {
        name: api.lake.read(f"{name}/predictions", days=[END]).to_pandas().set_index("customer_id")
        for name in SCORED
    }
    main = {
        "engagement": "engagement_score",
        "churn": "churn_probability",
        "lifetime_value": "future_revenue_usd",
        "anomaly": "anomaly_score",
        "ensemble": "customer_health",
    }
    for who in list(documents)[::25]:
        answer = api.read(f"/customers/{who}").json()
        assert answer["customer_id"] == who
        assert answer["snapshot_date"] == DAY
        assert answer["served_from"] == "cached"
        assert answer["snapshot_age_days"] >= 0
        for name in SCORED:
            assert answer["model_versions"][name]
            said = answer["predictions"][name]
            if who not in tables[name].index:
                assert said is None
                continue
            assert said[main[name]] == tables[name].at[who, main[name]]


def test_what_is_computed_is_what_the_day_predicted_for_every_customer(api, documents):
    service = api.app.state.service

    async def computed():
        view = await service.view()
        everybody = list(documents.values())
        return [
            record
            for start in range(0, len(everybody), 100)
            for record in await service.score(everybody[start : start + 100], view)
        ]

    for record in anyio.run(computed):
        stored = documents[record["customer_id"]]
        assert record["model_versions"] == stored["model_versions"]
        assert record["actions_due"] == stored["actions_due"]
        for name in SCORED:
            _same_prediction(record["predictions"][name], stored["predictions"][name])
            _same_reasons(record["explanations"][name], stored["explanations"][name])


def _same_prediction(one, other):
    assert (one is None) == (other is None)
    for column, value in (other or {}).items():
        if isinstance(value, float):
            assert math.isclose(one[column], value, rel_tol=1e-6, abs_tol=1e-6), column
        else:
            assert one[column] == value, column


def _same_reasons(one, other):
    assert len(one) == len(other)
    for first, second in zip(one, other, strict=True):
        # where two features weigh the same, either may come first
        assert math.isclose(
            first["contribution"], second["contribution"], rel_tol=1e-2, abs_tol=2e-3
        )
    weight = [abs(reason["contribution"]) for reason in other]
    if all(a - b > 5e-3 for a, b in itertools.pairwise(weight)):
        for first, second in zip(one, other, strict=True):
            assert all(first[part] == second[part] for part in ("feature", "value", "typical"))


def test_one_customer_alone_is_scored_as_among_a_hundred(api, documents):
    who = next(iter(documents))
    answer = api.read(f"/customers/{who}?compute=true").json()
    assert answer["served_from"] == "computed"
    for name in SCORED:
        _same_prediction(answer["predictions"][name], documents[who]["predictions"][name])


def test_a_customer_is_explained_with_the_meaning_of_each_feature(api, documents):
    who = next(who for who, one in documents.items() if one["predictions"]["churn"])
    answer = api.read(f"/customers/{who}/explanations/churn").json()
    assert answer["unit"] == "log-odds"
    assert answer["prediction"] == documents[who]["predictions"]["churn"]
    assert [reason["feature"] for reason in answer["reasons"]] == [
        reason["feature"] for reason in documents[who]["explanations"]["churn"]
    ]
    assert all(reason["meaning"] for reason in answer["reasons"])
    assert api.read(f"/customers/{who}/explanations/astrology").status_code == 422


def test_no_consent_no_recommendations(api, documents):
    agreed = {who for who, one in documents.items() if one["consents"]["personalisation"]}
    assert 0 < len(agreed) < len(documents)
    refused = next(who for who in documents if who not in agreed)
    assert documents[refused]["recommendations"] is None
    answer = api.read(f"/customers/{refused}/recommendations").json()
    assert answer["items"] == []
    assert answer["withheld"] == "no consent to personalisation"
    willing = next(iter(sorted(agreed)))
    answer = api.read(f"/customers/{willing}/recommendations?limit=5").json()
    assert answer["items"] == documents[willing]["recommendations"]["items"][:5]
    first, second, *_ = answer["items"]
    answer = api.read(
        f"/customers/{willing}/recommendations?limit=5&exclude={first}&exclude={second}"
    ).json()
    assert answer["items"] == documents[willing]["recommendations"]["items"][2:7]


def test_a_batch_is_of_one_release_and_names_whom_it_does_not_know(api, documents):
    some = [*list(documents)[:50], "nobody", next(iter(documents))]
    answer = api.post("/customers:batch", {"customer_ids": some}).json()
    assert [one["customer_id"] for one in answer["customers"]] == list(documents)[:50]
    assert answer["unknown"] == ["nobody"]
    assert len({one["release"] for one in answer["customers"]}) == 1
    many = [str(n) for n in range(MOST_CUSTOMERS + 1)]
    assert api.post("/customers:batch", {"customer_ids": many}).status_code == 422


def test_somebody_unknown_gets_a_list_for_somebody_unknown(api):
    answer = api.read("/customers/nobody/recommendations")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    listed = answer.json()["recommendations"]
    assert listed["items"]
    assert listed["list_source"] == "cold start"


@pytest.mark.parametrize(
    "tricky",
    [
        "..%2F..%2Fapi_keys.json",
        "%2e%2e",
        "c0000001%00",
        "'%20OR%201=1--",
        "meta%23served",
        "c0000001%0d%0aX-Evil:%201",
        "x" * 257,
        "%F0%9F%98%80",
        "..;/c0000001",
    ],
)
def test_a_tricky_id_is_nobody(api, tricky):
    answer = api.read(f"/customers/{tricky}")
    assert answer.status_code in (404, 422)
    assert "x-evil" not in answer.headers
    assert "predictions" not in answer.json()


def test_a_customer_who_is_not_in_the_store_is_computed_from_the_lake(api, documents, monkeypatch):
    service = api.app.state.service
    who = next(who for who, one in documents.items() if one["consents"]["personalisation"])
    get = service.store.get
    monkeypatch.setattr(
        service.store,
        "get",
        lambda release, ids: {k: v for k, v in get(release, ids).items() if k != who},
    )
    answer = api.read(f"/customers/{who}").json()
    assert answer["served_from"] == "computed"
    assert answer["snapshot_date"] == DAY
    for name in SCORED:
        _same_prediction(answer["predictions"][name], documents[who]["predictions"][name])
    answer = api.read(f"/customers/{who}/recommendations").json()
    assert answer["list_source"] == "cold start"
    assert answer["items"]


def test_a_model_that_had_no_champion_then_is_asked_now(api, documents, monkeypatch):
    service = api.app.state.service
    who = next(who for who, one in documents.items() if one["predictions"]["churn"])
    from engagement_assets.serving.api import service as module  # noqa: PLC0415 - to be patched

    def without_churn(document):
        record = decode(document)
        record["predictions"]["churn"] = None
        record["model_versions"]["churn"] = None
        return record

    monkeypatch.setattr(module, "decode", without_churn)
    assert service.scorer.versions["churn"]
    answer = api.read(f"/customers/{who}").json()
    assert answer["served_from"] == "computed"
    _same_prediction(answer["predictions"]["churn"], documents[who]["predictions"]["churn"])


def test_features_that_are_sent_are_scored_as_those_of_the_store(api, documents):
    some = list(documents.values())[:20]
    body = {
        "customers": [
            {"customer_id": one["customer_id"], "features": one["features"]} for one in some
        ]
    }
    answer = api.post("/score", body).json()
    for said, one in zip(answer["customers"], some, strict=True):
        for name in SCORED:
            _same_prediction(said["predictions"][name], one["predictions"][name])
            _same_reasons(said["explanations"][name], one["explanations"][name])


@pytest.mark.parametrize(
    ("features", "where"),
    [
        ({"shoe_size": 43}, "features.shoe_size"),
        ({"age": -1}, "features.age"),
        ({"age": "31"}, "features.age"),
        ({"click_rate": 2.0}, "features.click_rate"),
        ({"logins_month": 10**40}, "features.logins_month"),
        ({"logins_month": 3.5}, "features.logins_month"),
        ({"primary_device": 5}, "features.primary_device"),
    ],
)
def test_features_that_cannot_be_are_refused_by_name(api, features, where):
    answer = api.post("/score", {"customers": [{"customer_id": "x", "features": features}]})
    assert answer.status_code == 422
    assert any(where in error["where"] for error in answer.json()["errors"])


def test_nothing_known_of_a_customer_is_scored_too(api):
    answer = api.post("/score", {"customers": [{"customer_id": "x", "features": {}}]})
    assert answer.status_code == 200
    said = answer.json()["customers"][0]["predictions"]
    assert 0 <= said["engagement"]["engagement_score"] <= 1
    assert said["churn"] is None


def test_a_customer_may_be_sent_with_several_sets_of_features(api):
    """What would be if a customer came more often."""
    # a whole number may be written as a float, as pandas does
    sets = [
        {
            "tenure_days": 400,
            "logins_month": visits,
            "active_days_month": visits / 2,
            "session_minutes_month": 9.0 * visits,
        }
        for visits in (0, 30.0)
    ]
    body = {"customers": [{"customer_id": "x", "features": features} for features in sets]}
    rarely, often = api.post("/score", body).json()["customers"]
    assert rarely["customer_id"] == often["customer_id"] == "x"
    scores = [one["predictions"]["engagement"]["engagement_score"] for one in (rarely, often)]
    assert scores[0] < scores[1]


@pytest.mark.parametrize("day", [0, 1.5, True, "20260101", "2026-W01-1", "2026-02-30", "today"])
def test_a_date_is_a_date(api, day):
    body = {"customers": [{"customer_id": "x", "features": {}}], "snapshot_date": day}
    answer = api.post("/score", body)
    assert answer.status_code == 422
    assert "snapshot_date" in answer.json()["errors"][0]["where"]


@pytest.mark.parametrize("day", ["0001-01-01", "2026-01-05", "9999-12-31"])
def test_the_date_of_features_is_said_again(api, day):
    features = {"tenure_days": 400, "logins_month": 3}
    body = {"customers": [{"customer_id": "x", "features": features}], "snapshot_date": day}
    (said,) = api.post("/score", body).json()["customers"]
    assert said["snapshot_date"] == day
    assert said["predictions"]["lifetime_value"] is not None


@pytest.mark.usefixtures("api")
def test_what_was_loaded_is_out_of_the_garbage_collectors_sight():
    assert gc.get_freeze_count() > 100_000


def test_requests_are_answered_from_the_day_before_while_the_new_one_is_read(api, monkeypatch):
    service = api.app.state.service
    before, entered, ended = service.seen, threading.Event(), threading.Event()
    read, reads = service.read_references, []

    def slow(store, release):
        reads.append(release.name)
        entered.set()
        assert ended.wait(30)
        return read(store, before.release)

    new = replace(before.release, name=f"{before.release.name}-new")
    monkeypatch.setattr(service, "read_references", slow)
    monkeypatch.setattr(service.store, "served", lambda: new)
    monkeypatch.setattr(service, "_looked", float("-inf"))

    async def asked():
        turning = asyncio.create_task(service.view())
        while not entered.is_set():
            await asyncio.sleep(0.01)
        meanwhile = [await service.view() for _ in range(5)]
        ended.set()
        return meanwhile, await turning

    try:
        meanwhile, after = asyncio.run(asked())
    finally:
        service._view = before
    assert {view.release.name for view in meanwhile} == {before.release.name}
    assert after.release.name == new.name
    assert reads == [new.name]


def test_texts_are_read_only_with_consent(api):
    texts = ["what a lovely morning", "I hate this"]
    for consent in (False, None, "true", 1):
        body = {"texts": texts} if consent is None else {"texts": texts, "consent": consent}
        assert api.post("/sentiment", body).status_code == 422
    answer = api.post("/sentiment", {"consent": True, "texts": texts}).json()
    glad, sad = (one["score"] for one in answer["texts"])
    assert glad > 0 > sad
    assert answer["model_version"]


def test_the_models_are_told_with_what_they_are_not_for(api):
    answer = api.read("/models").json()["models"]
    assert [one["name"] for one in answer] == [spec.name for spec in MODELS]
    assert all(one["version"] and one["purpose"] and one["limits"] for one in answer)


def test_nothing_but_health_is_open_to_nobody(api):
    for path, methods in api.app.openapi()["paths"].items():
        for method in methods:
            url = path.replace("{customer_id}", "c0000001").replace("{model}", "churn")
            answer = api.client.request(method.upper(), url, json={})
            if path in ("/healthz", "/readyz"):
                assert answer.status_code == 200, path
            else:
                # also where what was sent is no request: keys come before bodies
                assert answer.status_code == 401, path
                assert "predictions" not in answer.text
    for path in ("/docs", "/openapi.json", "/redoc", f"{PREFIX}/openapi.json"):
        assert api.client.get(path).status_code in (401, 404)


@pytest.mark.parametrize(
    ("scope", "method", "path", "allowed"),
    [
        ("read", "GET", "/v1/customers/c0000001", True),
        ("read", "POST", "/v1/score", False),
        ("read", "GET", "/metrics", False),
        ("score", "GET", "/v1/customers/c0000001", False),
        ("score", "POST", "/v1/score", True),
        ("admin", "GET", "/metrics", True),
        ("admin", "POST", "/v1/models:reload", True),
        ("read", "POST", "/v1/models:reload", False),
    ],
)
def test_a_key_opens_what_its_scopes_say(api, scope, method, path, allowed):
    body = {"customers": [{"customer_id": "x", "features": {}}]} if path == "/v1/score" else None
    answer = api.client.request(method, path, headers={"X-API-Key": api.key(scope)}, json=body)
    assert answer.status_code == (200 if allowed else 403)


def test_a_token_of_the_issuer_opens_what_it_says(api):
    def status(token):
        headers = {"Authorization": f"Bearer {token}"}
        return api.client.get("/v1/models", headers=headers).status_code

    assert status(api.issuer.token()) == 200
    assert status(api.issuer.token(scope="score")) == 403
    assert status(api.issuer.token(scope=None)) == 403
    assert status(api.issuer.token(exp=int(time.time()) - 60)) == 401
    assert status(api.issuer.token(aud="another-installation")) == 401
    assert status(Issuer().token()) == 401
    assert status("") == 401


def test_a_caller_who_asks_too_often_waits_and_others_do_not(api):
    slow, other = api.key("read", rate="3/minute"), api.key("read")

    def ask(key):
        return api.client.get("/v1/models", headers={"X-API-Key": key})

    assert [ask(slow).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert int(ask(slow).headers["retry-after"]) >= 1
    assert ask(other).status_code == 200


def test_a_body_of_ten_megabytes_is_refused(api):
    answer = api.client.post(
        "/v1/score",
        headers={"X-API-Key": api.key("score"), "Content-Type": "application/json"},
        content=b"[" + b" " * 10_000_000 + b"]",
    )
    assert answer.status_code == 413


@pytest.mark.parametrize("text", [b"{", b"null", b"[]", b'{"customers": NaN}', b"\xff\xfe"])
def test_what_is_no_request_is_said_to_be_none(api, text):
    answer = api.client.post(
        "/v1/score",
        headers={"X-API-Key": api.key("score"), "Content-Type": "application/json"},
        content=text,
    )
    assert answer.status_code in (400, 422)
    assert "Traceback" not in answer.text


def test_no_personal_data_gets_into_the_log(api, caplog, monkeypatch):
    canary = "canary.person@example.com"
    with caplog.at_level(logging.DEBUG):
        api.read(f"/customers/{canary}")
        api.read(f"/customers/{canary}/recommendations?exclude={canary}")
        api.post("/customers:batch", {"customer_ids": [canary]})
        api.post("/score", {"customers": [{"customer_id": canary, "features": {}}]})
        api.post("/score", {"customers": [{"customer_id": canary, "features": {canary: 1}}]})
        api.post("/sentiment", {"consent": True, "texts": [f"{canary} is sad"]})
        token = api.issuer.token(sub=canary)
        api.client.get("/v1/models", headers={"Authorization": f"Bearer {token}"})
        api.client.get("/v1/models", headers={"X-API-Key": canary, "User-Agent": canary})

        def breaks(*_):
            raise RuntimeError(canary)

        monkeypatch.setattr(api.app.state.service.store, "get", breaks)
        broken = api.read(f"/customers/{canary}", client=api.forgiving)
    assert broken.status_code == 500
    assert canary not in broken.text
    ours = [
        record.getMessage() for record in caplog.records if record.name.startswith("engagement")
    ]
    assert len(ours) >= 9
    # the test's own HTTP client logs the addresses it asks; the server's records are ours
    assert canary not in "".join(ours)
    assert all(json.loads(line)["route"] for line in ours if line.startswith("{"))


def test_readiness_says_how_old_the_answers_are(api):
    told = api.client.get("/readyz").json()
    assert told["snapshot_date"] == DAY
    assert told["snapshot_age_days"] > 0
    assert told["published_at"]
    api.read("/customers/nobody")
    metrics = api.client.get("/metrics", headers={"X-API-Key": api.key("admin")}).text
    assert f"engagement_api_snapshot_age_days {float(told['snapshot_age_days'])}" in metrics
    assert 'route="/v1/customers/{customer_id}"' in metrics


def test_champions_that_are_loaded_are_not_loaded_again(api, year, monkeypatch):
    registry = ModelRegistry(year.path / "registry")
    learnt = [spec for spec in LEARNT if spec.online]
    serving = {spec.name: registry.champion(spec.name) for spec in (*MODELS, *learnt)}
    installation = SimpleNamespace(champions=lambda: serving)
    loads = []
    monkeypatch.setattr(api.app.state, "reload", lambda: loads.append("again"))
    reload_if_new(api.app, installation)
    assert loads == []
    serving["churn"] = "another"
    reload_if_new(api.app, installation)
    assert loads == ["again"]
