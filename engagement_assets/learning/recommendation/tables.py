"""The tables that a caller gives, checked and numbered.

Belongs here: every fault of the input, ids to numbers, times to days. Does not belong here: what is
done with the numbers (`data`).
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd

from engagement_assets.learning.recommendation.data import (
    Dataset,
    Days,
    Encoder,
    Floats,
    Ints,
    RecommendationDataError,
)

logger = logging.getLogger(__name__)

_SECONDS_PER_DAY = 86_400.0


def prepare(
    interactions: pd.DataFrame,
    *,
    items: pd.DataFrame | None = None,
    users: pd.DataFrame | None = None,
    links: pd.DataFrame | None = None,
    embeddings: pd.DataFrame | Encoder | None = None,
    as_of: Any = None,
    candidate_days: float | None = None,
    horizon_days: float | None = None,
) -> Dataset:
    """Check and number tables.

    The same user and item may come together many times. An interaction of weight 0 says nothing and
    is left out, with a log line.

    Args:
        interactions: `user` and `item`, and where known `time` (timestamps, or numbers of days) and
            `weight`, 1 where there is none. Without `time` all are of one moment, and when items
            were published is not used.
        items: `item`, and where known `category`, `published`, `author`, `text`.
        users: `user`, and where known `segment`.
        links: `user` and `author`, and where known `time`: whose items a user may come across
            through acquaintance.
        embeddings: Text embeddings by item (the index), or a function that embeds `text`, such as
            `texts.text_vectors` or `TextEncoder.load().encode`.
        as_of: The moment of which to recommend; just after the last interaction when None.
        candidate_days: Only items published so many days before `as_of` are recommended.
        horizon_days: Lists serve for so many days: as many last ones are set aside to choose
            parameters on. Without, see `rehearsal.rehearse`.

    Raises:
        RecommendationDataError: A column is missing, a moment or days are given without times, an
            id or a time is null, a weight is negative or not finite, an item or a user is listed
            twice, an embedding is not finite, or there are no interactions.
    """
    rows = _checked(
        interactions,
        timed=any(moment is not None for moment in (as_of, candidate_days, horizon_days)),
    )
    listed_items = _listed(items, "item")
    listed_users = _listed(users, "user")
    user, user_ids = _numbered(rows["user"], listed_users["user"], "user")
    item, item_ids = _numbered(rows["item"], listed_items["item"], "item")
    day = _days(rows["time"], "time")
    moment = float(np.nextafter(day.max(), np.inf)) if as_of is None else _moment(as_of)
    if (day >= moment).any():
        raise RecommendationDataError(
            f"{int((day >= moment).sum())} interactions are not before the moment {as_of}"
        )
    by_item = listed_items.set_index("item").reindex(item_ids)
    category, categories = _factor(by_item.get("category"), len(item_ids))
    segment, segments = _factor(
        listed_users.set_index("user").reindex(user_ids).get("segment"), len(user_ids)
    )
    author, own, pairs, link_day = _authors(by_item.get("author"), user_ids, links, len(item_ids))
    published = np.full(len(item_ids), -np.inf)
    if "published" in by_item and "time" in interactions:
        known = by_item["published"].notna().to_numpy()
        published[known] = _days(by_item["published"][known], "published")
    return Dataset(
        users=user_ids,
        items=item_ids,
        user=user,
        item=item,
        day=day,
        weight=rows["weight"].to_numpy(dtype=np.float32),
        as_of=moment,
        candidate_days=candidate_days,
        horizon_days=horizon_days,
        categories=categories,
        category=category,
        published=published,
        author=author,
        own=own,
        segments=segments,
        segment=segment,
        vectors=_vectors(by_item, embeddings),
        links=pairs,
        link_day=link_day,
    )


def _checked(interactions: pd.DataFrame, *, timed: bool) -> pd.DataFrame:
    needed = ("user", "item", *(("time",) if timed else ()))
    missing = [c for c in needed if c not in interactions.columns]
    if missing:
        raise RecommendationDataError(f"interactions lack the columns {missing}")
    if interactions.empty:
        raise RecommendationDataError("there are no interactions to learn from")
    without = {"time": 0.0, "weight": 1.0}
    interactions = interactions.assign(
        **{name: value for name, value in without.items() if name not in interactions}
    )
    for column in ("user", "item", "time"):
        nulls = int(interactions[column].isna().sum())
        if nulls:
            raise RecommendationDataError(f"{nulls} interactions have a null {column}")
    weight = pd.to_numeric(interactions["weight"], errors="coerce").to_numpy(dtype=np.float64)
    bad = ~np.isfinite(weight) | (weight < 0)
    if bad.any():
        raise RecommendationDataError(
            f"{int(bad.sum())} weights are negative, null or not finite: an interaction shows so "
            "much liking, 0 or more"
        )
    nothing = weight == 0
    if nothing.any():
        logger.warning("%d interactions of weight 0 are left out", int(nothing.sum()))
    if nothing.all():
        raise RecommendationDataError("all interactions have weight 0: nothing to learn from")
    usable: pd.DataFrame = interactions[~nothing]
    return usable


def _listed(table: pd.DataFrame | None, key: str) -> pd.DataFrame:
    if table is None:
        return pd.DataFrame({key: pd.Series(dtype=object)})
    if key not in table.columns:
        raise RecommendationDataError(f"the table of {key}s lacks the column {key!r}")
    if table[key].isna().any():
        raise RecommendationDataError(f"the table of {key}s has null ids")
    twice = table[key][table[key].duplicated()]
    if len(twice):
        raise RecommendationDataError(
            f"{len(twice)} rows of the table of {key}s repeat an id, such as {twice.iloc[0]!r}"
        )
    return table


def _numbered(ids: pd.Series, listed: pd.Series, name: str) -> tuple[Ints, pd.Index]:
    """Number ids in an order that does not depend on the order of the rows."""
    both = [ids.astype(object), listed.astype(object)]
    distinct = pd.Index(pd.unique(pd.concat(both)))
    try:
        order = distinct.sort_values()
    except TypeError as error:
        raise RecommendationDataError(f"{name} ids must be all numbers or all text") from error
    return order.get_indexer(ids.astype(object)).astype(np.int64), order


def _days(times: pd.Series, name: str) -> Days:
    if pd.api.types.is_numeric_dtype(times):
        days = times.to_numpy(dtype=np.float64)
    else:
        stamps = pd.to_datetime(times, utc=True)
        nanoseconds = stamps.to_numpy(dtype="datetime64[ns]").astype(np.int64)
        days = nanoseconds / 1e9 / _SECONDS_PER_DAY
    if not np.isfinite(days).all():
        raise RecommendationDataError(f"a {name} is not finite")
    return days


def _moment(value: Any) -> float:
    if isinstance(value, (int, float, np.number)):
        return float(value)
    return float(_days(pd.Series([pd.Timestamp(value)]), "moment")[0])


def _factor(values: pd.Series | None, size: int) -> tuple[Ints, tuple[str, ...]]:
    if values is None:
        return np.full(size, -1, dtype=np.int64), ()
    codes, names = pd.factorize(values.astype(object).map(str, na_action="ignore"), sort=True)
    return codes.astype(np.int64), tuple(str(name) for name in names)


def _authors(
    values: pd.Series | None, users: pd.Index, links: pd.DataFrame | None, items: int
) -> tuple[Ints, Ints, Ints | None, Days]:
    nobody = np.full(len(users), -1, dtype=np.int64)
    if values is None or values.isna().all():
        if links is not None:
            logger.warning("Links are not used: no item has an author")
        return np.full(items, -1, dtype=np.int64), nobody, None, np.zeros(0)
    authors = pd.Index(pd.unique(values.dropna().astype(object))).sort_values()
    author = authors.get_indexer(pd.Index(values, dtype=object)).astype(np.int64)
    own = authors.get_indexer(users).astype(np.int64)
    if links is None:
        return author, own, None, np.zeros(0)
    missing = [c for c in ("user", "author") if c not in links.columns]
    if missing:
        raise RecommendationDataError(f"links lack the columns {missing}")
    one = users.get_indexer(pd.Index(links["user"], dtype=object))
    other = authors.get_indexer(pd.Index(links["author"], dtype=object))
    known = (one >= 0) & (other >= 0)
    day = _days(links["time"], "link's time") if "time" in links else np.full(len(links), -np.inf)
    return author, own, np.stack([one, other], axis=1)[known].astype(np.int64), day[known]


def _vectors(items: pd.DataFrame, embeddings: pd.DataFrame | Encoder | None) -> Floats | None:
    if embeddings is None:
        return None
    if isinstance(embeddings, pd.DataFrame):
        repeated = embeddings.index[embeddings.index.duplicated()]
        if len(repeated):
            raise RecommendationDataError(f"embeddings repeat the item {repeated[0]!r}")
        vectors = embeddings.reindex(items.index).to_numpy(dtype=np.float32)
        known = items.index.isin(embeddings.index)
        vectors[~known] = 0.0
    else:
        if "text" not in items:
            raise RecommendationDataError("an encoder is given but items have no column 'text'")
        has_text = items["text"].notna().to_numpy()
        encoded = np.asarray(
            embeddings(items["text"][has_text].map(str).tolist()), dtype=np.float32
        )
        vectors = np.zeros((len(items), encoded.shape[1]), dtype=np.float32)
        vectors[has_text] = encoded
    if not np.isfinite(vectors).all():
        raise RecommendationDataError("embeddings have values that are not finite")
    return np.asarray(vectors, dtype=np.float32) if vectors.any() else None
