"""A fairness report as Markdown.

Belongs here: wording and layout. Does not belong here: the report's data (`report`).
"""

from __future__ import annotations

from collections.abc import Sequence

from engagement_assets.learning.fairness.report import (
    ALL,
    FAILS,
    HOLDS,
    NOT_JUDGED,
    FairnessReport,
    Row,
    verdict_of,
)


def report_markdown(report: FairnessReport) -> str:
    """Return the verdict of a report, its power, then one table an attribute."""
    verdict = {
        HOLDS: "**holds**", FAILS: "**fails**",
        NOT_JUDGED: "was **not judged**: no gap could have been seen",
    }[report.verdict]  # fmt: skip
    lines = [f"Selected are {report.selected_are}.\n"] if report.selected_are else []
    lines += [
        f"The 80 % rule {verdict} ({report.people:,} customers; groups of at least "
        f"{report.min_group_size} are judged; {report.tests} tests, together at significance "
        f"{report.alpha:g} after Holm).",
        "",
    ]
    lines += [f"- {about}: {verdict}" for about, verdict in report.verdicts.items()]
    lines += [f"- **Fails**: {failure}" for failure in report.failures]
    lines += [f"- Note: {note}" for note in report.notes]
    if report.power:
        lines += ["", "Gaps that would have been seen in four of five samples:", ""]
        lines += [f"- {text}" for text in report.power]
    for (side, attribute), rows in report.by_attribute().items():
        lines += ["", f"**{side} by {attribute}**", "", *_table(report, rows)]
    return "\n".join(lines)


def _table(report: FairnessReport, rows: Sequence[Row]) -> list[str]:
    """One line a group, one column a measure."""
    measures = list(dict.fromkeys(row.measure for row in rows))
    cells = {(row.group, row.measure): row for row in rows}
    heads = [report.worded_measure(measure) for measure in measures]
    lines = [
        f"| group | people | {' | '.join(heads)} | verdict |",
        "|---|--:|" + "--:|" * len(heads) + "---|",
    ]
    for group in dict.fromkeys(row.group for row in rows):
        own = [row for row in rows if row.group == group]
        name = group.replace("|", "\\|")
        shown = [_cell(cells.get((group, measure))) for measure in measures]
        verdict = "–" if group == ALL else verdict_of(own, own=True)
        lines.append(f"| {name} | {own[0].people:,} | {' | '.join(shown)} | {verdict} |")
    return lines


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
