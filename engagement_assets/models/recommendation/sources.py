"""The lake's tables as recommenders take them, as of the end of a day.

Belongs here: which days are read. Does not belong here: checking and numbering (`tables.py`), the
likeness of texts (`texts.py`) and the recommenders.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

import pandas as pd

from engagement_assets.learning.recommendation.data import Dataset, RecommendationDataError
from engagement_assets.learning.recommendation.tables import prepare
from engagement_assets.learning.recommendation.texts import text_vectors
from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.models.recommendation.windows import (
    SCANNED_DAYS,
    WHOLE,
    Windows,
    derive_windows,
)

# What a kind of interaction says of liking, as a weight of implicit feedback.
KIND_WEIGHTS: Mapping[str, float] = {"view": 1.0, "like": 3.0, "comment": 4.0, "share": 4.0}
SEGMENT = "account_type"
_JUST_BEFORE = timedelta(seconds=1)


def windows_as_of(inputs: Inputs, day: date) -> Windows:
    """Derive the windows of the source from its uses up to a day, and from the settings."""
    known_days = (day - inputs.first_day).days + 1
    span = {
        "first_day": max(inputs.first_day, day - timedelta(days=SCANNED_DAYS - 1)),
        "last_day": day,
    }
    run, sql = inputs.engine, inputs.sql
    return derive_windows(
        run.select(sql.query("recommendation/ages"), span).to_pandas(),
        run.select(sql.query("recommendation/readers"), span).to_pandas(),
        known_days=known_days,
        history_days=inputs.parameters.get("recommendation_history", 0),
        item_days=inputs.parameters.get("recommendation_item_days", 0),
    )


def dataset_as_of(
    inputs: Inputs, day: date, windows: Windows = WHOLE, *, rehearsal_days: int = 0
) -> Dataset:
    """Read all that is known at the end of a day.

    A post of which nobody says when it was published counts as published when it was first turned
    to.

    Args:
        inputs: What is read from.
        day: The day; its features say who the customers are.
        windows: How far back is read, and how long a post is recommended; at any age, from two
            years, where nobody says.
        rehearsal_days: Recommendations are also tried out at moments up to so many days earlier:
            the posts that were candidates then are read too.

    Raises:
        RecommendationDataError: There are no interactions, or they break the tables' rules.
        MissingPartitionError: The day's features are not there.
    """
    run, sql = inputs.engine, inputs.sql
    first = max(inputs.first_day, day - timedelta(days=windows.read_days - 1))
    days = {"first_day": first, "last_day": day}
    interactions = run.select(sql.query("recommendation/interactions"), days).to_pandas()
    published = inputs.first_day
    if windows.item_days is not None:
        published = day + timedelta(days=1) - timedelta(days=windows.item_days + rehearsal_days)
    posts = run.select(
        sql.query("recommendation/posts"),
        {**days, "published_day": max(published, inputs.first_day)},
    ).to_pandas()
    links = run.select(sql.query("recommendation/links"), {"last_day": day}).to_pandas()
    people = inputs.features(day)[["customer_id", SEGMENT]]
    rows = weigh(interactions)
    items = with_first_use(posts.rename(columns={"post_id": "item"}), rows)
    return prepare(
        rows,
        items=items,
        users=people.rename(columns={"customer_id": "user", SEGMENT: "segment"}),
        links=links.rename(columns={"customer_id": "user", "occurred_at": "time"}),
        embeddings=text_vectors,
        as_of=datetime.combine(day + timedelta(days=1), time.min),
        candidate_days=windows.item_days,
        horizon_days=windows.test_days,
    )


def with_first_use(items: pd.DataFrame, interactions: pd.DataFrame) -> pd.DataFrame:
    """Add the items that only interactions know, published just before their first use.

    Args:
        items: `item`, `published` and more.
        interactions: `item` and `time`.
    """
    first = interactions.groupby("item", sort=True)["time"].min() - _JUST_BEFORE
    listed = items.set_index("item")
    known = listed["published"].reindex(listed.index.union(first.index))
    listed = listed.reindex(known.index)
    listed["published"] = known.astype(first.dtype).fillna(first)
    return listed.rename_axis("item").reset_index()


def weigh(interactions: pd.DataFrame) -> pd.DataFrame:
    """Return the platform's `interactions` as user, item, time and weight.

    Args:
        interactions: `customer_id`, `post_id`, `kind`, `occurred_at`.

    Raises:
        RecommendationDataError: A kind has no weight.
    """
    weight = interactions["kind"].astype(object).map(dict(KIND_WEIGHTS))
    if weight.isna().any():
        unknown = sorted({str(kind) for kind in interactions["kind"][weight.isna()]})
        raise RecommendationDataError(f"kinds of interaction without a weight: {unknown}")
    return pd.DataFrame(
        {
            "user": interactions["customer_id"],
            "item": interactions["post_id"],
            "time": interactions["occurred_at"],
            "weight": weight.astype("float64"),
        }
    )
