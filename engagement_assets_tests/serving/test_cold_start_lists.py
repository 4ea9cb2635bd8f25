"""Somebody unknown is shown what is popular, and nobody's own list."""

import json

import pyarrow as pa

from engagement_assets.serving.cold_start import ITEMS, LEAST_LISTS, POPULAR, cold_start_lists


def lists(rows):
    """The lists made from (customer, location, source, items)."""
    features = pa.table(
        {
            "customer_id": pa.array([row[0] for row in rows], pa.string()),
            "location": pa.array([row[1] for row in rows], pa.string()),
        }
    )
    recommended = pa.table(
        {
            "customer_id": pa.array([row[0] for row in rows], pa.string()),
            "source": pa.array([row[2] for row in rows], pa.string()),
            "items": pa.array([json.dumps(row[3]) for row in rows], pa.string()),
        }
    )
    return cold_start_lists(features, recommended)


def test_the_popular_list_is_shown_as_it_is():
    popular = [f"p{n}" for n in range(60)]
    told = lists(
        [
            *((f"c{n}", "africa", "popularity", popular) for n in range(LEAST_LISTS)),
            *((f"m{n}", "africa", "model", ["mine"]) for n in range(50)),
        ]
    )
    assert told["items"] == popular[:ITEMS]
    assert told["by_location"] == {"africa": popular[:ITEMS]}


def test_a_location_has_what_is_popular_there():
    told = lists(
        [
            *((f"a{n}", "africa", "segment popularity", ["pa", "pb"]) for n in range(LEAST_LISTS)),
            *((f"e{n}", "europe", "segment popularity", ["pe", "pb"]) for n in range(LEAST_LISTS)),
            ("x", None, "popularity", ["px"]),
        ]
    )
    assert told["by_location"] == {"africa": ["pa", "pb"], "europe": ["pe", "pb"]}
    assert told["items"] == ["px"]


def test_a_location_of_a_few_is_left_out():
    rows = [(f"a{n}", "africa", "popularity", ["p"]) for n in range(LEAST_LISTS - 1)]
    assert lists(rows)["by_location"] == {}


def test_without_popular_lists_items_are_ranked_by_how_many_have_them_in_their_first_ten():
    head = [f"h{n}" for n in range(9)]
    told = lists(
        [
            ("a", None, "model", [*head, "many", "late"]),
            ("b", None, "model", ["many", "few", "x"]),
            ("c", None, "content", ["few", "many"]),
        ]
    )
    assert told["items"][:2] == ["many", "few"]
    assert "late" not in told["items"]


def test_without_any_list_nothing_is_shown():
    empty = {"format": 1, "items": [], "by_location": {}}
    assert lists([]) == empty
    features = pa.table({"customer_id": ["a"], "location": ["africa"]})
    assert cold_start_lists(features, None) == empty


def test_the_names_of_the_sources_are_the_recommender_s():
    from engagement_assets.learning.recommendation.fallback import (  # noqa: PLC0415 - loads torch
        BY_POPULARITY,
        BY_SEGMENT,
    )

    assert POPULAR == (BY_POPULARITY, BY_SEGMENT)
