"""Interactions set aside within the training rows: what parameters and weights are chosen on.

Belongs here: which interactions are set aside, NDCG on them, the search of parameters. Does not
belong here: the estimators, and how a finished recommender is judged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
import torch

from engagement_assets.learning.evaluation.ranking import user_metrics
from engagement_assets.learning.recommendation.data import Dataset, Floats, Ints

logger = logging.getLogger(__name__)

FEWEST_CHOICES = 20
SHARE = 0.2
K = 10
# Users and items that are judged at once make at most so many scores, 80 MB a method.
_SCORES = 20_000_000
_MOST_USERS = 2_000


class Scorer(Protocol):
    """What a recommender must do to be searched (`recommender.Recommender`)."""

    def fit_dataset(self, data: Dataset) -> Scorer:
        """Learn."""

    def score_block(self, users: Ints, items: Ints) -> Floats:
        """Scores of some users (rows) and items (columns)."""


@dataclass(frozen=True)
class Rehearsal:
    """Choices set aside, and what is known without them.

    Attributes:
        earlier: What is known.
        users: User of each of c choices: first uses of an item among those set aside.
        items: Item of each.
        pool: Items that could be recommended.
        random_state: Seed of samples.
    """

    earlier: Dataset
    users: Ints
    items: Ints
    pool: Ints
    random_state: int

    @property
    def enough(self) -> bool:
        """Whether there are choices enough to learn from."""
        return len(self.users) >= FEWEST_CHOICES and len(self.pool) > 1

    def reduced(self, *, items: int | None = None, interactions: int | None = None) -> Rehearsal:
        """Limit to the most used items, or to some users of about so many interactions.

        Whole users go, so that how much each of the others has done is as it was.
        """
        earlier, keep = self.earlier, np.ones(len(self.users), dtype=bool)
        if interactions is not None and len(earlier.user) > interactions:
            rng = np.random.default_rng([self.random_state, 4])
            chosen = rng.random(earlier.shape[0]) < interactions / len(earlier.user)
            earlier, keep = earlier.rows(chosen[earlier.user]), chosen[self.users]
        used = earlier.people()
        if items is not None and np.count_nonzero(used) > items:
            among = np.zeros(len(used), dtype=bool)
            among[np.argsort(-used, kind="stable")[:items]] = True
            earlier, keep = earlier.rows(among[earlier.item]), keep & among[self.items]
        if earlier is self.earlier:
            return self
        pool = np.intersect1d(self.pool, earlier.item)
        keep &= np.isin(self.items, pool)
        return replace(
            self, earlier=earlier, users=self.users[keep], items=self.items[keep], pool=pool
        )


def rehearse(
    data: Dataset, *, days: float | None = None, share: float = SHARE, random_state: int = 0
) -> Rehearsal:
    """Set interactions aside.

    Those of the last `days`, or of the data's horizon; without, the latest `share` of them where
    items have a moment of publication, whose age then counts, and else a random `share`, as in a
    table without times. Where the latest ones hold too few choices of users with a past, a random
    share is set aside.
    """
    days = data.horizon_days if days is None else days
    rng = np.random.default_rng([random_state, 1])
    start = None
    if days is not None:
        start = data.as_of - days
    elif np.isfinite(data.published).any() and len(data.day):
        start = float(np.quantile(data.day, 1.0 - share))
    if start is not None:
        late = _rehearsal(data, data.day >= start, data.before(start), random_state)
        if late.enough:
            return late
        logger.info(
            "The last %.3g days hold %d first uses by users with a past, under %d: a random "
            "%.0f %% of the interactions is set aside instead",
            data.as_of - start, len(late.users), FEWEST_CHOICES, 100 * share,
        )  # fmt: skip
    aside = rng.random(len(data.user)) < share
    return _rehearsal(data, aside, data.rows(~aside), random_state)


def _rehearsal(data: Dataset, aside: Any, earlier: Dataset, random_state: int) -> Rehearsal:
    width = np.int64(data.shape[1])
    pool = earlier.candidates()
    key = np.unique(data.user[aside] * width + data.item[aside])
    key = key[~np.isin(key, np.unique(earlier.user * width + earlier.item))]
    key = key[np.isin(key % width, pool)]
    # Of users without a past only popularity could be learnt.
    key = key[np.isin(key // width, earlier.user)]
    return Rehearsal(earlier, key // width, key % width, pool, random_state)


class Judge:
    """Measure scores on the choices of a rehearsal.

    Args:
        on: The rehearsal; it has choices.

    Attributes:
        users: The users who are judged.
        pool: The items that are ranked for them.
    """

    def __init__(self, on: Rehearsal) -> None:
        data, pool = on.earlier, on.pool
        users = np.unique(on.users)
        most = max(FEWEST_CHOICES, min(_MOST_USERS, _SCORES // len(pool)))
        if len(users) > most:
            rng = np.random.default_rng([on.random_state, 3])
            users = np.sort(rng.choice(users, most, replace=False))
        self.users, self.pool = users, pool
        place = np.full(data.shape[1], -1, dtype=np.int64)
        place[pool] = np.arange(len(pool))
        judged = np.isin(on.users, users)
        row = np.searchsorted(users, on.users[judged])
        self._relevant = sp.csr_matrix(
            (np.ones(len(row), dtype=np.float32), (row, place[on.items[judged]])),
            shape=(len(users), len(pool)),
        )
        seen = data.seen_matrix()[users][:, pool].tocoo()
        own = (data.own[users] >= 0)[:, None] & (data.author[pool] == data.own[users][:, None])
        self._barred = own
        self._barred[seen.row, seen.col] = True

    def ndcg(self, scores: Floats) -> float:
        """Mean NDCG at 10; what the user had seen or written is left out."""
        shown = np.where(self._barred, np.float32(-np.inf), scores)
        top = torch.topk(torch.from_numpy(shown), min(K, shown.shape[1]), dim=1).indices.numpy()
        return float(user_metrics(top, self._relevant, k=K).values["ndcg"].mean())


def search(
    make: Callable[..., Scorer], grid: Mapping[str, Sequence[float]], on: Rehearsal, *, name: str
) -> dict[str, float]:
    """Choose parameters by NDCG on what is set aside, one after the other.

    Each parameter starts in the middle of its values and moves while NDCG rises, so that a handful
    of fits is enough. The work is bounded by the size of the rehearsal and not by a clock, since
    the same seed must choose the same values on any machine.

    Args:
        make: Makes the recommender of the parameters.
        grid: Values of each parameter, in ascending order.
        on: The rehearsal (see `Rehearsal.reduced`).
        name: Name of the method, for the log.
    """
    chosen = {name: values[len(values) // 2] for name, values in grid.items()}
    if not on.enough:
        logger.info(
            "%s: %d first uses set aside are too few to choose by: %s", name, len(on.users), chosen
        )
        return chosen
    judge = Judge(on)
    measured: dict[tuple[float, ...], float] = {}

    def ndcg(changed: Mapping[str, float]) -> float:
        tried = chosen | dict(changed)
        key = tuple(tried.values())
        if key not in measured:
            measured[key] = judge.ndcg(
                make(**tried).fit_dataset(on.earlier).score_block(judge.users, judge.pool)
            )
        return measured[key]

    for parameter, values in grid.items():
        place = len(values) // 2
        for step in (-1, 1):
            while 0 <= place + step < len(values) and ndcg(
                {parameter: values[place + step]}
            ) > ndcg({parameter: values[place]}):
                place += step
        chosen[parameter] = values[place]
    logger.info(
        "%s: %s chosen of %d by NDCG@%d %.4f on %d users' interactions set aside",
        name, chosen, len(measured), K, ndcg({}), len(judge.users),
    )  # fmt: skip
    return chosen
