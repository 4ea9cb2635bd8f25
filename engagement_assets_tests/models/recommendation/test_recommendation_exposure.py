"""Authors whom the lists hide are shown as much as they are due, when served and later."""

import json
from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.fairness.exposure import ExposureShares
from engagement_assets.learning.recommendation.tables import prepare
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.models.recommendation import adapter
from engagement_assets.models.recommendation.adapter import (
    RecommendationAdapter,
    exposed,
    lists_of,
)
from engagement_assets.models.recommendation.training import (
    TrainingSettings,
    train_recommendation,
)
from engagement_assets.models.recommendation.windows import WHOLE

SETTINGS = TrainingSettings(
    candidates=("popularity", "ease"),
    parameters={"popularity": {"half_life_days": 10.0}, "ease": {"regularisation": 20.0}},
    cold_start={"half_life_days": 10.0},
    test_days=4.0,
    validation_days=4.0,
    served=50,
    n_bootstrap=20,
)
FAIRNESS = {"min_group_size": 20, "n_bootstrap": 20, "seed": 0}
DAY = date(2026, 3, 1)


@pytest.fixture(scope="module")
def data(world):
    return prepare(world.interactions, **world.tables)


@pytest.fixture(scope="module")
def trained(data):
    return train_recommendation(data, SETTINGS)


def authors(data):
    """Two kinds of authors at random: attention does not depend on it."""
    draws = np.random.default_rng(3).random(data.n_authors)
    gender = np.where(draws < 0.5, "female", "male")
    return pd.DataFrame({"gender": gender, "age_band": "25-34"})


def female(data):
    return np.r_[(authors(data)["gender"] == "female").to_numpy()[data.author], False]


def hiding(lists, data):
    """The same lists with the items of women last."""
    last = np.argsort(female(data)[lists], axis=1, kind="stable")
    return np.take_along_axis(lists, last, axis=1)


def test_lists_as_they_are_served_are_there_where_asked_for(trained, data):
    assert trained.served.shape == (len(trained.test.users), 50)
    plain = train_recommendation(data, replace(SETTINGS, served=0))
    assert plain.served.shape[1] == 0
    assert plain.card == trained.card


def test_hidden_authors_are_shown_to_readers_the_shares_were_not_fitted_on(trained, data):
    readers = pd.DataFrame({"gender": ["female"] * len(trained.test.users)})
    lists = hiding(trained.served, trained.test.data)
    applied = exposed(lists, trained.test, readers, authors(data), **FAIRNESS)
    assert applied.before.people + 1 < len(trained.test.users)
    assert [r.group for r in applied.before.rows if r.fails and r.side == "authors"] == ["female"]
    ratio = "authors_gender_exposure"
    assert applied.after.ratios[ratio] > 2.0 * applied.before.ratios[ratio]
    assert applied.after.passes
    price = applied.price["ndcg"]
    assert price["change"]["low"] < price["change"]["value"] < price["change"]["high"]
    assert json.loads(json.dumps(applied.summary()))["method"] == "exposure"
    assert ExposureShares.from_dict(applied.fitted).shares["gender"]["female"] > 0.2


def test_lists_that_hide_nobody_stay(trained, data):
    readers = pd.DataFrame({"gender": ["female"] * len(trained.test.users)})
    applied = exposed(trained.served, trained.test, readers, authors(data), **FAIRNESS)
    assert applied.fitted == {"shares": {}}
    assert applied.price["ndcg"]["change"]["value"] == 0.0


def test_shares_are_applied_to_what_is_served(trained, data):
    people = pd.Series(list(data.users))
    before, _ = lists_of(trained.model, people)
    shares = ExposureShares({"gender": {"female": 0.6}})
    after, _ = lists_of(trained.model, people, shares=shares, authors=authors(data))
    place = pd.Index(data.items)

    def share(table):
        first = [place.get_indexer(json.loads(items)[:10]) for items in table["items"]]
        return female(data)[np.concatenate(first)].mean()

    assert share(after) > 0.58 > share(before)
    for one, other in zip(before["items"], after["items"], strict=True):
        assert sorted(json.loads(one)) == sorted(json.loads(other))
    again, _ = lists_of(trained.model, people, shares=shares, authors=authors(data))
    assert again.equals(after)
    rest = [name for name in before.columns if name != "items"]
    assert after[rest].equals(before[rest])


@pytest.fixture
def later(monkeypatch, data):
    """The adapter, whose lake holds the small world on any day."""
    monkeypatch.setattr(adapter, "dataset_as_of", lambda *_: data)
    monkeypatch.setattr(adapter, "_settings", lambda *_: SETTINGS)
    monkeypatch.setattr(adapter, "_authors", lambda *_: authors(data))
    monkeypatch.setattr(
        adapter, "_people", lambda _, __, users, ___: pd.DataFrame({"gender": ["x"] * len(users)})
    )
    inputs = SimpleNamespace(fairness_settings=lambda **_: FAIRNESS)
    card = {"windows": vars(WHOLE), "test_days": 4.0}

    def judge(table):
        model = SimpleNamespace(card=card)
        return RecommendationAdapter().later_fairness(inputs, model, table, DAY)

    return judge


def table_of(lists, users, data):
    ids = np.asarray(data.items, dtype=object)
    items = [json.dumps([str(ids[item]) for item in row if item >= 0]) for row in lists]
    return pd.DataFrame({"customer_id": np.asarray(data.users)[users], "items": items})


def test_what_readers_turned_to_later_tells_whom_the_lists_hid(later, trained, data):
    users = trained.test.users
    hidden = later(table_of(hiding(trained.served, data), users, data))
    assert {row.side for row in hidden.rows} == {"authors"}
    assert hidden.verdict == "fails"
    # a reader without a list that day is not judged
    few = later(table_of(trained.served[5:], users[5:], data))
    assert few.passes


def test_a_day_after_which_nobody_turned_to_anything_is_not_judged(later, monkeypatch, data):
    early = replace(data, as_of=data.as_of + 60.0)
    monkeypatch.setattr(adapter, "dataset_as_of", lambda *_: early)
    with pytest.raises(NotTrainableError, match="nobody turned"):
        later(pd.DataFrame({"customer_id": [], "items": []}))
