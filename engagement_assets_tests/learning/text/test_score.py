"""The score's ends say what they say: of texts below -0.5 four in five are negative."""

import numpy as np
import pytest

from engagement_assets.learning.text.score import NEGATIVE, ScoreMap, fit_score_map, score_map


def texts(rows, seed, trust):
    """Differences, and labels that are as sure as `trust` of the difference says."""
    rng = np.random.default_rng(seed)
    difference = rng.uniform(-1, 1, rows)
    sure = rng.random(rows) < trust * np.abs(difference)
    return difference, np.where(sure, np.where(difference < 0, 0, 2), 1)


@pytest.mark.parametrize("trust", [0.9, 1.0])
def test_four_in_five_texts_beyond_an_end_are_what_it_says(trust):
    learnt = fit_score_map(*texts(20_000, 0, trust), seed=0)
    difference, labels = texts(20_000, 1, trust)
    below = learnt(difference) < -0.5
    share = float((labels[below] == NEGATIVE).mean())
    assert 0.79 < share < 0.84
    assert learnt.negative_share == pytest.approx(share, abs=0.02)
    # not only the surest few: beyond this difference the mean trust is .8
    beyond = 1.6 / trust - 1.0
    assert below.mean() > 0.7 * (1.0 - beyond) / 2.0


def test_texts_that_are_never_surely_negative_do_not_pass_the_end():
    difference, labels = texts(5_000, 0, 0.5)
    assert (fit_score_map(difference, labels, seed=0)(difference) < -0.5).mean() < 0.01


def test_the_map_rises_and_has_its_range():
    learnt = fit_score_map(*texts(5_000, 0, 0.9), seed=0)
    scores = learnt(np.linspace(-1, 1, 401))
    assert (np.diff(scores) > 0).all()
    assert scores[[0, 200, 400]] == pytest.approx([-1, 0, 1])
    assert np.isnan(learnt([np.nan])).all()


def test_a_card_has_the_map_of_what_its_sentiment_was_learnt_in():
    learnt = ScoreMap(-0.8, 0.6, 100, 0.8, 0.9)
    card = {"metrics": {"sentiment": {"score": learnt.to_dict()}}}
    assert score_map(card) == learnt
    assert score_map({"metrics": {"emotion": {}}, "start": card}) == learnt
    # a card of before there were maps
    assert score_map({"metrics": {"sentiment": {}}})(0.3) == pytest.approx(0.3)
