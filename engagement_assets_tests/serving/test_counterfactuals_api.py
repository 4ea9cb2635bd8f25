"""Counterfactuals in the API: as stored, or searched, by those who may read."""

import time
from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient

from engagement_assets.decisions.counterfactuals.advice import (
    Advice,
    AdviceDesk,
    AdvisedChange,
)
from engagement_assets.decisions.counterfactuals.tables import ADVICE
from engagement_assets.features.catalogue import FEATURE_NAMES
from engagement_assets.serving.api.app import Installation, create_app
from engagement_assets.serving.api.keys import new_key
from engagement_assets.serving.api.routes import PREFIX
from engagement_assets.serving.api.service import Known, View
from engagement_assets.settings.api import ApiSettings
from engagement_assets_tests.decisions.tables import engine_of, filled
from engagement_assets_tests.lifecycle.made_inputs import made_inputs
from engagement_assets_tests.serving.conftest import Keys
from resources.lake import Lake
from resources.registry import ModelRegistry

DAY = date(2026, 3, 31)
STORED = Advice(
    model="churn",
    model_version="v1",
    goal=0.5,
    predicted=0.8,
    changes=(AdvisedChange("posts_month", 0.0, 4.0),),
    predicted_after=0.3,
    change_low=-0.6,
    change_high=-0.4,
    refits=5,
    words="If they posted 4 times in the month (now 0), the model would predict 0.300.",
    measured=(),
)


def _record(who: str) -> dict:
    features = {**dict.fromkeys(FEATURE_NAMES), "trust_score": 0.5}
    features["days_since_last_login"] = 40 if who == "idle" else 3
    return {
        "customer_id": who,
        "snapshot_date": DAY.isoformat(),
        "features": features,
        "model_versions": {},
    }


class Service:
    """A service that knows some customers by name."""

    limiter = SimpleNamespace(total_tokens=1)
    seen = None

    async def view(self):
        release = SimpleNamespace(name="r")
        return View(release, {}, {})

    async def customers(self, ids, **_):
        people = ("ann", "bob", "idle", "an/n")
        return {who: Known(_record(who), "cached") for who in ids if who in people}


@pytest.fixture
def ask(tmp_path):
    """Asks the API over a lake where one customer's advice is stored."""
    lake, registry = Lake(str(tmp_path / "lake")), ModelRegistry(tmp_path / "registry")
    rows = [STORED.row("ann", DAY), replace(STORED, changes=()).row("an/n", DAY)]
    lake.write(ADVICE, filled(ADVICE, rows), day=DAY)
    inputs = made_inputs(engine=engine_of(lake), registry=registry)
    desk, keys = AdviceDesk(lambda _: inputs, lake, registry), Keys()
    app = create_app(
        ApiSettings(warm_sentiment=False),
        Installation(Service, dict, Service, keys, lambda _: ([], ""), None, None, advice=desk),
    )
    app.state.service = Service()
    tokens = {}
    for scope in ("read", "review"):
        kept, tokens[scope] = new_key("test", (scope,))
        keys.kept[kept.id] = kept
    client = TestClient(app)

    def answer(path, *, scope="read"):
        return client.get(f"{PREFIX}/customers/{path}", headers={"X-API-Key": tokens[scope]})

    answer.app = app
    return answer


def test_what_was_made_with_the_day_is_given(ask):
    answer = ask("ann/counterfactuals/churn").json()
    assert answer["served_from"] == "cached"
    assert answer["changes"][0].items() >= {"feature": "posts_month", "after": 4.0}.items()
    assert answer["changes"][0]["meaning"].startswith("Posts that")
    assert (answer["change_low"], answer["refits"]) == (-0.6, 5)
    assert answer["withheld"] is None
    assert ask("an%2Fn/counterfactuals/churn").json()["changes"] == []


def test_others_are_searched_for_once_the_refits_are_there(ask):
    waiting = ask("bob/counterfactuals/churn")
    assert waiting.status_code == 503
    assert waiting.headers["Retry-After"]
    for _ in range(100):
        refused = ask("bob/counterfactuals/churn")
        if "no churn champion" in refused.json()["detail"]:
            break
        time.sleep(0.05)
    assert refused.status_code == 503
    assert "no churn champion" in refused.json()["detail"]


def test_of_who_did_not_use_the_app_nothing_is_advised(ask):
    answer = ask("idle/counterfactuals/churn").json()
    assert "no session in the month" in answer["withheld"]
    assert answer["words"] is None


@pytest.mark.parametrize(
    ("path", "scope", "status"),
    [
        ("ann/counterfactuals/churn", "review", 403),
        ("nobody/counterfactuals/churn", "read", 404),
        ("ann/counterfactuals/forecast", "read", 422),
    ],
)
def test_who_may_not_read_and_what_is_not_known_is_refused(ask, path, scope, status):
    assert ask(path, scope=scope).status_code == status


def test_a_server_without_the_lake_says_so(ask):
    ask.app.state.advice = None
    refused = ask("ann/counterfactuals/churn")
    assert refused.status_code == 503
    assert "ENGAGEMENT_API_LAKE" in refused.json()["detail"]
