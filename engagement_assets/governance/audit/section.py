"""Sections of an audit, and the page that they make together.

Belongs here: layout and the verdict. Does not belong here: what is examined (`models.py`,
`people.py`).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from engagement_assets.learning import markdown

RED, GREEN = "red", "green"


@dataclass(frozen=True)
class Section:
    """One part of an audit.

    Attributes:
        title: What was examined.
        breaches: What broke a promise, a sentence each; one is enough for a red audit.
        unmeasured: What could not be examined, and why.
        head: Columns of its table.
        rows: Rows of its table.
        notes: What a reader should know.
    """

    title: str
    breaches: list[str] = field(default_factory=list)
    unmeasured: list[str] = field(default_factory=list)
    head: tuple[str, ...] = ()
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """Red where anything broke."""
        return RED if self.breaches else GREEN


def audit_page(title: str, period: str, sections: Sequence[Section]) -> tuple[dict[str, Any], str]:
    """Put sections together.

    Args:
        title: Name of the audit.
        period: What it is about, a sentence.
        sections: Its parts, in order.

    Returns:
        The audit as JSON data, and as Markdown.
    """
    breaches = [f"{one.title}: {text}" for one in sections for text in one.breaches]
    unmeasured = [f"{one.title}: {text}" for one in sections for text in one.unmeasured]
    verdict = RED if breaches else GREEN
    lines = [
        f"## {title}: {verdict}",
        "",
        period,
        "",
        markdown.table(
            ("part", "verdict", "breaches", "not measured"),
            [(one.title, one.verdict, len(one.breaches), len(one.unmeasured)) for one in sections],
        ),
        *_listed("Breaches", breaches),
        *_listed("Not measured", unmeasured),
    ]
    for one in sections:
        lines += ["", f"### {one.title}"]
        if one.rows:
            lines += ["", markdown.table(one.head, one.rows)]
        lines += ["", *(f"- {markdown.inline(note)}" for note in one.notes)]
    figures = {
        "verdict": verdict,
        "breaches": breaches,
        "unmeasured": unmeasured,
        "sections": [asdict(one) for one in sections],
    }
    return figures, "\n".join(lines).rstrip() + "\n"


def _listed(title: str, texts: Sequence[str]) -> list[str]:
    return ["", f"{title}:", "", *(f"- {markdown.inline(t)}" for t in texts or ["None."])]
