"""Texts are cleaned the same way in training and in scoring."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_assets.learning.text.normalise import MAX_CHARACTERS, normalise


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("see https://a.b/c?d now", "see http now"),
        ("@someone hi", "@user hi"),
        ("Tom &amp;amp; Ann", "Tom & Ann"),
        ("so   goooooood\n", "so goood"),
        ("#happy", "# happy"),
        ("love 😂", "love face with tears of joy"),
        ("👍🏽", "thumbs up"),
        ("   ", ""),
        ("ok\0then", "ok then"),
        ("it’s", "it's"),
    ],
)
def test_a_text_is_cleaned(text: str, clean: str) -> None:
    assert normalise(text) == clean


@given(st.text(max_size=200))
def test_any_text_is_cleaned_without_an_error(text: str) -> None:
    clean = normalise(text)
    assert clean == clean.strip()
    assert "  " not in clean


@given(st.text(alphabet=st.sampled_from("abc @#😂👍 \n.!'"), max_size=60))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


def test_what_is_far_too_long_is_cut() -> None:
    assert len(normalise("ab " * 100_000)) <= MAX_CHARACTERS
