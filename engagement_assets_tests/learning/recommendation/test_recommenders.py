"""Every recommender finds tastes, keeps the rules of a list, is the same after a refit or load."""

import logging

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.recommendation import ease, neural, neural_layers
from engagement_assets.learning.recommendation.als import AlsRecommender
from engagement_assets.learning.recommendation.data import RecommendationDataError
from engagement_assets.learning.recommendation.ease import EaseRecommender
from engagement_assets.learning.recommendation.fallback import ESTIMATORS
from engagement_assets.learning.recommendation.hybrid import HybridRecommender
from engagement_assets.learning.recommendation.neural import NeuralRecommender
from engagement_assets.learning.recommendation.popularity import PopularityRecommender
from engagement_assets.learning.recommendation.recommender import NotFittedError, UnknownUserError
from engagement_assets.learning.recommendation.tables import prepare

NEURAL = {"epochs": 12, "batch_size": 512, "learning_rate": 0.01, "n_jobs": 1}
SETTINGS = {
    "popularity": {"half_life_days": 10.0},
    "ease": {"regularisation": 20.0},
    "als": {"factors": 8, "iterations": 8},
    "neural": NEURAL,
    "hybrid": {"holdout_days": 6.0},
}
PERSONAL = ["ease", "als", "neural", "hybrid"]
EVERY = list(ESTIMATORS)


def make(kind, **parameters):
    return ESTIMATORS[kind](**(SETTINGS[kind] | parameters))


@pytest.fixture(scope="module")
def fitted(world):
    return {kind: make(kind).fit(world.interactions, **world.tables) for kind in EVERY}


def share_liked(lists, world):
    return np.mean([c in world.liked[u] for u, c in zip(lists["user"], lists["category"])])  # noqa: B905 - columns of a table


@pytest.mark.parametrize("kind", PERSONAL)
def test_lists_are_of_what_the_customer_likes(fitted, world, kind):
    users = world.users["user"]
    lists = fitted[kind].recommend(users, k=10, min_categories=1)
    popular = fitted["popularity"].recommend(users, k=10, min_categories=1)
    assert share_liked(popular, world) < 0.5
    assert share_liked(lists, world) > 0.6


@pytest.mark.parametrize("kind", EVERY)
def test_no_list_holds_what_was_seen_or_written_or_repeats_an_item(fitted, world, kind):
    lists = fitted[kind].recommend(world.users["user"], k=50)
    pairs = set(zip(lists["user"], lists["item"], strict=True))
    assert len(pairs) == len(lists)
    assert not pairs & set(zip(world.interactions["user"], world.interactions["item"], strict=True))
    assert not pairs & set(zip(world.items["author"], world.items["item"], strict=True))
    assert (lists.groupby("user")["rank"].max() == 50).all()


@pytest.mark.parametrize("kind", EVERY)
def test_every_list_has_three_categories(fitted, world, kind):
    lists = fitted[kind].recommend(world.users["user"], k=4)
    assert lists.groupby("user")["category"].nunique().min() >= 3


@pytest.mark.parametrize("kind", EVERY)
def test_seen_items_come_back_when_asked_for(fitted, world, kind):
    lists = fitted[kind].recommend(world.users["user"], k=50, exclude_seen=False)
    pairs = set(zip(lists["user"], lists["item"], strict=True))
    assert pairs & set(zip(world.interactions["user"], world.interactions["item"], strict=True))


@pytest.mark.parametrize("kind", EVERY)
def test_a_refit_gives_the_same_scores_whatever_the_order_of_the_rows(fitted, world, kind):
    shuffled = world.interactions.sample(frac=1.0, random_state=1)
    again = make(kind).fit(world.interactions, **world.tables)
    users = world.users["user"][:40]
    pd.testing.assert_frame_equal(again.scores(users), fitted[kind].scores(users))
    if kind in {"popularity", "ease"}:
        other = make(kind).fit(shuffled, **world.tables)
        pd.testing.assert_frame_equal(other.scores(users), again.scores(users), rtol=1e-3)


@pytest.mark.parametrize("kind", EVERY)
def test_a_loaded_one_makes_the_same_lists_of_the_same_data(fitted, world, kind, tmp_path):
    fitted[kind].save(tmp_path / kind)
    assert [file.name for file in (tmp_path / kind).iterdir()] == ["recommender.json"]
    loaded = ESTIMATORS[kind].load(tmp_path / kind)
    assert loaded.get_params() == fitted[kind].get_params()
    users = world.users["user"]
    text = (tmp_path / kind / "recommender.json").read_text()
    assert not [user for user in users if user in text]
    with pytest.raises(NotFittedError):
        loaded.recommend(users)
    loaded.refresh(fitted[kind].data_)
    pd.testing.assert_frame_equal(
        loaded.recommend(users, k=7), fitted[kind].recommend(users, k=7), rtol=1e-5
    )
    with pytest.raises(ValueError, match="expected"):
        next(ESTIMATORS[k] for k in EVERY if k != kind).load(tmp_path / kind)


@pytest.mark.parametrize("kind", EVERY)
def test_a_customer_who_is_not_known_is_named(fitted, kind):
    with pytest.raises(UnknownUserError, match="stranger"):
        fitted[kind].recommend(["stranger"])


@pytest.mark.parametrize("kind", EVERY)
def test_no_candidates_is_an_error_and_few_are_logged(fitted, world, kind, caplog):
    users = world.users["user"][:5]
    with pytest.raises(ValueError, match="no candidate items"):
        fitted[kind].recommend(users, candidates=[])
    with caplog.at_level(logging.WARNING):
        lists = fitted[kind].recommend(users, k=50, candidates=["i000", "i006"])
    assert "hold fewer than 50 items" in caplog.text
    assert "hold fewer than 3 categories" in caplog.text
    assert set(lists["item"]) <= {"i000", "i006"}
    with pytest.raises(KeyError, match="not there at fit"):
        fitted[kind].recommend(users, candidates=["no such item"])


@pytest.mark.parametrize("kind", EVERY)
def test_one_interaction_is_enough_to_fit(kind):
    one = pd.DataFrame({"user": ["a"], "item": ["x"], "time": [0.0], "weight": [1.0]})
    items = pd.DataFrame({"item": ["x", "y"]})
    model = make(kind).fit(one, items=items, users=pd.DataFrame({"user": ["a", "b"]}))
    assert np.isfinite(model.scores(["a", "b"], items=["x", "y"]).to_numpy()).all()


@pytest.mark.parametrize("kind", EVERY)
def test_who_has_seen_everything_gets_no_list_and_that_is_logged(kind, caplog):
    rows = pd.DataFrame({"user": list("abc"), "item": "x", "time": 1.0, "weight": 1.0})
    model = make(kind).fit(rows)
    with caplog.at_level(logging.WARNING):
        assert model.recommend(["a"], k=3).empty
    assert "1 of 1 lists hold fewer than 3 items" in caplog.text


# The hybrid learns from choices: an item that is chosen twice on a day is one choice.
# Popularity counts people.
@pytest.mark.parametrize("kind", ["ease", "als", "neural"])
def test_duplicates_count_as_their_sum(world, kind):
    rows = world.interactions
    doubled = pd.concat([rows, rows.assign(weight=rows["weight"] * 2)])
    summed = rows.assign(weight=rows["weight"] * 3)
    users = world.users["user"][:30]
    one, other = (make(kind).fit(r, **world.tables).scores(users) for r in (doubled, summed))
    np.testing.assert_allclose(one.to_numpy(), other.to_numpy(), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("kind", EVERY)
def test_a_model_that_is_not_fitted_says_so(kind):
    with pytest.raises(NotFittedError, match="call fit first"):
        make(kind).recommend(["a"])


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        (PopularityRecommender, {"half_life_days": 0.0}),
        (EaseRecommender, {"regularisation": -1.0}),
        (AlsRecommender, {"factors": 0}),
        (NeuralRecommender, {"epochs": 0}),
        (HybridRecommender, {"components": ["no such"]}),
    ],
)
def test_impossible_parameters_are_refused(kind, parameters):
    with pytest.raises(ValueError, match=r"must be|unknown"):
        kind(**parameters)


def test_popularity_halves_with_each_half_life():
    rows = pd.DataFrame(
        {"user": ["a", "a"], "item": ["old", "new"], "time": [0.0, 10.0], "weight": [1.0, 1.0]}
    )
    actual = PopularityRecommender(half_life_days=5.0).fit(rows, as_of=10.5).scores(["a"])
    assert actual.loc["a", "new"] / actual.loc["a", "old"] == pytest.approx(4.0)


@pytest.mark.parametrize("columns", [50, 1_000])
def test_ease_is_the_closed_form(world, monkeypatch, columns):
    monkeypatch.setattr(ease, "_COLUMNS", columns)
    data = prepare(world.interactions, **world.tables)
    model = EaseRecommender(regularisation=30.0).fit_dataset(data)
    x = (data.matrix().toarray() > 0).astype(float)[:, model.items_]
    inverse = np.linalg.inv(x.T @ x + 30.0 * np.eye(x.shape[1]))
    wanted = -inverse / np.diag(inverse)
    np.fill_diagonal(wanted, 0.0)
    np.testing.assert_allclose(model.weights_, wanted, atol=1e-4)


def test_ease_says_which_items_it_leaves_out(world, caplog):
    with caplog.at_level(logging.WARNING):
        model = EaseRecommender(max_items=50).fit(world.interactions, **world.tables)
    assert "50 most used" in caplog.text
    assert "`max_items` bounds" in caplog.text
    assert len(model.items_) == 50
    used = model.data_.people()
    assert model.learnt_share_ == pytest.approx(used[model.items_].sum() / used.sum())


def test_ease_learns_as_many_items_as_half_of_the_free_memory_holds(world, caplog, monkeypatch):
    whole = EaseRecommender(regularisation=20.0).fit(world.interactions, **world.tables)
    assert len(whole.items_) == 180
    assert whole.learnt_share_ == 1.0
    # the matrix of 40 items and its copy: 8 bytes for each of 1,600 pairs, in half of what is free
    monkeypatch.setattr(ease, "available_bytes", lambda: 2 * 8 * 40 * 40)
    with caplog.at_level(logging.WARNING):
        part = EaseRecommender(regularisation=20.0).fit(world.interactions, **world.tables)
    assert len(part.items_) == 40
    used = world.interactions.drop_duplicates(["user", "item"])["item"].value_counts()
    assert part.learnt_share_ == pytest.approx(used.head(40).sum() / used.sum(), abs=0.01)
    assert "40 most used of 180 items" in caplog.text
    assert "what is free bounds its memory" in caplog.text
    monkeypatch.setattr(ease, "available_bytes", lambda: None)
    assert ease._most_items() == 16_000


def test_ease_can_prefer_items_that_are_used_of_late():
    rows = pd.DataFrame(
        {
            "user": ["a", "b", "c", "a", "b"],
            "item": ["old", "old", "old", "new", "new"],
            "time": [0.0, 0.0, 0.0, 9.0, 9.0],
            "weight": 1.0,
        }
    )
    whole = EaseRecommender(max_items=1).fit(rows)
    late = EaseRecommender(max_items=1, items_half_life_days=1.0).fit(rows)
    assert whole.data_.items[whole.items_].tolist() == ["old"]
    assert late.data_.items[late.items_].tolist() == ["new"]


def test_als_solves_the_least_squares_of_a_user(world):
    data = prepare(world.interactions, **world.tables)
    model = AlsRecommender(
        factors=4, iterations=30, steps=20, alpha=2.0, regularisation=1.0, penalty_exponent=0.0
    ).fit_dataset(data)
    users, items = model.user_factors_.astype(float), model.item_factors_.astype(float)
    weight = 2.0 * np.log1p(data.matrix().toarray())
    left = items.T @ ((1.0 + weight[3])[:, None] * items) + np.eye(4)
    right = items.T @ ((1.0 + weight[3]) * (weight[3] > 0))
    # the items moved once more after the users were solved
    np.testing.assert_allclose(users[3], np.linalg.solve(left, right), rtol=0.05, atol=0.01)


def test_the_neural_model_ranks_new_items_by_their_content(world):
    new = pd.DataFrame(
        {"item": ["n-art", "n-news"], "category": ["art", "news"], "author": None, "published": 0.0}
    )
    vectors = pd.DataFrame(np.eye(6, 8)[[0, 3]], index=new["item"])
    tables = world.tables | {
        "items": pd.concat([world.items, new]),
        "embeddings": pd.concat([world.embeddings, vectors]),
    }
    users = world.users["user"]
    scores = make("neural").fit(world.interactions, **tables).scores(users, items=new["item"])
    gap = (scores["n-art"] - scores["n-news"]).to_numpy()
    art, news = (np.array([c in world.liked[u] for u in users]) for c in ("art", "news"))
    assert (gap[art][:, None] > gap[news][None, :]).mean() > 0.8


def test_the_shortlist_of_the_neural_model_ranks_as_the_whole_does_within_it(world):
    whole = make("neural", shortlist=None).fit(world.interactions, **world.tables)
    short = make("neural", shortlist=60).fit(world.interactions, **world.tables)
    users = world.users["user"][:20]
    one, other = whole.scores(users).to_numpy(), short.scores(users).to_numpy()
    for a, b in zip(one, other, strict=True):
        inside = b > -500
        assert inside.sum() == 60
        np.testing.assert_allclose(a[inside], b[inside], rtol=1e-4, atol=1e-4)


def test_the_hybrid_learns_that_people_turn_to_those_they_are_linked_with():
    rng = np.random.default_rng(0)
    people = [f"p{n}" for n in range(60)]
    items = pd.DataFrame(
        {
            "item": [f"{p}-{n}" for p in people for n in range(4)],
            "author": np.repeat(people, 4),
            "published": np.tile(range(4), 60),
        }
    )
    friend = dict(zip(people, np.roll(people, 1), strict=True))
    rows = [
        (p, f"{friend[p] if rng.random() < 0.7 else rng.choice(people)}-{n}", n + 1.5, 1.0)
        for p in people
        for n in range(3)
    ]
    links = pd.DataFrame({"user": list(friend), "author": list(friend.values())})
    model = HybridRecommender(holdout_days=1.0).fit(
        pd.DataFrame(rows, columns=["user", "item", "time", "weight"]),
        items=items, links=links, as_of=4.0,
    )  # fmt: skip
    assert max(model.weights_, key=model.weights_.get) == "linked with the author"
    # what items go together says next to nothing here, and is not fitted for it
    assert model.held_out_["ease"] < 0.25 * model.held_out_["terms"]
    assert model.terms_[-1] not in {"ease", "als"}
    first = model.recommend(people, k=1, min_categories=1)
    assert np.mean([i.startswith(f"{friend[u]}-") for u, i in
                    zip(first["user"], first["item"], strict=True)]) > 0.9  # fmt: skip


def test_a_refreshed_hybrid_keeps_its_weights_and_sees_new_items(world):
    model = make("hybrid").fit(world.interactions, **world.tables)
    before = dict(model.weights_)
    new = pd.DataFrame(
        {"item": ["fresh"], "category": ["art"], "author": ["u001"], "published": [30.5]}
    )
    tables = world.tables | {"items": pd.concat([world.items, new]), "as_of": 31.0}
    model.refresh(prepare(world.interactions, **tables))
    assert model.weights_ == before
    assert "fresh" in model.scores(["u002"]).columns


def test_the_hybrid_without_choices_to_learn_from_says_that_it_uses_popularity(caplog):
    rows = pd.DataFrame(
        {"user": ["a", "b", "c"], "item": ["x", "x", "y"], "time": [3.0, 3.0, 3.0], "weight": 1.0}
    )
    with caplog.at_level(logging.WARNING):
        model = HybridRecommender().fit(rows)
    assert "popularity alone is used" in caplog.text
    assert list(model.recommend(["c"], exclude_seen=False)["item"]) == ["x", "y"]


@pytest.mark.parametrize("kind", PERSONAL)
def test_a_table_without_times_is_learnt_from_as_well(world, kind):
    rows = world.interactions[["user", "item"]]
    model = ESTIMATORS[kind]().fit(rows, items=world.items[["item", "category"]])
    lists = model.recommend(world.users["user"], k=10, min_categories=1)
    assert share_liked(lists, world) > 0.6


def test_the_hybrid_is_no_worse_than_its_parts_on_what_it_set_aside(world):
    for rows in (world.interactions, world.interactions.assign(time=3.0)):
        model = HybridRecommender().fit(rows, items=world.items[["item", "category"]])
        parts = {name: ndcg for name, ndcg in model.held_out_.items() if name != "hybrid"}
        assert set(parts) == {"terms", "ease", "als"}
        assert model.held_out_["hybrid"] >= max(parts.values())


def test_a_hybrid_that_no_sum_makes_better_is_its_best_part_and_says_so(caplog):
    """Who likes what is known to EASE entirely: each item goes with one other."""
    rng = np.random.default_rng(0)
    pairs = np.stack([np.arange(0, 60, 2), np.arange(1, 60, 2)], axis=1)
    rows = [
        (user, item)
        for user in range(150)
        for pair in rng.choice(len(pairs), 6, replace=False)
        for item in pairs[pair]
    ]
    with caplog.at_level(logging.WARNING):
        model = HybridRecommender().fit(pd.DataFrame(rows, columns=["user", "item"]))
    best = max(("ease", "als"), key=model.held_out_.get)
    assert f"above {best} alone" in caplog.text
    assert {name for name, weight in model.weights_.items() if weight} == {best}


def test_what_was_chosen_is_kept_by_a_refresh_and_a_load(world, tmp_path):
    model = EaseRecommender().fit(world.interactions, **world.tables)
    chosen = model.chosen_params()["regularisation"]
    assert chosen in EaseRecommender.grid["regularisation"]
    model.save(tmp_path)
    few = prepare(world.interactions.head(5), **world.tables)
    loaded = EaseRecommender.load(tmp_path).refresh(few)
    assert loaded.chosen_params() == model.chosen_params()
    assert model.refresh(few).chosen_params()["regularisation"] == chosen


@pytest.mark.parametrize(
    ("column", "value", "match"),
    [
        ("user", None, "null user"),
        ("item", None, "null item"),
        ("time", None, "null time"),
        ("weight", -1.0, "negative"),
        ("weight", np.inf, "not finite"),
        ("weight", np.nan, "null"),
        ("weight", 0.0, "weight 0"),
    ],
)
def test_a_bad_interaction_is_named(column, value, match):
    row = {"user": "a", "item": "x", "time": 1.0, "weight": 1.0} | {column: value}
    with pytest.raises(RecommendationDataError, match=match):
        PopularityRecommender().fit(pd.DataFrame([row]))


def test_where_no_epoch_helps_the_neural_model_is_the_line_of_als_that_it_starts_from(world):
    data = prepare(world.interactions.assign(weight=1.0))
    rash = NeuralRecommender(width=8, epochs=3, learning_rate=100.0, n_jobs=1).fit_dataset(data)
    assert rash.epochs_ == 0
    assert rash.losses_[0] == min(rash.losses_)
    # the same pairs were set aside: the scores are a line of what ALS says without them
    every = np.arange(data.shape[1])
    scores = rash.score_block(np.arange(30), every)
    left = scores - scores.mean(axis=0)
    assert np.linalg.svd(left, compute_uv=False)[8:].max() < 1e-3 * np.abs(left).max()


def test_the_neural_model_starts_ahead_and_ends_no_worse(world):
    started, fresh = (
        NeuralRecommender(n_jobs=1, epochs=3, pretrained=pretrained).fit(
            world.interactions, **world.tables
        )
        for pretrained in (True, False)
    )
    assert started.losses_[0] < min(fresh.losses_)
    for model in (started, fresh):
        assert model.losses_[model.epochs_] == min(model.losses_)


@pytest.mark.parametrize("rows", [0, 10**6])
def test_large_and_small_tables_of_embeddings_learn_alike(world, monkeypatch, rows):
    monkeypatch.setattr(neural_layers, "_DENSE_ROWS", rows)
    model = make("neural", pretrained=False).fit(world.interactions, **world.tables)
    lists = model.recommend(world.users["user"], k=10, min_categories=1)
    assert share_liked(lists, world) > 0.6


def test_negatives_are_hardly_ever_what_the_user_turned_to():
    rows = pd.DataFrame({"user": np.repeat(range(40), 5), "item": np.tile(range(10), 20)})
    data = prepare(rows)
    pairs, pair_of = neural._pairs(data, use_weights=False)
    assert (pairs.user[pair_of] == data.user).all()
    drawn = neural._sampler(data, pairs)(pairs, 4, np.random.default_rng(0))
    assert drawn.shape == (len(pairs), 4)
    # half of the items are the user's own: one draw in 64 is still one after the redraws
    taken = (data.matrix()[np.repeat(pairs.user, 4), drawn.ravel()] > 0).mean()
    assert taken < 0.04


def test_an_epoch_of_many_pairs_is_a_few_hundred_steps():
    small, large = (NeuralRecommender().step_size(pairs) for pairs in (10_000, 1_000_000))
    assert small == (1_024, 0.001)
    assert 1_000_000 * 5 / large[0] < 310
    assert large[1] == pytest.approx(0.004, rel=0.01)
    assert NeuralRecommender(batch_size=64, learning_rate=0.1).step_size(10**6) == (64, 0.1)
