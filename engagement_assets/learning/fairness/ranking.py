"""Whether ranked lists are as good, and show as much, for one group of people as for another.

Belongs here: quality and exposure by group, the 80 % rule on them, the report. Does not belong
here: making lists, metrics themselves (`ranking`), flags of a classifier (`fairness`).

Two sides are judged. Customers: how well their lists foresee what they turn to (NDCG, recall), how
long the lists are and how many categories they hold; how unusual the shown items are is reported
and not judged, as it is no good in itself. Authors, where known: the exposure of their items, each
place of a list counting 1 / log2(rank + 1) (Singh and Joachims, Fairness of Exposure in Rankings,
KDD 2018); an author's items are not independent, so the unit is the author. Exposure is owed by
merit: what a group's items are turned to later (attention) says how much of it is due, since groups
may truly be followed less. A group fails when its mean is under four fifths of the highest group's
and the difference is beyond chance by Welch's test and by a permutation test, Holm-corrected over
the groups and the judged measures of a column.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student

from engagement_assets.learning.evaluation.bootstrap import Interval, interval
from engagement_assets.learning.evaluation.ranking import (
    Floats,
    Ints,
    resample_counts,
    user_metrics,
)
from engagement_assets.learning.fairness.classification import FOUR_FIFTHS, group_names, holm

CUSTOMER_MEASURES = ("ndcg", "recall", "items_shown", "categories_shown", "novelty")
AUTHOR_MEASURES = ("exposure", "attention")
NOT_JUDGED = frozenset({"novelty", "attention"})
# What a judged measure is due by, where that is known: its own merit.
DUE_BY = {"exposure": "attention"}
_ROUNDING = 1e-9
# Where Welch's test is not below this, no permutation is asked.
_CLEAR = 0.05
_PERMUTATIONS, _AT_ONCE = 4_000, 100


@dataclass(frozen=True)
class GroupMeans:
    """What one group gets.

    Attributes:
        group: Its value in the column, or "unknown".
        people: Its size.
        means: Mean of each measure; None where it is not known of anybody.
        ratios: Mean over that of the highest judged group; empty where not compared.
        p_values: Holm-corrected p-values of those differences.
        judged: Whether it is large enough to be judged.
        fails: The measures for which the 80 % rule fails.
    """

    group: str
    people: int
    means: dict[str, Interval | None]
    ratios: dict[str, float]
    p_values: dict[str, float]
    judged: bool
    fails: tuple[str, ...]


@dataclass(frozen=True)
class ColumnRankingFairness:
    """The groups of one sensitive column, of customers or of authors.

    Attributes:
        side: `customers` or `authors`.
        column: Its name.
        groups: Its groups by name.
        parity: Least over greatest mean of the judged groups, by measure.
        notes: What was not judged and why.
    """

    side: str
    column: str
    groups: tuple[GroupMeans, ...]
    parity: dict[str, Interval]
    notes: tuple[str, ...]

    @property
    def judged(self) -> bool:
        """Whether at least two groups were compared."""
        return any(group.p_values for group in self.groups)


@dataclass(frozen=True)
class RankingFairnessReport:
    """Fairness of lists by every sensitive column that is there.

    Attributes:
        columns: One entry a side and column.
        missing_columns: Columns that were asked for and are not in the data.
        min_group_size: Smallest group that is judged, in people.
        alpha: Significance level of the test.
        k: Length of the lists.
        customers: Number of customers.
    """

    columns: tuple[ColumnRankingFairness, ...]
    missing_columns: tuple[str, ...]
    min_group_size: int
    alpha: float
    k: int
    customers: int

    @property
    def failures(self) -> list[str]:
        """What fails, one sentence each."""
        return [
            f"{entry.side} by {entry.column}={group.group}: {measure} "
            f"{_value(group, measure):.4f}, {group.ratios[measure]:.2f} of the highest group "
            f"(p={group.p_values[measure]:.2g}, {group.people} people)"
            for entry in self.columns
            for group in entry.groups
            for measure in group.fails
        ]

    @property
    def passes(self) -> bool:
        """Whether no judged group fails. See `judged` for whether any was."""
        return not self.failures

    @property
    def judged(self) -> bool:
        """Whether the groups of at least one column were compared."""
        return any(entry.judged for entry in self.columns)

    @property
    def notes(self) -> list[str]:
        """What was not judged and why, over all columns."""
        missing = [f"{c}: not judged, the column is missing" for c in self.missing_columns]
        return missing + [f"{c.side} by {c.column}: {n}" for c in self.columns for n in c.notes]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON data."""
        return {
            "passes": self.passes,
            "judged": self.judged,
            "failures": self.failures,
            "notes": self.notes,
            "missing_columns": list(self.missing_columns),
            "min_group_size": self.min_group_size,
            "alpha": self.alpha,
            "k": self.k,
            "customers": self.customers,
            "columns": [asdict(entry) | {"judged": entry.judged} for entry in self.columns],
        }

    def to_markdown(self) -> str:
        """Return the report for people: the verdict, then one table a side and column."""
        verdict = "passes" if self.passes else "**fails**"
        if not self.judged:
            verdict = "was **not judged**: no column has two groups that are large enough"
        lines = [
            f"The 80 % rule on lists of {self.k} {verdict} ({self.customers:,} customers; groups "
            f"of at least {self.min_group_size} are judged, significance {self.alpha:g} after "
            "Holm)."
        ]
        lines += [f"- Fails: {failure}" for failure in self.failures]
        lines += [f"- Note: {note}" for note in self.notes]
        for entry in self.columns:
            lines += ["", *_column_markdown(entry)]
        return "\n".join(lines)


def ranking_fairness(  # noqa: PLR0913 - the data of two sides, and the settings of a report
    lists: Ints,
    relevant: sp.csr_matrix,
    sensitive: pd.DataFrame,
    *,
    columns: Sequence[str],
    category: ArrayLike,
    popularity: ArrayLike,
    candidates: Ints | None = None,
    author: ArrayLike | None = None,
    author_sensitive: pd.DataFrame | None = None,
    k: int = 10,
    min_group_size: int = 100,
    alpha: float = 0.05,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> RankingFairnessReport:
    """Report and judge lists by group.

    Args:
        lists: n x at least k items, best first; -1 where a list has no more.
        relevant: n x m, not 0 where the customer turned to the item later.
        sensitive: n rows with the sensitive columns, in the order of the lists.
        columns: The columns to report; one that is not there is named as missing.
        category: Category of each of m items; -1 unknown.
        popularity: Interactions of each of m items before the lists were made.
        candidates: The items that could be shown; with `author` and `author_sensitive` the
            authors' side is reported too.
        author: Number of the author of each of m items; -1 unknown.
        author_sensitive: A row for each author by number, with the sensitive columns.
        k: Length of the lists that are judged.
        min_group_size: Smallest group that is judged, in people.
        alpha: Significance level of the test after Holm's correction.
        n_bootstrap: Number of resamples of the people.
        seed: Seed of the resamples.

    Raises:
        ValueError: The inputs differ in length, or nobody has a relevant item.
    """
    if len(lists) != len(sensitive):
        raise ValueError(f"{len(lists)} lists but {len(sensitive)} sensitive rows")
    shown = lists[:, :k]
    measures = _customer_measures(shown, relevant, category, popularity, k)
    sides: list[tuple[str, pd.DataFrame, Mapping[str, Floats]]] = [
        ("customers", sensitive, measures)
    ]
    if candidates is not None and author is not None and author_sensitive is not None:
        writers, gets = _author_measures(shown, relevant, candidates, np.asarray(author))
        rows = author_sensitive.iloc[writers].reset_index(drop=True)
        sides.append(("authors", rows, gets))
    entries = [
        _column(side, column, group_names(table[column]), values, min_group_size, alpha,
                np.random.SeedSequence([seed, i, j]).generate_state(1)[0], n_bootstrap)
        for i, (side, table, values) in enumerate(sides)
        for j, column in enumerate(columns)
        if column in table.columns
    ]  # fmt: skip
    return RankingFairnessReport(
        columns=tuple(entries),
        missing_columns=tuple(c for c in columns if c not in sensitive.columns),
        min_group_size=min_group_size,
        alpha=alpha,
        k=k,
        customers=len(lists),
    )


def _customer_measures(
    lists: Ints, relevant: sp.csr_matrix, category: ArrayLike, popularity: ArrayLike, k: int
) -> dict[str, Floats]:
    """N values of each measure; quality is NaN for customers without a relevant item."""
    found = user_metrics(lists, relevant, k=k)
    kinds, there = np.asarray(category, dtype=np.int64), lists >= 0
    among = np.sort(np.where(there, kinds[lists], -1), axis=1)
    fresh = np.ones_like(among, dtype=bool)
    fresh[:, 1:] = among[:, 1:] != among[:, :-1]
    mass = np.asarray(popularity, dtype=np.float64) + 1.0
    unusual = -np.log2(mass / mass.sum())
    count = there.sum(axis=1)
    out = {name: np.full(len(lists), math.nan) for name in ("ndcg", "recall")}
    for name, values in out.items():
        values[found.rows] = found.values[name]
    with np.errstate(invalid="ignore"):
        novelty = np.where(there, unusual[lists], 0.0).sum(axis=1) / count
    return out | {
        "items_shown": count.astype(np.float64),
        "categories_shown": (fresh & (among >= 0)).sum(axis=1).astype(np.float64),
        "novelty": novelty,
    }


def _author_measures(
    lists: Ints, relevant: sp.csr_matrix, candidates: Ints, author: Ints
) -> tuple[Ints, dict[str, Floats]]:
    """The authors of the candidates, and what a candidate of theirs gets on average.

    Exposure is what the lists give it, attention how many of the customers turned to it later.
    """
    worth = np.broadcast_to(1.0 / np.log2(np.arange(2, lists.shape[1] + 2)), lists.shape)
    there = lists >= 0
    exposure = np.bincount(lists[there], weights=worth[there], minlength=len(author))
    attention = np.bincount(relevant.indices, minlength=len(author)).astype(np.float64)
    known = candidates[author[candidates] >= 0]
    writers, place = np.unique(author[known], return_inverse=True)
    count = np.bincount(place)
    return writers.astype(np.int64), {
        name: np.bincount(place, weights=values[known]) / count
        for name, values in (("exposure", exposure), ("attention", attention))
    }


def _column(
    side: str,
    column: str,
    groups: NDArray[np.object_],
    measures: Mapping[str, Floats],
    min_group_size: int,
    alpha: float,
    seed: int,
    n_bootstrap: int,
) -> ColumnRankingFairness:
    names = sorted(set(groups.tolist()))
    members = {name: np.flatnonzero(groups == name) for name in names}
    judged = [name for name in names if len(members[name]) >= min_group_size]
    means: dict[str, dict[str, Interval | None]] = {name: {} for name in names}
    drawn: dict[str, dict[str, Floats]] = {name: {} for name in names}
    for number, name in enumerate(names):
        counts = resample_counts(
            len(members[name]), n_bootstrap=n_bootstrap, seed=int(seed) + number
        )
        for measure, values in measures.items():
            own = values[members[name]]
            known = np.isfinite(own)
            if not known.any():
                means[name][measure] = None
                continue
            with np.errstate(invalid="ignore", divide="ignore"):
                drawn[name][measure] = (counts[:, known] @ own[known]) / counts[:, known].sum(1)
            means[name][measure] = interval(float(own[known].mean()), drawn[name][measure])
    verdicts = _corrected({m: _compare(measures[m], members, judged) for m in measures})
    due = _due(means, judged)
    entries = tuple(
        GroupMeans(
            group=name,
            people=len(members[name]),
            means=means[name],
            ratios={m: v[name][0] for m, v in verdicts.items() if name in v},
            p_values={m: v[name][1] for m, v in verdicts.items() if name in v},
            judged=name in judged,
            fails=tuple(
                m
                for m, v in verdicts.items()
                if name in v and m not in NOT_JUDGED
                and v[name][0] < FOUR_FIFTHS * due.get((m, name), 1.0) and v[name][1] < alpha
            ),
        )
        for name in names
    )  # fmt: skip
    notes = [
        f"{name} has {len(members[name])} people, under {min_group_size}: reported, not judged"
        for name in names
        if name not in judged
    ]
    notes += [
        f"{name} has {v[name][0]:.2f} of the highest group's {m}, and {due[m, name]:.2f} of its "
        f"{DUE_BY[m]}: reported, not failed"
        for m, v in verdicts.items()
        for name in v
        if (m, name) in due
        and FOUR_FIFTHS * due[m, name] <= v[name][0] < FOUR_FIFTHS
        and v[name][1] < alpha
    ]
    if len(judged) < 2:
        notes.append("fewer than two groups are large enough: the column is not judged")
    return ColumnRankingFairness(
        side, column, entries, _parity(means, drawn, judged, measures), tuple(notes)
    )


def _due(
    means: Mapping[str, Mapping[str, Interval | None]], judged: Sequence[str]
) -> dict[tuple[str, str], float]:
    """By measure and group the share of the highest group's value that its merit gives, up to 1."""
    due: dict[tuple[str, str], float] = {}
    for measure, merit in DUE_BY.items():
        both: dict[str, tuple[float, float]] = {}
        for name in judged:
            got, deserved = means[name].get(measure), means[name].get(merit)
            if got is not None and deserved is not None:
                both[name] = got.value, deserved.value
        if not both:
            continue
        _, most = both[max(both, key=lambda name: both[name][0])]
        if most > 0:
            due |= {(measure, name): min(1.0, own / most) for name, (_, own) in both.items()}
    return due


def _compare(
    values: Floats, members: Mapping[str, NDArray[Any]], judged: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Ratio to the highest judged group and p-value of the difference, by group."""
    samples = {name: values[members[name]] for name in judged}
    samples = {name: found[np.isfinite(found)] for name, found in samples.items()}
    samples = {name: found for name, found in samples.items() if len(found) > 1}
    if len(samples) < 2:
        return {}
    mean = {name: float(found.mean()) for name, found in samples.items()}
    top = max(mean, key=lambda name: mean[name])
    if mean[top] <= 0:
        return {}
    others = [name for name in samples if name != top]
    out = {
        name: (mean[name] / mean[top], _by_chance(samples[name], samples[top])) for name in others
    }
    return out | {top: (1.0, 1.0)}


def _corrected(
    verdicts: Mapping[str, Mapping[str, tuple[float, float]]],
) -> dict[str, dict[str, tuple[float, float]]]:
    """Holm's correction over the judged measures, and over each of the others on its own."""
    judged = [measure for measure in verdicts if measure not in NOT_JUDGED]
    out: dict[str, dict[str, tuple[float, float]]] = {measure: {} for measure in verdicts}
    for family in (judged, *([m] for m in verdicts if m in NOT_JUDGED)):
        places = [
            (measure, name)
            for measure in family
            for name, (ratio, _) in verdicts[measure].items()
            if ratio < 1.0
        ]
        raw = [verdicts[measure][name][1] for measure, name in places]
        corrected = dict(zip(places, holm(raw), strict=True))
        for measure in family:
            for name, (ratio, p_value) in verdicts[measure].items():
                out[measure][name] = (ratio, corrected.get((measure, name), p_value))
    return out


def _by_chance(one: Floats, other: Floats) -> float:
    """P-value of the difference of two means: the greater of Welch's and a permutation test's.

    Exposure is heavy-tailed: a few authors get most of it. A small group that happens to have none
    of them varies little, and Welch's test, which goes by its own variance, is too sure.
    """
    p_value = _welch(one, other)
    if p_value >= _CLEAR:
        return p_value
    pooled, size = np.concatenate([one, other]), min(len(one), len(other))
    rng = np.random.default_rng(0)
    gap, total = abs(float(one.mean() - other.mean())), float(pooled.sum())
    as_far, drawn = 1, 1
    for _ in range(0, _PERMUTATIONS, _AT_ONCE):
        keys = rng.random((_AT_ONCE, len(pooled)))
        chosen = np.argpartition(keys, size - 1, axis=1)[:, :size]
        sums = pooled[chosen].sum(axis=1)
        gaps = np.abs(sums / size - (total - sums) / (len(pooled) - size))
        as_far += int((gaps >= gap * (1.0 - _ROUNDING)).sum())
        drawn += _AT_ONCE
    return max(p_value, as_far / drawn)


def _welch(one: Floats, other: Floats) -> float:
    """Two-sided p-value of Welch's test; where nothing varies, 1 for equal means and else 0."""
    gap = float(one.mean() - other.mean())
    parts = np.array([found.var(ddof=1) / len(found) for found in (one, other)])
    if parts.sum() <= (_ROUNDING * max(abs(one.mean()), abs(other.mean()))) ** 2:
        return 1.0 if abs(gap) <= _ROUNDING * abs(float(other.mean())) else 0.0
    freedom = parts.sum() ** 2 / (parts**2 / np.array([len(one) - 1, len(other) - 1])).sum()
    return float(2.0 * student.sf(abs(gap) / math.sqrt(parts.sum()), freedom))


def _parity(
    means: Mapping[str, Mapping[str, Interval | None]],
    drawn: Mapping[str, Mapping[str, Floats]],
    judged: Sequence[str],
    measures: Mapping[str, Floats],
) -> dict[str, Interval]:
    out = {}
    for measure in measures:
        known = [name for name in judged if means[name][measure] is not None]
        if len(known) < 2:
            continue
        values = np.array([_mean(means[name][measure]) for name in known])
        samples = np.stack([drawn[name][measure] for name in known])
        if values.max() <= 0:
            continue
        with np.errstate(invalid="ignore", divide="ignore"):
            out[measure] = interval(
                float(values.min() / values.max()), samples.min(axis=0) / samples.max(axis=0)
            )
    return out


def _mean(found: Interval | None) -> float:
    return math.nan if found is None else found.value


def _value(group: GroupMeans, measure: str) -> float:
    return _mean(group.means[measure])


def _column_markdown(entry: ColumnRankingFairness) -> list[str]:
    names = list(entry.groups[0].means) if entry.groups else []
    parity = ", ".join(
        f"{name} {found.value:.2f} ({found.low:.2f} to {found.high:.2f})"
        for name, found in entry.parity.items()
    )
    lines = [
        f"**{entry.side} by {entry.column}**, least over greatest mean: {parity or 'not judged'}",
        "",
        "| group | people | " + " | ".join(f"{name}, ratio" for name in names) + " | verdict |",
        "|---|--:|" + "---|" * len(names) + "---|",
    ]
    for group in entry.groups:
        cells = []
        for name in names:
            found, ratio = group.means[name], group.ratios.get(name)
            told = (
                "–" if found is None else f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
            )
            cells.append(told + ("" if ratio is None else f", {ratio:.2f}"))
        verdict = "**fails**: " + ", ".join(group.fails) if group.fails else "passes"
        if not group.p_values:
            verdict = "not judged"
        name = group.group.replace("|", "\\|")
        lines.append(f"| {name} | {group.people:,} | {' | '.join(cells)} | {verdict} |")
    return lines
