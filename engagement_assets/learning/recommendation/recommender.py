"""The interface of every recommender.

Belongs here: fitting on checked tables, scoring in blocks, lists that leave out what was seen and
hold enough categories, saving. Does not belong here: any particular method.
"""

from __future__ import annotations

import inspect
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from engagement_assets.learning.json_data import naming
from engagement_assets.learning.recommendation.data import (
    Dataset,
    Encoder,
    Floats,
    Ints,
)
from engagement_assets.learning.recommendation.diversity import NOTHING, count_categories, diversify
from engagement_assets.learning.recommendation.rehearsal import Rehearsal, rehearse, search
from engagement_assets.learning.recommendation.tables import prepare

if TYPE_CHECKING:
    from upath import UPath

logger = logging.getLogger(__name__)

# Scores of one block of users and all candidates take at most so many numbers.
_BLOCK_NUMBERS = 4_000_000
BY_MODEL, BY_RULE = "model", "category rule"
FORMAT = "recommender/3"
STATE_FILE = "recommender.json"


class UnknownUserError(KeyError):
    """A user was not there when the recommender was fitted."""


class NotFittedError(RuntimeError):
    """A recommender is used before `fit`."""


@dataclass(frozen=True)
class Lists:
    """Ranked items by number.

    Attributes:
        items: n x k items, best first; -1 where a list has no more.
        scores: Their scores.
        by_rule: Which were put in by the category rule.
    """

    items: Ints
    scores: Floats
    by_rule: NDArray[np.bool_]


class Recommender(ABC):
    """Base of all recommenders. Parameters stand in the constructor, keyword-only.

    Attributes:
        kind: Name of the method.
        fewest_items: Distinct items that a user must have interacted with for good lists.
        scores_new_items: Whether items without interactions have meaningful scores.
        grid: Values of the parameters that `fit` chooses where they are None.
        searched_items: They are chosen on so many of the most used items; all when None.
        searched_interactions: They are chosen on users of so many interactions; all when None.
        outlives_data: Attributes that a refresh keeps, and so are saved.
        data_: What it was fitted on.
        chosen_: The parameters that `fit` chose.
        held_out_: NDCG at 10 of a blend's parts and of the blend on what `fit` set aside; empty
            where nothing is blended.
        learnt_share_: Share of the uses whose item is learnt.
    """

    kind: ClassVar[str]
    fewest_items: ClassVar[int] = 3
    scores_new_items: ClassVar[bool] = False
    grid: ClassVar[Mapping[str, Sequence[float]]] = {}
    searched_items: ClassVar[int | None] = None
    searched_interactions: ClassVar[int | None] = None
    outlives_data: ClassVar[tuple[str, ...]] = ("chosen_",)
    data_: Dataset
    chosen_: dict[str, Any]
    held_out_: Mapping[str, float] = MappingProxyType({})
    learnt_share_: float = 1.0

    def fit(
        self,
        interactions: pd.DataFrame,
        *,
        items: pd.DataFrame | None = None,
        users: pd.DataFrame | None = None,
        links: pd.DataFrame | None = None,
        embeddings: pd.DataFrame | Encoder | None = None,
        as_of: Any = None,
        candidate_days: float | None = None,
        horizon_days: float | None = None,
    ) -> Self:
        """Learn from tables; for the arguments and errors see `tables.prepare`."""
        return self.fit_dataset(
            prepare(
                interactions,
                items=items,
                users=users,
                links=links,
                embeddings=embeddings,
                as_of=as_of,
                candidate_days=candidate_days,
                horizon_days=horizon_days,
            )
        )

    def fit_dataset(self, data: Dataset) -> Self:
        """Learn from tables that `tables.prepare` has checked.

        Raises:
            RecommendationDataError: There are no interactions.
        """
        self.data_ = data
        self.chosen_ = self._choose(data)
        self._fit(data)
        return self

    def refresh(self, data: Dataset) -> Self:
        """Bring the recommender up to newer data with the parameters that were chosen."""
        if not hasattr(self, "chosen_"):
            return self.fit_dataset(data)
        self.data_ = data
        self._fit(data)
        return self

    def _choose(self, data: Dataset) -> dict[str, Any]:
        """Choose the parameters that are None on interactions that are set aside for it."""
        if all(getattr(self, name) is not None for name in self.grid):
            return {}
        return self.choose(rehearse(data))

    def choose(self, on: Rehearsal) -> dict[str, Any]:
        """Choose the parameters that are None by NDCG on the choices of a rehearsal."""
        missing = {name: grid for name, grid in self.grid.items() if getattr(self, name) is None}
        if not missing:
            return {}
        reduced = on.reduced(items=self.searched_items, interactions=self.searched_interactions)
        return search(
            lambda **tried: type(self)(**(self.get_params() | tried)),
            missing,
            reduced,
            name=self.kind,
        )

    def chosen(self, name: str) -> Any:
        """The value of a parameter: as given, else as chosen."""
        value = getattr(self, name)
        return self.chosen_[name] if value is None else value

    @abstractmethod
    def _fit(self, data: Dataset) -> None: ...

    def serves(self, data: Dataset) -> NDArray[np.bool_]:
        """Return which of n users have interactions enough for good lists."""
        served: NDArray[np.bool_] = np.diff(data.matrix().indptr) >= self.fewest_items
        return served

    @abstractmethod
    def score_block(self, users: Ints, items: Ints) -> Floats:
        """Scores of some users (rows) and items (columns) by number; higher is better."""

    def scores(self, users: Sequence[Any], *, items: Sequence[Any] | None = None) -> pd.DataFrame:
        """Scores as a table: users x items.

        Args:
            users: Ids of users.
            items: Ids of items; all candidates when None.

        Raises:
            UnknownUserError: A user was not there at `fit`.
            KeyError: An item was not there at `fit`.
        """
        data = self._fitted()
        rows, columns = self._user_numbers(users), self._item_numbers(items)
        values = self.score_block(rows, columns)
        return pd.DataFrame(values, index=data.users[rows], columns=data.items[columns])

    def recommend(
        self,
        users: Sequence[Any],
        *,
        k: int = 50,
        candidates: Sequence[Any] | None = None,
        exclude_seen: bool = True,
        min_categories: int = 3,
    ) -> pd.DataFrame:
        """Recommend the k best items to each user.

        Args:
            users: Ids of users.
            k: Length of a list; shorter, and logged, where there are fewer items.
            candidates: Ids of items to choose from; those of `Dataset.candidates` when None.
            exclude_seen: Leave out items the user has interacted with or has written.
            min_categories: Every list holds at least so many categories where that can be done;
                where it cannot, that is logged.

        Returns:
            One row an item: `user`, `rank` (from 1), `item`, `score`, `category` (null where not
            known) and `source`: what brought the item in.

        Raises:
            ValueError: k is under 1, or there are no candidates.
            UnknownUserError: A user was not there at `fit` (see `fallback.FallbackRecommender`).
        """
        rows, columns = self._user_numbers(users), self._item_numbers(candidates)
        lists = self.lists(
            rows, columns, k=k, exclude_seen=exclude_seen, min_categories=min_categories
        )
        return self._table(pd.Index(users, dtype=object), lists, self._sources(rows, columns))

    def lists(
        self,
        users: Ints,
        items: Ints,
        *,
        k: int,
        exclude_seen: bool = True,
        min_categories: int = 3,
    ) -> Lists:
        """`recommend` by number; see there."""
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        if not len(items):
            raise ValueError("there are no candidate items to recommend from")
        data = self._fitted()
        best = np.full((len(users), k), NOTHING, dtype=np.int64)
        value = np.full(best.shape, -np.inf, dtype=np.float32)
        by_rule = np.zeros(best.shape, dtype=bool)
        seen = data.seen_matrix() if exclude_seen else None
        for start, block in self._blocks(users, len(items)):
            scores = self.score_block(block, items)
            if seen is not None:
                self._leave_out(scores, block, items, seen)
            span = slice(start, start + len(block))
            _take_best(scores, items, best[span], value[span])
            if min_categories > 1:
                _enough_categories(
                    scores, items, data.category, min_categories, (best[span], value[span]),
                    by_rule[span], len(data.categories),
                )  # fmt: skip
        _report(best, data, min_categories)
        return Lists(best, value, by_rule)

    def _blocks(self, users: Ints, width: int) -> Iterator[tuple[int, Ints]]:
        size = max(1, _BLOCK_NUMBERS // width)
        for start in range(0, len(users), size):
            yield start, users[start : start + size]

    def _leave_out(self, scores: Floats, users: Ints, items: Ints, seen: Any) -> None:
        data = self.data_
        place = np.full(data.shape[1], NOTHING, dtype=np.int64)
        place[items] = np.arange(len(items))
        rows = seen[users].tocoo()
        column = place[rows.col]
        scores[rows.row[column >= 0], column[column >= 0]] = -np.inf
        if (data.own >= 0).any():
            order = np.argsort(data.author[items], kind="stable")
            authors = data.author[items][order]
            low = np.searchsorted(authors, data.own[users], side="left")
            high = np.searchsorted(authors, data.own[users], side="right")
            for row in np.flatnonzero((high > low) & (data.own[users] >= 0)):
                scores[row, order[low[row] : high[row]]] = -np.inf

    def _sources(self, users: Ints, items: Ints) -> NDArray[np.object_]:
        """What brings items in, for each user."""
        del items
        return np.full(len(users), BY_MODEL, dtype=object)

    def _table(self, users: pd.Index, lists: Lists, sources: NDArray[np.object_]) -> pd.DataFrame:
        data = self.data_
        row, column = np.nonzero(lists.items >= 0)
        item = lists.items[row, column]
        names = np.array([*data.categories, None], dtype=object)
        return pd.DataFrame(
            {
                "user": users[row],
                "rank": column + 1,
                "item": data.items[item],
                "score": lists.scores[row, column],
                "category": names[data.category[item]],
                "source": np.where(lists.by_rule[row, column], BY_RULE, sources[row]),
            }
        )

    def _fitted(self) -> Dataset:
        if not hasattr(self, "data_"):
            raise NotFittedError(f"{type(self).__name__} is not fitted: call fit first")
        return self.data_

    def _user_numbers(self, users: Sequence[Any]) -> Ints:
        wanted = pd.Index(users, dtype=object)
        if wanted.hasnans:
            raise ValueError("a user id is null")
        numbers = self._fitted().users.get_indexer(wanted)
        if (numbers < 0).any():
            unknown = wanted[numbers < 0]
            raise UnknownUserError(
                f"{len(unknown)} users were not there at fit, such as {unknown[0]!r}: wrap the "
                "recommender in FallbackRecommender"
            )
        return np.asarray(numbers, dtype=np.int64)

    def _item_numbers(self, items: Sequence[Any] | None) -> Ints:
        data = self._fitted()
        if items is None:
            return data.candidates()
        wanted = pd.Index(pd.unique(pd.Series(items, dtype=object)))
        numbers = data.items.get_indexer(wanted)
        if (numbers < 0).any():
            raise KeyError(
                f"{int((numbers < 0).sum())} candidates were not there at fit, such as "
                f"{wanted[numbers < 0][0]!r}: list them in `items`"
            )
        return np.asarray(numbers, dtype=np.int64)

    def get_params(self) -> dict[str, Any]:
        """The constructor's parameters, as given."""
        names = inspect.signature(type(self).__init__).parameters
        return {name: getattr(self, name) for name in names if name != "self"}

    def chosen_params(self) -> dict[str, Any]:
        """The constructor's parameters with what `fit` chose: the same method without a search."""
        self._fitted()
        return self.get_params() | self.chosen_

    def save(self, folder: Path | UPath | str) -> None:
        """Write the settings and what outlives the data, as JSON.

        What else was learnt is of single users' histories, which belong in tables that can be
        erased: `refresh` a loaded one with them. The same data give the same recommender again.

        Args:
            folder: Made when it is not there.
        """
        self._fitted()
        target = Path(folder) if isinstance(folder, str) else folder
        target.mkdir(parents=True, exist_ok=True)
        state = {"format": FORMAT, **self._describe()}
        (target / STATE_FILE).write_text(json.dumps(state, indent=1, allow_nan=False))

    @classmethod
    def load(cls, folder: Path | UPath | str) -> Self:
        """Read what `save` wrote; `refresh` it before it recommends.

        Raises:
            FileNotFoundError: The file is missing.
            ValueError: The file is of another format or kind.
        """
        source = Path(folder) if isinstance(folder, str) else folder
        with naming(source / STATE_FILE):
            state = json.loads((source / STATE_FILE).read_text())
            for name, expected in (("format", FORMAT), ("kind", cls.kind)):
                if state.get(name) != expected:
                    raise ValueError(
                        f"{source} has {name} {state.get(name)!r}, expected {expected!r}"
                    )
            return cls._of_description(state)

    def _describe(self) -> dict[str, Any]:
        """Kind, parameters and what outlives the data, as JSON data."""
        learnt = {name: getattr(self, name) for name in self.outlives_data}
        return {"kind": self.kind, "parameters": self.get_params(), "learnt": learnt}

    @classmethod
    def _of_description(cls, state: Mapping[str, Any]) -> Self:
        made = cls(**state["parameters"])
        for name, value in state["learnt"].items():
            setattr(made, name, value)
        return made


def _take_best(scores: Floats, items: Ints, best: Ints, value: Floats) -> None:
    """Write the highest scores of each row, best first; ties by place."""
    top = torch.topk(torch.from_numpy(scores), min(best.shape[1], len(items)), dim=1)
    place, high = top.indices.numpy(), top.values.numpy()
    # torch leaves ties in any order
    order = np.lexsort((place, -high), axis=1)
    place, high = np.take_along_axis(place, order, 1), np.take_along_axis(high, order, 1)
    width = place.shape[1]
    best[:, :width] = np.where(np.isneginf(high), NOTHING, items[place])
    value[:, :width] = high


def _enough_categories(
    scores: Floats,
    items: Ints,
    category: Ints,
    least: int,
    lists: tuple[Ints, Floats],
    by_rule: NDArray[np.bool_],
    n_categories: int,
) -> None:
    """Repair the lists that show too few categories."""
    best, value = lists
    shown = count_categories(best, category)
    rows = np.flatnonzero((shown < least) & (best[:, 0] >= 0))
    if not len(rows) or n_categories < 2:
        return
    top = np.full((len(rows), n_categories), NOTHING, dtype=np.int64)
    high = np.full(top.shape, -np.inf, dtype=np.float32)
    among = category[items]
    for c in range(n_categories):
        columns = np.flatnonzero(among == c)
        if len(columns):
            part = scores[rows[:, None], columns[None, :]]
            place = part.argmax(axis=1)
            high[:, c] = part[np.arange(len(rows)), place]
            top[:, c] = np.where(np.isneginf(high[:, c]), NOTHING, items[columns[place]])
    for i, row in enumerate(rows):
        length = int((best[row] >= 0).sum())
        before = dict(zip(best[row].tolist(), value[row].tolist(), strict=True))
        before |= dict(zip(top[i].tolist(), high[i].tolist(), strict=True))
        ranked, put_in = diversify(best[row, :length], top[i], high[i], category, least=least)
        best[row, :length], by_rule[row, :length] = ranked, put_in
        value[row, :length] = [before[int(item)] for item in ranked]


def _report(best: Ints, data: Dataset, least: int) -> None:
    short = int((best[:, -1] < 0).sum())
    if short:
        logger.warning("%d of %d lists hold fewer than %d items: no more are left for them",
                       short, len(best), best.shape[1])  # fmt: skip
    if least > 1:
        few = int((count_categories(best, data.category) < least).sum())
        if few:
            logger.warning(
                "%d of %d lists hold fewer than %d categories: their candidates have no more",
                few, len(best), least,
            )  # fmt: skip
