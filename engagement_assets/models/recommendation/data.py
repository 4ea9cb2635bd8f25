"""Interactions as codes and matrices: what every recommender learns from.

Belongs here: checking the tables that a caller gives, numbering users and items, splits by time.
Does not belong here: any way of scoring, and reading the lake.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Days = NDArray[np.float64]
Encoder = Callable[[Sequence[str]], NDArray[Any]]

# What a kind of interaction says of liking, as a weight of implicit feedback.
KIND_WEIGHTS: Mapping[str, float] = {"view": 1.0, "like": 3.0, "comment": 4.0, "share": 4.0}
_SECONDS_PER_DAY = 86_400.0


class RecommendationDataError(ValueError):
    """A table cannot be recommended from; the message names what is wrong."""


@dataclass(frozen=True)
class Dataset:
    """Numbered users, items and interactions, as known at one moment.

    Times are days, counted from the Unix epoch when the tables hold timestamps.

    Attributes:
        users: Id of each of n users.
        items: Id of each of m items.
        user: User of each of r interactions.
        item: Item of each interaction.
        day: When, in days.
        weight: How much liking it shows, above 0.
        as_of: The moment; interactions lie before it.
        candidate_days: Only items published so many days before `as_of` are recommended; all
            when None.
        categories: Names of the categories.
        category: Category of each item; -1 unknown.
        published: When each item was published, in days; minus infinity where not known.
        author: Author of each item, numbered on their own; -1 unknown.
        own: The author that each user is; -1 none.
        segments: Names of the segments.
        segment: Segment of each user; -1 unknown.
        vectors: m x d text embeddings, or None; a row of zeros where an item has no text.
        links: l x 2 pairs of user and author who are linked, or None.
        link_day: When each link was made, in days; minus infinity where not known.
        seen: s x 2 pairs of user and item that came together, when more than `user` and `item`
            tell because only the latest are learnt from; else None.
    """

    users: pd.Index
    items: pd.Index
    user: Ints
    item: Ints
    day: Days
    weight: Floats
    as_of: float
    candidate_days: float | None
    categories: tuple[str, ...]
    category: Ints
    published: Days
    author: Ints
    own: Ints
    segments: tuple[str, ...]
    segment: Ints
    vectors: Floats | None
    links: Ints | None
    link_day: Days
    seen: Ints | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Number of users and of items."""
        return len(self.users), len(self.items)

    def matrix(self) -> sp.csr_matrix:
        """Sums of weights, n x m."""
        made = sp.csr_matrix(
            (self.weight, (self.user, self.item)), shape=self.shape, dtype=np.float32
        )
        made.sum_duplicates()
        return made

    def seen_matrix(self) -> sp.csr_matrix:
        """What each user has seen, n x m, not 0 where so; also what is too old to learn from."""
        if self.seen is None:
            return self.matrix()
        ones = np.ones(len(self.seen), dtype=np.float32)
        made = sp.csr_matrix((ones, (self.seen[:, 0], self.seen[:, 1])), shape=self.shape)
        made.sum_duplicates()
        return made

    @property
    def n_authors(self) -> int:
        """Number of authors."""
        return int(self.author.max(initial=-1)) + 1

    def by_author(self) -> sp.csr_matrix:
        """Sums of weights, n x authors."""
        known = self.author[self.item] >= 0
        place = (self.user[known], self.author[self.item[known]])
        return sp.csr_matrix((self.weight[known], place), shape=(len(self.users), self.n_authors))

    def linked(self) -> sp.csr_matrix | None:
        """Who was linked with whom by `as_of`, n x authors of 0 and 1; None without links."""
        if self.links is None:
            return None
        known = self.links[self.link_day < self.as_of]
        made = sp.csr_matrix(
            (np.ones(len(known), dtype=np.float32), (known[:, 0], known[:, 1])),
            shape=(len(self.users), self.n_authors),
        )
        made.sum_duplicates()
        made.data[:] = 1.0
        return made

    def candidates(self) -> Ints:
        """Items that can be recommended at `as_of`, in order of their number.

        An item whose publication is not known can be once it was interacted with; all such when
        there are no interactions.
        """
        out = np.isfinite(self.published) & (self.published < self.as_of)
        touched = np.zeros(len(self.items), dtype=bool)
        touched[self.item] = True
        out |= ~np.isfinite(self.published) & (touched | (not len(self.item)))
        if self.candidate_days is not None:
            recent = self.published >= self.as_of - self.candidate_days
            out &= recent | ~np.isfinite(self.published)
        return np.flatnonzero(out)

    def before(self, moment: float) -> Dataset:
        """What was known before a moment: the same numbers, fewer interactions."""
        return self.rows(self.day < moment, as_of=moment)

    def rows(self, keep: NDArray[Any], *, as_of: float | None = None) -> Dataset:
        """Some of the interactions; the same users and items."""
        return replace(
            self,
            user=self.user[keep],
            item=self.item[keep],
            day=self.day[keep],
            weight=self.weight[keep],
            seen=None,
            as_of=self.as_of if as_of is None else as_of,
        )

    def limited(self, *, days: float | None, interactions: int | None) -> Dataset:
        """The latest interactions, by age and by number; what is left out is logged.

        What was seen stays known.
        """
        out = self
        if days is not None:
            keep = self.day >= self.as_of - days
            if not keep.all():
                logger.info(
                    "The last %g days are learnt from: %d of %d interactions are older",
                    days,
                    int((~keep).sum()),
                    len(keep),
                )
                out = self.rows(keep)
        if interactions is not None and len(out.user) > interactions:
            logger.warning(
                "The latest %d of %d interactions are learnt from", interactions, len(out.user)
            )
            latest = np.sort(np.argsort(out.day, kind="stable")[-interactions:])
            out = out.rows(latest)
        if out is self:
            return self
        seen = np.stack([self.user, self.item], axis=1) if self.seen is None else self.seen
        return replace(out, seen=seen)


def weigh(
    interactions: pd.DataFrame, *, weights: Mapping[str, float] = KIND_WEIGHTS
) -> pd.DataFrame:
    """The platform's `interactions` as user, item, time and weight.

    Args:
        interactions: `customer_id`, `post_id`, `kind`, `occurred_at`.
        weights: Weight of each kind.

    Raises:
        RecommendationDataError: A kind has no weight.
    """
    weight = interactions["kind"].astype(object).map(dict(weights))
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


def prepare(
    interactions: pd.DataFrame,
    *,
    items: pd.DataFrame | None = None,
    users: pd.DataFrame | None = None,
    links: pd.DataFrame | None = None,
    embeddings: pd.DataFrame | Encoder | None = None,
    as_of: Any = None,
    candidate_days: float | None = None,
) -> Dataset:
    """Check and number tables.

    The same user and item may come together many times. An interaction of weight 0 says nothing and
    is left out, with a log line.

    Args:
        interactions: `user`, `item`, `time` (timestamps, or numbers of days) and `weight`.
        items: `item`, and where known `category`, `published`, `author`, `text`.
        users: `user`, and where known `segment`.
        links: `user` and `author`, and where known `time`: whose items a user may come across
            through acquaintance.
        embeddings: Text embeddings by item (the index), or a function that embeds `text`.
        as_of: The moment of which to recommend; just after the last interaction when None.
        candidate_days: Only items published so many days before `as_of` are recommended.

    Raises:
        RecommendationDataError: A column is missing, an id or a time is null, a weight is negative
            or not finite, an item or a user is listed twice, an embedding is not finite, or there
            are no interactions.
    """
    rows = _checked(interactions)
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
    if "published" in by_item:
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


def _checked(interactions: pd.DataFrame) -> pd.DataFrame:
    missing = [c for c in ("user", "item", "time", "weight") if c not in interactions.columns]
    if missing:
        raise RecommendationDataError(f"interactions lack the columns {missing}")
    if interactions.empty:
        raise RecommendationDataError("there are no interactions to learn from")
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
    return interactions[~nothing]


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
        found = times.to_numpy(dtype=np.float64)
    else:
        stamps = pd.to_datetime(times, utc=True)
        nanoseconds = stamps.to_numpy(dtype="datetime64[ns]").astype(np.int64)
        found = nanoseconds / 1e9 / _SECONDS_PER_DAY
    if not np.isfinite(found).all():
        raise RecommendationDataError(f"a {name} is not finite")
    return found


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
    author = authors.get_indexer(values.astype(object)).astype(np.int64)
    own = authors.get_indexer(users).astype(np.int64)
    if links is None:
        return author, own, None, np.zeros(0)
    missing = [c for c in ("user", "author") if c not in links.columns]
    if missing:
        raise RecommendationDataError(f"links lack the columns {missing}")
    one = users.get_indexer(links["user"].astype(object))
    other = authors.get_indexer(links["author"].astype(object))
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
        found = embeddings.reindex(items.index).to_numpy(dtype=np.float32)
        known = items.index.isin(embeddings.index)
        found[~known] = 0.0
    else:
        if "text" not in items:
            raise RecommendationDataError("an encoder is given but items have no column 'text'")
        told = items["text"].notna().to_numpy()
        encoded = np.asarray(embeddings(items["text"][told].map(str).tolist()), dtype=np.float32)
        found = np.zeros((len(items), encoded.shape[1]), dtype=np.float32)
        found[told] = encoded
    if not np.isfinite(found).all():
        raise RecommendationDataError("embeddings have values that are not finite")
    return np.asarray(found, dtype=np.float32)
