"""A customer is always on the same side of the split."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_assets.learning.evaluation.splits import hash_split

IDS = [f"c{i:06d}" for i in range(20_000)]


def test_about_the_asked_share_is_tested():
    for share in (0.05, 0.2, 0.5):
        assert hash_split(IDS, test_share=share).mean() == pytest.approx(share, abs=0.012)


def test_the_side_does_not_depend_on_order_or_company():
    whole = pd.Series(hash_split(IDS), index=IDS)
    some = IDS[::-7]
    assert (hash_split(some) == whole[some].to_numpy()).all()


def test_a_number_and_its_text_are_the_same_customer():
    assert (hash_split(np.arange(500)) == hash_split([str(i) for i in range(500)])).all()


def test_the_split_is_what_it_was_when_it_was_first_released():
    # A change here would move people from training to test under a model already trained.
    assert np.flatnonzero(hash_split(IDS[:40])).tolist() == [1, 5, 9, 20, 22, 25, 26, 28, 32]


def test_another_process_gives_the_same_split():
    code = (
        "from engagement_assets.learning.evaluation.splits import hash_split as s;"
        "print(''.join('01'[int(b)] for b in s([f'c{i:06d}' for i in range(300)])))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == "".join("01"[int(b)] for b in hash_split(IDS[:300]))


def test_another_salt_gives_an_independent_split():
    one, two = hash_split(IDS), hash_split(IDS, salt="other")
    assert (one & two).mean() == pytest.approx(0.04, abs=0.008)


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.one_of(st.text(), st.integers()), unique_by=str, min_size=1), st.randoms())
def test_any_ids_in_any_order_split_alike(ids, random):
    sides = dict(zip(map(str, ids), hash_split(pd.Series(ids, dtype=object)), strict=True))
    random.shuffle(ids)
    again = hash_split(pd.Series(ids, dtype=object))
    assert [sides[str(i)] for i in ids] == again.tolist()


@settings(deadline=None)  # a busy machine is no failure
@given(st.floats(0.01, 0.98))
def test_a_larger_share_keeps_those_already_tested(share):
    smaller = hash_split(IDS[:300], test_share=share)
    larger = hash_split(IDS[:300], test_share=share + 0.01)
    assert not (smaller & ~larger).any()


def test_a_null_id_and_an_impossible_share_are_refused():
    with pytest.raises(ValueError, match="1 ids are null"):
        hash_split(["a", None])
    for share in (0.0, 1.0):
        with pytest.raises(ValueError, match="strictly between"):
            hash_split(["a"], test_share=share)
