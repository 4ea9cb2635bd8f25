"""Rows by client, and how clients behave.

Belongs here: who has which rows, drops out, is slow. Does not belong here: what is learnt of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engagement_assets.learning.errors import TooLittleDataError

Batch = tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]


@dataclass(frozen=True, eq=False)
class Clients:
    """Rows of N clients, sorted by client.

    Args:
        inputs: n x d.
        labels: n of 0 and 1.
        starts: N + 1 places: client i has the rows from the i-th to the next.
        names: N names.
    """

    inputs: NDArray[np.floating]
    labels: NDArray[np.floating]
    starts: NDArray[np.intp]
    names: NDArray[np.object_]

    @classmethod
    def from_rows(cls, inputs: NDArray[np.floating], labels: ArrayLike, clients: ArrayLike) -> Self:
        """Sort n rows by the n names of their clients.

        Raises:
            ValueError: When an input is not finite or lengths differ.
            TooLittleDataError: When there are fewer than two clients.
        """
        target = np.asarray(labels, dtype=inputs.dtype)
        who = np.asarray(clients, dtype=object)
        if not len(inputs) == len(target) == len(who):
            raise ValueError(f"{len(inputs)} rows, {len(target)} labels, {len(who)} clients")
        if not np.isfinite(inputs).all():
            raise ValueError("an input is not finite")
        names, place = np.unique(who.astype(str), return_inverse=True)
        if len(names) < 2:
            raise TooLittleDataError(f"{len(names)} clients: a federation has two or more")
        order = np.argsort(place, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(place))]).astype(np.intp)
        return cls(inputs[order], target[order], starts, names.astype(object))

    def __len__(self) -> int:
        return len(self.names)

    @property
    def rows(self) -> NDArray[np.intp]:
        """Rows that each of the N clients has."""
        return np.diff(self.starts)

    def batch(self, taking_part: NDArray[np.intp]) -> Batch:
        """Return k clients' rows, each filled up to the longest with rows of weight 0."""
        count = self.rows[taking_part]
        place = self.starts[taking_part][:, None] + np.arange(count.max())
        there = np.arange(count.max()) < count[:, None]
        place = np.where(there, place, self.starts[taking_part][:, None])
        return self.inputs[place], self.labels[place], there.astype(self.inputs.dtype)


@dataclass(frozen=True, eq=False)
class Behaviour:
    """How clients that were asked answer.

    Args:
        drop_out: Chance of no answer; one number, or one a client (a device may be worse).
        median_seconds: Median time of an answer; one number, or one a client.
        spread: Standard deviation of the time's logarithm.
        deadline_seconds: Answers after it are not waited for; None to wait.
    """

    drop_out: float | NDArray[np.floating] = 0.0
    median_seconds: float | NDArray[np.floating] = 1.0
    spread: float = 0.5
    deadline_seconds: float | None = None

    def answering(
        self, asked: NDArray[np.intp], rng: np.random.Generator
    ) -> tuple[NDArray[np.intp], int, int]:
        """Return the clients that answer in time, how many dropped out, and how many were late."""
        chance, median = (
            np.broadcast_to(value, asked.shape) if np.ndim(value) == 0 else np.asarray(value)[asked]
            for value in (self.drop_out, self.median_seconds)
        )
        dropped = rng.random(len(asked)) < chance
        seconds = median * np.exp(self.spread * rng.standard_normal(len(asked)))
        late = ~dropped & (seconds > (self.deadline_seconds or np.inf))
        return asked[~dropped & ~late], int(dropped.sum()), int(late.sum())
