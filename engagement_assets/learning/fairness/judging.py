"""Measuring every group and judging the gaps between them by one test of chance.

Belongs here: the 80 % rule. Does not belong here: which figures a kind of model has (`measures`),
the report (`report`) or what follows from a failure.

A group fails when a judged measure of it is under four fifths of the highest group's, the gap to
all other people is significant after Holm's correction over every test of the report (`chance`),
and the gap is beyond the truth's: where it is known what a group is due beside the others, by its
merit or by other measures, the ratio must also be under four fifths of that, beyond chance. A group
that has more than five fourths of what the others have fails likewise, where no lower one does. Of
a measure that harms the same holds the other way round: those who have more fail. That is the rule
of the US Equal Employment Opportunity Commission (Uniform Guidelines, 29 CFR 1607.4 D) with its own
test of significance. Groups under a stated size are reported, not judged, and as one where they are
many.
Intervals are percentile bootstraps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.bootstrap import Interval, interval
from engagement_assets.learning.evaluation.multiplicity import holm
from engagement_assets.learning.fairness.chance import (
    FOUR_FIFTHS,
    Gap,
    calibration,
    equality,
)
from engagement_assets.learning.fairness.groups import group_names
from engagement_assets.learning.fairness.report import (
    ALL,
    MOST_SMALL,
    TOO_FEW,
    FairnessReport,
    Row,
)

_RESAMPLES_AT_ONCE = 50

Samples = Mapping[str, Floats]


@dataclass(frozen=True)
class Measure:
    """A figure of each group: the sum of one number over its people by the sum of another.

    Attributes:
        name: Its name.
        values: n numbers to add up; NaN where unknown.
        by: n numbers to divide by; 1 each when None.
        relative: Whether it is shown as a share of the same of all people.
        judged: Whether the 80 % rule is judged on it. One with `by` is judged as a calibration: it
            must lie between four fifths and five fourths of the others'.
        merit: What the truth gives each of n people, where a gap may be the truth's.
        due_by: Names of other measures which all must be lower where less of this one is due.
        harm: Whether it is worse to have more of it.
        equal_by: Attributes by which no truth excuses a gap.
        not_by: Attributes by which it is reported and not judged.
    """

    name: str
    values: Floats
    by: Floats | None = None
    relative: bool = False
    judged: bool = False
    merit: Floats | None = None
    due_by: tuple[str, ...] = ()
    harm: bool = False
    equal_by: tuple[str, ...] = ()
    not_by: tuple[str, ...] = ()

    def parts(self) -> tuple[Floats, Floats]:
        """Numerator and denominator of each of n people, 0 where unknown."""
        by = np.ones_like(self.values) if self.by is None else self.by
        known = np.isfinite(self.values) & np.isfinite(by)
        return np.where(known, self.values, 0.0), np.where(known, by, 0.0)


@dataclass(frozen=True)
class Side:
    """People whom a report is about.

    Attributes:
        name: What they are, such as customers or authors.
        people: n rows with the sensitive attributes.
        measures: Their measures.
        summaries: Figures over all judged groups, out of (samples, groups) by measure.
    """

    name: str
    people: pd.DataFrame
    measures: Sequence[Measure]
    summaries: Mapping[str, Callable[[Samples], Floats]] = field(default_factory=dict)


def fairness_report(
    sides: Sequence[Side],
    *,
    attributes: Sequence[str],
    min_group_size: int = 100,
    alpha: float = 0.05,
    n_bootstrap: int = 500,
    seed: int = 0,
    selection: str = "benefit",
) -> FairnessReport:
    """Measure every group of every side and judge all gaps by one test of chance.

    Args:
        sides: Whose groups; the first are the customers.
        attributes: The sensitive attributes to report; one that is not there is named as missing.
        min_group_size: Smallest group that is judged, in people.
        alpha: Chance that the report of a fair model fails, at most.
        n_bootstrap: Number of resamples of the people.
        seed: Seed of the resamples.
        selection: What being selected does to a person, for the words of the report.
    """
    parts = [
        _Part.of(side, attribute, min_group_size, n_bootstrap, seed)
        for side in sides
        for attribute in attributes
        if attribute in side.people.columns
    ]
    gaps = [(part, name, gap) for part in parts for name, gap in part.gaps.items()]
    # where nothing varies no gap can be detected: it is no test (Tarone, Biometrics 46, 1990)
    tested = [entry for entry in gaps if entry[2].standard_error != 0.0 or entry[2].p_value < 1.0]
    corrected = holm([gap.p_value for _, _, gap in tested])
    p_values = {
        (id(part), name): p_value
        for (part, name, _), p_value in zip(tested, corrected, strict=True)
    }
    rows = [
        row
        for part in parts
        for row in part.rows(
            {name: p_values.get((id(part), name), 1.0) for name in part.gaps},
            alpha=alpha,
            tests=max(1, len(tested)),
        )
    ]
    return FairnessReport(
        rows=tuple(rows),
        missing=tuple(name for name in attributes if name not in sides[0].people.columns),
        min_group_size=min_group_size,
        alpha=alpha,
        people=len(sides[0].people),
        tests=len(tested),
        selection=selection,
        side=sides[0].name,
    )


@dataclass(frozen=True)
class _Part:
    """One attribute of one side: its figures, and the gaps that can be tested.

    Attributes:
        values: By measure, the value of each group.
        samples: By measure, (resamples, groups).
        gaps: By measure and number of the group.
    """

    side: Side
    attribute: str
    names: list[str]
    people: NDArray[np.int64]
    judged: NDArray[np.bool_]
    values: dict[str, Floats]
    samples: dict[str, Floats]
    gaps: dict[tuple[str, int], Gap]

    @classmethod
    def of(
        cls, side: Side, attribute: str, min_group_size: int, n_bootstrap: int, seed: int
    ) -> _Part:
        groups, together = _small_together(group_names(side.people[attribute]), min_group_size)
        codes, names = pd.factorize(groups, sort=True)
        people = np.bincount(codes, minlength=len(names))
        judged = (people >= min_group_size) & (names != together)
        values, samples = _figures(side.measures, codes, len(names), n_bootstrap, seed)
        gaps: dict[tuple[str, int], Gap] = {}
        candidates = np.flatnonzero(judged)
        for measure in (m for m in side.measures if m.judged and attribute not in m.not_by):
            for i in candidates if len(candidates) > 1 else ():
                gap = _gap(measure, codes == i, side, excused=attribute not in measure.equal_by)
                # of two groups the gap is one, and tested once, with the one that is worse off
                worse = gap is not None and gap.lower != measure.harm
                if gap is not None and (len(candidates) > 2 or worse or i == candidates[-1]):
                    gaps[measure.name, int(i)] = gap
                    if len(candidates) == 2:
                        break
        return cls(side, attribute, [str(n) for n in names], people, judged, values, samples, gaps)

    def rows(
        self, p_values: Mapping[tuple[str, int], float], *, alpha: float, tests: int
    ) -> list[Row]:
        """The long table of this attribute."""
        out: list[Row] = []
        for measure in self.side.measures:
            worse = [self._row(measure, i, p_values, alpha, tests) for i in range(len(self.names))]
            if not any(row.gap for row in worse):
                worse = [self._better(measure, i, row, alpha) for i, row in enumerate(worse)]
            out += worse
            out += self._summary(measure.name, _least_over_greatest, {measure.name})
        for name, summary in self.side.summaries.items():
            out += self._summary(name, summary, set(self.samples))
        return out

    def _row(
        self,
        measure: Measure,
        i: int,
        p_values: Mapping[tuple[str, int], float],
        alpha: float,
        tests: int,
    ) -> Row:
        name = measure.name
        estimate = interval(self.values[name][i], self.samples[name][:, i])
        row = Row(
            self.side.name,
            self.attribute,
            self.names[i],
            name,
            *_numbers(estimate),
            people=int(self.people[i]),
        )
        reason = self._not_judged(measure, i)
        if reason:
            return replace(row, reason=reason)
        best, ratio = self._against(measure, i)
        row = replace(row, judged=True, ratio=ratio)
        gap = self.gaps.get((name, i))
        if gap is None:
            return row
        p_value = p_values[name, i]
        least = gap.least_detectable(alpha=alpha, tests=tests, harm=measure.harm)
        row = replace(row, due=gap.due, p_value=p_value, least_detectable=least)
        if p_value >= alpha:
            return row
        if measure.by is not None:
            return replace(row, gap=True, fails=True, reason="of that of all people")
        if gap.lower == measure.harm or ratio is None or ratio >= FOUR_FIFTHS:
            return row
        words = (
            f"of which {best} have {ratio:.2f}"
            if measure.harm
            else f"{ratio:.2f} of that of {best}"
        )
        return _finding(row, gap, alpha, words)

    def _not_judged(self, measure: Measure, i: int) -> str:
        if not measure.judged or self.attribute in measure.not_by:
            return "reported, not judged"
        if not self.judged[i]:
            return TOO_FEW
        tested = {place for name, place in self.gaps if name == measure.name}
        # of two groups the gap stands with one of them
        compared = i in tested or (tested and self.judged.sum() == 2)
        return "" if compared else "nothing to compare with"

    def _better(self, measure: Measure, i: int, row: Row, alpha: float) -> Row:
        """The row with a finding where a group is far better off than all others together."""
        gap = self.gaps.get((measure.name, i))
        if gap is None or gap.lower != measure.harm or row.p_value is None or row.p_value >= alpha:
            return row
        if gap.ratio >= FOUR_FIFTHS:
            return row
        words = (
            f"{gap.ratio:.2f} of that of all others together"
            if measure.harm
            else f"of which all others together have {gap.ratio:.2f}"
        )
        return _finding(row, gap, alpha, words)

    def _against(self, measure: Measure, i: int) -> tuple[str, float | None]:
        """The judged group that is best off, and the lower of the two values over the higher."""
        values, sign = self.values[measure.name], -1.0 if measure.harm else 1.0
        best = int(np.argmax(np.where(self.judged & np.isfinite(values), sign * values, -np.inf)))
        less, more = (best, i) if measure.harm else (i, best)
        ratio = float(values[less] / values[more]) if values[more] > 0 else None
        return self.names[best], ratio

    def _summary(self, name: str, summary: Callable[[Samples], Floats], of: set[str]) -> list[Row]:
        if self.judged.sum() < 2:
            return []
        whole = summary({m: self.values[m][None, self.judged] for m in of})
        samples = summary({m: self.samples[m][:, self.judged] for m in of})
        return [
            Row(
                self.side.name,
                self.attribute,
                ALL,
                name,
                *_numbers(interval(float(whole[0]), samples)),
                people=int(self.people[self.judged].sum()),
                reason="least over greatest" if summary is _least_over_greatest else "",
            )
        ]


def _small_together(
    groups: NDArray[np.object_], min_group_size: int
) -> tuple[NDArray[np.object_], str]:
    """Put the groups that are too small to judge into one where they are many.

    What is in common to hundreds of groups of two says nothing of any of them, so they are not
    judged together either.

    Returns:
        n names, and the name of the groups together, or "" where they are few.
    """
    sizes = pd.Series(groups).value_counts()
    small = sizes.index[sizes < min_group_size]
    if len(small) <= MOST_SMALL:
        return groups, ""
    together = f"{len(small):,} groups under {min_group_size} people"
    return np.where(pd.Series(groups).isin(small), together, groups).astype(object), together


def _figures(
    measures: Sequence[Measure], codes: NDArray[np.int64], count: int, n_bootstrap: int, seed: int
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """The value of each group by measure, and its values in resamples of the people.

    A product of matrices: fairlearn's `MetricFrame`, which gives the same values, takes each
    resample's groups apart again.
    """
    n = len(codes)
    member = np.zeros((n, count))
    member[np.arange(n), codes] = 1.0
    parts = {m.name: m.parts() for m in measures}

    def of(weights: Floats) -> dict[str, Floats]:
        out = {}
        with np.errstate(invalid="ignore", divide="ignore"):
            for measure in measures:
                above, below = ((weights * part) @ member for part in parts[measure.name])
                out[measure.name] = above / below
                if measure.relative:
                    out[measure.name] /= (above.sum(-1) / below.sum(-1))[:, None]
        return out

    rng = np.random.default_rng(seed)
    drawn: dict[str, list[Floats]] = {m.name: [] for m in measures}
    for start in range(0, n_bootstrap, _RESAMPLES_AT_ONCE):
        rows = min(_RESAMPLES_AT_ONCE, n_bootstrap - start)
        picked = rng.integers(0, n, size=(rows, n)) + n * np.arange(rows)[:, None]
        weights = np.bincount(picked.ravel(), minlength=rows * n).reshape(rows, n)
        for name, values in of(weights.astype(np.float64)).items():
            drawn[name].append(values)
    whole = {name: values[0] for name, values in of(np.ones((1, n))).items()}
    empty = np.empty((0, count))
    return whole, {name: np.concatenate([empty, *values]) for name, values in drawn.items()}


def _gap(
    measure: Measure, one: NDArray[np.bool_], side: Side, *, excused: bool = True
) -> Gap | None:
    """The gap between the people marked and all others; `excused` where the truth may have it."""
    values, rest = measure.values, ~one
    if measure.by is not None:
        return calibration(values[one], measure.by[one], values[rest], measure.by[rest])
    known = np.isfinite(values)
    merit = measure.merit if excused else None
    if measure.due_by:
        merit = np.where(one, _least_ratio(measure.due_by, one, side), 1.0)
    one, rest = one & known, rest & known
    due = None if merit is None else (merit[one], merit[rest])
    return equality(values[one], values[rest], merit=due)


def _least_ratio(names: Sequence[str], one: NDArray[np.bool_], side: Side) -> float:
    """The named measures' ratio of a group to the others that is closest to 1.

    1 where some are higher and some lower.
    """
    logs = []
    for measure in (m for m in side.measures if m.name in names):
        above, below = measure.parts()
        counts = [part[who].sum() for who in (one, ~one) for part in (above, below)]
        if all(counts):
            logs.append(math.log(counts[0] / counts[1] * counts[3] / counts[2]))
    one_way = logs and len({log > 0.0 for log in logs}) == 1
    return math.exp(min(logs, key=abs)) if one_way else 1.0


def _finding(row: Row, gap: Gap, alpha: float, reason: str) -> Row:
    """The row of a gap beyond chance, which fails unless the truth has the gap."""
    of_the_truth = gap.due is not None and (
        gap.ratio >= FOUR_FIFTHS * gap.due or gap.truth_p_value >= alpha
    )
    return replace(row, gap=True, fails=not of_the_truth, reason=reason)


def _least_over_greatest(samples: Samples) -> Floats:
    (values,) = samples.values()
    highest = values.max(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: Floats = np.where(highest > 0.0, values.min(axis=1) / highest, math.nan)
    return ratio


def _numbers(estimate: Interval) -> tuple[float | None, float | None, float | None]:
    """Value and ends of an interval, None where unknown."""
    value, low, high = (
        float(number) if math.isfinite(number) else None
        for number in (estimate.value, estimate.low, estimate.high)
    )
    return value, low, high
