"""A champion that cannot be opened fails alone, and what was loaded before goes on."""

from types import SimpleNamespace

import pytest

from engagement_assets.decisions.specs import DECISIONS
from engagement_assets.models.specs import MODELS
from engagement_assets.serving import scoring
from engagement_assets.serving.records import EXPLAINED
from engagement_assets.serving.scoring import Scorer

NAMES = {spec.name for spec in EXPLAINED}
ONLINE = {spec.name for spec in DECISIONS if spec.online}


@pytest.fixture
def load(monkeypatch):
    """Loads over champions of which some are damaged; their predictors are their names."""
    damaged = set()

    def opened(spec, registry, _settings):
        if spec.name in damaged:
            raise ValueError("a flipped bit")
        return {"version": registry.version}, spec.name if spec.online else None

    def policy(spec, registry, _parameters):
        if spec.name in damaged:
            raise ValueError("a flipped bit")
        return SimpleNamespace(version=registry.version)

    monkeypatch.setattr(scoring, "_opened", opened)
    monkeypatch.setattr(scoring, "serving_policy", policy)
    settings = SimpleNamespace(parameters=lambda _: {})

    def loaded(*names, version="v1", before=None):
        damaged.clear()
        damaged.update(names)
        return Scorer.load(SimpleNamespace(version=version), settings, before)

    return loaded


def test_one_that_is_damaged_takes_only_what_is_built_on_it_with_it(load):
    scorer = load("churn")
    assert scorer.unavailable == ("churn", "ensemble")
    assert set(scorer._predictors) == NAMES - {"churn", "ensemble"}
    assert scorer.champions["churn"] is None
    assert scorer.champions["engagement"] == "v1"


def test_what_was_loaded_before_goes_on_and_is_tried_again(load):
    before = load()
    assert before.unavailable == ()
    after = load("churn", version="v2", before=before)
    assert after.unavailable == ("churn",)
    assert (after.champions["churn"], after.champions["ensemble"]) == ("v1", "v2")
    mended = load(version="v2", before=after)
    assert (mended.unavailable, mended.champions["churn"]) == ((), "v2")


@pytest.mark.parametrize("name", sorted(ONLINE))
def test_a_decision_that_is_damaged_is_left_out(load, name):
    scorer = load(name)
    assert scorer.unavailable == (name,)
    assert scorer.champions.keys() == {spec.name for spec in MODELS}
    assert set(scorer._policies) == ONLINE - {name}
