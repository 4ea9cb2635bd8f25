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

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice, pairwise
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.neighbors import NearestNeighbors

from engagement_assets.learning.counterfactuals import MOST_CHANGES
from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.explanations.explanation import as_text

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Predict = Callable[[pd.DataFrame], Floats]
Allowed = Callable[[pd.DataFrame], NDArray[np.bool_]]

# Changes of a row of which the refits are asked at once.
TRIED_AT_ONCE = 16
# Changed rows that a model predicts at once: more are no faster and take memory.
PREDICTED_AT_ONCE = 50_000


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
        self._space = _Space(X.reset_index(drop=True), self.plausible, self.levers)
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
        return self.search_many(pd.DataFrame([row]), predict, refits=refits)[0]

    def search_many(
        self, X: pd.DataFrame, predict: Predict, *, refits: Sequence[Predict] = ()
    ) -> list[Counterfactual | None]:
        """Return of each row what `search` returns.

        The rows are searched side by side, and a model predicts at once what all of them ask:
        many rows nearly as fast as one.

        Args:
            X: One row or more, with every feature of the reference rows.
            predict: The model, as in `search`.
            refits: The same model learnt from resamples.
        """
        rows = X[self._space.columns].astype(self._space.rows.dtypes.to_dict())
        changes = _Changes(self._space, self.levers, rows)
        searches = [self._searching(changes, as_it_is) for as_it_is in changes.unchanged]
        results: list[Counterfactual | None] = [None] * len(searches)
        asked = {number: next(search) for number, search in enumerate(searches)}
        while asked:
            answers: dict[int, Floats] = {}
            for by_refits, models in ((False, [predict]), (True, [predict, *refits])):
                numbers = [n for n, one in asked.items() if one.by_refits is by_refits]
                parts = [asked[number].sources for number in numbers]
                if parts:
                    ends = np.cumsum([len(part) for part in parts])[:-1]
                    together = _predicted(np.concatenate(parts), models, changes)
                    answers |= zip(numbers, np.split(together, ends, axis=1), strict=True)
            asked = {}
            for number, answer in answers.items():
                try:
                    asked[number] = searches[number].send(answer)
                except StopIteration as end:
                    results[number] = end.value
        return results

    def _searching(
        self, changes: _Changes, as_it_is: Places
    ) -> Generator[_Asked, Floats, Counterfactual | None]:
        """Search one row: give what must be predicted, be sent it by model, return the changes."""
        [now] = yield _Asked(as_it_is[None], by_refits=False)
        predicted = float(now[0])
        if self._reached(now)[0]:
            return None
        at = changes.encoded(as_it_is[None])
        similar = self._space.nearest(at, self.neighbours)
        for count in range(1, self.most_changes + 1):
            sources = changes.sources(as_it_is, similar, count)
            if not len(sources):
                continue
            [after] = yield _Asked(sources, by_refits=False)
            reached = self._reached(after)
            if self.allowed is not None:
                reached &= self.allowed(changes.rows(sources))
            good = np.flatnonzero(reached)
            near = self._by_distance(changes.encoded(sources[good]), at)
            while batch := list(islice(near, TRIED_AT_ONCE)):
                places = good[[place for place, _ in batch]]
                lines, ends = changes.beside(as_it_is, sources[places])
                by_model = [_moves(part, ends) for part in (yield _Asked(lines, by_refits=True))]
                for number, (place, (_, distance)) in enumerate(zip(places, batch, strict=True)):
                    way = float(after[place]) - predicted
                    moves = [parts[number] for parts in by_model]
                    if not all((parts * way > 0).all() for parts in moves):
                        continue
                    wholes = [float(parts[0]) for parts in moves[1:]]
                    levers = changes.levers(sources[place])
                    return Counterfactual(
                        levers=levers,
                        row=changes.rows(sources[[place]]).iloc[0],
                        before={
                            lever.feature: changes.values[lever.feature][as_it_is[-1]]
                            for lever in levers
                        },
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

    def _by_distance(self, encoded: Floats, at: Floats) -> Iterator[tuple[int, float]]:
        """Give the places of plausible rows and their distance from the row, the nearest first."""
        if not len(encoded):
            return
        distance = np.abs(encoded - at).mean(axis=1)
        plausible = self._space.plausible(encoded)
        for place in np.argsort(distance, kind="stable"):
            if plausible[place]:
                yield int(place), float(distance[place])


class _Asked(NamedTuple):
    """Changed copies that a search must know predictions of: the model's, or the refits' too."""

    sources: Places
    by_refits: bool


def _predicted(sources: Places, models: Sequence[Predict], changes: _Changes) -> Floats:
    """Return m x n predictions of n changed copies by m models."""
    parts = []
    for start in range(0, len(sources), PREDICTED_AT_ONCE):
        table = changes.rows(sources[start : start + PREDICTED_AT_ONCE])
        parts.append(np.array([predict(table) for predict in models], dtype=np.float64))
    return np.concatenate(parts, axis=1)


class _Changes:
    """Changed copies of rows, each with the features of some levers from reference rows.

    The reference rows and the rows to be changed are one table. A copy is a line of `sources`,
    places in that table: for each lever of the row that its features are taken from, and last of
    the row that is copied, which is also where a lever that stays takes them. So copies of many
    rows are made at once, and not one by one.
    """

    def __init__(self, space: _Space, levers: Sequence[Lever], rows: pd.DataFrame) -> None:
        both = pd.concat([space.rows, rows], ignore_index=True)
        self.values = {name: both[name].array for name in both}
        places = np.arange(len(space.rows), len(both))
        self.unchanged = np.repeat(places[:, None], len(levers) + 1, axis=1)
        self._levers = levers
        self._kinds = space.kinds
        self._numbers = {
            name: _numbers(both, name)
            for lever in levers
            for name in (lever.feature, *lever.lasting)
        }
        self._lever_of = dict.fromkeys(both, -1)
        self._lever_of |= {
            name: place for place, lever in enumerate(levers) for name in lever.features
        }
        self._encoded = np.concatenate([space.encoded, space.encode(rows)])
        self._lever_of_column = np.array([self._lever_of[name] for name in space.encodes])

    def sources(self, as_it_is: Places, similar: Places, count: int) -> Places:
        """Return every change of so many levers that moves all of them, each once."""
        own, levers = as_it_is[-1], range(len(self._levers))
        chosen = np.array(list(combinations(levers, count)), dtype=np.intp).reshape(-1, count)
        by_lever = np.array([self._moves(lever, own, similar) for lever in self._levers])
        moves = np.all(by_lever[chosen], axis=1)
        # of rows that would give the same values the first one
        kinds = np.unique(self._kinds[:, similar], return_inverse=True)[1]
        kinds = kinds.reshape(len(self._levers), -1)
        alike = np.zeros(moves.shape, dtype=np.int64)
        for lever in chosen.T:
            alike = alike * kinds.size + kinds[lever]
        alike[~moves] = -1
        order = alike.argsort(axis=1, kind="stable")
        ranked = np.take_along_axis(alike, order, axis=1)
        np.put_along_axis(moves, order, np.diff(ranked, axis=1, prepend=-1) != 0, axis=1)
        choice, place = np.nonzero(moves)
        sources = np.full((len(choice), len(as_it_is)), own)
        np.put_along_axis(sources, chosen[choice], similar[place, None], axis=1)
        return sources

    def _moves(self, lever: Lever, own: np.intp, similar: Places) -> NDArray[np.bool_]:
        """Return which similar rows lie on a lever's way from a row, and not below what lasts."""
        sign, numbers = 1.0 if lever.direction == "up" else -1.0, self._numbers[lever.feature]
        moves: NDArray[np.bool_] = sign * (numbers[similar] - numbers[own]) > 0  # false of a null
        for name in lever.lasting:
            moves &= ~(self._numbers[name][similar] < self._numbers[name][own])
        return moves

    def rows(self, sources: Places) -> pd.DataFrame:
        """Return the copies."""
        return pd.DataFrame(
            {
                name: values.take(sources[:, self._lever_of[name]])
                for name, values in self.values.items()
            }
        )

    def encoded(self, sources: Places) -> Floats:
        """Return the copies as `_Space.encode` does."""
        places = np.take(sources, self._lever_of_column, axis=1)
        encoded: Floats = self._encoded[places, np.arange(places.shape[1])]
        return encoded

    def levers(self, source: Places) -> tuple[Lever, ...]:
        """Return the levers that one copy moves."""
        return tuple(self._levers[int(place)] for place in np.flatnonzero(source != source[-1]))

    def beside(self, as_it_is: Places, sources: Places) -> tuple[Places, list[int]]:
        """Return the row, then each copy and it without each of its levers, and where those end."""
        lines, ends = [as_it_is], [1]
        for source in sources:
            lines.append(source)
            levers = np.flatnonzero(source != source[-1])
            # a single lever moves all there is
            for lever in levers if len(levers) > 1 else ():
                without = source.copy()
                without[lever] = source[-1]
                lines.append(without)
            ends.append(len(lines))
        return np.array(lines), ends


def _moves(predicted: Floats, ends: Sequence[int]) -> list[Floats]:
    """Return how far predictions of `_Changes.beside` move by all levers of a copy and by each."""
    return [
        predicted[start] - np.concatenate([predicted[:1], predicted[start + 1 : end]])
        for start, end in pairwise(ends)
    ]


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

    def __init__(self, rows: pd.DataFrame, plausible: float, levers: Sequence[Lever]) -> None:
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
        # the feature of each column of what is encoded
        self.encodes = [name for name in self._sorted for _ in range(2)]
        self.encodes += [name for name, kinds in self._values.items() for _ in kinds]
        self.encoded = self.encode(rows)
        self.kinds = np.array([_kinds(rows[list(lever.features)]) for lever in levers])
        moving = [name for lever in levers for name in lever.features]
        self._stays = ~np.isin(self.encodes, moving)
        self._staying = self.encoded[:, self._stays]
        own = NearestNeighbors(n_neighbors=1).fit(self.encoded).kneighbors()[0][:, 0]
        self._farthest = float(np.quantile(own, plausible))

    def encode(self, rows: pd.DataFrame) -> Floats:
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

    def nearest(self, at: Floats, count: int) -> Places:
        """Return the places of the reference rows most alike in what no lever changes."""
        apart = np.abs(self._staying - at[:, self._stays]).sum(axis=1)
        return np.argsort(apart, kind="stable")[:count]

    def plausible(self, encoded: Floats) -> NDArray[np.bool_]:
        """Return which copies of one row lie as near to a reference row as those to one another."""
        # what no lever changes they share: a reference row too far by that alone is near none
        apart = np.square(self._staying - encoded[0, self._stays]).sum(axis=1)
        near = self.encoded[apart <= self._farthest**2]
        if not len(near):
            return np.zeros(len(encoded), dtype=np.bool_)
        nearest: Floats = pairwise_distances_argmin_min(encoded, near)[1]
        return nearest <= self._farthest
