"""The fairness report: figures of every group in one long table, and what follows from them.

Belongs here: the report as data, its verdicts, and what it says in sentences. Does not belong here:
measuring and judging groups (`judging`), tables for people (`rendering`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from engagement_assets.learning.escaping import one_line

HOLDS, FAILS, NOT_JUDGED = "holds", "fails", "not judged"
# The group of a row that is about all judged groups of an attribute.
ALL = "all judged"
TOO_FEW = "too few people"
# So many groups of an attribute that are too small to judge are named one by one, the others
# are one group.
MOST_SMALL = 10


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
        ratio: The value over that of the highest judged group; of a harm, that of the lowest over
            it.
        due: The ratio of the lower to the higher of the group and the others that the truth
            gives them, up to 1.
        p_value: P-value of the gap to all other people, Holm-corrected over the report.
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
        selection: Whether being selected is a benefit or a harm.
        side: What the people are, such as customers.
    """

    rows: tuple[Row, ...]
    missing: tuple[str, ...]
    min_group_size: int
    alpha: float
    people: int
    tests: int
    words: Mapping[str, str] = field(default_factory=dict)
    selected_are: str = ""
    selection: str = "benefit"
    side: str = "customers"

    @property
    def verdicts(self) -> dict[str, str]:
        """Holds, fails or not judged, by side and attribute."""
        parts = self.by_attribute()
        return {f"{side} by {name}": verdict_of(rows) for (side, name), rows in parts.items()} | {
            f"{self.side} by {name}": NOT_JUDGED for name in self.missing
        }

    @property
    def verdict(self) -> str:
        """Fails if an attribute does; holds if one could be judged and none fails."""
        verdicts = set(self.verdicts.values())
        return next((word for word in (FAILS, HOLDS) if word in verdicts), NOT_JUDGED)

    @property
    def passes(self) -> bool:
        """Whether no group fails, which a report with nothing judged does too: see `verdict`."""
        return self.verdict != FAILS

    @property
    def failures(self) -> list[str]:
        """Return what fails, a sentence each."""
        return [self._sentence(row) for row in self.rows if row.fails]

    @property
    def gaps_of_the_truth(self) -> list[str]:
        """Gaps beyond chance that do not count, since the truth has them too."""
        return [self._sentence(row) for row in self.rows if row.gap and not row.fails]

    @property
    def notes(self) -> list[str]:
        """What was not judged and why, and gaps that the truth has."""
        notes = [
            f"{self.side} by {name}: not judged, the attribute is missing" for name in self.missing
        ]
        for (side, attribute), rows in self.by_attribute().items():
            small = {
                row.group: row.people
                for row in rows
                if row.reason == TOO_FEW or row.people < self.min_group_size
            }
            small.pop(ALL, None)
            if small:
                named = ", ".join(
                    f"{one_line(group)} ({people:,})" for group, people in small.items()
                )
                notes.append(
                    f"{side} by {attribute}: reported, not judged, as they have under "
                    f"{self.min_group_size} people: {named}"
                )
            if verdict_of(rows) == NOT_JUDGED:
                tested = any(row.judged for row in rows)
                why = "no gap could have been seen" if tested else "nothing could be compared"
                notes.append(f"{side} by {attribute}: not judged, {why}")
        return notes + [f"the truth has this gap too: {text}" for text in self.gaps_of_the_truth]

    @property
    def power(self) -> list[str]:
        """Which gap could have been seen, a sentence an attribute and measure."""
        out = []
        for (side, attribute), rows in self.by_attribute().items():
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
                    text = f"{self._gap(seen[most])} the others ({one_line(most)})"
                    if least != most:
                        text += f" to {self._gap(seen[least])} them ({one_line(least)})"
                    if len(seen) < len(ratios):
                        text += ", in some groups none"
                out.append(f"{side} by {attribute}, {self.worded_measure(measure)}: {text}")
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
            # of a report that was written before there were two
            **{name: data[name] for name in ("selection", "side") if name in data},
        )

    def by_attribute(self) -> dict[tuple[str, str], list[Row]]:
        """Return the rows by side and attribute."""
        parts: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows:
            parts.setdefault((row.side, row.attribute), []).append(row)
        return parts

    def worded_measure(self, measure: str) -> str:
        """Return what a reader calls a measure."""
        return self.words.get(measure, measure.replace("_", " "))

    def _gap(self, ratio: float) -> str:
        return (
            f"over {1 / ratio:.2f} times" if self.selection == "harm" else f"under {ratio:.2f} of"
        )

    def _sentence(self, row: Row) -> str:
        due = "" if row.due is None else f", {row.due:.2f} is due by the truth"
        return one_line(
            f"{row.side} by {row.attribute}={row.group}: "
            f"{self.worded_measure(row.measure)} {row.value:.4g}, {row.reason}{due} "
            f"(p={row.p_value:.2g}, {row.people} people)"
        )


def verdict_of(rows: Sequence[Row], *, own: bool = False) -> str:
    """Return the verdict on an attribute, or on one group's own rows."""
    if any(row.fails for row in rows):
        return FAILS
    seen = [row for row in rows if row.judged and (own or row.least_detectable is not None)]
    return HOLDS if seen else NOT_JUDGED
