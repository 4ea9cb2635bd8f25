"""Tables become numbers without a leak from the future and with every fault named."""

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.recommendation.data import RecommendationDataError
from engagement_assets.learning.recommendation.tables import prepare

ROWS = pd.DataFrame(
    {"user": ["b", "a", "a"], "item": ["x", "x", "y"], "time": [1.0, 2.0, 3.0], "weight": 1.0}
)


def test_what_is_known_before_a_moment_has_no_later_row_link_or_candidate():
    items = pd.DataFrame({"item": ["x", "y", "z"], "author": "w", "published": [0.0, 2.5, 4.0]})
    links = pd.DataFrame({"user": ["a", "b"], "author": "w", "time": [1.0, 2.8]})
    data = prepare(ROWS, items=items, links=links, as_of=5.0).before(2.7)
    assert data.day.max() < 2.7
    assert data.items[data.candidates()].tolist() == ["x", "y"]
    assert data.linked().toarray().ravel().tolist() == [1.0, 0.0]


def test_an_author_who_is_no_user_is_told_from_one_who_is():
    items = pd.DataFrame({"item": ["x", "y"], "author": ["a", "outsider"]})
    data = prepare(ROWS, items=items)
    assert data.own.tolist() == [0, -1]


def test_only_recent_items_are_candidates_when_a_window_is_set():
    items = pd.DataFrame({"item": ["x", "y"], "published": [0.0, 2.5]})
    data = prepare(ROWS, items=items, as_of=4.0, candidate_days=2.0)
    assert data.items[data.candidates()].tolist() == ["y"]


def test_what_was_seen_is_remembered_when_less_is_learnt_from():
    data = prepare(ROWS).limited(days=None, interactions=1)
    assert data.matrix().nnz == 1
    assert data.seen_matrix().nnz == 3
    assert prepare(ROWS, as_of=10.0).limited(days=7.5, interactions=None).matrix().nnz == 1


def test_timestamps_of_any_unit_are_days():
    stamps = pd.to_datetime(
        ["2025-01-01", "2025-01-02", "2025-01-03T12:00"], format="ISO8601", utc=True
    )
    one = prepare(ROWS.assign(time=stamps.as_unit("us")))
    other = prepare(ROWS.assign(time=stamps.tz_localize(None)))
    np.testing.assert_array_equal(one.day, other.day)
    assert one.day[2] - one.day[0] == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("tables", "match"),
    [
        ({"items": pd.DataFrame({"item": ["x", "x"]})}, "repeat an id"),
        ({"items": pd.DataFrame({"item": ["x", None]})}, "null ids"),
        ({"users": pd.DataFrame({"name": ["a"]})}, "lacks the column"),
        ({"embeddings": pd.DataFrame([[np.inf]], index=["x"])}, "not finite"),
        ({"embeddings": lambda texts: np.ones((len(texts), 2))}, "no column 'text'"),
        ({"as_of": 2.0}, "not before"),
    ],
)
def test_a_bad_table_is_named(tables, match):
    with pytest.raises(RecommendationDataError, match=match):
        prepare(ROWS, **tables)


def test_missing_columns_and_no_rows_are_named():
    with pytest.raises(RecommendationDataError, match="item"):
        prepare(ROWS.drop(columns="item"))
    with pytest.raises(RecommendationDataError, match="time"):
        prepare(ROWS.drop(columns="time"), as_of=5.0)
    with pytest.raises(RecommendationDataError, match="no interactions"):
        prepare(ROWS.head(0))
    with pytest.raises(RecommendationDataError, match="all numbers or all text"):
        prepare(ROWS.assign(user=["b", 1, 1]))


def test_an_encoder_embeds_only_items_with_a_text():
    items = pd.DataFrame({"item": ["x", "y"], "text": ["hello", None]})
    data = prepare(ROWS, items=items, embeddings=lambda texts: np.ones((len(texts), 3)))
    np.testing.assert_array_equal(data.vectors, [[1, 1, 1], [0, 0, 0]])
