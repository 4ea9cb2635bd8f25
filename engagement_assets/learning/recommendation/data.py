"""Interactions as codes and matrices: what every recommender learns from.

Belongs here: numbered interactions, what is known at a moment, which items are candidates. Does not
belong here: checking a caller's tables (`tables`), any way of scoring.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
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
        horizon_days: Lists serve for so many days: as many last ones are set aside to choose
            parameters on; None where nobody says.
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
    horizon_days: float | None
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

    def pairs(self, values: NDArray[Any]) -> tuple[Ints, Ints, Days]:
        """Return user, item and greatest value of each distinct pair: repeats count once.

        Args:
            values: A value of each of r interactions.
        """
        key = self.user * np.int64(self.shape[1]) + self.item
        order = np.argsort(key, kind="stable")
        ordered = key[order]
        first = np.flatnonzero(np.diff(ordered, prepend=-1))
        each = np.asarray(values, dtype=np.float64)[order]
        greatest = np.maximum.reduceat(each, first) if len(first) else each
        return (*np.divmod(ordered[first], self.shape[1]), greatest)

    def people(self) -> Ints:
        """Number of users who turned to each of m items."""
        return np.bincount(self.matrix().indices, minlength=self.shape[1]).astype(np.int64)

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
        """Return the dataset as known before a moment; ids keep their numbers."""
        return self.rows(self.day < moment, as_of=moment)

    def rows(self, keep: NDArray[Any], *, as_of: float | None = None) -> Dataset:
        """Select interactions; users and items stay."""
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
        """Limit the interactions to the latest, by age and by number; what is left out is logged.

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
