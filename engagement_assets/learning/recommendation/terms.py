"""Terms of a linear score: what speaks for showing an item to a user.

Belongs here: quantities of pairs of user and item, for many pairs or for whole blocks. Does not
belong here: how much each counts (`hybrid`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from engagement_assets.learning.recommendation.data import Dataset, Floats, Ints
from engagement_assets.learning.recommendation.popularity import popularity
from engagement_assets.learning.recommendation.recommender import Recommender

_PAIR_BLOCK = 10_000_000


class Term(Protocol):
    """A quantity of every pair of user and item."""

    @property
    def name(self) -> str:
        """What it is, for people; tells terms of one dataset apart."""

    def pairs(self, users: Ints, items: Ints) -> Floats:
        """Its values for p users and as many x s items, shape (p, s)."""

    def add(self, out: Floats, users: Ints, items: Ints, weight: float) -> None:
        """Add weight times its values of users (rows) and items (columns) to `out`."""


@dataclass(frozen=True)
class Dot:
    """The inner product of n x d and m x d vectors."""

    name: str
    users: Floats
    items: Floats

    def pairs(self, users: Ints, items: Ints) -> Floats:
        """See `Term`."""
        products: Floats = np.einsum("pd,psd->ps", self.users[users], self.items[items])
        return products

    def add(self, out: Floats, users: Ints, items: Ints, weight: float) -> None:
        """See `Term`."""
        out += (np.float32(weight) * self.users[users]) @ self.items[items].T


@dataclass(frozen=True)
class Sparse:
    """A value of few pairs of user and kind of item, n x c; `kind` of each item, -1 for none."""

    name: str
    values: sp.csr_matrix
    kind: Ints

    def pairs(self, users: Ints, items: Ints) -> Floats:
        """See `Term`."""
        kind = self.kind[items]
        owner = np.repeat(users, items.shape[1])
        products = np.asarray(self.values[owner, np.maximum(kind, 0).ravel()]).reshape(items.shape)
        return np.where(kind >= 0, products, 0.0).astype(np.float32)

    def add(self, out: Floats, users: Ints, items: Ints, weight: float) -> None:
        """See `Term`."""
        known = np.flatnonzero(self.kind[items] >= 0)
        place = (self.kind[items[known]], known)
        spread = sp.csr_matrix(
            (np.ones(len(known), dtype=np.float32), place),
            shape=(self.values.shape[1], len(items)),
        )
        entries = (self.values[users] @ spread).tocoo()
        out[entries.row, entries.col] += np.float32(weight) * entries.data


@dataclass(frozen=True)
class OfRecommender:
    """The score of another recommender."""

    name: str
    model: Recommender

    def pairs(self, users: Ints, items: Ints) -> Floats:
        """See `Term`."""
        columns, column = np.unique(items, return_inverse=True)
        column = column.reshape(items.shape)
        out = np.empty(items.shape, dtype=np.float32)
        size = max(1, _PAIR_BLOCK // len(columns))
        for start in range(0, len(users), size):
            span = slice(start, start + size)
            rows, row = np.unique(users[span], return_inverse=True)
            out[span] = self.model.score_block(rows, columns)[row[:, None], column[span]]
        return out

    def add(self, out: Floats, users: Ints, items: Ints, weight: float) -> None:
        """See `Term`."""
        out += np.float32(weight) * self.model.score_block(users, items)


def weighted_sum(
    made: Iterable[Term], weights: Mapping[str, float], users: Ints, items: Ints
) -> Floats:
    """The weighted sum of terms of users (rows) and items (columns); without a weight, none.

    All inner products are taken as one: a pass over a block of pairs costs more than the numbers
    that a short vector adds to a long one.
    """
    weighty = [(term, np.float32(weights.get(term.name, 0.0))) for term in made]
    dots = [(term, weight) for term, weight in weighty if weight and isinstance(term, Dot)]
    if dots:
        left = np.concatenate([weight * dot.users[users] for dot, weight in dots], axis=1)
        right = np.concatenate([dot.items[items] for dot, _ in dots], axis=1)
        out: Floats = left @ right.T
    else:
        out = np.zeros((len(users), len(items)), dtype=np.float32)
    for term, weight in weighty:
        if weight and not isinstance(term, Dot):
            term.add(out, users, items, float(weight))
    return out


def _of_item(name: str, values: Floats, data: Dataset) -> Term:
    """Return a term that is the same for every user: a value of each of m items."""
    return Dot(name, np.ones((data.shape[0], 1), dtype=np.float32), values[:, None])


def terms(data: Dataset, *, half_lives_days: tuple[float, ...]) -> list[Term]:
    """Return the terms that a dataset allows; those of columns it lacks are left out."""
    return [
        *(_popular(data, days) for days in half_lives_days),
        *_age(data),
        *_author(data),
        *taste_terms(data),
    ]


def taste_terms(data: Dataset) -> list[Term]:
    """Return the terms of a user's tastes, which need few interactions."""
    return [*_category(data), *_text(data)]


def _popular(data: Dataset, half_life_days: float) -> Term:
    logs = np.log1p(popularity(data, half_life_days))
    name = f"popularity, half-life {half_life_days:g} days"
    return _of_item(name, logs.astype(np.float32), data)


def _age(data: Dataset) -> list[Term]:
    known = np.isfinite(data.published)
    if not known.any():
        return []
    age = np.maximum(data.as_of - data.published, 0.0)
    age[~known] = np.median(age[known])
    return [
        _of_item("age in days", age.astype(np.float32), data),
        _of_item("logarithm of age", np.log(age + 0.05).astype(np.float32), data),
    ]


def _category(data: Dataset) -> list[Term]:
    if len(data.categories) < 2:
        return []
    user, item, weight = data.pairs(data.weight)
    kind = data.category[item]
    known = kind >= 0
    width = len(data.categories)
    cell = user[known] * width + kind[known]
    taken = np.bincount(cell, weights=weight[known], minlength=data.shape[0] * width)
    taken = taken.reshape(-1, width)
    common = (taken.sum(axis=0) + 1.0) / (taken.sum() + width)
    # So many prior units of weight: a user of few interactions is taken to be like everybody.
    prior = 10.0
    share = (taken + prior * common) / (taken.sum(axis=1, keepdims=True) + prior)
    belongs = (data.category[:, None] == np.arange(width)).astype(np.float32)
    return [Dot("taste for the category", np.log(share / common).astype(np.float32), belongs)]


def _author(data: Dataset) -> list[Term]:
    if not data.n_authors:
        return []
    taken = data.by_author()
    taken.sum_duplicates()
    taken.data = np.log1p(taken.data)
    out: list[Term] = [Sparse("interactions with the author", taken, data.author)]
    linked = data.linked()
    if linked is not None and linked.nnz:
        out.append(Sparse("linked with the author", linked, data.author))
    return out


def _text(data: Dataset) -> list[Term]:
    if data.vectors is None:
        return []
    profile, items = profiles(data)
    return [Dot("likeness of the text", profile, items)]


def profiles(data: Dataset) -> tuple[Floats, Floats]:
    """Text profile of each user and the centred text vector of each item, of length 1 or 0.

    A profile is the mean vector of what the user interacted with, by weight; a user without any
    text has a row of zeros.
    """
    if data.vectors is None:
        raise ValueError("the dataset has no text embeddings")
    worded = np.flatnonzero(np.abs(data.vectors).sum(axis=1))
    centred = np.zeros_like(data.vectors)
    if len(worded):
        centred[worded] = data.vectors[worded] - data.vectors[worded].mean(axis=0)
    items = _unit(centred)
    matrix = data.matrix()
    matrix.data = np.log1p(matrix.data)
    return _unit(np.asarray(matrix @ items, dtype=np.float32)), items


def _unit(vectors: Floats) -> Floats:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Floats = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
    return unit
