"""What to show somebody of whom nothing is known: the most popular items of a day, by location too.

Belongs here: lists for anybody. Does not belong here: lists of a customer (`records.py`) and what
the recommender does for new customers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

COLD_START_FORMAT = 1
# Sources of lists that say what is popular, not what one customer likes, the most general first
# (`engagement_assets.learning.recommendation.fallback`, which loads torch).
POPULAR = ("popularity", "segment popularity")
ITEMS = 50
# Of lists made for single customers only the head is what the model is sure of.
HEAD = 10
# Fewer lists of a location than this would show what single customers are shown.
LEAST_LISTS = 5
# Popular lists differ only by what each customer saw already: so many of them say it all.
MOST_LISTS = 2_000


def cold_start_lists(features: pa.Table, recommended: pa.Table | None) -> dict[str, Any]:
    """Items for somebody unknown.

    An item counts by its place in the popular lists (one over the place), so the head of most lists
    is the head here. Without a popular list, items are ranked by how many customers have them among
    their first ten.

    Args:
        features: `customer_id` and `location` of every customer.
        recommended: `recommendation/predictions` of the day, or None.

    Returns:
        `format`, `items`, and `by_location`: lists of at most `ITEMS` ids, the best first; a
        location with fewer than `LEAST_LISTS` lists is left out.
    """
    if recommended is None or not recommended.num_rows:
        return {"format": COLD_START_FORMAT, "items": [], "by_location": {}}
    rows = recommended.select(["customer_id", "items", "source"]).sort_by("customer_id")
    popular = rows.filter(pc.is_in(rows.column("source"), value_set=pa.array(POPULAR)))
    chosen, by_place = (popular, True) if popular.num_rows else (rows, False)
    general = next(
        (part for source in POPULAR if (part := _of(chosen, "source", source)).num_rows), chosen
    )
    where = pc.index_in(
        chosen.column("customer_id"), value_set=features.column("customer_id").combine_chunks()
    )
    placed = chosen.append_column("location", features.column("location").take(where))
    names = sorted(name for name in pc.unique(placed.column("location")).to_pylist() if name)
    located = {name: _of(placed, "location", name) for name in names}
    return {
        "format": COLD_START_FORMAT,
        "items": _ranked(general, by_place=by_place),
        "by_location": {
            name: _ranked(part, by_place=by_place)
            for name, part in located.items()
            if part.num_rows >= LEAST_LISTS
        },
    }


def _of(rows: pa.Table, column: str, value: str) -> pa.Table:
    return rows.filter(pc.equal(rows.column(column), value))


def _ranked(rows: pa.Table, *, by_place: bool) -> list[str]:
    step = max(1, rows.num_rows // MOST_LISTS)
    lists: Sequence[str] = rows.column("items").to_pylist()[::step]
    points: dict[str, float] = defaultdict(float)
    for text, times in Counter(lists).items():
        items = orjson.loads(text)
        for place, item in enumerate(items if by_place else items[:HEAD], start=1):
            points[item] += times / place if by_place else times
    # ties by id, so that the same day gives the same bytes
    return sorted(points, key=lambda item: (-points[item], item))[:ITEMS]
