"""The winner is chosen before the test window, measured in it, and the same after a refit."""

import json
import logging
from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.fairness.measures import ranking_fairness
from engagement_assets.learning.recommendation.data import RecommendationDataError
from engagement_assets.learning.recommendation.tables import prepare
from engagement_assets.models.recommendation import training
from engagement_assets.models.recommendation.reports import evaluation_markdown
from engagement_assets.models.recommendation.training import (
    TrainingSettings,
    methods_markdown,
    train_recommendation,
    window,
)

SETTINGS = TrainingSettings(
    candidates=("popularity", "ease", "als", "hybrid"),
    parameters={
        "popularity": {"half_life_days": 10.0},
        "ease": {"regularisation": 20.0},
        "als": {"factors": 8},
        "hybrid": {"holdout_days": 4.0},
    },
    cold_start={"half_life_days": 10.0},
    test_days=4.0,
    validation_days=4.0,
    sampled_protocol=True,
    n_bootstrap=50,
)


@pytest.fixture(scope="module")
def data(world):
    return prepare(world.interactions, **world.tables)


@pytest.fixture(scope="module")
def trained(data):
    return train_recommendation(data, SETTINGS)


def test_the_winner_beats_popularity_where_tastes_rule(trained):
    assert trained.card["estimator"] != "popularity"
    assert trained.card["winner_minus"]["popularity"]["low"] > 0
    table = methods_markdown(trained.card)
    assert all(name in table for name in SETTINGS.candidates)


def test_the_winner_is_the_best_of_the_validation_window(trained):
    scores = trained.card["validation_ndcg"]
    assert trained.card["estimator"] == max(scores, key=scores.get)


def test_the_test_window_is_not_in_what_the_measured_models_learnt(trained, data):
    start = data.as_of - SETTINGS.test_days
    assert trained.test.data.day.max() < start
    relevant = trained.test.relevant.tocoo()
    pairs = set(zip(trained.test.users[relevant.row], relevant.col, strict=True))
    later = data.day >= start
    assert pairs <= set(zip(data.user[later], data.item[later], strict=True))
    assert not pairs & set(zip(data.user[~later], data.item[~later], strict=True))


def test_what_happens_in_the_test_window_changes_no_choice(world, data, trained):
    """The later rows are dealt to other customers: nothing before the window may move."""
    rows = world.interactions.copy()
    late = rows["time"] >= data.as_of - SETTINGS.test_days
    rng = np.random.default_rng(3)
    rows.loc[late, "user"] = rng.permutation(rows.loc[late, "user"].to_numpy())
    other = train_recommendation(prepare(rows, **world.tables), SETTINGS)
    assert other.card["validation_ndcg"] == trained.card["validation_ndcg"]


def test_a_refit_gives_the_same_card(trained, data):
    again = train_recommendation(data, SETTINGS)
    assert json.dumps(again.card) == json.dumps(trained.card)


def test_the_lists_that_are_judged_have_three_categories(trained):
    assert trained.card["lists"]["least_categories"] >= 3


def test_the_model_that_is_kept_knows_the_last_interaction(trained, data):
    assert trained.model.base.data_.day.max() == data.day.max()


def test_items_published_within_the_window_cannot_be_relevant(world):
    items = world.items.assign(published=np.where(np.arange(len(world.items)) < 90, -1.0, 27.0))
    tables = world.tables | {"items": items}
    actual = window(
        prepare(world.interactions, **tables), start=26.0, settings=SETTINGS, name="test"
    )
    assert actual.relevant.indices.max() < 90
    assert 0 < actual.reachable < 1


def test_gender_that_means_nothing_gets_equal_lists(trained):
    n = len(trained.test.users)
    gender = np.where(np.random.default_rng(0).random(n) < 0.5, "female", "male")
    report = ranking_fairness(
        trained.judged.lists,
        trained.test.relevant,
        pd.DataFrame({"gender": gender}),
        attributes=["gender", "age_band"],
        category=trained.test.data.category,
        popularity=np.bincount(trained.test.data.item, minlength=trained.test.data.shape[1]),
        min_group_size=30,
        n_bootstrap=50,
    )
    assert report.verdicts == {
        "customers by gender": "holds",
        "customers by age_band": "not judged",
    }


def test_windows_without_anything_are_named(world):
    early = prepare(world.interactions, **(world.tables | {"as_of": 60.0}))
    with pytest.raises(RecommendationDataError, match="nobody turned"):
        train_recommendation(early, SETTINGS)
    with pytest.raises(RecommendationDataError, match="no interactions lie before"):
        train_recommendation(
            prepare(world.interactions, **world.tables),
            TrainingSettings(test_days=20.0, validation_days=20.0),
        )
    with pytest.raises(ValueError, match="no recommender"):
        TrainingSettings().make("oracle")


def test_a_method_that_does_not_win_is_fitted_once(data):
    fits = Counter()

    class Counting(TrainingSettings):
        def make(self, name):
            made = super().make(name)
            fit = made.fit_dataset

            def counted(known):
                fits[name] += 1
                return fit(known)

            made.fit_dataset = counted
            return made

    settings = Counting(**{field.name: getattr(SETTINGS, field.name) for field in fields(SETTINGS)})
    winner = train_recommendation(data, settings).card["estimator"]
    # the winner: to be chosen, to be measured, to serve; the baseline beside it in the test window
    assert winner != "popularity"
    assert fits == {"popularity": 2, "ease": 1, "als": 1, "hybrid": 1, winner: 3}


def test_a_limit_is_warned_of_once_and_each_method_is_announced(data, caplog):
    settings = replace(
        SETTINGS,
        candidates=("popularity", "ease"),
        serve="ease",
        parameters={"ease": {"regularisation": 20.0, "max_items": 50}},
    )
    with caplog.at_level(logging.INFO):
        card = train_recommendation(data, settings).card
        messages = [record.message for record in caplog.records]
        assert sum("EASE learns the 50 most used" in message for message in messages) == 1
        assert "Method 2 of 2, ease" in caplog.text
        assert 0.2 < card["learnt_share"] < 0.8
        caplog.clear()
        train_recommendation(data, settings)
        assert "EASE learns the 50 most used" in caplog.text


def test_a_blend_is_held_against_its_parts_in_the_evaluation(data):
    card = train_recommendation(data, replace(SETTINGS, serve="hybrid")).card
    assert set(card["held_out_ndcg"]) == {"terms", "ease", "als", "hybrid"}
    windows = {"history_days": 28, "item_days": None, "test_days": 4}
    text = evaluation_markdown(card | {"windows": windows})
    assert f"hybrid {card['held_out_ndcg']['hybrid']:.4f}" in text
    assert "at any age" in text


@pytest.mark.parametrize(("least", "serve", "tried"), [(0, None, 1), (1.01, None, 0), (1.01, 1, 1)])
def test_what_refines_a_method_far_behind_is_tried_only_when_asked_for(data, least, serve, tried):
    settings = replace(
        SETTINGS,
        least_share=least,
        candidates=("popularity", "als", "neural"),
        serve="neural" if serve else None,
        parameters=dict(SETTINGS.parameters) | {"neural": {"epochs": 1, "width": 8}},
    )
    card = train_recommendation(data, settings).card
    assert ("neural" in card["methods"]) == bool(tried)
    assert ("Not tried: neural" in methods_markdown(card)) == (not tried)
    assert card["winner_minus"].keys() | {card["estimator"]} == card["methods"].keys()


def test_methods_that_all_rank_nothing_right_are_compared(data, monkeypatch):
    judged = training.judge

    def judge_nothing(*given):
        lists = judged(*given)
        values = {name: 0.0 * scores for name, scores in lists.metrics.values.items()}
        return replace(lists, metrics=replace(lists.metrics, values=values))

    monkeypatch.setattr(training, "judge", judge_nothing)
    card = train_recommendation(data, replace(SETTINGS, candidates=("popularity", "als"))).card
    assert card["validation_ndcg"] == {"popularity": 0.0, "als": 0.0}
