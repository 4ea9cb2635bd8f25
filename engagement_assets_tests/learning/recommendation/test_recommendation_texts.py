"""Texts become vectors by the words that they share."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_assets.learning.recommendation.texts import text_vectors

KINDS = {
    "cooking": ["soup", "onion", "pan", "garlic", "bread", "oven", "butter", "salt", "recipe"],
    "sport": ["goal", "match", "referee", "league", "striker", "penalty", "coach", "stadium"],
    "物": ["猫が好き", "黒い猫", "白い猫", "猫の家"],
}


def worded(kind, rng):
    return " ".join(rng.choice(KINDS[kind], 4, replace=False))


@pytest.mark.parametrize("width", [2, 8, 128])
def test_texts_of_one_kind_are_nearer_than_texts_of_two(width):
    rng = np.random.default_rng(0)
    kinds = [kind for kind in KINDS for _ in range(30)]
    vectors = text_vectors([worded(kind, rng) for kind in kinds], width=width)
    likeness = vectors @ vectors.T
    same = np.equal.outer(kinds, kinds)
    np.fill_diagonal(likeness, np.nan)
    assert np.nanmean(likeness[same]) > np.nanmean(likeness[~same]) + 0.2


def test_a_text_that_shares_no_word_has_no_vector():
    vectors = text_vectors(["the red fox", "a red fox", "zanzibar", "", "!?"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 0, 0, 0], atol=1e-6)


@pytest.mark.parametrize("texts", [[], ["alone"], ["one", "two"], ["", ""]])
def test_without_a_shared_word_no_text_has_a_vector(texts):
    vectors = text_vectors(texts)
    assert len(vectors) == len(texts)
    assert not vectors.any()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=30), st.integers(1, 5))
def test_any_texts_have_the_same_finite_vectors_each_time(texts, width):
    vectors = text_vectors(texts, width=width)
    assert vectors.shape[0] == len(texts)
    assert vectors.shape[1] <= max(width, 1)
    assert np.isfinite(vectors).all()
    np.testing.assert_array_equal(vectors, text_vectors(texts, width=width))
