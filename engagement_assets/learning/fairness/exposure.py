"""Re-rank lists so that the items of every group of authors get the exposure that they are due.

Belongs here: the least shares of groups in the lists, fitted on some readers, and re-ranking by
them. Does not belong here: recommenders and the report on exposure (`measures`).

After DetGreedy (Geyik, Ambler and Kenthapadi, KDD 2019): of the first r places of each list at
least the share p of a group, rounded, go to its items, the best of them first; else the order
stays. What rounding leaves is spread over readers: each has a position in [0, 1) by which shares
are rounded, so that a group of 5 % has one of ten first places with every second reader and not
none. The shares are raised, on readers set aside, until a group's exposure reaches what its
attention is due; where the report on their lists has no failure, nothing is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from engagement_assets.learning import markdown
from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.ranking import Ints
from engagement_assets.learning.fairness.groups import group_names
from engagement_assets.learning.fairness.judging import Side, fairness_report
from engagement_assets.learning.fairness.measures import ATTENTION, EXPOSURE, exposure_side
from engagement_assets.learning.fairness.mitigation import MIN_GROUP_SIZE
from engagement_assets.learning.json_data import JsonData

# Groups with less of what is due are raised, up to what is due.
_UNDER = 0.9
_ROUNDS = 20
_MOST_SHARE = 0.95


@dataclass(frozen=True)
class ExposureShares(JsonData):
    """The least share of places that go to a group's items.

    Attributes:
        shares: For a column and group of authors, its share.
    """

    shares: dict[str, dict[str, float]]

    @property
    def words(self) -> str:
        """What is done, for people."""
        least = "; ".join(
            f"{column}={markdown.inline(group)} {share:.1%}"
            for column, groups in self.shares.items()
            for group, share in groups.items()
        )
        if not least:
            return "No group of authors has less exposure than its attention is due: lists stay."
        return f"Of the places in the lists, rounded, at least these go to authors of: {least}."

    def rerank(self, lists: Ints, author: Ints, sensitive: pd.DataFrame, positions: Floats) -> Ints:
        """Return n x k lists in another order.

        Args:
            lists: Items, best first; -1 where a list has no more.
            author: Number of the author of each item; -1 unknown.
            sensitive: A row for each author by number.
            positions: n positions of the readers in [0, 1), the same for a reader every time.
        """
        if not self.shares or not len(lists):
            return lists
        groups = [(c, g, s) for c, by_group in self.shares.items() for g, s in by_group.items()]
        names = {column: group_names(sensitive[column]) for column in self.shares}
        known = np.r_[author, -1][lists]  # the last for places without an item
        member = np.stack([(known >= 0) & (names[c][known] == g) for c, g, _ in groups], axis=-1)
        # groups are rounded apart, else all would be rounded up for the same readers
        offsets = (positions[:, None] + np.arange(len(groups)) / len(groups)) % 1.0
        share = np.array([s for _, _, s in groups])
        free, filled = lists >= 0, np.zeros((len(lists), len(groups)))
        out = np.full_like(lists, -1)
        everybody = np.arange(len(lists))
        for place in range(lists.shape[1]):
            short = filled < np.floor(share * (place + 1) + offsets)
            helps = (member & short[:, None, :]).sum(axis=-1) * free
            # the best of the items that most groups lack; where none is lacked, the best of all
            first = np.argmax(np.where(free, helps + 1, 0), axis=1)
            more = free.any(axis=1)
            out[more, place] = lists[more, first[more]]
            filled[more] += member[everybody[more], first[more]]
            free[everybody[more], first[more]] = False
        return out


def fit_exposure(  # noqa: PLR0913 - the data of two sides
    lists: Ints,
    relevant: sp.csr_matrix,
    positions: Floats,
    *,
    candidates: Ints,
    author: Ints,
    author_sensitive: pd.DataFrame,
    attributes: Sequence[str],
    k: int = 10,
    min_group_size: int = MIN_GROUP_SIZE,
) -> ExposureShares:
    """Find the least shares under which no group of authors has less exposure than it is due.

    Args:
        lists: n x at least k items, best first, for readers whom the shares are fitted on; those
            beyond the first k can come up.
        relevant: n x m, not 0 where a reader turned to the item later.
        positions: n positions of the readers in [0, 1).
        candidates: The items that could be shown.
        author: Number of the author of each of m items; -1 unknown.
        author_sensitive: A row for each author by number, with the columns.
        attributes: The columns to even out, together.
        k: Length of the lists that are judged.
        min_group_size: Smallest group that is raised, in authors.

    Raises:
        ValueError: When a column is missing.
    """
    missing = [column for column in attributes if column not in author_sensitive.columns]
    if missing:
        raise ValueError(f"sensitive columns are missing: {missing}")

    def measured(order: Ints) -> Side:
        return exposure_side(order[:, :k], relevant, candidates, author, author_sensitive)

    first = measured(lists)
    report = fairness_report(
        [first], attributes=attributes, min_group_size=min_group_size, n_bootstrap=1
    )
    shares: dict[str, dict[str, float]] = {}
    if report.passes:
        return ExposureShares(shares)
    ratios = _ratios(first, attributes, min_group_size)
    failing = {(row.attribute, row.group) for row in report.rows if row.fails}
    # where it is a group with too much that fails, all others have too little
    hidden = {key for key in failing if ratios[key][0] < 1.0} or set(ratios)
    order = lists
    for _ in range(_ROUNDS):
        raised = False
        for key, (exposed, attention) in _ratios(
            measured(order), attributes, min_group_size
        ).items():
            due = min(1.0, attention)
            sunk = exposed < _UNDER * ratios[key][0]
            if not (exposed < _UNDER * due and (key in hidden or sunk)):
                continue
            column, group = key
            now = shares.get(column, {}).get(group)
            if now is None:
                now = max(_share(order[:, :k], author, author_sensitive[column], group), 1e-3)
            # no more at once than doubling: the first places count most
            share = min(_MOST_SHARE, now * min(2.0, due / max(exposed, 1e-9)))
            raised |= share > now
            shares.setdefault(column, {})[group] = share
        if not raised:
            break
        order = ExposureShares(shares).rerank(lists, author, author_sensitive, positions)
    return ExposureShares(shares)


def _ratios(
    side: Side, attributes: Sequence[str], min_group_size: int
) -> dict[tuple[str, str], tuple[float, float]]:
    """Each group's exposure to that of the others, and its attention to theirs; NaN for no ratio.

    Groups that are too small, or all there is, are left out.
    """
    values = {measure.name: measure.values for measure in side.measures}
    out = {}
    for column in attributes:
        names = group_names(side.people[column])
        for group in np.unique(names):
            own = names == group
            if own.sum() >= min_group_size and not own.all():
                both = (_ratio(values[name], own) for name in (EXPOSURE, ATTENTION))
                out[column, str(group)] = (next(both), next(both))
    return out


def _ratio(values: Floats, own: NDArray[np.bool_]) -> float:
    others = float(values[~own].mean())
    return float(values[own].mean()) / others if others > 0.0 else np.nan


def _share(lists: Ints, author: Ints, column: pd.Series, group: str) -> float:
    """Share of places that a group's items have."""
    writers = author[lists[lists >= 0]]
    names = group_names(column)[writers[writers >= 0]]
    return float((names == group).mean()) if len(names) else 0.0
