"""The fairness report: what is in it, as data and as text.

Belongs here: the report's types, their JSON and their Markdown. Does not belong here: computing
the rates or the verdicts (`fairness`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from engagement_assets.learning.evaluation.bootstrap import Interval


@dataclass(frozen=True)
class Wording:
    """What the columns of the report's tables are called.

    Attributes:
        base_rate: The share of a group with the label.
        selected: The share that is selected.
        with_label: The share of those with the label that is selected.
        without_label: The share of the others that is selected.
    """

    base_rate: str = "churn rate"
    selected: str = "flagged"
    with_label: str = "churners flagged"
    without_label: str = "stayers flagged"


@dataclass(frozen=True)
class GroupRates:
    """What happens to one group of customers.

    Attributes:
        group: Its value in the column, or "unknown".
        customers: Its size.
        base_rate: Share of its customers who churned.
        selection_rate: Share of its customers who are flagged.
        true_positive_rate: Share of its churners who are flagged; None without churners.
        false_positive_rate: Share of its stayers who are flagged; None without stayers.
        judged: Whether it is large enough to be judged.
        ratio_to_highest: Selection rate over that of the highest judged group; None if undefined.
        p_value: Holm-corrected p-value of that difference; None where not judged.
        fails: Whether the 80 % rule fails for it.
    """

    group: str
    customers: int
    base_rate: float
    selection_rate: Interval
    true_positive_rate: Interval | None
    false_positive_rate: Interval | None
    judged: bool
    ratio_to_highest: float | None = None
    p_value: float | None = None
    fails: bool = False


@dataclass(frozen=True)
class ColumnFairness:
    """The groups of one sensitive column.

    Attributes:
        column: Its name.
        groups: Its groups by name.
        demographic_parity_ratio: Least over greatest selection rate of the judged groups.
        equalized_odds_difference: Greatest gap of true or false positive rates between them.
        equalized_odds_ratio: Least ratio of true or false positive rates between them.
        notes: What was not judged and why.
    """

    column: str
    groups: tuple[GroupRates, ...]
    demographic_parity_ratio: Interval | None
    equalized_odds_difference: Interval | None
    equalized_odds_ratio: Interval | None
    notes: tuple[str, ...] = ()

    @property
    def judged(self) -> bool:
        """Whether at least two groups were compared."""
        return any(group.p_value is not None for group in self.groups)


@dataclass(frozen=True)
class FairnessReport:
    """Fairness by every sensitive column that is there.

    Attributes:
        columns: One entry a column.
        missing_columns: Columns that were asked for and are not in the data.
        threshold: Probability at or above which a customer is flagged, or None when the flags
            were given.
        min_group_size: Smallest group that is judged, in customers.
        alpha: Significance level of the test.
        customers: Number of customers.
        wording: What the columns of the tables are called.
    """

    columns: tuple[ColumnFairness, ...]
    missing_columns: tuple[str, ...]
    threshold: float | None
    min_group_size: int
    alpha: float
    customers: int
    wording: Wording = field(default_factory=Wording)
    failures: list[str] = field(init=False)

    def __post_init__(self) -> None:
        failures = [
            f"{entry.column}={group.group}: selected {group.selection_rate.value:.1%}, "
            f"{group.ratio_to_highest:.2f} of the highest group (p={group.p_value:.2g}, "
            f"{group.customers} customers)"
            for entry in self.columns
            for group in entry.groups
            if group.fails
        ]
        object.__setattr__(self, "failures", failures)

    @property
    def passes(self) -> bool:
        """Whether no judged group fails. See `judged` for whether any was."""
        return not self.failures

    @property
    def judged(self) -> bool:
        """Whether the groups of at least one column were compared."""
        return any(entry.judged for entry in self.columns)

    @property
    def failing_columns(self) -> list[str]:
        """The columns with a group that fails."""
        return [c.column for c in self.columns if any(group.fails for group in c.groups)]

    @property
    def notes(self) -> list[str]:
        """What was not judged and why, over all columns."""
        missing = [f"{c}: not judged, the column is missing" for c in self.missing_columns]
        return missing + [f"{c.column}: {note}" for c in self.columns for note in c.notes]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON data."""
        return {
            "passes": self.passes,
            "judged": self.judged,
            "failures": list(self.failures),
            "notes": self.notes,
            "missing_columns": list(self.missing_columns),
            "threshold": self.threshold,
            "min_group_size": self.min_group_size,
            "alpha": self.alpha,
            "customers": self.customers,
            "columns": [asdict(entry) | {"judged": entry.judged} for entry in self.columns],
        }

    def to_markdown(self) -> str:
        """Return the report for people: the verdict, then one table a column."""
        verdict = "passes" if self.passes else "**fails**"
        if not self.judged:
            verdict = "was **not judged**: no column has two groups that are large enough"
        lines = [
            f"The 80 % rule {verdict} ({self.customers:,} customers; groups of at least "
            f"{self.min_group_size} are judged, significance {self.alpha:g} after Holm)."
        ]
        lines += [f"- Fails: {failure}" for failure in self.failures]
        lines += [f"- Note: {note}" for note in self.notes]
        for entry in self.columns:
            lines += ["", *_column_markdown(entry, self.wording)]
        return "\n".join(lines)


def _column_markdown(entry: ColumnFairness, words: Wording) -> list[str]:
    def shown(value: Interval | None, style: str = ".1%") -> str:
        if value is None:
            return "–"
        return f"{value.value:{style}} ({value.low:{style}} to {value.high:{style}})"

    lines = [
        f"**{entry.column}**: demographic parity ratio "
        f"{shown(entry.demographic_parity_ratio, '.2f')}, equalised odds difference "
        f"{shown(entry.equalized_odds_difference, '.2f')}, ratio "
        f"{shown(entry.equalized_odds_ratio, '.2f')}",
        "",
        f"| group | customers | {words.base_rate} | {words.selected} | {words.with_label} "
        f"| {words.without_label} "
        "| ratio to highest | p | verdict |",
        "|---|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for group in entry.groups:
        ratio = "–" if group.ratio_to_highest is None else f"{group.ratio_to_highest:.2f}"
        p_value = "–" if group.p_value is None else f"{group.p_value:.2g}"
        verdict = "**fails**" if group.fails else "passes"
        if group.ratio_to_highest is None:
            verdict = "not judged"
        name = group.group.replace("|", "\\|")
        lines.append(
            f"| {name} | {group.customers:,} | {group.base_rate:.1%} "
            f"| {shown(group.selection_rate)} | {shown(group.true_positive_rate)} "
            f"| {shown(group.false_positive_rate)} | {ratio} | {p_value} | {verdict} |"
        )
    return lines
