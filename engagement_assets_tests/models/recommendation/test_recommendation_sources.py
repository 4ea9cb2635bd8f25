"""What the lake knows of interactions and items, of any age, becomes a recommender's data."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pytest

from engagement_assets.features.tables import KNOWN_TABLES
from engagement_assets.learning.recommendation.data import RecommendationDataError
from engagement_assets.models.recommendation.sources import dataset_as_of, weigh, windows_as_of
from engagement_assets.models.recommendation.windows import Windows
from engagement_assets.settings.installation import PROJECT
from engagement_assets.source.contract import TABLES
from engagement_assets.source.known import product_sql
from engagement_assets_tests.decisions.tables import write_people
from engagement_assets_tests.lifecycle.made_inputs import made_inputs
from resources.engine import DuckDBEngine
from resources.lake import Lake
from resources.tables import by_sql_name

FIRST = date(2026, 1, 1)
LAST = date(2026, 4, 10)


def test_kinds_of_interaction_become_weights():
    rows = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b"],
            "post_id": ["x", "y", "x"],
            "kind": ["view", "like", "comment"],
            "occurred_at": pd.Timestamp("2025-01-01", tz="UTC"),
        }
    )
    assert weigh(rows)["weight"].tolist() == [1.0, 3.0, 4.0]
    with pytest.raises(RecommendationDataError, match="poke"):
        weigh(rows.assign(kind="poke"))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A film of January, still watched; news of April; an item that no table of posts lists."""
    lake = Lake(str(tmp_path_factory.mktemp("lake")))

    def add(table, day, rows):
        noon = datetime(day.year, day.month, day.day, 12)
        stamped = [{"occurred_at": noon, "recorded_at": noon, **row} for row in rows]
        lake.write(
            TABLES[table], pa.Table.from_pylist(stamped, schema=TABLES[table].arrow), day=day
        )

    def seen(day, *pairs):
        rows = [
            {"interaction_id": f"{day}{who}{post}", "customer_id": who, "post_id": post}
            | {"kind": "view"}
            for who, post in pairs
        ]
        add("interactions", day, rows)

    def listed(day, post):
        row = {"post_id": post, "customer_id": "author", "category": "kind", "text": "words"}
        add("posts", day, [row])

    listed(FIRST, "film")
    listed(FIRST + timedelta(days=1), "forgotten")
    listed(LAST - timedelta(days=1), "news")
    seen(FIRST + timedelta(days=5), ("ann", "film"), ("bob", "unlisted"))
    for back in range(40, 0, -1):
        seen(LAST - timedelta(days=back), (f"p{back}", "film"))
    seen(LAST, ("ann", "unlisted"), ("bob", "news"))
    people = [*("ann", "bob"), *(f"p{back}" for back in range(1, 41))]
    write_people(lake, LAST, *people)
    return made_inputs(
        engine=DuckDBEngine(lake, declared=by_sql_name(KNOWN_TABLES), threads=1),
        sql=product_sql(PROJECT / "sql"),
        first_day=FIRST,
        parameters={},
    )


def test_an_old_item_that_is_still_used_keeps_its_category_author_age_and_text(inputs):
    data = dataset_as_of(inputs, LAST, Windows(history_days=28, item_days=3, test_days=1))
    row = dict(zip(data.items, range(data.shape[1]), strict=True))
    assert set(row) == {"film", "news", "unlisted"}
    film, news = row["film"], row["news"]
    assert data.category[film] == data.category[news] == 0
    assert data.author[film] == data.author[news] == 0
    assert data.as_of - data.published[film] == pytest.approx(99.5)
    assert data.vectors[news] @ data.vectors[film] == pytest.approx(1.0)
    assert not data.vectors[row["unlisted"]].any()
    assert data.items[data.candidates()].tolist() == ["news", "unlisted"]


def test_an_item_that_nobody_lists_is_as_old_as_its_first_use(inputs):
    data = dataset_as_of(inputs, LAST, Windows(history_days=28, item_days=None, test_days=1))
    unlisted = data.items.get_loc("unlisted")
    assert data.as_of - data.published[unlisted] == pytest.approx(0.5, abs=0.01)


def test_a_catalogue_that_lasts_is_recommended_whole(inputs):
    windows = windows_as_of(inputs, LAST)
    assert windows.item_days is None
    data = dataset_as_of(inputs, LAST, windows)
    assert set(data.items[data.candidates()]) == {"film", "forgotten", "news", "unlisted"}
    inputs_set = replace(inputs, parameters={"recommendation_item_days": 5})
    assert windows_as_of(inputs_set, LAST).item_days == 5
