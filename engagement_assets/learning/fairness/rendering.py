"""A fairness report as Markdown.

Belongs here: wording and layout. Does not belong here: the report's data (`report`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engagement_assets.learning import markdown
from engagement_assets.learning.fairness.report import (
    ALL,
    FAILS,
    HOLDS,
    NOT_JUDGED,
    FairnessReport,
    Row,
    verdict_of,
)

HARM = "harm"
# A table of more groups than these is not read.
MOST_SHOWN = 30


def report_markdown(report: FairnessReport) -> str:
    """Return the verdict of a report, its power, then one table an attribute."""
    verdict = {
        HOLDS: "**holds**", FAILS: "**fails**",
        NOT_JUDGED: "was **not judged**: no gap could have been seen",
    }[report.verdict]  # fmt: skip
    lines = [f"Selected are {report.selected_are}.\n"] if report.selected_are else []
    if report.selection == HARM:
        lines += [
            "Being selected is a harm: a group fails that is selected more, and equalised odds are "
            "judged, the shares selected of those with the label and of those without it.\n"
        ]
    lines += [
        f"The 80 % rule {verdict} ({report.people:,} {report.side}; groups of at least "
        f"{report.min_group_size} are judged; {report.tests} tests, together at significance "
        f"{report.alpha:g} after Holm).",
        "",
    ]
    inline = markdown.inline
    lines += [f"- {inline(about)}: {verdict}" for about, verdict in report.verdicts.items()]
    lines += [f"- **Fails**: {inline(failure)}" for failure in report.failures]
    lines += [f"- Note: {inline(note)}" for note in report.notes]
    if report.power:
        lines += ["", "Gaps that would have been seen in four of five samples:", ""]
        lines += [f"- {inline(text)}" for text in report.power]
    for (side, attribute), rows in report.by_attribute().items():
        lines += ["", f"**{inline(f'{side} by {attribute}')}**", "", _table(report, rows)]
    return "\n".join(lines)


def _table(report: FairnessReport, rows: Sequence[Row]) -> str:
    """One line a group, one column a measure."""
    measures = list(dict.fromkeys(row.measure for row in rows))
    groups: dict[str, dict[str, Row]] = {}
    for row in rows:
        groups.setdefault(row.group, {})[row.measure] = row
    shown = _worth_showing(groups)
    lines = []
    for group in shown:
        own = groups[group]
        verdict = "–" if group == ALL else verdict_of(list(own.values()), own=True)
        people = f"{next(iter(own.values())).people:,}"
        lines.append((group, people, *(_cell(own.get(m)) for m in measures), verdict))
    text = markdown.table(
        ["group", "people", *map(report.worded_measure, measures), "verdict"],
        lines,
        align=[markdown.LEFT, *[markdown.RIGHT] * (1 + len(measures)), markdown.LEFT],
    )
    hidden = len(groups) - len(shown)
    return f"{text}\n\nand {hidden:,} more groups with higher ratios." if hidden else text


def _worth_showing(groups: Mapping[str, Mapping[str, Row]]) -> list[str]:
    """Return all groups, or of very many those that fail and those with the lowest ratios."""
    if len(groups) <= MOST_SHOWN:
        return list(groups)

    def least(group: str) -> tuple[bool, float]:
        own = groups[group].values()
        ratios = [row.ratio for row in own if row.judged and row.ratio is not None]
        return not any(row.fails for row in own), min(ratios, default=1.0)

    chosen = {*sorted(groups, key=least)[:MOST_SHOWN], ALL}
    return [group for group in groups if group in chosen or not least(group)[0]]


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
