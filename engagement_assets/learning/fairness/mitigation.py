"""Even out who is selected by adding to the scores of some groups, at a stated price.

Belongs here: what is added to a group's scores, fitted on some people, and what it changes and
costs on others. Does not belong here: the judgement itself (`judging`), weights of training rows
(`reweighing`), lists (`exposure`) and the decision to use any of them.

Some groups' scores are raised and others' lowered before the one threshold is asked, so that every
group is selected at the rate of all (demographic parity), or has the shares selected of all those
with the label and without it (equalised odds). As many are selected as before. This is
post-processing after Hardt, Price and Srebro (NeurIPS 2016) without chance: fairlearn's
ThresholdOptimizer may flip coins between two thresholds, so the same person could be selected today
and not tomorrow; without coins equalised odds are met as nearly as one threshold a group can.
Treating people by a protected attribute may itself be unlawful: a person decides whether to use it,
and the report shows what it costs.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit
from scipy.stats import norm

from engagement_assets.learning import markdown
from engagement_assets.learning.evaluation.binary import Floats, as_labels
from engagement_assets.learning.evaluation.bootstrap import Interval, Weighted, bootstrapped, ratio
from engagement_assets.learning.evaluation.thresholds import CostModel
from engagement_assets.learning.fairness.groups import group_names
from engagement_assets.learning.fairness.measures import selection_fairness, truly_top
from engagement_assets.learning.fairness.rendering import report_markdown
from engagement_assets.learning.fairness.report import FairnessReport
from engagement_assets.learning.json_data import JsonData

logger = logging.getLogger(__name__)

# What is made equal between groups: the share selected, or equalised odds.
Goal = Literal["parity", "odds"]
PARITY: Goal = "parity"
ODDS: Goal = "odds"
# Smallest group whose scores are moved, in people.
MIN_GROUP_SIZE = 100
_MOST_ROUNDS = 50
# Scores of at most so many values cannot bring one group to a rate without regard for the others.
_COARSE = 50
# Chance that groups that are alike are moved, at most.
_ALPHA = 0.05
# A move that brings a rate nearer by less, as a share of the rate, is none.
_LEAST_GAIN = 0.01
_CLEAR_OF_0_AND_1 = 1e-9
# Moves that undo each other leave as much by rounding.
_NOTHING = 1e-9

Marks = NDArray[np.bool_]
# Figures of a selection by name, each a function of the weights of the people.
Figures = Mapping[str, Weighted]
Price = dict[str, dict[str, dict[str, float] | None]]


@dataclass(frozen=True)
class GroupThresholds(JsonData):
    """One threshold, and what is added to the scores of some groups before it is asked.

    Attributes:
        base: Score at or above which anybody is selected.
        added: For a column and group, what is added to the scores of its people. A person of
            several such groups has the sum.
        log_odds: Whether it is added to the log-odds of scores that are probabilities.
        goal: What is made equal.
        shift: What is added to the scores of everybody, so that as many are selected as before.
    """

    base: float
    added: dict[str, dict[str, float]]
    log_odds: bool = False
    goal: Goal = PARITY
    shift: float = 0.0

    def adjusted(self, scores: ArrayLike, sensitive: pd.DataFrame) -> Floats:
        """Return n scores with what is added to them.

        Raises:
            ValueError: When a column with moved groups is missing.
        """
        values = np.array(scores, dtype=np.float64)
        more = np.full(len(values), self.shift)
        for column, groups in self.added.items():
            if column not in sensitive.columns:
                raise ValueError(f"column {column!r} is missing: scores are moved by its groups")
            names = pd.Series(group_names(sensitive[column]))
            more += names.map(groups).fillna(0.0).to_numpy(dtype=np.float64)
        moved = more != 0.0
        values[moved] = _from_scale(
            _to_scale(values[moved], log_odds=self.log_odds) + more[moved], log_odds=self.log_odds
        )
        return values

    def select(self, scores: ArrayLike, sensitive: pd.DataFrame) -> Marks:
        """Return who of n people is selected, by their scores and their groups."""
        selected: Marks = self.adjusted(scores, sensitive) >= self.base
        return selected

    @property
    def words(self) -> str:
        """What is done, for people."""
        goal = {
            PARITY: "the same share of every group is selected",
            ODDS: "equalised odds are met",
        }[self.goal]
        scale = "log-odds of the scores" if self.log_odds else "scores"
        everybody = f"; everybody {self.shift:+.3f}" if self.shift else ""
        moved = "; ".join(
            f"{column}={markdown.inline(group)} {more:+.3f}"
            for column, groups in self.added.items()
            for group, more in groups.items()
        )
        return (
            f"So that {goal}, everybody is selected from {self.base:.3f} on after this is added to "
            f"the {scale}: {moved or 'nothing, as no group differs beyond chance'}{everybody}."
        )


def _to_scale(scores: Floats, *, log_odds: bool) -> Floats:
    if not log_odds:
        return scores
    inner: Floats = logit(np.clip(scores, _CLEAR_OF_0_AND_1, 1.0 - _CLEAR_OF_0_AND_1))
    return inner


def _from_scale(values: Floats, *, log_odds: bool) -> Floats:
    return np.asarray(expit(values) if log_odds else values, dtype=np.float64)


def fit_group_thresholds(
    scores: ArrayLike,
    sensitive: pd.DataFrame,
    *,
    attributes: Sequence[str],
    threshold: float,
    y: ArrayLike | None = None,
    goal: Goal = PARITY,
    min_group_size: int = MIN_GROUP_SIZE,
    beyond_chance: bool = False,
) -> GroupThresholds:
    """Find what to add to each group's scores so that groups are selected alike.

    Attributes are taken in turn until no group's rate comes nearer to that of all.

    Args:
        scores: n scores that the model gives people whom it did not learn from.
        sensitive: n rows with the columns.
        attributes: The attributes to even out, together.
        threshold: The threshold of everybody.
        y: n labels of 0 and 1; needed for equalised odds.
        goal: What to make equal.
        min_group_size: Smallest group that is moved, in people; of equalised odds it also needs a
            tenth as many with the label and without it.
        beyond_chance: Whether the groups of an attribute are moved only where one of them differs
            beyond chance: of groups that are alike a move makes them differ.

    Raises:
        ValueError: When a column is missing, the goal is neither, or it needs labels.
    """
    missing = [column for column in attributes if column not in sensitive.columns]
    if missing:
        raise ValueError(f"sensitive columns are missing: {missing}")
    if goal not in (PARITY, ODDS):
        raise ValueError(f"goal must be {PARITY} or {ODDS}, got {goal!r}")
    values = np.asarray(scores, dtype=np.float64)
    log_odds = bool(0.0 < threshold < 1.0 and ((values >= 0.0) & (values <= 1.0)).all())
    scaled = _to_scale(values, log_odds=log_odds)
    cut = float(_to_scale(np.array([threshold]), log_odds=log_odds)[0])
    # rates of these are made equal: of all, or of those with the label and of those without it
    whole = np.ones(len(values), dtype=bool)
    if goal == ODDS:
        if y is None:
            raise ValueError("equalised odds need labels")
        positive = as_labels(y, both_classes=False) == 1.0
        parts = [positive, ~positive]
    else:
        parts = [whole]
    mover = _Mover(scaled, cut, parts, least_part=max(1, min_group_size // 10))
    groups = {
        (column, str(name)): np.flatnonzero(names == name)
        for column in attributes
        for names in [group_names(sensitive[column])]
        for name in np.unique(names)
    }
    large = {key: rows for key, rows in groups.items() if len(rows) >= min_group_size}
    coarse = len(np.unique(scaled)) <= _COARSE
    for _ in range(_MOST_ROUNDS):
        mover.open_attributes(large, all_of_them=not beyond_chance)
        if not (mover.best_move(large) if coarse else mover.move_each(large)):
            break
    else:
        logger.warning(
            "What is added to the scores by %s still moved after %d rounds: a group may miss the "
            "rate of all",
            list(attributes),
            _MOST_ROUNDS,
        )
    added: dict[str, dict[str, float]] = {}
    for (column, name), more in mover.added.items():
        if abs(more) < _NOTHING:
            continue
        added.setdefault(column, {})[name] = more
    if not added:
        return GroupThresholds(threshold, {}, log_odds, goal)
    return GroupThresholds(threshold, added, log_odds, goal, shift=cut - mover.same_count())


class _Mover:
    """Moves the scores of one group after another towards the rates of all.

    Args:
        scores: n scores, on the scale on which they are moved.
        cut: The threshold on it.
        parts: Which of n people each rate is of.
        least_part: Fewest people of a group behind each rate.
    """

    def __init__(
        self, scores: Floats, cut: float, parts: Sequence[Marks], *, least_part: int
    ) -> None:
        self.scores = scores.copy()
        self.cut = cut
        self.parts = parts
        self.least_part = least_part
        self.selected = int((scores >= cut).sum())
        self.targets = [
            float((scores[part] >= cut).mean()) if part.any() else 0.0 for part in parts
        ]
        self.added: dict[tuple[str, str], float] = {}
        self.open: set[str] = set()
        self.rounds = 0

    def open_attributes(
        self, groups: Mapping[tuple[str, str], NDArray[np.intp]], *, all_of_them: bool
    ) -> None:
        """Let the groups of each attribute be moved of which one differs beyond chance from all."""
        if all_of_them:
            self.open.update(column for column, _ in groups)
            return
        enough = {key: rows for key, rows in groups.items() if self._enough(rows)}
        critical = float(norm.isf(_ALPHA / 2.0 / max(1, len(enough) * len(self.parts))))
        for key, rows in enough.items():
            errors = [
                math.sqrt(target * (1.0 - target) / part[rows].sum())
                for target, part in zip(self.targets, self.parts, strict=True)
            ]
            if any(
                gap > critical * error for gap, error in zip(self._gaps(rows), errors, strict=True)
            ):
                self.open.add(key[0])

    def move_each(self, groups: Mapping[tuple[str, str], NDArray[np.intp]]) -> bool:
        """Move one group after another to the rates of all; return whether any was moved."""
        self.rounds += 1
        moved = [self._move(key, rows) for key, rows in groups.items()]
        return any(moved)

    def _move(self, key: tuple[str, str], rows: NDArray[np.intp]) -> bool:
        if key[0] not in self.open or not self._enough(rows):
            return False
        now = self._gaps(rows)
        own = self.scores[rows]
        cuts, losses = self._losses(own, [part[rows] for part in self.parts])
        best = int(np.argmin(losses))
        # more with every round: two attributes of few people would undo each other's moves for ever
        least = max(_LEAST_GAIN * max(self.targets), 1.0 / len(rows)) * (1.0 + self.rounds / 10.0)
        if max(now) - losses[best] <= least:
            return False
        self._add(key, rows, self.cut - float(cuts[best]))
        return True

    def best_move(self, groups: Mapping[tuple[str, str], NDArray[np.intp]]) -> bool:
        """Make the move of a group after which all groups together are nearest; return whether."""
        sizes = {key: len(rows) for key, rows in groups.items()}
        enough = {key: rows for key, rows in groups.items() if self._enough(rows)}

        def loss() -> float:
            gaps = {key: self._gaps(rows) for key, rows in enough.items()}
            return sum(sizes[key] * gap**2 for key, all_ in gaps.items() for gap in all_)

        present = least = loss()
        best: tuple[tuple[str, str], float] | None = None
        for key, rows in enough.items():
            if key[0] not in self.open:
                continue
            before = self.scores[rows]
            for cut in _cuts(np.sort(before)[::-1])[0]:
                self.scores[rows] = before + (self.cut - cut)
                after = loss()
                if after < least:
                    least, best = after, (key, self.cut - float(cut))
            self.scores[rows] = before
        if best is None or present - least <= _LEAST_GAIN * present:
            return False
        self._add(best[0], groups[best[0]], best[1])
        return True

    def _enough(self, rows: NDArray[np.intp]) -> bool:
        return min(int(part[rows].sum()) for part in self.parts) >= self.least_part

    def _gaps(self, rows: NDArray[np.intp]) -> list[float]:
        """Return how far each rate of a group is from that of all; 1 where it has none."""
        selected = self.scores[rows] >= self.cut
        inside = [part[rows] for part in self.parts]
        return [
            abs(float(selected[part].mean()) - target) if part.any() else 1.0
            for part, target in zip(inside, self.targets, strict=True)
        ]

    def _add(self, key: tuple[str, str], rows: NDArray[np.intp], more: float) -> None:
        self.scores[rows] += more
        self.added[key] = self.added.get(key, 0.0) + more

    def _losses(self, own: Floats, inside: Sequence[Marks]) -> tuple[Floats, Floats]:
        """Return every cut of a group's scores, and how far its rates are then from all's."""
        order = np.argsort(-own, kind="stable")
        cuts, last = _cuts(own[order])
        gaps = [
            np.abs(np.r_[0.0, np.cumsum(part[order])[last] / part.sum()] - target)
            for part, target in zip(inside, self.targets, strict=True)
        ]
        return cuts, np.max(gaps, axis=0)

    def same_count(self) -> float:
        """Return the cut at which as many are selected as before anything was moved, or nearly."""
        cuts, last = _cuts(np.sort(self.scores)[::-1])
        counts = np.r_[0, np.flatnonzero(last) + 1]
        off = np.abs(counts - self.selected)
        now = abs(int((self.scores >= self.cut).sum()) - self.selected)
        return self.cut if now <= off.min() else float(cuts[np.argmin(off)])


def _cuts(ranked: Floats) -> tuple[Floats, Marks]:
    """Return every cut of n falling scores, the first above all, and where equal scores end.

    A cut lies between two scores, so that scores of others that are nearly the same fall alike.
    """
    last = np.r_[ranked[:-1] != ranked[1:], True]
    distinct = ranked[last]
    between = (distinct + np.r_[distinct[1:], distinct[-1] - 1.0]) / 2.0
    return np.r_[distinct[0] + 1.0, between], last


@dataclass(frozen=True)
class Mitigation:
    """What makes groups be treated alike, with fairness and price on people it was not fitted on.

    Attributes:
        method: Its name, such as the goal of group thresholds.
        words: What is done, a sentence or two.
        fitted: What was fitted on other people, as JSON data.
        before: Fairness without it.
        after: Fairness with it.
        price: By figure, "before", "after" and "change", each a value with its 95 % interval;
            None where undefined.
    """

    method: str
    words: str
    fitted: dict[str, Any]
    before: FairnessReport
    after: FairnessReport
    price: Price

    def worded(self, words: Mapping[str, str], selected_are: str) -> Mitigation:
        """Return the mitigation with a model's own words in its reports."""
        before, after = (r.worded(words, selected_are) for r in (self.before, self.after))
        return replace(self, before=before, after=after)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON data."""
        return {
            "method": self.method,
            "words": self.words,
            "fitted": self.fitted,
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "price": self.price,
        }

    def summary(self) -> dict[str, Any]:
        """Return what a card says of it: all but the reports, of which the verdicts."""
        verdicts = {"before": self.before.verdict, "after": self.after.verdict}
        reports = {"before", "after"}
        return {k: v for k, v in self.to_dict().items() if k not in reports} | {"rule": verdicts}

    def to_markdown(self) -> str:
        """Return the mitigation for people: what is done, price, fairness after."""
        return "\n".join(
            [
                f"### Mitigation: {self.method}",
                "",
                f"{self.words} Fitted on other people than those it is judged on here.",
                "",
                price_markdown(self.price),
                "",
                f"Before, the 80 % rule: {self.before.verdict}. After:",
                "",
                report_markdown(self.after),
            ]
        )


def price_markdown(price: Price) -> str:
    """Return a price as a table: a line a figure."""
    rows = []
    for name, by_time in price.items():
        before, after, change = (by_time[when] for when in ("before", "after", "change"))
        cells = ["–" if one is None else f"{one['value']:.4f}" for one in (before, after)]
        moved = "–"
        if change is not None:
            moved = f"{change['value']:+.4f} ({change['low']:+.4f} to {change['high']:+.4f})"
        rows.append((name.replace("_", " "), *cells, moved))
    align = [markdown.LEFT, *[markdown.RIGHT] * 3]
    return markdown.table(["price", "before", "after", "change (95 %)"], rows, align=align)


def mitigate(
    labels: ArrayLike,
    scores: ArrayLike,
    sensitive: pd.DataFrame,
    *,
    threshold: float,
    thresholds: GroupThresholds,
    figures: Callable[[Marks], Figures],
    **settings: Any,
) -> Mitigation:
    """Report fitted thresholds on people they were not fitted on, before and after, with the price.

    Args:
        labels: n labels of 0 and 1.
        scores: n scores.
        sensitive: n rows with the sensitive attributes; those with moved groups must be there.
        threshold: The threshold of everybody before.
        thresholds: Fitted on other people by `fit_group_thresholds`.
        figures: Figures of who is selected, such as `selection_figures`.
        settings: Settings of `selection_fairness`, with the attributes.
    """
    values = np.asarray(scores, dtype=np.float64)
    before, after = values >= threshold, thresholds.select(values, sensitive)
    return compared(
        labels,
        sensitive,
        (before, after),
        (figures(before), figures(after)),
        method=thresholds.goal,
        words=thresholds.words,
        fitted=thresholds.to_dict(),
        **settings,
    )


def compared(  # noqa: PLR0913 - two selections, their figures, and what lies between
    labels: ArrayLike,
    sensitive: pd.DataFrame,
    selected: tuple[Marks, Marks],
    figures: tuple[Figures, Figures],
    *,
    method: str,
    words: str,
    fitted: dict[str, Any],
    n_bootstrap: int = 500,
    seed: int = 0,
    **settings: Any,
) -> Mitigation:
    """Report two selections of n people and their figures, before a mitigation and after it."""
    how: dict[str, Any] = {"n_bootstrap": n_bootstrap, "seed": seed}
    before, after = (
        selection_fairness(labels, marks, sensitive, **how, **settings) for marks in selected
    )
    price = priced(*figures, rows=len(sensitive), **how)
    return Mitigation(method, words, fitted, before, after, price)


def priced(before: Figures, after: Figures, *, rows: int, n_bootstrap: int, seed: int) -> Price:
    """Return the figures of n people before and after, and their paired change."""

    def change(name: str) -> Weighted:
        return lambda weights: after[name](weights) - before[name](weights)

    scores = {
        (name, when): figure
        for name in before
        for when, figure in (
            ("before", before[name]),
            ("after", after[name]),
            ("change", change(name)),
        )
    }
    named = {f"{name} {when}": figure for (name, when), figure in scores.items()}
    intervals = bootstrapped(named, rows=rows, n_bootstrap=n_bootstrap, seed=seed)
    price: Price = {}
    for name, when in scores:
        price.setdefault(name, {})[when] = _figure(intervals[f"{name} {when}"])
    return price


def _figure(estimate: Interval) -> dict[str, float] | None:
    figures = estimate.to_dict()
    return figures if all(math.isfinite(number) for number in figures.values()) else None


def selection_figures(y: ArrayLike, selected: Marks) -> dict[str, Weighted]:
    """Return how good a selection is, by n labels of 0 and 1."""
    labels, marks = as_labels(y, both_classes=False), selected.astype(np.float64)
    ones = np.ones_like(labels)
    recall = ratio(labels * marks, labels)
    rejected = ratio((1.0 - labels) * (1.0 - marks), 1.0 - labels)
    return {
        "selected_share": ratio(marks, ones),
        "balanced_accuracy": lambda weights: (recall(weights) + rejected(weights)) / 2.0,
        "accuracy": ratio((marks == labels).astype(np.float64), ones),
        "precision": ratio(labels * marks, marks),
        "recall": recall,
    }


def offer_figures(y: ArrayLike, selected: Marks, *, costs: CostModel) -> dict[str, Weighted]:
    """Return how good a selection for offers is, and what it costs a person."""
    labels, marks = as_labels(y, both_classes=False), selected.astype(np.float64)
    lost = costs.cost_miss * labels * (1.0 - costs.success_rate * marks)
    cost = lost + costs.cost_action * marks
    return selection_figures(y, selected) | {"cost_per_row": ratio(cost, np.ones_like(cost))}


def value_figures(y: ArrayLike, selected: Marks, *, share: float) -> dict[str, Weighted]:
    """Return what the selected are truly worth, and how many of the true top they are."""
    truth = np.asarray(y, dtype=np.float64)
    marks = selected.astype(np.float64)
    return selection_figures(truly_top(truth, share=share), selected) | {
        "mean_target_of_selected": ratio(truth * marks, marks)
    }
