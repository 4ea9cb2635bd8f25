"""What the programme brought, as a page for people.

Belongs here: wording and layout. Does not belong here: figures (`measures.py`, `logs.py`,
`expectations.py`).
"""

from collections.abc import Sequence
from datetime import date

from engagement_assets.governance.value.expectations import Verdict
from engagement_assets.governance.value.measures import (
    COUNTED,
    NO_EFFECT,
    NOT_JUDGED,
    PROGRAMME,
    Measured,
)
from engagement_assets.governance.value.plan import COST, NET, RETENTION, REVENUE, ROI
from engagement_assets.learning import markdown

NAMES = {
    RETENTION: "retention (share there in the last days)",
    REVENUE: "revenue, USD a customer",
    "sessions": "sessions a customer",
    "session_minutes": "minutes a customer",
    "minutes_per_session": "minutes a session",
    "engagement": "engagement a day (0-1)",
    COST: "cost, USD a customer",
    NET: "net value, USD a customer",
    ROI: "return on a dollar spent, USD",
}
LIMITS = (
    "Intervals are 95 % and hold however often one looks; `value/programme` also has those for one "
    "planned look, which are narrower. Off-policy estimates have only these.",
    "A total is the difference times the customers who have the programme; it is the sum of what "
    "happened, no forecast.",
    "Who is held out may gain through friends who are not: the difference is then too small.",
    "The parts do not sum to the whole: they act on each other, run at different times, and an "
    "off-policy estimate counts what came right after a decision.",
    "No effect shown does not say that there is none: the least that would have been seen stands "
    "beside it.",
)


def value_report(
    rows: Sequence[Measured],
    verdicts: Sequence[Verdict],
    findings: Sequence[str],
    *,
    first_day: date,
    last_day: date,
) -> str:
    """Write the report.

    Args:
        rows: Of the programme and its parts.
        verdicts: The business case.
        findings: What the tests of the holdout's validity say.
        first_day: First day that is counted.
        last_day: Last day that is counted.
    """
    whole = [row for row in rows if row.capability == PROGRAMME]
    parts = [row for row in rows if row.capability != PROGRAMME]
    return "\n".join(
        [
            f"## What the programme brought, {first_day} to {last_day}",
            "",
            *_summary(whole),
            "",
            _table(whole),
            "",
            *(f"- {text}" for text in findings),
            "",
            "### Its parts",
            "",
            _parts(parts, whole),
            "",
            "### The business case",
            "",
            _case(verdicts),
            "",
            "### What cannot be said",
            "",
            *(f"- {text}" for text in LIMITS),
        ]
    )


def _summary(whole: Sequence[Measured]) -> list[str]:
    of = {row.metric: row for row in whole}
    revenue = of[REVENUE]
    if revenue.verdict == NOT_JUDGED:
        return [f"**Cannot be told**: {markdown.inline(revenue.reason)}."]
    people = (
        f"{revenue.units_with:,} customers with the programme beside {revenue.units_without:,} who "
        f"are held out ({revenue.source})"
    )
    lines = [f"Compared: {people}."]
    if revenue.verdict == NO_EFFECT:
        lines.append(
            f"**No effect on revenue shown**: {_span(revenue)} USD a customer; an effect of "
            f"{_number(revenue.least_detectable)} would have been seen in four of five samples."
        )
    else:
        lines.append(
            f"**Revenue is {revenue.verdict}** by {_span(revenue)} USD a customer, together "
            f"{_number(revenue.total)} USD ({_number(revenue.total_low)} to "
            f"{_number(revenue.total_high)})."
        )
    cost, back = of[COST], of[ROI]
    if cost.total is not None:
        note = f" ({cost.reason})" if cost.reason else ""
        lines.append(f"It cost {_number(cost.total)} USD{note}.")
    if back.difference is None:
        lines.append(f"Return: {markdown.inline(back.reason)}.")
    else:
        lines.append(f"Return on a dollar spent: {_span(back)} USD beyond the dollar.")
    return lines


def _table(rows: Sequence[Measured]) -> str:
    head = [
        "metric",
        "with",
        "without",
        "difference",
        "relative",
        "total",
        "verdict",
        "would be seen",
    ]
    return markdown.table(
        head,
        [
            (
                NAMES[row.metric],
                _number(row.mean_with),
                _number(row.mean_without),
                _span(row),
                _percent(row),
                _total(row),
                _verdict(row),
                _number(row.least_detectable),
            )
            for row in rows
        ],
        align=[markdown.LEFT, *[markdown.RIGHT] * 5, markdown.LEFT, markdown.RIGHT],
    )


def _parts(parts: Sequence[Measured], whole: Sequence[Measured]) -> str:
    """Each part's revenue and retention, how it was measured, and its share of the whole."""
    if not parts:
        return "The business case names none."
    all_revenue = next(row for row in whole if row.metric == REVENUE)
    shown = [row for row in parts if row.metric in (REVENUE, RETENTION)] or list(parts)
    return markdown.table(
        [
            "part",
            "measured by",
            "metric",
            "customers or decisions",
            "difference",
            "total",
            "share of the programme's revenue",
            "verdict",
        ],
        [
            (
                row.capability,
                f"{row.method}: {row.source}",
                NAMES[row.metric],
                f"{row.units_with + row.units_without:,}",
                _span(row),
                _total(row),
                _share(row, all_revenue),
                _verdict(row),
            )
            for row in shown
        ],
    )


def _share(row: Measured, whole: Measured) -> str:
    """A part's share, where both are clearly away from 0."""
    if row.metric != REVENUE or row.total is None:
        return "–"
    if not whole.total or NO_EFFECT in (row.verdict, whole.verdict):
        return "not known"
    return f"{row.total / whole.total:.0%}"


def _case(verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return "It names no expectation."

    def needed(one: Verdict) -> str:
        return "–" if one.customers_needed is None else f"{one.customers_needed:,}"

    def measured(one: Verdict) -> str:
        if one.measured is None:
            return "–"
        return f"{one.measured:+.1%} ({one.low:+.1%} to {one.high:+.1%})"

    return markdown.table(
        ["what", "expected", "measured", "verdict", "customers", "customers it would take", "why"],
        [
            (
                one.name,
                f"{one.expected:+.0%}",
                measured(one),
                f"**{one.verdict}**",
                "–" if one.customers is None else f"{one.customers:,}",
                needed(one),
                one.reason or "–",
            )
            for one in verdicts
        ],
    )


def _verdict(row: Measured) -> str:
    known = row.verdict in (NOT_JUDGED, COUNTED) and row.reason
    return f"{row.verdict}: {row.reason}" if known else row.verdict


def _total(row: Measured) -> str:
    if row.total is None:
        return "–"
    if row.total_low is None:
        return _number(row.total)
    return f"{_number(row.total)} ({_number(row.total_low)} to {_number(row.total_high)})"


def _span(row: Measured) -> str:
    if row.interval is None:
        return _number(row.difference)
    low, high = row.interval
    return f"{_number(row.difference)} ({_number(low)} to {_number(high)})"


def _percent(row: Measured) -> str:
    if row.relative is None or row.relative_interval is None:
        return "–"
    low, high = row.relative_interval
    return f"{row.relative:+.1%} ({low:+.1%} to {high:+.1%})"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
