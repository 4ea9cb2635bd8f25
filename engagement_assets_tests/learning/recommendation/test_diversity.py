"""The rule of categories is kept at the least cost, and said when it cannot be."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_assets.learning.recommendation.diversity import count_categories, diversify

CATEGORY = np.array([0, 0, 0, 0, 1, 1, 2, 2, -1, -1])


def test_the_last_item_of_a_crowded_category_gives_way_to_the_best_missing_one():
    ranked = np.array([0, 4, 1, 2])
    best, score = np.array([0, 4, 6]), np.array([9.0, 8.0, 1.0], dtype=np.float32)
    actual, put_in = diversify(ranked, best, score, CATEGORY, least=3)
    assert actual.tolist() == [0, 4, 1, 6]
    assert put_in.tolist() == [False, False, False, True]


def test_the_better_of_two_missing_categories_comes_first():
    actual, _ = diversify(
        np.array([0, 1, 2]), np.array([0, 4, 6]), np.array([9.0, 1.0, 2.0], dtype=np.float32),
        CATEGORY, least=2,
    )  # fmt: skip
    assert actual.tolist() == [0, 1, 6]


def test_an_item_of_unknown_category_gives_way_before_a_known_one_is_lost():
    actual, _ = diversify(
        np.array([8, 0, 4]), np.array([0, 4, 6]), np.array([9.0, 8.0, 1.0], dtype=np.float32),
        CATEGORY, least=3,
    )  # fmt: skip
    assert sorted(actual.tolist()) == [0, 4, 6]


def test_a_category_that_nobody_has_cannot_be_put_in():
    actual, put_in = diversify(
        np.array([0, 1]), np.array([0, -1, -1]), np.array([9.0, -1, -1], dtype=np.float32),
        CATEGORY, least=3,
    )  # fmt: skip
    assert actual.tolist() == [0, 1]
    assert not put_in.any()


def test_categories_are_counted_without_padding_and_unknown_ones():
    lists = np.array([[0, 1, 4, -1], [8, 9, -1, -1], [0, 4, 6, 8]])
    assert count_categories(lists, CATEGORY).tolist() == [2, 0, 3]


@settings(max_examples=100, deadline=None)
@given(
    kinds=st.lists(st.integers(-1, 4), min_size=6, max_size=20),
    length=st.integers(1, 6),
    least=st.integers(1, 4),
)
def test_a_list_keeps_its_length_and_has_all_the_categories_it_can(kinds, length, least):
    category = np.array(kinds)
    score = -np.arange(len(kinds), dtype=np.float32)
    best = np.full(5, -1)
    high = np.full(5, -np.inf, dtype=np.float32)
    for item in range(len(kinds) - 1, -1, -1):
        if category[item] >= 0:
            best[category[item]], high[category[item]] = item, score[item]
    actual, _ = diversify(np.arange(length), best, high, category, least=least)
    assert len(set(actual.tolist())) == length
    possible = min(least, length, len(set(category[category >= 0].tolist())))
    assert count_categories(actual[None], category)[0] >= possible
