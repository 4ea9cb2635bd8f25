"""Everybody gets a sensible list: the model, content, the segment's popularity, popularity."""

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.recommendation.ease import EaseRecommender
from engagement_assets.learning.recommendation.fallback import FallbackRecommender
from engagement_assets.learning.recommendation.hybrid import HybridRecommender
from engagement_assets.learning.recommendation.recommender import NotFittedError
from engagement_assets.learning.recommendation.tables import prepare

SETTINGS = {"min_segment": 10, "half_life_days": 20.0}


def with_newcomers(world):
    """One who liked one item of art, one of segment s1 without a past, one without a segment."""
    one = world.items.query("category == 'art'")["item"].iloc[0]
    row = {"user": "content", "item": one, "time": 29.0, "weight": 1.0}
    tables = dict(world.tables)
    extra = pd.DataFrame(
        {"user": ["content", "segment", "nobody"], "segment": [None, "s1", "tiny segment"]}
    )
    new = pd.DataFrame(
        {
            "item": ["n-art", "n-pets", "n-bare"],
            "category": ["art", "pets", None],
            "published": 29.5,
        }
    )
    vectors = pd.DataFrame(np.eye(6, 8)[[0, 4]], index=["n-art", "n-pets"])
    tables |= {
        "users": pd.concat([world.users, extra]),
        "items": pd.concat([world.items, new]),
        "embeddings": pd.concat([world.embeddings, vectors]),
    }
    return pd.concat([world.interactions, pd.DataFrame([row])]), tables


@pytest.fixture(scope="module")
def chain(world):
    rows, tables = with_newcomers(world)
    return FallbackRecommender(EaseRecommender(regularisation=20.0), **SETTINGS).fit(rows, **tables)


def test_each_customer_is_served_by_the_first_of_the_chain_that_can(chain):
    lists = chain.recommend(["u000", "content", "segment", "nobody", "stranger"], min_categories=1)
    actual = lists.groupby("user")["source"].unique().map(list).to_dict()
    assert actual == {
        "u000": ["model"],
        "content": ["content"],
        "segment": ["segment popularity"],
        "nobody": ["popularity"],
        "stranger": ["popularity"],
    }
    assert (lists.groupby("user").size() == 50).all()
    assert lists["score"].notna().all()


def test_one_liked_text_brings_more_like_it(chain):
    lists = chain.recommend(["content"], k=10, min_categories=1)
    assert (lists["category"] == "art").mean() >= 0.7


def test_a_segments_newcomer_gets_what_the_segment_likes(chain, world):
    liked = world.liked["u001"]  # of segment s1, as all who like the same
    lists = chain.recommend(["segment"], k=10, min_categories=1)
    assert lists["category"].isin(liked).mean() >= 0.8


def test_somebody_unknown_gets_what_is_popular(chain, world):
    rows, tables = with_newcomers(world)
    data = prepare(rows, **tables)
    weight = data.weight * np.exp2((data.day - data.as_of) / 20.0)
    popular = data.items[np.argsort(-np.bincount(data.item, weights=weight), kind="stable")[:10]]
    lists = chain.recommend(["stranger"], k=10, min_categories=1)
    assert lists["item"].tolist() == popular.tolist()


def test_one_person_who_repeats_does_not_move_what_newcomers_see(chain, world):
    rows, tables = with_newcomers(world)
    least = rows["item"].value_counts().index[-1]
    repeats = pd.DataFrame(
        {"user": "u001", "item": least, "time": np.full(600, 29.9), "weight": 1.0}
    )
    model = FallbackRecommender(EaseRecommender(regularisation=20.0), **SETTINGS)
    model.fit(pd.concat([rows, repeats]), **tables)
    for newcomer in ("segment", "nobody", "content"):
        before, after = (
            chosen.recommend([newcomer], k=20, min_categories=1)["item"]
            for chosen in (chain, model)
        )
        assert least not in set(after) - set(before)
        assert len(set(after) & set(before)) >= 19


def test_every_list_of_the_chain_has_three_categories(chain):
    lists = chain.recommend(["u000", "content", "segment", "nobody", "stranger"], k=5)
    assert lists.groupby("user")["category"].nunique().min() >= 3
    assert set(lists["source"]) <= {*("model", "content"), "segment popularity", "popularity",
                                    "category rule"}  # fmt: skip


def test_a_new_item_is_scored_like_its_nearest_by_text(chain, world):
    art, pets = (
        [u for u in world.users["user"] if category in world.liked[u]]
        for category in ("art", "pets")
    )
    scores = chain.scores([*art, *pets], items=["n-art", "n-pets", *world.items["item"]])
    gap = scores["n-art"] - scores["n-pets"]
    assert (gap[art] > 0).mean() > 0.9
    assert (gap[pets] < 0).mean() > 0.9


def test_a_new_item_without_text_or_category_takes_the_mean_of_all(chain, world):
    scores = chain.scores(["u000"], items=["n-bare", *world.items["item"]])
    known = scores[world.interactions["item"].unique()].to_numpy().mean()
    assert scores.loc["u000", "n-bare"] == pytest.approx(known, rel=1e-3)


def test_a_new_item_reaches_the_lists_of_those_who_like_its_kind(chain, world):
    lists = chain.recommend(world.users["user"], k=50)
    for item, category in (("n-art", "art"), ("n-pets", "pets")):
        shown = set(lists["user"][lists["item"] == item])
        liking = {u for u in world.users["user"] if category in world.liked[u]}
        assert len(shown & liking) > 0.5 * len(liking)
        assert len(shown - liking) < 0.2 * len(shown)


def test_a_refreshed_chain_knows_a_customer_who_came_later(world):
    rows, tables = with_newcomers(world)
    model = FallbackRecommender(EaseRecommender(regularisation=20.0), **SETTINGS).fit(
        rows, **tables
    )
    assert model.recommend(["late"], k=1)["source"].tolist() == ["popularity"]
    late = rows[rows["user"] == "u000"].assign(user="late")
    model.refresh(prepare(pd.concat([rows, late]), **tables))
    assert model.recommend(["late"], k=1)["source"].tolist() == ["model"]


def test_a_model_saved_without_interactions_recommends_again_once_it_is_refreshed(world, tmp_path):
    rows, tables = with_newcomers(world)
    data = prepare(rows, **tables)
    model = FallbackRecommender(HybridRecommender(holdout_days=6.0), **SETTINGS).fit_dataset(data)
    model.save(tmp_path / "bare")
    assert [file.name for file in (tmp_path / "bare").iterdir()] == ["recommender.json"]
    loaded = FallbackRecommender.load(tmp_path / "bare")
    with pytest.raises(NotFittedError):
        loaded.recommend(["u000"])
    loaded.refresh(data)
    users = ["u000", "content", "segment", "nobody", "stranger"]
    pd.testing.assert_frame_equal(loaded.recommend(users), model.recommend(users), rtol=1e-5)


def test_a_newcomer_with_friends_is_served_by_the_hybrid(world):
    rows, tables = with_newcomers(world)
    tables["links"] = pd.concat(
        [world.links, pd.DataFrame({"user": ["nobody"], "author": [world.items["author"].iloc[0]]})]
    )
    model = FallbackRecommender(HybridRecommender(holdout_days=6.0), **SETTINGS).fit(rows, **tables)
    actual = model.recommend(["nobody", "segment"], k=1).set_index("user")["source"]
    assert actual.to_dict() == {"nobody": "model", "segment": "segment popularity"}


def test_a_null_customer_and_a_chain_in_a_chain_are_refused(chain):
    with pytest.raises(ValueError, match="null"):
        chain.recommend(["u000", None])
    with pytest.raises(TypeError, match="already wrapped"):
        FallbackRecommender(chain)
