"""The fairness report: figures of every group in one long table, judged by one test of chance.

Belongs here: measuring groups, the 80 % rule, the report as data and as text. Does not belong here:
which figures a kind of model has (`measures`) or what follows from a failure.

A group fails when a judged measure of it is under four fifths of the highest group's, the gap to
the other judged people is significant after Holm's correction over every test of the report
(`chance`), and the gap is beyond the truth's: where it is known what a group is due (its merit),
the measure must also be under four fifths of that, beyond chance. A group that has more than five
fourths of what the others have fails likewise, where no lower one does. That is the rule of the US
Equal Employment Opportunity Commission (Uniform Guidelines, 29 CFR 1607.4 D) with its own test of
significance. Groups under a stated size are reported, not judged. Intervals are percentile
bootstraps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engagement_assets.learning.evaluation.binary import Floats
from engagement_assets.learning.evaluation.bootstrap import interval
from engagement_assets.learning.fairness.chance import (
    FOUR_FIFTHS,
    Gap,
    calibration,
    equality,
    holm,
)
from engagement_assets.learning.fairness.groups import group_names

HOLDS, FAILS, NOT_JUDGED = "holds", "fails", "not judged"
# The group of a row that is about all judged groups of an attribute.
ALL = "all judged"
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
    """

    name: str
    values: Floats
    by: Floats | None = None
    relative: bool = False
    judged: bool = False
    merit: Floats | None = None
    due_by: tuple[str, ...] = ()

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


@dataclass(frozen=True)
class Row:
    """One measure of one group.

    Attributes:
        side: Whose groups: customers, authors.
        attribute: The sensitive attribute.
        group: The group, or "all judged" for a figure over them.
        measure: Name of the measure.
        value: Its value; None where unknown.
        low: Lower end of the 95 % interval.
        high: Upper end of the interval.
        people: Size of the group.
        judged: Whether the group was tested on this measure.
        ratio: The value over that of the highest judged group.
        due: The ratio of the lower to the higher of the group and the others that the truth
            gives them, up to 1.
        p_value: P-value of the gap to the other judged people, Holm-corrected over the report.
        least_detectable: Ratio to the others that would have been seen in four of five samples.
        gap: Whether the ratio is under four fifths beyond chance.
        fails: Whether that gap counts against the model.
        reason: Why it was not judged, or why a gap does not count.
    """

    side: str
    attribute: str
    group: str
    measure: str
    value: float | None
    low: float | None
    high: float | None
    people: int
    judged: bool = False
    ratio: float | None = None
    due: float | None = None
    p_value: float | None = None
    least_detectable: float | None = None
    gap: bool = False
    fails: bool = False
    reason: str = ""


@dataclass(frozen=True)
class FairnessReport:
    """Fairness by every sensitive attribute that is there.

    Attributes:
        rows: The long table.
        missing: Attributes that were asked for and are not in the data.
        min_group_size: Smallest group that is judged, in people.
        alpha: Chance that the report of a fair model fails, at most.
        people: Number of customers.
        tests: Number of tests behind the verdict.
        words: What a reader calls the measures, by name.
        selected_are: What selection means, in words.
    """

    rows: tuple[Row, ...]
    missing: tuple[str, ...]
    min_group_size: int
    alpha: float
    people: int
    tests: int
    words: Mapping[str, str] = field(default_factory=dict)
    selected_are: str = ""

    @property
    def verdicts(self) -> dict[str, str]:
        """Holds, fails or not judged, by side and attribute."""
        parts = self._parts()
        return {f"{side} by {name}": _verdict(rows) for (side, name), rows in parts.items()} | {
            f"customers by {name}": NOT_JUDGED for name in self.missing
        }

    @property
    def verdict(self) -> str:
        """Fails if an attribute does; holds if one could be judged and none fails."""
        found = set(self.verdicts.values())
        return next((word for word in (FAILS, HOLDS) if word in found), NOT_JUDGED)

    @property
    def passes(self) -> bool:
        """Whether no group fails, which a report with nothing judged does too: see `verdict`."""
        return self.verdict != FAILS

    @property
    def failures(self) -> list[str]:
        """What fails, a sentence each."""
        return [self._sentence(row) for row in self.rows if row.fails]

    @property
    def gaps_of_the_truth(self) -> list[str]:
        """Gaps beyond chance that do not count, since the truth has them too."""
        return [self._sentence(row) for row in self.rows if row.gap and not row.fails]

    @property
    def notes(self) -> list[str]:
        """What was not judged and why, and gaps that the truth has."""
        notes = [
            f"customers by {name}: not judged, the attribute is missing" for name in self.missing
        ]
        for (side, attribute), rows in self._parts().items():
            small = {row.group: row.people for row in rows if row.people < self.min_group_size}
            small.pop(ALL, None)
            if small:
                named = ", ".join(f"{group} ({people})" for group, people in small.items())
                notes.append(
                    f"{side} by {attribute}: reported, not judged, as they have under "
                    f"{self.min_group_size} people: {named}"
                )
            if _verdict(rows) == NOT_JUDGED:
                tested = any(row.judged for row in rows)
                why = "no gap could have been seen" if tested else "nothing could be compared"
                notes.append(f"{side} by {attribute}: not judged, {why}")
        return notes + [f"the truth has this gap too: {text}" for text in self.gaps_of_the_truth]

    @property
    def power(self) -> list[str]:
        """Which gap could have been seen, a sentence an attribute and measure."""
        out = []
        for (side, attribute), rows in self._parts().items():
            for measure in dict.fromkeys(row.measure for row in rows if row.judged):
                ratios = {
                    row.group: row.least_detectable
                    for row in rows
                    if row.judged and row.measure == measure and row.p_value is not None
                }
                seen = {group: ratio for group, ratio in ratios.items() if ratio is not None}
                if not seen:
                    text = "none"
                else:
                    least, most = (pick(seen, key=lambda g: seen[g]) for pick in (min, max))
                    text = f"under {seen[most]:.2f} of the others ({most})"
                    if least != most:
                        text += f" to under {seen[least]:.2f} ({least})"
                    if len(seen) < len(ratios):
                        text += ", in some groups none"
                out.append(f"{side} by {attribute}, {self._words(measure)}: {text}")
        return out

    @property
    def ratios(self) -> dict[str, float]:
        """Least over greatest value by side, attribute and measure, where groups were compared."""
        judged = {(row.side, row.attribute, row.measure) for row in self.rows if row.judged}
        return {
            f"{row.side}_{row.attribute}_{row.measure}": row.value
            for row in self.rows
            if row.group == ALL and row.value is not None
            and (row.side, row.attribute, row.measure) in judged
        }  # fmt: skip

    def gap_attributes(self, measure: str) -> list[str]:
        """The attributes with a gap of a measure beyond chance, the truth's gaps too."""
        rows = [row for row in self.rows if row.measure == measure and row.gap]
        return list(dict.fromkeys(row.attribute for row in rows))

    def worded(self, words: Mapping[str, str], selected_are: str) -> FairnessReport:
        """Return the report with a model's own words."""
        return replace(self, words=dict(words), selected_are=selected_are)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON data."""
        return {
            "verdict": self.verdict,
            "passes": self.passes,
            "verdicts": self.verdicts,
            "failures": self.failures,
            "notes": self.notes,
            "power": self.power,
            **{name: value for name, value in asdict(self).items() if name != "rows"},
            "missing": list(self.missing),
            "rows": [asdict(row) for row in self.rows],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FairnessReport:
        """Read what `to_dict` wrote."""
        return cls(
            rows=tuple(Row(**row) for row in data["rows"]),
            missing=tuple(data["missing"]),
            **{
                name: data[name]
                for name in ("min_group_size", "alpha", "people", "tests", "words", "selected_are")
            },
        )

    def to_markdown(self) -> str:
        """Return the report for people: the verdict, its power, then one table an attribute."""
        verdict = {
            HOLDS: "**holds**", FAILS: "**fails**",
            NOT_JUDGED: "was **not judged**: no gap could have been seen",
        }[self.verdict]  # fmt: skip
        lines = [f"Selected are {self.selected_are}.\n"] if self.selected_are else []
        lines += [
            f"The 80 % rule {verdict} ({self.people:,} customers; groups of at least "
            f"{self.min_group_size} are judged; {self.tests} tests, together at significance "
            f"{self.alpha:g} after Holm).",
            "",
        ]
        lines += [f"- {about}: {verdict}" for about, verdict in self.verdicts.items()]
        lines += [f"- **Fails**: {failure}" for failure in self.failures]
        lines += [f"- Note: {note}" for note in self.notes]
        if self.power:
            lines += ["", "Gaps that would have been seen in four of five samples:", ""]
            lines += [f"- {text}" for text in self.power]
        for (side, attribute), rows in self._parts().items():
            lines += ["", f"**{side} by {attribute}**", "", *self._table(rows)]
        return "\n".join(lines)

    def _table(self, rows: Sequence[Row]) -> list[str]:
        """One line a group, one column a measure."""
        measures = list(dict.fromkeys(row.measure for row in rows))
        cells = {(row.group, row.measure): row for row in rows}
        heads = [self._words(measure) for measure in measures]
        lines = [
            f"| group | people | {' | '.join(heads)} | verdict |",
            "|---|--:|" + "--:|" * len(heads) + "---|",
        ]
        for group in dict.fromkeys(row.group for row in rows):
            own = [row for row in rows if row.group == group]
            name = group.replace("|", "\\|")
            shown = [_cell(cells.get((group, measure))) for measure in measures]
            verdict = "–" if group == ALL else _verdict(own, own=True)
            lines.append(f"| {name} | {own[0].people:,} | {' | '.join(shown)} | {verdict} |")
        return lines

    def _parts(self) -> dict[tuple[str, str], list[Row]]:
        parts: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows:
            parts.setdefault((row.side, row.attribute), []).append(row)
        return parts

    def _words(self, measure: str) -> str:
        return self.words.get(measure, measure.replace("_", " "))

    def _sentence(self, row: Row) -> str:
        due = "" if row.due is None else f", {row.due:.2f} is due by the truth"
        return (
            f"{row.side} by {row.attribute}={row.group}: {self._words(row.measure)} "
            f"{row.value:.4g}, {row.reason}{due} (p={row.p_value:.2g}, {row.people} people)"
        )


def _verdict(rows: Sequence[Row], *, own: bool = False) -> str:
    """The verdict on an attribute, or on one group's own rows."""
    if any(row.fails for row in rows):
        return FAILS
    seen = [row for row in rows if row.judged and (own or row.least_detectable is not None)]
    return HOLDS if seen else NOT_JUDGED


def _cell(row: Row | None) -> str:
    if row is None or row.value is None:
        return "–"
    text = f"{row.value:.3g}"
    if row.low is not None:
        text += f" ({row.low:.3g} to {row.high:.3g})"
    if row.judged and row.ratio is not None:
        text += f", ratio {row.ratio:.2f}"
        text += "" if row.p_value is None else f", p {row.p_value:.2g}"
    return f"**{text}**" if row.fails else text


def fairness_report(
    sides: Sequence[Side],
    *,
    attributes: Sequence[str],
    min_group_size: int = 100,
    alpha: float = 0.05,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> FairnessReport:
    """Measure every group of every side and judge all gaps by one test of chance.

    Args:
        sides: Whose groups; the first are the customers.
        attributes: The sensitive attributes to report; one that is not there is named as missing.
        min_group_size: Smallest group that is judged, in people.
        alpha: Chance that the report of a fair model fails, at most.
        n_bootstrap: Number of resamples of the people.
        seed: Seed of the resamples.
    """
    parts = [
        _Part.of(side, attribute, min_group_size, n_bootstrap, seed)
        for side in sides
        for attribute in attributes
        if attribute in side.people.columns
    ]
    gaps = [(part, name, gap) for part in parts for name, gap in part.gaps.items()]
    # where nothing varies no gap can be found: it is no test (Tarone, Biometrics 46, 1990)
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
        codes, names = pd.factorize(group_names(side.people[attribute]), sort=True)
        people = np.bincount(codes, minlength=len(names))
        judged = people >= min_group_size
        values, samples = _figures(side.measures, codes, len(names), n_bootstrap, seed)
        gaps: dict[tuple[str, int], Gap] = {}
        candidates = np.flatnonzero(judged)
        for measure in (m for m in side.measures if m.judged):
            for i in candidates if len(candidates) > 1 else ():
                gap = _gap(measure, codes == i, side)
                # of two groups the gap is one, and tested once
                if gap is not None and (len(candidates) > 2 or gap.lower or i == candidates[-1]):
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
            lower = [self._row(measure, i, p_values, alpha, tests) for i in range(len(self.names))]
            if not any(row.gap for row in lower):
                lower = [self._higher(measure, i, row, alpha) for i, row in enumerate(lower)]
            out += lower
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
        found = interval(self.values[name][i], self.samples[name][:, i])
        row = Row(
            self.side.name, self.attribute, self.names[i], name,
            _number(found.value), _number(found.low), _number(found.high), int(self.people[i]),
        )  # fmt: skip
        reason = self._not_judged(measure, i)
        if reason:
            return replace(row, reason=reason)
        top, ratio = self._against(name, i)
        row = replace(row, judged=True, ratio=ratio)
        gap = self.gaps.get((name, i))
        if gap is None:
            return row
        p_value, least = p_values[name, i], gap.least_detectable(alpha=alpha, tests=tests)
        row = replace(row, due=gap.due, p_value=p_value, least_detectable=least)
        if p_value >= alpha:
            return row
        if measure.by is not None:
            return replace(row, gap=True, fails=True, reason="of that of all people")
        if not gap.lower or ratio is None or ratio >= FOUR_FIFTHS:
            return row
        return _finding(row, gap, alpha, f"{ratio:.2f} of that of {top}")

    def _not_judged(self, measure: Measure, i: int) -> str:
        if not measure.judged:
            return "reported, not judged"
        if not self.judged[i]:
            return "too few people"
        tested = {place for name, place in self.gaps if name == measure.name}
        # of two groups the gap stands with one of them
        compared = i in tested or (tested and self.judged.sum() == 2)
        return "" if compared else "nothing to compare with"

    def _higher(self, measure: Measure, i: int, row: Row, alpha: float) -> Row:
        """The row with a finding where a group has far more than all others have."""
        gap = self.gaps.get((measure.name, i))
        if gap is None or gap.lower or row.p_value is None or row.p_value >= alpha:
            return row
        if gap.ratio >= FOUR_FIFTHS:
            return row
        return _finding(row, gap, alpha, f"of which all others together have {gap.ratio:.2f}")

    def _against(self, name: str, i: int) -> tuple[str, float | None]:
        """The highest judged group, and the ratio to it."""
        values = np.where(self.judged & np.isfinite(self.values[name]), self.values[name], -np.inf)
        top = int(np.argmax(values))
        ratio = float(self.values[name][i] / values[top]) if values[top] > 0 else None
        return self.names[top], ratio

    def _summary(self, name: str, summary: Callable[[Samples], Floats], of: set[str]) -> list[Row]:
        if self.judged.sum() < 2:
            return []
        whole = summary({m: self.values[m][None, self.judged] for m in of})
        found = interval(float(whole[0]), summary({m: self.samples[m][:, self.judged] for m in of}))
        return [
            Row(
                self.side.name, self.attribute, ALL, name, _number(found.value),
                _number(found.low), _number(found.high), int(self.people[self.judged].sum()),
                reason="least over greatest" if summary is _least_over_greatest else "",
            )
        ]  # fmt: skip


def _figures(
    measures: Sequence[Measure], codes: NDArray[np.int64], count: int, n_bootstrap: int, seed: int
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """The value of each group by measure, and its values in resamples of the people.

    A product of matrices, as fairlearn's `MetricFrame`, which gives the same values, takes each
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


def _gap(measure: Measure, one: NDArray[np.bool_], side: Side) -> Gap | None:
    """The gap between the people marked and all others."""
    values, rest = measure.values, ~one
    if measure.by is not None:
        return calibration(values[one], measure.by[one], values[rest], measure.by[rest])
    known = np.isfinite(values)
    merit = measure.merit
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
    for measure in side.measures:
        above, below = measure.parts()
        counts = [part[who].sum() for who in (one, ~one) for part in (above, below)]
        if measure.name in names and all(counts):
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


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
