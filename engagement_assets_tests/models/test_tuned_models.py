"""A tuned candidate is a version like any other: judged, kept, predicted, explained, stacked."""

import json
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from engagement_assets.lifecycle.adapter import Inputs, Predicted
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.lifecycle.predictor import Context
from engagement_assets.lifecycle.promotion import promote_or_keep
from engagement_assets.lifecycle.search import searching
from engagement_assets.lifecycle.shadow import shadow_days
from engagement_assets.models.churn.adapter import ChurnAdapter
from engagement_assets.models.churn.spec import SPEC as CHURN
from engagement_assets.models.engagement.adapter import EngagementAdapter
from engagement_assets.models.engagement.spec import SPEC as ENGAGEMENT
from engagement_assets.models.lifetime_value.adapter import LifetimeValueAdapter
from engagement_assets.models.lifetime_value.spec import SPEC as VALUE
from engagement_assets.models.virality.spec import SPEC as VIRALITY
from engagement_assets_tests.models.value_world import FEATURES, FIRST_DAY, TEST, TRAIN, rows
from resources.registry import ModelRegistry, registered

SEARCH = {"trials": 1, "folds": 2, "families": ("lightgbm",)}
ADAPTERS = {
    "churn": ChurnAdapter,
    "engagement": EngagementAdapter,
    "lifetime_value": LifetimeValueAdapter,
}
SPECS = {"churn": CHURN, "engagement": ENGAGEMENT, "lifetime_value": VALUE}
# of the model's own estimator
FAST = {"random_state": 1, "n_jobs": 1}


def labelled(day):
    table = rows(day, n=1200)
    drawn = np.random.default_rng(day.toordinal()).random(len(table))
    table["churn_30_day"] = (drawn < 1 / (1 + np.exp(table["logins_month"] - 5.0))).astype(int)
    return table


def learn(name, *, features=FEATURES, search=None):
    few = {"n_estimators": 24, "folds": 2} if name == "lifetime_value" else {}
    return ADAPTERS[name]().learn(
        labelled(TRAIN),
        labelled(TEST),
        snapshots=Snapshots((TRAIN,), TEST),
        features=features,
        parameters=FAST | few,
        n_bootstrap=20,
        first_day=FIRST_DAY,
        search=search,
    )


def register(registry, name, trained, folder):
    trained.model.save(folder)
    version = registry.register(name, folder, json.loads(json.dumps(trained.card)))
    return registered(registry, name, version)


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_tuned_candidate_predicts_explains_and_stacks_like_any_other(name, tmp_path):
    adapter = ADAPTERS[name]()
    trained = learn(name, search=SEARCH | {"study": str(tmp_path / "study")})
    assert str(tmp_path) not in json.dumps(trained.card)
    model = register(ModelRegistry(tmp_path / "registry"), name, trained, tmp_path / "files")
    assert not [p for p in model.folder.iterdir() if p.suffix in {".pkl", ".pickle", ".joblib"}]
    assert not any(str(tmp_path).encode() in path.read_bytes() for path in model.folder.iterdir())
    for gate in SPECS[name].gates:
        assert gate.judge(model.card).state in {"passed", "failed", "not judged"}
    assert "### Search" in adapter.evaluation_markdown(model.card)

    snapshot = labelled(TEST)
    predicted = adapter.load(model, parameters={}, threads=1)(snapshot, Context())
    table = predicted.table
    assert len(table) == adapter.scored(snapshot).sum()
    assert table["reason_1_feature"].notna().all()
    assert predicted.explanation.additivity_error < 1e-2
    truth = snapshot[adapter.scored(snapshot)][adapter.target]
    assert np.corrcoef(table[adapter.output], truth)[0, 1] > 0.2
    # one customer alone gets what the whole day gives
    alone = adapter.load(model, parameters={}, threads=1)(snapshot.head(1), Context())
    np.testing.assert_allclose(alone.table[adapter.output], table[adapter.output].head(1))

    stacked = adapter.base_learner(model, labelled(TRAIN), threads=1)
    refitted = stacked.fit(labelled(TRAIN).head(600))(snapshot)
    assert np.isfinite(refitted[adapter.scored(snapshot)]).all()


class Told(EngagementAdapter):
    """Reads its labelled rows from here and not from a lake."""

    def test_rows(self, *_):
        return labelled(TEST)

    def predict(self, _, model, day):
        snapshot = labelled(day).head(200)
        predicted = self.load(model, parameters={}, threads=1)(snapshot, Context())
        # without the pictures of a whole day's report
        error = {"additivity_error": predicted.explanation.additivity_error}
        return Predicted(predicted.table, {}, "", explanation_figures=error)


def inputs(registry, *, shadow_days=0):
    lake = SimpleNamespace(days=lambda _: [TEST])
    return Inputs(
        engine=SimpleNamespace(lake=lake),
        sql=None,
        registry=registry,
        first_day=FIRST_DAY,
        parameters=FAST,
        threads=1,
        seed=0,
        bootstrap=200,
        judging={"least_group": 50, "least_test_customers": 100},
        reader=None,
        shadow_days=shadow_days,
    )


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned")
    registry = ModelRegistry(folder / "registry")
    blind = ("primary_device", "tenure_days")
    made = {
        "blind": learn("engagement", features=blind),
        "own": learn("engagement"),
        "tuned": learn("engagement", search=SEARCH),
    }
    kept = {k: register(registry, "engagement", v, folder / k) for k, v in made.items()}
    return registry, kept


def verdict(versions, champion, monkeypatch, **settings):
    registry, kept = versions
    monkeypatch.setattr(type(ENGAGEMENT), "adapter", lambda _: Told())
    return promote_or_keep(
        ENGAGEMENT,
        inputs(registry, **settings),
        registry,
        candidate=kept["tuned"],
        champion=kept[champion],
        fairness=None,
    )


def test_a_draw_promotes_no_tuned_candidate(versions, monkeypatch):
    kept = verdict(versions, "own", monkeypatch)
    assert not kept.promote
    assert any("is asked of a tuned model" in reason for reason in kept.reasons)


def champion_of(day, kept):
    adapter = Told()
    return {day: adapter.predict(None, kept["blind"], day).table}


def test_a_shadow_predicts_so_many_later_days_before_it_serves(versions, monkeypatch):
    registry, kept = versions
    registry.promote("engagement", kept["blind"].version, "first")
    asked = inputs(registry, shadow_days=2)
    waiting = verdict(versions, "blind", monkeypatch, shadow_days=2)
    assert not waiting.promote
    assert registry.champion("engagement") == kept["blind"].version
    assert registry.shadow("engagement").version == kept["tuned"].version

    def beside(day):
        return shadow_days(ENGAGEMENT, Told(), asked, champion_of(day, kept))

    first, second = (TEST + timedelta(days=days) for days in (1, 2))
    for day in (TEST, first, first):
        assert "of 2 days" in beside(day)
    figures = registry.shadow("engagement").done
    assert list(figures) == [first.isoformat()]
    assert figures[first.isoformat()]["customers"] == 200
    assert figures[first.isoformat()]["mean_difference"] > 0.0
    beside(second)
    assert registry.champion("engagement") == kept["tuned"].version
    assert registry.shadow("engagement") is None
    assert beside(second) is None


def test_a_shadow_that_cannot_predict_a_day_is_refused(versions, monkeypatch):
    registry, kept = versions
    registry.promote("engagement", kept["blind"].version, "again")
    verdict(versions, "blind", monkeypatch, shadow_days=2)

    class Broken(Told):
        def predict(self, *_):
            raise ValueError("columns are missing")

    day = TEST + timedelta(days=5)
    said = shadow_days(ENGAGEMENT, Broken(), inputs(registry), champion_of(day, kept))
    assert "columns are missing" in said
    assert registry.shadow("engagement") is None
    assert registry.champion("engagement") == kept["blind"].version


def test_a_tuned_candidate_that_is_clearly_better_is_promoted(versions, monkeypatch):
    better = verdict(versions, "blind", monkeypatch)
    assert better.promote, better.reasons
    assert versions[0].champion("engagement") == versions[1]["tuned"].version


def test_a_search_needs_a_champion_to_be_measured_against(tmp_path):
    how = {"studies": str(tmp_path), "trials": 2, "minutes": 1.0, "memory_mib": None}
    asked = inputs(ModelRegistry(tmp_path / "registry"))
    snapshots = Snapshots((TRAIN,), TEST)
    with pytest.raises(NotTrainableError, match="must beat a champion"):
        searching(CHURN, asked, snapshots, **how)
    with pytest.raises(ValueError, match="virality has no search"):
        searching(VIRALITY, asked, snapshots, **how)
