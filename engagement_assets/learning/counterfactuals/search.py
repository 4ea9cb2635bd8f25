"""The fewest plausible changes of a row after which a model would predict otherwise.

A lever is what somebody can change: a leading feature and all that moves with it. Its values are
taken together from one similar row, so what is derived from what (a week from a month, a mean from
a sum) agrees as it does in rows that exist. What belongs to no lever stays as it is.

Belongs here: levers, the search, and its words. Does not belong here: which features somebody can
change (whoever has the table knows) and what a change would truly bring: a prediction is no effect,
an experiment measures one.
"""

# ruff: noqa: N803 - X is scikit-learn's name for a table of features

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice, pairwise
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from engagement_assets.learning.counterfactuals import MOST_CHANGES
from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.explanations.explanation import as_text

Floats = NDArray[np.float64]
Predict = Callable[[pd.DataFrame], Floats]
Allowed = Callable[[pd.DataFrame], NDArray[np.bool_]]


# Changes of which the refits are asked at once.
TRIED_AT_ONCE = 16


@dataclass(frozen=True, kw_only=True)
class Lever:
    """What somebody can change.

    Attributes:
        feature: The number that leads, and in which the change is worded.
        with_it: Features that are derived from the same: they take the same row's values.
        direction: Which way it may be changed.
        words: A clause with `{before}` and `{after}`, such as "they post {after} times (now
            {before})".
        lasting: Those of its features that cannot fall, such as totals over a history.
    """

    feature: str
    direction: Literal["up", "down"]
    words: str
    with_it: tuple[str, ...] = ()
    lasting: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """All that it changes, the leading feature first."""
        return (self.feature, *self.with_it)


@dataclass(frozen=True)
class Counterfactual:
    """Changes of a row, and what the model would predict after them.

    Attributes:
        levers: What is changed, 1 to `MOST_CHANGES`.
        row: The changed row.
        before: Values of the leading features in the row as it is.
        predicted: What the model predicts of the row as it is.
        predicted_after: What it would predict.
        change_low: Least change of the prediction over the refits; the model's own without any.
        change_high: The greatest.
        refits: How many refits there were.
        distance: From the row as it is, in mean shares of reference rows passed a feature.
    """

    levers: tuple[Lever, ...]
    row: pd.Series
    before: Mapping[str, Any]
    predicted: float
    predicted_after: float
    change_low: float
    change_high: float
    refits: int
    distance: float

    @property
    def change(self) -> float:
        """The change of the model's prediction."""
        return self.predicted_after - self.predicted

    def words(self) -> str:
        """Return the changes and what the model would predict, as a sentence."""
        clauses = [
            lever.words.format(
                before=as_text(self.before[lever.feature]), after=as_text(self.row[lever.feature])
            )
            for lever in self.levers
        ]
        spread = (
            f" ({self.refits} refits change by {self.change_low:+.3f} to {self.change_high:+.3f})"
            if self.refits
            else ""
        )
        return (
            f"If {' and '.join(clauses)}, the model would predict {self.predicted_after:.3f} "
            f"instead of {self.predicted:.3f}{spread}."
        )


@dataclass(kw_only=True)
class CounterfactualSearch:
    """Searches plausible changes of few levers, over any model and table.

    Attributes:
        levers: What may be changed. No feature belongs to two.
        goal: The prediction to be reached.
        side: Whether the prediction is to be at most (`below`) or at least (`above`) the goal.
        most_changes: Most levers changed at once, `MOST_CHANGES` at most.
        neighbours: Rows whose values are tried: those most alike in what no lever changes.
        plausible: Share of the reference rows that lie as near to another as a changed row must
            lie to some.
        allowed: Says which changed rows hold further rules, such as a week's count being no more
            than the month's; None for no rule.
    """

    levers: Sequence[Lever]
    goal: float
    side: Literal["below", "above"]
    most_changes: int = MOST_CHANGES
    neighbours: int = 50
    plausible: float = 0.99
    allowed: Allowed | None = None
    _space: _Space = field(init=False, repr=False)

    def fit(self, X: pd.DataFrame) -> Self:
        """Keep the rows that show what is plausible.

        Args:
            X: n reference rows with every feature of the model.

        Raises:
            ValueError: A lever names a feature that X lacks or that another has, one leads that
                is no number, or `most_changes` is not 1 to `MOST_CHANGES`.
            TooLittleDataError: There are fewer than two rows.
        """
        named = [name for lever in self.levers for name in lever.features]
        missing = sorted(set(named) - set(X.columns))
        twice = sorted({name for name in named if named.count(name) > 1})
        texts = [
            lever.feature
            for lever in self.levers
            if lever.feature in X and not pd.api.types.is_numeric_dtype(X[lever.feature])
        ]
        if missing or twice or texts or not self.levers:
            raise ValueError(
                "levers must name features of X, each once, and lead by a number: missing "
                f"{missing}, in two levers {twice}, not numbers {texts}, {len(self.levers)} levers"
            )
        if not 1 <= self.most_changes <= MOST_CHANGES:
            raise ValueError(f"most_changes must be 1 to {MOST_CHANGES}, got {self.most_changes}")
        if len(X) < 2:
            raise TooLittleDataError(f"similar rows are sought among two or more, got {len(X)}")
        self._space = _Space(X.reset_index(drop=True), self.plausible, moving=named)
        return self

    def search(
        self, row: pd.Series, predict: Predict, *, refits: Sequence[Predict] = ()
    ) -> Counterfactual | None:
        """Return the fewest changes that reach the goal, of equally many the nearest to the row.

        Args:
            row: A row with every feature of the reference rows.
            predict: The model: from n rows to n predictions.
            refits: The same model learnt from resamples. A change counts only if every one of them
                moves the same way, by all levers and by each beside the others; their range is
                what is uncertain of it.

        Returns:
            The changes; None where no plausible change of so few levers reaches the goal, or where
            the row is there already.
        """
        as_it_is = pd.DataFrame([row[self._space.columns]]).reset_index(drop=True)
        as_it_is = as_it_is.astype(self._space.rows.dtypes.to_dict())
        predicted = float(predict(as_it_is)[0])
        if self._reached(np.array([predicted]))[0]:
            return None
        at = self._space.encoded(as_it_is)
        similar = self._space.nearest(at, self.neighbours)
        changes = _Changes(as_it_is, similar, self.levers)
        for count in range(1, self.most_changes + 1):
            sources = changes.sources(count)
            if not len(sources):
                continue
            rows = changes.rows(sources)
            after = np.asarray(predict(rows), dtype=np.float64)
            good = self._reached(after)
            if self.allowed is not None:
                good &= self.allowed(rows)
            near = self._by_distance(rows, at, np.flatnonzero(good))
            # together: a model predicts many rows nearly as fast as one
            while batch := list(islice(near, TRIED_AT_ONCE)):
                by_model = changes.moves((predict, *refits), sources[[place for place, _ in batch]])
                for number, (place, distance) in enumerate(batch):
                    way = after[place] - predicted
                    moves = [parts[number] for parts in by_model]
                    if not all((parts * way > 0).all() for parts in moves):
                        continue
                    wholes = [float(parts[0]) for parts in moves[1:]]
                    levers = changes.levers(sources[place])
                    return Counterfactual(
                        levers=levers,
                        row=rows.iloc[place],
                        before={lever.feature: as_it_is[lever.feature][0] for lever in levers},
                        predicted=predicted,
                        predicted_after=float(after[place]),
                        change_low=min(wholes, default=way),
                        change_high=max(wholes, default=way),
                        refits=len(wholes),
                        distance=distance,
                    )
        return None

    def _reached(self, predictions: Floats) -> NDArray[np.bool_]:
        return predictions <= self.goal if self.side == "below" else predictions >= self.goal

    def _by_distance(
        self, rows: pd.DataFrame, at: Floats, good: NDArray[np.intp]
    ) -> Iterator[tuple[int, float]]:
        """Give the places of plausible rows and their distance from the row, the nearest first."""
        if not good.size:
            return
        encoded = self._space.encoded(rows.iloc[good])
        distance = np.abs(encoded - at).mean(axis=1)
        plausible = self._space.plausible(encoded)
        for place in np.argsort(distance, kind="stable"):
            if plausible[place]:
                yield int(good[place]), float(distance[place])


class _Changes:
    """Changed copies of a row, each with the features of some levers from similar rows.

    A copy is a line of `sources`: for each lever the place of the similar row that its features are
    taken from, or -1 where they stay. So rows are made many at once, and not one by one.
    """

    def __init__(self, row: pd.DataFrame, similar: pd.DataFrame, levers: Sequence[Lever]) -> None:
        self._row = row
        self._levers = levers
        # the row itself comes last, which is what -1 takes
        both = pd.concat([similar, row], ignore_index=True)
        self._values = [{name: both[name].array for name in lever.features} for lever in levers]
        self._moved = np.array([_moved(row, similar, lever) for lever in levers])
        self._kinds = np.array([_kinds(similar[list(lever.features)]) for lever in levers])

    def sources(self, count: int) -> NDArray[np.intp]:
        """Return every change of so many levers that moves all of them, each once."""
        parts = [np.empty((0, len(self._levers)), dtype=np.intp)]
        for chosen in combinations(range(len(self._levers)), count):
            levers = list(chosen)
            places = np.flatnonzero(self._moved[levers].all(axis=0))
            kinds = self._kinds[levers][:, places]
            # of rows that would give the same values the first one
            alike = np.zeros(len(places), dtype=np.int64)
            for kind in kinds:
                alike = alike * self._kinds.shape[1] + kind
            first = np.sort(np.unique(alike, return_index=True)[1])
            part = np.full((len(first), len(self._levers)), -1, dtype=np.intp)
            part[:, levers] = places[first, None]
            parts.append(part)
        return np.concatenate(parts)

    def rows(self, sources: NDArray[np.intp]) -> pd.DataFrame:
        """Return the changed copies."""
        same = self._row.iloc[np.zeros(len(sources), dtype=int)].reset_index(drop=True)
        moved = np.flatnonzero((sources >= 0).any(axis=0))
        taken = {
            name: values.take(sources[:, lever])
            for lever in moved
            for name, values in self._values[lever].items()
        }
        return same.assign(**taken)

    def levers(self, source: NDArray[np.intp]) -> tuple[Lever, ...]:
        """Return the levers that one copy moves."""
        return tuple(self._levers[int(place)] for place in np.flatnonzero(source >= 0))

    def moves(
        self, models: Sequence[Predict], sources: NDArray[np.intp]
    ) -> list[list[NDArray[np.float64]]]:
        """Return how far each model's prediction moves by all levers of each copy, then by each."""
        lines, ends = [np.full(sources.shape[1], -1, dtype=np.intp)], [1]
        for source in sources:
            lines.append(source)
            levers = np.flatnonzero(source >= 0)
            # a single lever moves all there is
            for lever in levers if len(levers) > 1 else ():
                without = source.copy()
                without[lever] = -1
                lines.append(without)
            ends.append(len(lines))
        table = self.rows(np.array(lines))
        by_model = [np.asarray(predict(table), dtype=np.float64) for predict in models]
        return [
            [
                predicted[start] - np.concatenate([predicted[:1], predicted[start + 1 : end]])
                for start, end in pairwise(ends)
            ]
            for predicted in by_model
        ]


def _moved(row: pd.DataFrame, similar: pd.DataFrame, lever: Lever) -> NDArray[np.bool_]:
    """Return which similar rows lie on a lever's way from the row, and not below what lasts."""
    sign = 1.0 if lever.direction == "up" else -1.0
    there, here = _numbers(similar, lever.feature), _numbers(row, lever.feature)[0]
    moves: NDArray[np.bool_] = sign * (there - here) > 0  # false of a null
    for name in lever.lasting:
        moves &= ~(_numbers(similar, name) < _numbers(row, name)[0])
    return moves


def _numbers(rows: pd.DataFrame, name: str) -> Floats:
    return rows[name].to_numpy(dtype=float, na_value=np.nan)


def _kinds(rows: pd.DataFrame) -> NDArray[np.int64]:
    """Return a number for each of n rows, less than n, that equal rows share; nulls are equal."""
    kinds = np.zeros(len(rows), dtype=np.int64)
    for name in rows:
        codes = pd.factorize(rows[name])[0] + 1
        kinds = pd.factorize(kinds * (len(rows) + 1) + codes)[0]
    return kinds


class _Space:
    """Reference rows by their ranks: a number's share of lesser values, a category's columns."""

    def __init__(self, rows: pd.DataFrame, plausible: float, *, moving: Sequence[str]) -> None:
        self.rows = rows
        self.columns = list(rows.columns)
        self._sorted = {
            name: np.sort(rows[name].dropna().to_numpy(dtype=float))
            for name in self.columns
            if pd.api.types.is_numeric_dtype(rows[name])
        }
        self._values = {
            name: sorted(rows[name].dropna().astype(str).unique())
            for name in self.columns
            if name not in self._sorted
        }
        names = [name for name in self._sorted for _ in range(2)]
        names += [name for name, kinds in self._values.items() for _ in kinds]
        self._stays = ~np.isin(names, list(moving))
        encoded = self.encoded(rows)
        self._staying = encoded[:, self._stays]
        self._index = NearestNeighbors().fit(encoded)
        own = self._index.kneighbors(n_neighbors=1)[0][:, 0]
        self._farthest = float(np.quantile(own, plausible))

    def encoded(self, rows: pd.DataFrame) -> Floats:
        """Return n x c ranks; a null lies in the middle and one away in a column of its own."""
        parts: list[Floats] = []
        for name, known in self._sorted.items():
            values = rows[name].to_numpy(dtype=float, na_value=np.nan)
            null = np.isnan(values)
            below = np.searchsorted(known, values, "left") + np.searchsorted(known, values, "right")
            rank = below / (2.0 * max(len(known), 1))
            parts += [np.where(null, 0.5, rank), null.astype(float)]
        for name, kinds in self._values.items():
            texts = rows[name].astype(str).to_numpy()
            parts += [(texts == kind).astype(float) / 2 for kind in kinds]
        return np.column_stack(parts)

    def nearest(self, at: Floats, count: int) -> pd.DataFrame:
        """Return the reference rows that are most alike in what no lever changes."""
        apart = np.abs(self._staying - at[:, self._stays]).sum(axis=1)
        return self.rows.iloc[np.argsort(apart, kind="stable")[:count]]

    def plausible(self, encoded: Floats) -> NDArray[np.bool_]:
        """Return which rows lie as near to a reference row as those lie to one another."""
        nearest: Floats = self._index.kneighbors(encoded, n_neighbors=1)[0][:, 0]
        return nearest <= self._farthest
